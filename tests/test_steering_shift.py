"""The arithmetic of steering: exact where nothing is to change, rounded once where something is."""

import pytest
import torch

from steering.shift import relative_norm, shift_rows

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]


@pytest.fixture
def resid():
    return torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))  # [B,T,d]


@pytest.fixture
def delta():
    return torch.randn(3, 8, generator=torch.Generator().manual_seed(1))  # [B,d]


@pytest.fixture
def mask():
    return torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]]).bool()  # [B,T]


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_token_inside_the_mask_moves_by_its_rows_delta_and_no_other_moves(resid, delta, mask, dtype):
    resid = resid.to(dtype)
    shifted = shift_rows(resid, delta, mask)
    assert shifted.dtype == dtype
    assert torch.equal(shifted[~mask], resid[~mask])
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for row, token in mask.nonzero().tolist():
        assert torch.equal(shifted[row, token], (resid[row, token].to(wide) + delta[row]).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_with_zero_delta_comes_back_to_the_bit_even_its_negative_zeros(resid, delta, mask, dtype):
    resid = resid.to(dtype)
    resid[1, 2, 3] = -0.0
    delta[1] = 0.0
    shifted = shift_rows(resid, delta, mask)
    assert torch.equal(shifted[1], resid[1])
    assert torch.signbit(shifted[1, 2, 3])


def test_a_row_with_zero_delta_keeps_its_nan_to_itself(resid, delta, mask):
    resid[0, 0] = float("nan")
    shifted = shift_rows(resid, delta, mask)
    assert shifted[0, 0].isnan().all()
    assert torch.isfinite(shifted[1:]).all()


def test_the_input_is_not_written_to(resid, delta, mask):
    before = resid.clone()
    shift_rows(resid, delta, mask)
    assert torch.equal(resid, before)


def test_plus_v_then_minus_v_cancels(resid, delta, mask):
    there = shift_rows(resid, delta, mask)
    torch.testing.assert_close(shift_rows(there, -delta, mask), resid, atol=1e-6, rtol=0)


def test_a_small_dose_in_bfloat16_is_added_before_rounding_not_after():
    resid = torch.full((1, 1, 4), 1.0, dtype=torch.bfloat16)
    delta = torch.full((1, 4), 0.0039)  # half a bfloat16 step at 1 is .00390625
    assert torch.equal(shift_rows(resid, delta, torch.ones(1, 1).bool()), resid)
    assert (shift_rows(resid, delta + 0.0002, torch.ones(1, 1).bool()) > resid).all()


def test_the_relative_norm_is_that_of_the_shift_as_rounded():
    before = torch.tensor([[[3.0, 4.0], [0.0, 2.0], [0.0, 0.0], [0.0, 0.0]]])
    after = torch.tensor([[[3.0, 9.0], [0.0, 2.0], [0.0, 0.0], [1.0, 0.0]]])
    assert relative_norm(before, after).tolist() == [[1.0, 0.0, 0.0, float("inf")]]
