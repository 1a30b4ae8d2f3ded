"""Corrections are statsmodels' to the digit, and ranks are counts."""

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from results.controls import controls_needed, rank
from results.corrections import adjust
from results.settings import Correction, Settings


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("benjamini-hochberg", "fdr_bh")])
def test_adjusted_p_values_are_statsmodels(ours: Correction, theirs: str) -> None:
    raw = np.random.default_rng(1).random(40) ** 3
    assert adjust(list(raw), ours) == pytest.approx(multipletests(raw, method=theirs)[1])


def test_a_missing_p_value_stays_missing_and_is_not_counted() -> None:
    found = adjust([0.01, math.nan, 0.04], "holm")
    assert found[0] == pytest.approx(0.02)
    assert math.isnan(found[1])
    assert adjust([], "holm") == []


def test_the_rank_counts_controls_at_least_as_large_whatever_their_sign() -> None:
    found = rank(0.2, [0.1, -0.3, 0.2, 0.05])
    assert found is not None
    assert (found.rank, found.p, found.largest) == (3, 3 / 5, 0.3)
    best = rank(-0.5, [0.1, -0.3])
    assert best is not None
    assert best.p == pytest.approx(1 / 3)
    assert rank(0.2, []) is None
    assert rank(math.nan, [0.1]) is None


def test_nineteen_controls_are_needed_for_five_percent() -> None:
    assert controls_needed() == 19
    best = rank(1.0, [0.0] * 19)
    assert best is not None
    assert best.p == pytest.approx(0.05)
    assert controls_needed(Settings(alpha=0.01)) == 99
