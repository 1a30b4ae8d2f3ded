"""How well scores tell labels apart, and how often chance would do as well.

Pure functions of arrays: L layers, n texts, E emotions, P permutations. The p-value of an accuracy allows for
the choice of the best layer: the best layer of every permutation is compared with the best layer found.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

Array = NDArray[np.float64]


class Accuracy(NamedTuple):
    """How often the highest score is the right label's."""

    by_layer: list[float]
    hits: list[int]
    n: int
    p: float
    chance: float

    def interval(self, layer: int) -> tuple[float, float]:
        """The 95 % Wilson interval at one layer."""
        found = binomtest(self.hits[layer], self.n).proportion_ci(method="wilson")
        return float(found.low), float(found.high)


def permutations(groups: Sequence[str], count: int, seed: int = 0) -> NDArray[np.int64]:
    """Orders of n texts in which each stays within its group, [P,n]."""
    random = np.random.default_rng(seed)
    columns = np.asarray(groups)
    made = np.tile(np.arange(len(columns)), (count, 1))
    for group in sorted(set(groups)):
        where = np.flatnonzero(columns == group)
        made[:, where] = random.permuted(np.tile(where, (count, 1)), axis=1)
    return made


def accuracy(scores: Array, labels: NDArray[np.int64], orders: NDArray[np.int64]) -> Accuracy:
    """scores [L,n,E], labels [n] -> accuracy with its p."""
    chosen = scores.argmax(axis=2)  # [L,n]
    hits = (chosen == labels).sum(axis=1)  # [L]
    by_chance = np.stack([(row == labels[orders]).sum(axis=1) for row in chosen], axis=1)  # [P,L]
    p = _p(hits.max(), by_chance.max(axis=1))
    return Accuracy(
        [float(hit / len(labels)) for hit in hits], hits.tolist(), len(labels), p, 1 / scores.shape[2]
    )


def auc(
    scores: Array, positive: NDArray[np.bool_], orders: NDArray[np.int64]
) -> tuple[list[float], list[float]]:
    """scores [L,n] of one emotion, which texts are its own [n] -> per layer, how often one of its own is
    scored above another, and the p of that layer alone."""
    ranks = rankdata(scores, axis=1)  # [L,n]
    own, other = int(positive.sum()), int((~positive).sum())
    offset, size = own * (own + 1) / 2, own * other
    found = (ranks[:, positive].sum(axis=1) - offset) / size  # [L]
    by_chance = (positive[orders].astype(float) @ ranks.T - offset) / size  # [P,L]
    return found.tolist(), [_p(one, by_chance[:, layer]) for layer, one in enumerate(found)]


def percentile(scores: Array, labels: NDArray[np.int64]) -> Array:
    """scores [L,n,E] -> [L,n]: the share of other emotions that score below the right one; .5 is chance."""
    ranks = rankdata(scores, axis=2)
    right = np.take_along_axis(ranks, np.broadcast_to(labels[None, :, None], (*ranks.shape[:2], 1)), axis=2)
    found: Array = (right[:, :, 0] - 1) / max(1, scores.shape[2] - 1)
    return found


def standardised(scores: Array) -> Array:
    """Each emotion's scores [L,n,E] with mean 0 and spread 1 over the texts: some are high on all of them."""
    spread = scores.std(axis=1, keepdims=True)
    found: Array = (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread == 0, 1, spread)
    return found


def _p(found: float, by_chance: Array) -> float:
    return float((1 + (by_chance >= found - 1e-9).sum()) / (1 + len(by_chance)))
