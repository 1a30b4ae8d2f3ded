"""What a curve says, in plain words.

A verdict is made from the curve's numbers alone; it says no more than they do: where nothing was found, how
much could have been seen, and where nothing can be seen, why.
"""

import math

from results.controls import controls_needed
from results.curves import Curve, Point
from results.power import need
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE


def verdict(curve: Curve, settings: Settings = DEFAULT) -> str:
    """One or two sentences without the vector's name."""
    what = curve.outcome.replace("_", " ")
    judged = [point for point in curve.doses if point.judged and point.difference]
    base = curve.baseline
    if base is None or not base.n:
        return "could not be judged: there is no baseline to compare with"
    if not any(point.difference for point in curve.doses):
        return "could not be judged: no run has a baseline run of its own situation to compare with"
    if not base.judged or not judged:
        errored = sum(point.errored for point in curve.points)
        return (
            f"could not be judged: {errored} runs errored, over {_percent(settings.most_errored)} of a point"
        )
    place = extreme(curve, settings)
    if place:
        more = _more_runs(curve, base.rate, settings)
        return f"{place} ({_percent(base.rate)} at the baseline): cannot be judged; {more}"
    found = [point for point in judged if point.differs(settings)]
    said = []
    for rises in (True, False):
        some = [p for p in found if p.difference and (p.difference.mean > 0) == rises]
        if some:
            inside = [point for point in some if point.in_window is not False]
            best = max(inside or some, key=lambda p: abs(p.difference.mean) if p.difference else 0.0)
            verb = "raises" if rises else "lowers"
            said.append(f"{verb} {what}: {_span(best)} at {_dose(best)}{_controls(best, settings)}")
    if not said:
        said.append(_nothing(curve, judged, base, what, settings))
    if curve.shape_p_adjusted < settings.alpha:
        said.append(
            f"turns round: {curve.shape.kind} near {curve.shape.at:+g} (p {_p(curve.shape_p_adjusted)})"
        )
    if curve.trend_p_adjusted < settings.alpha and not found:
        way = "rises" if curve.trend.slope > 0 else "falls"
        said.append(f"yet over all doses it {way} with the strength (p {_p(curve.trend_p_adjusted)})")
    left = [point for point in curve.doses if not point.judged]
    if left:
        said.append(f"not judged at {', '.join(f'{point.strength:+g}' for point in left)}: too many errors")
    if base.rate <= settings.floor and not any(p.difference and p.difference.mean < 0 for p in found):
        said.append("the baseline lies on the floor, so a lowering could not be seen")
    if not curve.cleared:
        said.append(f"the methods were not cleared by simulation for {base.scenarios} scenarios")
    return "; ".join(said)


def extreme(curve: Curve, settings: Settings = DEFAULT) -> str:
    """`floor` or `ceiling` where every rate of the curve lies there, else nothing."""
    rates = [point.rate for point in curve.points if point.n]
    if rates and max(rates) <= settings.floor:
        return "floor"
    if rates and min(rates) >= settings.ceiling:
        return "ceiling"
    return ""


def _nothing(curve: Curve, judged: list[Point], base: Point, what: str, settings: Settings) -> str:
    largest = max(judged, key=lambda p: abs(p.difference.mean) if p.difference else 0.0)
    seen = max((p.detectable for p in judged if math.isfinite(p.detectable)), default=math.nan)
    text = f"no effect on {what} found: at most {_span(largest)} at {_dose(largest)}"
    if math.isfinite(seen):
        text += f"; {_points(seen)} would have been seen with {_percent(settings.power)} power"
    if not seen <= settings.worthwhile:
        text += f"; {_more_runs(curve, base.rate, settings)}"
    return text


def _more_runs(curve: Curve, rate: float, settings: Settings) -> str:
    """How many runs more, over one dose and the baseline, find the worthwhile difference."""
    base, effect = min(rate, 1 - settings.worthwhile), settings.worthwhile
    scenarios = max((point.scenarios for point in curve.points), default=1)
    like_these = curve.scope == LIKE_THESE
    # Half the effect is a usual difference between scenarios; of these scenarios it does not count.
    spread = effect / 2 if like_these else 0.0
    found = need(base, effect, scenarios, likeness=0.0, spread=spread, scope=curve.scope, settings=settings)
    if found.variants is None:
        return f"no number of runs in {scenarios} scenarios would detect {_points(effect)}: add scenarios"
    have = max((point.n for point in curve.doses), default=0)
    more = max(0, found.variants * scenarios - have)
    if not more:
        return f"{have} runs a dose are enough to detect {_points(effect)} over scenarios that agree"
    return f"{more} more runs a dose would detect {_points(effect)}"


def _span(point: Point) -> str:
    assert point.difference
    mean, low, high = (100 * value for value in point.difference[:3])
    return f"{mean:+.0f} points [{low:.0f}, {high:.0f}]"


def _dose(point: Point) -> str:
    outside = " (outside the coherent window)" if point.in_window is False else ""
    return f"{point.strength:+g}{outside}"


def _controls(point: Point, settings: Settings) -> str:
    if point.rank is None:
        return ", without controls to compare with"
    beaten = point.rank.controls + 1 - point.rank.rank
    needed = controls_needed(settings)
    if beaten < point.rank.controls:
        return f", beyond only {beaten} of {point.rank.controls} controls: random directions do as much"
    few = f" (rank p {point.rank.p:.2f}; {needed} controls could reach {settings.alpha:g})"
    return f", beyond all {point.rank.controls} controls{few if point.rank.controls < needed else ''}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _points(share: float) -> str:
    return f"{100 * share:.0f} points"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
