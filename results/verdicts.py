"""What a curve says, in plain words.

A verdict is made from the curve's numbers alone; it says no more than they do: where nothing was found, how
much could have been seen, and where nothing can be seen, why. What the intervals speak of, and whether the
simulation clears the methods for it, is said once for all verdicts of a report.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from results.controls import Rank
from results.curves import Curve, Point
from results.power import need
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, THESE
from results.wording import dose, p_value, percent, points, signed, whole


class Findings(NamedTuple):
    """What of a curve survives the corrections."""

    raised: tuple[float, ...]
    """Strengths at which the rate is above the baseline's."""
    lowered: tuple[float, ...]
    trend: int
    """1 rises, -1 falls with the strength, 0 neither."""
    turn: str
    """`peak`, `trough` or nothing."""

    def __bool__(self) -> bool:
        return bool(self.raised or self.lowered or self.trend or self.turn)


def findings(curve: Curve, settings: Settings = DEFAULT) -> Findings:
    """What the verdict rests on; nothing of a curve that cannot be judged."""
    if not judgeable(curve) or extreme(curve, settings):
        return Findings((), (), 0, "")
    found = [p for p in _judged(curve) if p.differs(settings)]
    rising = curve.trend_p_adjusted < settings.alpha
    return Findings(
        tuple(p.strength for p in found if p.difference and p.difference.mean > 0),
        tuple(p.strength for p in found if p.difference and p.difference.mean < 0),
        int(math.copysign(1, curve.trend.slope)) if rising else 0,
        curve.shape.kind if curve.shape_p_adjusted < settings.alpha else "",
    )


def verdict(curve: Curve, settings: Settings = DEFAULT) -> str:
    """One or two sentences without the vector's name."""
    what = curve.outcome.replace("_", " ")
    base = curve.baseline
    if base is None or not base.n:
        return "could not be judged: there is no baseline to compare with"
    if not any(point.difference for point in curve.doses):
        return "could not be judged: no run has a baseline run of its own situation to compare with"
    if not judgeable(curve) and all(point.in_window is False for point in curve.doses):
        return "could not be judged: every dose lies outside the coherent window"
    if not judgeable(curve):
        errored = sum(point.errored for point in curve.points)
        return (
            f"could not be judged: {errored} runs errored, over {percent(settings.most_errored)} of a point"
        )
    if place := extreme(curve, settings):
        more = _more_runs(curve, base.rate, settings)
        return f"{place} ({percent(base.rate)} at the baseline): cannot be judged; {more}"
    found = findings(curve, settings)
    said = []
    if found.trend:
        way = "rises" if found.trend > 0 else "falls"
        said.append(
            f"{what} {way} with the strength over all doses: "
            f"{signed(10 * curve.trend.slope, 1)} points per 0.1, "
            f"corrected p {p_value(curve.trend_p_adjusted)}{_ranked(curve.rank)}"
        )
    for verb, strengths in (("raises", found.raised), ("lowers", found.lowered)):
        some = [p for p in curve.doses if p.strength in strengths]
        if some:
            best = max(some, key=_size)
            said.append(f"{verb} {what}: {_span(best)} at {_dose(best)}{_controls(best, curve)}")
    if found.turn:
        said.append(
            f"turns round: {found.turn} near {curve.shape.at:+g} (p {p_value(curve.shape_p_adjusted)})"
        )
    if not found:
        said.append(f"no effect on {what} shown: {_largest(curve)}; {_seen(curve, base, settings)}")
    elif not (found.raised or found.lowered):
        said.append(f"no single dose differs after correction: {_largest(curve)}")
    left = [point for point in curve.doses if not point.judged]
    if left:
        named = ", ".join(dose(point.strength, point.intensity) for point in left)
        said.append(f"not judged at {named}: too many errors")
    if beyond := [
        p for p in curve.doses if p.in_window is False and p not in _judged(curve) and p not in left
    ]:
        named = ", ".join(dose(point.strength, point.intensity) for point in beyond)
        said.append(f"not judged at {named}: outside the coherent window")
    if base.rate <= settings.floor and not found.lowered:
        said.append("the baseline lies on the floor, so a lowering could not be seen")
    return "; ".join(said)


def judgeable(curve: Curve) -> bool:
    """Whether there is a baseline and a dose that can be compared with it."""
    base = curve.baseline
    return base is not None and base.n > 0 and base.judged and bool(_judged(curve))


