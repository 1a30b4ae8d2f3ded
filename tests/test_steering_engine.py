"""Laws of steered generation in batches."""

import asyncio
import threading

import pytest
import torch

from steering.condition import Condition
from steering.engine import Engine, Request
from steering.errors import SteeringError
from steering.receipt import check
from steering.sampling import RowSampler

LAYER = 2
TEXTS = ("Good morning.", "x", "A rather longer prompt, to be padded around.", "Dear all,")


def dose(vector="desperate", strength=0.5, layers=(LAYER,), positions="all"):
    return Condition(vector, strength, layers, positions) if strength else Condition.baseline()


MIXED = (
    dose(),
    Condition.baseline(),
    dose("calm", -0.3, (1, 3)),
    dose("random:7", 0.4, positions="assistant"),
)


@pytest.fixture
def engine(model, tokenizer, make_library, tmp_path):
    return Engine(model, tokenizer, make_library(model, tmp_path, "desperate", "calm"))


@pytest.fixture
def llama_engine(llama, tokenizer, make_library, tmp_path):
    return Engine(llama, tokenizer, make_library(llama, tmp_path, "desperate", "calm"))


def request(text, tokenizer, condition=None, stream="s", temperature=1.0, max_tokens=12, **settings):
    ids = tokenizer(text)["input_ids"]
    return Request(
        prompt_ids=ids,
        assistant_mask=settings.pop("assistant_mask", [False] * len(ids)),
        condition=condition or Condition.baseline(),
        stream=stream,
        temperature=temperature,
        top_p=settings.pop("top_p", 1.0),
        max_tokens=max_tokens,
        **settings,
    )


def mixed(tokenizer, temperature):
    return [
        request(text, tokenizer, condition, stream=f"run {row}", temperature=temperature)
        for row, (text, condition) in enumerate(zip(TEXTS, MIXED, strict=True))
    ]


def plain_generate(model, tokenizer, text, processors=(), max_tokens=12):
    encoded = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            do_sample=False,
            max_new_tokens=max_tokens,
            logits_processor=list(processors),
        )
    return output[0, encoded["input_ids"].shape[1] :].tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_row_i_alone_equals_row_i_in_a_mixed_left_padded_batch(engine, tokenizer, temperature):
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


@pytest.mark.parametrize("beside", [Condition.baseline(), dose(strength=1.0)], ids=["unsteered", "mixed"])
def test_a_baseline_row_is_plain_generate_to_the_bit_greedy(llama_engine, llama, tokenizer, beside):
    rows = [request(TEXTS[0], tokenizer, condition, temperature=0.0) for condition in (None, beside)]
    assert llama_engine.run(rows)[0].ids == plain_generate(llama, tokenizer, TEXTS[0])


def test_a_baseline_row_is_plain_generate_to_the_bit_sampled(llama_engine, llama, tokenizer):
    plain = plain_generate(
        llama, tokenizer, TEXTS[2], [RowSampler(["s"], 1.0, 1.0, 12, [tokenizer.eos_token_id])]
    )
    assert llama_engine.run([request(TEXTS[2], tokenizer, stream="s")])[0].ids == plain


@pytest.fixture
def seen_scores(monkeypatch):
    """The scores that every step of a generation hands to the sampler."""
    seen = []
    original = RowSampler.__call__
    monkeypatch.setattr(
        RowSampler,
        "__call__",
        lambda self, input_ids, scores: seen.append(scores.clone()) or original(self, input_ids, scores),
    )
    return seen


def test_scores_of_unsteered_rows_are_those_of_plain_generate_to_the_bit(
    engine, model, tokenizer, seen_scores
):
    ours = engine.run([request(TEXTS[0], tokenizer)])[0].ids
    scores = list(seen_scores)
    seen_scores.clear()
    eos = [tokenizer.eos_token_id]
    assert ours == plain_generate(model, tokenizer, TEXTS[0], [RowSampler(["s"], 1.0, 1.0, 12, eos)])
    assert all(torch.equal(one, other) for one, other in zip(scores, seen_scores, strict=True))


