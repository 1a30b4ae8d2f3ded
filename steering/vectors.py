"""Vector files, and the library of those that fit one model.

A vector is a unit direction at every layer, with the layers' mean residual norms, in `<name>.safetensors`;
where it comes from is in `<name>.json` beside it. Everything is checked on the way in, and nothing is
unpickled. How directions are found is extraction's business; how they are added to a model, the hooks'.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import align_module_device
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from steering.condition import Condition, check_vector_name, random_seed
from steering.errors import LayerNotFound, SteeringError, VectorMismatch

SCHEMA_VERSION = 1
NO_HASH = "none"
_AGAIN = "extract it again with python -m steering.extraction"


class VectorMeta(BaseModel):
    """What `<name>.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    name: str
    model_id: str
    fingerprint: str
    layers: int = Field(ge=1)
    width: int = Field(ge=1)
    dtype: str
    """The model's, not the file's: vectors are float32."""
    method: str
    corpus: str
    corpus_hash: str
    token_rule: str
    n_stories: int = Field(ge=0)
    sink_share: float = Field(ge=0, le=1)
    """Share of tokens left out of the mean norms."""
    window: float | None = Field(default=None, gt=0)
    """Largest |strength| at which the model was measured to stay coherent, or null."""
    versions: dict[str, str] = {}
    tensor_hash: str


@dataclass(frozen=True, eq=False)
class Vector:
    """A direction at every layer of one model."""

    name: str
    unit: Tensor  # [L,d] float32, rows of norm 1
    mean_norm: Tensor  # [L] float32
    hash: str
    """Of the tensors, so that a receipt can name the numbers that were added."""
    meta: VectorMeta | None
    """None for a random direction, which has no file."""
    raw: Tensor | None = None  # [L,d] float32, before normalisation and before anything was removed

    @classmethod
    def build(cls, name: str, raw: Tensor, mean_norm: Tensor, **meta: Any) -> "Vector":
        """Normalise `raw` [L,d] and describe it: `meta` holds VectorMeta's fields but those that follow
        from here."""
        raw, mean_norm = (
            raw.detach().float().cpu().contiguous(),
            mean_norm.detach().float().cpu().contiguous(),
        )
        norms = raw.norm(dim=-1)  # [L]
        if not torch.isfinite(norms).all() or norms.eq(0).any():
            bad = [layer for layer, norm in enumerate(norms.tolist()) if not math.isfinite(norm) or norm == 0]
            raise SteeringError(
                f"vector {name!r} has no direction at layers {bad}: its norm there is 0 or not finite"
            )
        unit = raw / norms[:, None]
        digest = _tensor_hash({"unit": unit, "raw": raw, "mean_norm": mean_norm})
        described = VectorMeta(name=name, layers=raw.shape[0], width=raw.shape[1], tensor_hash=digest, **meta)
        return cls(check_vector_name(name), unit, mean_norm, digest, described, raw)


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
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for vector in vectors:
        if vector.meta is None or vector.raw is None:
            raise SteeringError(
                f"vector {vector.name!r} is a random direction or has no description: nothing to save"
            )
        path = folder / f"{vector.name}.safetensors"
        tensors = {"unit": vector.unit, "raw": vector.raw, "mean_norm": vector.mean_norm}
        save_file(tensors, f"{path}.part")
        os.replace(f"{path}.part", path)
        path.with_suffix(".json").write_text(vector.meta.model_dump_json(indent=2) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def load(path: Path) -> Vector:
    """Read `<name>.safetensors` and the `<name>.json` beside it. Damage of any kind is a VectorMismatch."""
    meta = _load_meta(path.with_suffix(".json"))
    path = path.with_suffix(".safetensors")
    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise VectorMismatch(f"{path} is missing beside its .json: {_AGAIN}") from error
    except Exception as error:  # safetensors raises an exception class of its own for each kind of damage
        raise VectorMismatch(f"{path} cannot be read ({error}): {_AGAIN}") from error
    shapes = {
        "unit": (meta.layers, meta.width),
        "raw": (meta.layers, meta.width),
        "mean_norm": (meta.layers,),
    }
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != shapes or any(tensor.dtype != torch.float32 for tensor in tensors.values()):
        raise VectorMismatch(f"{path} holds {found}, expected {shapes} in float32: {_AGAIN}")
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise VectorMismatch(f"{path} holds NaN or infinity: {_AGAIN}")
    if _tensor_hash(tensors) != meta.tensor_hash:
        raise VectorMismatch(
            f"{path} is not the file that its .json describes (tensor hash differs): {_AGAIN}"
        )
    if (tensors["unit"].norm(dim=-1) - 1).abs().max() > 1e-3:
        raise VectorMismatch(f"{path} holds rows of another norm than 1: {_AGAIN}")
    if tensors["mean_norm"].le(0).any():
        raise VectorMismatch(f"{path} holds a mean norm that is not above 0: {_AGAIN}")
    return Vector(meta.name, tensors["unit"], tensors["mean_norm"], meta.tensor_hash, meta, tensors["raw"])


class VectorLibrary:
    """The vectors of one folder, all of them for the model at hand, and any random direction.

    Descriptions are read and checked at once, tensors when a vector is first asked for.
    """

    def __init__(self, folder: Path, fingerprint: str, n_layers: int, width: int) -> None:
        self.folder = Path(folder)
        self._metas = {path.stem: _load_meta(path) for path in sorted(self.folder.glob("*.json"))}
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.stem not in self._metas:
                raise VectorMismatch(f"{path} has no .json beside it: {_AGAIN}")
        if not self._metas:
            raise VectorMismatch(
                f"no vector files in {self.folder}: make some with python -m steering.extraction"
            )
        self._vectors: dict[str, Vector] = {}
        self.check(fingerprint, n_layers, width)

    @classmethod
    def of(
        cls, vectors: Mapping[str, Vector], fingerprint: str, n_layers: int, width: int
    ) -> "VectorLibrary":
        """A library of vectors that were just extracted and lie in no folder."""
        library = cls.__new__(cls)
        library.folder = Path("the vectors given")
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
        for name, meta in self._metas.items():
            for what, found, asked in (
                ("width", meta.width, width),
                ("layer count", meta.layers, n_layers),
                ("weight fingerprint", meta.fingerprint[:12], fingerprint[:12]),
            ):
                if found != asked:
                    raise VectorMismatch(
                        f"{self.folder / name}.json was made for another model ({meta.model_id}): "
                        f"{what} {found}, this model's is {asked}; {_AGAIN} from this model"
                    )

    def names(self) -> tuple[str, ...]:
        """The vectors that have files; random directions come on top."""
        return tuple(self._metas)

    @cached_property
    def mean_norm(self) -> Tensor:
        """[L] float32: one unit of strength at each layer, the same for all vectors of the folder."""
        return self.get(self.names()[0]).mean_norm

    @property
    def window(self) -> float | None:
        """The smallest coherent window among the vectors that have one."""
        return min((meta.window for meta in self._metas.values() if meta.window is not None), default=None)

    def get(self, name: str) -> Vector:
        """The vector of a file, or the direction of `random:SEED`."""
        if name not in self._vectors:
            seed = random_seed(check_vector_name(name))
            self._vectors[name] = (
                self._load(name) if seed is None else _random(name, seed, self.mean_norm, self._width)
            )
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

    def _load(self, name: str) -> Vector:
        if name not in self._metas:
            choices = ", ".join((*self.names(), "random:SEED"))
            raise VectorMismatch(f"no vector {name!r} in {self.folder}: choose {choices}")
        return self._comparable(load(self.folder / f"{name}.safetensors"))

    def _comparable(self, vector: Vector) -> Vector:
        first = self.names()[0]
        if vector.name != first and not torch.allclose(vector.mean_norm, self.mean_norm, rtol=1e-3):
            raise VectorMismatch(
                f"{self.folder / vector.name}.safetensors has other mean norms than {first}: "
                "their strengths would not be comparable; extract all vectors of a folder in one go"
            )
        return vector


def _random(name: str, seed: int, mean_norm: Tensor, width: int) -> Vector:
    """An isotropic direction per layer. A layer's direction does not depend on how many layers there
    are."""
    rows = []
    for layer in range(len(mean_norm)):
        digest = hashlib.sha256(f"random:{seed}/{layer}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        row = torch.randn(width, generator=generator, dtype=torch.float64)
        rows.append((row / row.norm()).float())
    unit = torch.stack(rows)  # [L,d]
    return Vector(name, unit, mean_norm, _tensor_hash({"unit": unit, "mean_norm": mean_norm}), None)


def _load_meta(path: Path) -> VectorMeta:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise VectorMismatch(f"{path} is missing: {_AGAIN}") from error
    except (OSError, ValueError) as error:
        raise VectorMismatch(f"{path} cannot be read as JSON ({error}): {_AGAIN}") from error
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise VectorMismatch(f"{path} has schema_version {version!r}, expected {SCHEMA_VERSION}: {_AGAIN}")
    try:
        meta = VectorMeta(**values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise VectorMismatch(f"{path} does not describe a vector ({wrong}): {_AGAIN}") from error
    if meta.name != path.stem:
        raise VectorMismatch(f"{path} describes vector {meta.name!r}: a file is named for its vector")
    return meta


def _tensor_hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
