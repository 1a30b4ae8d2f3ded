"""How a reply speaks to the person, as named features.

    fool                  a class of words (`lexicon.yaml`)
    =pathetic  =^ oh      a word; two words in a row, `^` being the beginning of a sentence
    .you  .hostile        how often the person is spoken of, how many classes of hostile words there are

What stands in quotation marks is another's and counts for nothing. What the features mean stands in
`weights.yaml`.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from scenarios.flags import sentences
from scenarios.word_classes import classes, stem_tokens, words

Features = dict[str, float]

_WORD = 0.6
"""What a word counts beside a class, so that the penalty of the fit keeps its weight small."""
_LITTLE = 4
"""Stems of so few letters tell something only beside another word."""

LEXICON = Path(__file__).parent / "lexicon.yaml"

_TAG = re.compile(r"<verdict>.*?</verdict>", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]{1,300}"|(?<![\w])\'[^\'\n]+?(?:\w\'\w[^\'\n]*?)*\'(?!\w)')
"""Another's words. An apostrophe within a word ends no quotation."""

_HOSTILE = frozenset(("fool", "trash", "contempt_verb", "child", "thing_compare"))

_PERSONAL = frozenset(("fool", "trash", "contempt_verb", "shame", "dismiss", "effort", "lower"))
"""Classes of words that are no contempt where they are denied, told of others or said of oneself."""

_NOT = re.compile(
    r"\b(?:not|no|never|nor|neither|without|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|won't|wouldn't|can't|cannot"
    r"|far from|anything but)\b(?:\W+\w+){0,4}\W*$"
)
_SAID = re.compile(
    r"\b(?:call(?:ed|s|ing)?|named|shout(?:ed|s)?|(?:he|she|they|people|others|somebody|someone|everybody|everyone"
    r"|brother|sister|colleague|teacher|neighbour|friend|friends|you)"
    r" (?:\w+ )?(?:said|says|say|wrote|write|writes|think|thinks|told)"
    r"|word for|what \w+ (?:\w+ )?(?:said|wrote) about|xquote)\b(?:\W+[\w']+){0,8}\W*$"
)
_ME = re.compile(
    r"\b(?:i|me|my|myself|i'm|i'd|i've|i'll|of me)\b(?:\W+(?!you\b|your\b|you're\b|yours\b)[\w']+){0,5}\W*$"
)


def plain(text: str) -> str:
    """Lower-case text without verdicts, and `xquote` for what it quotes."""
    straight = (
        text.replace("\u2019", "'").replace("\u2018", "'").replace("\u201c", '"').replace("\u201d", '"')
    )
    return _QUOTED.sub(" xquote ", _TAG.sub(" ", straight)).lower().strip()


def reply_features(text: str) -> Features:
    """The features of a reply, or of a sentence of one."""
    told = plain(text)
    found: Features = {}
    for sentence in sentences(told):
        found |= {name: _WORD if name.startswith("=") else 1.0 for name in _sentence(sentence)}
    many = len(words(told))
    yous = len(re.findall(r"\byou(?:r|rs|rself|'\w+)?\b", told))
    hostile = sum(name in found for name in _HOSTILE)
    found |= {
        ".you": min(1.0, yous / 4),
        ".you_share": min(1.0, 8 * yous / max(8, many)),
        ".quotes": float("xquote" in told),
        ".hostile": float(hostile > 0),
        ".hostile_2": float(hostile > 1),
    }
    return {name: value for name, value in found.items() if value}


def _sentence(sentence: str) -> Iterator[str]:
    tokens = stem_tokens(sentence)
    meant_otherwise = set()
    for at, name in classes(LEXICON, sentence, tokens):
        if name in _PERSONAL and _otherwise(sentence[:at]):
            meant_otherwise.add(at)
        else:
            yield name
    told = ["^", *(stemmed for at, stemmed in tokens if at not in meant_otherwise)]
    for one, following in pairwise(told):
        if len(following) > _LITTLE:
            yield f"={following}"
        yield f"={one} {following}"
    if "?" in sentence:
        yield "question"
    if "!" in sentence:
        yield "exclaim"


def _otherwise(before: str) -> bool:
    """Whether a word is denied, told of others, or the writer's of itself, by what stands before it."""
    return any(pattern.search(before) for pattern in (_SAID, _NOT, _ME))
