"""A receipt passes only if it proves its condition: no steered run is silently unsteered, nor a baseline
steered."""

import dataclasses
import json

import pytest

from steering.condition import Condition
from steering.errors import ReceiptMismatch
from steering.receipt import Receipt, check

STEERED = Condition("calm", 0.1, (1, 2), "all")
ASSISTANT = dataclasses.replace(STEERED, positions="assistant")
BASELINE = Condition.baseline()


def receipt(condition: Condition, **changes) -> Receipt:
    """A sound receipt of ten prompt tokens and five sampled ones, with changes."""
    steered = not condition.is_baseline
    sound = Receipt(
        slug=condition.slug,
        vector_hash="abc" if steered else "none",
        layers=condition.layers,
        strength=condition.strength,
        positions=condition.positions,
        prompt_tokens=10,
        generated_tokens=5,
        prompt_tokens_steered=10 if steered else 0,
        generated_tokens_steered=4 if steered else 0,
        realised=0.099 if steered else 0.0,
        expected_norm=(0.5, 0.6) if steered else (),
    )
    return dataclasses.replace(sound, **changes)


def test_a_sound_receipt_passes():
    check(receipt(STEERED), STEERED, "abc")
    check(receipt(BASELINE), BASELINE, "none")
    check(receipt(ASSISTANT, prompt_tokens_steered=1), ASSISTANT, "abc")
    check(receipt(STEERED, generated_tokens=1, generated_tokens_steered=0), STEERED, "abc")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slug": "none"}, "condition"),
        ({"vector_hash": "abd"}, "vector hash"),
        ({"layers": (1,)}, "layers"),
        ({"strength": 0.2}, "strength"),
        ({"positions": "assistant"}, "positions"),
        ({"prompt_tokens_steered": 0, "generated_tokens_steered": 0}, "no token was steered"),
        ({"prompt_tokens_steered": 9}, "9 of 10 prompt tokens"),
        ({"prompt_tokens_steered": 11}, "11 of 10 prompt tokens"),
        ({"generated_tokens_steered": 0}, "0 generated tokens were steered, expected 4"),
        ({"generated_tokens_steered": 3}, "3 generated tokens were steered, expected 4"),
        ({"generated_tokens_steered": 5}, "5 generated tokens were steered, expected 4"),
        ({"generated_tokens": 0, "generated_tokens_steered": 0}, "at least one"),
        ({"realised": 0.0}, "0.0 of the residual"),
        ({"realised": -0.1}, "-0.1 of the residual"),
        ({"realised": float("nan")}, "nan of the residual"),
        ({"realised": float("inf")}, "inf of the residual"),
        ({"expected_norm": (0.5,)}, "expected norms"),
        ({"expected_norm": (0.5, 0.0)}, "expected norms"),
        ({"expected_norm": (0.5, float("nan"))}, "expected norms"),
    ],
)
def test_a_receipt_that_does_not_prove_the_dose_is_refused(changes, message):
    with pytest.raises(ReceiptMismatch, match=message):
        check(receipt(STEERED, **changes), STEERED, "abc")


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_tokens_steered": 0},
        {"prompt_tokens_steered": 11},
        {"generated_tokens_steered": 3},
        {"generated_tokens_steered": 5},
    ],
)
def test_with_assistant_positions_the_last_prompt_token_and_every_fed_back_token_must_be_steered(changes):
    with pytest.raises(ReceiptMismatch):
        check(receipt(ASSISTANT, **changes), ASSISTANT, "abc")


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_tokens_steered": 1},
        {"generated_tokens_steered": 1},
        {"realised": 0.01},
        {"expected_norm": (0.1,)},
        {"vector_hash": "abc"},
    ],
)
def test_a_baseline_with_any_trace_of_steering_is_refused(changes):
    with pytest.raises(ReceiptMismatch):
        check(receipt(BASELINE, **changes), BASELINE, "none")


def test_a_sound_receipt_of_another_condition_is_refused():
    with pytest.raises(ReceiptMismatch, match="'none', the run's is 'calm"):
        check(receipt(BASELINE), STEERED, "abc")
    with pytest.raises(ReceiptMismatch, match="the run's is 'none'"):
        check(receipt(STEERED), BASELINE, "none")


def test_a_receipt_survives_json():
    for sound in (receipt(STEERED), receipt(BASELINE)):
        assert Receipt.from_dict(json.loads(json.dumps(sound.to_dict()))) == sound


@pytest.mark.parametrize("values", [{}, None, {**receipt(STEERED).to_dict(), "extra": 1}, {"slug": "none"}])
def test_a_dictionary_that_is_no_receipt_is_refused(values):
    with pytest.raises(ReceiptMismatch, match="keys"):
        Receipt.from_dict(values)


def test_a_receipt_whose_layers_are_no_list_is_refused():
    with pytest.raises(ReceiptMismatch, match="lists of numbers"):
        Receipt.from_dict({**receipt(STEERED).to_dict(), "layers": None})
