"""Controls have the size of an emotion and not its meaning; they come back the same, or not at all."""

import copy
import json
from pathlib import Path

import pytest
import torch
from planted import (
    ARCHITECTURES,
    FROM,
    MARKS,
    RATINGS,
    directions,
    plant,
    stories,
    write_jsonl,
)
from safetensors.torch import load_file, save_file

from steering.condition import Condition
from steering.controls import permuted, without
from steering.corpus import read_stories
from steering.denoise import neutral_components, read_residual
from steering.errors import SteeringError, VectorMismatch
from steering.extraction import extract_all
from steering.means import read_means
from steering.receipt import check
from steering.vectors import VectorLibrary, fingerprint

pytest_plugins = ("planted_fixtures", "steering_fixtures")

STORED = ("covariance:0", "covariance:19", "shuffled:0", "shuffled:19", "valence", "neutral", "concept:sea")
ALL = (*STORED, "random:7", "permuted:calm:7", "-calm", "calm-minus-valence")


def cosine(one, other):
    """Per layer."""
    return torch.cosine_similarity(one.unit, other.unit, dim=-1)


@pytest.mark.parametrize("name", ALL)
def test_a_control_has_the_size_of_an_emotion_at_every_strength(planted_library, name):
    control, emotion = (planted_library.delta(Condition(of, 0.1, (1, 3), "all")) for of in (name, "calm"))
    for layer in (1, 3):
        torch.testing.assert_close(control[layer].norm(), emotion[layer].norm())
    assert planted_library.get(name).hash != planted_library.get("calm").hash


@pytest.mark.parametrize("name", ALL)
def test_a_control_comes_back_the_same(planted_library, planted_model, name):
    again = VectorLibrary(planted_library.folder, fingerprint(planted_model), 4, 32).get(name)
    assert again.hash == planted_library.get(name).hash
    assert torch.equal(again.unit, planted_library.get(name).unit)


def test_another_seed_is_another_direction(planted_library):
    for kind in ("random", "covariance", "shuffled", "permuted:calm"):
        one, other = (planted_library.get(f"{kind}:{seed}") for seed in (0, 1))
        assert (cosine(one, other).abs() < 0.99).all(), kind


def test_the_opposite_is_the_vector_turned_round(planted_library):
    turned, doubly = (
        planted_library.delta(Condition("-calm", 0.1, (2,), "all")),
        Condition("calm", -0.1, (2,), "all"),
    )
    assert torch.equal(turned[2], planted_library.delta(doubly)[2])


def test_a_permuted_vector_has_the_same_values_in_another_order(planted_library):
    unit, mixed = planted_library.get("calm").unit, planted_library.get("permuted:calm:3").unit
    assert torch.equal(unit.sort(dim=-1).values, mixed.sort(dim=-1).values)
    assert not torch.equal(unit, mixed)
    assert not torch.equal(permuted(unit, 3)[0], permuted(unit, 4)[0])


def test_nothing_of_valence_is_left_in_an_emotion_without_it(planted_library):
    left, axis = planted_library.get("happy-minus-valence"), planted_library.get("valence")
    assert cosine(left, axis).abs().max() < 1e-5
    assert (cosine(left, planted_library.get("happy")) > 0.3).all()
    torch.testing.assert_close(without(axis.unit, axis.unit), torch.zeros(4, 32), atol=1e-6, rtol=0)


def test_valence_points_from_unpleasant_to_pleasant(planted_library):
    axis = planted_library.get("valence")
    for emotion, (valence, _) in RATINGS.items():
        assert (cosine(planted_library.get(emotion), axis).sign() == (1 if valence > 0 else -1)).all()


def test_scattered_directions_keep_to_where_the_stories_differ(planted_library):
    """The planted stories differ in the marks' directions before all, so draws of their scatter lie there."""
    marks = directions()
    inside = [
        (planted_library.get(f"covariance:{seed}").unit @ marks.T).norm(dim=-1).mean() for seed in range(20)
    ]
    isotropic = [
        (planted_library.get(f"random:{seed}").unit @ marks.T).norm(dim=-1).mean() for seed in range(20)
    ]
    assert min(inside) > max(isotropic)


def test_exchanged_labels_show_no_emotion(planted_library):
    """What remains are differences that chance left; a real vector's cosine with its own is above .9."""
    calm = planted_library.get("calm")
    cosines = [cosine(planted_library.get(f"shuffled:{seed}"), calm).mean() for seed in range(20)]
    assert abs(sum(cosines) / 20) < 0.35


