"""Doses are measured as they are defined, kept with what they were measured on, and reach every sample."""

import json

import pytest
import torch
from inspect_ai.dataset import Sample
from planted import write_jsonl

from steering.condition import Condition
from steering.dose import conditions_for, dosed
from steering.doses import Coherence, Divergence, Doses
from steering.errors import SteeringError, VectorMismatch
from steering.hooks import steered
from steering.kl import divergences
from steering.provider import steered_model
from steering.vectors import VectorLibrary
from steering.window import incoherent, largest_within, measure, prompts_of

pytest_plugins = ("steering_fixtures",)

TEXTS = [
    "A list of twelve parts and of their numbers, no more.",
    "The office opens at nine and closes at five.",
    "Cut the board to a length of forty, then sand both ends.",
    "A map of the region hangs beside the second door.",
] * 4


@pytest.fixture
def neutral(tmp_path):
    return write_jsonl(tmp_path / "neutral.jsonl", [{"text": text} for text in TEXTS])


@pytest.fixture
def library(llama, make_library, tmp_path):
    return make_library(llama, tmp_path / "vectors", "calm", "desperate")


def at(strength, vector="calm", layers=(2,)):
    return Condition(vector, strength, layers, "all")


def test_the_divergence_is_that_of_the_next_token_distributions(llama, tokenizer, library, tmp_path):
    text = TEXTS[0]
    one = write_jsonl(tmp_path / "one.jsonl", [{"text": text}])
    condition = at(0.5, layers=(1, 2))
    found = divergences(llama, tokenizer, library, one, [condition])[condition.slug]
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        plain = llama(input_ids=ids).logits[0]
        rows = {layer: shift[None] for layer, shift in library.delta(condition).items()}
        with steered(llama, rows, torch.ones_like(ids, dtype=torch.bool)):
            moved = llama(input_ids=ids).logits[0]
    by_torch = torch.nn.functional.kl_div(
        torch.log_softmax(plain, -1), torch.log_softmax(moved, -1), reduction="none", log_target=True
    ).sum(-1)
    assert found.mean == pytest.approx(float(by_torch.mean()), rel=1e-4)
    assert found.p95 == pytest.approx(float(by_torch.quantile(0.95)), rel=1e-4)
    assert found.tokens == ids.shape[1]
    assert found.vector_hash == library.hash(condition)


def test_a_stronger_dose_moves_the_model_further_and_a_vanishing_one_not_at_all(
    llama, tokenizer, library, neutral
):
    found = divergences(llama, tokenizer, library, neutral, [at(dose) for dose in (1e-6, 0.1, 0.5, -0.5)])
    vanishing, weak, strong, turned = (one.mean for one in found.values())
    assert vanishing < 1e-6 < weak < min(strong, turned)


def test_controls_have_a_divergence_of_their_own(llama, tokenizer, library, neutral):
    conditions = [Condition.baseline(), at(0.3), at(0.3, "random:1"), at(0.3, "-calm"), at(-0.3)]
    found = divergences(llama, tokenizer, library, neutral, conditions)
    assert set(found) == {condition.slug for condition in conditions[1:]}
    assert found[at(0.3, "-calm").slug].mean == pytest.approx(found[at(-0.3).slug].mean, rel=1e-4)


def test_the_model_is_unsteered_again_afterwards(llama, tokenizer, library, neutral):
    divergences(llama, tokenizer, library, neutral, [at(0.5)])
    assert not any(module._forward_hooks for module in llama.modules())


def test_other_positions_than_all_are_refused(llama, tokenizer, library, neutral):
    with pytest.raises(SteeringError, match="every token steered"):
        divergences(llama, tokenizer, library, neutral, [Condition("calm", 0.1, (2,), "assistant")])


def test_what_was_measured_comes_back_for_the_same_vector_only(library, tmp_path):
    measured = Divergence(mean=0.1, p95=0.4, tokens=9, corpus="n.jsonl", vector_hash=library.hash(at(0.1)))
    Doses(fingerprint="f", kl={at(0.1).slug: measured}).save(tmp_path)
    again = Doses.load(tmp_path, "f")
    assert again.divergence(at(0.1), library.hash(at(0.1))) == measured
    assert again.divergence(at(0.1), "another hash") is None
    assert again.divergence(at(0.2), library.hash(at(0.1))) is None
    assert Doses.load(tmp_path / "absent", "f").kl == {}


