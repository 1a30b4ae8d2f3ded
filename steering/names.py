"""The names a direction can have: a vector file, or one of the controls that are made from them.

    calm                   the file calm.safetensors
    random:7               an isotropic random direction
    permuted:calm:7        calm with its coordinates in another order
    covariance:7           random, drawn as the stories scatter
    shuffled:7             extracted from the same stories with their labels exchanged
    valence                the axis from unpleasant to pleasant
    calm-minus-valence     calm without its part along that axis
    neutral                stories told without emotion against all emotional ones
    concept:sea            a concept that is no emotion
    -calm                  calm, turned round

All are of unit norm, so one strength is one size for every name. Only the grammar is here: which names a
folder of vectors can answer, it says itself. Imports no torch.
"""

import re
from typing import Literal, NamedTuple, get_args

from steering.errors import SteeringError

Kind = Literal[
    "file", "random", "permuted", "covariance", "shuffled", "valence", "minus-valence", "neutral", "concept",
    "opposite",
]  # fmt: skip

NO_VECTOR = "none"
MINUS_VALENCE = "-minus-valence"
RESERVED = (NO_VECTOR, "valence", "neutral", "controls", "doses")
"""Names that no emotion may have: they mean something else, or are taken by a file of another kind."""
GRAMMAR = (
    "a vector file (letters, digits, '_' and '-'), random:SEED, permuted:EMOTION:SEED, covariance:SEED, "
    "shuffled:SEED, valence, EMOTION-minus-valence, neutral, concept:NAME or -EMOTION, with SEED a whole "
    "number"
)

_FILE, _SEED = r"[A-Za-z][A-Za-z0-9_-]*", r"(?:0|[1-9][0-9]{0,17})"
_PATTERNS: dict[Kind, str] = {
    "valence": "valence",
    "neutral": "neutral",
    "random": rf"random:(?P<seed>{_SEED})",
    "covariance": rf"covariance:(?P<seed>{_SEED})",
    "shuffled": rf"shuffled:(?P<seed>{_SEED})",
    "permuted": rf"permuted:(?P<of>{_FILE}):(?P<seed>{_SEED})",
    "concept": rf"concept:(?P<of>{_FILE})",
    "opposite": rf"-(?P<of>{_FILE})",
    "minus-valence": rf"(?P<of>{_FILE}){MINUS_VALENCE}",
    "file": rf"(?P<of>{_FILE})",
}
assert set(_PATTERNS) == set(get_args(Kind))


class Name(NamedTuple):
    """A name, read."""

    kind: Kind
    of: str = ""
    """The emotion or the concept; empty where the kind has none."""
    seed: int | None = None


def read_name(name: object) -> Name:
    """What a name means. Raises SteeringError for one that means nothing."""
    if isinstance(name, str):
        for kind, pattern in _PATTERNS.items():
            if found := re.fullmatch(pattern, name):
                parts = found.groupdict()
                of, seed = parts.get("of") or "", parts.get("seed")
                if kind in ("permuted", "opposite", "minus-valence") and (
                    of in RESERVED or of.endswith(MINUS_VALENCE)
                ):
                    break
                return Name(kind, of, None if seed is None else int(seed))
    raise SteeringError(f"vector name {name!r} is not possible: choose {GRAMMAR}")


def is_control(name: str) -> bool:
    """Whether the direction is made for comparison, and not extracted for an emotion."""
    return read_name(name).kind != "file"


def check_emotion(name: object) -> str:
    """The name, if an emotion may have it: it must name a file, and nothing else."""
    if read_name(name).kind != "file" or name in RESERVED:
        raise SteeringError(f"emotion {name!r} is a name with another meaning: choose another")
    return str(name)
