"""A dosed block does to a model of one's own what the engine's hooks do, whatever is called inside it."""

import pytest
import torch
from families import family_model
from steered_runs import LAYER, NEW, PROMPTS, generate, padded, reading, relative

from steering.condition import Condition
from steering.errors import LayerNotFound, SteeringError, VectorMismatch
from steering.extraction import extract
from steering.hooks import steered as steered_batch
from steering.layers import decoder_layers
from steering.session import steered
from steering.vectors import VectorLibrary

CALM = Condition("calm", 0.2, (LAYER,))
MIXED = (CALM, Condition.baseline(), Condition("desperate", -0.3, (0, 2), "assistant"))


@pytest.fixture
def library(llama, make_library, tmp_path):
    return make_library(llama, tmp_path, "calm", "desperate")


def no_hooks(model):
    return not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral", "bamba", "gemma3_vision", "bloom", "mamba2"])
def test_a_dosed_block_shifts_what_a_steered_batch_shifts(family, make_library, tmp_path):
    model = family_model(family)
    library = make_library(model, tmp_path, "calm")
    ids, mask = padded(PROMPTS)
    rows = library.delta(CALM)[LAYER].expand(3, -1)
    with steered_batch(model, {LAYER: rows}, mask) as trace:
        expected = generate(model, ids, mask)
    with steered(model, CALM, library) as tally:
        found = generate(model, ids, mask)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert tally.shifts == sum(map(len, PROMPTS)) + 3 * (NEW - 1)
    total = sum(trace.relative_sum) / sum(trace.relative_count)
    assert tally.realised == pytest.approx(total, rel=1e-5)
    assert no_hooks(model)


def test_rows_have_conditions_of_their_own_and_the_baseline_is_untouched(llama, library):
    ids, mask = padded(PROMPTS)
    _, plain = generate(llama, ids, mask)
    with steered(llama, MIXED, library) as tally:
        together, logits = generate(llama, ids, mask)
    assert torch.equal(logits[:, 1], plain[:, 1])
    for row, condition in enumerate(MIXED):
        one, real = padded([PROMPTS[row]])
        with steered(llama, condition, library):
            alone, _ = generate(llama, one, real)
        assert torch.equal(alone[0, -NEW:], together[row, -NEW:])
    fed_back = NEW - 1
    assert tally.shifts == (len(PROMPTS[0]) + fed_back) + 2 * (1 + fed_back)


def test_assistant_positions_are_what_was_written_the_last_token_and_what_is_generated(llama, library):
    ids, mask = padded(PROMPTS)
    written = torch.zeros_like(mask)
    written[0, 2:4] = True
    dose = Condition("calm", 0.5, (LAYER,), "assistant")
    with torch.no_grad(), reading(llama, LAYER + 1) as plain:
        llama(input_ids=ids, attention_mask=mask.long())
    for marks in (None, written):
        with reading(llama, LAYER + 1) as moved, steered(llama, dose, library, marks) as tally:
            generate(llama, ids, mask)
        shifted = (moved[0] - plain[0]).norm(dim=-1) > 1e-3
        expected = torch.zeros_like(mask) if marks is None else marks.clone()
        expected[:, -1] = True
        assert torch.equal(shifted, expected)
        assert tally.shifts == expected.sum() + 3 * (NEW - 1)


def test_right_padding_is_never_shifted(llama, library):
    ids, mask = padded(PROMPTS, side="right")
    for dose in (CALM, Condition("calm", 0.2, (LAYER,), "assistant")):
        with torch.no_grad(), reading(llama, LAYER + 1) as plain:
            llama(input_ids=ids, attention_mask=mask.long())
        with torch.no_grad(), reading(llama, LAYER + 1) as moved, steered(llama, dose, library):
            llama(input_ids=ids, attention_mask=mask.long())
        moved_tokens = (moved[0] != plain[0]).any(dim=-1)
        assert not moved_tokens[~mask].any()
        last = [len(prompt) - 1 for prompt in PROMPTS]
        assert moved_tokens[range(3), last].all()
        assert moved_tokens.sum() == (mask.sum() if dose is CALM else 3)


def test_a_call_without_a_mask_has_only_real_tokens_and_several_calls_add_up(llama, library):
    with torch.no_grad(), steered(llama, CALM, library) as tally:
        llama(torch.arange(65, 70)[None])
        assert tally.shifts == 5
        llama(input_ids=torch.arange(65, 69).expand(2, -1))
    assert tally.shifts == 13
    assert tally.realised > 0


def test_the_size_of_a_dose_is_strength_times_mean_norm(llama, library):
    with torch.no_grad(), reading(llama, LAYER + 1) as plain:
        llama(torch.arange(65, 70)[None])
    with torch.no_grad(), reading(llama, LAYER + 1) as moved, steered(llama, CALM, library.folder):
        llama(torch.arange(65, 70)[None])
    vector = library.get("calm")
    expected = 0.2 * vector.mean_norm[LAYER] * vector.unit[LAYER]
    assert relative(moved[0] - plain[0], expected).max() < 1e-5


