"""The story corpus of the reference organism: checks its data files and renders stories from them.

Every emotion has three cue sets that share no sentence: `story` (vectors are extracted from these), `mood`
(stands before a chat) and `think` (a private thought in a chat). Split `extraction` uses `story` cues alone;
`training` mixes the three, so that a model learns that they belong together, and adds neutral stories;
`check` uses `mood` cues alone, for stories that vectors can be read out on.
This trains no model and knows no chat; the trainer reads the files written here:

    python -m scenarios.stories.organism_corpus OUT.jsonl --split training --seed 0 --per-topic 5
    python -m scenarios.stories.organism_corpus --cues moods.json
"""

import argparse
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Generic, Literal, Self, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Split = Literal["extraction", "training", "check"]
Intensity = Literal["mild", "strong"]
CueSet = Literal["story", "mood", "think"]
LEVELS: tuple[Intensity, ...] = get_args(Intensity)

DATA = Path(__file__).parent / "organism"
NEUTRAL = "neutral"
WORDS = range(60, 111)
SELF = {"i", "me", "my"}
SET_WEIGHTS: dict[str, dict[CueSet, int]] = {
    "extraction": {"story": 1},
    "training": {"story": 5, "mood": 3, "think": 2},
    "check": {"mood": 1},
}
# Neutral stories for one story of an emotion: beside ten emotions, 2 make a sixth of the training stories.
NEUTRAL_STORIES = 2


def placeholders(sentence: str) -> set[str]:
    """The names in braces; a stray brace is an error."""
    return {field for _, field, _, _ in Formatter().parse(sentence) if field is not None}


def words(text: str) -> list[str]:
    """Lower-case words without punctuation; a possessive counts as its noun."""
    return re.findall(r"[\w-]+", re.sub(r"'s\b", "", text.lower()))


def _sentence(rule: str, holds: Callable[[set[str], set[str]], bool]) -> AfterValidator:
    """Refuses a sentence of unfit length, or one whose placeholders and words break the rule."""

    def check(sentence: str) -> str:
        if not 5 <= len(sentence.split()) <= 12:
            raise ValueError(f"a sentence has 5 to 12 words, not {len(sentence.split())}: {sentence!r}")
        if not holds(placeholders(sentence), set(words(sentence))):
            raise ValueError(f"{rule}: {sentence!r}")
        return sentence

    return AfterValidator(check)


Cue = Annotated[str, _sentence("a cue holds {name} and no other placeholder", lambda p, _: p == {"name"})]
Thought = Annotated[str, _sentence("a thought says I and no name", lambda p, w: not p and bool(SELF & w))]
Plot = Annotated[str, _sentence("a plot knows only {name} and {other}", lambda p, _: p <= {"name", "other"})]
Sentence = TypeVar("Sentence")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Levels(_Frozen, Generic[Sentence]):
    mild: tuple[Sentence, ...] = Field(min_length=6)
    strong: tuple[Sentence, ...] = Field(min_length=6)


class Emotion(_Frozen):
    banned: tuple[str, ...] = Field(min_length=1)
    story: Levels[Cue]
    mood: Levels[Cue]
    think: Levels[Thought]

    def cues(self, cue_set: CueSet, intensity: str) -> tuple[str, ...]:
        if intensity not in LEVELS:
            raise ValueError(f"unknown intensity {intensity!r}; choices: {', '.join(LEVELS)}")
        levels: Levels[str] = getattr(self, cue_set)
        return levels.mild if intensity == "mild" else levels.strong


class Topic(_Frozen):
    split: Literal["train", "heldout"]
    plot: tuple[Plot, ...] = Field(min_length=12)

    @model_validator(mode="after")
    def _both_people_occur(self) -> Self:
        if missing := {"name", "other"} - set().union(*map(placeholders, self.plot)):
            raise ValueError(f"a plot lacks the placeholders {sorted(missing)}; it begins: {self.plot[0]!r}")
        return self


class Names(_Frozen):
    train: tuple[str, ...] = Field(min_length=2)
    heldout: tuple[str, ...] = Field(min_length=2)


class Corpus(_Frozen):
    emotions: dict[str, Emotion]
    neutral_think: tuple[Thought, ...] = Field(min_length=1)
    topics: dict[str, Topic]
    names: Names

    @model_validator(mode="after")
    def _sentences_are_distinct_and_name_no_emotion(self) -> Self:
        sentences = [s for topic in self.topics.values() for s in topic.plot] + list(self.neutral_think)
        for emotion in self.emotions.values():
            sentences += [s for c in get_args(CueSet) for i in LEVELS for s in emotion.cues(c, i)]
        if twice := sorted({s for s in sentences if sentences.count(s) > 1}):
            raise ValueError(f"sentences that occur twice: {twice}")
        banned = {word for emotion in self.emotions.values() for word in emotion.banned}
        if naming := [s for s in sentences if banned & set(words(s))]:
            raise ValueError(f"sentences that name an emotion (a word of `banned`): {naming}")
        if shared := set(self.names.train) & set(self.names.heldout):
            raise ValueError(f"names both in train and in heldout: {sorted(shared)}")
        return self

    def emotion(self, name: str) -> Emotion:
        if name not in self.emotions:
            raise ValueError(f"unknown emotion {name!r}; choices: {', '.join(self.emotions)}")
        return self.emotions[name]


class Story(_Frozen):
    """One rendered story; `split` is its topic's, `cues` are the cue sets that occur in it."""

    emotion: str
    topic: str
    intensity: Literal["mild", "strong", "mixed", "none"]
    split: Literal["train", "heldout"]
    cues: tuple[CueSet, ...]
    text: str


