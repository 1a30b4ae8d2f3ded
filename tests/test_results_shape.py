"""A turn is found where one was laid down, and not where the curve is monotonic, however bent."""

import math

import numpy as np
import pytest

from results.shape import turn
from results.truth import STRENGTHS, Curve, Truth, draw


def rates(curve: Curve, effect: float, seed: int) -> np.ndarray:
    """Rates per scenario and dose."""
    return draw(Truth(12, 40, 0.3, 0.1, effect, curve), np.random.default_rng(seed)).runs.mean(axis=1)


def test_a_peak_is_found_where_it_lies() -> None:
    for seed in range(5):
        found = turn(rates("peak", 0.5, seed), np.zeros(12, int), STRENGTHS)
        assert found.p < 0.05
        assert found.kind == "peak"
        assert found.at in (0.025, 0.05)
        upside_down = turn(1 - rates("peak", 0.5, seed), np.zeros(12, int), STRENGTHS)
        assert (upside_down.kind, upside_down.p) == ("trough", pytest.approx(found.p))


@pytest.mark.parametrize("curve", ["line", "hinge"])
def test_a_monotonic_curve_has_no_turn(curve: Curve) -> None:
    found = [turn(rates(curve, 0.5, seed), np.zeros(12, int), STRENGTHS).p for seed in range(20)]
    assert sum(p < 0.05 for p in found) <= 1


def test_two_doses_cannot_turn_and_a_flat_line_does_not() -> None:
    assert math.isnan(turn(rates("line", 0.5, 1)[:, :2], np.zeros(12, int), STRENGTHS[:2]).p)
    assert turn(np.full((12, 7), 0.3), np.zeros(12, int), STRENGTHS).p == 1.0
