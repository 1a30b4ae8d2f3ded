"""Vector files, and the library of those that fit one model.

A vector is a unit direction at every layer, with the layers' mean residual norms, in `<name>.safetensors`;
where it comes from is in `<name>.json` beside it. Everything is checked on the way in, and nothing is
unpickled. How directions are found is extraction's business; how they are added to a model, the hooks'.
"""

import difflib
import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import align_module_device
from torch import Tensor, nn

from steering.condition import Condition
from steering.controls import STEM, Controls, permuted, random_direction, unit_rows, without
from steering.descriptions import AGAIN, VectorMeta, load_meta, read_metas
from steering.doses import Doses
from steering.errors import LayerNotFound, SteeringError, VectorMismatch
from steering.names import check_emotion, read_name
from steering.tensors import read_tensors, tensor_hash, write_tensors, write_text

NO_HASH = "none"


@dataclass(frozen=True, eq=False)
class Vector:
    """A direction at every layer of one model."""

    name: str
    unit: Tensor  # [L,d] float32, rows of norm 1
    mean_norm: Tensor  # [L] float32
    hash: str
    """Of the tensors, so that a receipt can name the numbers that were added."""
    meta: VectorMeta | None
    """None for a control, which has no file of its own."""
    raw: Tensor | None = None  # [L,d] float32, before normalisation and before anything was removed

    @classmethod
    def build(
        cls, name: str, raw: Tensor, mean_norm: Tensor, *, denoised: Tensor | None = None, **meta: Any
    ) -> "Vector":
        """Normalise `denoised` [L,d], or else `raw` [L,d], and describe it: `meta` holds VectorMeta's fields
        but those that follow from here."""
        raw, mean_norm = (
            raw.detach().float().cpu().contiguous(),
            mean_norm.detach().float().cpu().contiguous(),
        )
        direction = raw if denoised is None else denoised.detach().float().cpu()
        norms = direction.norm(dim=-1)  # [L]
        if not torch.isfinite(norms).all() or norms.eq(0).any():
            bad = [layer for layer, norm in enumerate(norms.tolist()) if not math.isfinite(norm) or norm == 0]
            raise SteeringError(
                f"vector {name!r} has no direction at layers {bad}: its norm there is 0 or not finite"
            )
        unit = direction / norms[:, None]
        digest = tensor_hash({"unit": unit, "raw": raw, "mean_norm": mean_norm})
        described = VectorMeta(name=name, layers=raw.shape[0], width=raw.shape[1], tensor_hash=digest, **meta)
        return cls(check_emotion(name), unit, mean_norm, digest, described, raw)


def fingerprint(model: nn.Module) -> str:
    """sha256 over every parameter's name, shape and a strided sample of its values.

    Tells one set of weights from another, also after a little training. It does not depend on the dtype in
    which equal values are held, nor on the devices: what accelerate keeps on disk is read from there.
    """
    lines = {}
    for path, module in model.named_modules():
        with align_module_device(module):
            for short, parameter in module.named_parameters(recurse=False):
                name = f"{path}.{short}" if path else short
                lines[name] = f"{name} {tuple(parameter.shape)}\n".encode() + _strided(name, parameter)
    shared = lines.keys() - dict(model.named_parameters()).keys()
    return hashlib.sha256(b"".join(lines[name] for name in sorted(lines.keys() - shared))).hexdigest()


