"""The condition of a run: which vector, how strong, at which layers, on which tokens.

One frozen value, checked when it is made, so that whoever holds a Condition holds a possible one (the
number of layers is a matter of the model and is checked there). Knows no model and imports no torch.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from steering.errors import SteeringError
from steering.names import NO_VECTOR, is_control, read_name

Positions = Literal["all", "assistant"]
Arm = Literal["baseline", "emotion", "control"]

MAX_STRENGTH = 5.0
POSITIONS: tuple[str, ...] = get_args(Positions)


@dataclass(frozen=True)
class Condition:
    """One dose. The shift at a steered layer is `strength * mean_norm[layer] * unit_vector`."""

    vector: str
    """Name of a vector file or of a control (`steering.names`); `none` for the baseline."""
    strength: float
    """In multiples of the layer's mean residual norm; 0 for the baseline and nothing else."""
    layers: tuple[int, ...]
    """Ascending, without repetition; empty for the baseline and nothing else."""
    positions: Positions = "all"
    """`all` real tokens, or those the model itself wrote (`assistant`) and the last one of the prompt."""

    def __post_init__(self) -> None:
        read_name(self.vector)
        _check_strength(self.strength)
        _check_layers(self.layers)
        if self.positions not in POSITIONS:
            raise SteeringError(f"positions {self.positions!r} is unknown: choose {' or '.join(POSITIONS)}")
        object.__setattr__(self, "strength", float(self.strength))
        object.__setattr__(self, "layers", tuple(sorted(self.layers)))
        if self.vector == NO_VECTOR and (self.strength != 0 or self.layers or self.positions != "all"):
            raise SteeringError(
                "vector 'none' is the baseline and has strength 0, no layers and positions all, "
                f"not {self.to_dict()}: use Condition.baseline()"
            )
        if self.vector != NO_VECTOR and self.strength == 0:
            raise SteeringError(
                f"strength 0 of {self.vector!r} is the unsteered model: use Condition.baseline()"
            )
        if self.vector != NO_VECTOR and not self.layers:
            raise SteeringError(
                f"layers () leaves nothing to steer with {self.vector!r}: name at least one layer"
            )

    @classmethod
    def baseline(cls) -> Self:
        """The unsteered model."""
        return cls(NO_VECTOR, 0.0, (), "all")

    @property
    def is_baseline(self) -> bool:
        return self.vector == NO_VECTOR

    @property
    def arm(self) -> Arm:
        if self.is_baseline:
            return "baseline"
        return "control" if is_control(self.vector) else "emotion"

    @property
    def slug(self) -> str:
        """`none`, or like `desperate+0.050_L18_all`. Two conditions with one slug are equal."""
        if self.is_baseline:
            return NO_VECTOR
        layers = "-".join(str(layer) for layer in self.layers)
        return f"{self.vector}{_signed(self.strength)}_L{layers}_{self.positions}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "vector": self.vector,
            "strength": self.strength,
            "layers": list(self.layers),
            "positions": self.positions,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of to_dict; a missing or unknown key is refused."""
        wanted = {"vector", "strength", "layers", "positions"}
        if not isinstance(values, Mapping) or set(values) != wanted:
            raise SteeringError(f"a condition has the keys {sorted(wanted)}, not {values!r}")
        layers = values["layers"]
        if not isinstance(layers, list | tuple):
            raise SteeringError(f"layers {layers!r} is not a list of layer numbers")
        return cls(values["vector"], values["strength"], tuple(layers), values["positions"])


def grid(
    vectors: Iterable[str], strengths: Iterable[float], layers: Iterable[int], positions: Positions
) -> tuple[Condition, ...]:
    """The baseline, once and first; then every non-zero strength of every vector, in the order given.

    A vector or strength that is given twice counts once. The vector `none` adds nothing to the baseline.
    """
    names, doses, where = list(dict.fromkeys(vectors)), list(dict.fromkeys(strengths)), tuple(layers)
    if not names:
        raise SteeringError("no vector was named: name at least one, or 'none' for the baseline alone")
    for dose in doses:
        _check_strength(dose)
    steered = [name for name in names if name != NO_VECTOR]
    if steered and not doses:
        raise SteeringError(f"no strength was given for {', '.join(steered)}")
    return (
        Condition.baseline(),
        *(Condition(name, dose, where, positions) for name in steered for dose in doses if dose != 0),
    )


def _check_strength(strength: object) -> None:
    if isinstance(strength, bool) or not isinstance(strength, int | float):
        raise SteeringError(f"strength {strength!r} is not a number")
    if not math.isfinite(strength) or abs(strength) > MAX_STRENGTH:
        raise SteeringError(f"strength {strength!r} is outside -{MAX_STRENGTH:g} to {MAX_STRENGTH:g}")


def _check_layers(layers: object) -> None:
    if not isinstance(layers, tuple):
        raise SteeringError(f"layers {layers!r} is not a tuple of layer numbers")
    for layer in layers:
        if isinstance(layer, bool) or not isinstance(layer, int) or layer < 0:
            raise SteeringError(f"layer {layer!r} is not a layer number: layers count from 0")
    if len(set(layers)) != len(layers):
        raise SteeringError(f"layers {layers!r} names a layer twice")


def _signed(strength: float) -> str:
    """Three decimals, and more only where three would hide a difference."""
    short = f"{strength:+.3f}"
    return short if float(short) == strength else f"{strength:+}"
