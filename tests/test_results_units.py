"""The unit is a scenario, or a variant within its scenario; errors are recomputed with scipy alone."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, THESE, mean_over_units, unit_codes

PLAIN = Settings(spare_df=0)


def test_with_equal_scenarios_the_mean_is_a_t_test_over_the_scenarios_means() -> None:
    values = np.random.default_rng(1).integers(-1, 2, (9, 20)).astype(float)
    found = mean_over_units(values.ravel(), np.repeat(np.arange(9), 20), np.zeros(180, int), PLAIN)
    expected = stats.ttest_1samp(values.mean(axis=1), 0)
    low, high = expected.confidence_interval()
    assert (found.mean, found.p, found.df) == pytest.approx((values.mean(), expected.pvalue, 8))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_students_t_is_denied_the_spare_degrees_of_freedom() -> None:
    values, ones = np.random.default_rng(1).normal(0.5, 1, 9), np.zeros(9, int)
    found = mean_over_units(values, np.arange(9), ones)
    df = 8 - DEFAULT.spare_df
    assert found.df == df
    assert found.p == pytest.approx(2 * stats.t.sf(found.mean / stats.sem(values), df))
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, df) * stats.sem(values))
    few = mean_over_units(values[:4], np.arange(4), ones[:4])
    assert few.error == pytest.approx(stats.sem(values[:4]))
    assert all(math.isnan(number) for number in (few.low, few.high, few.p))


def test_of_these_scenarios_only_the_spread_within_them_counts() -> None:
    """Scenarios that differ by whatever amount leave the error alone: it is that of a stratified mean."""
    random = np.random.default_rng(2)
    noise = random.normal(size=(4, 12))
    units, strata = np.arange(48), np.repeat(np.arange(4), 12)
    errors = [
        mean_over_units((noise + np.array(shift)[:, None]).ravel(), units, strata).error
        for shift in ([0, 0, 0, 0], [0, 5, -3, 9])
    ]
    assert errors[0] == pytest.approx(errors[1])
    assert errors[0] == pytest.approx(math.sqrt((noise.var(axis=1, ddof=1) / 12).sum()) / 4)
    assert mean_over_units(noise.ravel(), units, strata).df == 44 - DEFAULT.spare_df


def test_epochs_of_a_variant_are_one_unit_and_its_number_alone_is_none() -> None:
    runs = pd.DataFrame({"scenario": ["a", "a", "b", "b"], "variant": [0, 0, 0, 1]})
    units, strata = unit_codes(runs, THESE)
    assert units[0] == units[1]
    assert len(set(units)) == 3
    assert strata.tolist() == [0, 0, 1, 1]
    assert unit_codes(runs, LIKE_THESE)[0].tolist() == [0, 0, 1, 1]


def test_doubling_every_run_as_an_epoch_does_not_sharpen_the_error() -> None:
    values = np.random.default_rng(3).normal(size=30)
    once = mean_over_units(values, np.arange(30), np.repeat([0, 1], 15))
    twice = mean_over_units(np.tile(values, 2), np.tile(np.arange(30), 2), np.tile(np.repeat([0, 1], 15), 2))
    assert twice.error == pytest.approx(once.error)
    assert twice.df == once.df


def test_a_single_unit_has_a_mean_and_no_error() -> None:
    found = mean_over_units([1.0, 0.0], np.array([0, 0]), np.array([0, 0]))
    assert found.mean == 0.5
    assert math.isnan(found.error)
    assert math.isnan(mean_over_units([], np.zeros(0, int), np.zeros(0, int)).mean)


def test_rounding_errors_are_no_effect_and_agreeing_units_no_certainty() -> None:
    assert mean_over_units(np.full(9, 1e-17), np.arange(9), np.zeros(9, int)).p == 1.0
    assert mean_over_units(np.full(3, 1.0), np.arange(3), np.zeros(3, int)).p == 0.25
