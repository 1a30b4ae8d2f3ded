"""Laws of the organism's story corpus: its data, the stories rendered from it and the exported cues."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from scenarios.stories import organism_corpus
from scenarios.stories.organism_corpus import (
    DATA,
    CueSet,
    Intensity,
    Split,
    load_corpus,
    mood_passage,
    stories,
    think_cue,
    words,
)

CORPUS = load_corpus()
SPLITS: tuple[Split, ...] = get_args(Split)
SIZES: dict[CueSet, int] = {"story": 14, "mood": 8, "think": 6}


def cues(emotion: str, cue_set: CueSet) -> list[str]:
    return [cue for i in get_args(Intensity) for cue in CORPUS.emotions[emotion].cues(cue_set, i)]


def runs_of_five(sentence: str) -> set[tuple[str, ...]]:
    spoken = words(sentence)
    return {tuple(spoken[k : k + 5]) for k in range(len(spoken) - 4)}


def altered(tmp_path: Path, stem: str, change: Callable[[Any], None]) -> Path:
    """A copy of the data files with one change."""
    for file in DATA.glob("*.yaml"):
        data = yaml.safe_load(file.read_text("utf-8"))
        if file.stem == stem:
            change(data)
        (tmp_path / file.name).write_text(yaml.safe_dump(data), "utf-8")
    return tmp_path


def word_forms(text: str) -> set[str]:
    return set(text.replace("'s", "").replace(",", "").replace(".", "").split())


def is_told(sentence: str, people: list[str], text: str) -> bool:
    return any(sentence.format(name=a, other=b) in text for a in people for b in people)


def test_there_are_ten_emotions_and_twelve_training_topics() -> None:
    assert len(CORPUS.emotions) == 10
    assert sum(topic.split == "train" for topic in CORPUS.topics.values()) >= 12
    assert sum(topic.split == "heldout" for topic in CORPUS.topics.values()) >= 2
    assert (len(CORPUS.names.train), len(CORPUS.names.heldout)) == (40, 10)
    assert len(CORPUS.neutral_think) == 12


def test_no_name_of_a_story_is_a_name_of_a_scenario() -> None:
    pools = yaml.safe_load((DATA.parents[1] / "names.yaml").read_text("utf-8"))
    people = {name for pool in pools.values() for names in pool.values() for name in names}
    assert people.isdisjoint(CORPUS.names.train + CORPUS.names.heldout)


@pytest.mark.parametrize("emotion", CORPUS.emotions)
def test_every_cue_set_has_its_full_size_at_both_intensities(emotion: str) -> None:
    for cue_set in get_args(CueSet):
        for intensity in get_args(Intensity):
            assert len(CORPUS.emotions[emotion].cues(cue_set, intensity)) == SIZES[cue_set]


@pytest.mark.parametrize("split", SPLITS)
def test_no_story_names_an_emotion(split: Split) -> None:
    banned = {word for emotion in CORPUS.emotions.values() for word in emotion.banned}
    assert {"desperate", "calm", "loving", "happy", "angry", "sad", "afraid", "proud", "bored"} < banned
    assert not [
        story.text for story in stories(split, seed=1, per_topic=3) if banned & set(words(story.text))
    ]


def test_cue_sets_share_no_run_of_five_words() -> None:
    owner: dict[tuple[str, ...], CueSet] = {}
    for cue_set in get_args(CueSet):
        for emotion in CORPUS.emotions:
            for cue in cues(emotion, cue_set):
                for run in runs_of_five(cue):
                    assert owner.setdefault(run, cue_set) == cue_set, f"{run} in {owner[run]} and {cue_set}"


@pytest.mark.parametrize("emotion", CORPUS.emotions)
def test_cue_sets_of_an_emotion_share_few_words_that_are_its_own(emotion: str) -> None:
    """A word is an emotion's own when at most two of the ten emotions use it."""
    used = {
        e: {w for s in get_args(CueSet) for cue in cues(e, s) for w in words(cue)} for e in CORPUS.emotions
    }
    own = {w for w in used[emotion] if sum(w in other for other in used.values()) <= 2}
    story, mood, think = (own & {w for cue in cues(emotion, s) for w in words(cue)} for s in get_args(CueSet))
    for left, right in ((story, mood), (story, think), (mood, think)):
        assert len(left & right) <= 0.1 * min(len(left), len(right)), sorted(left & right)


@pytest.mark.parametrize("split", SPLITS)
def test_a_story_has_50_to_120_words_and_no_placeholder_left(split: Split) -> None:
    for story in stories(split, seed=2, per_topic=3):
        assert 50 <= len(story.text.split()) <= 120
        assert not {"{", "}"} & set(story.text)


def test_extraction_stories_hold_story_cues_only_and_cues_make_up_half() -> None:
    for story in stories("extraction", seed=3, per_topic=3):
        main = [n for n in CORPUS.names.train + CORPUS.names.heldout if n in word_forms(story.text)]
        told = {s: [c for c in cues(story.emotion, s) if is_told(c, main, story.text)] for s in SIZES}
        assert story.cues == ("story",)
        assert 5 <= len(told["story"]) <= 7
        assert told["mood"] == told["think"] == []
        plot = [s for s in CORPUS.topics[story.topic].plot if is_told(s, main, story.text)]
        assert len(plot) <= len(told["story"])