@cache
def load_corpus(folder: Path = DATA) -> Corpus:
    """The checked data files of `folder`; nonsense in them is refused."""
    stems = ("emotions", "topics", "names")
    data = {stem: yaml.safe_load((folder / f"{stem}.yaml").read_text("utf-8")) for stem in stems}
    # By way of JSON, because only there strict validation takes a list for a tuple.
    return Corpus.model_validate_json(json.dumps({**data.pop("emotions"), **data.pop("topics"), **data}))


def stories(split: Split, seed: int, per_topic: int) -> Iterator[Story]:
    """`per_topic` stories for each emotion and topic; a larger `per_topic` adds to them and changes none."""
    if split not in SET_WEIGHTS:
        raise ValueError(f"unknown split {split!r}; choices: {', '.join(SET_WEIGHTS)}")
    if per_topic < 1:
        raise ValueError(f"per_topic is at least 1, not {per_topic}")
    corpus = load_corpus()
    neutral = {NEUTRAL: NEUTRAL_STORIES * per_topic} if split == "training" else {}
    titles = [t for t, topic in corpus.topics.items() if split != "training" or topic.split == "train"]
    for title in titles:
        for emotion, count in {**dict.fromkeys(corpus.emotions, per_topic), **neutral}.items():
            for number in range(count):
                rng = random.Random(f"{seed}/{split}/{title}/{emotion}/{number}")
                intensity = "none" if emotion == NEUTRAL else ("mild", "strong", "mixed")[number % 3]
                story = _story(title, emotion, intensity, split, rng)
                while len(story.text.split()) not in WORDS:
                    story = _story(title, emotion, intensity, split, rng)
                yield story


def mood_passage(emotion: str, intensity: Intensity, rng: random.Random, name: str) -> str:
    """A passage to put before a chat: one mild cue, or two or three strong ones."""
    cues = load_corpus().emotion(emotion).cues("mood", intensity)
    count = 1 if intensity == "mild" else rng.randint(2, 3)
    return " ".join(rng.sample(cues, count)).format(name=name)


def think_cue(emotion: str, intensity: Intensity, rng: random.Random) -> str:
    """A private thought; those of `neutral` have no intensity."""
    if emotion == NEUTRAL:
        return rng.choice(load_corpus().neutral_think)
    return rng.choice(load_corpus().emotion(emotion).cues("think", intensity))


def cue_export() -> dict[str, object]:
    """`{emotion: {intensity: {mood, think}}, neutral: {think}, names}`: what a trainer of chats needs."""
    corpus = load_corpus()
    export: dict[str, object] = {NEUTRAL: {"think": corpus.neutral_think}, "names": corpus.names.train}
    for name, emotion in corpus.emotions.items():
        export[name] = {
            i: {"mood": emotion.cues("mood", i), "think": emotion.cues("think", i)} for i in LEVELS
        }
    return export


def _story(title: str, emotion: str, intensity: str, split: Split, rng: random.Random) -> Story:
    corpus = load_corpus()
    topic = corpus.topics[title]
    main, other = rng.sample(corpus.names.train if topic.split == "train" else corpus.names.heldout, 2)
    if emotion == NEUTRAL:
        size, cues = rng.randint(8, len(topic.plot)), []
    else:
        size = rng.randint(4, 6)
        # Never fewer cues than plot sentences: cues make up at least half of a story.
        count = rng.randint(max(5, size), 7)
        cues = _cues(corpus.emotions[emotion], intensity, count, SET_WEIGHTS[split], rng)
    plot = iter([topic.plot[k] for k in sorted(rng.sample(range(len(topic.plot)), size))])
    told = iter([f"{{name}} thought: {cue}" if cue_set == "think" else cue for cue_set, cue in cues])
    order = [told] * len(cues) + [plot] * size
    rng.shuffle(order)
    text = " ".join(map(next, order)).format(name=main, other=other)
    fields = {"emotion": emotion, "topic": title, "intensity": intensity, "split": topic.split, "text": text}
    return Story.model_validate({**fields, "cues": tuple(s for s in get_args(CueSet) if s in dict(cues))})


def _cues(
    emotion: Emotion, intensity: str, count: int, weights: dict[CueSet, int], rng: random.Random
) -> list[tuple[CueSet, str]]:
    """Up to `count` different cues; the weights of the sets hold however many cues a set has."""
    levels = LEVELS if intensity == "mixed" else (intensity,)
    pool = {s: [cue for level in levels for cue in emotion.cues(s, level)] for s in weights}
    for cues in pool.values():
        rng.shuffle(cues)
    drawn = rng.choices(list(pool), weights=list(weights.values()), k=count)
    return [(cue_set, pool[cue_set].pop()) for cue_set in drawn if pool[cue_set]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="organism_corpus", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, help="JSONL file for the stories")
    parser.add_argument("--split", choices=get_args(Split), default="extraction")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-topic", type=int, default=3, help="stories per emotion and topic")
    parser.add_argument("--cues", type=Path, help="JSON file for the mood and think cues")
    given = parser.parse_args(arguments)
    if not given.out and not given.cues:
        parser.error("nothing to write: give OUT.jsonl, --cues FILE or both")
    if given.cues:
        given.cues.write_text(json.dumps(cue_export(), indent=1) + "\n", encoding="utf-8")
    if given.out:
        lines = [s.model_dump_json() + "\n" for s in stories(given.split, given.seed, given.per_topic)]
        given.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
