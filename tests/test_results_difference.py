"""The paired difference from the baseline, recomputed with pandas and scipy alone."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from fake_table import table
from scipy import stats

from results.difference import differences, paired, pairs
from results.settings import Settings
from results.truth import Truth
from results.units import LIKE_THESE, THESE


def split(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Steered runs and baseline."""
    return runs[runs["arm"] == "emotion"], runs[runs["arm"] == "baseline"]


def test_the_difference_is_the_t_test_of_the_scenarios_paired_differences() -> None:
    runs = table({"desperate": Truth(10, 12, 0.3, 0.2, effect=0.3)})
    steered, baseline = split(runs)
    counts = {s: 120 for s in set(steered["strength"])}
    plain = Settings(spare_df=0)
    found = differences(pairs(steered, baseline, "blackmail"), counts, LIKE_THESE, plain)
    wide = runs.pivot_table(index=["scenario", "variant"], columns="strength", values="blackmail")
    for strength, one in found.items():
        own = (wide[strength] - wide[0.0]).groupby("scenario").mean()
        expected = stats.ttest_1samp(own, 0)
        assert (one.mean, one.n, one.units, one.lost) == (pytest.approx(own.mean()), 120, 10, 0)
        if one.method == "t":
            assert (one.p, one.low) == pytest.approx((expected.pvalue, expected.confidence_interval()[0]))
    assert {one.method for one in found.values()} == {"t"}


def test_of_these_scenarios_the_interval_is_narrower_where_scenarios_differ() -> None:
    runs = table({"desperate": Truth(10, 12, 0.3, 0.2, effect=0.3, mixed=1.0)})
    both = pairs(*split(runs), "blackmail")
    wide, narrow = (
        differences(both, {s: 120 for s in set(both["strength"])}, scope)[0.1]
        for scope in (LIKE_THESE, THESE)
    )
    assert wide.mean == narrow.mean
    assert wide.high - wide.low > narrow.high - narrow.low


def test_a_run_is_paired_only_with_the_scored_baseline_run_of_its_own_situation() -> None:
    runs = table({"desperate": Truth(3, 4, 0.5, 0)})
    runs.loc[(runs["arm"] == "baseline") & (runs["variant"] == 2), "status"] = "errored"
    runs.loc[(runs["arm"] == "emotion") & (runs["variant"] == 0), "status"] = "unscored"
    both = pairs(*split(runs), "blackmail")
    assert set(both["variant"]) == {1, 3}
    assert differences(both, {s: 9 for s in set(both["strength"])}, THESE)[0.1].lost == 3


def test_where_few_pairs_differ_the_test_is_exact_and_the_interval_never_empty() -> None:
    dose, base = np.zeros(80), np.zeros(80)
    units, strata = np.repeat(np.arange(8), 10), np.zeros(80, int)
    nothing = paired(dose, base, units, strata, LIKE_THESE)
    assert (nothing.method, nothing.p) == ("sparse", 1.0)
    assert nothing.low < -0.01 < 0.01 < nothing.high
    dose[[0, 10, 20, 30, 40]] = 1  # one more in each of five scenarios
    found = paired(dose, base, units, strata, LIKE_THESE)
    flips = [abs(sum(signs)) for signs in product((1, -1), repeat=5)]
    assert found.p == np.mean([flip >= 5 for flip in flips]) == 2 / 32


def test_units_that_all_changed_alike_are_no_certainty() -> None:
    found = paired(np.ones(6), np.zeros(6), np.repeat(np.arange(3), 2), np.zeros(6, int), LIKE_THESE)
    assert (found.mean, found.p) == (1.0, 0.25)
    many = paired(np.ones(60), np.zeros(60), np.repeat(np.arange(20), 3), np.zeros(60, int), LIKE_THESE)
    assert many.p == 2.0**-19
    assert many.low < 1
