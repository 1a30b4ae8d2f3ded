"""The unit of the statistics, and the mean over units with its error.

Two questions can be asked of the same runs. Of **scenarios like these**: the unit is the scenario, since runs
of one scenario resemble each other, and there must be enough of them. Of **these scenarios**: the scenarios
are fixed, each is a stratum, and the unit is one variant of one scenario, whose epochs resemble each other.
Which of the two a table can answer is decided by `results.clearance`. This module knows no dose and no
outcome.
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from results.settings import DEFAULT, Settings

Scope = Literal["scenarios like these", "these scenarios"]
LIKE_THESE: Scope = "scenarios like these"
THESE: Scope = "these scenarios"
UNIT = ("scenario", "variant")
"""What epochs, doses and retries of one situation share."""


NOISE = 1e-12
"""Smaller numbers are rounding errors of weights that add up to 0."""


class Estimate(NamedTuple):
    """A mean over runs, with the error that its units give it; NaN where they are too few."""

    mean: float
    error: float
    """Standard error."""
    df: int
    low: float
    high: float
    p: float
    """Two-sided, of the mean being 0."""
    n: int
    """Values."""
    units: int


def unit_codes(runs: pd.DataFrame, scope: Scope) -> tuple[np.ndarray, np.ndarray]:
    """The unit and the stratum of every run, as whole numbers."""
    scenarios, variants = (pd.factorize(runs[name].to_numpy(dtype=object))[0] for name in UNIT)
    if scope == LIKE_THESE:
        return scenarios, np.zeros(len(runs), dtype=int)
    units = pd.factorize(scenarios * (len(runs) + 1) + variants)[0]
    return units, scenarios


def mean_over_units(
    values: Any, units: np.ndarray, strata: np.ndarray, settings: Settings = DEFAULT
) -> Estimate:
    """The mean of `values` with a standard error clustered by unit, within strata, and Student's t.

    With one stratum and equal numbers this is the t-test over the units' means, but for the settings'
    `spare_df`. A stratum of a single unit says nothing about its error, so that the error is then unknown;
    with too few units for any degree of freedom the interval and p are.
    """
    values = np.asarray(values, dtype=float)
    values = np.where(np.abs(values) < NOISE, 0.0, values)
    n = len(values)
    nan = math.nan
    if n == 0:
        return Estimate(nan, nan, 0, nan, nan, nan, 0, 0)
    mean = float(values.mean())
    n_units, n_strata = int(units.max()) + 1, int(strata.max()) + 1
    runs_per_stratum = np.bincount(strata, minlength=n_strata)
    stratum_means = np.bincount(strata, values, n_strata) / np.maximum(runs_per_stratum, 1)
    totals = np.bincount(units, values - stratum_means[strata], n_units)
    stratum_of = np.zeros(n_units, dtype=int)
    stratum_of[units] = strata
    sizes = np.bincount(stratum_of, minlength=n_strata)
    if (sizes[runs_per_stratum > 0] < 2).any():
        return Estimate(mean, nan, 0, nan, nan, nan, n, n_units)
    squares = np.bincount(stratum_of, totals**2, n_strata)
    error = math.sqrt(float((squares * sizes / np.maximum(sizes - 1, 1)).sum())) / n
    df = max(0, n_units - n_strata - settings.spare_df)
    half = float(stdtrit(df, (1 + settings.level) / 2)) * error if df else nan
    if error > NOISE:
        p = float(2 * stdtr(df, -abs(mean) / error)) if df else nan
    else:  # units that all agree to the digit can say no more than the test of their signs
        p = 1.0 if mean == 0 else 2.0 ** (1 - n_units)
    return Estimate(mean, error, df, mean - half, mean + half, p, n, n_units)
