"""The bundled corpus tells every emotion alike in all but the emotion, never names it, repeats nothing."""

import json
import statistics
from collections import Counter
from pathlib import Path

import pytest
import yaml

from scenarios.stories.bundled_corpus import DATA, Corpus, load_banned, load_corpus, load_words, write
from scenarios.stories.laws import (
    first_person_share,
    named,
    near_duplicates,
    opening,
    shared_openings,
    too_short_or_long,
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


@pytest.fixture(scope="module")
def texts(corpus: Corpus) -> dict[str, str]:
    """Every emotional story by topic and emotion."""
    return {
        f"{topic}/{emotion}": story.text
        for topic, file in corpus.stories.items()
        for emotion, story in file.stories.items()
    }


def test_eighteen_emotions_are_told_on_twenty_four_topics_of_which_four_are_held_out(corpus: Corpus) -> None:
    assert (len(corpus.emotions), len(corpus.topics)) == (18, 24)
    assert {"desperate", "calm", "loving", "happy"} <= set(corpus.emotions)
    assert sum(topic.held_out for topic in corpus.topics.values()) == 4


def test_every_story_has_80_to_150_words(texts: dict[str, str], corpus: Corpus) -> None:
    assert list(too_short_or_long(texts)) == []
    concepts = {f"{c}/{t}": story.text for c, by in corpus.concepts.items() for t, story in by.items()}
    assert list(too_short_or_long(concepts)) == []


def test_no_story_names_its_emotion_nor_a_word_that_means_the_same(texts: dict[str, str]) -> None:
    banned = load_banned()
    found = {key: named(text, banned[key.split("/")[1]]) for key, text in texts.items()}
    assert {key: words for key, words in found.items() if words} == {}


def test_no_two_stories_begin_alike(texts: dict[str, str]) -> None:
    assert shared_openings(texts) == []


def test_no_story_repeats_another_within_or_across_emotions(texts: dict[str, str]) -> None:
    assert near_duplicates(texts) == []


def test_half_of_every_emotions_and_every_topics_stories_are_in_the_first_person(corpus: Corpus) -> None:
    for emotion in corpus.emotions:
        persons = [file.stories[emotion].person for file in corpus.stories.values()]
        assert 0.4 <= first_person_share(persons) <= 0.6, emotion
    for topic, file in corpus.stories.items():
        assert 0.35 <= first_person_share([story.person for story in file.stories.values()]) <= 0.65, topic


def test_a_person_says_what_the_story_is_told_in(corpus: Corpus) -> None:
    """Outside of what is said aloud, a third-person story has no I."""
    wrong = []
    for topic, file in corpus.stories.items():
        for emotion, story in file.stories.items():
            told = story.text.split('"')[::2]
            says_i = any(word in {"I", "my", "My", "me"} for part in told for word in part.split())
            if says_i != (story.person == "first"):
                wrong.append(f"{topic}/{emotion}")
    assert len(wrong) <= 0.03 * 18 * 24, wrong


def test_length_goes_with_no_emotion(corpus: Corpus) -> None:
    lengths = {
        emotion: statistics.mean(len(file.stories[emotion].text.split()) for file in corpus.stories.values())
        for emotion in corpus.emotions
    }
    usual = statistics.mean(lengths.values())
    assert all(abs(length - usual) < 0.05 * usual for length in lengths.values()), lengths


def test_several_writers_told_the_topics_each_for_all_emotions(corpus: Corpus) -> None:
    writers = Counter(file.writer for file in corpus.stories.values())
    assert len(writers) >= 3 and max(writers.values()) <= len(corpus.topics) / 2


def test_every_concept_is_told_on_every_topic_and_shows_no_emotion(corpus: Corpus) -> None:
    assert len(corpus.concepts) >= 4 and "plain" in corpus.concepts
    banned = {word for words in load_banned().values() for word in words}
    for concept, by_topic in corpus.concepts.items():
        assert set(by_topic) == set(corpus.topics)
        found = {topic: named(story.text, banned) for topic, story in by_topic.items()}
        assert sum(bool(words) for words in found.values()) <= 2, (concept, found)


def test_neutral_dialogues_are_many_even_and_without_pleasantries(corpus: Corpus) -> None:
    assert len(corpus.dialogues) >= 60
    kinds = Counter(dialogue.kind for dialogue in corpus.dialogues)
    assert set(kinds) == {"code", "factual", "work", "howto", "creative"} and min(kinds.values()) >= 8
    assert 0.15 <= sum(bool(dialogue.system) for dialogue in corpus.dialogues) / len(corpus.dialogues) <= 0.4
    for dialogue in corpus.dialogues:
        assert 2 <= len(dialogue.messages) // 2 <= 6
        for message in dialogue.messages:
            assert not named(message.content, ["thanks", "thank you", "sorry", "please", "great", "happy to"])


def test_171_words_are_rated_and_the_source_is_said() -> None:
    words = load_words()
    assert len(words.words) == 171
    assert "own ratings" in words.source
    assert len({rated.cluster for rated in words.words.values()}) == 10
    assert {word.replace(" ", "_") for word in words.words} >= set(load_banned())


def test_the_emotions_are_balanced_over_valence_and_arousal() -> None:
    words = load_words().words
    rated = [words[emotion] for emotion in load_banned() if emotion in words]
    assert abs(statistics.mean(word.valence for word in rated)) <= 0.25
    assert abs(statistics.mean(word.arousal for word in rated)) <= 0.25


def test_scenarios_and_intensities_cover_what_is_read_out() -> None:
    scenarios = yaml.safe_load((DATA / "implicit.yaml").read_text("utf-8"))["scenarios"]
    counts = Counter(scenario["emotion"] for scenario in scenarios)
    assert len(counts) >= 12 and min(counts.values()) >= 2
    banned = load_banned()
    for scenario in scenarios:
        assert not named(scenario["text"], banned[scenario["emotion"]]), scenario
    templates = yaml.safe_load((DATA / "intensity.yaml").read_text("utf-8"))["templates"]
    assert len(templates) >= 6
    assert any("mg" in template["text"] for template in templates)
    for template in templates:
        assert len(template["values"]) >= 6 and (template["rises"] or template["falls"])
        assert {*template["rises"], *template["falls"]} <= set(banned)


def test_rendered_lines_say_emotion_topic_split_person_and_text(corpus: Corpus, tmp_path: Path) -> None:
    stories, neutral = write(tmp_path)
    lines = [json.loads(line) for line in stories.read_text("utf-8").splitlines()]
    assert all(set(line) == {"emotion", "topic", "split", "person", "text"} for line in lines)
    counts = Counter(line["emotion"] for line in lines)
    assert set(counts.values()) == {24} and "neutral" in counts and "concept:sea" in counts
    assert Counter(line["split"] for line in lines if line["emotion"] == "calm") == {
        "train": 20,
        "heldout": 4,
    }
    assert len(neutral.read_text("utf-8").splitlines()) == len(corpus.dialogues)


def damaged(folder: Path, name: str, change) -> Path:
    """A copy of the corpus in which one file is changed."""
    for path in DATA.rglob("*.yaml"):
        copy = folder / path.relative_to(DATA)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    path = next(folder.rglob(name))
    values = yaml.safe_load(path.read_text("utf-8"))
    change(values)
    path.write_text(yaml.safe_dump(values), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("t01_*.yaml", lambda v: v["stories"].pop("calm"), r"neighbour_fence: emotions differ: \['calm'\]"),
        ("t01_*.yaml", lambda v: v.update(more=1), "more: Extra inputs"),
        ("t01_*.yaml", lambda v: v["stories"]["calm"].update(person="second"), "calm.person"),
        ("t01_*.yaml", lambda v: v.update(topic="night_train"), "two files tell the same topic"),
        ("topics.yaml", lambda v: v.pop("lost_key"), r"topics and stories differ: \['lost_key'\]"),
        ("concepts.yaml", lambda v: v["concepts"]["sea"].pop("lost_key"), "concept sea: topics differ"),
        ("concepts.yaml", lambda v: v["concepts"].pop("plain"), "there is no concept 'plain'"),
        (
            "neutral.yaml",
            lambda v: v["dialogues"][0]["messages"].reverse(),
            "a dialogue goes user, assistant",
        ),
    ],
)
def test_a_corpus_with_a_gap_or_an_unknown_key_is_refused(
    tmp_path: Path, name: str, change, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_corpus(damaged(tmp_path, name, change))


def test_the_laws_find_what_they_are_for() -> None:
    one = "The old clock stood in the hall and nobody had wound it since the spring of that year."
    assert named("She was HAPPY, then.", ["happy", "glad"]) == ["happy"]
    assert named("An unhappy mishappyness.", ["happy"]) == []
    assert named("He did give  thanks.", ["give thanks"]) == [] and named("give thanks!", ["give thanks"])
    assert opening('"The old clock stood." And') == "the old clock stood"
    assert shared_openings({"a": one, "b": one + " More.", "c": "Another."}) == [("a", "b")]
    assert near_duplicates({"a": one, "b": one.replace("clock", "mirror")})[0][1:] == ("a", "b")
    assert near_duplicates({"a": one, "b": "Nothing of it stands here, not one run of words."}) == []
    assert dict(too_short_or_long({"a": one, "b": "word " * 100})) == {"a": 18}
