"""From the table of runs to conclusions: every curve, corrected for how many were looked at, with its
verdict.

Per outcome, setting and vector, over all runs and over the coherent ones. What is computed of a single curve
is in `results.curves`; here is what follows from looking at several.
"""

import math
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, cast

import pandas as pd

from results import clearance, curves
from results.controls import is_null, rank
from results.corrections import adjust
from results.curves import Curve
from results.difference import pairs
from results.power import detectable
from results.rates import SETTING, check_outcome
from results.settings import DEFAULT, Settings
from results.table import TableError, rated
from results.units import LIKE_THESE, Scope
from results.verdicts import verdict
from results.wording import NO_WORDS

RUNS = ("all", "coherent")


def analyse(
    table: pd.DataFrame,
    chosen: Sequence[str] = (),
    *,
    settings: Settings = DEFAULT,
    scope: Scope | None = None,
    simulation: Path = clearance.TABLE,
) -> list[Curve]:
    """Every curve of the `chosen` outcomes (all that occur, if none), over all and over coherent runs.

    The scope is what the number of scenarios allows by the simulation's table, unless one is given.
    """
    for outcome in chosen:
        check_outcome(table, outcome)
    found: list[Curve] = []
    for setting, runs in table.groupby(list(SETTING), dropna=False):
        named = dict(zip(SETTING, cast(tuple[Any, ...], setting), strict=True))
        own = [name for name in rated(table) if runs[name].notna().any()]
        for outcome in own:
            if chosen and outcome not in chosen:
                continue
            for kind in RUNS:
                some = runs if kind == "all" else curves.coherent_only(runs)
                found += _together(_curves(some, named, outcome, kind, settings, scope, simulation), settings)
    if not found:
        raise TableError("no steered run to analyse: the table holds baselines only")
    return found


def _curves(
    runs: pd.DataFrame, setting: dict[str, Any], outcome: str, kind: str, settings: Settings,
    scope: Scope | None, simulation: Path,
) -> list[Curve]:  # fmt: skip
    baseline = runs[runs["arm"] == "baseline"]
    steered = runs[runs["arm"] != "baseline"]
    found = []
    bases: dict[Scope, Any] = {}
    for (arm, vector, layers, positions), some in steered.groupby(["arm", "vector", "layers", "positions"]):
        scenarios = int(some["scenario"].nunique())
        runs_each = int(some.groupby(["scenario", "strength"]).size().min())
        choice = clearance.choose(scenarios, settings, simulation, scope, runs_each)
        if choice.scope not in bases:
            point = curves.point(baseline, 0.0, outcome, choice.scope, settings) if len(baseline) else None
            bases[choice.scope] = point
        both = pairs(some, baseline, outcome)
        base = copy(bases[choice.scope])
        if base and arm == "prompt":
            base.intensity = NO_WORDS
        points = curves.points(some, base, both, outcome, choice.scope, settings)
        inside = [point.strength for point in points if point.judged and point.in_window is not False]
        judged = some[some["strength"].isin(inside)]
        in_words = arm == "prompt"  # intensities have an order, but no distances that a line could go by
        trend, shape = curves.over_dose(
            judged.iloc[:0] if in_words else judged, baseline, outcome, choice.scope, settings
        )
        fits = not in_words and clearance.cleared("logistic", LIKE_THESE, scenarios, settings, simulation)
        found.append(
            Curve(
                setting=setting, outcome=outcome, runs=kind, arm=str(arm), vector=str(vector),
                layers=str(layers), positions=str(positions), scope=choice.scope, cleared=choice.cleared,
                organism=bool(some["organism"].astype(bool).any()),
                pressure_auto="; ".join(sorted({*some["pressure_auto"]} - {""})),
                points=points,
                trend=trend, shape=shape,
                logistic=curves.logistic_trend(judged, baseline, outcome) if fits else None,
                per_scenario=curves.per_scenario(both, settings)
                if arm != "control" and kind == "all"
                else [],
            )
        )  # fmt: skip
    return found


def _together(found: list[Curve], settings: Settings) -> list[Curve]:
    """Corrections within each arm, ranks of emotions among the controls, then the verdicts."""
    emotions = [curve for curve in found if curve.arm == "emotion"]
    for few in ([c for c in found if c.arm == arm] for arm in ("emotion", "control", "prompt")):
        doses = [point for curve in few for point in curve.doses]
        raw = [point.difference.p if point.difference else math.nan for point in doses]
        together = sum(map(math.isfinite, raw))
        for point, p in zip(doses, adjust(raw, settings.correction), strict=True):
            point.p_adjusted = p
            if point.difference and point.difference.method == "t":
                point.detectable = detectable(point.difference.error, point.difference.df, settings, together)
        for curve in few:
            curve.together = together
        for name in ("trend", "shape"):
            corrected = adjust([getattr(curve, name).p for curve in few], settings.correction)
            for curve, p in zip(few, corrected, strict=True):
                setattr(curve, f"{name}_p_adjusted", p)
    for curve in emotions:
        controls = [
            c
            for c in found
            if c.arm == "control"
            and is_null(c.vector)
            and (c.layers, c.positions) == (curve.layers, curve.positions)
        ]
        curve.rank = rank(curve.trend.slope, [c.trend.slope for c in controls])
        for point in curve.doses:
            if point.difference:
                there = [
                    p.difference.mean
                    for c in controls
                    for p in c.doses
                    if p.strength == point.strength and p.difference
                ]
                point.rank = rank(point.difference.mean, there)
    for curve in found:
        curve.verdict = verdict(curve, settings)
    return found
