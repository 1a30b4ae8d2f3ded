"""Laws of steered generation in batches."""

import asyncio

import pytest
import torch
from engine_requests import MIXED, TEXTS, dose, request

from steering.condition import Condition
from steering.engine import Engine
from steering.errors import SteeringError
from steering.loop import Loop
from steering.receipt import check


@pytest.fixture
def engine(model, tokenizer, make_library, tmp_path):
    return Engine(model, tokenizer, make_library(model, tmp_path, "desperate", "calm"))


@pytest.fixture
def llama_engine(llama, tokenizer, make_library, tmp_path):
    return Engine(llama, tokenizer, make_library(llama, tmp_path, "desperate", "calm"))


def mixed(tokenizer, temperature):
    return [
        request(text, tokenizer, condition, stream=f"run {row}", temperature=temperature)
        for row, (text, condition) in enumerate(zip(TEXTS, MIXED, strict=True))
    ]


def generated(model, prompts, max_tokens=12):
    """What the model's own `generate` writes greedily after left-padded prompts: tokens and their scores."""
    width = max(map(len, prompts))
    with torch.inference_mode():
        output = model.generate(
            input_ids=torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in prompts]),
            attention_mask=torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]),
            do_sample=False,
            max_new_tokens=max_tokens,
            output_logits=True,
            return_dict_in_generate=True,
        )
    return output.sequences[:, width:].tolist(), [step.float() for step in output.logits]


def as_one(request):
    """The request, to be compared with others."""
    return (bytes(request.prompt_ids), request.stream)


@pytest.fixture
def seen_scores(monkeypatch):
    """The scores of every row by its request, one per token."""
    seen = {}
    original = Loop._write

    def watched(self, rows, scores):
        for row, its in zip(rows, scores, strict=True):
            seen.setdefault(as_one(row.request), []).append(its.clone())
        return original(self, rows, scores)

    monkeypatch.setattr(Loop, "_write", watched)
    return seen


def test_greedy_rows_are_those_of_generate(engine, model, tokenizer):
    rows = [request(text, tokenizer, stream=f"{n}", temperature=0.0) for n, text in enumerate(TEXTS * 5)]
    done = engine.run(rows)
    theirs, _ = generated(model, [list(row.prompt_ids) for row in rows])
    eos = tokenizer.eos_token_id
    for one, tokens in zip(done, theirs, strict=True):
        assert one.path == "loop"
        assert one.ids == (tokens[: tokens.index(eos) + 1] if eos in tokens else tokens)


