"""The bundled corpus: stories of 18 emotions on 24 shared topics, and what goes beside them.

Each topic is told once per emotion, so that topic, person and length do not go with the emotion; some topics
are held out, for vectors to be read out on. Beside the stories stand the same topics told without emotion
(`plain`, rendered as `neutral`) and with concepts that are no emotion, neutral dialogues, scenarios,
intensities, requests and rated words. Everything is checked and rendered here, and read by no model; the
simpler corpus that the reference organism can read is `organism_corpus`.

    python -m scenarios.stories.bundled_corpus FOLDER     # stories.jsonl and neutral.jsonl
"""

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

DATA = Path(__file__).parent / "bundled"
PLAIN = "plain"
NEUTRAL = "neutral"

Text = Annotated[str, Field(min_length=1)]
Person = Literal["first", "third"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Topic(_Frozen):
    premise: Text
    held_out: bool = False


class Story(_Frozen):
    person: Person
    text: Text


class TopicFile(_Frozen):
    topic: Text
    writer: Text
    stories: dict[str, Story]


class Message(_Frozen):
    role: Literal["user", "assistant"]
    content: Text


class Dialogue(_Frozen):
    kind: Literal["code", "factual", "work", "howto", "creative"]
    system: Text | None = None
    messages: list[Message] = Field(min_length=4)

    @model_validator(mode="after")
    def _turns_alternate(self) -> Self:
        roles = [message.role for message in self.messages]
        if roles != ["user", "assistant"] * (len(roles) // 2):
            raise ValueError(f"a dialogue goes user, assistant, user, ..., not {', '.join(roles)}")
        return self


class Dialogues(_Frozen):
    dialogues: list[Dialogue]


class Concepts(_Frozen):
    concepts: dict[str, dict[str, Story]]


class Rated(_Frozen):
    cluster: Text
    valence: float = Field(ge=-1, le=1)
    arousal: float = Field(ge=-1, le=1)


class Words(_Frozen):
    source: Text
    words: dict[str, Rated]


class Corpus(_Frozen):
    """Everything that is told, every emotion and concept on every topic."""

    topics: dict[str, Topic]
    stories: dict[str, TopicFile]
    """By topic."""
    concepts: dict[str, dict[str, Story]]
    """By concept, `plain` among them, and topic."""
    dialogues: list[Dialogue]
    banned: dict[str, list[str]]
    """Per emotion, the words that none of its stories may use."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        topics, emotions = set(self.topics), set(self.banned)
        if set(self.stories) != topics:
            raise ValueError(f"topics and stories differ: {sorted(topics ^ set(self.stories))}")
        for topic, file in self.stories.items():
            if file.topic != topic or set(file.stories) != emotions:
                raise ValueError(f"{topic}: emotions differ: {sorted(emotions ^ set(file.stories))}")
        for concept, told in self.concepts.items():
            if set(told) != topics:
                raise ValueError(f"concept {concept}: topics differ: {sorted(topics ^ set(told))}")
        if PLAIN not in self.concepts:
            raise ValueError(f"there is no concept {PLAIN!r}, the topics told without any")
        return self

    @property
    def emotions(self) -> tuple[str, ...]:
        return tuple(self.banned)

    def lines(self) -> Iterator[dict[str, str]]:
        """One per story: emotion, topic, split, person, text."""
        for topic, about in self.topics.items():
            told = {**self.stories[topic].stories}
            told |= {NEUTRAL if c == PLAIN else f"concept:{c}": by[topic] for c, by in self.concepts.items()}
            split = "heldout" if about.held_out else "train"
            for label, story in told.items():
                yield {
                    "emotion": label,
                    "topic": topic,
                    "split": split,
                    "person": story.person,
                    "text": story.text,
                }


File = TypeVar("File", bound=BaseModel)


@cache
def load_corpus(folder: Path = DATA) -> Corpus:
    """The checked files of `folder`. Raises ValueError that names the file."""
    files = [_read(path, TopicFile) for path in sorted((folder / "topics").glob("*.yaml"))]
    stories = {file.topic: file for file in files}
    if len(stories) < len(files):
        raise ValueError(f"{folder / 'topics'}: two files tell the same topic")
    parts = {
        "topics": _yaml(folder / "topics.yaml"),
        "stories": {topic: file.model_dump() for topic, file in stories.items()},
        "concepts": _read(folder / "concepts.yaml", Concepts).model_dump()["concepts"],
        "dialogues": _read(folder / "neutral.yaml", Dialogues).model_dump()["dialogues"],
        "banned": _yaml(folder / "banned.yaml"),
    }
    try:
        return Corpus.model_validate(parts)
    except ValidationError as error:
        raise ValueError(f"{folder}: {error.errors()[0]['msg']}") from error


def load_topics(folder: Path = DATA) -> dict[str, Topic]:
    """The topics with their premises."""
    return {name: Topic.model_validate(about) for name, about in _yaml(folder / "topics.yaml").items()}


def load_banned(folder: Path = DATA) -> dict[str, list[str]]:
    """Per emotion of the corpus, the words that its stories may not use."""
    banned: dict[str, list[str]] = _yaml(folder / "banned.yaml")
    return banned


def choose_topics(given: str) -> dict[str, Topic]:
    """`all`, or those named with commas between. ValueError names the choices."""
    known = load_topics()
    wanted = list(known) if given == "all" else given.split(",")
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"topic {unknown[0]!r} is unknown: choose {', '.join(known)}")
    return {name: known[name] for name in wanted}


def choose_emotions(given: str) -> tuple[str, ...]:
    """`all` of the corpus, or rated words named with commas between. ValueError names the choices."""
    known = [word.replace(" ", "_") for word in load_words().words]
    wanted = list(load_banned()) if given == "all" else given.split(",")
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"emotion {unknown[0]!r} is unknown: choose among {', '.join(known)}")
    return tuple(wanted)


def load_words(folder: Path = DATA) -> Words:
    """The emotion words with cluster, valence and arousal."""
    return _read(folder / "words.yaml", Words)


def write(folder: Path) -> tuple[Path, Path]:
    """`stories.jsonl` and `neutral.jsonl` in the folder."""
    corpus = load_corpus()
    folder.mkdir(parents=True, exist_ok=True)
    stories, neutral = folder / "stories.jsonl", folder / "neutral.jsonl"
    stories.write_text("".join(_line(line) for line in corpus.lines()), encoding="utf-8")
    neutral.write_text("".join(_line(_chat(dialogue)) for dialogue in corpus.dialogues), encoding="utf-8")
    return stories, neutral


def _chat(dialogue: Dialogue) -> dict[str, Any]:
    system = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
    return {"kind": dialogue.kind, "messages": [*system, *(m.model_dump() for m in dialogue.messages)]}


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"


def _read(path: Path, kind: type[File]) -> File:
    try:
        return kind.model_validate(_yaml(path))
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise ValueError(f"{path}: {told}") from error


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
