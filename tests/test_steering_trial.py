"""Laws of the trial: the loop is used where it agrees with `generate`, and never where it does not."""

import functools
import logging
import re

import pytest
import torch
import transformers
from engine_requests import TEXTS, many, request

from steering.engine import Engine
from steering.receipt import check
from steering.trial import tried

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "bos_token_id": None,
}
PROMPT = list(range(40, 70))


def build(kind, tokenizer, dtype=torch.float32, **settings):
    config = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, **SIZES, **settings}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{kind}ForCausalLM")(getattr(transformers, f"{kind}Config")(**config))
    return model.to(dtype).eval()


@pytest.mark.parametrize("length", [1, 2, 30, 500])
def test_the_loop_agrees_with_generate_on_plain_models(any_model, length):
    verdict = tried(any_model, [40 + n % 100 for n in range(length)], 0)
    assert verdict.why_not is None and verdict.bytes_per_token > 0


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["Qwen2", "Granite", "Olmo2", "StableLm", "Cohere"])
def test_the_loop_agrees_with_generate_in_other_families(kind, attention, tokenizer):
    model = build(kind, tokenizer)
    model.set_attn_implementation(attention)
    assert tried(model, PROMPT, 0).why_not is None


def test_a_model_with_a_sliding_window_is_run_by_generate_and_says_so(
    tokenizer, make_library, tmp_path, caplog
):
    model = build("Mistral", tokenizer, sliding_window=8)
    engine = Engine(model, tokenizer, make_library(model, tmp_path, "desperate", "calm"))
    rows = many(tokenizer, 20)
    with caplog.at_level(logging.WARNING):
        done = engine.run(rows)
    assert caplog.text.count("run by its own generate, which is slower") == 1
    for row, one in zip(rows, done, strict=True):
        assert one.path.startswith("generate (") and "SlidingWindow" in one.path
        check(one.receipt, row.condition, engine.library.hash(row.condition))
        assert one.ids == engine.run([row])[0].ids


def test_the_path_through_generate_knows_every_setting_of_a_row_too(tokenizer):
    model = build("Mistral", tokenizer, sliding_window=8)
    engine = Engine(model, tokenizer)
    settings = [
        {"temperature": 0.0, "max_tokens": 9, "top_logprobs": 2},
        {"temperature": 1.0, "max_tokens": 4, "top_p": 0.7},
        {"temperature": 0.5, "max_tokens": 30, "stop": ("e", "a")},
    ]
    rows = [
        request(text, tokenizer, None, f"{n} {k}", **given)
        for n, text in enumerate(TEXTS)
        for k, given in enumerate(settings)
    ]
    done = engine.run(rows)
    for row, one in zip(rows, done, strict=True):
        [alone] = engine.run([row])
        assert (one.ids, one.text, one.stop_reason) == (alone.ids, alone.text, alone.stop_reason)
        assert len(one.ids) <= row.max_tokens
        assert (one.logprobs is None) == (row.top_logprobs is None)


REASONS = {
    "a rotation that depends on length": (
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}},
        {},
        "rotary positions .dynamic.",
    ),
    "repeated words are punished": ({}, {"repetition_penalty": 1.1}, "repetition_penalty=1.1"),
    "some words are forbidden": ({}, {"bad_words_ids": [[5]]}, "bad_words_ids"),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_the_loop_does_not_know_is_named(case, tokenizer):
    settings, generation, says = REASONS[case]
    model = build("Llama", tokenizer, **settings)
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    why_not = tried(model, PROMPT, 0).why_not
    assert why_not is not None
    assert re.search(says, why_not)


def changed(model, change):
    """The model with keyword arguments of its forward pass changed."""
    original = model.forward

    @functools.wraps(original)
    def forward(*args, **kwargs):
        return original(*args, **change(kwargs))

    model.forward = forward
    return model


CHANGES = {
    "all rows are taken to be as long as the longest": lambda given: {
        **given,
        "position_ids": given["position_ids"].amax(dim=0, keepdim=True).expand_as(given["position_ids"]),
    },
    "the mask is lost": lambda given: (
        {**given, "attention_mask": None} if getattr(given.get("attention_mask"), "ndim", 0) == 4 else given
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_model_that_reads_the_loops_passes_otherwise_is_found_out(case, tokenizer):
    model = changed(build("Llama", tokenizer), CHANGES[case])
    assert "scores differ" in (tried(model, PROMPT, 0).why_not or "")


def test_a_model_that_the_loop_breaks_is_found_out(tokenizer):
    def refuse(given):
        if getattr(given.get("attention_mask"), "ndim", 0) == 4:
            raise TypeError("no such mask, please")
        return given

    why_not = tried(changed(build("Llama", tokenizer), refuse), PROMPT, 0).why_not
    assert why_not == "the loop fails with TypeError: no such mask, please"


def test_a_trial_leaves_the_model_as_it_was(llama):
    before = {key: value.clone() for key, value in llama.state_dict().items()}
    tried(llama, PROMPT, 0)
    assert all(torch.equal(value, before[key]) for key, value in llama.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in llama.modules())