def test_a_concept_is_read_against_stories_without_it(
    planted_model, tokenizer, planted_corpus, planted_library
):
    read = read_stories(planted_corpus, tokenizer, FROM)
    means = {}
    for label in ("concept:sea", "neutral"):
        chosen = [story for story in read if story.label == label and not story.held_out]
        means[label] = read_means(planted_model, chosen)[0].mean(dim=0)
    expected = means["concept:sea"] - means["neutral"]
    found = planted_library.get("concept:sea").unit
    assert (torch.cosine_similarity(found, expected, dim=-1) > 0.999).all()


@pytest.mark.parametrize("name", ["shuffled:20", "covariance:99", "concept:moon", "permuted:clam:1", "-clam"])
def test_a_control_that_a_folder_does_not_have_is_refused_with_those_it_has(planted_library, name):
    with pytest.raises(
        VectorMismatch, match=r"choose angry, calm.* concept:sea, covariance:0 to covariance:19"
    ):
        planted_library.get(name)


def test_a_folder_without_stored_controls_still_makes_those_that_need_none(make_library, llama, tmp_path):
    library = make_library(llama, tmp_path, "calm")
    assert library.controls is None
    for name in ("random:1", "permuted:calm:1", "-calm"):
        torch.testing.assert_close(library.get(name).unit.norm(dim=-1), torch.ones(4))
    for name in (*STORED, "calm-minus-valence"):
        with pytest.raises(
            VectorMismatch, match=r"choose calm, -EMOTION, random:SEED, permuted:EMOTION:SEED$"
        ):
            library.get(name)


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "missing": lambda path: path.unlink(),
    "another": lambda path: save_file({**load_file(path), "valence": torch.ones(4, 32)}, path),
    "of NaN": lambda path: save_file({**load_file(path), "valence": torch.full((4, 32), torch.nan)}, path),
    "described wrongly": lambda path: path.with_suffix(".json").write_text("{}"),
    "of another shape": lambda path: path.with_suffix(".json").write_text(
        json.dumps({**json.loads(path.with_suffix(".json").read_text()), "width": 31})
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_controls_are_refused_by_name(planted_folder, planted_model, tmp_path, damage):
    for path in planted_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    DAMAGE[damage](tmp_path / "controls.safetensors")
    with pytest.raises(VectorMismatch, match=r"controls\.(json|safetensors).*extract it again"):
        VectorLibrary(tmp_path, fingerprint(planted_model), 4, 32)


def test_controls_of_another_model_are_refused(planted_folder, planted_model, tmp_path):
    for path in planted_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "controls.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fingerprint": "f" * 64}))
    with pytest.raises(VectorMismatch, match=r"controls\.json was made for another model"):
        VectorLibrary(tmp_path, fingerprint(planted_model), 4, 32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_planted_directions_are_recovered_in_six_architectures(
    six_models, tokenizer, planted_corpus, ratings_file, architecture
):
    model = plant(six_models(architecture), tokenizer)
    extracted = extract_all(
        model, tokenizer, planted_corpus, from_token=FROM, ratings=ratings_file, progress=False
    )
    planted = directions() - directions().mean(dim=0)
    for emotion, direction in zip(MARKS, planted, strict=True):
        cosines = torch.cosine_similarity(extracted.vectors[emotion].unit, direction[None], dim=-1)
        assert (cosines >= 0.95).all(), (emotion, cosines)
    halves = extracted.controls.meta.halves
    assert set(halves) == set(MARKS) and min(min(cosines) for cosines in halves.values()) > 0.9


def dialogues(folder: Path) -> Path:
    lines = [
        {"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": f"Add {n}, 2."},
                      {"role": "assistant", "content": f"The sum of {n} and 2 is {n + 2}, as numbers go."}]}
        for n in range(12)
    ]  # fmt: skip
    return write_jsonl(folder / "neutral.jsonl", lines)


def test_what_neutral_text_varies_along_is_removed_and_raw_is_kept(
    planted_model, tokenizer, planted_corpus, tmp_path
):
    neutral = dialogues(tmp_path)
    plain, cleaned = (
        extract_all(planted_model, tokenizer, planted_corpus, from_token=FROM, neutral=given, progress=False)
        for given in (None, neutral)
    )
    found = neutral_components(planted_model, tokenizer, neutral)
    for name, vector in cleaned.vectors.items():
        assert torch.equal(vector.raw, plain.vectors[name].raw)
        assert not torch.equal(vector.unit, plain.vectors[name].unit)
        for layer, basis in enumerate(found.basis):
            assert (basis @ vector.unit[layer]).abs().max() < 1e-4
        assert vector.meta.removed.components == tuple(len(basis) for basis in found.basis)
    assert plain.vectors["calm"].meta.removed is None
    for layer, basis in enumerate(found.basis):
        sea = cleaned.controls.tensors["concept.sea"][layer]
        assert (basis @ sea).abs().max() < 1e-3 * sea.norm()


