"""The analysis as text for the terminal and as JSON for other programs; nothing is computed here."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from results.controls import controls_needed
from results.curves import Curve, Point
from results.hypotheses import Result
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE

SCHEMA = 1
SHOWN = ("twin", "pressure", "length", "tools", "split")


def as_json(
    curves: Sequence[Curve],
    results: Sequence[Result] | None = None,
    left_out: Sequence[str] = (),
    settings: Settings = DEFAULT,
) -> str:
    """Everything, with missing numbers as null."""
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
) -> str:
    """Verdicts first; then the declared hypotheses; then the numbers of each curve of the given outcomes."""
    blocks = [_verdicts(curves)]
    emotions = any(curve.arm == "emotion" for curve in curves)
    if results is not None:
        blocks.insert(0, _declared(results))
    blocks += [
        _numbers(curve)
        for curve in curves
        if curve.runs == "all" and curve.outcome in outcomes and (curve.arm == "emotion" or not emotions)
    ]
    if any(curve.organism for curve in curves):
        blocks.append("Organism: tells nothing about real language models.")
    blocks.append(footnote(curves, settings))
    return "\n\n".join(blocks)


def _verdicts(curves: Sequence[Curve]) -> str:
    lines: list[str] = []
    heading = None
    for curve in curves:
        if curve.runs != "all" or curve.arm != "emotion":
            continue
        if (now := _heading(curve)) != heading:
            heading = now
            lines += [*([""] if lines else []), now]
        lines.append(f"  {curve.vector}: {curve.verdict}")
        other = next((c for c in curves if c.runs == "coherent" and _same(c, curve)), None)
        if other and _changed(curve, other):
            lines.append(f"    coherent runs only: {other.verdict}")
    return "\n".join(lines) or "no emotion was measured, only controls"


def _same(one: Curve, other: Curve) -> bool:
    keys = ("setting", "outcome", "arm", "vector", "layers", "positions")
    return all(str(getattr(one, key)) == str(getattr(other, key)) for key in keys)


def _changed(one: Curve, other: Curve) -> bool:
    rates = [point.rate for point in one.points], [point.rate for point in other.points]
    return rates[0] != rates[1] and one.verdict != other.verdict


def _heading(curve: Curve) -> str:
    setting = curve.setting
    shown = [f"{key} {setting[key]}" for key in SHOWN if setting[key] not in ("", None)]
    where = f"layers {curve.layers}, {curve.positions} tokens" if curve.layers else ""
    return f"{setting['model']}, {setting['family']}: {', '.join([*shown, where])}; of {curve.scope}"


def _declared(results: Sequence[Result]) -> str:
    lines = ["Declared beforehand (Holm over these):"]
    for result in results:
        p = f" (p {_p(result.p_adjusted)})" if math.isfinite(result.p_adjusted) else ""
        where = ""
        if result.curve and sum(r.hypothesis == result.hypothesis for r in results) > 1:
            where = f" [{_heading(result.curve)}]"
        lines.append(f"  {result.hypothesis}: {result.fate}{p}{where}")
    return "\n".join([*lines, "", "Everything below was looked at, not declared, unless listed above."])


def _numbers(curve: Curve) -> str:
    title = f"{curve.vector} on {curve.outcome} ({_heading(curve)})"
    rows = [_COLUMNS, *(_row(point) for point in curve.points)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    lines = ["  " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    tests = (
        f"  trend {100 * curve.trend.slope / 10:+.1f} points per 0.1 of strength, p "
        f"{_number(curve.trend_p_adjusted)}; "
        f"turn {curve.shape.kind or '-'}, p {_p(curve.shape_p_adjusted)}"
    )
    if curve.rank:
        tests += f"; trend {curve.rank.rank}. of {curve.rank.controls + 1} with controls"
    return "\n".join([title, *lines, tests])


_COLUMNS = (
    "strength", "n", "rate %", "95 %", "difference", "95 %", "p", "p corrected", "rank",
    "detectable", "incoherent",
    "left out", "",
)  # fmt: skip


def _row(point: Point) -> tuple[str, ...]:
    change = point.difference
    notes = [] if point.in_window is not False else ["outside window"]
    notes += [] if point.judged else ["not judged"]
    return (
        "baseline" if point.strength == 0 else f"{point.strength:+g}",
        str(point.n),
        _number(100 * point.rate, 0),
        f"{_number(100 * point.low, 0)} to {_number(100 * point.high, 0)}",
        f"{100 * change.mean:+.0f}" if change else "",
        f"{_number(100 * change.low, 0)} to {_number(100 * change.high, 0)}" if change else "",
        _p(change.p) if change else "",
        _p(point.p_adjusted) if change else "",
        f"{point.rank.rank}/{point.rank.controls + 1}" if point.rank else "",
        _number(100 * point.detectable, 0) if change else "",
        f"{_number(100 * point.incoherent, 0)} %",
        f"{point.errored}+{point.unscored}",
        ", ".join(notes),
    )


def _number(value: float, digits: int = 3) -> str:
    return "-" if not math.isfinite(value) else f"{value:.{digits}f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else _number(value)


def footnote(curves: Sequence[Curve], settings: Settings = DEFAULT) -> str:
    """What the numbers rest on, in a few lines."""
    scopes = sorted({curve.scope for curve in curves})
    units = "; ".join(
        f"{scope}: unit and cluster the "
        f"{'scenario' if scope == LIKE_THESE else 'variant, within its scenario'}"
        for scope in scopes
    )
    lines = [
        f"Of {units}. Differences are paired by scenario, variant and random stream.",
        f"p corrected: {settings.correction.capitalize()} over vectors and strengths per setting, outcome. "
        f"Rank p cannot be below 1 / (controls + 1): {controls_needed(settings)} controls reach "
        f"{settings.alpha:g}.",
    ]
    if not all(curve.cleared for curve in curves):
        lines.append("Methods marked as not cleared did not pass, or were not run in, the simulation.")
    return "\n".join(lines)
