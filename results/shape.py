"""Does the rate turn round within the doses? A test of its own, beside the trend.

Two lines, after Simonsohn 2018 (doi:10.1177/2515245918805755): the doses are cut at each inner dose, a line
is laid through either side, and the curve is called non-monotonic where the two slopes point apart and both
differ from 0. The slope of a line through a monotonic curve never points the other way, so where there is no
turn one of the two is a false finding; the larger of the two p-values is taken, times the number of cuts
tried.
"""

import math
from typing import NamedTuple

import numpy as np

from results.settings import DEFAULT, Settings
from results.trend import contrast, line


class Shape(NamedTuple):
    """The cut that speaks most for a turn."""

    p: float
    """For any turn, corrected for the cuts tried."""
    at: float
    """Strength of the cut."""
    kind: str
    """`peak` or `trough`."""
    cuts: int


NOTHING = Shape(math.nan, math.nan, "", 0)


def turn(rates: np.ndarray, strata: np.ndarray, strengths: np.ndarray, settings: Settings = DEFAULT) -> Shape:
    """The test on `rates` [unit, dose] at increasing `strengths`; `NOTHING` with fewer than 3 doses."""
    inner = range(1, len(strengths) - 1)
    best = NOTHING
    for cut in inner:
        left, right = np.zeros(len(strengths)), np.zeros(len(strengths))
        left[: cut + 1], right[cut:] = line(strengths[: cut + 1]), line(strengths[cut:])
        before, after = (contrast(rates, strata, weights, settings) for weights in (left, right))
        if not (math.isfinite(before.p) and math.isfinite(after.p)):
            continue
        apart = before.mean * after.mean < 0
        p = min(1.0, len(inner) * max(before.p, after.p)) if apart else 1.0
        if math.isnan(best.p) or p < best.p:
            best = Shape(p, float(strengths[cut]), "peak" if before.mean > 0 else "trough", len(inner))
    return best
