"""Which weighted sums of story means an extraction needs, as one matrix.

Every direction (an emotion's mean, a half's, one of exchanged labels, one drawn as the stories scatter) is a
weighted sum of story means, so the matrix times the means of a batch is all a pass over the corpus has to
add up. Holds no activations.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from steering.corpus import Story


class Weights(NamedTuple):
    """One row per sum, one column per story, float64."""

    labels: tuple[str, ...]
    """The emotions first; then `first:EMOTION` and `second:EMOTION` (halves), `neutral`, `concept:NAME`,
    `shuffled:SEED`, `covariance:SEED`."""
    rows: Tensor  # [K,n]
    emotions: tuple[str, ...]

    @classmethod
    def of(cls, stories: Sequence[Story], *, by_topic: bool, seeds: int) -> "Weights":
        """`by_topic` lets every topic count alike in a mean. Seeds run from 0."""
        emotions = tuple(sorted({story.label for story in stories if story.is_emotional}))
        others = sorted({story.label for story in stories if not story.is_emotional})
        columns = {label: [i for i, story in enumerate(stories) if story.label == label]
                   for label in (*emotions, *others)}  # fmt: skip
        made = {label: _mean(stories, columns[label], by_topic) for label in emotions}
        for half, part in (("first", 0), ("second", 1)):
            for emotion in emotions:
                if chosen := _half(stories, columns[emotion], part):
                    made[f"{half}:{emotion}"] = _mean(stories, chosen, by_topic)
        made |= {label: _mean(stories, columns[label], by_topic) for label in others}
        emotional = [i for i, story in enumerate(stories) if story.is_emotional]
        for seed in range(seeds):
            made[f"shuffled:{seed}"] = _shuffled(stories, emotional, emotions, seed)
            made[f"covariance:{seed}"] = _scattered(len(stories), emotional, seed)
        both = {e for e in emotions if f"first:{e}" in made and f"second:{e}" in made}
        if both != set(emotions):
            made = {label: row for label, row in made.items() if not label.startswith(("first:", "second:"))}
        return cls(tuple(made), torch.stack(list(made.values())), emotions)

    def named(self, sums: Tensor) -> dict[str, Tensor]:
        """The sums [K,L,d] by label."""
        return dict(zip(self.labels, sums, strict=True))


def _mean(stories: Sequence[Story], columns: Sequence[int], by_topic: bool) -> Tensor:
    row = torch.zeros(len(stories), dtype=torch.float64)
    groups: dict[str, list[int]] = defaultdict(list)
    for column in columns:
        groups[stories[column].topic if by_topic else ""].append(column)
    for group in groups.values():
        row[group] = 1 / (len(groups) * len(group))
    return row


def _half(stories: Sequence[Story], columns: Sequence[int], part: int) -> list[int]:
    """Every second topic; every second story where there are no topics."""
    topics = sorted({story.topic for story in stories if story.is_emotional})
    if len(topics) < 2:
        return list(columns[part::2])
    return [column for column in columns if topics.index(stories[column].topic) % 2 == part]


def _shuffled(
    stories: Sequence[Story], emotional: Sequence[int], emotions: Sequence[str], seed: int
) -> Tensor:
    """The first emotion's vector, with labels exchanged within topics, so that topics stay balanced."""
    generator = _generator(f"shuffled:{seed}")
    groups: dict[str, list[int]] = defaultdict(list)
    for column in emotional:
        groups[stories[column].topic].append(column)
    by_label: dict[str, list[int]] = defaultdict(list)
    for _, group in sorted(groups.items()):
        order = torch.randperm(len(group), generator=generator).tolist()
        for column, other in zip(group, order, strict=True):
            by_label[stories[group[other]].label].append(column)
    means = {emotion: _mean(stories, by_label[emotion], by_topic=False) for emotion in emotions}
    return means[emotions[0]] - torch.stack(list(means.values())).mean(dim=0)


def _scattered(count: int, emotional: Sequence[int], seed: int) -> Tensor:
    """A normal draw with the covariance of the story means."""
    drawn = torch.randn(len(emotional), generator=_generator(f"covariance:{seed}"), dtype=torch.float64)
    row = torch.zeros(count, dtype=torch.float64)
    row[list(emotional)] = (drawn - drawn.mean()) / max(1, len(emotional) - 1) ** 0.5
    return row


def _generator(stream: str) -> torch.Generator:
    digest = hashlib.sha256(stream.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
