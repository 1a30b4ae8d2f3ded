"""What is promised beforehand: the power of Student's t, and the runs that it takes."""

import math
from pathlib import Path

import numpy as np
import pytest
from fake_runs import run, sample
from inspect_ai.log import write_eval_log
from scipy import stats
from statsmodels.stats.power import TTestPower

from results.logs import TableError
from results.plan import Question, as_text, clock, measured_speed, plan
from results.power import detectable, need, power, within
from results.settings import Settings
from results.units import LIKE_THESE, THESE


@pytest.mark.parametrize(("effect", "scenarios"), [(0.1, 8), (0.2, 12), (0.15, 30)])
def test_the_power_is_statsmodels_power_of_the_t_test_over_scenarios(effect: float, scenarios: int) -> None:
    variance, spread, variants = 0.4, 0.07, 20
    one = math.sqrt(variance / variants + spread**2)
    expected = TTestPower().power(effect / one, scenarios, 0.05)
    plain = Settings(spare_df=0)
    assert power(effect, variance, spread, scenarios, variants, LIKE_THESE, plain) == pytest.approx(
        expected, abs=1e-6
    )
    fewer = power(effect, variance, spread, scenarios, variants, LIKE_THESE)
    assert 0.05 < fewer < expected


def test_the_runs_needed_are_the_fewest_that_reach_the_power() -> None:
    for scope in (LIKE_THESE, THESE):
        found = need(0.3, 0.2, 12, likeness=0.1, spread=0.05, scope=scope)
        assert found.variants is not None
        variance = within(0.3, 0.2, 0.1)
        assert power(0.2, variance, 0.05, 12, found.variants, scope) == pytest.approx(found.power)
        assert found.power >= 0.8 > power(0.2, variance, 0.05, 12, found.variants - 1, scope)


def test_where_scenarios_differ_too_much_no_number_of_runs_is_enough() -> None:
    found = need(0.3, 0.1, 8, likeness=0.1, spread=0.3, scope=LIKE_THESE)
    assert found.variants is None
    assert found.power < 0.8
    assert need(0.3, 0.1, 8, likeness=0.1, spread=0.3, scope=THESE).variants


def test_two_arms_without_pairing_agree_with_the_published_arithmetic() -> None:
    """22 to 72 % takes about 15 runs an arm, 22 to 40 % about 103 (normal approximation, unpaired)."""
    for top, expected in ((0.72, 15), (0.40, 103)):
        found = need(0.22, top - 0.22, 1, likeness=0, spread=0, scope=THESE)
        assert found.variants == pytest.approx(expected, rel=0.15, abs=2)


def test_the_smallest_detectable_difference_is_found_four_times_in_five() -> None:
    random = np.random.default_rng(1)
    scenarios, error = 10, 0.05
    shift = detectable(error, scenarios - 1)
    samples = random.normal(shift, error * math.sqrt(scenarios), (4000, scenarios))
    found = (stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.03)
    assert math.isnan(detectable(0.0, 5))


def test_more_comparisons_take_more_runs_and_the_time_follows_the_runs() -> None:
    one, many = Question(0.3, 0.2, vectors=1, doses=1), Question(0.3, 0.2, vectors=5, doses=6)
    few, more = plan(one, [12], 0.5)[0], plan(many, [12], 0.5)[0]
    assert few.variants and more.variants and few.runs and more.runs
    assert few.variants < more.variants
    assert few.runs == few.variants * 12 * (1 + 6)
    assert more.runs == more.variants * 12 * (1 + 10 * 6)
    assert more.seconds == pytest.approx(more.runs * 0.5)
    text = as_text(many, plan(many, [12], 0.5))
    assert "+20 points on a baseline of 30 %" in text
    assert f"{more.runs:,}" in text


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question(1.3, 0.1), "not 1.3"),
        (Question(0.3, 0.8), r"\+0.8 on a baseline of 0.3"),
        (Question(0.3, 0.0), "is none"),
        (Question(0.3, 0.1, likeness=1.0), "below 1, not 1"),
    ],
)
def test_a_question_without_an_answer_is_refused_with_its_value(question: Question, words: str) -> None:
    with pytest.raises(TableError, match=words):
        plan(question)


def test_times_are_told_in_the_units_that_matter() -> None:
    assert [clock(s) for s in (None, 20.0, 600.0, 9000.0)] == ["-", "20 s", "10 min", "2 h 30"]


def test_the_speed_is_that_of_the_clock_where_evaluations_ran_side_by_side(tmp_path: Path) -> None:
    """Three logs of two runs: two at once for a minute, one alone for half a minute, an hour later."""
    times = (("10:00:00", "10:01:00"), ("10:00:30", "10:01:00"), ("11:00:00", "11:00:30"))
    for number, (start, end) in enumerate(times):
        log = run(tmp_path, [sample("plea", "keycard", 2 * number + i, "calm", 0.1) for i in range(2)])
        log.stats.started_at, log.stats.completed_at = (f"2026-01-01T{t}+00:00" for t in (start, end))
        write_eval_log(log)
    speed = measured_speed([tmp_path])
    assert (speed.runs, speed.seconds) == (6, 90)
    assert speed.per_run == 15
    assert "6 runs in 2 min" in str(speed)
    with pytest.raises(TableError, match="no finished log"):
        failed = run(tmp_path / "failed", [sample("crash", "keycard", 0, "calm", 0.1)], fail_on_error=True)
        measured_speed([failed.location])
