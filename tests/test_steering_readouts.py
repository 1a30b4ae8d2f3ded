"""Read-outs find what was planted, call exchanged labels a failure, and report what they could not try."""

import copy
import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from planted import ARCHITECTURES, FROM, MARKS, stories, write_jsonl

from steering.errors import SteeringError
from steering.extraction import extract_all
from steering.readouts.check import check, recommended_layer, store
from steering.readouts.prompts import last_states, prompt_ids
from steering.readouts.ranking import accuracy, auc, percentile, permutations
from steering.readouts.settings import DEFAULT, Settings
from steering.readouts.texts import Texts
from steering.vectors import VectorLibrary, fingerprint

pytest_plugins = ("planted_fixtures", "reading_model_fixtures")

QUICK = Settings(permutations=199)


def opened(folder, model):
    return VectorLibrary(folder, fingerprint(model), 4, 32)


@pytest.fixture(scope="module")
def checked(readable, tokenizer, readable_folder, texts):
    """All read-outs of vectors that say what their names say."""
    return check(readable, tokenizer, opened(readable_folder, readable), texts, QUICK)


def test_vectors_that_were_planted_pass(checked):
    assert {name: found.verdict for name, found in checked.readouts.items()} == dict.fromkeys(MARKS, "pass")
    told = checked.report["stories"]
    assert told["accuracy"] > 0.9 and told["p"] <= 0.01 and told["interval"][0] > told["chance"]
    assert checked.report["implicit"]["accuracy"] > 0.9
    assert all(curve["rho"] > 0.9 for curve in checked.report["intensity"])


def test_the_report_is_plain_json_with_everything_in_it(checked):
    again = json.loads(json.dumps(checked.report))
    assert again == checked.report
    for key in ("lens", "components", "cosines", "refusal", "profile", "verdicts", "settings", "texts"):
        assert again[key] is not None, key
    assert len(again["cosines"]) == len(MARKS)
    assert {"valence", "arousal"} == set(again["components"][0]["r"])


def test_the_lens_shows_the_marks_that_a_vector_stands_for(checked):
    for emotion, mark in MARKS.items():
        assert checked.report["lens"]["up"][emotion][0] == mark
        assert mark not in checked.report["lens"]["down"][emotion]


def test_verdicts_are_stored_with_the_vectors_and_come_back(checked, readable, readable_folder, tmp_path):
    folder = shutil.copytree(readable_folder, tmp_path / "vectors")
    before = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    store(folder, checked)
    library = opened(folder, readable)
    assert {name: library.metas[name].readouts for name in MARKS} == checked.readouts
    assert library.recommended_layer == checked.report["layer"]
    assert {path.name: path.read_bytes() for path in folder.glob("*.safetensors")} == before


def test_a_verdict_on_other_numbers_is_refused(checked, readable_folder, tmp_path):
    folder = shutil.copytree(readable_folder, tmp_path / "vectors")
    wrong = {
        name: found.model_copy(update={"tensor_hash": "0" * 64}) for name, found in checked.readouts.items()
    }
    with pytest.raises(ValueError, match="run emodose vectors check again"):
        store(folder, checked._replace(readouts=wrong))


@pytest.mark.filterwarnings("ignore:.*is unbalanced")
def test_the_vectors_of_exchanged_labels_fail_in_at_least_19_of_20_seeds(readable, tokenizer, tmp_path):
    failed = 0
    for seed in range(20):
        lines = [line for line in stories() if line["emotion"] in MARKS]
        random = np.random.default_rng(seed)
        for topic in {line["topic"] for line in lines}:
            group = [line for line in lines if line["topic"] == topic]
            labels = random.permutation([line["emotion"] for line in group]).tolist()
            for line, label in zip(group, labels, strict=True):
                line["emotion"] = label
        path = write_jsonl(tmp_path / f"{seed}.jsonl", lines)
        extract_all(readable, tokenizer, path, from_token=FROM, progress=False).save(tmp_path / str(seed))
        library = opened(tmp_path / str(seed), readable)
        found = check(readable, tokenizer, library, Texts(stories=path), QUICK).readouts
        failed += all(one.verdict == "fail" for one in found.values())
    assert failed >= 19


def test_a_real_vector_among_others_with_exchanged_labels_is_told_from_them(
    readable, tokenizer, readable_folder, texts, tmp_path
):
    """One broken vector does not take the others with it."""
    folder = shutil.copytree(readable_folder, tmp_path / "vectors")
    library = opened(folder, readable)
    calm = library.get("calm")
    meta = calm.meta.model_dump(exclude={"name", "layers", "width", "tensor_hash"})
    from steering.vectors import Vector, save

    save(folder, Vector.build("calm", library.get("random:5").unit, calm.mean_norm, **meta))
    found = check(readable, tokenizer, opened(folder, readable), texts, QUICK).readouts
    assert found["calm"].verdict != "pass"
    assert sum(one.verdict == "pass" for one in found.values()) >= 4


def test_what_was_not_tried_is_said_and_is_no_pass(readable, tokenizer, readable_folder, texts):
    library = opened(readable_folder, readable)
    for missing, told in (
        ("implicit", "implicit scenarios"),
        ("intensity", "intensities"),
        ("stories", "held-out"),
    ):
        found = check(readable, tokenizer, library, dataclasses.replace(texts, **{missing: None}), QUICK)
        for one in found.readouts.values():
            assert one.verdict == "weak"
            assert [reason for reason in one.reasons if reason.startswith(told) and "not tried" in reason]
    nothing = check(readable, tokenizer, library, Texts(), QUICK)
    assert {one.verdict for one in nothing.readouts.values()} == {"weak"}
    assert nothing.report["layer"] == 2, "without read-outs the layer at two thirds"


