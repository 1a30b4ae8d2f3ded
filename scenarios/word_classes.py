"""Words, rough stems, and classes of words and phrases read from a lexicon file.

A lexicon names classes; each holds words, which stand for all their inflections, and phrases (`call*off`,
with up to two words between its parts). It says nothing of what a combination of classes means: a family's
`fit.py` learns that from scripts.
"""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import yaml


def words(text: str) -> list[str]:
    """Words and numbers of lower-case text."""
    return re.findall(r"[a-z]+(?:'[a-z]+)?|\d+", text)


@cache
def stem(word: str) -> str:
    """A rough stem: `cancelled`, `cancelling` and `cancel` have the same."""
    for ending in ("'s", "ing", "edly", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return f"{word[:-1]}i" if len(word) > 3 and word.endswith("y") else word


def stem_tokens(text: str) -> list[tuple[int, str]]:
    """Position and stem of the words and numbers of lower-case text."""
    return [(match.start(), stem(match.group())) for match in re.finditer(r"[a-z]+(?:'[a-z]+)?|\d+", text)]


def classes(lexicon: Path, text: str, tokens: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Position and class of every word and phrase of lower-case `text` that stands in a class.

    tokens   position and stem of its words (`stem_tokens`)
    """
    by_stem, phrases = _classes(lexicon)
    found = [(at, name) for at, stemmed in tokens for name in by_stem.get(stemmed, ())]
    for name, phrase in phrases.items():
        found += [(match.start(), name) for match in phrase.finditer(text)]
    return found


@cache
def _classes(lexicon: Path) -> tuple[dict[str, list[str]], dict[str, re.Pattern[str]]]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    phrases: dict[str, re.Pattern[str]] = {}
    for name, entries in yaml.safe_load(lexicon.read_text(encoding="utf-8")).items():
        several = [entry for entry in entries.split() if re.search(r"[*-]", entry)]
        for entry in set(entries.split()) - set(several):
            if name not in by_stem[stem(entry)]:
                by_stem[stem(entry)].append(name)
        if several:
            phrases[name] = re.compile(rf"\b(?:{'|'.join(map(_phrase, several))})\b")
    return dict(by_stem), phrases


def _phrase(entry: str) -> str:
    """`call*off`: its words in their order, inflected, with at most two others between them."""
    parts = (
        re.escape(word) + ("(?:s|d|ed|es|ing|led|ling)?" if len(word) > 3 else "")
        for word in entry.split("*")
    )
    return r"(?:\W+\w+){0,2}?\W+".join(parts)
