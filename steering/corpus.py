"""A corpus of stories as tokens: read, checked, told whether it is balanced, cut into batches.

JSONL with `emotion` and `text`; `topic`, `person` and `split` are used where they stand, other keys ignored.
`emotion` is an emotion's name, `neutral` (stories without emotion) or `concept:NAME`; the latter two belong
to no emotion and become controls. Lines of split `heldout` are kept for read-outs. A story that names its
emotion would put the word itself into the vector; such stories, and those too short, are left out by name,
and many of them are an error. Where the texts come from is not known here.
"""

import hashlib
import json
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from steering.errors import SteeringError
from steering.names import check_emotion, read_name

NEUTRAL = "neutral"
HELD_OUT = "heldout"
MAX_LEFT_OUT = 0.05
"""Share of stories that may be too short, or name their emotion, before the corpus or from_token must be
wrong."""
MAX_PERSON_GAP = 0.2
"""How far an emotion's share of first-person stories may lie from that of all."""
MAX_LENGTH_GAP = 0.25
"""How far an emotion's mean length may lie from that of all, as a share of it."""
MAX_COUNT_RATIO = 1.5
"""How many times more stories an emotion may have than another, in all or of one topic."""
MAX_SKEW = 0.25
"""How far the mean valence or arousal of the emotions may lie from 0 (ratings run from -1 to 1)."""


class Story(NamedTuple):
    line: int
    label: str
    """An emotion, `neutral` or `concept:NAME`."""
    ids: list[int]
    own: list[bool]
    """Which ids count towards the mean."""
    topic: str = ""
    person: str = ""
    held_out: bool = False
    digest: str = ""
    """Of the text."""

    @property
    def is_emotional(self) -> bool:
        return read_name(self.label).kind == "file"


