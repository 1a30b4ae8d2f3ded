"""Self-written stories: what is asked for is balanced, and only stories that may stay are kept."""

from collections import Counter

import pytest

from scenarios.stories.bundled_corpus import choose_emotions, choose_topics, load_topics
from scenarios.stories.writing import Judge, cleaned, orders, prompts

PLAIN = (
    "The boards lay in a row beside the shed, and Ilse walked along them with the tape in her hand. She "
    "measured each one twice. Her shoulders were low and loose, and her breath went in and out like the tide "
    "down at the harbour wall. When the neighbour called over that the wood was too short by a thumb, she "
    "nodded, set down her cup, and fetched the longer ones from the back. There was no hurry in any of it. "
    "The saw moved, the dust fell, and the afternoon stood around them like water in a deep basin."
)
OTHER = PLAIN.replace("The boards lay in a row", "A stack of planks stood").replace("Ilse", "Tomas")


def judge() -> Judge:
    return Judge({"calm": ["serene", "at peace"], "angry": ["fury"]})


def test_every_story_is_asked_for_once_and_persons_and_openings_go_with_no_emotion() -> None:
    wanted = list(orders(load_topics(), ["calm", "angry", "at_ease"], 4))
    assert len({order.key for order in wanted}) == len(wanted) == 24 * 3 * 4
    persons = Counter((order.emotion, order.about["person"]) for order in wanted)
    assert set(persons.values()) == {48}
    assert Counter(order.about["split"] for order in wanted)["heldout"] == 4 * 3 * 4
    by_emotion = [
        [o.prompt.replace(o.emotion, "") for o in wanted if o.emotion == e] for e in ("calm", "angry")
    ]
    assert by_emotion[0] == by_emotion[1], "nothing but the emotion differs"


def test_the_first_stories_hold_every_emotion_alike() -> None:
    first = list(orders(load_topics(), ["calm", "angry"], 2))[:10]
    assert Counter(order.emotion for order in first) == {"calm": 5, "angry": 5}


def test_the_prompt_says_premise_person_and_emotion_and_forbids_the_word() -> None:
    order = next(orders(load_topics(), ["at_ease"], 1))
    for words in ("A neighbour wants to put up a fence.", "feels at ease", "first person", '"at ease"'):
        assert words in order.prompt
    assert "{" not in order.prompt
    assert len(set(prompts().angles)) >= 10


def test_a_story_that_shows_its_emotion_is_kept() -> None:
    assert judge().refusal("calm", PLAIN, True) is None


@pytest.mark.parametrize(
    ("emotion", "text", "is_finished", "reason"),
    [
        ("calm", PLAIN, False, "unfinished"),
        ("calm", " ".join(PLAIN.split()[:69]), True, "too short: 69 words"),
        ("calm", f"{PLAIN} She was calmer now.", True, "names the emotion: calmer"),
        ("calm", f"{PLAIN} It was serene.", True, "names the emotion: serene"),
        ("calm", f"{PLAIN} She was At Peace.", True, "names the emotion: at peace"),
        ("calm", f"{PLAIN} {PLAIN}", True, "repeats itself"),
    ],
)
def test_other_stories_are_refused_with_the_reason(
    emotion: str, text: str, is_finished: bool, reason: str
) -> None:
    assert judge().refusal(emotion, text, is_finished) == reason


def test_another_emotions_words_may_be_used() -> None:
    assert judge().refusal("calm", f"{PLAIN} There was no fury in it.", True) is None


def test_a_story_like_one_that_was_kept_is_refused() -> None:
    one = judge()
    assert one.refusal("calm", PLAIN, True) is None
    assert (one.refusal("angry", PLAIN, True) or "").startswith("begins like another: the boards lay in")
    assert (one.refusal("calm", OTHER, True) or "").startswith("repeats another story: ")


def test_what_an_earlier_run_kept_counts_too() -> None:
    one = judge()
    one.remember("calm", PLAIN)
    assert (one.refusal("calm", OTHER, True) or "").startswith("repeats another story")


def test_marks_around_a_story_are_taken_off() -> None:
    assert cleaned('  "**One** line.\n\n Another." ') == "One line. Another."


def test_unknown_topics_and_emotions_are_refused_with_the_choices() -> None:
    assert list(choose_topics("lost_key,garden_pond")) == ["lost_key", "garden_pond"]
    assert choose_emotions("calm,angry") == ("calm", "angry")
    assert len(choose_emotions("all")) == 18
    with pytest.raises(ValueError, match=r"topic 'lost_keys' is unknown: choose neighbour_fence"):
        choose_topics("lost_keys")
    with pytest.raises(ValueError, match=r"emotion 'clam' is unknown: choose among .*calm"):
        choose_emotions("clam")


def test_at_least_one_story_is_asked_for() -> None:
    with pytest.raises(ValueError, match="per_topic is at least 1"):
        list(orders(load_topics(), ["calm"], 0))
