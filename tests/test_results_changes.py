"""The change between nights, where hardly any run changed; nights drawn from one log."""

import numpy as np
import pytest
from fake_table import table
from scipy.stats import binomtest

from results import clearance
from results.changes import FEW, change
from results.changes_simulation import Truth as Change
from results.changes_simulation import draw, run, truths
from results.difference import paired, sign_flips
from results.false_alarms import Nights, _drawn, _planted, _repeated
from results.false_alarms import table as alarms
from results.measuring import CHANGES
from results.truth import Truth
from results.units import LIKE_THESE, THESE

UNITS, STRATA = np.arange(60), np.repeat(np.arange(3), 20)


def test_runs_that_all_repeat_leave_an_interval_that_more_runs_narrow() -> None:
    few, many = (change(np.zeros(n), np.arange(n), np.zeros(n, int), THESE) for n in (30, 300))
    assert few.mean == 0 and few.low == -few.high and few.p == 1 and few.method == FEW
    assert 0 < many.high < few.high == pytest.approx(0.1135, abs=1e-3)  # Wilson's upper limit of 0 of 30


def test_it_is_narrower_than_of_sides_taken_as_independent_and_holds_the_change() -> None:
    old = (np.arange(60) % 3 == 0).astype(float)
    new = old.copy()
    new[[1, 4]] = 1
    found = change(new - old, UNITS, STRATA, THESE)
    apart = paired(new, old, UNITS, STRATA, THESE)
    assert apart.low < found.low < found.mean == apart.mean < found.high < apart.high


def test_scenarios_that_agree_leave_more_doubt_about_others_than_about_themselves() -> None:
    like, these = (
        change(np.zeros(160), units, strata, scope)
        for units, strata, scope in (
            (np.repeat(np.arange(8), 20), np.zeros(160, int), LIKE_THESE),
            (np.arange(160), np.repeat(np.arange(8), 20), THESE),
        )
    )
    assert like.high > 2 * these.high


def test_a_weighted_change_is_the_change_times_its_weight() -> None:
    values = np.zeros(60)
    values[[0, 25]] = 1
    once, thrice = (change(w * values, UNITS, STRATA, THESE, largest=w) for w in (1.0, 3.0))
    assert [3 * once.mean, 3 * once.low, 3 * once.high] == pytest.approx(thrice[:3])
    assert once.p == thrice.p


def test_signs_of_many_units_are_tested_by_their_number() -> None:
    moved = np.array([1.0] * 12 + [-1.0] * 4)
    assert sign_flips(moved) == pytest.approx(binomtest(12, 16).pvalue)
    assert sign_flips(np.ones(14)) == pytest.approx(2.0**-13)


def test_the_committed_simulation_clears_what_a_comparison_uses() -> None:
    for method in (FEW, "measure"):
        assert clearance.cleared(method, THESE, 3, path=CHANGES)
        assert clearance.cleared(method, LIKE_THESE, 8, path=CHANGES)


def test_the_simulation_draws_what_it_says_and_repeats_itself() -> None:
    random = np.random.default_rng(1)
    truth = Change(FEW, 8, 50, 0.3, 0.05, 0.05, 2.0, 0.0)
    drawn = [draw(truth, random) for _ in range(400)]
    assert np.mean([changes.mean() for changes, _ in drawn]) == pytest.approx(0.05 * 0.7, abs=0.004)
    assert np.mean([true.mean() for _, true in drawn]) == pytest.approx(0.05 * 0.7, abs=0.004)
    assert run(truth, 1, 20, 20) == run(truth, 1, 20, 20)
    assert {one.method for one in truths()} == {FEW, "measure"}


def test_a_drawn_night_keeps_the_doses_of_a_situation_together() -> None:
    runs = table({"desperate": Truth(3, 30, 0.3, 0.1)})
    night = _drawn(runs, 12, np.random.default_rng(1))
    assert len(night) == 3 * 12 * 7
    assert set(night.groupby(["scenario", "variant"]).size()) == {7}
    ids = {frozenset(some["id"].str.split("/").str[2]) for _, some in night.groupby(["scenario", "variant"])}
    assert {len(one) for one in ids} == {1} and len(ids) > 3


def test_a_planted_change_has_the_size_that_it_is_given_and_a_repeated_night_hardly_any() -> None:
    runs = table({"desperate": Truth(3, 400, 0.3, 0.1), "calm": Truth(3, 400, 0.3, 0.1)})
    plan = Nights("same seed", ("desperate", "calm"), (), 400, 0.2)
    random = np.random.default_rng(1)
    new, again = _planted(runs, plan, random), _repeated(runs, random)
    rates = [some.groupby(["vector", "strength"])["blackmail"].mean() for some in (runs, new, again)]
    rise = rates[1] - rates[0]
    assert rise["desperate", 0.1] == pytest.approx(0.2, abs=0.04)
    assert rise["desperate", 0.05] == pytest.approx(0.1, abs=0.04)
    assert (rise["calm"] == 0).all() and (rise["desperate", -0.1], rise["none", 0.0]) == (0, 0)
    assert (new[["blackmail", "plea", "benign", "refusal", "disclosure"]].sum(axis=1) == 1).all()
    changed = (again["blackmail"] != runs["blackmail"]).mean()
    assert 0 < changed < 0.02


def test_the_table_counts_nights_and_findings() -> None:
    runs = table({"desperate": Truth(3, 30, 0.3, 0.1)}, window=None)
    rows = list(alarms(runs, [Nights("same seed", (), (), 30)], nights=3, seed=1))
    found = {row["quantity"]: row for row in rows}
    assert found["night: regression"]["n"] == 3
    cells_and_curve, outcomes_with_a_direction = 7 + 1, 3
    assert found["finding: regression"]["n"] == 3 * cells_and_curve * outcomes_with_a_direction
    whole = [found[f"night: {v}"]["value"] for v in ("regression", "stable", "could not be judged")]
    assert sum(whole) == pytest.approx(1)
    assert all(row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9 for row in rows)
