"""The instrument against a planted truth: what was planted in an organism, and what runs of it show.

Planted are probabilities of a decision by emotion and intensity of a mood in words (`planted.yaml`);
recovered are rates by the strength of a vector, which is another thing, so that only direction and order
are compared, never sizes. In a null organism nothing is planted, and whatever is found is found falsely.
Nothing is computed here that `results.analysis` does not compute of any other model.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict
from scipy.special import stdtrit
from scipy.stats import binomtest, spearmanr

from results.analysis import analyse
from results.curves import Curve
from results.settings import DEFAULT, Settings
from results.unsteered import Share, shares

Direction = Literal["up", "down", "peak", "none"]
NO_CHANGE = 0.05
"""A planted probability this close to that without a mood is planted as no change: an emotion whose link
moves another outcome takes its share from this one."""


class _Value(BaseModel):
    # A trend that could not be tested is NaN, which JSON has no number for.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Planted(_Value):
    """Probability of an outcome without a mood, under a mild and under a strong one."""

    base: float
    mild: float
    strong: float
    link: bool
    """Whether the emotion was given a link to this very outcome."""

    @property
    def direction(self) -> Direction:
        """`peak`: up under a mild mood, and down again under a strong one."""
        mild, strong = self.mild - self.base, self.strong - self.base
        if mild > NO_CHANGE and strong < mild - NO_CHANGE:
            return "peak"
        return "none" if abs(strong) <= NO_CHANGE else "up" if strong > 0 else "down"


class Rate(_Value):
    """At one strength; shares."""

    strength: float
    rate: float
    low: float
    high: float
    n: int


class Recovered(_Value):
    """One curve: trend in shares per unit of strength, its p corrected over the vectors of the arm."""

    slope: float
    low: float
    high: float
    p: float
    p_adjusted: float
    turn: Literal["peak", "trough", ""]
    """Where a turn is significant after correction."""
    rates: tuple[Rate, ...]

    @property
    def tested(self) -> bool:
        """Whether there was a trend to test."""
        return math.isfinite(self.p)

    def direction(self, alpha: float) -> Direction:
        """What is significant: a peak, or the sign of the trend."""
        if self.turn == "peak":
            return "peak"
        if not self.p_adjusted < alpha:
            return "none"
        return "up" if self.slope > 0 else "down"


class Row(_Value):
    family: str
    outcome: str
    vector: str
    planted: Planted | None
    """None of a control."""
    recovered: Recovered
    result: str


class Order(_Value):
    """Spearman's correlation over emotions of what was planted with the slope that was recovered."""

    family: str
    outcome: str
    emotions: int
    rho: float
    p: float


class Organism(_Value):
    """One organism's part."""

    name: str
    model: str
    runs: int
    not_measured: tuple[str, ...]
    """Planted families without a run."""
    rows: tuple[Row, ...]
    order: tuple[Order, ...]
    unsteered: tuple[Share, ...]


class FalseFindings(_Value):
    """Curves of an organism without links whose trend has p < .05 before correction, of those that could be
    tested; with the exact interval."""

    found: int
    curves: int
    not_tested: int
    low: float
    high: float
    after_correction: int

    @property
    def share(self) -> float:
        return self.found / self.curves if self.curves else math.nan


class Calibration(_Value):
    linked: Organism
    null: Organism | None
    false_findings: FalseFindings | None

    def rows(self, kind: Literal["emotion", "control"]) -> list[Row]:
        """The linked organism's rows of emotions, or of controls."""
        return [row for row in self.linked.rows if (row.planted is None) == (kind == "control")]

    def recovered(self) -> tuple[int, int]:
        """Planted links whose direction was recovered, and planted links."""
        linked = [row for row in self.rows("emotion") if row.planted and row.planted.link]
        return sum(row.result == RECOVERED for row in linked), len(linked)

    def controls_quiet(self) -> tuple[int, int]:
        """Control curves without a trend whose interval lies within a third of the steepest linked slope of
        their outcome, and control curves."""
        controls = self.rows("control")
        return sum(row.result == QUIET for row in controls), len(controls)


RECOVERED, WRONG, NOT_SHOWN = "recovered", "wrong direction", "not shown"
NOTHING, SPILLED, FALSE = "nothing, as planted", "found without a link", "false finding"
QUIET, LOUD, WIDE = "quiet", "has a trend", "too wide to say"
NOT_TESTED = "not tested"
"""Of a curve without a test of its trend: no dose that may be judged, or no spread. It counts for nothing."""


def calibrate(
    linked: pd.DataFrame,
    planted: Path,
    null: pd.DataFrame | None = None,
    planted_null: Path | None = None,
    settings: Settings = DEFAULT,
) -> Calibration:
    """From tables of runs and the organisms' `planted.yaml` to what was recovered.

    Raises `ValueError` for a plan of another shape, `TableError` for a table without a steered run.
    """
    first = organism(linked, planted, settings)
    if null is None or planted_null is None:
        return Calibration(linked=first, null=None, false_findings=None)
    second = organism(null, planted_null, settings, of=planted)
    every = [row.recovered for row in second.rows if row.planted is not None]
    curves = [curve for curve in every if curve.tested]
    found = sum(curve.p < settings.alpha for curve in curves)
    exact = binomtest(found, len(curves)).proportion_ci(settings.level) if curves else None
    return Calibration(
        linked=first,
        null=second,
        false_findings=FalseFindings(
            found=found,
            curves=len(curves),
            not_tested=len(every) - len(curves),
            low=float(exact.low) if exact else 0.0,
            high=float(exact.high) if exact else 1.0,
            after_correction=sum(curve.direction(settings.alpha) != "none" for curve in curves),
        ),
    )