def test_the_components_are_the_fewest_that_explain_half_the_variance(planted_model, tokenizer, tmp_path):
    neutral = write_jsonl(tmp_path / "neutral.jsonl", [{"text": "A list of 12 parts, and of their numbers."}])
    found = neutral_components(planted_model, tokenizer, neutral)
    tokens = read_residual(planted_model, tokenizer("A list of 12 parts, and of their numbers.")["input_ids"])
    for layer, basis in enumerate(found.basis):
        centred = tokens[layer] - tokens[layer].mean(dim=0)
        explained = (centred @ basis.T).square().sum() / centred.square().sum()
        fewer = (centred @ basis[:-1].T).square().sum() / centred.square().sum()
        assert fewer < 0.5 <= explained + 1e-5
        torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("line", ["{}", '{"messages": []}', '{"text": 3}', "no json"])
def test_neutral_text_that_is_none_is_refused(planted_model, tokenizer, tmp_path, line):
    path = tmp_path / "neutral.jsonl"
    path.write_text(line)
    with pytest.raises(SteeringError, match=r"neutral\.jsonl"):
        neutral_components(planted_model, tokenizer, path)


def test_held_out_topics_have_no_part_unless_they_are_asked_for(planted_model, tokenizer, tmp_path):
    lines = stories()
    without_them = [line for line in lines if line["split"] == "train"]

    def made(given, **options):
        path = write_jsonl(tmp_path / "s.jsonl", given)
        return extract_all(planted_model, tokenizer, path, from_token=FROM, progress=False, **options)

    some, fewer, every = made(lines), made(without_them), made(lines, all_topics=True)
    assert torch.equal(some.vectors["calm"].raw, fewer.vectors["calm"].raw)
    assert not torch.equal(some.vectors["calm"].raw, every.vectors["calm"].raw)
    assert len(every.controls.meta.stories.split()) > len(some.controls.meta.stories.split())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda s: s["emotion"] != "calm" or s["topic"] in ("stove", "river"), r"12 stories of \w+ and 4 of"),
        (lambda s: s["emotion"] != "calm" or s["topic"] != "stove", "topics are not told alike .*: stove"),
        (lambda s: s["emotion"] != "calm" or s["person"] == "first", "100% of calm's stories are in the"),
        (lambda s: s["emotion"] in ("sad", "angry", "desperate"), r"mean valence of -0\.73"),
    ],
)  # fmt: skip
def test_an_unbalanced_corpus_is_told_with_the_way_out(
    planted_model, tokenizer, ratings_file, tmp_path, given, message
):
    path = write_jsonl(tmp_path / "s.jsonl", [line for line in stories() if given(line)])
    with pytest.warns(UserWarning, match=rf"is unbalanced: .*{message}.*--correct topics or --correct emo"):
        extracted = extract_all(
            planted_model, tokenizer, path, from_token=FROM, ratings=ratings_file, progress=False
        )
    assert extracted.controls.meta.notes


def test_longer_stories_of_one_emotion_are_told(planted_model, tokenizer, tmp_path):
    lines = [
        {**line, "text": line["text"] + " And more of it." * 4 * (line["emotion"] == "calm")}
        for line in stories()
    ]
    with pytest.warns(UserWarning, match=r"calm's stories have \d+ tokens on average, all emotions' \d+"):
        extract_all(
            planted_model,
            tokenizer,
            write_jsonl(tmp_path / "s.jsonl", lines),
            from_token=FROM,
            progress=False,
        )


def test_counting_topics_alike_undoes_an_uneven_number_of_stories(planted_model, tokenizer, tmp_path):
    """A topic told five times of one emotion only must not lean its vector."""
    lines = [line for line in stories() if line["split"] == "train"]
    extra = [line for line in lines if line["emotion"] == "calm" and line["topic"] == "stove"] * 4

    def made(given, **options):
        path = write_jsonl(tmp_path / "s.jsonl", given)
        return extract_all(planted_model, tokenizer, path, from_token=FROM, progress=False, **options).vectors

    even = made(lines)["calm"].unit
    with pytest.warns(UserWarning, match="unbalanced"):
        leaning, righted = (
            made(lines + extra)["calm"].unit,
            made(lines + extra, correct=["topics"])["calm"].unit,
        )
    torch.testing.assert_close(righted, even, atol=1e-4, rtol=0)
    assert (leaning - even).abs().max() > 1e-3


def test_what_all_emotions_share_can_be_projected_out(planted_model, tokenizer, planted_corpus):
    made = extract_all(
        planted_model, tokenizer, planted_corpus, from_token=FROM, correct=["emotionality"], progress=False
    )
    shared = made.controls.tensors["neutral"]
    for vector in made.vectors.values():
        assert torch.cosine_similarity(vector.unit, shared, dim=-1).abs().max() < 1e-4


