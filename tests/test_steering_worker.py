"""Laws of who runs when: rows join and leave, errors and missing memory harm as few as possible."""

import asyncio
import threading

import pytest
import torch
from engine_requests import MIXED, TEXTS, dose, every_pass, many, request

from steering.condition import Condition
from steering.engine import Engine
from steering.errors import SteeringError
from steering.receipt import check

EVERY_ERROR = {
    "accelerator": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    "cpu": RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
}


@pytest.fixture
def make_engine(llama, tokenizer, make_library, tmp_path):
    library = make_library(llama, tmp_path, "desperate", "calm")

    def make(**sizes):
        engine = Engine(llama, tokenizer, library, **sizes)
        engine.run([request("x", tokenizer)])  # the trial is over
        return engine

    return make


@pytest.fixture
def windowed(tokenizer):
    """A model for which the loop is no good."""
    from transformers import MistralConfig, MistralForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = MistralConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=16, num_hidden_layers=4,
            num_attention_heads=2, num_key_value_heads=2, sliding_window=8, initializer_range=0.2,
            bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        )  # fmt: skip
        return MistralForCausalLM(config).eval()


def results(done):
    return [(one.ids, one.text, one.stop_reason, one.receipt.generated_tokens_steered) for one in done]


def gathered(engine, requests):
    async def all_at_once():
        return await asyncio.gather(*(engine.submit(one) for one in requests), return_exceptions=True)

    return asyncio.run(all_at_once())


def test_a_request_starts_at_once_when_nothing_runs(make_engine, llama, tokenizer):
    engine, passes = make_engine(), []
    with every_pass(llama, lambda *shape: passes.append(shape)):
        engine.run([request("alone", tokenizer, max_tokens=1)])
    assert passes == [(1, 5)]


def test_finished_rows_leave_and_waiting_rows_take_their_place(make_engine, llama, tokenizer):
    engine, passes = make_engine(max_rows=3), []
    rows = [request("x", tokenizer, stream=f"{n}", max_tokens=n) for n in (30, 2, 2, 2, 2, 2, 2)]
    alone = [engine.run([row])[0].ids for row in rows]
    with every_pass(llama, lambda rows, tokens: passes.append((rows, tokens))):
        assert [one.ids for one in engine.run(rows)] == alone
    written = sum(len(ids) - 1 for ids in alone)
    assert sum(count for count, _ in passes) == written + len(rows), "no pass for a finished row"
    assert max(count for count, _ in passes) == 3
    assert len(passes) < len(alone[0]) - 1 + len(rows), "short rows run beside the long one"


def test_what_gathers_while_others_run_joins_them(make_engine, llama, tokenizer):
    engine, passes, go_on = make_engine(), [], threading.Event()

    def see(*shape):
        passes.append(shape)
        if len(passes) == 3:
            go_on.wait(10)

    async def meanwhile():
        first = asyncio.create_task(engine.submit(request("x", tokenizer, stream="a", max_tokens=60)))
        while len(passes) < 3:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(engine.submit(one)) for one in many(tokenizer, 30)]
        await asyncio.sleep(0.05)
        go_on.set()
        return await asyncio.gather(first, *others)

    with every_pass(llama, see):
        done = asyncio.run(meanwhile())
    assert len(done) == 31 and max(rows for rows, _ in passes) > 20
    assert done[0].ids == engine.run([request("x", tokenizer, stream="a", max_tokens=60)])[0].ids


def test_one_batch_holds_rows_of_all_settings(make_engine, llama, tokenizer):
    engine, passes = make_engine(), []
    settings = [
        {"temperature": 0.0, "max_tokens": 9},
        {"temperature": 1.0, "max_tokens": 4, "top_p": 0.7},
        {"temperature": 0.5, "max_tokens": 30, "stop": ("e", "a")},
    ]
    rows = [
        request(text, tokenizer, condition, f"{n} {k}", **given)
        for n, (text, condition) in enumerate(zip(TEXTS, MIXED, strict=True))
        for k, given in enumerate(settings)
    ]
    with every_pass(llama, lambda *shape: passes.append(shape)):
        together = engine.run(rows)
    assert max(rows for rows, tokens in passes if tokens == 1) >= 11
    assert results(together) == results([engine.run([row])[0] for row in rows])
    for row, done in zip(rows, together, strict=True):
        check(done.receipt, row.condition, engine.library.hash(row.condition))


