"""Laws of generation in every family of models, by the loop or, where it is no good, by generate."""

from dataclasses import replace

import pytest
import torch
from engine_requests import TEXTS, dose, every_pass, request
from families import ACCEPTED, MIXES_ROWS, family_model

from steering.engine import Engine
from steering.receipt import check

PLAIN = ("llama", "qwen2", "qwen3", "gpt2", "gpt_neox", "phi3", "olmo2", "granite", "mixtral", "glm4")
"""Families that the loop must serve: a fallback among them would be a loss that no other test sees."""


@pytest.fixture
def engine_of(tokenizer, make_library, tmp_path):
    def make(family):
        model = family_model(family)
        return Engine(model, tokenizer, make_library(model, tmp_path, "desperate"))

    return make


def rows_of(tokenizer, condition=None):
    return [request(text, tokenizer, condition, text, temperature=0.0, max_tokens=8) for text in TEXTS]


@pytest.mark.parametrize("family", ACCEPTED)
def test_greedy_rows_of_a_batch_are_those_of_generate(family, engine_of, tokenizer):
    engine, rows = engine_of(family), rows_of(tokenizer)
    done = engine.run(rows)
    eos = engine._eos_ids
    for row, one in zip(rows, done, strict=True):
        ids = torch.tensor([list(row.prompt_ids)])
        with torch.inference_mode():
            theirs = engine.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=8,
                output_logits=True, return_dict_in_generate=True,
            )  # fmt: skip
        tokens = theirs.sequences[0, ids.shape[1] :].tolist()
        ends = [number for number, token in enumerate(tokens) if token in eos]
        expected = tokens[: ends[0] + 1] if ends else tokens
        # Two tokens may be so nearly equal that rounding decides; what follows them is another text.
        for number, token in enumerate(expected):
            scores = theirs.logits[number][0].float()
            if one.ids[number] != token:
                gap = float(scores[token] - scores[one.ids[number]])
                assert gap < (1e-2 if family in MIXES_ROWS else 1e-4) * float(scores.max() - scores.min())
                break
        else:
            assert one.ids == expected


@pytest.mark.parametrize("family", ACCEPTED)
def test_every_row_of_a_batch_has_the_receipt_of_its_own_condition(family, engine_of, tokenizer):
    engine = engine_of(family)
    conditions = [dose(), None, dose(strength=-0.3, layers=(1, 2)), dose(positions="assistant")]
    rows = [request(text, tokenizer, c, text) for text, c in zip(TEXTS, conditions, strict=True)]
    pad = engine.model.get_input_embeddings().padding_idx
    for row, one in zip(rows, engine.run(rows), strict=True):
        receipt = one.receipt
        # Random weights write the pad token too; its embedding is 0, which no shift has a ratio to.
        if pad in one.ids and row.condition.layers:
            receipt = replace(receipt, realised=1.0)
        check(receipt, row.condition, engine.library.hash(row.condition))


@pytest.mark.parametrize("family", [family for family in PLAIN if family in ACCEPTED])
def test_plain_families_are_served_by_the_loop(family, engine_of, tokenizer):
    passes = []
    engine = engine_of(family)
    engine.run(rows_of(tokenizer)[:1])
    with every_pass(engine.model, lambda *shape: passes.append(shape)):
        assert {one.path for one in engine.run(rows_of(tokenizer, dose()))} == {"loop"}
    assert max(rows for rows, tokens in passes if tokens == 1) >= 3