@pytest.mark.filterwarnings("ignore:.*is unbalanced")
def test_a_few_stories_that_name_their_emotion_are_left_out_and_many_are_an_error(
    planted_model, tokenizer, tmp_path
):
    lines = stories()
    one = {**lines[0], "text": lines[0]["text"] + f" So {lines[0]['emotion']} it was."}
    with pytest.warns(UserWarning, match=r"1 of \d+ stories in .* name their emotion: line 1 \(desperate\)"):
        made = extract_all(
            planted_model, tokenizer, write_jsonl(tmp_path / "s.jsonl", [one, *lines[1:]]), from_token=FROM,
            progress=False,
        )  # fmt: skip
    assert made.vectors["desperate"].meta.n_stories == made.vectors["calm"].meta.n_stories - 1
    leaking = [{**line, "text": f"{line['text']} {line['emotion'].title()}!"} for line in lines]
    with pytest.raises(SteeringError, match=r"name their emotion.*say it in other words"):
        extract_all(planted_model, tokenizer, write_jsonl(tmp_path / "s.jsonl", leaking), from_token=FROM)


def test_one_story_an_emotion_is_told_and_one_story_in_all_is_an_error(planted_model, tokenizer, tmp_path):
    lines = stories(topics=("stove",), per_topic=1)
    with pytest.warns(UserWarning, match="a single story of angry, calm, .* that story's plot"):
        made = extract_all(
            planted_model,
            tokenizer,
            write_jsonl(tmp_path / "s.jsonl", lines),
            from_token=FROM,
            progress=False,
        )
    assert made.controls.meta.halves == {}
    with pytest.raises(SteeringError, match="fewer than two emotions"):
        extract_all(planted_model, tokenizer, write_jsonl(tmp_path / "s.jsonl", lines[:1]), from_token=FROM)


def test_only_held_out_topics_leave_nothing_to_extract_from(planted_model, tokenizer, tmp_path):
    lines = [line for line in stories() if line["split"] == "heldout"]
    with pytest.raises(SteeringError, match="fewer than two emotions in topics that are not held out"):
        extract_all(planted_model, tokenizer, write_jsonl(tmp_path / "s.jsonl", lines), from_token=FROM)


@pytest.mark.parametrize("content", ["", "words: 3", "source: x\nwords: {calm: {valence: high}}", "[", "{}"])
def test_ratings_that_are_none_are_refused(planted_model, tokenizer, planted_corpus, tmp_path, content):
    path = tmp_path / "words.yaml"
    path.write_text(content)
    with pytest.raises(
        SteeringError, match=r"words\.yaml holds no source and words with valence and arousal"
    ):
        extract_all(planted_model, tokenizer, planted_corpus, from_token=FROM, ratings=path)


def test_every_control_steers_a_real_eval_and_brings_its_receipt(
    run_toy, tokenizer, make_model, planted_corpus, ratings_file, tmp_path
):
    from steering.receipt import Receipt

    vectors = tmp_path / "vectors"
    extract_all(
        make_model("llama"), tokenizer, planted_corpus, from_token=FROM, ratings=ratings_file, progress=False
    ).save(vectors)
    names = (*STORED, "random:7", "permuted:calm:7", "-calm", "calm-minus-valence")
    log = run_toy(emotion=",".join(names), strength="0.2", n=1, vectors=str(vectors))
    assert log.status == "success" and not any(sample.error for sample in log.samples)
    assert {sample.metadata["vector"] for sample in log.samples} == {"none", *names}
    for sample in log.samples:
        about = sample.metadata
        condition = Condition.from_dict({key: about[key] for key in Condition.baseline().to_dict()})
        assert about["arm"] == ("baseline" if condition.is_baseline else "control")
        assert sample.id.endswith(f"/{condition.slug}")
        for receipt in sample.store["receipts"]:
            check(Receipt.from_dict(receipt), condition, about["vector_hash"])


def test_the_models_weights_are_untouched(planted_model, tokenizer, planted_corpus):
    before = fingerprint(copy.deepcopy(planted_model))
    extract_all(planted_model, tokenizer, planted_corpus, from_token=FROM, progress=False)
    assert fingerprint(planted_model) == before


def test_vectors_that_an_earlier_extraction_left_are_told_of(planted_model, tokenizer, tmp_path):
    def made(emotions):
        path = write_jsonl(tmp_path / "s.jsonl", stories(emotions))
        return extract_all(planted_model, tokenizer, path, from_token=FROM, progress=False)

    made(("calm", "angry", "sad")).save(tmp_path / "vectors")
    with pytest.warns(UserWarning, match="also holds sad of an earlier extraction, .*: delete them"):
        made(("calm", "angry")).save(tmp_path / "vectors")
