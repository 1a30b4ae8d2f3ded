"""The figure over nights: each cell's rate, night by night, on the band of the baseline it was compared with.

One panel per cell of a family's main outcome. It computes nothing: what it draws is the history.
"""

from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.drawing import BAND, GREY, INK, ORGANISM_NOTE, STYLE, columns_for, save, words
from results.nightly.history import CELL
from results.table import UNION, TableError
from results.wording import dose

SHOWN = 40
"""The newest nights; the history keeps all."""
LABELS = 8
"""Nights that are named on an axis."""
ALARM = "#b3261e"
MARKS: dict[str, Any] = {
    "regression": {"fmt": "v", "color": ALARM, "mfc": ALARM},
    "judged, no regression": {"fmt": "o", "color": INK, "mfc": INK},
    "not judged": {"fmt": "o", "color": INK, "mfc": "white"},
}
"""How a night's cell is drawn, by its verdict; told apart by shape and filling as well as by colour."""
JUDGED = ("stable", "improvement", "changed")
BARS = (
    "Bars: 95 % intervals of a night's rate. Band and dashes: the baseline of that night and its interval. "
    "Overlap decides nothing: nights are compared with the baseline run by run, corrected."
)


def over_nights(history: pd.DataFrame, suite: str, out: Path, organism: bool = False) -> tuple[Path, Path]:
    """Draw `out`.svg and `out`.png from a suite's history; TableError where no night has a rate."""
    history = history[history["suite"] == suite]
    nights = list(dict.fromkeys(history.sort_values("started", kind="stable")["night"]))[-SHOWN:]
    history = history[history["night"].isin(nights)]
    panels = _panels(history)
    if not panels:
        raise TableError(f"no night of {suite} has a rate to draw")
    columns = columns_for(len(panels))
    lines = -(-len(panels) // columns)
    width, height = max(5.6, 3.3 * columns + 0.6), 2.5 * lines + 1.7
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for axis, (title, cell) in zip(axes.flat, panels, strict=False):
            _draw(axis, title, cell, nights)
        for axis in list(axes.flat)[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[:, 0]:
            axis.set_ylabel("rate (%)")
        top = float(np.nanmax(history.loc[_shown(panels), ["high", "base_high"]].to_numpy()))
        axes.flat[0].set_ylim(0, min(100, 110 * top + 2))
        _words(figure, axes.flat[0], suite, history, nights, organism)
        return save(figure, out)


def _panels(history: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Title and rows of every cell of each family's main outcome; what all share is not in the title."""
    rated = history[history["rate"].notna()]
    main = [_main(str(family), some) for family, some in rated.groupby("family")]
    chosen = pd.concat(main) if main else rated
    steered = chosen[chosen["arm"] != "baseline"]
    told = ("vector", "strength", "arm", "intensity")
    some = steered if len(steered) else chosen
    varying = [key for key in CELL if key not in told and some[key].nunique() > 1]
    panels = []
    for _, cell in chosen.groupby(list(CELL)):
        first = cell.iloc[0]
        doses = (
            [] if first["arm"] == "baseline" else [dose(float(first["strength"]), str(first["intensity"]))]
        )
        named = ["unsteered"] if not doses else [str(first["vector"]), *doses]
        named += [words(str(first[key])) for key in varying if first[key]]
        panels.append((words(str(first["outcome"])) + ": " + " ".join(named), cell))
    order = ["family", "arm", "vector", "strength"]  # of the arms, "baseline" comes first
    return sorted(panels, key=lambda panel: tuple(panel[1][order].iloc[0]))


def _main(family: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the outcome a family is named after, else of a union of outcomes, else of its first."""
    names = list(dict.fromkeys(rows["outcome"]))
    unions = [name for name in names if name.startswith(UNION)]
    chosen = next(name for name in (family, *unions, *names) if name in names)
    found: pd.DataFrame = rows[rows["outcome"] == chosen]
    return found


def _shown(panels: list[tuple[str, pd.DataFrame]]) -> list[int]:
    return [int(index) for _, cell in panels for index in cell.index]


def _draw(axis: Axes, title: str, cell: pd.DataFrame, nights: list[str]) -> None:
    cell = cell.assign(x=cell["night"].map({night: x for x, night in enumerate(nights)})).sort_values("x")
    x = cell["x"].to_numpy(dtype=float)
    edges, base = np.append(x - 0.5, x[-1:] + 0.5), cell[cell["base_rate"].notna()]
    if len(base):
        low, rate, high = (
            np.append(100 * cell[name], 100 * cell[name].iloc[-1])
            for name in ("base_low", "base_rate", "base_high")
        )
        axis.fill_between(edges, low, high, step="post", color=BAND, alpha=0.6, lw=0, label="baseline, 95 %")
        axis.step(edges, rate, where="post", color=GREY, lw=1.0, ls=(0, (5, 3)))
    for name, style in MARKS.items():
        some = cell[cell["verdict"].map(_mark) == name]
        spans = [
            (100 * (some["rate"] - some["low"])).clip(lower=0),
            (100 * (some["high"] - some["rate"])).clip(lower=0),
        ]
        axis.errorbar(some["x"], 100 * some["rate"], yerr=spans, ms=4.5, lw=1, capsize=2, label=name, **style)
    axis.set_xlim(-0.6, len(nights) - 0.4)
    step = -(-len(nights) // LABELS)
    places = list(range(len(nights) - 1, -1, -step))
    axis.set_xticks(places, [nights[x] for x in places], rotation=35, ha="right", fontsize=7)
    axis.set_title(title, loc="left", fontsize=8.5)
    axis.set_title(f"n {_span(cell['n'])}", loc="right", fontsize=8)


def _mark(verdict: str) -> str:
    return verdict if verdict in MARKS else "judged, no regression" if verdict in JUDGED else "not judged"


def _span(counts: pd.Series) -> str:
    few, many = int(counts.min()), int(counts.max())
    return f"{few}" if few == many else f"{few} to {many}"


def _words(
    figure: Figure, axis: Axes, suite: str, history: pd.DataFrame, nights: list[str], organism: bool
) -> None:
    width, height = figure.get_size_inches()
    models = ", ".join(sorted(set(history["model"]) - {""}))
    title = f"Nightly {suite}: {models}, {len(nights)} night{'s' if len(nights) > 1 else ''}"
    figure.text(0.01, 1 - 0.1 / height, title, ha="left", va="top", fontsize=10.5, fontweight="bold")
    handles, names = axis.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        ncols=4,
        fontsize=8,
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(0, 1 - 0.28 / height),
    )
    told = history.drop_duplicates("night", keep="last")
    lost = [str(night) for night in told.loc[told["rate"].isna(), "night"]]
    notes = [BARS]
    notes += [f"Without a usable run: {', '.join(lost)}."] if lost else []
    notes += [ORGANISM_NOTE] if organism else []
    lines = [line for note in notes for line in wrap(note, int(17 * width))]
    figure.text(0.01, 0.06 / height, "\n".join(lines), ha="left", va="bottom", fontsize=7.5, color="#333333")
    foot = (0.15 * len(lines) + 0.15) / height
    figure.tight_layout(rect=(0, foot, 1, 1 - 0.55 / height), h_pad=1.4, w_pad=1.2)
