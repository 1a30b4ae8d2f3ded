"""What stands beside a vector's tensors: `<name>.json`, read strictly and written whole.

Where the vector comes from, what was taken out of it, and what was later found of it (read-outs, coherent
window). The tensors themselves are `vectors`' business.
"""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from steering.errors import VectorMismatch
from steering.names import RESERVED
from steering.tensors import write_text

SCHEMA_VERSION = 1
AGAIN = "extract it again with python -m steering.extraction"


class Removed(BaseModel):
    """What was projected out of a raw direction: the principal components of neutral text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: str
    corpus_hash: str
    variance: float = Field(gt=0, lt=1)
    """Share of the neutral tokens' variance that the components explain, at least."""
    components: tuple[int, ...]
    """How many, per layer."""
    tokens: int = Field(ge=2)


class Readouts(BaseModel):
    """What `emodose vectors check` found of one vector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["pass", "weak", "fail"]
    layer: int = Field(ge=0)
    """The layer it was read at, which is the one recommended for steering."""
    reasons: tuple[str, ...] = ()
    """Why it is not a pass; and what could not be tried."""
    numbers: dict[str, float] = {}
    tensor_hash: str
    """Of the vector that was read out."""


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
    removed: Removed | None = None
    """None where `unit` is the raw direction, normalised."""
    readouts: Readouts | None = None
    """None until `emodose vectors check` has read it out."""
    versions: dict[str, str] = {}
    tensor_hash: str

    @model_validator(mode="after")
    def _read_out_is_this_one(self) -> Self:
        if self.readouts is not None and self.readouts.tensor_hash != self.tensor_hash:
            raise ValueError("its readouts are of other numbers than these: run emodose vectors check again")
        return self


def read_metas(folder: Path) -> dict[str, VectorMeta]:
    """The descriptions of a folder's vectors, by name; damage and an empty folder are a VectorMismatch."""
    paths = [path for path in sorted(folder.glob("*.json")) if path.stem not in RESERVED]
    metas = {path.stem: load_meta(path) for path in paths}
    for path in sorted(folder.glob("*.safetensors")):
        if not path.with_suffix(".json").is_file():
            raise VectorMismatch(f"{path} has no .json beside it: {AGAIN}")
    if not metas:
        raise VectorMismatch(f"no vector files in {folder}: make some with emodose vectors extract MODEL")
    return metas


def describe(folder: Path, name: str, **changes: Any) -> VectorMeta:
    """Change fields of a vector's description; its tensors stay as they are."""
    path = folder / f"{name}.json"
    meta = VectorMeta.model_validate({**load_meta(path).model_dump(), **changes})
    write_text(path, meta.model_dump_json(indent=2) + "\n")
    return meta


def load_meta(path: Path) -> VectorMeta:
    """One description. Damage of any kind is a VectorMismatch."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise VectorMismatch(f"{path} is missing: {AGAIN}") from error
    except (OSError, ValueError) as error:
        raise VectorMismatch(f"{path} cannot be read as JSON ({error}): {AGAIN}") from error
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise VectorMismatch(f"{path} has schema_version {version!r}, expected {SCHEMA_VERSION}: {AGAIN}")
    try:
        meta = VectorMeta(**values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise VectorMismatch(f"{path} does not describe a vector ({wrong}): {AGAIN}") from error
    if meta.name != path.stem:
        raise VectorMismatch(f"{path} describes vector {meta.name!r}: a file is named for its vector")
    return meta