def _strided(name: str, parameter: Tensor) -> bytes:
    """About a thousand of the parameter's values, as float32."""
    if parameter.is_meta:
        raise SteeringError(
            f"parameter {name} is not in memory (device meta): load the whole model to steer it"
        )
    flat = parameter.detach().reshape(-1)
    sample = flat[:: max(1, flat.numel() // 1024)].float().cpu().contiguous()
    return sample.numpy().tobytes()


def save(folder: Path, *vectors: Vector) -> list[Path]:
    """Write each vector's two files; the `.json` last, so that a vector without one was cut short."""
    paths = []
    for vector in vectors:
        if vector.meta is None or vector.raw is None:
            raise SteeringError(f"vector {vector.name!r} is a control or has no description: nothing to save")
        path = folder / f"{vector.name}.safetensors"
        tensors = {"unit": vector.unit, "raw": vector.raw, "mean_norm": vector.mean_norm}
        write_tensors(path, tensors)
        write_text(path.with_suffix(".json"), vector.meta.model_dump_json(indent=2) + "\n")
        paths.append(path)
    return paths


def load(path: Path) -> Vector:
    """Read `<name>.safetensors` and the `<name>.json` beside it. Damage of any kind is a VectorMismatch."""
    meta = load_meta(path.with_suffix(".json"))
    path = path.with_suffix(".safetensors")
    tensors = read_tensors(path, meta.tensor_hash, AGAIN)
    shapes = {
        "unit": (meta.layers, meta.width),
        "raw": (meta.layers, meta.width),
        "mean_norm": (meta.layers,),
    }
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != shapes:
        raise VectorMismatch(f"{path} holds {found}, expected {shapes}: {AGAIN}")
    if (tensors["unit"].norm(dim=-1) - 1).abs().max() > 1e-3:
        raise VectorMismatch(f"{path} holds rows of another norm than 1: {AGAIN}")
    if tensors["mean_norm"].le(0).any():
        raise VectorMismatch(f"{path} holds a mean norm that is not above 0: {AGAIN}")
    return Vector(meta.name, tensors["unit"], tensors["mean_norm"], meta.tensor_hash, meta, tensors["raw"])


class VectorLibrary:
    """The vectors of one folder, all of them for the model at hand, and the controls made from them.

    Descriptions are read and checked at once, tensors when a vector is first asked for.
    """

    def __init__(self, folder: Path, fingerprint: str, n_layers: int, width: int) -> None:
        self.folder = Path(folder)
        self._metas = read_metas(self.folder)
        self.controls = Controls.load(self.folder, AGAIN)
        """What was stored at extraction to compare with; None for vectors made without."""
        self.doses = Doses.load(self.folder, fingerprint)
        """What was measured of doses."""
        self.failed_first: set[str] = set()
        """Vectors without a verdict that the look at their first use found to fail."""
        self._vectors: dict[str, Vector] = {}
        self.check(fingerprint, n_layers, width)

    @classmethod
    def of(
        cls, vectors: Mapping[str, Vector], fingerprint: str, n_layers: int, width: int
    ) -> "VectorLibrary":
        """A library of vectors that were just extracted and lie in no folder."""
        library = cls.__new__(cls)
        library.folder = Path("the vectors given")
        library.controls, library.doses = None, Doses(fingerprint=fingerprint)
        library.failed_first = set()
        library._metas = {name: vector.meta for name, vector in vectors.items() if vector.meta is not None}
        if not library._metas:
            raise VectorMismatch("no vectors were given: make some with extract, or name their folder")
        library.check(fingerprint, n_layers, width)
        library._vectors = {name: vectors[name] for name in library._metas}
        for vector in library._vectors.values():
            library._comparable(vector)
        return library

    def check(self, fingerprint: str, n_layers: int, width: int) -> None:
        """Raise VectorMismatch unless all vectors were made from the model of that fingerprint and shape."""
        metas: dict[str, Any] = {**self._metas, **({STEM: self.controls.meta} if self.controls else {})}
        for name, meta in metas.items():
            for what, found, asked in (
                ("width", meta.width, width),
                ("layer count", meta.layers, n_layers),
                ("weight fingerprint", meta.fingerprint[:12], fingerprint[:12]),
            ):
                if found != asked:
                    raise VectorMismatch(
                        f"{self.folder / name}.json was made for another model ({meta.model_id}): "
                        f"{what} {found}, this model's is {asked}; {AGAIN} from this model"
                    )

    def names(self) -> tuple[str, ...]:
        """The vectors that have files; controls come on top."""
        return tuple(self._metas)

    @property
    def metas(self) -> Mapping[str, VectorMeta]:
        """The descriptions of the vectors that have files."""
        return self._metas

    def choices(self) -> tuple[str, ...]:
        """Every name that this folder can answer, those with a part to fill in in capitals."""
        made = ["-EMOTION", "random:SEED", "permuted:EMOTION:SEED"]
        if self.controls is not None:
            made += self.controls.names()
            made += ["EMOTION-minus-valence"] if "valence" in self.controls.tensors else []
        return (*self.names(), *made)

    @cached_property
    def mean_norm(self) -> Tensor:
        """[L] float32: one unit of strength at each layer, the same for all vectors of the folder."""
        return self.get(self.names()[0]).mean_norm

    def window(self, names: Iterable[str]) -> float | None:
        """The smallest coherent window of the named vectors; None where none of them has one, as controls
        have not."""
        metas = (self._metas[name] for name in names if name in self._metas)
        return min((meta.window for meta in metas if meta.window is not None), default=None)

    @property
    def recommended_layer(self) -> int | None:
        """The layer that the read-outs of all checked vectors recommend; None where none or several."""
        layers = {meta.readouts.layer for meta in self._metas.values() if meta.readouts is not None}
        return layers.pop() if len(layers) == 1 else None

    def get(self, name: str) -> Vector:
        """The vector of a file, or a control. An unknown name is a VectorMismatch with the choices."""
        if name not in self._vectors:
            is_file = read_name(name).kind == "file"
            self._vectors[name] = self._load(name) if is_file else self._control(name)
        return self._vectors[name]

    def hash(self, condition: Condition) -> str:
        """Hash of the condition's vector; `none` for the baseline."""
        return NO_HASH if condition.is_baseline else self.get(condition.vector).hash

    def delta(self, condition: Condition) -> dict[int, Tensor]:
        """What the condition adds: layer -> [d] float32; nothing for the baseline."""
        if condition.is_baseline:
            return {}
        vector = self.get(condition.vector)
        beyond = [layer for layer in condition.layers if layer >= len(vector.unit)]
        if beyond:
            raise LayerNotFound(f"layer {beyond[0]} is not in this model: choose 0 to {len(vector.unit) - 1}")
        return {
            layer: condition.strength * vector.mean_norm[layer] * vector.unit[layer]
            for layer in condition.layers
        }

    @property
    def _width(self) -> int:
        return next(iter(self._metas.values())).width

    def _control(self, name: str) -> Vector:
        kind, of, seed = read = read_name(name)
        if kind == "random":
            unit = random_direction(seed or 0, len(self.mean_norm), self._width)
        elif kind == "opposite":
            unit = -self.get(of).unit
        elif kind == "permuted":
            unit = permuted(self.get(of).unit, seed or 0)
        elif kind == "minus-valence":
            unit = unit_rows(without(self.get(of).unit, self.get("valence").unit), name)
        else:
            try:
                if self.controls is None:
                    raise KeyError(name)
                unit = unit_rows(self.controls.direction(read), name)
            except KeyError:
                raise self._unknown(name) from None
        digest = tensor_hash({"unit": unit, "mean_norm": self.mean_norm})
        return Vector(name, unit, self.mean_norm, digest, None)

    def _unknown(self, name: str) -> VectorMismatch:
        near = difflib.get_close_matches(name.lower(), self.choices(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return VectorMismatch(
            f"no vector {name!r} in {self.folder}: {hint}choose {', '.join(self.choices())}"
        )

    def _load(self, name: str) -> Vector:
        if name not in self._metas:
            raise self._unknown(name)
        return self._comparable(load(self.folder / f"{name}.safetensors"))

    def _comparable(self, vector: Vector) -> Vector:
        first = self.names()[0]
        if vector.name != first and not torch.allclose(vector.mean_norm, self.mean_norm, rtol=1e-3):
            raise VectorMismatch(
                f"{self.folder / vector.name}.safetensors has other mean norms than {first}: "
                "their strengths would not be comparable; extract all vectors of a folder in one go"
            )
        return vector
