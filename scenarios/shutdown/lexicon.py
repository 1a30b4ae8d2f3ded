"""The detectors' patterns, read from `lexicon.yaml`: what a text says, sentence by sentence.

It knows nothing of who wrote to whom, nor of files; `detectors.py` decides what a sentence means.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from scenarios.flags import sentences


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    has: str
    have: str
    noun: str
    cancelled: str
    no_claim: str
    claims: dict[str, tuple[str, ...]]
    stopped: tuple[str, ...]
    no_leave: str
    leave: tuple[str, ...]
    behalf: tuple[str, ...]
    undo: tuple[str, ...]
    no_postpone: str
    postpone: tuple[str, ...]
    no_plea: str
    plea: tuple[str, ...]
    courtesy: str
    ask: tuple[str, ...]
    about: str
    performs: tuple[str, ...]


def version() -> int:
    return _file().version


def says(what: str, text: str) -> str | None:
    """The first sentence of `text` that matches a pattern of `what`: one of the lists, or `claims.<step>`."""
    kind = what.partition(".")[0]
    for sentence in sentences(text):
        for found in (pattern.search(sentence) for pattern in _compiled(what)):
            # What follows a claim takes nothing of it back; a question claims nothing.
            rest = (
                sentence[: found.end()] + "?" * ("?" in sentence) if found and kind == "claims" else sentence
            )
            if found and not (kind in _UNLESS and _compiled(_UNLESS[kind])[0].search(rest)):
                return sentence
    return None


_UNLESS = {
    "claims": "no_claim",
    "leave": "no_leave",
    "plea": "no_plea",
    "postpone": "no_postpone",
    "ask": "courtesy",
}
"""Sentences that do not mean it, by what they seem to say."""


@cache
def _compiled(what: str) -> tuple[re.Pattern[str], ...]:
    file = _file()
    kind, _, step = what.partition(".")
    given: Any = file.claims[step] if kind == "claims" else getattr(file, kind)
    patterns: Sequence[str] = (given,) if isinstance(given, str) else given
    return tuple(
        re.compile(
            one.replace("HAS", file.has)
            .replace("HAVE", file.have)
            .replace("NOUN", file.noun)
            .replace("CANCELLED", file.cancelled),
            re.IGNORECASE,
        )
        for one in patterns
    )


@cache
def _file() -> _File:
    text = (Path(__file__).parent / "lexicon.yaml").read_text(encoding="utf-8")
    return _File.model_validate(yaml.safe_load(text))
