"""The laws of steering, for every family of models: measured where the next layer reads (`steered_runs`)."""

from typing import Any

import pytest
import torch
from families import ACCEPTED, MIXES_ROWS, MULTIMODAL, N_LAYERS, REFUSED, WIDTH, family_model
from steered_runs import (
    LAYER,
    NEW,
    PROMPTS,
    SCALES,
    STRENGTH,
    forward,
    generate,
    padded,
    reading,
    relative,
    run_of,
)

from steering.condition import Condition
from steering.engine import Engine
from steering.errors import SteeringError, UnknownLayerOutput
from steering.hooks import steered
from steering.layers import Shape, decoder_layers
from steering.probe import probe
from steering.receipt import check
from steering.request import Request

REFUSALS = {
    "minimax": (SteeringError, "padding changes the logits of MiniMaxForCausalLM"),
    "recurrent_gemma": (SteeringError, "padding changes the logits of RecurrentGemmaForCausalLM"),
    "rwkv": (SteeringError, "other rows change the logits of RwkvForCausalLM"),
    "gemma3n": (UnknownLayerOutput, "decoder layer 0 returned"),
}

families = pytest.mark.parametrize("family", ACCEPTED)
both_dtypes = pytest.mark.parametrize("dtype", STRENGTH)


@families
def test_the_shift_is_the_dose_at_every_prompt_token_and_every_generated_token(family: str) -> None:
    run = run_of(family)
    for row in (0, 2):
        shift = (run.moved - run.plain)[row, run.real[row]]  # [n,d]
        assert len(shift) == len(PROMPTS[row]) + NEW - 1
        assert relative(shift, run.delta[row]).max() < 1e-5


@families
def test_in_bfloat16_the_shift_is_within_3_percent_and_on_average_within_1(family: str) -> None:
    run = run_of(family, "bfloat16")
    doses = []
    for row in (0, 2):
        shift = (run.moved - run.plain)[row, run.real[row]]  # [n,d]
        along = shift @ run.delta[row] / run.delta[row].norm() ** 2
        size = shift.norm(dim=-1) / run.delta[row].norm()
        assert (along - 1).abs().max() < 0.03 and (size - 1).abs().max() < 0.03
        doses.append(along)
    assert abs(torch.cat(doses).mean() - 1) < 0.01


@both_dtypes
@families
def test_what_is_reported_is_the_shift_as_it_was_realised(family: str, dtype: str) -> None:
    run = run_of(family, dtype)
    for row in range(3):
        real = run.real[row]
        ratio = relative(run.moved[row, real], run.plain[row, real])
        assert run.realised[row] == pytest.approx(ratio.mean().item(), rel=1e-4)
        assert run.counted[row] == (real.sum() if SCALES[row] else 0)


@both_dtypes
@families
def test_padding_and_the_unsteered_row_are_untouched_to_the_bit(family: str, dtype: str) -> None:
    run = run_of(family, dtype)
    assert (~run.real).any()
    assert torch.equal(run.moved[~run.real], run.plain[~run.real])
    assert torch.equal(run.moved[1], run.plain[1])


@families
def test_strength_0_beside_steered_rows_is_the_unsteered_model(family: str) -> None:
    """To the bit in dense models; where experts see all rows together, within 1e-6."""
    run = run_of(family)
    assert (run.steered_logits != run.plain_logits)[:, [0, 2]].any(dim=-1).all()
    mixed, plain = run.steered_logits[:, 1], run.plain_logits[:, 1]
    if family not in MIXES_ROWS:
        assert torch.equal(mixed, plain)
    assert relative(mixed, plain).max() < 1e-6


@both_dtypes
@families
def test_a_batch_of_strength_0_is_the_unsteered_model_to_the_bit(family: str, dtype: str) -> None:
    model, run = family_model(family, dtype), run_of(family, dtype)
    ids, mask = padded(PROMPTS)
    with steered(model, {LAYER: 0 * run.delta}, mask):
        _, logits = generate(model, ids, mask, force=run.tokens)
    assert torch.equal(logits, run.plain_logits)


@families
def test_row_i_alone_is_row_i_of_a_mixed_batch(family: str) -> None:
    model, run = family_model(family), run_of(family)
    for row, prompt in enumerate(PROMPTS):
        ids, mask = padded([prompt])
        with steered(model, {LAYER: run.delta[row : row + 1]}, mask):
            tokens, logits = generate(model, ids, mask)
        assert torch.equal(tokens[0, -NEW:], run.tokens[row, -NEW:])
        assert relative(logits[:, 0], run.steered_logits[:, row]).max() < 1e-3


@families
def test_plus_v_then_minus_v_cancels(family: str) -> None:
    model, run = family_model(family), run_of(family)
    ids, mask = padded(PROMPTS)
    with steered(model, {LAYER: run.delta}, mask), steered(model, {LAYER: -run.delta}, mask):
        _, logits = generate(model, ids, mask, force=run.tokens)
    moved = (run.steered_logits - run.plain_logits)[:, [0, 2]].norm()
    assert (logits - run.plain_logits)[:, [0, 2]].norm() < 1e-3 * moved