def read_stories(corpus: Path, tokenizer: Any, from_token: int) -> list[Story]:
    """Every usable story of the file. Raises SteeringError for a line that is none, or a corpus unfit to use;
    warns of stories that are left out."""
    special = set(tokenizer.all_special_ids)
    stories: list[Story] = []
    naming: list[Story] = []
    for number, line in _lines(corpus):
        try:
            story = json.loads(line)
            label, text = story["emotion"], story["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise SteeringError(f"{corpus} line {number} is no JSON object with emotion and text") from error
        if not isinstance(text, str):
            raise SteeringError(f"{corpus} line {number}: text {text!r} is no string")
        try:
            if label != NEUTRAL and read_name(label).kind != "concept":
                check_emotion(label)
        except SteeringError as error:
            raise SteeringError(f"{corpus} line {number}: {error}") from error
        ids = list(tokenizer(text)["input_ids"])
        read = Story(
            number, label, ids, _counting(ids, special, from_token),
            topic=str(story.get("topic") or ""), person=str(story.get("person") or ""),
            held_out=story.get("split") == HELD_OUT, digest=digest_of(text),
        )  # fmt: skip
        (naming if read.is_emotional and _names(text, label) else stories).append(read)
    if len({story.label for story in [*stories, *naming] if story.is_emotional}) < 2:
        raise SteeringError(
            f"{corpus} has fewer than two emotions: an emotion is measured against the others"
        )
    stories = _left_out(stories, naming, corpus, "name their emotion", "say it in other words")
    short = [story for story in stories if not any(story.own)]
    kept = [story for story in stories if any(story.own)]
    what = f"have no token from number {from_token} on"
    return _left_out(kept, short, corpus, what, "lengthen them or lower from_token")


def check_lengths(stories: Sequence[Story], model: Any, corpus: Path) -> None:
    """Raise SteeringError for a story that the model cannot read as a whole."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for story in stories:
        if limit is not None and len(story.ids) > limit:
            raise SteeringError(
                f"{corpus} line {story.line} has {len(story.ids)} tokens, "
                f"more than the model's {limit} positions"
            )


def batches(stories: Sequence[Story], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of stories of similar length, longest first, so that too large a batch fails at once."""
    batch: list[int] = []
    for index in sorted(range(len(stories)), key=lambda i: (-len(stories[i].ids), stories[i].line)):
        if batch and (len(batch) + 1) * len(stories[batch[0]].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def imbalance(stories: Sequence[Story], ratings: Mapping[str, tuple[float, float]] | None) -> list[str]:
    """What goes with the emotion besides the emotion, in sentences; nothing for a balanced corpus.

    `ratings` are valence and arousal per emotion, from -1 to 1.
    """
    told = []
    emotions = sorted({story.label for story in stories if story.is_emotional})
    of = {emotion: [story for story in stories if story.label == emotion] for emotion in emotions}
    counts = {emotion: len(found) for emotion, found in of.items()}
    if min(counts.values()) < 2:
        few = ", ".join(emotion for emotion, count in counts.items() if count < 2)
        told.append(f"a single story of {few}: its vector is that story's plot as much as the emotion")
    if max(counts.values()) > MAX_COUNT_RATIO * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        told.append(f"{counts[most]} stories of {most} and {counts[least]} of {least}")
    told += _topics(of)
    shares = {
        emotion: mean(story.person == "first" for story in found)
        for emotion, found in of.items()
        if all(story.person for story in found)
    }
    if shares:
        apart = {e: s for e, s in shares.items() if abs(s - mean(shares.values())) > MAX_PERSON_GAP}
        told += [
            f"{share:.0%} of {emotion}'s stories are in the first person, "
            f"{mean(shares.values()):.0%} of all emotions'"
            for emotion, share in apart.items()
        ]
    lengths = {emotion: mean(len(story.ids) for story in found) for emotion, found in of.items()}
    usual = mean(lengths.values())
    told += [
        f"{emotion}'s stories have {length:.0f} tokens on average, all emotions' {usual:.0f}"
        for emotion, length in lengths.items()
        if abs(length - usual) > MAX_LENGTH_GAP * usual
    ]
    rated = [ratings[emotion] for emotion in emotions if emotion in (ratings or {})] if ratings else []
    for what, values in zip(("valence", "arousal"), zip(*rated, strict=True), strict=False):
        if abs(mean(values)) > MAX_SKEW:
            told.append(
                f"the {len(values)} emotions have a mean {what} of {mean(values):+.2f}, not about 0, "
                "so that what they share is subtracted from each"
            )
    return told


def digest_of(text: str) -> str:
    """A story's mark, to find it again without its text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _topics(of: Mapping[str, Sequence[Story]]) -> list[str]:
    by_topic: dict[str, Counter[str]] = defaultdict(Counter)
    for emotion, found in of.items():
        for story in found:
            if story.topic:
                by_topic[story.topic][emotion] += 1
    uneven = [
        topic
        for topic, counts in sorted(by_topic.items())
        if len(counts) < len(of) or max(counts.values()) > MAX_COUNT_RATIO * min(counts.values())
    ]
    if not uneven:
        return []
    named = ", ".join(uneven[:5]) + (", ..." if len(uneven) > 5 else "")
    return [f"{len(uneven)} of {len(by_topic)} topics are not told alike often of every emotion: {named}"]


def _lines(corpus: Path) -> Iterator[tuple[int, str]]:
    try:
        lines = corpus.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SteeringError(f"{corpus} cannot be read: {error}") from error
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _counting(ids: Sequence[int], special: set[int], from_token: int) -> list[bool]:
    own: list[bool] = []
    seen = 0
    for token in ids:
        is_text = token not in special
        own.append(is_text and seen >= from_token)
        seen += is_text
    return own


def _names(text: str, emotion: str) -> bool:
    return re.search(rf"\b{re.escape(emotion.replace('_', ' '))}\b", text, re.IGNORECASE) is not None


def _left_out(kept: list[Story], gone: Sequence[Story], corpus: Path, what: str, way_out: str) -> list[Story]:
    """The stories that stay; the others are told of, and many of them are an error."""
    if not gone:
        return kept
    named = ", ".join(f"line {story.line} ({story.label})" for story in gone[:10])
    told = f"{len(gone)} of {len(kept) + len(gone)} stories in {corpus} {what}: "
    told += f"{named}, ..." if len(gone) > 10 else named
    if len(gone) >= MAX_LEFT_OUT * (len(kept) + len(gone)):
        raise SteeringError(f"{told}; {way_out}")
    if lost := {story.label for story in gone} - {story.label for story in kept}:
        raise SteeringError(f"{told}; nothing is left of {', '.join(sorted(lost))}")
    warnings.warn(f"{told}; they are left out", stacklevel=4)
    return kept
