"""What all figures share: a style that survives grey and colour-blind readers, and how one is finished and
saved.

A finished figure says what was measured on which model, with how many runs, what its bars are, and, where the
model is an organism, that it tells nothing about real language models.
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results import clearance
from results.curves import Curve, Point
from results.wording import dose

INK = "#1b3a5c"
GREY = "#9a9a9a"
BAND = "#cccccc"
ORGANISM_NOTE = "Organism: tells nothing about real language models."
UNIT = "strength (multiples of the mean residual norm)"
DIVERGENCE = "divergence from the unsteered model (nats a token, signed by strength)"
INTENSITY = "intensity of the emotion in words (no steering)"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "emodose",
    "svg.fonttype": "none",
}


class Fit(NamedTuple):
    """For how wide a place a figure is drawn."""

    columns: int
    """Panels side by side, at most."""
    least: float
    """Width of the figure in inches, at least."""
    legend: int
    """Columns of the legend."""


PAPER = Fit(6, 5.6, 4)
PAGE = Fit(3, 5.6, 4)
PHONE = Fit(1, 3.7, 1)


def words(name: str) -> str:
    """An outcome or a vector as it is read aloud."""
    return name.replace("_", " ")


def columns_for(panels: int, fit: Fit = PAGE) -> int:
    """Columns in which so many panels stand without a lonely last one."""
    return min(2 if panels == 4 else min(3, panels), fit.columns)


def setting_line(curves: Sequence[Curve]) -> str:
    """What all the curves share: model, twin, pressure, length, layers."""
    shared = []
    for key, usual in (("model", None), ("twin", "main"), ("pressure", "standard"), ("length", None)):
        values = {str(curve.setting[key]) for curve in curves}
        if len(values) == 1 and (value := values.pop()) not in ("", usual):
            shared.append(value if key in ("model", "length") else f"{key}\u00a0{value}")
    layers = {curve.layers for curve in curves if curve.layers}
    if len(layers) == 1:
        shared.append(f"layer\u00a0{layers.pop()}")
    if all(curve.arm == "prompt" for curve in curves):
        shared.append("emotions in words")
    return ", ".join(shared)


def axis_name(curves: Sequence[Curve]) -> str:
    """What the doses of these curves are: strengths, or intensities of words."""
    return INTENSITY if any(curve.arm == "prompt" for curve in curves) else UNIT


def dose_name(point: Point) -> str:
    """A point's place on its axis."""
    return dose(point.strength, point.intensity)


def unit_note(curves: Sequence[Curve]) -> str:
    """The unit of the doses, for a figure without an axis of them."""
    named = axis_name(curves)
    return f"{named.partition(' ')[0].capitalize()}: {named[named.index('(') + 1 : -1]}."


def bars_note(curves: Sequence[Curve]) -> str:
    """What an interval on these curves is."""
    said = []
    for scope in dict.fromkeys(curve.scope for curve in curves):
        same = [curve for curve in curves if curve.scope == scope]
        counts = clearance.span(point.scenarios for curve in same for point in curve.points if point.n)
        said.append(clearance.statement(scope, all(curve.cleared for curve in same), counts))
    left = sum(p.errored + p.unscored for c in curves for p in c.doses)
    text = f"Intervals: 95 %, speaking of {'; '.join(said)}."
    return text + (f" {left} errored or unscored runs are not in n." if left else "")


def finish(
    figure: Figure,
    title: str,
    notes: Sequence[str],
    curves: Sequence[Curve],
    *,
    legend: Axes | None = None,
    columns: int = 4,
) -> None:
    """Title, the legend of one of its axes under it, footnotes, and the space for all of them."""
    width, height = figure.get_size_inches()
    notes = [*notes, ORGANISM_NOTE] if any(curve.organism for curve in curves) else list(notes)
    lines = [line for note in notes for line in wrap(note, int(17 * width))]
    head = wrap(title, int(11.5 * width))
    figure.text(
        0.01, 1 - 0.1 / height, "\n".join(head), ha="left", va="top", fontsize=10.5, fontweight="bold"
    )
    top = 0.25 + 0.17 * len(head)
    if legend is not None:
        handles, names = legend.get_legend_handles_labels()
        place: Any = {"loc": "upper left", "bbox_to_anchor": (0, 1 - (top - 0.1) / height)}
        figure.legend(
            handles,
            names,
            ncols=columns,
            fontsize=8,
            frameon=False,
            columnspacing=1.2,
            handlelength=1.8,
            **place,
        )
        top += 0.2 * -(-len(names) // columns)
    figure.text(0.01, 0.06 / height, "\n".join(lines), ha="left", va="bottom", fontsize=7.5, color="#333333")
    foot = (0.15 * len(lines) + 0.15) / height
    figure.tight_layout(rect=(0, foot, 1, 1 - top / height), h_pad=1.4, w_pad=1.2)


def save(figure: Figure, out: Path) -> tuple[Path, Path]:
    """Write `out`.svg and `out`.png, the same bytes from the same figure."""
    stem = out.with_suffix("") if out.suffix in (".svg", ".png") else out
    stem.parent.mkdir(parents=True, exist_ok=True)
    svg, png = Path(f"{stem}.svg"), Path(f"{stem}.png")
    figure.savefig(svg, metadata={"Date": None})
    figure.savefig(png, dpi=160)
    return svg, png
