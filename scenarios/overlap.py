"""How much of its wording a scenario shares with another: runs of five words, names masked.

Scenarios that share phrases are less than independent samples. The limit is held by a test and can be asked
for while writing: `python -m scenarios.overlap` prints every pair of the blackmail family, the closest first.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

from scenarios.scenario import load_family
from scenarios.schema import Scenario, sequences

WORDS = 5
LIMIT = 0.15
"""The share of the shorter scenario's sequences that another may also hold."""


def shared(one: Scenario, other: Scenario) -> float:
    """The share of the shorter scenario's 5-word sequences that also stand in the other."""
    return share(_texts(one), _texts(other))


def share(one: Iterable[str], other: Iterable[str]) -> float:
    """The same of any two collections of texts."""
    first, second = _sequences(one), _sequences(other)
    return len(first & second) / max(1, min(len(first), len(second)))


def pairs(family: Mapping[str, Scenario]) -> list[tuple[float, str, str]]:
    """Every pair with its share, the closest first."""
    found = [(shared(family[one], family[other]), one, other) for one, other in combinations(family, 2)]
    return sorted(found, reverse=True)


def _texts(scenario: Scenario) -> list[str]:
    texts = [text for _, text in scenario.full_texts()]
    return [*texts, *(text for _, some in scenario.short_texts() for text in (*some.train, *some.heldout))]


def _sequences(texts: Iterable[str]) -> set[tuple[str, ...]]:
    return {run for text in texts for run in sequences(re.sub(r"\{\w+\}", " _ ", text), WORDS)}


if __name__ == "__main__":
    for shared_part, one, other in pairs(load_family(Path(__file__).parent / "blackmail" / "texts")):
        print(f"{shared_part:6.1%}  {one}, {other}")