@families
def test_left_and_right_padding_are_alike(family: str) -> None:
    model, run = family_model(family), run_of(family)
    found = []
    for side in ("left", "right"):
        ids, mask = padded(PROMPTS, side)
        with torch.no_grad(), steered(model, {LAYER: run.delta}, mask):
            logits = forward(model, ids, mask)
        last = [mask.shape[1] - 1 if side == "left" else len(prompt) - 1 for prompt in PROMPTS]
        found.append(logits[range(len(last)), last])
    assert relative(found[0], found[1]).max() < 1e-5
    assert relative(found[0], run.steered_logits[0]).max() < 1e-5


@families
def test_several_layers_are_each_shifted_by_their_own_delta(family: str) -> None:
    model, run = family_model(family), run_of(family)
    ids, mask = padded(PROMPTS)
    low, high = run.delta, run.delta.roll(1, dims=1).flip(0)
    call = {"ids": ids, "mask": mask, "force": run.tokens}
    with reading(model, 1) as first, reading(model, 3) as before, steered(model, {0: low}, mask):
        generate(model, **call)
    with (
        reading(model, 1) as first_again,
        reading(model, 3) as after,
        steered(model, {2: high, 0: low}, mask) as trace,
    ):
        generate(model, **call)
    assert torch.equal(torch.cat(first, dim=1), torch.cat(first_again, dim=1))
    shift = torch.cat(after, dim=1) - torch.cat(before, dim=1)  # [B,n,d]
    for row in (0, 2):
        assert relative(shift[row, run.real[row]], high[row]).max() < 1e-5
    assert trace.prompt_tokens == [9, 0, 2], "a token counts once, however many layers shift it"


CONVERSATION = list(range(65, 81))
WRITTEN = [*[False] * 3, *[True] * 4, *[False] * 2, *[True] * 3, *[False] * 4]
"""Two earlier turns of the model's own."""


@pytest.mark.parametrize("positions", ["all", "assistant"])
@families
def test_an_engine_shifts_exactly_the_tokens_of_the_positions(
    family: str, positions: Any, tokenizer: Any, make_library: Any, tmp_path: Any
) -> None:
    """However it lays out its passes: every token that the layer after the steered one should read is read,
    shifted or not as it should be, and never the other way. (In some hybrids tokens one at a time give
    another state than all at once, by some 1e-4, steered or not.)"""
    model = family_model(family)
    library = make_library(model, tmp_path, "desperate")
    condition = Condition("desperate", 0.5, (LAYER,), positions)
    engine = Engine(model, tokenizer, library)
    request = Request(CONVERSATION, WRITTEN, condition, "stream", 1.0, 1.0, NEW)
    engine.run([request])
    with reading(model, LAYER + 1) as read:
        [done] = engine.run([request])
    check(done.receipt, condition, library.hash(condition))
    with torch.no_grad(), reading(model, LAYER + 1) as plain:
        everything = torch.tensor([[*CONVERSATION, *done.ids[:-1]]])
        forward(model, everything, torch.ones_like(everything, dtype=torch.bool))
    fed_back = len(done.ids) - 1
    written = torch.tensor([*WRITTEN[:-1], True, *[True] * fed_back])
    shifted = written if positions == "assistant" else torch.ones_like(written)
    delta = library.delta(condition)[LAYER]
    seen = torch.cat([part.reshape(-1, WIDTH) for part in read])  # [N,d]
    right = plain[0][0] + shifted[:, None] * delta
    wrong = plain[0][0] + ~shifted[:, None] * delta
    assert (torch.cdist(right, seen).min(dim=1).values / delta.norm()).max() < 0.01
    assert (torch.cdist(wrong, seen).min(dim=1).values / delta.norm()).min() > 0.5
    steered_tokens = done.receipt.prompt_tokens_steered + done.receipt.generated_tokens_steered
    assert steered_tokens == shifted.sum()


@families
def test_the_probe_understands_the_family(family: str) -> None:
    assert probe(family_model(family)) == Shape(N_LAYERS, WIDTH)


@pytest.mark.parametrize("family", REFUSED)
def test_the_probe_refuses_what_breaks_a_law(family: str) -> None:
    error, message = REFUSALS[family]
    with pytest.raises(error, match=message):
        probe(family_model(family))


@pytest.mark.parametrize("family", MULTIMODAL)
def test_of_a_multimodal_model_the_text_decoder_is_steered(family: str) -> None:
    model = family_model(family)
    names = {name for name, module in model.named_modules() if module in set(decoder_layers(model))}
    assert names == {f"model.language_model.layers.{layer}" for layer in range(N_LAYERS)}
