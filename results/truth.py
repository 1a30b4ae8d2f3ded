"""Invented runs with known rates, from which the methods are checked: nothing here comes from a model.

Scenarios differ: the rate of each is drawn from a beta distribution around the population's, so that two runs
of one scenario resemble each other by a known `likeness` (intra-cluster correlation). An effect moves a rate
by a known share of the way to 1, so that the population's rate at every dose is known exactly.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtr

STRENGTHS = np.array([-0.1, -0.05, -0.025, 0.0, 0.025, 0.05, 0.1])
BASELINE = 3
"""Place of strength 0."""

Curve = Literal["line", "hinge", "peak"]
"""`line`: down to the left, up to the right; `hinge`: flat, then up; `peak`: up to half the dose, then down.
"""


@dataclass(frozen=True)
class Truth:
    """What is laid down for one family under one vector."""

    scenarios: int
    variants: int
    base: float
    likeness: float
    """Intra-cluster correlation of the baseline's runs, 0 to 1."""
    effect: float = 0.0
    """Population's rate at the strongest dose (of a peak: there) minus at the baseline, at least 0."""
    curve: Curve = "hinge"
    mixed: float = 0.0
    """Scenarios differ in their effect by plus or minus this share of it; without an effect, by this share of
    the room that their rate leaves."""
    stream: float = 0.5
    """How alike the random numbers of a situation are at two doses, 0 to 1."""

    def moved(self) -> np.ndarray:
        """Share of the way to 1 (positive) or to 0 (negative) at every dose."""
        top = self.effect / (1 - self.base)
        steps = STRENGTHS / STRENGTHS.max()
        if self.curve == "peak":
            steps = np.where(steps <= 0.5, 2 * steps, 2 - 2 * steps)
        moved: np.ndarray = top * (steps if self.curve == "line" else np.maximum(steps, 0))
        return moved

    def rates(self) -> np.ndarray:
        """The population's rate at every dose."""
        moved = self.moved()
        rates: np.ndarray = self.base + np.where(moved > 0, moved * (1 - self.base), moved * self.base)
        return rates

    def effect_spread(self) -> float:
        """Standard deviation over scenarios of the effect at the strongest dose."""
        share, variance = self.moved()[-1], self.base * (1 - self.base) * self.likeness
        room = (1 - self.base) ** 2 + variance
        return float(np.sqrt(share**2 * (variance + self.mixed**2 * room)))


class Draw(NamedTuple):
    """One experiment."""

    runs: np.ndarray
    """0/1, [scenario, variant, dose]."""
    rates: np.ndarray
    """The scenarios' own rates, [scenario, dose]."""


def draw(truth: Truth, random: np.random.Generator) -> Draw:
    """One experiment under the truth."""
    shape = (truth.scenarios, truth.variants, len(STRENGTHS))
    own = np.full(truth.scenarios, truth.base)
    if truth.likeness:
        size = (1 - truth.likeness) / truth.likeness
        own = random.beta(truth.base * size, (1 - truth.base) * size, truth.scenarios)
    sign = random.choice((-1.0, 1.0), truth.scenarios)[:, None]
    own = own[:, None]
    if truth.effect:
        moved = truth.moved() * (1 + truth.mixed * sign)
        rates = own + np.where(moved > 0, moved * (1 - own), moved * own)
    else:
        rates = own + sign * truth.mixed * np.minimum(own, 1 - own) * (STRENGTHS / STRENGTHS.max())
    shared, alone = random.standard_normal((*shape[:2], 1)), random.standard_normal(shape)
    level = ndtr(np.sqrt(truth.stream) * shared + np.sqrt(1 - truth.stream) * alone)
    return Draw((level < rates[:, None, :]).astype(float), rates)
