"""Laws of shifts in slots: every pass is steered as its rows are, wholly and measurably, or refused."""

import pytest
import torch

from steering.errors import LayerNotFound, SteeringError
from steering.hooks import record
from steering.layers import decoder_layers
from steering.shifts import SlotShifts

LAYER, WIDTH = 2, 32


def vector(seed=0, size=0.5):
    raw = torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))
    return size * raw / raw.norm()


def shifts_of(model, *deltas):
    shifts = SlotShifts(model)
    shifts.reserve(len(deltas))
    for slot, delta in enumerate(deltas):
        shifts.place(slot, delta)
    return shifts


def outputs(model, ids, shifts=None, slots=None, mask=None):
    """The residual stream behind every layer, under the shifts."""
    with torch.no_grad(), record(model) as plain:
        model(input_ids=ids)
    if shifts is None:
        return list(plain)
    slots = range(len(ids)) if slots is None else slots
    with torch.no_grad(), shifts.applied(slots, mask), record(model) as moved:
        model(input_ids=ids)
    return list(moved)


def ids(rows, tokens, seed=3):
    return torch.randint(0, 200, (rows, tokens), generator=torch.Generator().manual_seed(seed))


def test_every_row_of_a_token_pass_is_shifted_by_its_own_delta(any_model):
    given = [{LAYER: vector(1)}, {}, {LAYER: vector(2), 1: vector(3)}]
    shifts = shifts_of(any_model, *given)
    batch = ids(3, 1)
    plain = outputs(any_model, batch)
    moved = outputs(any_model, batch, shifts)
    difference = (moved[LAYER] - plain[LAYER]).float()[:, 0]
    rounding = (2**-8 if any_model.dtype == torch.bfloat16 else 0) * moved[LAYER].float()[:, 0].abs()
    assert ((difference[0] - vector(1)).abs() <= rounding[0] + 1e-5).all()
    assert torch.equal(moved[LAYER][1], plain[LAYER][1])
    assert torch.equal(moved[1][0], plain[1][0]) and not torch.equal(moved[1][2], plain[1][2])


def test_an_unsteered_row_keeps_even_its_negative_zeros(llama):
    shifts = shifts_of(llama, {}, {LAYER: vector()})
    block = decoder_layers(llama)[LAYER]
    zeros = torch.tensor([-0.0, 0.0] * (WIDTH // 2)).expand(2, 1, WIDTH)
    handle = block.register_forward_hook(lambda _module, _args, _output: zeros.clone())
    try:
        moved = outputs(llama, ids(2, 1), shifts)[LAYER]
    finally:
        handle.remove()
    assert torch.equal(torch.signbit(moved[0]), torch.signbit(zeros[0]))


def test_of_a_prompt_pass_only_masked_tokens_are_shifted(any_model):
    shifts = shifts_of(any_model, {LAYER: vector()}, {LAYER: vector()})
    batch, mask = ids(2, 4), torch.tensor([[True, True, False, False], [False, True, True, True]])
    plain, moved = outputs(any_model, batch), outputs(any_model, batch, shifts, mask=mask)
    changed = (moved[LAYER] != plain[LAYER]).any(dim=-1)
    assert torch.equal(changed, mask)


def test_what_was_measured_is_the_shift_against_the_residual(any_model):
    shifts = shifts_of(any_model, {LAYER: vector(1), 1: vector(2)}, {})
    batch, mask = ids(2, 3), torch.tensor([[True, False, True], [False] * 3])
    moved = outputs(any_model, batch, shifts, mask=mask)
    with torch.no_grad(), record(any_model) as at_1:
        any_model(input_ids=batch)
    one = SlotShifts(any_model)
    one.reserve(2)
    one.place(0, {1: vector(2)})
    before = outputs(any_model, batch, one, mask=mask)
    expected = 0.0
    for layer, base in ((1, at_1), (LAYER, before)):
        was, now = base[layer].float(), moved[layer].float()
        expected += float(((now - was).norm(dim=-1) / was.norm(dim=-1))[0, mask[0]].sum())
    assert shifts.relative_sum(0) == pytest.approx(expected, rel=1e-5)
    assert shifts.relative_sum(1) == 0


def test_shifts_and_measurements_move_with_their_row(llama):
    shifts = shifts_of(llama, {}, {LAYER: vector(1)}, {LAYER: vector(2)})
    batch = ids(3, 1)
    outputs(llama, batch, shifts)
    before = shifts.relative_sum(2)
    shifts.move(2, 0)
    assert shifts.relative_sum(0) == before > 0
    plain, moved = outputs(llama, batch), outputs(llama, batch, shifts, slots=range(3))
    torch.testing.assert_close(moved[LAYER][0, 0] - plain[LAYER][0, 0], vector(2), atol=1e-5, rtol=0)


def test_a_new_row_in_an_old_slot_inherits_nothing(llama):
    shifts = shifts_of(llama, {LAYER: vector(1), 1: vector(2)})
    batch = ids(1, 1)
    outputs(llama, batch, shifts)
    shifts.place(0, {})
    assert shifts.relative_sum(0) == 0
    assert all(
        torch.equal(a, b) for a, b in zip(outputs(llama, batch), outputs(llama, batch, shifts), strict=True)
    )


def test_a_failed_pass_measures_nothing_and_leaves_no_hook(llama):
    shifts = shifts_of(llama, {LAYER: vector()})
    with pytest.raises(ZeroDivisionError), torch.no_grad(), shifts.applied([0]):
        llama(input_ids=ids(1, 1))
        raise ZeroDivisionError
    assert shifts.relative_sum(0) == 0
    assert not any(module._forward_hooks for module in llama.modules())


def test_a_pass_in_which_a_steered_layer_did_not_run_is_refused(llama):
    shifts = shifts_of(llama, {LAYER: vector()})
    with pytest.raises(SteeringError, match="layers \\[2\\] did not run"), shifts.applied([0]):
        pass


@pytest.mark.parametrize("shape", [(2, 1), (1, 2)])
def test_a_pass_of_another_shape_is_refused(llama, shape):
    shifts = shifts_of(llama, {LAYER: vector()})
    with pytest.raises(SteeringError, match="layer 2 received"), torch.no_grad(), shifts.applied([0]):
        llama(input_ids=torch.ones(shape, dtype=torch.long))


def test_a_second_pass_in_one_block_is_refused(llama):
    shifts = shifts_of(llama, {LAYER: vector()})
    with pytest.raises(SteeringError, match="expected once"), torch.no_grad(), shifts.applied([0]):
        llama(input_ids=ids(1, 1))
        llama(input_ids=ids(1, 1))


@pytest.mark.parametrize(
    "delta, error",
    [
        ({4: vector()}, LayerNotFound),
        ({-1: vector()}, LayerNotFound),
        ({1: vector()[:5]}, SteeringError),
        ({1: vector() * float("nan")}, SteeringError),
        ({1: vector() * 0}, SteeringError),
    ],
)
def test_a_shift_that_fits_no_layer_is_refused(llama, delta, error):
    shifts = shifts_of(llama, {})
    with pytest.raises(error):
        shifts.place(0, delta)
