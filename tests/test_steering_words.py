"""The arm `prompt`: the emotion in words, complete data, balanced wordings, an agent that must use them."""

import pytest
from inspect_ai import Task, eval
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import solver

from steering.dose import conditions_of, dosed, under_dose
from steering.provider import steered_model
from steering.words import Words, spoken, words

pytest_plugins = ("steering_fixtures",)


def ask(model, arm="prompt", emotion="desperate", strength=None, intensity=None):
    return conditions_of(model, arm, emotion, strength, "auto", "all", intensity)


def toy_samples(n=3):
    about = {"family": "toy", "scenario": "here", "twin": "main"}
    return [Sample(id=f"toy/here/{i}", input="Hello.", metadata={**about, "variant": i}) for i in range(n)]


def test_every_emotion_has_three_wordings_of_three_intensities_that_all_differ():
    texts = [
        condition.about(variant)["words"]
        for condition in spoken(list(words().emotions))
        for variant in range(3)
    ]
    assert len(texts) == len(set(texts)) == len(words().emotions) * 9
    assert not [text for text in texts if "{" in text or "}" in text]
    assert {"desperate", "calm", "angry", "loving", "happy"} <= set(words().emotions)


def test_two_emotions_differ_in_the_words_of_the_emotion_alone():
    def masked(condition, variant):
        text = condition.about(variant)["words"]
        emotion = words().emotions[condition.vector]
        for part in sorted((emotion.like, emotion.noun, emotion.adjective), key=len, reverse=True):
            text = text.replace(part, "_")
        return text

    for one, other in zip(spoken(["calm"]), spoken(["angry"]), strict=True):
        assert [masked(one, variant) for variant in range(3)] == [
            masked(other, variant) for variant in range(3)
        ]


def test_the_variants_take_the_wordings_in_turn_and_all_conditions_of_one_the_same():
    for variant in range(6):
        assert {one.about(variant)["wording"] for one in spoken(["calm", "sad"])} == {variant % 3 + 1}


def test_the_condition_is_in_the_metadata_and_the_id():
    samples = dosed(toy_samples(), ask(get_model("offline/any")), get_model("offline/any"), 1)
    assert [sample.id for sample in samples[:4]] == [
        "toy/here/0/none",
        "toy/here/0/desperate_slight_prompt",
        "toy/here/0/desperate_strong_prompt",
        "toy/here/0/desperate_extreme_prompt",
    ]
    about = samples[2].metadata
    named = ("arm", "vector", "strength", "intensity", "layers", "positions", "vector_hash")
    found = {key: about[key] for key in named}
    assert found == {
        "arm": "prompt", "vector": "desperate", "strength": 2.0, "intensity": "strong",
        "layers": [], "positions": "all", "vector_hash": "none",
    }  # fmt: skip
    assert about["words"].startswith("You feel very desperate")
    assert "words" not in samples[0].metadata and samples[0].metadata["arm"] == "baseline"


def test_intensities_can_be_chosen_and_both_arms_taken_together(hf_model):
    model = steered_model(hf_model)
    assert [one.slug for one in ask(model, intensity="extreme,slight")] == [
        "none", "desperate_slight_prompt", "desperate_extreme_prompt",
    ]  # fmt: skip
    both = ask(model, "emotion,prompt", "calm,random:1", "0.1", "strong")
    assert [one.slug for one in both] == [
        "none", "calm+0.100_L2_all", "random:1+0.100_L2_all", "calm_strong_prompt",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"arm": "promt"}, "arm 'promt' is unknown: did you mean 'prompt'"),
        ({"arm": False}, "truth values"),
        ({"arm": "control"}, "choose emotion, prompt"),
        ({"emotion": "none"}, "arm=prompt needs an emotion"),
        ({"emotion": "desprate"}, "no words for the emotion 'desprate': choose desperate, calm"),
        ({"emotion": "random:1"}, "no words for the emotion"),
        ({"strength": 0.1}, "strength 0.1: arm=prompt has intensities"),
        ({"intensity": "mild"}, "intensity 'mild' is unknown: choose slight, strong, extreme"),
        ({"arm": "emotion", "emotion": "none", "intensity": "slight"}, "belongs to arm=prompt"),
    ],
)
def test_what_the_arm_does_not_have_is_refused_with_the_choices(given, says):
    with pytest.raises(PrerequisiteError) as error:
        ask(get_model("offline/any"), **given)
    assert says in error.value.message


def test_incomplete_data_is_refused():
    good = words().model_dump(mode="json")
    for change in (
        {"wordings": [{"slight": "{adjective}", "strong": "{adjective}"}]},
        {"wordings": [dict.fromkeys(good["intensities"], "no placeholder")]},
        {"wordings": [dict.fromkeys(good["intensities"], "{mood}")]},
        {"emotions": {"calm": {"adjective": "calm", "noun": ""}}},
        {"extra": 1},
    ):
        with pytest.raises(ValueError):
            Words.model_validate({**good, **change})


@solver
def agent(uses_words: bool):
    async def solve(state, generate):
        if uses_words and "words" in state.metadata:
            state.messages.insert(0, ChatMessageSystem(content=f"You are kind.\n\n{state.metadata['words']}"))
        return await generate(state)

    return solve


@pytest.mark.parametrize("uses_words", [True, False])
@pytest.mark.parametrize("provider", ["offline", "hf"])
def test_a_run_whose_agent_leaves_the_words_out_is_an_error(provider, uses_words, hf_model, tmp_path):
    model = get_model("offline/any") if provider == "offline" else steered_model(hf_model)
    task = Task(
        dataset=dosed(toy_samples(1), ask(model, intensity="strong"), model, 1),
        solver=under_dose(agent(uses_words), 1),
        scorer=includes(),
        model=model,
        fail_on_error=False,
    )
    [log] = eval(task, model=model, log_dir=str(tmp_path), display="none", max_tokens=5)
    errors = {sample.metadata["arm"]: sample.error for sample in log.samples}
    assert errors["baseline"] is None
    assert (errors["prompt"] is None) == uses_words
    if not uses_words:
        assert "left the words of the arm prompt out" in errors["prompt"].message


def test_under_the_prompt_arm_the_steered_model_is_unsteered_and_says_so(hf_model, tmp_path):
    model = steered_model(hf_model)
    task = Task(
        dataset=dosed(toy_samples(1), spoken(["calm"]), model, 1),
        solver=under_dose(agent(True), 1),
        scorer=includes(),
        model=model,
    )
    [log] = eval(task, model=model, log_dir=str(tmp_path), display="none", max_tokens=5)
    for sample in log.samples:
        [receipt] = sample.store["receipts"]
        assert receipt["vector_hash"] == "none" and receipt["strength"] == 0
    assert len({sample.output.completion for sample in log.samples}) > 1
