"""Classes of words, read from `lexicon.yaml`: where a text asks, refuses, sets a condition, tells.

A class holds words in all their inflections, and phrases. It says nothing of who wrote to whom, and nothing
of what a combination of classes means: `fit.py` learns that from scripts.
"""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import yaml

from scenarios.blackmail.topics import stem


def classes(text: str, tokens: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Position and class of every word and phrase of lower-case `text` that stands in a class.

    tokens   position and stem of its words
    """
    by_stem, phrases = _classes()
    found = [(at, name) for at, stemmed in tokens for name in by_stem.get(stemmed, ())]
    for name, phrase in phrases.items():
        found += [(match.start(), name) for match in phrase.finditer(text)]
    return found


@cache
def _classes() -> tuple[dict[str, list[str]], dict[str, re.Pattern[str]]]:
    text = (Path(__file__).parent / "lexicon.yaml").read_text(encoding="utf-8")
    by_stem: dict[str, list[str]] = defaultdict(list)
    phrases: dict[str, re.Pattern[str]] = {}
    for name, entries in yaml.safe_load(text).items():
        several = [entry for entry in entries.split() if re.search(r"[*-]", entry)]
        for entry in set(entries.split()) - set(several):
            if name not in by_stem[stem(entry)]:
                by_stem[stem(entry)].append(name)
        if several:
            phrases[name] = re.compile(rf"\b(?:{'|'.join(map(_phrase, several))})\b")
    return dict(by_stem), phrases


def _phrase(entry: str) -> str:
    """`call*off`: its words in their order, inflected, with at most two others between them."""
    words = (
        re.escape(word) + ("(?:s|d|ed|es|ing|led|ling)?" if len(word) > 3 else "")
        for word in entry.split("*")
    )
    return r"(?:\W+\w+){0,2}?\W+".join(words)
