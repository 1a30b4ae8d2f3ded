"""What was measured of the doses of a folder's vectors: `doses.json` beside them.

How far a condition moves the model's next-token distribution on neutral text (`steering.kl`), and how much
of what it writes stays coherent (`steering.window`). Doses of different vectors, layers and models compare by
the former better than by strength (on why strengths do not compare: arXiv 2606.06735).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steering.condition import Condition
from steering.errors import VectorMismatch
from steering.tensors import write_text

FILE = "doses.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Divergence(_Frozen):
    """Per-token Kullback-Leibler divergence of the steered from the unsteered distribution, in nats."""

    mean: float = Field(ge=0)
    p95: float = Field(ge=0)
    tokens: int = Field(ge=1)
    corpus: str
    vector_hash: str


class Coherence(_Frozen):
    """How many of a condition's texts broke down."""

    incoherent: int = Field(ge=0)
    n: int = Field(ge=1)
    vector_hash: str


class Doses(_Frozen):
    """By slug of the condition."""

    schema_version: Literal[1] = 1
    fingerprint: str
    kl: dict[str, Divergence] = {}
    coherence: dict[str, Coherence] = {}

    @classmethod
    def load(cls, folder: Path, fingerprint: str) -> Self:
        """Those of the folder; none where there is no file. Of another model, or damaged: VectorMismatch."""
        path = folder / FILE
        if not path.is_file():
            return cls(fingerprint=fingerprint)
        again = "delete it, and measure with emodose vectors kl and emodose vectors window"
        try:
            found = cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise VectorMismatch(f"{path} does not describe doses ({told}): {again}") from error
        if found.fingerprint != fingerprint:
            raise VectorMismatch(f"{path} was measured on another model: {again}")
        return found

    def save(self, folder: Path) -> Path:
        path = folder / FILE
        write_text(path, self.model_dump_json(indent=1) + "\n")
        return path

    def extended(
        self, kl: Mapping[str, Divergence] | None = None, coherence: Mapping[str, Coherence] | None = None
    ) -> Self:
        """With what was measured since; of the same condition the new holds."""
        return self.model_copy(
            update={"kl": {**self.kl, **(kl or {})}, "coherence": {**self.coherence, **(coherence or {})}}
        )

    def divergence(self, condition: Condition, vector_hash: str) -> Divergence | None:
        """What was measured of this very condition and vector."""
        found = self.kl.get(condition.slug)
        return found if found is not None and found.vector_hash == vector_hash else None
