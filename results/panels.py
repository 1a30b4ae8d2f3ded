"""Dose-response panels: a row per family and outcome, a column per vector, controls as a band under each
curve."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.controls import described
from results.curves import Curve
from results.drawing import (
    BAND,
    GREY,
    INK,
    PAPER,
    STYLE,
    Fit,
    axis_name,
    bars_note,
    dose_name,
    finish,
    save,
    setting_line,
    unit_note,
    words,
)
from results.wording import dose

NAME = "this vector, 95 % interval"
Row = tuple[str, str]
"""Family and outcome."""


def panels(curves: Sequence[Curve], out: Path, fit: Fit = PAPER) -> tuple[Path, Path]:
    """Draw the curves given: those of controls become bands, all others panels."""
    rows = list(dict.fromkeys((str(c.setting["family"]), c.outcome) for c in curves))
    shown = [c for c in curves if c.arm != "control"] or list(curves)
    vectors = list(dict.fromkeys(c.vector for c in shown))
    chunks = [vectors[at : at + fit.columns] for at in range(0, len(vectors), fit.columns)]
    lines = [(row, chunk) for row in rows for chunk in chunks]
    columns = min(len(vectors), fit.columns)
    size = (max(fit.least, 2.5 * columns + 0.7), 2.35 * len(lines) + 1.9)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        axes = figure.subplots(len(lines), columns, squeeze=False, sharey="row", sharex=True)
        for line, (row, chunk) in enumerate(lines):
            there = [c for c in curves if (str(c.setting["family"]), c.outcome) == row]
            top = _top(there)
            for column, axis in enumerate(axes[line]):
                own = [c for c in there if column < len(chunk) and c.vector == chunk[column] and c in shown]
                if not own:
                    axis.set_axis_off()
                    continue
                _band(axis, [c for c in there if c.arm == "control" and c not in own])
                _curve(axis, own[0], top)
                axis.set_title(words(chunk[column]), loc="left", fontsize=9.5)
            axes[line][0].set_ylabel(f"{words(row[1])} (% of runs)")
        for column in axes.T:
            drawn = [axis for axis in column if axis.axison]
            for axis in drawn if fit.columns == 1 else drawn[-1:]:
                axis.tick_params(axis="x", labelbottom=True)
                axis.set_xlabel(axis_name(shown).partition(" ")[0], fontsize=8)
        points = [point for curve in shown for point in curve.points]
        notes = [f"{bars_note(shown)} n at the foot: scored runs. {unit_note(shown)}"]
        controls = {p.strength for c in curves if c.arm == "control" and c not in shown for p in c.doses}
        if controls and controls < {point.strength for point in points}:
            doses = ", ".join(map(dose, sorted(controls)))
            notes.append(f"Band: lowest to highest control, measured at 0 and at {doses}.")
        if any(point.in_window is False for point in points):
            notes.append("Hatched: outside the window in which the model was measured to stay coherent.")
        if not all(point.judged for point in points):
            notes.append("Hollow: over 5 % errored, not judged.")
        title = f"Outcome rates by dose: {setting_line(curves)}"
        finish(figure, title, notes, curves, legend=axes[0][0], columns=fit.legend)
        return save(figure, out)


def _band(axis: Axes, controls: Sequence[Curve]) -> None:
    """From the lowest to the highest rate of the controls at every dose."""
    strengths = sorted({point.strength for curve in controls for point in curve.points if point.n})
    if not strengths:
        return
    spans = [
        [100 * p.rate for c in controls for p in c.points if p.strength == strength and p.n]
        for strength in strengths
    ]
    lows, highs = [min(span) for span in spans], [max(span) for span in spans]
    name = f"{described(curve.vector for curve in controls)}, of equal norm"
    axis.fill_between(strengths, lows, highs, fc=BAND, ec=GREY, lw=0.5, zorder=1, label=name)
    axis.plot(strengths, [float(np.median(span)) for span in spans], color=GREY, lw=0.9, zorder=1)


def _curve(axis: Axes, curve: Curve, top: float) -> None:
    scored = [point for point in curve.points if point.n]
    doses = np.array([point.strength for point in scored])
    rates, lows, highs = (
        100 * np.array([getattr(p, key) for p in scored]) for key in ("rate", "low", "high")
    )
    base = curve.baseline
    if base and base.n:
        axis.axhline(100 * base.rate, color="black", lw=0.8, ls=(0, (5, 3)), zorder=2, label="baseline")
    axis.errorbar(
        doses,
        rates,
        [np.maximum(rates - lows, 0), np.maximum(highs - rates, 0)],
        fmt="none",
        ecolor=INK,
        elinewidth=1,
        capsize=2.5,
        zorder=3,
    )
    line = "" if curve.arm == "prompt" else "-"
    axis.plot(doses, rates, line, color=INK, lw=1.5, zorder=3, label="_" if not line else NAME)
    for point in scored:
        face = INK if point.judged else "white"
        axis.plot(point.strength, 100 * point.rate, "o", ms=4.5, color=INK, mfc=face, zorder=4)
    inside = [abs(point.strength) for point in scored if point.in_window is not False]
    outside = [point.strength for point in scored if point.in_window is False]
    edge = max(inside, default=0.0)
    for side in ([s for s in outside if s < 0], [s for s in outside if s > 0]):
        if side:
            far = max(side, key=abs)
            axis.axvspan(np.sign(far) * edge, far, fc="none", ec="#dedede", hatch="////", lw=0, zorder=0)
    for point in curve.points:
        axis.text(
            point.strength, -0.075 * top, str(point.n), ha="center", va="center", fontsize=6.5, rotation=90
        )
    axis.set_ylim(-0.15 * top, top)
    axis.set_yticks([tick for tick in range(0, 101, 10 if top <= 60 else 20) if tick <= top])
    strengths = [point.strength for point in curve.points]
    axis.set_xticks(
        strengths,
        [dose_name(point) for point in curve.points],
        rotation=90 if len(strengths) > 4 else 0,
        fontsize=7.5,
    )
    axis.margins(x=0.08)
    axis.grid(axis="y", color="#ececec", lw=0.6, zorder=0)
    axis.set_axisbelow(True)


def _top(curves: Sequence[Curve]) -> float:
    highest = max((p.high for c in curves for p in c.points if p.n), default=1.0)
    return float(min(100, max(20, 10 * (int(10 * highest) + 1))))
