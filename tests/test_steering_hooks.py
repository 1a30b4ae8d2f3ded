"""The laws of steering, through real `generate` calls with a KV cache on every tiny model."""

from contextlib import contextmanager

import pytest
import torch

from steering.errors import LayerNotFound, SteeringError, UnknownLayerOutput
from steering.hooks import record, residual_of, steered
from steering.layers import decoder_layers

LAYER, NEW = 2, 6
PROMPTS = ([65, 66, 67, 68, 69, 70, 71], [80, 81, 82, 83], [90, 91])


def padded(prompts=PROMPTS):
    """Left-padded ids [B,T] and the mask of real tokens [B,T]."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[False] * (width - len(prompt)) + [True] * len(prompt) for prompt in prompts])
    return ids, mask


def rows(*scales, width=32, seed=3):
    """One delta per row [B,d]: the same direction, scaled."""
    direction = torch.randn(width, generator=torch.Generator().manual_seed(seed))
    return torch.tensor(scales, dtype=torch.float32)[:, None] * direction


@contextmanager
def watching(model, layer):
    """Every output of one layer over all forward passes, after whatever hooks were placed before."""
    seen = []
    handle = decoder_layers(model)[layer].register_forward_hook(
        lambda _module, _args, output: seen.append(residual_of(output, layer).clone())
    )
    yield seen
    handle.remove()


@torch.no_grad()
def generate(model, ids, mask, new=NEW):
    """Greedy, exactly `new` tokens."""
    options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "pad_token_id": 0}
    return model.generate(input_ids=ids, attention_mask=mask.long(), use_cache=True, **options)


@torch.no_grad()
def replay(model, ids, mask, prompt_width):
    """The unsteered model on tokens already known, in the same steps as `generate`: the prompt, then one by
    one."""
    cache, start = None, 0
    positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
    for end in range(prompt_width, ids.shape[1] + 1):
        output = model(
            input_ids=ids[:, start:end],
            attention_mask=mask[:, :end].long(),
            position_ids=positions[:, start:end],
            past_key_values=cache,
            use_cache=True,
        )
        cache, start = output.past_key_values, end


def no_hooks(model):
    return not any(layer._forward_hooks for layer in decoder_layers(model))


def test_strength_0_is_the_model_to_the_bit(any_model):
    ids, mask = padded()
    plain = generate(any_model, ids, mask)
    with record(any_model) as before:
        logits = any_model(input_ids=ids, attention_mask=mask.long()).logits
    with steered(any_model, {LAYER: rows(0, 0, 0)}, mask) as trace, record(any_model) as after:
        assert torch.equal(any_model(input_ids=ids, attention_mask=mask.long()).logits, logits)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    with steered(any_model, {LAYER: rows(0, 0, 0)}, mask) as trace:
        assert torch.equal(generate(any_model, ids, mask), plain)
    assert trace.rows == 3
    assert trace.prompt_tokens == trace.generated_tokens == trace.relative_count == [0, 0, 0]
    assert trace.relative_sum == trace.realised == [0.0, 0.0, 0.0]


def test_the_shift_is_seen_at_every_prompt_token_and_every_generated_token(any_model):
    """The same tokens unsteered: layers below the steered one agree, so its outputs differ by the shift
    alone."""
    ids, mask = padded()
    delta = rows(1.0, 0.0, -0.5)
    with steered(any_model, {LAYER: delta}, mask) as trace, watching(any_model, LAYER) as seen:
        tokens = generate(any_model, ids, mask)
    all_mask = torch.cat([mask, torch.ones(3, NEW, dtype=torch.bool)], dim=1)[:, :-1]
    with watching(any_model, LAYER) as plain:
        replay(any_model, tokens[:, :-1], all_mask, ids.shape[1])
    assert [part.shape[1] for part in seen] == [ids.shape[1]] + [1] * (NEW - 1)
    moved, unmoved = torch.cat(seen, dim=1).float(), torch.cat(plain, dim=1).float()
    exact = any_model.dtype == torch.float32
    for row in range(3):
        real = all_mask[row]
        difference = (moved - unmoved)[row, real]  # [n,d]
        if exact:
            torch.testing.assert_close(difference, delta[row].expand_as(difference), atol=2e-5, rtol=0)
        else:
            step = 2**-8 * torch.maximum(moved[row, real].abs(), unmoved[row, real].abs())
            assert ((difference - delta[row]).abs() <= step + 1e-6).all()
    assert torch.equal(moved[~all_mask], unmoved[~all_mask])
    assert trace.prompt_tokens == [7, 0, 2]
    assert trace.generated_tokens == [NEW - 1, 0, NEW - 1]


def test_padding_is_untouched_to_the_bit(any_model):
    ids, mask = padded()
    call = {"input_ids": ids, "attention_mask": mask.long()}
    with torch.no_grad(), record(any_model) as plain:
        any_model(**call)
    with torch.no_grad(), steered(any_model, {LAYER: rows(1, 1, 1)}, mask), record(any_model) as moved:
        any_model(**call)
    assert torch.equal(moved[LAYER][~mask], plain[LAYER][~mask])
    assert (moved[LAYER] != plain[LAYER])[mask].any(dim=-1).all()


def test_an_unsteered_row_beside_steered_ones_is_untouched_at_the_steered_layer(any_model):
    ids, mask = padded()
    call = {"input_ids": ids, "attention_mask": mask.long()}
    with torch.no_grad(), record(any_model) as plain:
        any_model(**call)
    with torch.no_grad(), steered(any_model, {LAYER: rows(5, 0, -5)}, mask), record(any_model) as moved:
        any_model(**call)
    assert torch.equal(moved[LAYER][1], plain[LAYER][1])


def test_layers_below_the_steered_one_are_untouched_and_those_above_are_not(any_model):
    ids, mask = padded()
    call = {"input_ids": ids, "attention_mask": mask.long()}
    with torch.no_grad(), record(any_model) as plain:
        any_model(**call)
    with torch.no_grad(), steered(any_model, {1: rows(1, 1, 1)}, mask), record(any_model) as moved:
        any_model(**call)
    assert [torch.equal(one, other) for one, other in zip(plain, moved, strict=True)] == [
        True,
        False,
        False,
        False,
    ]


def test_row_i_alone_equals_row_i_in_a_mixed_batch(model):
    scales = (1.0, 0.0, -0.5)
    ids, mask = padded()
    with steered(model, {LAYER: rows(*scales)}, mask):
        together = generate(model, ids, mask)
    for row, prompt in enumerate(PROMPTS):
        ids, mask = padded([prompt])
        with steered(model, {LAYER: rows(scales[row])}, mask):
            assert torch.equal(generate(model, ids, mask)[0, -NEW:], together[row, -NEW:])


def test_a_prompt_mask_that_holds_only_the_last_token_shifts_only_that(model):
    ids, mask = padded()
    last = torch.zeros_like(mask)
    last[:, -1] = True
    with torch.no_grad(), record(model) as plain:
        model(input_ids=ids, attention_mask=mask.long())
    with torch.no_grad(), steered(model, {LAYER: rows(1, 1, 1)}, last) as trace, record(model) as moved:
        model(input_ids=ids, attention_mask=mask.long())
    assert torch.equal(moved[LAYER][:, :-1], plain[LAYER][:, :-1])
    assert (moved[LAYER] != plain[LAYER])[:, -1].any(dim=-1).all()
    assert trace.prompt_tokens == [1, 1, 1]


def test_rows_that_are_finished_are_shifted_no_more(model):
    ids, mask = padded()
    steps = iter(range(NEW))
    answers = [torch.tensor([True, step < 2, True]) for step in steps]
    asked = iter(answers)
    with steered(model, {LAYER: rows(1, 1, 0)}, mask, decode_rows=lambda: next(asked)) as trace:
        generate(model, ids, mask)
    assert trace.generated_tokens == [NEW - 1, 2, 0]


def test_plus_v_then_minus_v_cancels(model):
    ids, mask = padded()
    call = {"input_ids": ids, "attention_mask": mask.long()}
    with torch.no_grad():
        plain = model(**call).logits
        with steered(model, {LAYER: rows(1, 1, 1)}, mask):
            moved = model(**call).logits
        with steered(model, {LAYER: rows(1, 1, 1)}, mask), steered(model, {LAYER: rows(-1, -1, -1)}, mask):
            cancelled = model(**call).logits
    assert (moved - plain)[mask].abs().max() > 0.01
    torch.testing.assert_close(cancelled[mask], plain[mask], atol=1e-4, rtol=0)


def test_several_layers_are_each_shifted_by_their_own_delta(model):
    ids, mask = padded()
    call = {"input_ids": ids, "attention_mask": mask.long()}
    low, high = rows(1, 0, 1, seed=4), rows(0, 0, 2, seed=5)
    with steered(model, {1: low}, mask), torch.no_grad(), record(model) as one:
        model(**call)
    with steered(model, {3: high, 1: low}, mask) as trace, torch.no_grad(), record(model) as both:
        model(**call)
    assert torch.equal(one[1], both[1]) and torch.equal(one[2], both[2])
    shift = (both[3] - one[3]) * mask[:, :, None]
    torch.testing.assert_close(shift, high[:, None] * mask[:, :, None], atol=2e-5, rtol=0)
    assert trace.prompt_tokens == [7, 0, 2], "a token counts once, however many layers shift it"
    assert trace.relative_count == [7, 0, 4]


def test_the_realised_shift_is_that_of_the_residual_stream_after_rounding(any_model):
    ids, mask = padded()
    delta = rows(0.05, 0, 0.2)
    call = {"input_ids": ids, "attention_mask": mask.long()}
    with torch.no_grad(), record(any_model) as plain:
        any_model(**call)
    with torch.no_grad(), steered(any_model, {LAYER: delta}, mask) as trace, record(any_model) as moved:
        any_model(**call)
    before, after = plain[LAYER].float(), moved[LAYER].float()
    ratio = (after - before).norm(dim=-1) / before.norm(dim=-1)
    for row in range(3):
        assert trace.realised[row] == pytest.approx(ratio[row, mask[row]].mean().item(), rel=1e-5)
        asked = (delta[row].norm() / before[row, mask[row]].norm(dim=-1)).mean().item()
        assert trace.realised[row] == pytest.approx(asked, rel=0.05)


def test_no_hook_is_left_after_an_error_inside_the_block(llama):
    _, mask = padded()
    with pytest.raises(ZeroDivisionError), steered(llama, {1: rows(1, 1, 1), 2: rows(1, 1, 1)}, mask):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), record(llama):
        raise ZeroDivisionError
    assert no_hooks(llama)


BAD = {
    "a layer beyond the model": (
        {1: rows(1, 1, 1), 4: rows(1, 1, 1)},
        LayerNotFound,
        "layer 4 .* choose 0 to 3",
    ),
    "a negative layer": ({1: rows(1, 1, 1), -1: rows(1, 1, 1)}, LayerNotFound, "layer -1"),
    "another width": ({1: rows(1, 1, 1), 2: rows(1, 1, 1, width=31)}, SteeringError, "layer 2 .*31"),
    "another batch size": ({1: rows(1, 1, 1), 2: rows(1, 1)}, SteeringError, "layer 2 "),
    "NaN": ({1: rows(1, 1, 1), 2: rows(1, float("nan"), 1)}, SteeringError, "layer 2 holds NaN"),
    "infinity": (
        {1: rows(1, 1, 1), 2: rows(1, float("inf"), 1)},
        SteeringError,
        "layer 2 holds NaN or infinity",
    ),
    "another dtype": ({1: rows(1, 1, 1), 2: rows(1, 1, 1).bfloat16()}, SteeringError, "layer 2 .*bfloat16"),
    "one vector for all rows": ({1: rows(1, 1, 1), 2: rows(1)[0]}, SteeringError, "layer 2 "),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_second_layer_is_refused_before_any_hook_is_placed(llama, case):
    deltas, error, message = BAD[case]
    _, mask = padded()
    entered = False
    with pytest.raises(error, match=message), steered(llama, deltas, mask):
        entered = True
    assert not entered
    assert no_hooks(llama)


@pytest.mark.parametrize("mask", [padded()[1].long(), padded()[1][0]])
def test_a_prompt_mask_that_is_no_mask_is_refused(llama, mask):
    with pytest.raises(SteeringError, match="prompt_mask"), steered(llama, {}, mask):
        pass
    assert no_hooks(llama)


@pytest.mark.parametrize("shape", [(3, 8), (3, 6), (3, 1), (2, 7), (6, 7)])
def test_a_prompt_of_another_size_than_the_mask_is_refused(llama, shape):
    _, mask = padded()
    with pytest.raises(SteeringError, match="for the prompt"), steered(llama, {LAYER: rows(1, 1, 1)}, mask):
        llama(input_ids=torch.ones(shape, dtype=torch.long))
    assert no_hooks(llama)


def test_a_second_pass_of_more_than_one_token_is_refused(llama):
    ids, mask = padded()
    with pytest.raises(SteeringError, match="for a generated token"), torch.no_grad():  # noqa: SIM117
        with steered(llama, {LAYER: rows(1, 1, 1)}, mask):
            llama(input_ids=ids)
            llama(input_ids=ids)
    assert no_hooks(llama)


@pytest.mark.parametrize("answer", [torch.ones(2).bool(), torch.ones(3), torch.ones(3, 1).bool()])
def test_decode_rows_must_answer_for_every_row(llama, answer):
    ids, mask = padded()
    with pytest.raises(SteeringError, match="decode_rows gave"):  # noqa: SIM117
        with steered(llama, {LAYER: rows(1, 1, 1)}, mask, decode_rows=lambda: answer):
            generate(llama, ids, mask)
    assert no_hooks(llama)


@pytest.mark.parametrize(
    "wrap", [list, lambda output: {"hidden": output}, lambda output: output[0, :, :].long()]
)
def test_an_unknown_layer_output_is_refused_and_never_passed_on_unsteered(llama, wrap):
    ids, mask = padded()
    handle = decoder_layers(llama)[LAYER].register_forward_hook(lambda _module, _args, output: wrap(output))
    try:
        with pytest.raises(UnknownLayerOutput, match=f"layer {LAYER} returned"):  # noqa: SIM117
            with steered(llama, {LAYER: rows(1, 1, 1)}, mask):
                llama(input_ids=ids)
    finally:
        handle.remove()
    assert no_hooks(llama)


@pytest.mark.parametrize(
    "output", [None, (), [torch.ones(1, 1, 1)], torch.ones(1, 1), torch.ones(1, 1, 1).long()]
)
def test_only_a_floating_tensor_of_three_dimensions_is_a_residual_stream(output):
    with pytest.raises(UnknownLayerOutput, match="decoder layer 3 returned"):
        residual_of(output, 3)


def test_of_a_tuple_the_first_part_is_shifted_and_the_rest_is_passed_on(llama):
    ids, mask = padded()
    got = []
    layer = decoder_layers(llama)[LAYER]
    first = layer.register_forward_hook(lambda _module, _args, output: (output, "more"))
    with torch.no_grad(), steered(llama, {LAYER: rows(1, 1, 1)}, mask) as trace:
        last = layer.register_forward_hook(lambda _module, _args, output: got.append(output) or output[0])
        llama(input_ids=ids)
    first.remove()
    last.remove()
    (output,) = got
    assert isinstance(output, tuple) and output[1] == "more"
    assert trace.prompt_tokens == [7, 4, 2]


def test_a_recording_holds_every_layer_of_the_latest_pass(model):
    ids, _ = padded()
    with torch.no_grad(), record(model) as outputs:
        model(input_ids=ids)
        model(input_ids=ids[:, :3])
    assert [output.shape for output in outputs] == [(3, 3, 32)] * 4
    assert no_hooks(model)