@pytest.mark.parametrize("content", ["", "{}", '{"fingerprint": "f", "more": 1}', '{"fingerprint": "g"}'])
def test_damaged_or_foreign_doses_are_refused(library, content):
    (library.folder / "doses.json").write_text(content)
    with pytest.raises(VectorMismatch, match=r"doses\.json .*: delete it, and measure"):
        VectorLibrary(library.folder, library.get("calm").meta.fingerprint, 4, 32)


def test_every_sample_carries_the_divergence_of_its_dose(hf_model, steerable_folder, tmp_path):
    import shutil

    folder = shutil.copytree(steerable_folder / "vectors", tmp_path / "vectors")
    model = steered_model(hf_model, str(folder))
    conditions = conditions_for(model, "desperate", "0.1,0.2", "2", "all")
    measured = Divergence(
        mean=0.1, p95=0.4, tokens=9, corpus="n.jsonl", vector_hash=model.api.library.hash(conditions[1])
    )
    Doses(fingerprint=model.api.fingerprint, kl={conditions[1].slug: measured}).save(folder)
    hf_model.api.__dict__.pop("_emodose")
    model = steered_model(hf_model, str(folder))
    samples = dosed([Sample(id="a/b/0", input="x", metadata={})], conditions, model, 1)
    assert [(s.metadata["kl_mean"], s.metadata["kl_p95"]) for s in samples] == [
        (0, 0),
        (0.1, 0.4),
        (None, None),
    ]


def test_the_window_ends_before_the_text_breaks(llama, tokenizer, library, neutral):
    found = measure(
        llama, tokenizer, library, neutral, ["calm"], (2,), strengths=(1e-6, 5.0), texts=16, max_tokens=24
    )
    assert found.largest == {"calm": 1e-6}
    assert set(found.coherence) == {
        "none",
        *(at(sign * size).slug for size in (1e-6, 5.0) for sign in (1, -1)),
    }
    assert found.coherence["none"].incoherent <= 1
    assert found.coherence[at(5.0).slug].incoherent > 8


def test_a_vector_that_breaks_the_text_at_once_has_no_window(llama, tokenizer, library, neutral):
    found = measure(
        llama, tokenizer, library, neutral, ["calm"], (2,), strengths=(5.0,), texts=8, max_tokens=24
    )
    assert found.largest == {"calm": None}


def test_what_the_model_breaks_by_itself_does_not_narrow_the_window():
    """A tenth more incoherent texts than without steering is within, whatever the share without is."""
    made = {
        "none": Coherence(incoherent=30, n=100, vector_hash="none"),
        **{
            at(sign * size).slug: Coherence(incoherent=broken, n=100, vector_hash="h")
            for size, broken in ((0.1, 40), (0.2, 41))
            for sign in (1, -1)
        },
    }
    assert largest_within("calm", (0.1, 0.2), (2,), made) == 0.1


def test_a_wider_window_does_not_follow_from_a_stronger_dose_that_is_coherent_by_chance():
    made = {"none": Coherence(incoherent=0, n=20, vector_hash="none")} | {
        at(sign * size).slug: Coherence(incoherent=broken, n=20, vector_hash="h")
        for size, broken in ((0.1, 1), (0.2, 9), (0.3, 0))
        for sign in (1, -1)
    }
    assert largest_within("calm", (0.1, 0.2, 0.3), (2,), made) == 0.1


def test_the_window_repeats_to_the_text(llama, tokenizer, library, neutral):
    one, two = (
        measure(llama, tokenizer, library, neutral, ["calm"], (2,), strengths=(0.1,), texts=4, max_tokens=12)
        for _ in range(2)
    )
    assert one == two


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("One plain sentence, and then another one.", False),
        ("so it went on and on for ever. " * 3, True),
        ('<tool_call>{"name": "send", "arguments": {}}</tool_call>', False),
        ('<tool_call>{"name": "send", "arguments": {', True),
        ('<tool_call>{"name": send}</tool_call>', True),
        ("", False),
    ],
)
def test_a_text_is_incoherent_that_repeats_itself_or_breaks_a_call(text, broken):
    assert incoherent(text) is broken


def test_prompts_are_beginnings_of_neutral_text(tokenizer, neutral):
    for ids, text in zip(prompts_of(neutral, tokenizer), TEXTS, strict=True):
        assert text.startswith(tokenizer.decode(ids)) and 2 <= len(ids) < len(text)


def test_the_file_is_json_that_names_its_conditions(library):
    measured = Coherence(incoherent=1, n=20, vector_hash="h")
    path = Doses(fingerprint="f", coherence={at(0.1).slug: measured}).save(library.folder)
    assert json.loads(path.read_text())["coherence"]["calm+0.100_L2_all"]["n"] == 20
