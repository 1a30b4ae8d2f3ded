"""Outcomes stacked by dose: what the runs did instead, from the gravest outcome up."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from results.curves import Curve
from results.drawing import (
    PAGE,
    STYLE,
    Fit,
    axis_name,
    columns_for,
    dose_name,
    finish,
    save,
    setting_line,
    unit_note,
    words,
)

FILLS = (
    ("#1b3a5c", ""), ("#c2571a", "////"), ("#5e9c8f", "||||"), ("#b9a5c8", "\\\\\\\\"), ("#e3cf8a", "xx"),
    ("#f0f0f0", ""), ("#a6a6a6", "--"), ("#666666", "++"),
)  # fmt: skip
"""Fill and hatch per outcome: told apart in grey by the hatch and by lightness."""


def stack(curves: Sequence[Curve], out: Path, fit: Fit = PAGE) -> tuple[Path, Path]:
    """One panel per vector; `curves` hold every outcome of one family in one setting."""
    outcomes = list(dict.fromkeys(curve.outcome for curve in curves))
    vectors = list(dict.fromkeys(c.vector for c in curves if c.arm != "control")) or list(
        dict.fromkeys(c.vector for c in curves)
    )
    columns = columns_for(len(vectors), fit)
    lines = -(-len(vectors) // columns)
    size = (max(fit.least + 0.8 * (fit.columns > 1), 2.6 * columns + 0.8), 2.5 * lines + 1.3)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for axis in list(axes.flat)[len(vectors) :]:
            axis.set_axis_off()
        for axis, vector in zip(axes.flat, vectors, strict=False):
            own = {curve.outcome: curve for curve in curves if curve.vector == vector}
            points = next(iter(own.values())).points
            places = np.arange(len(points))
            under = np.zeros(len(points))
            for number, outcome in enumerate(outcomes):
                fill, hatch = FILLS[number % len(FILLS)]
                rates = [100 * p.rate if p.n else 0.0 for p in own[outcome].points]
                axis.bar(
                    places,
                    rates,
                    0.85,
                    under,
                    color=fill,
                    hatch=hatch,
                    ec="#222222",
                    lw=0.4,
                    label=words(outcome),
                )
                under += rates
            if (rest := np.maximum(100 - under, 0)).max() > 0.5:  # outcomes that were not asked for
                axis.bar(places, rest, 0.85, under, color="white", ec="#999999", lw=0.4, label="others")
            for place, point in zip(places, points, strict=True):
                axis.text(place, 102, str(point.n), ha="center", va="bottom", fontsize=6.5)
            axis.set_xticks(places, [dose_name(p) for p in points], rotation=90 if len(points) > 5 else 0)
            axis.set_ylim(0, 110)
            axis.set_yticks(range(0, 101, 20))
            axis.tick_params(axis="x", labelsize=8)
            axis.set_title(words(vector), loc="left", fontsize=9.5)
        for axis in axes[:, 0]:
            axis.set_ylabel("runs (%)")
        for axis in list(axes.flat)[max(0, len(vectors) - columns) : len(vectors)]:
            axis.set_xlabel(axis_name(curves).partition(" ")[0], fontsize=8)
        family = str(curves[0].setting["family"])
        notes = [
            "Every run has exactly one outcome. Over each bar n, the scored runs. No intervals here: see the "
            f"dose-response panels. {unit_note(curves)}"
        ]
        finish(
            figure,
            f"Outcomes of {words(family)} by dose: {setting_line(curves)}",
            notes,
            curves,
            legend=axes[0][0],
            columns=6 if fit.columns > 1 else 3,
        )
        return save(figure, out)