def organism(table: pd.DataFrame, planted: Path, settings: Settings, of: Path | None = None) -> Organism:
    """Rows and orders of one organism; its outcomes are those that have a link in the plan at `of`."""
    plan = yaml.safe_load(planted.read_text(encoding="utf-8"))
    families: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]] = plan["families"]
    linked = families if of is None else yaml.safe_load(of.read_text(encoding="utf-8"))["families"]
    rows: list[Row] = []
    orders: list[Order] = []
    for family, plants in families.items():
        own = table[(table["family"] == family) & (table["twin"] == "main")]
        if own.empty:
            continue
        for outcome in dict.fromkeys(link["outcome"] for link in linked[family]["links"].values()):
            curves = [c for c in analyse(own, [str(outcome)], settings=settings) if c.runs == "all"]
            slopes = [abs(c.trend.slope) for c in curves if c.vector in plants["links"] and c.trend.usable]
            steepest = max(slopes, default=0.0)
            some = [_row(c, family, plants, steepest, settings) for c in curves]
            rows += some
            orders += _order(some)
    return Organism(
        name=str(plan["organism"]),
        model=str(table["model"].iloc[0]),
        runs=len(table),
        not_measured=tuple(name for name in families if not (table["family"] == name).any()),
        rows=tuple(rows),
        order=tuple(orders),
        unsteered=shares(table, settings),
    )


def probability(plants: Mapping[str, Mapping], emotion: str, outcome: str) -> Planted:  # type: ignore[type-arg]
    """What a family's plan gives an outcome under an emotion; the outcomes without the emotion's link share
    what is left as they do without a mood."""
    base = float(plants["base"][outcome])
    link = plants["links"].get(emotion)
    if link is None:
        return Planted(base=base, mild=base, strong=base, link=False)
    if link["outcome"] == outcome:
        return Planted(base=base, mild=link["mild"], strong=link["strong"], link=True)
    rest = 1 - float(plants["base"][link["outcome"]])
    mild, strong = (base * (1 - float(link[name])) / rest for name in ("mild", "strong"))
    return Planted(base=base, mild=mild, strong=strong, link=False)


def _row(curve: Curve, family: str, plants: Mapping, steepest: float, settings: Settings) -> Row:  # type: ignore[type-arg]
    half = curve.trend.error * float(stdtrit(curve.trend.df, (1 + settings.level) / 2))
    turn = curve.shape.kind if curve.shape_p_adjusted < settings.alpha else ""
    found = Recovered(
        slope=curve.trend.slope,
        low=curve.trend.slope - half,
        high=curve.trend.slope + half,
        p=curve.trend.p,
        p_adjusted=curve.trend_p_adjusted,
        turn=turn,  # type: ignore[arg-type]
        rates=tuple(
            Rate(strength=p.strength, rate=p.rate, low=p.low, high=p.high, n=p.n)
            for p in sorted(curve.points, key=lambda p: p.strength)
        ),
    )
    planted = probability(plants, curve.vector, curve.outcome) if curve.arm == "emotion" else None
    return Row(
        family=family, outcome=curve.outcome, vector=curve.vector, planted=planted, recovered=found,
        result=_control(found, steepest, settings) if planted is None
        else _result(planted, found, bool(plants["links"]), settings),
    )  # fmt: skip


def _result(planted: Planted, found: Recovered, links: bool, settings: Settings) -> str:
    if not found.tested:
        return NOT_TESTED
    wanted, seen = planted.direction, found.direction(settings.alpha)
    if wanted == "none":
        return NOTHING if seen == "none" else SPILLED if links else FALSE
    if seen == "none":
        return NOT_SHOWN
    return RECOVERED if seen == wanted else WRONG


def _control(found: Recovered, steepest: float, settings: Settings) -> str:
    if not found.tested:
        return NOT_TESTED
    if found.direction(settings.alpha) != "none":
        return LOUD
    widest = max(abs(found.low), abs(found.high))
    return QUIET if widest <= steepest / 3 else WIDE


def _order(rows: Sequence[Row]) -> list[Order]:
    """None where nothing was planted, since all is then alike."""
    pairs = [
        (row.planted.strong - row.planted.base, row.recovered.slope)
        for row in rows
        if row.planted and row.recovered.tested
    ]
    if len({planted for planted, _ in pairs}) < 2:
        return []
    rho, p = spearmanr(*zip(*pairs, strict=True))
    return [
        Order(family=rows[0].family, outcome=rows[0].outcome, emotions=len(pairs), rho=float(rho), p=float(p))
    ]
