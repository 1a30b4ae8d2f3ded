"""Does the rate follow the dose? Two tests of a trend; neither forces a shape on the curve that is reported.

`logistic` is a GEE with independent working correlation: a logistic slope over all runs, with the
bias-reduced sandwich error of Mancl and DeRouen 2001 clustered by scenario, and Student's t with clusters -
1. It is computed from counts per scenario and dose, which gives statsmodels'
`GEE(...).fit(cov_type="bias_reduced")` to the last digits without its matrices of the size of a cluster's
runs squared. `slope` is the mean over units of each unit's own straight line, for scopes and data that the
first cannot serve.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import expit, stdtr

from results.settings import DEFAULT, Settings
from results.units import Estimate, mean_over_units


class Trend(NamedTuple):
    """A slope over the dose: log odds per unit of strength (`logistic`) or rate per unit of strength
    (`slope`)."""

    slope: float
    error: float
    df: int
    p: float
    method: str

    @property
    def usable(self) -> bool:
        """Whether there was anything to test."""
        return math.isfinite(self.p)


NOTHING = Trend(math.nan, math.nan, 0, math.nan, "none")


def logistic(hits: np.ndarray, runs: np.ndarray, strengths: np.ndarray) -> Trend:
    """The logistic trend of `hits` of `runs`, arrays [cluster, dose], over the doses' `strengths`.

    Without an estimate (one outcome only, perfect separation, fewer than 3 clusters) it is `NOTHING`.
    """
    clusters = int((runs.sum(axis=1) > 0).sum())
    total, overall = runs.sum(), hits.sum()
    if clusters < 3 or overall == 0 or overall == total:
        return NOTHING
    scale = float(np.abs(strengths).max()) or 1.0
    x = np.column_stack([np.ones(len(strengths)), strengths / scale])  # [dose, 2]
    by_dose, hits_by_dose = runs.sum(axis=0), hits.sum(axis=0)
    beta = np.array([math.log(overall / (total - overall)), 0.0])
    for _ in range(50):
        mean = expit(x @ beta)
        bread = x.T @ (x * (by_dose * mean * (1 - mean))[:, None])
        try:
            step = np.linalg.solve(bread, x.T @ (hits_by_dose - by_dose * mean))
        except np.linalg.LinAlgError:
            return NOTHING
        beta = beta + step
        if np.abs(beta).max() > 30:
            return NOTHING
        if np.abs(step).max() < 1e-10:
            break
    else:
        return NOTHING
    mean = expit(x @ beta)
    variance = mean * (1 - mean)
    inverse = np.linalg.inv(x.T @ (x * (by_dose * variance)[:, None]))
    score = (hits - runs * mean) @ x  # [cluster, 2]
    own = np.einsum("cd,di,dj->cij", runs * variance, x, x)  # [cluster, 2, 2]
    # The leverage of a cluster, brought from its runs to its two parameters by the push-through identity.
    corrected = np.linalg.solve(np.eye(2) - own @ inverse, score[:, :, None])[:, :, 0]
    covariance = inverse @ (corrected.T @ corrected) @ inverse
    error = math.sqrt(float(covariance[1, 1]))
    df = clusters - 1
    p = float(2 * stdtr(df, -abs(beta[1]) / error)) if error > 0 else math.nan
    return Trend(float(beta[1]) / scale, error / scale, df, p, "logistic")


def slope(
    rates: np.ndarray, strata: np.ndarray, strengths: np.ndarray, settings: Settings = DEFAULT
) -> Trend:
    """The mean slope of the units' own lines through `rates` [unit, dose]; units with a missing dose are left
    out."""
    found = contrast(rates, strata, line(strengths), settings)
    return Trend(found.mean, found.error, found.df, found.p, "slope")


def line(strengths: np.ndarray) -> np.ndarray:
    """Weights that turn rates at these strengths into the slope of the least-squares line."""
    centred = strengths - strengths.mean()
    weights: np.ndarray = centred / (centred**2).sum()
    return weights


def contrast(
    rates: np.ndarray, strata: np.ndarray, weights: np.ndarray, settings: Settings = DEFAULT
) -> Estimate:
    """The mean over units of `rates @ weights`; doses of weight 0 may be missing."""
    used = weights != 0
    values = rates[:, used] @ weights[used]
    whole = ~np.isnan(values)
    if not whole.all():
        values, strata = values[whole], np.unique(strata[whole], return_inverse=True)[1]
    return mean_over_units(values, np.arange(len(values)), strata, settings)
