"""Hypotheses that were declared before the runs, and what became of each.

A YAML file lists them:

    - {vector: desperate, family: blackmail, outcome: blackmail, sign: raises}
    - {vector: calm, family: blackmail, outcome: blackmail, sign: lowers, strength: 0.1}

`sign` says what more of the vector does to the outcome. Without `strength` the trend over all doses is the
test, with it the difference from the baseline at that dose. They speak of steering, not of the emotion in
words; they are corrected among themselves only (Holm), and reported apart from what was merely seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from results.corrections import adjust
from results.curves import Curve, Point
from results.settings import DEFAULT, Settings
from results.table import TableError
from results.verdicts import extreme

SIGNS = ("raises", "lowers")
KEYS = ("vector", "family", "outcome", "sign")
Fate = Literal[
    "confirmed",
    "contradicted",
    "not confirmed",
    "could not be judged",
    "not judged: outside the coherent window",
    "not measured",
]


@dataclass(frozen=True)
class Hypothesis:
    """One line of the file."""

    vector: str
    family: str
    outcome: str
    sign: str
    strength: float | None = None

    def __str__(self) -> str:
        where = "" if self.strength is None else f" at {self.strength:+g}"
        return f"{self.vector} {self.sign} {self.outcome} ({self.family}){where}"

    def is_about(self, curve: Curve) -> bool:
        """Whether the curve is one that the hypothesis speaks of."""
        named = (curve.vector, curve.setting["family"], curve.outcome)
        steered = curve.runs == "all" and curve.arm != "prompt"
        return steered and named == (self.vector, self.family, self.outcome)


class Result(NamedTuple):
    """A hypothesis in one setting."""

    hypothesis: Hypothesis
    curve: Curve | None
    p_adjusted: float
    fate: Fate


def read_hypotheses(path: Path) -> list[Hypothesis]:
    """The hypotheses of a file; TableError names what is wrong in which of them."""
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TableError(f"{path}: {error}") from error
    if not isinstance(listed, list) or not listed:
        raise TableError(f"{path}: a list of hypotheses is wanted, each with {', '.join(KEYS)}")
    found = [_hypothesis(entry, f"{path}, hypothesis {place}") for place, entry in enumerate(listed, 1)]
    if len(set(found)) < len(found):
        raise TableError(f"{path}: a hypothesis stands there twice")
    return found


def _hypothesis(entry: Any, where: str) -> Hypothesis:
    if not isinstance(entry, dict) or not set(KEYS) <= set(entry) <= {*KEYS, "strength"}:
        raise TableError(f"{where}: it has the keys {', '.join(KEYS)} and maybe strength, not {entry!r}")
    wrong = [key for key in KEYS if not isinstance(entry[key], str)]
    if wrong:
        raise TableError(f"{where}: {wrong[0]} is a word, not {entry[wrong[0]]!r}")
    if entry["sign"] not in SIGNS:
        raise TableError(f"{where}: unknown sign {entry['sign']!r}; choose from {', '.join(SIGNS)}")
    strength = entry.get("strength")
    if strength is not None and (
        isinstance(strength, bool) or not isinstance(strength, int | float) or not strength
    ):
        raise TableError(f"{where}: a strength is a number other than 0, not {strength!r}")
    return Hypothesis(
        entry["vector"], entry["family"], entry["outcome"], entry["sign"],
        None if strength is None else float(strength),
    )  # fmt: skip


def judge(
    hypotheses: Sequence[Hypothesis], curves: Sequence[Curve], settings: Settings = DEFAULT
) -> list[Result]:
    """Every hypothesis in every setting that was measured, corrected over all of them."""
    cases: list[tuple[Hypothesis, Curve | None]] = []
    for hypothesis in hypotheses:
        about = [curve for curve in curves if hypothesis.is_about(curve)]
        cases += [(hypothesis, curve) for curve in about] or [(hypothesis, None)]
    found = [_effect(hypothesis, curve) for hypothesis, curve in cases]
    corrected = adjust([p for _, p in found], "holm")
    return [
        Result(hypothesis, curve, p, _fate(hypothesis, curve, effect, p, settings))
        for (hypothesis, curve), (effect, _), p in zip(cases, found, corrected, strict=True)
    ]


def _effect(hypothesis: Hypothesis, curve: Curve | None) -> tuple[float, float]:
    """The effect in the direction of more of the vector, and its p; NaN where nothing can be told."""
    if curve is None or extreme(curve) or not all(point.judged for point in curve.points):
        return math.nan, math.nan
    if hypothesis.strength is None:
        return curve.trend.slope, curve.trend.p
    point = _point(hypothesis, curve)
    if point is None or point.difference is None or point.in_window is False:
        return math.nan, math.nan
    return point.difference.mean * math.copysign(1, point.strength), point.difference.p


def _point(hypothesis: Hypothesis, curve: Curve) -> Point | None:
    """The dose that the hypothesis names."""
    if hypothesis.strength is None:
        return None
    close = (point for point in curve.doses if math.isclose(point.strength, hypothesis.strength or 0.0))
    return next(close, None)


def _fate(hypothesis: Hypothesis, curve: Curve | None, effect: float, p: float, settings: Settings) -> Fate:
    if curve is None:
        return "not measured"
    if (point := _point(hypothesis, curve)) is not None and point.in_window is False:
        return "not judged: outside the coherent window"
    if not math.isfinite(p):
        return "could not be judged"
    if p >= settings.alpha:
        return "not confirmed"
    return "confirmed" if (effect > 0) == (hypothesis.sign == "raises") else "contradicted"


def undeclared(hypotheses: Sequence[Hypothesis], curves: Sequence[Curve]) -> list[Curve]:
    """The curves of emotions that no hypothesis speaks of: what was merely seen."""
    return [c for c in curves if c.arm == "emotion" and not any(h.is_about(c) for h in hypotheses)]
