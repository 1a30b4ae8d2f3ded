"""Intervals of rates, and of the difference of two rates where the runs that differ are few.

`rate_interval` is that of Inspect's `ci_wilson(cluster=...)`, so that tables agree with what Inspect prints.
It is computed here from arrays, a hundred times faster, so that thousands of simulated experiments can be
checked; a test holds that both give the same numbers. The simulation shows where it fails: a rare outcome
that few scenarios hold. `guarded_interval` is the same but there, where it is wider.
"""

import math
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from results.settings import DEFAULT, Settings


def rate_interval(values: Any, clusters: Any | None, settings: Settings = DEFAULT) -> tuple[float, float]:
    """Wilson's interval of 0/1 `values`; NaN of nothing.

    Where `clusters` holds two values or more, with the effective sample size of Korn and Graubard (the
    variance over clusters, never more than the runs) and Student's t with clusters - 1.
    """
    values = np.asarray(values, dtype=float)
    n = float(len(values))
    if not n:
        return math.nan, math.nan
    rate = float(values.mean())
    tail = (1 + settings.level) / 2
    critical = float(ndtri(tail))
    codes = None if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    if codes is not None and (many := int(codes.max()) + 1) > 1:
        totals = np.bincount(codes, values - rate, many)
        variance = float((totals**2).sum()) * many / (many - 1) / n**2
        spread = rate * (1 - rate)
        if spread > 0 and variance > 0:
            n = min(spread / variance, n)
        critical = float(stdtrit(many - 1, tail))
    return _wilson(rate, n, critical)


def guarded_interval(values: Any, clusters: Any, settings: Settings = DEFAULT) -> tuple[float, float]:
    """`rate_interval`, but never narrower than with the assumed likeness where few clusters hold the rarer
    answer."""
    low, high = rate_interval(values, clusters, settings)
    values = np.asarray(values, dtype=float)
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1] if len(values) else np.zeros(0, int)
    many = int(codes.max()) + 1 if len(values) else 0
    if many < 2:
        return low, high
    rate = float(values.mean())
    held = np.bincount(codes, values if rate <= 0.5 else 1 - values, many)
    carriers = held.sum() ** 2 / (held**2).sum() if held.any() else 0.0
    if carriers >= settings.fewest_carriers:
        return low, high
    sizes = np.bincount(codes)
    alike = 1 + ((sizes**2).sum() / len(values) - 1) * settings.assumed_likeness
    critical = float(stdtrit(many - 1, (1 + settings.level) / 2))
    wide = _wilson(rate, len(values) / alike, critical)
    return min(low, wide[0]), max(high, wide[1])


def _wilson(rate: float, n: float, critical: float) -> tuple[float, float]:
    centre = rate + critical**2 / (2 * n)
    half = critical * math.sqrt(rate * (1 - rate) / n + critical**2 / (4 * n * n))
    scale = 1 + critical**2 / n
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def difference_from_rates(
    rate: float, interval: tuple[float, float], base: float, base_interval: tuple[float, float]
) -> tuple[float, float]:
    """Newcombe's interval of `rate - base` from the two rates' own intervals, taken as independent.

    Wider than need be where pairs agree, but never of width 0, as a t interval is when no pair differs.
    """
    low = rate - base - math.hypot(rate - interval[0], base_interval[1] - base)
    high = rate - base + math.hypot(interval[1] - rate, base - base_interval[0])
    return max(-1.0, low), min(1.0, high)
