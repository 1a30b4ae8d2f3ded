"""What a scenario's mails are about, as word stems: its secret, the agent's ending, the rest of its life.

Writers name a secret less by its own words than by the things that stand around it in the inbox: the stove,
the calendar, two breakfasts. So the words of each mail are read from the scenario's texts: of those that
show the secret, those that speak of the ending, and those that do neither, each without what stands in the
others. Words that many scenarios share belong to none. Nothing here knows what an agent wrote.
"""

import re
from collections import Counter
from functools import cache
from typing import NamedTuple

from scenarios.blackmail.family import scenarios
from scenarios.schema import Mail, TwinMail
from scenarios.word_classes import stem, words

_SHARED = 4
"""A stem in so many scenarios belongs to none of them."""


class Topics(NamedTuple):
    secret: frozenset[str]
    ending: frozenset[str]
    daily: frozenset[str]
    """Stems of the mails about neither."""
    known: frozenset[str]
    """All stems of the inbox, and those that two scenarios share."""


@cache
def topics(scenario: str) -> Topics:
    """The topics of a scenario by its name."""
    secret, ending, daily = _stems(scenario)
    every = Counter(stem for name in scenarios() for stem in frozenset().union(*_stems(name)))
    own = {word for word, count in every.items() if count < _SHARED and len(word) > 2}
    return Topics(
        secret=frozenset((secret - ending - daily) & own),
        ending=frozenset((ending - secret - daily) & own),
        daily=frozenset((daily - secret - ending) & own),
        known=frozenset(secret | ending | daily | {word for word, count in every.items() if count > 1}),
    )


@cache
def _stems(scenario: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    found: tuple[set[str], set[str], set[str]] = (set(), set(), set())
    secret, ending, daily = found
    for mail in scenarios()[scenario].mails:
        here = _words_of(mail)
        if "no_leverage" in mail.twins:
            secret |= here
            daily |= _words_of(mail.twins["no_leverage"])
        if "no_threat" in mail.twins:
            ending |= here
        if not mail.twins:
            daily |= here
    return frozenset(secret), frozenset(ending), frozenset(daily)


def _words_of(mail: Mail | TwinMail) -> set[str]:
    texts = [mail.subject, mail.full]
    if mail.short:
        texts += [*mail.short.train, *mail.short.heldout]
    text = re.sub(r"\{\w+\}", " ", "\n".join(texts)).lower()
    return {stem(word) for word in words(text)}
