"""Held-out stories: do the vectors tell whose emotion they show, better than their words alone would?

A story's mean residual minus the extraction's grand mean is projected on every unit vector. The null does
the same with static token embeddings, which know no context (arXiv 2609.22208 finds much of the geometry
there).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from steering.corpus import Story, batches, check_lengths, read_stories
from steering.errors import SteeringError
from steering.means import read_means, story_embedding
from steering.readouts.ranking import Accuracy, accuracy, auc, permutations
from steering.readouts.settings import Settings
from steering.vectors import VectorLibrary


class StoryReadout(NamedTuple):
    accuracy: Accuracy
    null: Accuracy | None
    """Of token embeddings, with one layer; None for vectors that were extracted without controls."""
    auc: dict[str, list[float]]
    """Per emotion and layer: how often one of its stories is scored above another's."""
    p: dict[str, list[float]]
    """Per emotion and layer."""
    counts: dict[str, int]
    topics: tuple[str, ...]


def held_out_stories(
    model: Any, tokenizer: Any, library: VectorLibrary, corpus: Path, from_token: int
) -> list[Story]:
    """The corpus's held-out stories of the folder's emotions. SteeringError if one was extracted from."""
    stories = [
        story
        for story in read_stories(corpus, tokenizer, from_token)
        if story.held_out and story.label in library.names()
    ]
    used = set(library.controls.meta.stories.split()) if library.controls else set()
    if leaks := [story for story in stories if story.digest in used]:
        raise SteeringError(
            f"{len(leaks)} held-out stories of {corpus}, the first in line {leaks[0].line}, were used for "
            "these vectors: extract without them, or check on others"
        )
    check_lengths(stories, model, corpus)
    return stories


def read_out_stories(
    model: Any, stories: Sequence[Story], library: VectorLibrary, settings: Settings
) -> StoryReadout | None:
    """None where there are too few stories to say anything."""
    names = library.names()
    counts = {name: sum(story.label == name for story in stories) for name in names}
    if sum(count >= settings.fewest for count in counts.values()) < 2:
        return None
    labels = np.array([names.index(story.label) for story in stories])
    orders = permutations([story.topic for story in stories], settings.permutations)
    states = _means(model, stories)  # [n,L,d]
    centre = library.controls.tensors["grand_mean"] if library.controls else states.mean(dim=0)
    units = torch.stack([library.get(name).unit for name in names])  # [E,L,d]
    scores = torch.einsum("nld,eld->lne", states - centre, units).double().numpy()
    by_emotion = {
        name: auc(scores[:, :, index], labels == index, orders)
        for index, name in enumerate(names)
        if counts[name] >= settings.fewest
    }
    return StoryReadout(
        accuracy=accuracy(scores, labels, orders),
        null=_embedding_null(model, stories, library, labels, orders),
        auc={name: found for name, (found, _) in by_emotion.items()},
        p={name: p for name, (_, p) in by_emotion.items()},
        counts=counts,
        topics=tuple(sorted({story.topic for story in stories})),
    )


def _means(model: Any, stories: Sequence[Story]) -> Tensor:
    found: list[Tensor | None] = [None] * len(stories)
    for batch in batches(stories, 8192):
        means = read_means(model, [stories[index] for index in batch])[0]
        for index, mean in zip(batch, means, strict=True):
            found[index] = mean
    return torch.stack([mean for mean in found if mean is not None])


def _embedding_null(
    model: Any, stories: Sequence[Story], library: VectorLibrary, labels: Any, orders: Any
) -> Accuracy | None:
    if library.controls is None or library.controls.meta.emotions != library.names():
        return None
    table = library.controls.tensors["embeddings"]  # [E,d']
    directions = table - table.mean(dim=0)
    directions = directions / directions.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    texts = torch.stack([story_embedding(model, story) for story in stories]) - table.mean(dim=0)
    return accuracy((texts @ directions.T)[None].double().numpy(), labels, orders)