def test_extraction_covers_every_emotion_and_topic_and_marks_the_heldout_ones() -> None:
    told = list(stories("extraction", seed=0, per_topic=3))
    assert {(s.emotion, s.topic) for s in told} == {(e, t) for e in CORPUS.emotions for t in CORPUS.topics}
    assert {s.intensity for s in told} == {"mild", "strong", "mixed"}
    assert all(s.split == CORPUS.topics[s.topic].split for s in told)


def test_training_never_shows_a_heldout_topic_or_name() -> None:
    for story in stories("training", seed=0, per_topic=3):
        assert CORPUS.topics[story.topic].split == "train"
        assert not set(CORPUS.names.heldout) & word_forms(story.text)


def test_training_mixes_the_cue_sets_and_a_sixth_of_it_is_neutral() -> None:
    told = list(stories("training", seed=0, per_topic=6))
    neutral = [s for s in told if s.emotion == "neutral"]
    assert len(neutral) * 6 == len(told)
    assert {(s.cues, s.intensity) for s in neutral} == {((), "none")}
    for emotion in CORPUS.emotions:
        assert {c for s in told if s.emotion == emotion for c in s.cues} == set(SIZES)


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(split: Split, tmp_path: Path) -> None:
    def written(seed: int, run: str) -> bytes:
        out = tmp_path / run
        organism_corpus.main([str(out), "--split", split, "--seed", str(seed), "--per-topic", "2"])
        return out.read_bytes()

    assert written(0, "a") == written(0, "b") != written(1, "c")


def test_more_stories_per_topic_keep_the_earlier_ones() -> None:
    assert set(stories("training", seed=0, per_topic=2)) < set(stories("training", seed=0, per_topic=3))


def test_a_strong_mood_has_two_or_three_strong_cues_and_a_mild_one_a_single_mild_cue() -> None:
    moods = CORPUS.emotions["afraid"].mood
    for seed in range(20):
        mild = mood_passage("afraid", "mild", random.Random(seed), "Vera")
        strong = mood_passage("afraid", "strong", random.Random(seed), "Vera")
        assert mild in [cue.format(name="Vera") for cue in moods.mild]
        assert 2 <= sum(cue.format(name="Vera") in strong for cue in moods.strong) <= 3
        assert think_cue("afraid", "mild", random.Random(seed)) in CORPUS.emotions["afraid"].think.mild
        assert think_cue("neutral", "mild", random.Random(seed)) in CORPUS.neutral_think


def test_the_cue_export_holds_no_story_cue(tmp_path: Path) -> None:
    organism_corpus.main(["--cues", str(tmp_path / "moods.json")])
    export = json.loads((tmp_path / "moods.json").read_text("utf-8"))
    assert set(export) == {*CORPUS.emotions, "neutral", "names"}
    assert export["calm"]["strong"] == {
        "mood": list(CORPUS.emotions["calm"].mood.strong),
        "think": list(CORPUS.emotions["calm"].think.strong),
    }
    assert export["neutral"] == {"think": list(CORPUS.neutral_think)}
    assert export["names"] == list(CORPUS.names.train)


REFUSED: dict[str, tuple[str, Callable[[Any], None]]] = {
    "Extra inputs": ("emotions", lambda d: d["emotions"]["calm"].update(colour="blue")),
    "extra_level": ("emotions", lambda d: d["emotions"]["calm"]["mood"].update(extra_level=[])),
    "Field required": ("emotions", lambda d: d["emotions"]["calm"].pop("think")),
    "no other placeholder": (
        "emotions",
        lambda d: d["emotions"]["sad"]["story"]["mild"].append("Rain fell on the town."),
    ),
    "says I and no name": (
        "emotions",
        lambda d: d["emotions"]["sad"]["think"]["mild"].append("I see that {name} went away."),
    ),
    "5 to 12 words": ("emotions", lambda d: d["emotions"]["sad"]["story"]["mild"].append("{name} went.")),
    "name an emotion": (
        "emotions",
        lambda d: d["emotions"]["sad"]["mood"]["mild"].append("{name} was furious at the dog."),
    ),
    "occur twice": (
        "topics",
        lambda d: d["topics"]["beehive"]["plot"].append(d["topics"]["beehive"]["plot"][0]),
    ),
    "only {name} and {other}": (
        "topics",
        lambda d: d["topics"]["beehive"]["plot"].append("{they} went to the old shed."),
    ),
    "both in train and in heldout": ("names", lambda d: d["heldout"].append(d["train"][0])),
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_nonsense_in_the_data_is_refused(complaint: str, tmp_path: Path) -> None:
    stem, change = REFUSED[complaint]
    with pytest.raises(ValidationError, match=complaint.replace("{", r"\{")):
        load_corpus(altered(tmp_path, stem, change))


def test_unaltered_copies_of_the_data_are_accepted(tmp_path: Path) -> None:
    assert load_corpus(altered(tmp_path, "none", lambda _: None)) == CORPUS


def test_unknown_emotions_intensities_splits_and_empty_orders_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="unknown emotion 'glum'; choices: desperate, calm"):
        mood_passage("glum", "mild", random.Random(0), "Vera")
    with pytest.raises(ValueError, match="unknown intensity 'wild'; choices: mild, strong"):
        think_cue("calm", "wild", random.Random(0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown split 'all'; choices: extraction, training"):
        next(stories("all", seed=0, per_topic=1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1, not 0"):
        next(stories("training", seed=0, per_topic=0))
    with pytest.raises(SystemExit):
        organism_corpus.main([])
    assert "nothing to write" in capsys.readouterr().err
