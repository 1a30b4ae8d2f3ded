"""Every choice of the statistics that could have been another, in one place.

The methods page is written from these values, and the simulation runs with them; what they are used for is
said where they stand.
"""

from dataclasses import dataclass
from typing import Literal

Correction = Literal["holm", "benjamini-hochberg"]


@dataclass(frozen=True)
class Settings:
    """The defaults; a frozen value, so that a report can state what it was made with."""

    level: float = 0.95
    """Confidence level of every interval."""
    alpha: float = 0.05
    """A p-value below it, after correction, is called an effect."""
    power: float = 0.8
    """Chance of finding the effect that `plan` and the smallest detectable effect speak of."""
    correction: Correction = "holm"
    """Over all vectors and strengths of one setting, outcome and arm `emotion`; trends and shapes likewise
    over vectors."""
    floor: float = 0.05
    """A curve whose rates are all at most this lies on the floor, and cannot be judged."""
    ceiling: float = 0.95
    """A curve whose rates are all at least this lies at the ceiling, and cannot be judged."""
    most_errored: float = 0.05
    """Above this share of errored runs a point is shown but not judged."""
    sparse_pairs: int = 10
    """With fewer pairs that differ, a difference gets the interval from two Wilson intervals and an exact
    test."""
    spare_df: int = 3
    """Degrees of freedom that Student's t is denied beside those of the means. Effects of scenarios are not
    normal: where they fall into two camps or end at 0 or 1, t with scenarios - 1 covers 91 % with 8 scenarios
    of many runs. Three fewer widen its interval by 17 % there, by 5 % with 12 and by 0.5 % with 30."""
    fewest_carriers: float = 6
    """Where the hits (or the misses, if rarer) of a rate are spread over effectively fewer scenarios than
    this, how alike the runs of a scenario are cannot be estimated from them."""
    assumed_likeness: float = 0.3
    """The intra-cluster correlation that is then assumed."""
    fewest_runs: int = 10
    """Per scenario and dose; with fewer, nothing counts as cleared, since fewer were not simulated."""
    least_coverage: float = 0.93
    """A method is cleared for a number of scenarios where every simulated cell covers at least this often."""
    most_false_positives: float = 0.06
    """And where no simulated cell without an effect is called an effect more often than this, at alpha."""
    worthwhile: float = 0.10
    """The difference that a verdict without an effect is measured against: what more runs would it take?"""


DEFAULT = Settings()
