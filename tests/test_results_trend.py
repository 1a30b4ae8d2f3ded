"""The trend test is statsmodels' GEE, digit for digit, and the slope a t-test over units."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from results.settings import Settings
from results.trend import logistic, slope
from results.truth import STRENGTHS, Truth, draw


def cells(truth: Truth, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs [scenario, variant, dose], and their hits and numbers per scenario and dose; some runs are
    missing."""
    random = np.random.default_rng(seed)
    runs = draw(truth, random).runs
    runs[random.random(runs.shape) < 0.1] = np.nan
    return runs, np.nansum(runs, axis=1), (~np.isnan(runs)).sum(axis=1).astype(float)


@pytest.mark.parametrize(
    "truth", [Truth(8, 10, 0.3, 0.2), Truth(12, 6, 0.1, 0.3, effect=0.3), Truth(5, 9, 0.6, 0)]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_logistic_trend_is_statsmodels_bias_reduced_gee(truth: Truth, seed: int) -> None:
    runs, hits, numbers = cells(truth, seed)
    long = pd.DataFrame(
        [
            (g, s, y)
            for g, some in enumerate(runs)
            for row in some
            for s, y in zip(STRENGTHS, row, strict=True)
        ],
        columns=["scenario", "strength", "hit"],
    ).dropna()
    fit = sm.GEE(
        long["hit"], sm.add_constant(long[["strength"]]), long["scenario"], family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Independence(),
    ).fit(cov_type="bias_reduced")  # fmt: skip
    found = logistic(hits, numbers, STRENGTHS)
    assert found.slope == pytest.approx(fit.params["strength"], rel=1e-5)
    assert found.error == pytest.approx(fit.bse["strength"], rel=1e-4)
    assert found.df == truth.scenarios - 1
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.slope / found.error), found.df))


def test_the_slope_is_a_t_test_over_the_scenarios_own_lines() -> None:
    rates = draw(Truth(9, 20, 0.3, 0.2), np.random.default_rng(4)).runs.mean(axis=1)
    own = [np.polyfit(STRENGTHS, row, 1)[0] for row in rates]
    found = slope(rates, np.zeros(9, int), STRENGTHS, Settings(spare_df=0))
    expected = stats.ttest_1samp(own, 0)
    assert found.slope == pytest.approx(np.mean(own))
    assert (found.p, found.df) == pytest.approx((expected.pvalue, 8))


@pytest.mark.parametrize(
    "hits", [np.zeros((8, 7)), np.full((8, 7), 10.0), np.outer(np.ones(8), [0, 0, 0, 0, 10, 10, 10])]
)
def test_where_a_logistic_line_has_no_end_there_is_no_trend_test(hits: np.ndarray) -> None:
    assert not logistic(hits, np.full((8, 7), 10.0), STRENGTHS).usable


def test_a_missing_dose_leaves_its_unit_out_of_the_slope_and_one_unit_is_none() -> None:
    rates = np.array([[0.0, 0.1, 0.2], [0.0, 0.2, 0.4], [np.nan, 0.9, 0.0]])
    found = slope(rates, np.zeros(3, int), np.array([0.0, 1.0, 2.0]))
    assert found.slope == pytest.approx(0.15)
    assert math.isnan(slope(rates[:1], np.zeros(1, int), np.array([0.0, 1.0, 2.0])).p)
