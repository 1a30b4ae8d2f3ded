"""What is written is scored as the unsteered model alone would score it, however much is read at once."""

import math
import random

import pytest
import torch
from engine_requests import dose, every_pass, many, request
from families import ACCEPTED, MIXES_ROWS, family_model
from inspect_ai.log import read_eval_log

from steering.engine import Engine
from steering.errors import SteeringError
from steering.provider import SteeredAPI
from steering.request import Passage, Reading
from steering.surprise import surprises

pytest_plugins = ("steering_fixtures",)


def conversations(vocabulary, prompts=2, doses=3, seed=1):
    """Two turns under several doses of several prompts; some second prompts keep the very first reply."""
    rng = random.Random(seed)

    def words(count):
        return tuple(rng.randrange(vocabulary) for _ in range(count))

    found = []
    for _ in range(prompts):
        prompt = words(12)
        for number in range(doses):
            reply = words(rng.randrange(1, 6))
            found.append(Passage(prompt, reply))
            kept = reply if number % 2 else words(2)
            found.append(Passage(prompt + kept + words(4), words(rng.randrange(1, 6))))
    rng.shuffle(found)
    return found


@torch.inference_mode()
def alone(model, passage):
    """By the definition: one plain pass over all of it."""
    ids = torch.tensor([[*passage.prompt_ids, *passage.ids]])
    logits = model(input_ids=ids, use_cache=False).logits[0, len(passage.prompt_ids) - 1 : -1].double()
    return -float(logits.log_softmax(-1).gather(1, ids[0, len(passage.prompt_ids) :, None]).sum())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_tree_of_conversations_is_scored_as_each_of_them_alone(make_model, attention):
    model = make_model("llama", "float32")
    before = model.config._attn_implementation
    model.set_attn_implementation(attention)
    passages = conversations(model.config.vocab_size)
    try:
        expected = [alone(model, passage) for passage in passages]
        for masked in (True, False):
            assert surprises(model, passages, masked=masked) == pytest.approx(expected, rel=1e-4)
    finally:
        model.set_attn_implementation(before)


@pytest.mark.parametrize("family", ACCEPTED)
def test_every_family_scores_what_it_wrote_as_one_plain_pass_does(family, tokenizer):
    model = family_model(family)
    engine = Engine(model, tokenizer)
    # A first generation tries the model, which decides how it may be read.
    engine.run([request("Dear all,", tokenizer, max_tokens=2)])
    passages = conversations(200, prompts=1)
    expected = [alone(model, passage) for passage in passages]
    [waiting] = engine._enqueue([Reading(tuple(passages))])
    assert waiting.future.result() == pytest.approx(expected, rel=5e-3 if family in MIXES_ROWS else 1e-3)


def test_what_conversations_share_is_read_once(make_model):
    model = make_model("llama", "float32")
    rng = random.Random(0)
    prompt = tuple(rng.randrange(100) for _ in range(300))
    passages = [Passage(prompt, tuple(rng.randrange(100) for _ in range(5))) for _ in range(7)]
    read = []
    with every_pass(model, lambda rows, tokens: read.append(rows * tokens)):
        surprises(model, passages, masked=True)
        assert 300 < sum(read) <= 300 + 7 * 4
        read.clear()
        surprises(model, passages, masked=False)
        assert sum(read) == 7 * 304


def test_the_loss_of_an_unsteered_text_is_that_of_its_sampling_and_of_a_steered_one_is_not(engine):
    for condition, same in ((None, True), (dose(strength=1.5), False)):
        asked = request("Dear all,", engine.tokenizer, condition, max_tokens=20, top_logprobs=0)
        [done] = engine.run([asked])
        own = -sum(one.chosen.logprob for one in done.logprobs)
        [waiting] = engine._enqueue([Reading((Passage(tuple(asked.prompt_ids), tuple(done.ids)),))])
        [loss] = waiting.future.result()
        assert (loss == pytest.approx(own, rel=1e-4)) == same