def extreme(curve: Curve, settings: Settings = DEFAULT) -> str:
    """`floor` or `ceiling` where every rate of the curve lies there, else nothing."""
    rates = [point.rate for point in curve.points if point.n and point.in_window is not False]
    if rates and max(rates) <= settings.floor:
        return "floor"
    if rates and min(rates) >= settings.ceiling:
        return "ceiling"
    return ""


def largest(curve: Curve, among: Sequence[float] = ()) -> Point:
    """The judged dose whose difference is the largest in size; of the strengths given, if any are."""
    return max((p for p in _judged(curve) if not among or p.strength in among), key=_size)


def _judged(curve: Curve) -> list[Point]:
    """Doses that can be compared; none beyond the coherent window, where text breaks down."""
    return [p for p in curve.doses if p.judged and p.difference and p.in_window is not False]


def _size(point: Point) -> float:
    return abs(point.difference.mean) if point.difference else 0.0


def _largest(curve: Curve) -> str:
    """The largest difference, and why it is none where its own interval says otherwise."""
    point = largest(curve)
    change = point.difference
    assert change
    text = f"the largest difference is {_span(point)} at {_dose(point)}"
    if change.low * change.high <= 0:
        return text
    return (
        f"{text}, which the correction for {curve.together} differences does not let stand "
        f"(p {p_value(change.p)}, corrected {p_value(point.p_adjusted)}; the interval is uncorrected)"
    )


def _seen(curve: Curve, base: Point, settings: Settings) -> str:
    """How large an effect would have been found, and what it takes to find the worthwhile one."""
    seen = max((p.detectable for p in _judged(curve) if math.isfinite(p.detectable)), default=math.nan)
    more = [] if seen <= settings.worthwhile else [_more_runs(curve, base.rate, settings, seen)]
    if math.isfinite(seen):
        more.insert(0, f"{points(seen)} would have been found with {percent(settings.power)} power")
    return "; ".join(more)


def _more_runs(curve: Curve, rate: float, settings: Settings, seen: float = math.nan) -> str:
    """How many runs more, over one dose and the baseline, find the worthwhile difference.

    Of these scenarios by what was `seen` with the runs there are, whose pairs may agree; else as `plan`
    counts, where scenarios differ and pairs do not agree.
    """
    have = max((point.n for point in curve.doses), default=0)
    if curve.scope == THESE and math.isfinite(seen):
        more = math.ceil(have * ((seen / settings.worthwhile) ** 2 - 1))
        return f"{more} more runs a dose would detect {points(settings.worthwhile)}"
    base, effect = min(rate, 1 - settings.worthwhile), settings.worthwhile
    scenarios = max((point.scenarios for point in curve.points), default=1)
    like_these = curve.scope == LIKE_THESE
    # Half the effect is a usual difference between scenarios; of these scenarios it does not count.
    spread = effect / 2 if like_these else 0.0
    found = need(
        base, effect, scenarios, likeness=0.0, spread=spread, scope=curve.scope, settings=settings,
        comparisons=max(1, curve.together),
    )  # fmt: skip
    if found.variants is None:
        return f"no number of runs in {scenarios} scenarios would detect {points(effect)}: add scenarios"
    more = max(0, found.variants * scenarios - have)
    if not more:
        return f"{have} runs a dose are enough to detect {points(effect)} over scenarios that agree"
    return f"{more} more runs a dose would detect {points(effect)}"


def _span(point: Point) -> str:
    assert point.difference
    mean, low, high = (100 * value for value in point.difference[:3])
    return f"{signed(mean)} points [{whole(low)}, {whole(high)}]"


def _dose(point: Point) -> str:
    outside = " (outside the coherent window)" if point.in_window is False else ""
    return dose(point.strength, point.intensity) + outside


def _controls(point: Point, curve: Curve) -> str:
    if curve.arm != "emotion":
        return ""
    if point.rank is None:
        there = any(other.rank for other in curve.doses)
        return ", no controls at this strength" if there else ", without controls to compare with"
    return _ranked(point.rank)


def _ranked(rank: Rank | None) -> str:
    if rank is None:
        return ""
    beaten = rank.controls + 1 - rank.rank
    if beaten < rank.controls:
        return f", beyond only {beaten} of {rank.controls} controls: random directions do as much"
    return f", beyond all {rank.controls} controls (rank p {rank.p:.2f})"
