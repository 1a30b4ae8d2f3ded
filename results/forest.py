"""Forest plot: each scenario's own difference from the baseline at one dose, and the mean of all."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.curves import Curve, Point
from results.drawing import (
    INK,
    PAGE,
    STYLE,
    Fit,
    bars_note,
    columns_for,
    dose_name,
    finish,
    save,
    setting_line,
    unit_note,
    words,
)


def forest(curves: Sequence[Curve], out: Path, fit: Fit = PAGE) -> tuple[Path, Path]:
    """One panel per vector, at its strongest positive dose within the coherent window."""
    chosen = [(curve, point) for curve in curves if (point := strongest(curve)) is not None]
    if not chosen:
        raise ValueError("no curve has a positive dose with scenarios of its own")
    scenarios = list(dict.fromkeys(str(row["scenario"]) for curve, _ in chosen for row in curve.per_scenario))
    columns = columns_for(len(chosen), fit)
    lines = -(-len(chosen) // columns)
    size = (max(fit.least, 2.9 * columns + 1.1), (0.24 * (len(scenarios) + 2) + 0.75) * lines + 1.1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        axes = figure.subplots(lines, columns, squeeze=False, sharey=True, sharex=True)
        for axis, (curve, point) in zip(axes.flat, chosen, strict=False):
            _panel(axis, curve, point, scenarios)
        for axis in list(axes.flat)[len(chosen) :]:
            axis.set_axis_off()
        for axis in list(axes.flat)[max(0, len(chosen) - columns) : len(chosen)]:
            axis.tick_params(axis="x", labelbottom=True)
            axis.set_xlabel("difference from the baseline (points)", fontsize=8)
        note = (
            "Scenarios: 95 %, over their variants. n: pairs of a run with the baseline run of the same "
            f"variant and stream. {unit_note(curves)}"
        )
        outcome = words(chosen[0][0].outcome)
        title = f"Difference in {outcome} per scenario: {setting_line(curves)}"
        finish(
            figure,
            title,
            [f"{note} Diamond: mean; {bars_note(curves)[0].lower()}{bars_note(curves)[1:]}"],
            curves,
        )
        return save(figure, out)


def strongest(curve: Curve) -> Point | None:
    """The strongest positive dose that is inside the window, if there is one; else the strongest of all."""
    doses = [p for p in curve.doses if p.strength > 0 and p.difference]
    inside = [p for p in doses if p.in_window is not False]
    return max(inside or doses, key=lambda p: p.strength, default=None) if curve.per_scenario else None


def _panel(axis: Axes, curve: Curve, point: Point, scenarios: Sequence[str]) -> None:
    own = {row["scenario"]: row for row in curve.per_scenario if row["strength"] == point.strength}
    for place, name in enumerate(scenarios):
        row = own.get(name)
        if row is None:
            continue
        at = len(scenarios) - place
        axis.plot([100 * row["low"], 100 * row["high"]], [at, at], color=INK, lw=1.1)
        axis.plot(100 * row["difference"], at, "o", color=INK, ms=4.5)
        axis.annotate(
            f"n {row['n']}", (1, at), xycoords=("axes fraction", "data"), ha="right", va="center",
            fontsize=6.5, color="#444444",
        )  # fmt: skip
    assert point.difference
    mean, low, high = (100 * value for value in point.difference[:3])
    axis.plot([low, high], [0, 0], color="black", lw=2)
    axis.plot(mean, 0, "D", color="black", ms=6)
    axis.axvline(0, color="black", lw=0.8)
    axis.axhline(0.5, color="#bbbbbb", lw=0.6)
    axis.set_yticks(range(len(scenarios) + 1), ["mean", *(words(name) for name in reversed(scenarios))])
    axis.set_ylim(-0.7, len(scenarios) + 0.7)
    axis.tick_params(axis="y", length=0, labelsize=8)
    axis.margins(x=0.16)
    axis.set_title(f"{words(curve.vector)} at {dose_name(point)}", loc="left", fontsize=9.5)
    axis.grid(axis="x", color="#ececec", lw=0.6)
    axis.set_axisbelow(True)
