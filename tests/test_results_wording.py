"""Numbers are written alike everywhere: no minus before a 0, no p-value of 0, nothing for what is missing."""

import math

import pytest

from results.wording import dose, meant, p_value, percent, points, signed, whole


@pytest.mark.parametrize("value", [0.0, -0.0, 0.4, -0.4, -1e-12])
def test_what_rounds_to_0_has_no_sign(value: float) -> None:
    assert signed(value) == whole(value) == "0"
    assert signed(value / 10, 1) == "0.0"


def test_other_differences_have_one() -> None:
    assert [signed(value) for value in (-6.4, 7.0, 12.6)] == ["-6", "+7", "+13"]
    assert signed(-1.74, 1) == "-1.7"


def test_a_p_value_is_never_0() -> None:
    assert [p_value(p) for p in (0.0, 1e-9, 0.0009, 0.001, 0.0504, 1.0)] == [
        "< 0.001", "< 0.001", "< 0.001", "0.001", "0.050", "1.000",
    ]  # fmt: skip


def test_what_is_missing_is_a_dash() -> None:
    assert {write(math.nan) for write in (whole, signed, percent, p_value)} == {"-"}


def test_shares_differences_and_doses_have_their_units() -> None:
    assert (percent(0.125), points(0.1)) == ("12 %", "10 points")
    assert [dose(-0.3), dose(0.0), dose(0.075), dose(2.0, "strong")] == ["-0.3", "0", "+0.075", "strong"]


def test_a_near_miss_is_suggested_and_a_far_one_is_not() -> None:
    assert meant("plit", ["plot", "table"]) == " (did you mean 'plot'?)"
    assert meant("zebra", ["plot", "table"]) == ""
