"""Intervals agree with Inspect's own and with textbook formulas."""

import math
from typing import Any, cast

import numpy as np
import pytest
from inspect_ai.scorer import SampleScore, Score, ci_wilson

from results.intervals import difference_from_rates, rate_interval


def inspects(values: np.ndarray, clusters: np.ndarray | None) -> tuple[float, float]:
    """The interval that Inspect prints."""
    names = [None] * len(values) if clusters is None else clusters.tolist()
    scores = [
        SampleScore(score=Score(value=float(value)), sample_metadata={"cluster": name})
        for value, name in zip(values, names, strict=True)
    ]
    bounds = cast(Any, ci_wilson(cluster=None if clusters is None else "cluster"))(scores)
    return bounds["lower"], bounds["upper"]


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.4, 1.0])
@pytest.mark.parametrize("count", [None, 2, 3, 8, 30])
def test_the_interval_of_a_rate_is_inspects(rate: float, count: int | None) -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        n = int(random.integers(count or 2, 90))
        clusters = None if count is None else np.arange(n) % count
        own = 0.0 if clusters is None else 0.3 * (clusters % 2) * (0 < rate < 1)
        values = (random.random(n) < rate + own).astype(float)
        assert rate_interval(values, clusters) == pytest.approx(inspects(values, clusters), abs=1e-9)


def test_nothing_has_no_interval_and_one_cluster_the_plain_one() -> None:
    assert all(math.isnan(bound) for bound in rate_interval([], None))
    values = np.array([1.0, 0, 0, 1, 0])
    assert rate_interval(values, np.zeros(5)) == rate_interval(values, None)


def test_newcombes_interval_is_that_of_his_worked_example() -> None:
    """56 of 70 against 48 of 80: +20 points, 5.2 to 33.4 (Newcombe 1998, method 10)."""
    one, two = np.repeat([1.0, 0.0], [56, 14]), np.repeat([1.0, 0.0], [48, 32])
    found = difference_from_rates(0.8, rate_interval(one, None), 0.6, rate_interval(two, None))
    assert found == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert difference_from_rates(0.0, (0.0, 0.1), 0.0, (0.0, 0.1)) == pytest.approx((-0.1, 0.1))