@pytest.mark.filterwarnings("ignore:.*is unbalanced")
def test_what_extract_returned_a_folder_and_a_library_are_alike(llama, tokenizer, tmp_path):
    from steering.vectors import save

    lines = [
        f'{{"emotion": "{name}", "text": "{name[::-1]} {"and on " * 20}"}}' for name in ("calm", "angry")
    ]
    (tmp_path / "stories.jsonl").write_text("\n".join(lines))
    made = extract(llama, tokenizer, str(tmp_path / "stories.jsonl"), progress=False)
    save(tmp_path / "made", *made.values())
    meta = made["calm"].meta
    opened = VectorLibrary(tmp_path / "made", meta.fingerprint, meta.layers, meta.width)
    found = []
    for vectors in (made, tmp_path / "made", str(tmp_path / "made"), opened):
        with torch.no_grad(), steered(llama, Condition("random:3", 1.0, (1, 2)), vectors):
            found.append(llama(torch.arange(65, 70)[None]).logits)
    assert all(torch.equal(found[0], other) for other in found)


def test_vectors_of_another_model_are_refused_in_every_form(make_model, library):
    other = make_model("gpt2")
    for vectors in (library, library.folder, {"calm": library.get("calm")}):
        with pytest.raises(VectorMismatch, match="made for another model"), steered(other, CALM, vectors):
            pass
    assert no_hooks(other)


BAD = {
    "a layer beyond the model": (Condition("calm", 0.1, (1, 9)), LayerNotFound, "layer 9 .* choose 0 to 3"),
    "an unknown vector": (Condition("clam", 0.1, (1,)), VectorMismatch, "no vector 'clam' .*choose calm"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_dose_that_cannot_be_given_is_refused_before_any_hook_is_placed(llama, library, case):
    condition, error, message = BAD[case]
    with pytest.raises(error, match=message), steered(llama, [CALM, condition], library):
        pass
    assert no_hooks(llama)


def test_no_vectors_at_all_are_refused(llama):
    with pytest.raises(VectorMismatch, match="no vectors were given"), steered(llama, CALM, {}):
        pass


def test_a_batch_of_other_rows_than_conditions_is_refused(llama, library):
    with pytest.raises(SteeringError, match="3 conditions for a batch of 2 rows"):  # noqa: SIM117
        with steered(llama, MIXED, library), torch.no_grad():
            llama(torch.arange(65, 69).expand(2, -1))
    assert no_hooks(llama)


def test_a_mask_that_does_not_tell_padding_is_refused(llama, library):
    mask = torch.zeros(1, 1, 4, 4)
    with pytest.raises(SteeringError, match="padding cannot be told"):  # noqa: SIM117
        with steered(llama, CALM, library), torch.no_grad():
            llama(torch.arange(65, 69)[None], attention_mask=mask)


def test_written_tokens_must_have_the_prompts_shape(llama, library):
    dose = Condition("calm", 0.5, (LAYER,), "assistant")
    written = torch.ones(1, 3, dtype=torch.bool)
    with pytest.raises(SteeringError, match=r"expected bool of \(1, 4\)"):  # noqa: SIM117
        with steered(llama, dose, library, written), torch.no_grad():
            llama(torch.arange(65, 69)[None])


def test_no_hook_is_left_after_an_error_inside_the_block(llama, library):
    with pytest.raises(ZeroDivisionError), steered(llama, CALM, library):
        raise ZeroDivisionError
    assert no_hooks(llama)
    assert not any(layer._forward_hooks for layer in decoder_layers(llama))


def test_a_layer_that_runs_outside_of_a_call_is_refused(llama, library):
    hidden = torch.ones(1, 2, 32)
    places = llama.model.rotary_emb(hidden, torch.arange(2)[None])
    with pytest.raises(SteeringError, match="ran by itself"):  # noqa: SIM117
        with steered(llama, CALM, library), torch.no_grad():
            llama(torch.arange(65, 69)[None])
            decoder_layers(llama)[LAYER](hidden, position_embeddings=places)


def test_a_mask_of_other_rows_than_the_batch_is_refused(llama, library):
    with pytest.raises(SteeringError, match=r"mask of \(1, 4\) for 2 rows of 4 tokens"):  # noqa: SIM117
        with steered(llama, CALM, library), torch.no_grad():
            llama(torch.arange(65, 69).expand(2, -1), attention_mask=torch.ones(1, 4, dtype=torch.long))


def test_a_model_that_the_probe_refuses_is_refused_here_too(make_library, tmp_path):
    model = family_model("minimax")
    library = make_library(model, tmp_path, "calm")
    with pytest.raises(SteeringError, match="padding changes the logits"), steered(model, CALM, library):
        pass
    assert no_hooks(model)