def test_running_rows_keep_within_the_row_and_token_budget(make_engine, llama, tokenizer):
    engine, passes = make_engine(max_rows=4, max_tokens=100), []
    rows = [request("y" * n, tokenizer, stream=f"{n}") for n in [1] * 9 + [30] * 9]
    with every_pass(llama, lambda *shape: passes.append(shape)):
        done = engine.run(rows)
    assert len(done) == 18
    assert max(rows for rows, _ in passes) == 4
    assert all(rows <= 100 // 42 for rows, tokens in passes if tokens == 30)


def test_a_request_larger_than_the_budget_runs_alone(make_engine, llama, tokenizer):
    engine, passes = make_engine(max_tokens=20), []
    with every_pass(llama, lambda *shape: passes.append(shape)):
        done = engine.run([request(TEXTS[2], tokenizer, stream=f"{n}") for n in range(3)])
    assert len(done) == 3 and all(rows == 1 for rows, _ in passes)


@pytest.mark.parametrize("error", EVERY_ERROR.values(), ids=EVERY_ERROR)
@pytest.mark.parametrize("at", ["prompts", "tokens", "both"])
def test_out_of_memory_halves_the_rows_and_loses_and_repeats_nothing(
    make_engine, llama, tokenizer, error, at, caplog
):
    engine = make_engine()
    rows = many(tokenizer, 60)
    expected = results(engine.run(rows))
    sizes = []

    def limited(count, tokens):
        sizes.append(count)
        if count > 7 and at in ("both", "tokens" if tokens == 1 else "prompts"):
            raise error

    with every_pass(llama, limited):
        done = engine.run(rows)
    assert results(done) == expected
    for row, one in zip(rows, done, strict=True):
        check(one.receipt, row.condition, engine.library.hash(row.condition))
    assert max(sizes) > 7 >= sizes[-1]
    assert "out of memory: going on with" in caplog.text


def test_out_of_memory_in_generate_halves_the_batch_too(windowed, tokenizer, make_library, tmp_path):
    engine = Engine(windowed, tokenizer, make_library(windowed, tmp_path, "desperate", "calm"))
    rows = many(tokenizer, 20)
    expected = results(engine.run(rows))

    def limited(count, tokens):
        if count > 7 and tokens == 1:
            raise EVERY_ERROR["cpu"]

    with every_pass(windowed, limited):
        assert results(engine.run(rows)) == expected


def test_a_row_that_does_not_fit_alone_is_an_error_of_its_own(make_engine, llama, tokenizer):
    engine = make_engine()
    long = request("z" * 300, tokenizer)
    rows = [*many(tokenizer, 6), long, *many(tokenizer, 6)]

    def limited(_count, tokens):
        if tokens == 300:
            raise EVERY_ERROR["accelerator"]

    with every_pass(llama, limited):
        done = gathered(engine, rows)
    assert isinstance(done[6], torch.OutOfMemoryError)
    assert [one.ids for one in done[:6]] == [one.ids for one in done[7:]]


def test_an_error_in_a_prompt_reaches_the_new_rows_and_no_running_one(make_engine, llama, tokenizer):
    engine, passes, bad_came = make_engine(), [], threading.Event()

    def see(rows, tokens):
        passes.append((rows, tokens))
        if len(passes) == 3:
            bad_came.wait(10)
        if tokens == 7:
            raise RuntimeError("a passing failure")

    async def both():
        running = asyncio.create_task(engine.submit(request("x", tokenizer, stream="a", max_tokens=30)))
        while len(passes) < 3:
            await asyncio.sleep(0.001)
        bad = asyncio.create_task(engine.submit(request("seven !", tokenizer)))
        await asyncio.sleep(0.05)
        bad_came.set()
        return await asyncio.gather(running, bad, return_exceptions=True)

    with every_pass(llama, see):
        fine, failed = asyncio.run(both())
    assert str(failed) == "a passing failure"
    assert fine.ids == engine.run([request("x", tokenizer, stream="a", max_tokens=30)])[0].ids


def test_an_error_in_a_pass_reaches_its_rows_and_the_engine_goes_on(make_engine, llama, tokenizer):
    engine = make_engine()

    def broken(_rows, tokens):
        if tokens == 1:
            raise RuntimeError("no luck")

    with every_pass(llama, broken):
        done = gathered(engine, [request("two", tokenizer, stream=f"{n}") for n in range(5)])
    assert {str(one) for one in done} == {"no luck"}
    assert all(one.ids for one in engine.run(many(tokenizer, 5)))


def test_a_request_that_cannot_be_steered_is_an_error_of_its_own(make_engine, tokenizer):
    engine = make_engine()
    done = gathered(engine, [*many(tokenizer, 3), request("x", tokenizer, dose("joy")), *many(tokenizer, 3)])
    assert isinstance(done[3], SteeringError) and "no vector 'joy'" in str(done[3])
    assert [one.ids for one in done[:3]] == [one.ids for one in done[4:]]


def test_a_waiting_request_that_is_cancelled_never_runs(make_engine, llama, tokenizer):
    engine, passes, go_on = make_engine(max_rows=1), [], threading.Event()

    def see(*shape):
        passes.append(shape)
        go_on.wait(10)

    async def cancel_one():
        tasks = [
            asyncio.create_task(engine.submit(request("x" * n, tokenizer, max_tokens=3))) for n in (1, 2, 3)
        ]
        while not passes:
            await asyncio.sleep(0.001)
        tasks[1].cancel()
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with every_pass(llama, see):
        done = asyncio.run(cancel_one())
    assert isinstance(done[1], asyncio.CancelledError)
    assert done[0].ids and done[2].ids
    assert [tokens for _, tokens in passes if tokens > 1] == [3]


def test_a_running_request_that_is_cancelled_frees_its_slot(make_engine, llama, tokenizer):
    engine, passes = make_engine(max_rows=1), []
    endless = request("x", tokenizer, stream="endless", max_tokens=4000, temperature=1.0)
    llama.generation_config.eos_token_id, eos = 10**6, llama.generation_config.eos_token_id
    engine = Engine(llama, tokenizer, engine.library, max_rows=1)
    llama.generation_config.eos_token_id = eos

    async def cancel_running():
        running = asyncio.create_task(engine.submit(endless))
        waiting = asyncio.create_task(engine.submit(request("yy", tokenizer, max_tokens=3)))
        while len(passes) < 5:
            await asyncio.sleep(0.001)
        running.cancel()
        return await asyncio.gather(running, waiting, return_exceptions=True)

    with every_pass(llama, lambda *shape: passes.append(shape)):
        cancelled, done = asyncio.run(cancel_running())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert len(done.ids) == 3 and len(passes) < 3000


def test_two_engines_of_one_model_never_mix_their_rows(llama, tokenizer, make_library, tmp_path):
    library = make_library(llama, tmp_path)
    engines = [Engine(llama, tokenizer, library) for _ in range(2)]
    rows = [request("hello", tokenizer, c, f"{n}") for n in range(6) for c in (dose(), Condition.baseline())]
    expected = [engines[0].run([row])[0].ids for row in rows]

    async def both():
        return await asyncio.gather(*(engines[n % 2].submit(row) for n, row in enumerate(rows)))

    assert [done.ids for done in asyncio.run(both())] == expected


def test_a_closed_engine_takes_nothing_more(make_engine, tokenizer):
    engine = make_engine()
    engine.close()
    with pytest.raises(SteeringError, match="closed"):
        engine.run([request("x", tokenizer)])


def test_an_idle_engine_keeps_no_thread(make_engine, tokenizer):
    make_engine().run(many(tokenizer, 3))
    for thread in threading.enumerate():
        if thread.name == "steering-engine":
            thread.join(10)
            assert not thread.is_alive()