def test_scenarios_that_the_model_cannot_read_are_no_pass(
    planted_model, tokenizer, planted_corpus, texts, tmp_path
):
    """Its tokens know nothing of each other, so what a message says does not show at its end."""
    model = copy.deepcopy(planted_model)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
    extract_all(model, tokenizer, planted_corpus, from_token=FROM, progress=False).save(tmp_path)
    found = check(model, tokenizer, opened(tmp_path, model), texts, QUICK)
    assert found.report["stories"]["accuracy"] > 0.9
    for one in found.readouts.values():
        assert one.verdict == "weak"
        assert any(reason.startswith(("implicit scenarios", "intensities")) for reason in one.reasons)


def test_a_held_out_story_that_was_extracted_from_is_an_error(
    readable, tokenizer, planted_corpus, texts, tmp_path
):
    extract_all(readable, tokenizer, planted_corpus, from_token=FROM, all_topics=True, progress=False).save(
        tmp_path
    )
    with pytest.raises(SteeringError, match=r"24 held-out stories of .*, the first in line \d+, were used"):
        check(readable, tokenizer, opened(tmp_path, readable), texts, QUICK)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_read_outs_run_on_six_architectures(
    six_models, tokenizer, planted_corpus, texts, tmp_path, architecture
):
    """Whatever they read: every emotion gets a verdict, and numbers that are numbers."""
    model = six_models(architecture)
    extract_all(model, tokenizer, planted_corpus, from_token=FROM, progress=False).save(tmp_path)
    found = check(model, tokenizer, opened(tmp_path, model), texts, QUICK)
    assert set(found.readouts) == set(MARKS)
    assert all(np.isfinite(list(one.numbers.values())).all() for one in found.readouts.values())


def test_the_last_prompt_token_is_read_whatever_stands_beside_it(readable, tokenizer):
    prompts = [
        prompt_ids(tokenizer, text) for text in ("Short.", "A good deal longer than that.", "Mid-size.")
    ]
    together = last_states(readable, prompts)
    for row, prompt in enumerate(prompts):
        torch.testing.assert_close(together[row], last_states(readable, [prompt])[0], atol=1e-5, rtol=1e-4)
    assert tokenizer.decode(prompts[0]).endswith("<|im_start|>assistant\n")


def test_without_a_chat_template_the_prompt_is_plain_turns(readable, tokenizer, readable_folder):
    bare = copy.copy(tokenizer)
    bare.chat_template = None
    assert tokenizer.decode(prompt_ids(bare, "Hello.")) == "Human: Hello.\n\nAssistant:"
    found = check(readable, bare, opened(readable_folder, readable), Texts(), QUICK)
    assert found.report["chat_template"] is False


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("implicit", "scenarios: []", "scenarios: Tuple should have at least 1"),
        ("implicit", "scenarios: [{emotion: calm, text: x, more: 1}]", "more: Extra"),
        (
            "intensity",
            "templates: [{name: a, text: no place, values: [1,2,3,4]}]",
            "text: String should match",
        ),
        ("intensity", "templates: [{name: a, text: '{x}', values: [1]}]", "values"),
        ("requests", "refused: [a]", "refused"),
        ("implicit", "[", "cannot be read"),
    ],
)
def test_texts_that_are_none_are_refused_by_name(
    readable, tokenizer, readable_folder, tmp_path, name, content, message
):
    path = tmp_path / f"{name}.yaml"
    path.write_text(content)
    with pytest.raises(SteeringError, match=rf"{name}\.yaml .*{message}"):
        check(readable, tokenizer, opened(readable_folder, readable), Texts(**{name: path}), QUICK)


def test_another_layer_is_recommended_only_where_it_is_better_by_the_margin_and_inside_the_depth():
    def layer(*stories):
        return recommended_layer({"stories": list(stories), "implicit": []}, len(stories), DEFAULT)

    assert layer(0.1, 0.2, 0.3, 0.5, 0.5, 0.3) == 4
    assert layer(0.1, 0.9, 0.3, 0.5, 0.5, 0.3) == 1
    assert layer(0.1, 0.53, 0.3, 0.5, 0.5, 0.3) == 4, "not by the margin"
    assert layer(0.9, 0.1, 0.3, 0.5, 0.5, 0.9) == 4, "neither the first nor the last"


def test_chance_is_called_chance_and_skill_is_not():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 4)
    orders = permutations(["a", "b", "c", "d"] * 6, 199)
    noise = random.normal(size=(3, 24, 6))
    skill = noise + 3 * np.eye(6)[labels]
    assert accuracy(noise, labels, orders).p > 0.05
    assert accuracy(skill, labels, orders).p <= 0.01
    assert max(auc(noise[:, :, 0], labels == 0, orders)[1]) > 0.05
    values, p = auc(skill[:, :, 0], labels == 0, orders)
    assert min(values) > 0.8 and max(p) < 0.05
    assert percentile(skill, labels).mean() > 0.9
    assert percentile(noise, labels).mean() == pytest.approx(0.5, abs=0.15)


def test_labels_change_places_within_their_group_only():
    groups = ["a", "b", "a", "b", "c"]
    orders = permutations(groups, 50)
    for order in orders:
        assert sorted(order) == list(range(5))
        assert [groups[index] for index in order] == groups
    assert len({tuple(order) for order in orders}) > 1


def test_the_refusal_direction_is_compared_with_every_vector(checked):
    assert set(checked.report["refusal"]) == set(MARKS)
    assert all(-1 <= cosine <= 1 for cosine in checked.report["refusal"].values())
