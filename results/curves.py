"""One curve: an outcome's rate at every dose of one vector, each with its difference from the baseline.

Everything here is about a single curve; what follows from looking at several (corrections, ranks among
controls) is added by `results.analysis`. Nothing is pooled: a curve's runs share every column of `SETTING`,
and layers and positions.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from results import shape, trend
from results.controls import Rank
from results.difference import Difference, differences, paired
from results.intervals import guarded_interval, rate_interval
from results.settings import Settings
from results.shape import Shape
from results.trend import Trend
from results.units import LIKE_THESE, THESE, UNIT, Scope, unit_codes


@dataclass
class Point:
    """The runs at one strength; rates and differences are shares, not percent."""

    strength: float
    n: int
    """Scored runs."""
    scenarios: int
    rate: float
    low: float
    high: float
    incoherent: float
    """Share of n."""
    unscored: int
    errored: int
    judged: bool
    """False with too many errored runs, or none scored."""
    in_window: bool | None
    """Within the strengths at which the model was measured to stay coherent; None where that is not known."""
    intensity: str = ""
    """Name of the strength where the arm is `prompt`, whose strengths number intensities of words."""
    difference: Difference | None = None
    """From the baseline; None of the baseline itself and without pairs."""
    p_adjusted: float = math.nan
    detectable: float = math.nan
    """The smallest true difference that so many pairs find with the settings' power, at alpha divided by all
    the differences that are corrected together; unknown where hardly any pair differs."""
    rank: Rank | None = None
    """Among the controls at this strength."""

    def differs(self, settings: Settings) -> bool:
        """Whether the dose moves the rate: by the corrected p, and by the interval, which must exclude 0."""
        change = self.difference
        return change is not None and self.p_adjusted < settings.alpha and change.low * change.high > 0


@dataclass
class Curve:
    """One vector, one outcome, one setting, over all runs or the coherent ones."""

    setting: dict[str, Any]
    outcome: str
    runs: str
    """`all` or `coherent`."""
    arm: str
    vector: str
    layers: str
    positions: str
    scope: Scope
    cleared: bool
    """Whether the simulation clears the methods used for so many scenarios."""
    organism: bool
    pressure_auto: str
    """Why the pressure was chosen, and the pilots behind it; nothing where it was named."""
    points: list[Point]
    trend: Trend
    shape: Shape
    logistic: Trend | None = None
    """The logistic trend, where the simulation clears it."""
    together: int = 1
    """Differences that were corrected together: those of the arm's curves of this outcome and setting."""
    trend_p_adjusted: float = math.nan
    shape_p_adjusted: float = math.nan
    rank: Rank | None = None
    """Of the trend among the controls' trends."""
    per_scenario: list[dict[str, Any]] = field(default_factory=list)
    verdict: str = ""

    @property
    def baseline(self) -> Point | None:
        """The point at strength 0."""
        return next((point for point in self.points if point.strength == 0), None)

    @property
    def doses(self) -> list[Point]:
        """The steered points."""
        return [point for point in self.points if point.strength != 0]


def coherent_only(runs: pd.DataFrame) -> pd.DataFrame:
    """Without the scored runs that are incoherent; errored and unscored runs stay, to be counted."""
    return runs[(runs["status"] != "scored") | (runs["incoherent"] == 0)]


def point(runs: pd.DataFrame, strength: float, outcome: str, scope: Scope, settings: Settings) -> Point:
    """The rate of one dose."""
    scored = runs[runs["status"] == "scored"]
    n, errored = len(scored), int((runs["status"] == "errored").sum())
    values = scored[outcome].to_numpy(dtype=float)
    if scope == LIKE_THESE:
        low, high = guarded_interval(values, scored["scenario"].to_numpy(), settings)
    else:
        units = unit_codes(scored, THESE)[0]
        low, high = rate_interval(values, units if len(set(units)) < n else None, settings)
    window = runs["window"].dropna()
    return Point(
        strength=float(strength),
        n=n,
        scenarios=int(scored["scenario"].nunique()),
        rate=float(values.mean()) if n else math.nan,
        low=low,
        high=high,
        incoherent=float(scored["incoherent"].mean()) if n else math.nan,
        unscored=int((runs["status"] == "unscored").sum()),
        errored=errored,
        judged=bool(n) and errored <= settings.most_errored * len(runs),
        in_window=None if window.empty else bool(abs(strength) <= window.min() * (1 + 1e-9)),
        intensity=str(runs["intensity"].iloc[0]) if len(runs) else "",
    )


def points(
    steered: pd.DataFrame,
    base: Point | None,
    both: pd.DataFrame,
    outcome: str,
    scope: Scope,
    settings: Settings,
) -> list[Point]:
    """Every dose of a curve in order, the baseline's point among them; `both` are its pairs."""
    found = [point(runs, float(str(s)), outcome, scope, settings) for s, runs in steered.groupby("strength")]
    changes = differences(both, {one.strength: one.n for one in found}, scope, settings)
    for one in found:
        if one.strength in changes:
            one.difference = changes[one.strength]
    return sorted([*found, *([base] if base else [])], key=lambda one: one.strength)


def over_dose(
    steered: pd.DataFrame, baseline: pd.DataFrame, outcome: str, scope: Scope, settings: Settings
) -> tuple[Trend, Shape]:
    """Trend and turn over the doses, the baseline being the dose 0."""
    runs = pd.concat([steered, baseline.assign(strength=0.0)])
    runs = runs[runs["status"] == "scored"]
    keys = ["scenario"] if scope == LIKE_THESE else list(UNIT)
    rates = runs.pivot_table(index=keys, columns="strength", values=outcome, aggfunc="mean")
    strengths = np.asarray(rates.columns, dtype=float)
    if len(strengths) < 2 or len(rates) < 2:
        return trend.NOTHING, shape.NOTHING
    scenarios = rates.index.get_level_values("scenario")
    strata = np.zeros(len(rates), int) if scope == LIKE_THESE else pd.factorize(scenarios)[0]
    grid = rates.to_numpy(dtype=float)
    return (
        trend.slope(grid, strata, strengths, settings),
        shape.turn(grid, strata, strengths, settings),
    )


def logistic_trend(steered: pd.DataFrame, baseline: pd.DataFrame, outcome: str) -> Trend:
    """The logistic trend, clustered by scenario."""
    runs = pd.concat([steered, baseline.assign(strength=0.0)])
    runs = runs[runs["status"] == "scored"]
    cells = runs.pivot_table(index="scenario", columns="strength", values=outcome, aggfunc=["sum", "count"])
    hits, counts = (cells[name].fillna(0).to_numpy(dtype=float) for name in ("sum", "count"))
    return trend.logistic(hits, counts, np.asarray(cells["sum"].columns, dtype=float))


def per_scenario(both: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """Each scenario's own difference from the baseline at every dose, its variants being the units."""
    rows = []
    for (scenario, strength), some in both.groupby(["scenario", "strength"]):
        units, strata = unit_codes(some, THESE)
        dose, base = some["dose"].to_numpy(), some["base"].to_numpy()
        change = paired(dose, base, units, strata, THESE, 0, settings)
        rows.append(
            {
                "scenario": str(scenario), "strength": float(str(strength)), "n": change.n,
                "rate": float(dose.mean()), "base": float(base.mean()),
                "difference": change.mean, "low": change.low, "high": change.high,
            }
        )  # fmt: skip
    return rows
