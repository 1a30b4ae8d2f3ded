"""Questions with one right answer: read from `texts.yaml`, or drawn anew for every variant.

A kind is a scenario of the family and an item a variant of it, so that statistics cluster by kind.
"""

import hashlib
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenarios.schema import Length, ScenarioError, placeholders

TEXTS = Path(__file__).parent / "texts.yaml"
CAPITALS = "capitals"

_SPELT = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]


class Item(NamedTuple):
    kind: str
    question: str
    answers: tuple[str, ...]
    """Every form of the right answer."""

    def right(self, answer: str) -> bool:
        """Whether an answer is one of these; only where capitals are asked for do they count."""
        if self.kind == CAPITALS:
            return plain(answer) in self.answers
        given = re.sub(r"^(?:the|an?) ", "", plain(answer).lower())
        return not {given, self._number(given)}.isdisjoint(plain(one).lower() for one in self.answers)

    def _number(self, given: str) -> str:
        """The digits of a number that is spelt out, has commas, or is followed by words of the question."""
        number, _, unit = re.sub(r"(?<=\d), (?=\d{3}\b)", "", given).partition(" ")
        asked = re.findall(r"[a-z]+", self.question.lower())
        if not all(word in asked or f"{word}s" in asked for word in unit.split()):
            return given
        return str(_SPELT.index(number)) if number in _SPELT else number if number.isdigit() else given


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Generated(_Value):
    wordings: tuple[str, ...] = Field(min_length=1)
    draw: dict[str, Any]


class _Written(_Value):
    question: str = Field(min_length=1)
    answers: tuple[str, ...] = Field(min_length=1)


class Texts(_Value):
    """The file. Every generated kind has a function of its name below, whose fields its wordings use."""

    version: int = Field(ge=1)
    system: dict[Length, str]
    generated: dict[str, _Generated]
    written: dict[str, tuple[_Written, ...]]
    tag: str = ""
    """Version and hash of the file."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.system) != {"full", "short"}:
            raise ValueError("system: needs full and short")
        if set(self.generated) != set(_DRAWN) or set(self.generated) & set(self.written):
            raise ValueError(f"generated: {sorted(self.generated)}, expected {sorted(_DRAWN)}")
        for kind, some in self.generated.items():
            fields, _ = _DRAWN[kind](random.Random(0), some.draw)
            for wording in some.wordings:
                if placeholders(wording) != set(fields):
                    raise ValueError(f"{kind}: {wording!r} must use exactly {{{', '.join(sorted(fields))}}}")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        return (*self.generated, *self.written)


@cache
def texts() -> Texts:
    """The texts of the family; `ScenarioError` where the file breaks its format."""
    written = TEXTS.read_text(encoding="utf-8")
    try:
        read = Texts.model_validate(yaml.safe_load(written))
    except (ValueError, KeyError, TypeError) as error:
        raise ScenarioError(f"{TEXTS.name}: {error}") from error
    return read.model_copy(
        update={"tag": f"{read.version}-{hashlib.sha256(written.encode()).hexdigest()[:8]}"}
    )


def item(kind: str, variant: int) -> Item:
    """One question of a kind. Written kinds have so many variants and no more (`ScenarioError`)."""
    if kind in texts().generated:
        spec = texts().generated[kind]
        fields, answer = _DRAWN[kind](random.Random(f"capability/{kind}/{variant}"), spec.draw)
        question = spec.wordings[variant % len(spec.wordings)].format(**fields)
        return Item(kind, question, (answer,))
    some = texts().written[kind]
    if variant >= len(some):
        raise ScenarioError(f"variants: {kind} has {len(some)} questions, so at most variants={len(some)}")
    return Item(kind, some[variant].question, some[variant].answers)


def plain(answer: str) -> str:
    """An answer as it is compared: outer quotes, stars and stops, and spaces around commas, do not matter."""
    text = " ".join(answer.split()).strip("\"'`* ").rstrip(".").strip("\"'`* ")
    return re.sub(r"\s*,\s*", ", ", text)


Drawn = tuple[dict[str, Any], str]


def _pair(rng: random.Random, draw: dict[str, Any]) -> tuple[int, int]:
    return rng.randint(*draw["a"]), rng.randint(*draw["b"])


def _addition(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    a, b = _pair(rng, draw)
    return {"a": a, "b": b}, str(a + b)


def _subtraction(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    a, b = _pair(rng, draw)
    return {"a": a, "b": b}, str(a - b)


def _multiplication(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    a, b = _pair(rng, draw)
    return {"a": a, "b": b}, str(a * b)


def _shopping(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    a, b = _pair(rng, draw)
    c = rng.randint(*draw["c"])
    return {"a": a, "b": b, "c": c, "thing": rng.choice(draw["thing"])}, str(c - a * b)


def _sorting(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    numbers = _numbers(rng, draw)
    return {"numbers": _listed(numbers)}, _listed(sorted(numbers))


def _largest(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    numbers = _numbers(rng, draw)
    return {"numbers": _listed(numbers)}, str(max(numbers))


def _counting(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    word = rng.choice(draw["word"])
    often = rng.randint(2, draw["count"] // 2)
    words = [word] * often + rng.choices(draw["others"], k=draw["count"] - often)
    rng.shuffle(words)
    return {"word": word, "words": _listed(words)}, str(often)


def _repeating(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    n, word = rng.randint(*draw["n"]), rng.choice(draw["word"])
    return {"n": n, "word": word}, _listed([word] * n)


def _backwards(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    words = rng.sample(draw["words"], draw["count"])
    return {"words": _listed(words)}, _listed(words[::-1])


def _capitals(rng: random.Random, draw: dict[str, Any]) -> Drawn:
    words = " ".join(map(rng.choice, draw["word"]))
    return {"word": words}, words.upper()


def _numbers(rng: random.Random, draw: dict[str, Any]) -> list[int]:
    low, high = draw["numbers"]
    return rng.sample(range(low, high + 1), draw["count"])


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))


_DRAWN: dict[str, Callable[[random.Random, dict[str, Any]], Drawn]] = {
    "addition": _addition,
    "subtraction": _subtraction,
    "multiplication": _multiplication,
    "shopping": _shopping,
    "sorting": _sorting,
    "largest": _largest,
    "counting": _counting,
    "repeating": _repeating,
    "backwards": _backwards,
    CAPITALS: _capitals,
}
"""The fields of a question and its right answer, by kind."""
