"""The analysis as text for the terminal and as JSON for other programs; nothing is computed here."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from results import clearance
from results.controls import controls_needed
from results.curves import Curve, Point
from results.health import as_text as health_text
from results.hypotheses import Result
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE
from results.verdicts import extreme, findings, judgeable, largest
from results.wording import aligned, dose, meant, p_value, percent, signed, whole

SCHEMA = 1
SHOWN = ("twin", "pressure", "length", "tools", "split")


def as_json(
    curves: Sequence[Curve],
    results: Sequence[Result] | None = None,
    left_out: Sequence[str] = (),
    settings: Settings = DEFAULT,
    health: pd.DataFrame | None = None,
) -> str:
    """Everything, with missing numbers as null; `health` is what `results.health.health` gives."""
    declared = None
    if results is not None:
        declared = [
            asdict(result.hypothesis)
            | {"setting": result.curve.setting if result.curve else None}
            | {"p_adjusted": result.p_adjusted, "fate": result.fate}
            for result in results
        ]
    page = {
        "schema": SCHEMA,
        "settings": asdict(settings),
        "left_out": list(left_out),
        "declared": declared,
        "curves": [_plain(asdict(curve)) for curve in curves],
        "health": None if health is None else health.to_dict("records"),
    }
    return json.dumps(_plain(page), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(some) for key, some in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, list | tuple):
        return [_plain(some) for some in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value


def as_text(
    curves: Sequence[Curve],
    results: Sequence[Result] | None = None,
    outcomes: Sequence[str] = (),
    settings: Settings = DEFAULT,
    health: pd.DataFrame | None = None,
) -> str:
    """What was declared; per setting the verdicts on the given `outcomes` and a table of the others; then the
    numbers of each curve of the given outcomes, and what the doses did to the model's soundness.
    """
    blocks = [_section(list(some), outcomes, settings) for some in _sections(curves)]
    if not blocks:
        blocks.append("no emotion was measured, only controls")
    if results is not None:
        blocks.insert(0, _declared(results, curves))
    emotions = any(curve.arm != "control" for curve in curves)
    blocks += [
        _numbers(curve)
        for curve in curves
        if curve.runs == "all" and curve.outcome in outcomes and (curve.arm != "control" or not emotions)
    ]
    if health is not None:
        blocks.append(health_text(health))
    if any(curve.organism for curve in curves):
        blocks.append("Organism: tells nothing about real language models.")
    blocks.append(footnote(curves, settings))
    return "\n\n".join(blocks)


def _sections(curves: Sequence[Curve]) -> list[list[Curve]]:
    """The curves of emotions, steered or in words, that share all but vector, outcome and kind of runs."""
    sections: dict[str, list[Curve]] = {}
    for curve in curves:
        if curve.arm != "control":
            sections.setdefault(heading(curve), []).append(curve)
    return list(sections.values())


def heading(curve: Curve) -> str:
    """The setting, and how the emotion came in."""
    setting = curve.setting
    chosen = {"pressure": f" (chosen by auto: {curve.pressure_auto})"} if curve.pressure_auto else {}
    shown = [f"{key} {setting[key]}{chosen.get(key, '')}" for key in SHOWN if setting[key] not in ("", None)]
    where = f"layer{'s' * ('-' in curve.layers)} {curve.layers}, {curve.positions} tokens"
    shown.append("the emotion in words" if curve.arm == "prompt" else where)
    return f"{setting['model']}, {setting['family']}: {', '.join(shown)}"


def _section(curves: list[Curve], outcomes: Sequence[str], settings: Settings) -> str:
    every = [curve for curve in curves if curve.runs == "all"]
    lines = [heading(every[0])]
    for scope in dict.fromkeys(curve.scope for curve in every):
        same = [curve for curve in every if curve.scope == scope]
        counts = clearance.span(point.scenarios for curve in same for point in curve.points if point.n)
        told = clearance.statement(scope, all(curve.cleared for curve in same), counts)
        lines.append(f"What follows speaks of {told}.")
    unlike = [curve for curve in every if _differs_coherent(curve, curves, settings)]
    for outcome in (name for name in outcomes if any(curve.outcome == name for curve in every)):
        lines += ["", f"  {outcome.replace('_', ' ')}"]
        own = [curve for curve in every if curve.outcome == outcome]
        for curve in sorted(own, key=lambda curve: not findings(curve, settings)):
            lines.append(f"    {curve.vector}: {curve.verdict}")
            if curve in unlike:
                lines.append(f"      coherent runs only: {_coherent(curve, curves).verdict}")
    others = [curve for curve in every if curve.outcome not in outcomes]
    if others:
        lines += ["", *_table(others, unlike, settings)]
    if not any(curve.outcome in outcomes for curve in unlike):
        lines += ["", "  Over the coherent runs alone the findings are the same."]
    return "\n".join(lines)


def _coherent(curve: Curve, curves: Sequence[Curve]) -> Curve:
    keys = ("setting", "outcome", "arm", "vector", "layers", "positions")
    same = [c for c in curves if all(str(getattr(c, k)) == str(getattr(curve, k)) for k in keys)]
    return next((c for c in same if c.runs == "coherent"), curve)


def _differs_coherent(curve: Curve, curves: Sequence[Curve], settings: Settings) -> bool:
    return findings(_coherent(curve, curves), settings) != findings(curve, settings)


def _table(curves: Sequence[Curve], unlike: Sequence[Curve], settings: Settings) -> list[str]:
    """Outcomes by vectors: the largest difference and where it was."""
    vectors = list(dict.fromkeys(curve.vector for curve in curves))
    rows = [["other outcomes", *vectors]]
    for outcome in dict.fromkeys(curve.outcome for curve in curves):
        own = {curve.vector: curve for curve in curves if curve.outcome == outcome}
        cells = [_cell(own[v], own[v] in unlike, settings) if v in own else "" for v in vectors]
        rows.append([outcome.replace("_", " "), *cells])
    marks = ["*: survives the correction"]
    used = "".join(cell for row in rows for cell in row)
    if "~" in used:
        marks.append("~: the trend does")
    if "!" in used:
        marks.append("!: other findings over the coherent runs alone")
    note = f"  Largest difference from the baseline in points, and where. {'; '.join(marks)}."
    return [*aligned(rows, str.ljust), note]


def _cell(curve: Curve, unlike: bool, settings: Settings) -> str:
    if not judgeable(curve):
        return "not judged"
    if place := extreme(curve, settings):
        return place
    found = findings(curve, settings)
    point = largest(curve, (*found.raised, *found.lowered))
    assert point.difference
    marks = "*" * bool(found.raised or found.lowered) + "~" * bool(found.trend) + "!" * unlike
    return f"{signed(100 * point.difference.mean)}{marks} at {dose(point.strength, point.intensity)}"


def _declared(results: Sequence[Result], curves: Sequence[Curve]) -> str:
    lines = ["Declared beforehand (Holm over these):"]
    measured = sorted({curve.vector for curve in curves if curve.arm != "control"})
    for result in results:
        p = f" (p {p_value(result.p_adjusted)})" if math.isfinite(result.p_adjusted) else ""
        where = ""
        if result.curve and sum(r.hypothesis == result.hypothesis for r in results) > 1:
            where = f" [{heading(result.curve)}]"
        if result.fate == "not measured" and result.hypothesis.vector not in measured:
            where = f"{meant(result.hypothesis.vector, measured)}, measured: {', '.join(measured)}"
        lines.append(f"  {result.hypothesis}: {result.fate}{p}{where}")
    return "\n".join([*lines, "", "Everything below was looked at, not declared, unless listed above."])


def _numbers(curve: Curve) -> str:
    rows = [list(_COLUMNS), *(_row(point) for point in curve.points)]
    rows[0][0] = "intensity" if curve.arm == "prompt" else rows[0][0]
    lines = [
        f"{curve.vector} on {curve.outcome.replace('_', ' ')} ({heading(curve)})",
        *aligned(rows, str.rjust),
    ]
    if curve.trend.usable:
        turn = f"{curve.shape.kind} at {curve.shape.at:+g}, " if curve.shape.p < 1 else ""
        tests = (
            f"  trend {signed(10 * curve.trend.slope, 1)} points per 0.1 of strength, p corrected "
            f"{p_value(curve.trend_p_adjusted)}; turn: {turn}p corrected {p_value(curve.shape_p_adjusted)}"
        )
        if curve.rank:
            tests += f"; size of the trend: {curve.rank.rank}. of {curve.rank.controls + 1} with the controls"
        lines.append(tests)
    return "\n".join(lines)


_COLUMNS = (
    "strength", "n", "rate %", "95 %", "difference", "95 %", "p", "p corrected", "rank", "detectable",
    "incoherent", "left out", "",
)  # fmt: skip


def _row(point: Point) -> list[str]:
    change = point.difference
    notes = [] if point.in_window is not False else ["outside window"]
    notes += [] if point.judged else ["not judged"]
    return [
        "baseline" if point.strength == 0 else dose(point.strength, point.intensity),
        str(point.n),
        whole(100 * point.rate),
        f"{whole(100 * point.low)} to {whole(100 * point.high)}",
        signed(100 * change.mean) if change else "",
        f"{whole(100 * change.low)} to {whole(100 * change.high)}" if change else "",
        p_value(change.p) if change else "",
        p_value(point.p_adjusted) if change else "",
        f"{point.rank.rank}/{point.rank.controls + 1}" if point.rank else "",
        whole(100 * point.detectable) if change else "",
        percent(point.incoherent),
        f"{point.errored}+{point.unscored}",
        ", ".join(notes),
    ]


def footnote(curves: Sequence[Curve], settings: Settings = DEFAULT) -> str:
    """What the numbers rest on, in a few lines."""
    units = "; ".join(
        f"{scope}: unit and cluster the "
        f"{'scenario' if scope == LIKE_THESE else 'variant, within its scenario'}"
        for scope in sorted({curve.scope for curve in curves})
    )
    return (
        f"Of {units}. Differences are paired by scenario, variant and random stream.\n"
        f"p corrected: {settings.correction.capitalize()} over vectors and strengths per setting, outcome "
        "(trends and turns over vectors); intervals are not corrected.\n"
        f"detectable: the difference in points found with {percent(settings.power)} power at alpha / all "
        "that are corrected together. left out: errored+unscored runs.\n"
        "rank: place by size among the controls; its p cannot be below 1 / (controls + 1): "
        f"{controls_needed(settings)} controls reach {settings.alpha:g}."
    )
