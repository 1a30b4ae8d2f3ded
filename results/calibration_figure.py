"""The calibration as a figure: what was planted against what was recovered, a panel per outcome.

Across: the planted change of the probability, from no mood to a strong one. Up: the recovered change of the
rate from the lowest to the highest dose, by the slope, with its 95 % interval. Controls have no planted
change and stand in grey at 0; the organism without links is hollow.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.calibration import Calibration, Row
from results.drawing import GREY, INK, STYLE, save, words

HOLLOW = "#b04a2f"


def draw(calibration: Calibration, out: Path) -> tuple[Path, Path]:
    """Write `out`.svg and `out`.png."""
    both = [calibration.linked, *([calibration.null] if calibration.null else [])]
    panels = list(dict.fromkeys((row.family, row.outcome) for one in both for row in one.rows))
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(8.0, 4.1 * columns + 0.4), 3.9 * lines + 1.3))
        axes = figure.subplots(lines, columns, squeeze=False)
        for axis in axes.flat:
            axis.set_axis_off()
        for axis, (family, outcome) in zip(axes.flat, panels, strict=False):
            axis.set_axis_on()
            rows = [r for r in calibration.linked.rows if (r.family, r.outcome) == (family, outcome)]
            nulls = calibration.null.rows if calibration.null else ()
            _panel(axis, rows, [r for r in nulls if (r.family, r.outcome) == (family, outcome)])
            axis.set_title(f"{words(family)}: {words(outcome)}", loc="left", fontsize=9.5)
        handles, names = axes.flat[0].get_legend_handles_labels()
        height = figure.get_size_inches()[1]
        figure.text(0.01, 1 - 0.12 / height, "Planted and recovered, by emotion", va="top", fontweight="bold")
        figure.legend(
            handles,
            names,
            loc="upper left",
            bbox_to_anchor=(0, 1 - 0.3 / height),
            ncols=3,
            frameon=False,
            fontsize=8,
        )
        counts = sorted({rate.n for row in calibration.linked.rows for rate in row.recovered.rates})
        note = (
            f"n {counts[0]} to {counts[-1]} runs a dose; bars: 95 % intervals of the trend over the doses. "
            "Without a planted change: side by side at 0. "
            "Sizes of the two axes are not comparable: a mood in words is not a dose.\n"
            "Reference organisms trained from scratch; this tells nothing about real language models."
        )
        figure.text(0.01, 0.06 / height, note, fontsize=7.5, va="bottom", color="#333333")
        figure.tight_layout(rect=(0, 0.42 / height, 1, 1 - 0.55 / height), h_pad=1.6, w_pad=1.4)
        return save(figure, out)


def _panel(axis: Axes, rows: Sequence[Row], nulls: Sequence[Row]) -> None:
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(0, color=GREY, linewidth=0.8)
    controls = [row for row in rows if row.planted is None]
    emotions = [row for row in rows if row.planted is not None]
    _marks(
        axis,
        [(-1.6 * (1 + k), row) for k, row in enumerate(controls)],
        "o",
        GREY,
        "controls (nothing planted)",
        False,
    )
    named = {row.vector: row for row in emotions}
    # Those without a planted change would all stand on one another.
    still = [row.vector for row in emotions if not round(_across(row))]
    aside = {name: 1.6 * (1 + k) for k, name in enumerate(still)}
    placed = [(_across(row) + aside.get(row.vector, 0.0), row) for row in emotions]
    _marks(axis, placed, "o", INK, "emotions of the linked organism", False)
    ghosts = [(_across(named[row.vector]), row) for row in nulls if row.vector in named]
    _marks(axis, [(x + 2.0, row) for x, row in ghosts], "s", HOLLOW, "the same, organism without links", True)
    for x, row in placed:
        if row.planted and (row.planted.link or row.result not in ("nothing, as planted",)):
            axis.annotate(
                row.vector,
                (x, _span(row)),
                textcoords="offset points",
                xytext=(-4, 5),
                ha="right",
                fontsize=8,
            )
    axis.set_xlabel("planted change, points")
    axis.set_ylabel("recovered change, points")


def _marks(
    axis: Axes, marks: Sequence[tuple[float, Row]], shape: str, colour: str, name: str, hollow: bool
) -> None:
    if not marks:
        return
    axis.errorbar(
        [x for x, _ in marks],
        [_span(row) for _, row in marks],
        yerr=[
            [100 * (row.recovered.slope - row.recovered.low) * _width(row) for _, row in marks],
            [100 * (row.recovered.high - row.recovered.slope) * _width(row) for _, row in marks],
        ],
        fmt=shape,
        color=colour,
        markersize=4.5,
        linewidth=1,
        label=name,
        markerfacecolor="white" if hollow else colour,
    )


def _across(row: Row) -> float:
    return 100 * (row.planted.strong - row.planted.base) if row.planted else 0.0


def _width(row: Row) -> float:
    strengths = [rate.strength for rate in row.recovered.rates]
    return max(strengths) - min(strengths)


def _span(row: Row) -> float:
    return 100 * row.recovered.slope * _width(row)
