"""Directions to compare an emotion with, all of unit norm, and the file that some of them are read from.

Random, permuted and turned directions are made when they are asked for. What needs the stories (directions
drawn as they scatter, from exchanged labels, along valence, of concepts, of neutral stories) is made once,
at extraction, and lies in `controls.safetensors` with `controls.json` beside it. That random directions alone
change behaviour: Rogue Scalpel, arXiv 2509.22067. Which names exist: `steering.names`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from steering.errors import SteeringError, VectorMismatch
from steering.names import Name
from steering.tensors import read_tensors, tensor_hash, write_tensors, write_text

STEM = "controls"


class ControlsMeta(BaseModel):
    """What `controls.json` says: of which extraction the directions are, and what else is known of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    model_id: str
    fingerprint: str
    layers: int = Field(ge=1)
    width: int = Field(ge=1)
    from_token: int = Field(ge=0)
    corpus: str
    corpus_hash: str
    emotions: tuple[str, ...]
    """In the order of the rows of `embeddings`."""
    stories: str
    """Digests of the stories that were used, so that a read-out can tell whether one was held out."""
    halves: dict[str, tuple[float, ...]] = {}
    """Per emotion and layer, the cosine between the vectors of two halves of the corpus."""
    ratings: str | None = None
    """Whose ratings the axis of valence rests on."""
    notes: tuple[str, ...] = ()
    """What extraction warned of."""
    tensor_hash: str


@dataclass(frozen=True, eq=False)
class Controls:
    """Directions by key, [L,d] float32 and not normalised, or [seeds,L,d]; and what read-outs need.

    covariance, shuffled   [S,L,d], of the seeds 0 to S-1
    valence, neutral       [L,d], where ratings or neutral stories were given
    concept.NAME           [L,d]
    grand_mean             [L,d], the mean over the emotions' means, that each vector is measured against
    embeddings             [E,d'], each emotion's mean token embedding
    """

    tensors: dict[str, Tensor]
    meta: ControlsMeta

    @classmethod
    def build(cls, tensors: dict[str, Tensor], **meta: Any) -> "Controls":
        kept = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
        return cls(kept, ControlsMeta(tensor_hash=tensor_hash(kept), **meta))

    def save(self, folder: Path) -> Path:
        path = folder / f"{STEM}.safetensors"
        write_tensors(path, self.tensors)
        write_text(path.with_suffix(".json"), self.meta.model_dump_json(indent=1) + "\n")
        return path

    @classmethod
    def load(cls, folder: Path, again: str) -> "Controls | None":
        """The controls of a folder of vectors, or None where it has none."""
        path = folder / f"{STEM}.json"
        if not path.is_file():
            return None
        try:
            meta = ControlsMeta.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise VectorMismatch(f"{path} does not describe controls ({told}): {again}") from error
        tensors = read_tensors(path.with_suffix(".safetensors"), meta.tensor_hash, again)
        wrong = [
            name
            for name, tensor in tensors.items()
            if name != "embeddings" and tuple(tensor.shape[-2:]) != (meta.layers, meta.width)
        ]
        if wrong:
            raise VectorMismatch(
                f"{path}: {', '.join(wrong)} is of another shape than its .json says: {again}"
            )
        return cls(tensors, meta)

    def names(self) -> tuple[str, ...]:
        """Names of the stored directions, of those with seeds as a range."""
        found = []
        for key, tensor in sorted(self.tensors.items()):
            if key in ("covariance", "shuffled"):
                found.append(f"{key}:0 to {key}:{len(tensor) - 1}")
            elif key in ("valence", "neutral"):
                found.append(key)
            elif key.startswith("concept."):
                found.append(key.replace(".", ":"))
        return tuple(found)

    def direction(self, name: Name) -> Tensor:
        """A stored direction, [L,d]. KeyError where this file has none of that name."""
        key = f"concept.{name.of}" if name.kind == "concept" else name.kind
        tensor = self.tensors[key]
        if name.seed is None:
            return tensor
        if name.seed >= len(tensor):
            raise KeyError(key)
        return tensor[name.seed]


def unit_rows(direction: Tensor, what: str) -> Tensor:
    """Each layer's row with norm 1: [L,d] -> [L,d] float32. SteeringError where a layer has no direction."""
    norms = direction.double().norm(dim=-1, keepdim=True)  # [L,1]
    if not torch.isfinite(norms).all() or norms.eq(0).any():
        raise SteeringError(f"{what} has no direction at some layer: its norm there is 0 or not finite")
    unit: Tensor = (direction.double() / norms).float()
    return unit


def random_direction(seed: int, layers: int, width: int) -> Tensor:
    """An isotropic unit direction per layer [L,d]. A layer's does not depend on how many layers there are."""
    rows = [torch.randn(width, generator=_generator(f"random:{seed}/{layer}"), dtype=torch.float64)
            for layer in range(layers)]  # fmt: skip
    return torch.stack([(row / row.norm()).float() for row in rows])


def permuted(unit: Tensor, seed: int) -> Tensor:
    """Each layer's coordinates [L,d] in another order: the same values, no longer the same meaning."""
    orders = [torch.randperm(row.numel(), generator=_generator(f"permuted:{seed}/{layer}"))
              for layer, row in enumerate(unit)]  # fmt: skip
    return torch.stack([row[order] for row, order in zip(unit, orders, strict=True)])


def without(direction: Tensor, axis: Tensor) -> Tensor:
    """What is left of a direction [L,d] orthogonal to an axis [L,d], layer by layer; not normalised."""
    along = unit_rows(axis, "the axis").double()
    direction = direction.double()
    return (direction - (direction * along).sum(dim=-1, keepdim=True) * along).float()


def _generator(stream: str) -> torch.Generator:
    digest = hashlib.sha256(stream.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