def test_greedy_rows_under_a_dose_are_those_of_generate_with_hooks(engine, model, tokenizer):
    from steering.hooks import steered

    delta = engine.library.delta(dose())
    ids = tokenizer(TEXTS[2])["input_ids"]
    mask = torch.ones(1, len(ids), dtype=torch.bool)
    with steered(model, {layer: shift[None] for layer, shift in delta.items()}, mask):
        [theirs], _ = generated(model, [ids])
    rows = [request(text, tokenizer, c, temperature=0.0) for text in TEXTS for c in (dose(), None)]
    done = engine.run(rows)[TEXTS.index(TEXTS[2]) * 2]
    assert done.ids == theirs[: len(done.ids)] and len(done.ids) > 3


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_row_i_alone_equals_row_i_in_a_mixed_batch(engine, tokenizer, temperature):
    requests = mixed(tokenizer, temperature)
    together = engine.run(requests)
    alone = [engine.run([one])[0] for one in requests]
    assert [row.ids for row in together] == [row.ids for row in alone]
    assert [row.text for row in together] == [row.text for row in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.receipt.realised == pytest.approx(other.receipt.realised, rel=1e-4)
        assert one.receipt.prompt_tokens_steered == other.receipt.prompt_tokens_steered
        assert one.receipt.generated_tokens_steered == other.receipt.generated_tokens_steered


def test_every_row_of_a_mixed_batch_brings_a_receipt_that_proves_its_condition(engine, tokenizer):
    requests = mixed(tokenizer, 1.0)
    for one, done in zip(requests, engine.run(requests), strict=True):
        check(done.receipt, one.condition, engine.library.hash(one.condition))
        assert done.prompt_tokens == len(one.prompt_ids) == done.receipt.prompt_tokens
        assert done.generated_tokens == len(done.ids) == done.receipt.generated_tokens


def test_scores_of_an_unsteered_row_are_those_of_plain_generate_to_the_bit(
    engine, model, tokenizer, seen_scores
):
    row = request(TEXTS[2], tokenizer, temperature=0.0)
    ids = engine.run([row])[0].ids
    [theirs], scores = generated(model, [row.prompt_ids])
    ours = seen_scores[as_one(row)]
    assert ids == theirs[: len(ids)]
    assert all(torch.equal(one, other[0]) for one, other in zip(ours, scores, strict=False))


def test_scores_of_unsteered_rows_of_equal_length_are_those_of_plain_generate_to_the_bit(
    engine, model, tokenizer, seen_scores
):
    rows = [request(text, tokenizer, stream=text, temperature=0.0) for text in ("Good day.", "Dear all.")]
    engine.run(rows)
    _, scores = generated(model, [row.prompt_ids for row in rows])
    for number, row in enumerate(rows):
        ours = seen_scores[as_one(row)]
        assert all(torch.equal(one, other[number]) for one, other in zip(ours, scores, strict=False))


def test_scores_of_a_baseline_row_are_the_same_beside_steered_rows_to_the_bit(
    llama_engine, tokenizer, seen_scores
):
    rows = [request(text, tokenizer, stream=text, temperature=0.0) for text in TEXTS]
    llama_engine.run(rows)
    plain = dict(seen_scores)
    seen_scores.clear()
    steered_rows = [
        request(text, tokenizer, dose(strength=1e-4) if n else None, stream=text, temperature=0.0)
        for n, text in enumerate(TEXTS)
    ]
    llama_engine.run(steered_rows)
    first = as_one(rows[0])
    assert len(plain[first]) > 3
    assert all(torch.equal(one, other) for one, other in zip(plain[first], seen_scores[first], strict=True))


def test_mixture_of_experts_beside_steered_rows_changes_by_rounding_only(
    make_model, tokenizer, make_library, tmp_path, seen_scores
):
    model = make_model("mixtral")
    engine = Engine(model, tokenizer, make_library(model, tmp_path))
    rows = [request(text, tokenizer, stream=text, temperature=0.0) for text in TEXTS]
    engine.run(rows[:1])
    alone = seen_scores.pop(as_one(rows[0]))
    engine.run([rows[0], *(request(text, tokenizer, dose(), text, 0.0) for text in TEXTS[1:])])
    for one, other in zip(alone, seen_scores[as_one(rows[0])], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_a_rerun_repeats_and_another_stream_differs(llama_engine, tokenizer):
    first, again, other = (
        llama_engine.run([request(TEXTS[0], tokenizer, dose(), stream)])[0].ids for stream in "aab"
    )
    assert first == again != other


def test_doses_share_their_random_stream(llama_engine, tokenizer):
    """A dose too small to matter chooses the tokens that the baseline chooses; a large one does not."""
    doses = [Condition.baseline(), dose(strength=1e-6), dose(strength=2.0)]
    none, tiny, large = (
        llama_engine.run([request(TEXTS[0], tokenizer, condition, "a")])[0].ids for condition in doses
    )
    assert none == tiny != large


def test_usage_and_receipt_leave_out_padding_and_what_follows_the_end(llama_engine, tokenizer):
    """Nothing of what stands beside or behind a row is counted, steered or returned."""
    rows = [
        request(text, tokenizer, dose(), stream=f"{text} {n}", max_tokens=200)
        for n in range(8)
        for text in TEXTS
    ]
    done = llama_engine.run(rows)
    lengths = [row.generated_tokens for row in done]
    assert min(lengths) < 100 < max(lengths), "the tiny model should end some rows early and not others"
    for one, row in zip(rows, done, strict=True):
        check(row.receipt, one.condition, llama_engine.library.hash(one.condition))
        ended = row.ids[-1] == tokenizer.eos_token_id
        assert row.stop_reason == ("stop" if ended else "max_tokens")
        assert tokenizer.eos_token_id not in row.ids[:-1]
        assert ended or row.generated_tokens == 200


def test_assistant_positions_steer_earlier_turns_the_last_prompt_token_and_what_is_generated(
    llama_engine, tokenizer
):
    marks = [False, True, True, True] + [False] * (len(TEXTS[0]) - 4)
    condition = dose(positions="assistant")
    done = llama_engine.run([request(TEXTS[0], tokenizer, condition, assistant_mask=marks)])[0]
    assert done.receipt.prompt_tokens_steered == 4
    assert done.receipt.generated_tokens_steered == done.generated_tokens - 1


def test_a_stop_string_ends_a_row_and_stays_in_its_text(llama_engine, tokenizer):
    free = llama_engine.run([request(TEXTS[0], tokenizer, max_tokens=40)])[0]
    stop = free.text[5:7]
    done = llama_engine.run([request(TEXTS[0], tokenizer, max_tokens=40, stop=(stop,))])[0]
    assert done.stop_reason == "stop"
    assert stop in done.text and free.text.startswith(done.text) and len(done.text) < len(free.text)


def test_a_conversation_beyond_the_models_positions_is_an_error_and_never_cut(llama_engine, tokenizer):
    with pytest.raises(SteeringError, match="4100 positions, the model has 4096"):
        llama_engine.run([request("x" * 4000, tokenizer, max_tokens=100)])


def test_a_dose_without_vectors_is_refused(llama, tokenizer):
    engine = Engine(llama, tokenizer)
    with pytest.raises(SteeringError, match="no vectors"):
        engine.run([request("x", tokenizer, dose())])
    assert engine.run([request("x", tokenizer)])[0].receipt.prompt_tokens_steered == 0


def test_submitted_requests_of_all_settings_come_back_as_if_run_alone(llama_engine, tokenizer):
    rows = [
        request(text, tokenizer, condition, f"{n}", temperature, max_tokens)
        for n, (text, condition) in enumerate(zip(TEXTS * 3, MIXED * 3, strict=True))
        for temperature, max_tokens in ((0.0, 5), (1.0, 9), (1.0, 4))
    ]

    async def all_at_once():
        return await asyncio.gather(*(llama_engine.submit(row) for row in rows))

    for row, done in zip(rows, asyncio.run(all_at_once()), strict=True):
        assert done.ids == llama_engine.run([row])[0].ids
        check(done.receipt, row.condition, llama_engine.library.hash(row.condition))


def test_two_engines_of_one_model_never_mix_their_rows(llama, tokenizer, make_library, tmp_path):
    library = make_library(llama, tmp_path)
    engines = [Engine(llama, tokenizer, library) for _ in range(2)]
    rows = [request("hello", tokenizer, c, f"{n}") for n in range(6) for c in (dose(), Condition.baseline())]
    expected = [engines[0].run([row])[0].ids for row in rows]

    async def both():
        return await asyncio.gather(*(engines[n % 2].submit(row) for n, row in enumerate(rows)))

    assert [done.ids for done in asyncio.run(both())] == expected