def test_scores_of_a_baseline_row_are_the_same_beside_steered_rows_to_the_bit(
    llama_engine, tokenizer, seen_scores
):
    llama_engine.run([request(TEXTS[0], tokenizer, c) for c in (None, dose(), dose("calm"))])
    in_mixed = [step[0] for step in seen_scores]
    seen_scores.clear()
    llama_engine.run([request(TEXTS[0], tokenizer)] * 3)
    assert all(torch.equal(one, step[0]) for one, step in zip(in_mixed, seen_scores, strict=True))


def test_a_model_with_a_sliding_window_keeps_its_own_cache(tokenizer):
    from transformers import MistralConfig, MistralForCausalLM

    from steering.cache import roomy_cache

    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=8,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = MistralForCausalLM(config).eval()
    assert roomy_cache(config, 50) is None
    done = Engine(model, tokenizer).run([request(TEXTS[2], tokenizer, temperature=0.0)])[0]
    assert done.ids == plain_generate(model, tokenizer, TEXTS[2])


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
    """Rows that end early are padded on by `generate`; nothing of that is counted, steered or returned."""
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


def test_one_batch_refuses_two_temperatures(llama_engine, tokenizer):
    with pytest.raises(SteeringError, match="sampling settings"):
        llama_engine.run([request("x", tokenizer, temperature=t) for t in (0.5, 1.0)])


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


def test_what_waits_while_a_batch_runs_forms_one_batch(llama_engine, tokenizer, monkeypatch):
    sizes, go_on = [], threading.Event()
    original = llama_engine._generate

    def slow(requests):
        sizes.append(len(requests))
        go_on.wait(10)
        return original(requests)

    monkeypatch.setattr(llama_engine, "_generate", slow)

    async def all_at_once():
        running = [asyncio.create_task(llama_engine.submit(request("x", tokenizer)))]
        while not sizes:
            await asyncio.sleep(0.001)
        running += [asyncio.create_task(llama_engine.submit(request("y", tokenizer))) for _ in range(30)]
        await asyncio.sleep(0.05)
        go_on.set()
        await asyncio.gather(*running)

    asyncio.run(all_at_once())
    assert sizes == [1, 30]


def test_batches_keep_within_the_row_and_token_budget(llama, tokenizer, monkeypatch):
    engine = Engine(llama, tokenizer, max_rows=4, max_batch_tokens=100)
    sizes = []
    original = engine._generate
    monkeypatch.setattr(engine, "_generate", lambda rows: sizes.append(rows) or original(rows))

    async def all_at_once():
        rows = [request("y" * n, tokenizer) for n in [1] * 9 + [30] * 9]
        await asyncio.gather(*(engine.submit(row) for row in rows))

    asyncio.run(all_at_once())
    assert sum(len(rows) for rows in sizes) == 18
    for rows in sizes:
        assert len(rows) <= 4
        assert len(rows) * (max(len(row.prompt_ids) for row in rows) + 12) <= 100


def test_an_error_reaches_every_request_of_its_batch_and_the_engine_goes_on(
    llama_engine, tokenizer, monkeypatch
):
    def broken(_requests):
        raise RuntimeError("out of memory")

    async def together():
        return await asyncio.gather(
            *(llama_engine.submit(request("x", tokenizer)) for _ in range(5)), return_exceptions=True
        )

    with monkeypatch.context() as patch:
        patch.setattr(llama_engine, "_generate", broken)
        assert [str(error) for error in asyncio.run(together())] == ["out of memory"] * 5
    assert all(done.ids for done in asyncio.run(together()))


def test_a_cancelled_request_harms_no_other(llama_engine, tokenizer):
    async def cancel_one():
        tasks = [asyncio.create_task(llama_engine.submit(request("x", tokenizer))) for _ in range(6)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    done = asyncio.run(cancel_one())
    assert isinstance(done[3], asyncio.CancelledError)
    assert all(row.ids for row in done[:3] + done[4:])


def test_two_engines_of_one_model_never_mix_their_rows(llama, tokenizer, make_library, tmp_path):
    library = make_library(llama, tmp_path)
    engines = [Engine(llama, tokenizer, library) for _ in range(2)]
    rows = [request("hello", tokenizer, c, f"{n}") for n in range(6) for c in (dose(), Condition.baseline())]
    expected = [engines[0].run([row])[0].ids for row in rows]

    async def both():
        return await asyncio.gather(*(engines[n % 2].submit(row) for n, row in enumerate(rows)))

    assert [done.ids for done in asyncio.run(both())] == expected
