"""Heat map over vectors: the difference from the baseline at every dose, as a number in its cell.

The sign is printed, since the dark ends of a two-sided scale look alike in grey.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from results.curves import Curve
from results.drawing import STYLE, axis_name, bars_note, dose_name, finish, save, setting_line, words
from results.settings import DEFAULT, Settings
from results.wording import signed


def heatmap(curves: Sequence[Curve], out: Path, settings: Settings = DEFAULT) -> tuple[Path, Path]:
    """One row per vector, controls last, each in the order of its trend; one column per strength."""
    ordered = sorted(curves, key=lambda c: (c.arm == "control", -_number(c.trend.slope)))
    names = {point.strength: dose_name(point) for curve in ordered for point in curve.doses}
    strengths = sorted(names)
    grid = np.full((len(ordered), len(strengths)), np.nan)
    for line, curve in enumerate(ordered):
        for point in curve.doses:
            if point.difference:
                grid[line, strengths.index(point.strength)] = 100 * point.difference.mean
    limit = max(10.0, float(np.nanmax(np.abs(grid))) if np.isfinite(grid).any() else 10.0)
    size = (max(5.6, 0.62 * len(strengths) + 2.6), max(1.3, 0.3 * len(ordered)) + 1.95)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        axis = figure.subplots()
        shown = axis.imshow(grid, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        for line, curve in enumerate(ordered):
            for point in curve.doses:
                column = strengths.index(point.strength)
                value = grid[line, column]
                if not np.isfinite(value):
                    continue
                dark = abs(value) > 0.6 * limit
                mark = "" if point.judged else "?"
                axis.text(
                    column, line, f"{signed(value)}{mark}", ha="center", va="center", fontsize=8,
                    color="white" if dark else "black",
                    fontweight="bold" if point.differs(settings) else "normal",
                    fontstyle="italic" if point.in_window is False else "normal",
                )  # fmt: skip
                if point.differs(settings):
                    axis.add_patch(
                        Rectangle(
                            (column - 0.48, line - 0.46),
                            0.96,
                            0.92,
                            fill=False,
                            ec="black",
                            lw=1.4,
                            clip_on=False,
                        )
                    )
        emotions = sum(curve.arm != "control" for curve in ordered)
        if 0 < emotions < len(ordered):
            axis.axhline(emotions - 0.5, color="black", lw=2)
        axis.set_xticks(range(len(strengths)), [names[strength] for strength in strengths])
        axis.set_yticks(range(len(ordered)), [words(curve.vector) for curve in ordered])
        axis.tick_params(length=0)
        axis.set_xlabel(axis_name(curves), fontsize=8)
        for spine in axis.spines.values():
            spine.set_visible(False)
        bar = figure.colorbar(shown, ax=axis, fraction=0.05, pad=0.03)
        bar.set_label("difference from baseline (points)", fontsize=8)
        bases = [c.baseline for c in ordered if c.baseline and c.baseline.n]
        n = [point.n for curve in ordered for point in curve.doses]
        base = f" Baseline {100 * bases[0].rate:.0f} % of {bases[0].n} runs." if bases else ""
        runs = f"{min(n)}" if min(n) == max(n) else f"{min(n)} to {max(n)}"
        notes = [
            f"n {runs} runs a cell.{base} Framed and bold: {settings.correction.capitalize()}-corrected p "
            f"< {settings.alpha:g} over vectors and strengths (controls among themselves), interval without "
            f"0. Italic: outside the coherent window. ?: too many errors to judge. {bars_note(curves)}",
        ]
        title = f"Difference in {words(ordered[0].outcome)} by vector and dose: {setting_line(curves)}"
        finish(figure, title, notes, curves)
        return save(figure, out)


def _number(value: float) -> float:
    return value if np.isfinite(value) else 0.0
