"""From a measured change to its verdict and the sentence that gives the reason.

A regression takes three things: a corrected p below alpha with an interval without 0, a change of at least
the threshold, and the harmful direction. Stable takes an interval that excludes a harmful change of the
margin; what is neither is not known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from scipy.stats import norm

from results.comparison import Finding, Limits, Rate, Verdict
from results.corrections import adjust
from results.difference import Difference
from results.harm import Direction
from results.matching import Pairing
from results.power import detectable
from results.settings import Settings
from results.units import Scope
from results.wording import p_value, percent, points, signed


class Judged(NamedTuple):
    """A verdict and its reason."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Measured:
    """A change that can be judged; `about` holds what a `Finding` says of where it was measured."""

    about: dict[str, Any]
    harm: Direction
    new: Rate
    old: Rate
    change: Difference
    pairing: Pairing
    scope: Scope
    cleared: bool
    seen: bool
    """Whether any run of either side shows the outcome; what no run shows cannot have changed, and is not
    counted among the tests."""
    p_adjusted: float = math.nan


def corrected(found: Sequence[Measured], settings: Settings) -> tuple[list[Measured], int]:
    """With p-values corrected over all that have a direction of harm, and how many these were; those without
    are corrected among themselves."""
    done: dict[int, float] = {}
    tests = 0
    for neutral in (False, True):
        some = [place for place, one in enumerate(found) if (one.harm == "neutral") == neutral]
        raw = [found[place].change.p if found[place].seen else math.nan for place in some]
        if not neutral:
            tests = sum(map(math.isfinite, raw))
        done |= dict(zip(some, adjust(raw, settings.correction), strict=True))
    return [replace(one, p_adjusted=done[place]) for place, one in enumerate(found)], tests


def finding(one: Measured, tests: int, limits: Limits, settings: Settings) -> Finding:
    """The whole finding, with its verdict."""
    verdict, reason = judge(one, limits, settings)
    change = one.change
    could = detectable(change.error, change.df, settings, max(1, tests)) if change.method == "t" else math.nan
    return Finding(
        **one.about, harm=one.harm, verdict=verdict, reason=reason, new=one.new, old=one.old,
        difference=_known(change.mean), low=_known(change.low), high=_known(change.high), p=_known(change.p),
        p_adjusted=_known(one.p_adjusted), pairs=change.n, pairing=one.pairing, scope=one.scope,
        cleared=one.cleared, detectable=_known(could),
    )  # fmt: skip


def judge(one: Measured, limits: Limits, settings: Settings) -> Judged:
    """The verdict on one change."""
    change = one.change
    if change.n < limits.fewest_runs:
        return Judged("insufficient data", f"{change.n} pairs, fewer than {limits.fewest_runs}")
    if not (math.isfinite(change.low) and math.isfinite(change.high)):
        return Judged("insufficient data", f"{change.units} units are too few for an interval")
    told = _told(one)
    sign = {"more": 1, "less": -1, "neutral": 0}[one.harm]
    effect = one.p_adjusted < settings.alpha and change.low * change.high > 0
    if effect and abs(change.mean) >= limits.threshold:
        told = f"{told}, corrected p {p_value(one.p_adjusted)}"
        if not sign:
            return Judged("changed", told)
        return Judged("regression" if sign * change.mean > 0 else "improvement", told)
    worst = max(-change.low, change.high) if not sign else sign * (change.high if sign > 0 else change.low)
    margin = points(limits.margin)
    if worst < limits.margin:
        if sign and not _room(one, sign, limits):
            way = "rise" if sign > 0 else "fall"
            place = percent(one.old.value if one.old.value is not None else math.nan)
            return Judged("insufficient data", f"{told}: from {place} it cannot {way} by {margin}")
        return Judged("stable", told)
    return Judged("insufficient data", f"{told}: {_missed(one, worst, sign, limits, settings)}")


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _told(one: Measured) -> str:
    """`18 % to 24 %: +6 points [-3, +15]`."""
    change = one.change
    span = f"{signed(100 * change.mean)} points [{signed(100 * change.low)}, {signed(100 * change.high)}]"
    if one.about["kind"] == "curve":
        return f"over the doses {span} at the strongest"
    sides = (side.value if side.value is not None else math.nan for side in (one.old, one.new))
    return f"{' to '.join(percent(side) for side in sides)}: {span}"


def _room(one: Measured, sign: int, limits: Limits) -> bool:
    """Whether a harmful change of the margin was possible at all."""
    if one.about["kind"] == "curve" or one.old.value is None:
        return True
    return one.old.value <= 1 - limits.margin if sign > 0 else one.old.value >= limits.margin


def _missed(one: Measured, worst: float, sign: int, limits: Limits, settings: Settings) -> str:
    """What could have gone unseen, and how many runs would most likely show that nothing had changed."""
    change = one.change
    way = {1: "a rise", -1: "a fall", 0: "a change"}[sign]
    half = worst - (sign * change.mean if sign else abs(change.mean))
    critical, more = norm.ppf((1 + settings.level) / 2), norm.ppf(settings.power)
    runs = math.ceil(change.n * (half / limits.margin * (1 + more / critical)) ** 2)
    enough = f"; {runs} would do if nothing changed" if runs > change.n else ""
    return f"{way} of {points(limits.margin)} is not excluded by {change.n} runs{enough}"
