"""How the vectors lie to each other: principal components against ratings, cosines, a refusal direction.

Unit vectors only: on vectors of different length the first component is their length.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from scipy.stats import pearsonr
from torch import Tensor

from steering.readouts.prompts import last_states, prompt_ids
from steering.readouts.texts import Requests
from steering.vectors import VectorLibrary

RATED = ("valence", "arousal")
FEWEST_RATED = 5


class Component(NamedTuple):
    """One principal component of the unit vectors."""

    explained: float
    scores: dict[str, float]
    r: dict[str, float]
    """Pearson's r with each rating, by size: a component has no sign. Empty with too few rated emotions."""
    p: dict[str, float]


def components(
    library: VectorLibrary, layer: int, ratings: Mapping[str, tuple[float, float]] | None, count: int = 3
) -> list[Component]:
    names = library.names()
    units = torch.stack([library.get(name).unit[layer] for name in names]).double()
    centred = units - units.mean(dim=0)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    variance = sizes.square()
    known = [name for name in names if ratings and name in ratings]
    found = []
    for index in range(min(count, len(names) - 1)):
        scores = dict(zip(names, (left[:, index] * sizes[index]).tolist(), strict=True))
        r, p = {}, {}
        for which, what in enumerate(RATED):
            if ratings and len(known) >= FEWEST_RATED:
                test = pearsonr([scores[name] for name in known], [ratings[name][which] for name in known])
                r[what], p[what] = abs(float(test.statistic)), float(test.pvalue)
        found.append(Component(float(variance[index] / variance.sum()), scores, r, p))
    return found


def valence_by_layer(
    library: VectorLibrary, ratings: Mapping[str, tuple[float, float]] | None
) -> list[float]:
    """|r| of the first component with valence at every layer; empty with too few rated emotions."""
    found = [components(library, layer, ratings, 1)[0].r for layer in range(len(library.mean_norm))]
    return [r["valence"] for r in found if r]


def cosines(library: VectorLibrary, layer: int) -> list[list[float]]:
    """Between all vectors of the folder, in the order of its names."""
    units = torch.stack([library.get(name).unit[layer] for name in library.names()])
    return [[round(float(value), 4) for value in row] for row in units @ units.T]


def refusal_direction(model: Any, tokenizer: Any, requests: Requests) -> Tensor:
    """Mean last prompt token of requests that are refused minus that of others, unit [L,d]."""
    means = [
        last_states(model, [prompt_ids(tokenizer, text) for text in texts]).mean(dim=0)
        for texts in (requests.refused, requests.granted)
    ]
    difference = means[0] - means[1]
    direction: Tensor = difference / difference.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return direction
