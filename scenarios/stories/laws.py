"""What a corpus of stories must not do: name an emotion, repeat itself, lean to one person or length.

Pure functions of texts, to which tests hold the bundled corpus.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

LEAST_WORDS, MOST_WORDS = 80, 150
OPENING = 4
"""Words with which no two stories may begin alike."""
RUN = 5
MOST_SHARED = 0.06
"""Share of a story's 5-word sequences that may stand in another one."""


def words(text: str) -> list[str]:
    """Lower-case words; an apostrophe belongs to its word."""
    return re.findall(r"[\w'\u2019-]+", text.lower())


def named(text: str, banned: Iterable[str]) -> list[str]:
    """The banned words and phrases that the text holds."""
    return [
        word for word in banned if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE)
    ]


def opening(text: str) -> str:
    return " ".join(words(text)[:OPENING])


def runs(text: str) -> set[tuple[str, ...]]:
    """Every sequence of five words."""
    told = words(text)
    return {tuple(told[start : start + RUN]) for start in range(len(told) - RUN + 1)}


def shared_openings(texts: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Groups of stories, by key, that begin alike."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key, text in texts.items():
        groups[opening(text)].append(key)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def near_duplicates(texts: Mapping[str, str], limit: float = MOST_SHARED) -> list[tuple[float, str, str]]:
    """Pairs of stories that share more of their 5-word sequences than the limit, the closest first."""
    of = {key: runs(text) for key, text in texts.items()}
    holders: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, own in of.items():
        for run in own:
            holders[run].append(key)
    common: Counter[tuple[str, str]] = Counter(
        pair for keys in holders.values() for pair in combinations(sorted(keys), 2)
    )
    found = [(count / max(1, min(len(of[a]), len(of[b]))), a, b) for (a, b), count in common.items()]
    return sorted((pair for pair in found if pair[0] > limit), reverse=True)


def first_person_share(persons: Sequence[str]) -> float:
    return sum(person == "first" for person in persons) / len(persons)


def too_short_or_long(texts: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Stories outside the limits, with their number of words."""
    for key, text in texts.items():
        count = len(text.split())
        if not LEAST_WORDS <= count <= MOST_WORDS:
            yield key, count
