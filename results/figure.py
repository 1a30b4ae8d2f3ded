"""The dose-response figure: the rate of an outcome against the strength of each vector.

One panel per vector and setting (a twin, a pressure, a length never share a panel); controls of equal norm
lie under every emotion as thin grey lines. An emotion in words (the arm `prompt`) has a panel with
its own axis: its intensities are no strengths. Readable without colour. This module computes nothing: what it
draws is `rates` of `results.rates`.
"""

from pathlib import Path
from textwrap import wrap
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.controls import described
from results.drawing import DIVERGENCE, GREY, INK, INTENSITY, ORGANISM_NOTE, STYLE, UNIT, save
from results.rates import SETTING, rates, spoken_of
from results.table import TableError
from results.units import LIKE_THESE, THESE
from results.wording import dose

PANELS_PER_ROW = 3

DoseAxis = Literal["strength", "kl"]


class Panel(NamedTuple):
    """One curve and what lies under it; all rows share a setting."""

    title: str
    curve: pd.DataFrame
    controls: list[pd.DataFrame]


def dose_response(
    table: pd.DataFrame, out: Path, outcome: str, against: DoseAxis = "strength"
) -> tuple[Path, Path]:
    """Draw `out`.svg and `out`.png from the table of runs, and return their paths.

    With the axis `kl` a dose stands where its mean divergence from the unsteered model on neutral text puts
    it, left of 0 where the strength is negative: equal norms are not equal pushes. Raises `TableError` where
    it was not measured.
    """
    points = rates(table, outcome)
    points["x"] = points["strength"] if against == "strength" else _divergence(points)
    points[["own_low", "own_high"]] = rates(table, outcome, scope=THESE)[["low", "high"]]
    panels = _panels(points)
    columns = 2 if len(panels) == 4 else min(PANELS_PER_ROW, len(panels))
    rows = -(-len(panels) // columns)
    width, height = max(5.6, 3.5 * columns + 0.6), 3.1 * rows + 1.5
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
        top = _top(points)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _draw(axis, panel, top)
        for axis in list(axes.flat)[len(panels) :]:
            axis.set_axis_off()
        for axis in axes[:, 0]:
            axis.set_ylabel(f"{outcome.replace('_', ' ')} rate (%)")
        title = _heading(points, outcome)
        notes = _footnotes(points, organism=bool(table["organism"].astype(bool).any()))
        notes = [line for note in notes for line in wrap(note, int(17 * width))]
        figure.text(0.01, 1 - 0.1 / height, title, ha="left", va="top", fontsize=10.5, fontweight="bold")
        _legend(figure, list(axes.flat)[: len(panels)], 1 - 0.3 / height)
        figure.text(0.01, 0.012, "\n".join(notes), ha="left", va="bottom", fontsize=7.5, color="#333333")
        foot = (0.15 * len(notes) + 0.08) / height
        figure.tight_layout(rect=(0, foot, 1, 1 - 0.55 / height), h_pad=1.6, w_pad=1.4)
        return save(figure, out)


def _panels(points: pd.DataFrame) -> list[Panel]:
    """Emotions first; where there are only controls (or only a baseline) they are the curves themselves."""
    varying = [c for c in SETTING if points[c].nunique(dropna=False) > 1]
    doses = points[points["arm"].isin(["emotion", "control"])]
    shifts = [c for c in ("layers", "positions") if doses[c].nunique() > 1]
    panels = []
    for _, same in points.groupby(list(SETTING), dropna=False):
        curves = [curve for _, curve in same.groupby(["vector", "layers", "positions"])]
        emotions = [c for c in curves if "control" not in set(c["arm"])]
        emotions.sort(key=_in_words)
        controls = [c for c in curves if "control" in set(c["arm"])]
        for curve in emotions or controls:
            first = curve.iloc[0]
            in_words = _in_words(curve)
            named = [str(first[c])[:12] for c in varying]
            named += ["in words"] if in_words else [f"{c} {first[c]}" for c in shifts]
            where = [
                c
                for c in controls
                if (c.iloc[0][["layers", "positions"]] == first[["layers", "positions"]]).all()
            ]
            vector = "baseline only" if first["vector"] == "none" else str(first["vector"])
            under = [] if in_words or not emotions else where
            panels.append(Panel(", ".join([vector, *named]), curve, under))
    return panels


def _in_words(curve: pd.DataFrame) -> bool:
    return "prompt" in set(curve["arm"])


def _draw(axis: Axes, panel: Panel, top: float) -> None:
    name = f"{described(str(c['vector'].iloc[0]) for c in panel.controls)}, of equal norm"
    for control in panel.controls:
        control = control.sort_values("x")
        axis.plot(control["x"], 100 * control["rate"], color=GREY, lw=0.9, zorder=1, label=name)
    curve = panel.curve[panel.curve["n"] > 0].sort_values("x")
    doses, percent = curve["x"], 100 * curve["rate"]
    _shade(axis, curve)
    for rate in percent[curve["arm"] == "baseline"]:
        axis.axhline(rate, color="black", lw=0.9, ls=(0, (5, 3)), zorder=2, label="baseline")
        axis.set_title(f"baseline {rate:.0f} %", loc="right", fontsize=8)
    if (curve["scope"] == LIKE_THESE).any():
        axis.vlines(doses, 100 * curve["own_low"], 100 * curve["own_high"], INK, lw=5, alpha=0.3)
    # A rate of 0 or 1 may lie a rounding error outside its own interval.
    spans = [(percent - 100 * curve["low"]).clip(lower=0), (100 * curve["high"] - percent).clip(lower=0)]
    axis.errorbar(doses, percent, spans, fmt="none", ecolor=INK, elinewidth=1.1, capsize=3, zorder=3)
    if not _in_words(curve):
        axis.plot(doses, percent, color=INK, lw=1.6, zorder=3)
    for judged, face in ((True, INK), (False, "white")):
        some = curve["judged"] == judged
        name = "_" if judged or not some.any() else "over 5 % errored: not judged"
        axis.plot(doses[some], percent[some], "o", ms=5.5, color=INK, mfc=face, zorder=4, label=name)
    _print_n(axis, panel.curve, top)
    axis.set_ylim(-0.12 * top, top)
    axis.set_yticks([tick for tick in range(0, 101, 10 if top <= 60 else 20) if tick <= top])
    by_strength = (panel.curve["x"] == panel.curve["strength"]).all()
    named = zip(panel.curve["strength"], panel.curve["intensity"], strict=True)
    labels = [dose(*point) for point in named] if by_strength else [f"{x:+.2g}" for x in panel.curve["x"]]
    axis.set_xticks(panel.curve["x"], labels)
    axis.tick_params(axis="x", labelrotation=90 if len(panel.curve) > 5 else 0, labelsize=8)
    axis.margins(x=0.07)
    unit = UNIT if by_strength else DIVERGENCE
    axis.set_xlabel(INTENSITY if _in_words(panel.curve) else unit, fontsize=8)
    axis.set_title(panel.title, loc="left", fontsize=9.5)
    axis.grid(axis="y", color="#e6e6e6", lw=0.6, zorder=0)


def _divergence(points: pd.DataFrame) -> pd.Series:
    """Signed by the strength; the arm `prompt`, which is not steered, keeps its intensities."""
    steered = points["arm"].isin(["emotion", "control"])
    if missing := sorted(set(points.loc[steered & points["kl_mean"].isna(), "vector"])):
        raise TableError(
            f"the divergence of {', '.join(missing)} was not measured: run emodose vectors kl MODEL before "
            "the task, or draw against the strength"
        )
    return points["strength"].where(~steered, np.sign(points["strength"]) * points["kl_mean"])


def _shade(axis: Axes, curve: pd.DataFrame) -> None:
    """Grey beyond the strength up to which the model was measured to stay coherent."""
    beyond = curve[curve["strength"].abs() > curve["window"]]
    for side in (-1, 1):
        some = beyond[np.sign(beyond["strength"]) == side]
        inner = curve[(np.sign(curve["strength"]) == side) & ~curve.index.isin(some.index)]
        if len(some):
            edge = 0.5 * (side * inner["x"].abs().max() + side * some["x"].abs().min()) if len(inner) else 0
            far = side * some["x"].abs().max() * 1.04
            axis.axvspan(edge, far, color="#ececec", lw=0, zorder=0, label="beyond the coherent window")


def _legend(figure: Figure, axes: list[Axes], top: float) -> None:
    """One legend for all panels, in a line under the title."""
    named: dict[str, Any] = {}
    for axis in axes:
        handles, names = axis.get_legend_handles_labels()
        named |= dict(zip(names, handles, strict=True))
    place: Any = {"loc": "upper left", "bbox_to_anchor": (0.0, top), "ncols": 3, "columnspacing": 1.6}
    figure.legend(list(named.values()), list(named), fontsize=8, frameon=False, **place)


def _print_n(axis: Axes, curve: pd.DataFrame, top: float) -> None:
    """The number of scored runs at the foot of each point."""
    for point in curve.to_dict("records"):
        axis.text(point["x"], -0.065 * top, str(point["n"]), ha="center", va="center", fontsize=7.5)
    axis.annotate(
        "n", (0, -0.065 * top), xycoords=("axes fraction", "data"), xytext=(-8, 0),
        textcoords="offset points", ha="center", va="center", fontsize=7.5, style="italic",
    )  # fmt: skip


def _top(points: pd.DataFrame) -> float:
    highest = points["high"].max()
    return 100.0 if pd.isna(highest) else min(100.0, max(20.0, 10.0 * (int(10 * highest) + 1)))


def _heading(points: pd.DataFrame, outcome: str) -> str:
    first = points.iloc[0]
    shared = [str(first[c]) for c in ("model", "length") if points[c].nunique(dropna=False) == 1]
    layers = sorted({str(layer) for layer in points["layers"] if layer})
    if layers:
        shared.append(f"layer{'s' * (len(layers) > 1 or '-' in layers[0])} {', '.join(layers)}")
    for column, usual in (("twin", "main"), ("pressure", "standard"), ("positions", "all")):
        if points[column].nunique() == 1 and first[column] != usual:
            shared.append(f"{column} {first[column]}")
    return f"Rate of {outcome.replace('_', ' ')} by dose: {', '.join(shared)}"


def _footnotes(points: pd.DataFrame, *, organism: bool) -> list[str]:
    bars = f"Bars: 95 % intervals, speaking of {spoken_of(points)}."
    if (points["scope"] == LIKE_THESE).any():
        bars += " Thick: of these scenarios only."
    worst = points["incoherent"].max()
    incoherent = "" if pd.isna(worst) else f" Incoherent: at most {100 * worst:.0f} % of the runs of a point."
    notes = [f"{bars} n: scored runs.{incoherent}"]
    repeated = (points["arm"] == "baseline") & points.duplicated([*SETTING, "arm"])
    errored, unscored = (int(points.loc[~repeated, status].sum()) for status in ("errored", "unscored"))
    if errored or unscored:
        notes.append(f"Not in n: {errored} errored and {unscored} unscored runs.")
    if organism:
        notes.append(ORGANISM_NOTE)
    return notes
