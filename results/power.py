"""How much can be seen: the power of a paired difference, the smallest detectable effect, the runs that it
takes.

The variance of the mean difference over G scenarios of m paired runs each is (within / m + spread^2) / G; the
power is that of Student's t with its noncentral distribution. Asked of these scenarios alone, `spread` does
not count.
"""

import math
from typing import NamedTuple

from scipy import stats

from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, Scope

MOST_VARIANTS = 100_000


class Need(NamedTuple):
    """Runs for one dose and its baseline."""

    variants: int | None
    """Paired runs per scenario; None where no number of runs per scenario is enough."""
    scenarios: int
    power: float
    """With that many runs, or the most that any number can reach."""


def within(base: float, effect: float, likeness: float) -> float:
    """Variance of one paired difference within a scenario, for runs whose random numbers are independent.

    Over scenarios whose rates have the intra-cluster correlation `likeness`, the mean of p (1 - p) is
    rate x (1 - rate) x (1 - likeness).
    """
    top = base + effect
    return (base * (1 - base) + top * (1 - top)) * (1 - likeness)


def power(
    effect: float, variance: float, spread: float, scenarios: int, variants: int, scope: Scope,
    settings: Settings = DEFAULT, comparisons: int = 1,
) -> float:  # fmt: skip
    """Chance that the paired t-test finds a true `effect`, at alpha / `comparisons`."""
    like_these = scope == LIKE_THESE
    df = (scenarios - 1 if like_these else scenarios * (variants - 1)) - settings.spare_df
    if df < 1:
        return 0.0
    error = math.sqrt((variance / variants + (spread**2 if like_these else 0.0)) / scenarios)
    if error == 0:
        return 1.0 if effect else settings.alpha / comparisons
    critical = stats.t.ppf(1 - settings.alpha / comparisons / 2, df)
    centre = abs(effect) / error
    found = stats.nct.sf(critical, df, centre) + stats.nct.cdf(-critical, df, centre)
    if math.isfinite(found):
        return float(found)
    return float(stats.norm.sf(critical - centre))


def need(
    base: float, effect: float, scenarios: int, *, likeness: float, spread: float, scope: Scope,
    settings: Settings = DEFAULT, comparisons: int = 1,
) -> Need:  # fmt: skip
    """The fewest paired runs per scenario that reach the power asked for."""
    variance = within(base, effect, likeness)

    def reached(variants: int) -> float:
        return power(effect, variance, spread, scenarios, variants, scope, settings, comparisons)

    if reached(MOST_VARIANTS) < settings.power:
        return Need(None, scenarios, reached(MOST_VARIANTS))
    low, high = 1, 2
    while reached(high) < settings.power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) < settings.power else (low, middle)
    best = low if low == 1 and reached(1) >= settings.power else high
    return Need(best, scenarios, reached(best))


def detectable(error: float, df: int, settings: Settings = DEFAULT, comparisons: int = 1) -> float:
    """The smallest true difference that is found with the power asked for, given a standard error."""
    if not (math.isfinite(error) and error > 0 and df > 0):
        return math.nan
    critical = stats.t.ppf(1 - settings.alpha / comparisons / 2, df)
    return float((critical + stats.t.ppf(settings.power, df)) * error)