def test_readings_beside_running_rows_change_neither(engine):
    asked = many(engine.tokenizer, 12)
    plain = [one.ids for one in engine.run(asked)]
    passages = conversations(200)
    together = engine._enqueue([*asked, *(Reading((one,)) for one in passages)])
    found = [waiting.future.result() for waiting in together]
    assert [one.ids for one in found[:12]] == plain
    assert [loss for [loss] in found[12:]] == pytest.approx(
        [alone(engine.model, one) for one in passages], rel=1e-4
    )


def test_a_reading_that_memory_is_too_short_for_is_unknown_and_the_others_are_not(engine, monkeypatch):
    from steering import engine as module

    def short(model, passages, **how):
        if sum(len(one.prompt_ids) for one in passages) > 20:
            raise RuntimeError("CUDA out of memory")
        return surprises(model, passages, **how)

    monkeypatch.setattr(module, "surprises", short)
    passages = [Passage((1,) * length, (2, 3)) for length in (15, 30, 4)]
    waiting = engine._enqueue([Reading((one,)) for one in passages])
    found = [one.future.result() for one in waiting]
    assert found[1] is None
    for place in (0, 2):
        assert found[place] == pytest.approx([alone(engine.model, passages[place])], rel=1e-4)


def test_a_passage_without_prompt_or_text_is_refused():
    for passages in ((), (Passage((), (1,)),), (Passage((1,), ()),)):
        with pytest.raises(SteeringError, match="at least one"):
            Reading(passages)


@pytest.fixture
def engine(make_model, make_library, tokenizer, tmp_path):
    model = make_model("llama", "float32")
    return Engine(model, tokenizer, make_library(model, tmp_path, "desperate", "calm"))


def stored(log):
    return {(s.id, s.epoch): s.store.get("perplexity") for s in read_eval_log(log.location).samples}


def test_every_run_of_an_eval_keeps_the_perplexity_of_its_own_tokens(run_toy, monkeypatch):
    """Taken from the requests that reached the engine, not from the conversation that the solver kept."""
    written = {}
    submit = SteeredAPI.generate

    async def watched(self, input, tools, tool_choice, config):
        from steering.prompts import prompt_ids

        output = await submit(self, input, tools, tool_choice, config)
        given = config.extra_body["emodose"]
        ids, _ = prompt_ids(self.wrapped, input, tools, mark=False)
        key = (given["stream"].rpartition("/")[0], output.metadata["receipt"]["slug"])
        passage = Passage(tuple(ids), tuple(output.metadata["ids"]))
        written.setdefault(key, []).append((self.wrapped.model, passage))
        return output

    monkeypatch.setattr(SteeredAPI, "generate", watched)
    log = run_toy()
    assert len(log.samples) == len(written) == 12
    for sample in log.samples:
        about = sample.metadata
        stream = f"1/{about['scenario']}/{about['twin']}/{about['variant']}/{sample.epoch}"
        turns = written[stream, sample.store["receipts"][0]["slug"]]
        losses = [alone(model, passage) for model, passage in turns]
        expected = math.exp(sum(losses) / sum(len(passage.ids) for _, passage in turns))
        assert len(losses) == 2 and sample.store["perplexity"] == pytest.approx(expected, rel=1e-4)


def test_a_cached_run_has_the_perplexity_of_the_first_and_one_not_asked_for_has_none(run_toy):
    first, again = (stored(run_toy(cache=True, temperature=0.0, n=1)) for _ in range(2))
    assert first == pytest.approx(again, rel=1e-4) and all(first.values())


def test_a_prompt_that_cannot_be_made_again_leaves_the_perplexity_unknown(run_toy, monkeypatch):
    from steering import provider

    monkeypatch.setattr(
        provider, "collapse_consecutive_messages_for_api", lambda messages, _api: messages[:1] * 3
    )
    log = run_toy(n=1)
    assert not any(sample.error for sample in log.samples)
    assert set(stored(log).values()) == {None}


def test_a_foreign_provider_leaves_no_perplexity(run_toy):
    log = run_toy(model="offline/any", emotion="none", strength=None)
    assert set(stored(log).values()) == {None}
