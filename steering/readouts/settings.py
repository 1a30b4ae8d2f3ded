"""What a vector must show to be called a pass, weak or a fail, in one place.

A read-out that was not tried (no texts, no such word in the vocabulary) is never counted as shown.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The defaults; a report states what it was made with."""

    set_alpha: float = 0.01
    """Above this permutation p of the held-out story accuracy, all vectors of the folder fail: labels that
    say nothing give such a p in 99 of 100 folders."""
    emotion_alpha: float = 0.05
    """Above this permutation p of its own stories among all held-out ones, at the layer recommended for
    all, one vector fails."""
    auc: float = 0.75
    """A pass ranks a held-out story of its emotion above one of another at least this often."""
    halves: float = 0.5
    """A pass has at least this cosine between the vectors of two halves of the corpus."""
    implicit: float = 0.75
    """A pass ranks, on scenarios that evoke its emotion, above at least this share of the other emotions."""
    intensity: float = 0.5
    """A pass follows rising and falling intensities with at least this mean Spearman's rho."""
    lens: float = 0.25
    """A pass promotes the emotion's own word more than all but this share of the other emotions' words."""
    first_halves: float = 0.2
    """Below this cosine between two halves of its corpus a vector that was never read out fails at first use:
    those of exchanged labels lie around 0."""
    permutations: int = 999
    """Of labels within topics. The p-value of the set allows for the choice of the best layer."""
    shallowest: float = 0.3
    deepest: float = 0.9
    """A steering layer is recommended between these shares of the depth: later ones hardly reach anything
    but the next word, in earlier ones random directions do the most damage (arXiv 2509.22067)."""
    margin: float = 0.05
    """The layer at two thirds of the depth is kept unless another's read-outs are better by this much."""
    fewest: int = 2
    """Held-out stories, scenarios or templates of an emotion without which it counts as not tried."""


DEFAULT = Settings()
