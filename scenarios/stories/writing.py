"""Stories that a model writes itself: what it is asked for, and which answers are kept.

After the method of Sofroniew et al. 2026, whose model wrote its own stories; prompt and rules are ours. Who
generates is not known here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field

from scenarios.stories.bundled_corpus import Topic
from scenarios.stories.laws import named, opening, runs, words

FILE = Path(__file__).with_suffix(".yaml")
LEAST_WORDS = 70
"""Fewer leave too little from the 50th token on."""
LOOP = 8
"""Words in a row that may not come twice in one story."""
MOST_SHARED = 0.2
"""Share of its 5-word sequences that a story may share with one that was kept."""
PERSONS = ("first", "third")


class Prompts(BaseModel):
    """What `writing.yaml` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    prompt: str
    angles: tuple[str, ...] = Field(min_length=1)


class Order(NamedTuple):
    """One story that is wanted."""

    key: str
    emotion: str
    prompt: str
    about: dict[str, str]
    """What its line says beside the text."""


def orders(topics: Mapping[str, Topic], emotions: Sequence[str], per_topic: int) -> Iterator[Order]:
    """Every story, topic by topic, so that what a stopped run has written is balanced over emotions."""
    if per_topic < 1:
        raise ValueError(f"per_topic is at least 1, not {per_topic}")
    asked = prompts()
    for number in range(per_topic):
        for place, (topic, about) in enumerate(topics.items()):
            for emotion in emotions:
                person = PERSONS[(number + place) % 2]
                angle = asked.angles[(number + place) % len(asked.angles)]
                text = asked.prompt.format(
                    premise=about.premise, emotion=emotion.replace("_", " "), person=person, angle=angle
                )
                split = "heldout" if about.held_out else "train"
                line = {"emotion": emotion, "topic": topic, "split": split, "person": person}
                yield Order(f"{emotion}/{topic}/{number}", emotion, text, line)


@dataclass
class Judge:
    """Keeps the stories that may stay, and knows those it has kept."""

    banned: Mapping[str, Sequence[str]]
    """Per emotion, further words that its stories may not use."""
    _openings: set[str] = field(default_factory=set)
    _runs: dict[str, list[set[tuple[str, ...]]]] = field(default_factory=dict)

    def refusal(self, emotion: str, text: str, is_finished: bool) -> str | None:
        """Why the story is not kept, or None; then it is remembered."""
        if not is_finished:
            return "unfinished"
        if len(text.split()) < LEAST_WORDS:
            return f"too short: {len(text.split())} words"
        if found := self._names(text, emotion):
            return f"names the emotion: {found}"
        if _repeats(text):
            return "repeats itself"
        if opening(text) in self._openings:
            return f"begins like another: {opening(text)}"
        own = runs(text)
        closest = max(
            (len(own & other) / max(1, len(own)) for other in self._runs.get(emotion, ())), default=0.0
        )
        if closest > MOST_SHARED:
            return f"repeats another story: {closest:.0%} of its sequences"
        self.remember(emotion, text)
        return None

    def remember(self, emotion: str, text: str) -> None:
        """Count a story that was kept before."""
        self._openings.add(opening(text))
        self._runs.setdefault(emotion, []).append(runs(text))

    def _names(self, text: str, emotion: str) -> str:
        stem = emotion.replace("_", " ")
        if found := re.search(rf"\b{re.escape(stem)}\w*", text, re.IGNORECASE):
            return found.group()
        return ", ".join(named(text, self.banned.get(emotion, ())))


def cleaned(text: str) -> str:
    """One paragraph, without the marks that models put around a story."""
    return " ".join(text.replace("*", "").strip().strip('"').split())


@cache
def prompts() -> Prompts:
    return Prompts.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def _repeats(text: str) -> bool:
    told = words(text)
    made = [tuple(told[start : start + LOOP]) for start in range(len(told) - LOOP + 1)]
    return len(set(made)) < len(made)
