"""Where an emotion stands among random directions of equal norm.

Random directions also change behaviour, so an effect counts for an emotion only where it is larger than
theirs. The sign of a random direction means nothing, so sizes are compared. K controls give no p-value below
1 / (K + 1).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, isfinite
from typing import NamedTuple

from results.settings import DEFAULT, Settings

NULLS = ("random", "permuted", "covariance", "shuffled")
"""Controls that say nothing by design, before the colon of their names. The others (valence, a concept, the
opposite of an emotion) are comparisons of their own, and no null."""


def is_null(vector: str) -> bool:
    """Whether a control's direction was drawn by chance."""
    return vector.partition(":")[0] in NULLS and ":" in vector


_KINDS = {
    "random": ("random direction", "random directions"),
    "permuted": ("permuted vector", "permuted vectors"),
    "covariance": ("random direction like the stories'", "random directions like the stories'"),
    "shuffled": ("vector of shuffled labels", "vectors of shuffled labels"),
    "concept": ("concept without emotion", "concepts without emotion"),
}
"""One and several, before the colon of their names."""


def described(vectors: Iterable[str]) -> str:
    """What the controls are: `5 random directions, 1 permuted vector, valence`."""
    names = list(dict.fromkeys(vectors))
    kinds = [name.partition(":")[0] if ":" in name else name for name in names]
    told = []
    for kind, count in Counter(kinds).items():
        one, several = _KINDS.get(kind, (kind, kind))
        told.append(f"{count} {one if count == 1 else several}" if kind in _KINDS else kind.replace("_", " "))
    return ", ".join(told)


class Rank(NamedTuple):
    """An effect among its controls."""

    p: float
    """Share of controls and the emotion itself whose effect is at least as large."""
    rank: int
    """1 is larger than every control."""
    controls: int
    largest: float
    """The largest effect of a control, as a size."""


def rank(effect: float, controls: Sequence[float]) -> Rank | None:
    """The rank of `effect` by size among the controls' effects; None without controls or effect."""
    sizes = [abs(control) for control in controls if isfinite(control)]
    if not sizes or not isfinite(effect):
        return None
    as_large = sum(size >= abs(effect) for size in sizes)
    return Rank((1 + as_large) / (1 + len(sizes)), 1 + as_large, len(sizes), max(sizes))


def controls_needed(settings: Settings = DEFAULT) -> int:
    """Controls without which no rank can reach alpha."""
    return ceil(1 / settings.alpha) - 1
