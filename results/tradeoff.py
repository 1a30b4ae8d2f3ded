"""Trade-offs: two rates against each other along the doses, one panel per vector.

Sycophancy against harshness, cheating against capability: a dose that lowers one and raises the other moves
along a diagonal; a dose that only breaks the model moves towards the origin of the second.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from results.controls import described
from results.curves import Curve, Point
from results.drawing import (
    GREY,
    INK,
    STYLE,
    bars_note,
    columns_for,
    dose_name,
    finish,
    save,
    setting_line,
    unit_note,
    words,
)
from results.table import TableError


class Measure(NamedTuple):
    """One axis: an outcome of a family, in its main scenarios or a twin."""

    family: str
    outcome: str
    twin: str = "main"

    @classmethod
    def parse(cls, text: str) -> "Measure":
        """From `family:outcome` or `family/twin:outcome`."""
        place, colon, outcome = text.partition(":")
        family, _, twin = place.partition("/")
        if not (colon and family and outcome):
            raise TableError(f"a measure is written family:outcome or family/twin:outcome, not {text!r}")
        return cls(family, outcome, twin or "main")

    def __str__(self) -> str:
        where = "" if self.family == self.outcome else f" ({words(self.family)})"
        return words(self.outcome) + where + ("" if self.twin == "main" else f", {words(self.twin)}")

    def beside(self, other: "Measure") -> str:
        """Its name where the other stands too: without the family that they share."""
        return words(self.outcome) if other[::2] == self[::2] else str(self)

    def of(self, curves: Sequence[Curve]) -> dict[tuple[str, str, str], Curve]:
        """Its curves by vector, layers and positions; TableError where there is none, or two of a kind."""
        found: dict[tuple[str, str, str], Curve] = {}
        for curve in curves:
            named = (curve.setting["family"], curve.outcome, curve.setting["twin"])
            if named == tuple(self) and curve.runs == "all":
                key = (curve.vector, curve.layers, curve.positions)
                if key in found:
                    raise TableError(
                        f"{self}: {curve.vector} was measured in several settings: give logs of one"
                    )
                found[key] = curve
        if not found:
            choices = sorted({f"{c.setting['family']}/{c.setting['twin']}:{c.outcome}" for c in curves})
            raise TableError(f"nothing measures {self}; choose from {', '.join(choices)}")
        return found


def tradeoff(curves: Sequence[Curve], across: Measure, up: Measure, out: Path) -> tuple[Path, Path]:
    """Draw one rate against the other; vectors measured for both."""
    x, y = across.of(curves), up.of(curves)
    both = [key for key in x if key in y]
    if not both:
        raise TableError(f"no vector was measured for both {across} and {up}")
    used = [x[key] for key in both] + [y[key] for key in both]
    controls = [_path(x[key], y[key]) for key in both if x[key].arm == "control"]
    told = described(x[key].vector for key in both if x[key].arm == "control")
    shown = [key for key in both if x[key].arm != "control"] or both
    columns = columns_for(len(shown))
    lines = -(-len(shown) // columns)
    size = (max(5.6, 2.7 * columns + 0.7), 2.6 * lines + 1.4)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axis in list(axes.flat)[len(shown) :]:
            axis.set_axis_off()
        for place, (axis, key) in enumerate(zip(axes.flat, shown, strict=False)):
            for number, path in enumerate(controls):
                name = f"{told}, of equal norm" if not number else "_"
                axis.plot(*_rates(path), color=GREY, lw=0.8, zorder=1, label=name)
            _draw(axis, _path(x[key], y[key]))
            axis.set_title(words(key[0]), loc="left", fontsize=9.5)
            if place + columns >= len(shown):
                axis.tick_params(axis="x", labelbottom=True)
                axis.set_xlabel(f"{across.beside(up)} (%)", fontsize=8)
        for axis in axes[:, 0]:
            axis.set_ylabel(f"{up.beside(across)} (%)", fontsize=8)
        n = sorted({point.n for curve in used for point in curve.points})
        runs = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
        notes = [f"Each mark is one dose (n {runs} runs), joined in their order; the outermost are named. "
                 f"{bars_note(used)} {unit_note(used)}"]  # fmt: skip
        finish(
            figure,
            f"{_capital(up.beside(across))} against {across.beside(up)}: {setting_line(used)}",
            notes,
            used,
            legend=axes[0][0],
        )
        return save(figure, out)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _path(x: Curve, y: Curve) -> list[tuple[Point, Point]]:
    other = {point.strength: point for point in y.points if point.n}
    return [(p, other[p.strength]) for p in x.points if p.n and p.strength in other]


def _rates(path: list[tuple[Point, Point]]) -> tuple[list[float], list[float]]:
    return [100 * a.rate for a, _ in path], [100 * b.rate for _, b in path]


def _draw(axis: Axes, path: list[tuple[Point, Point]]) -> None:
    across, up = _rates(path)
    bars = [
        [[100 * max(0.0, p.rate - p.low) for p in points], [100 * max(0.0, p.high - p.rate) for p in points]]
        for points in ([a for a, _ in path], [b for _, b in path])
    ]
    axis.errorbar(across, up, bars[1], bars[0], fmt="none", ecolor="#8fa3ba", elinewidth=0.7, zorder=2)
    axis.plot(across, up, "o-", color=INK, ms=4, lw=1.4, zorder=3, label="this vector, 95 % intervals")
    for place, offset in ((0, (-6, -11)), (-1, (4, 5))):
        at = (across[place], up[place])
        axis.annotate(
            dose_name(path[place][0]), at, xytext=offset, textcoords="offset points", fontsize=7.5,
            fontweight="bold", zorder=6, path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
    for a, b in path:
        if a.strength == 0:
            axis.plot(
                100 * a.rate, 100 * b.rate, "*", ms=12, color="black", mfc="white", zorder=5, label="baseline"
            )
    axis.grid(color="#ececec", lw=0.6)
    axis.set_axisbelow(True)
    axis.margins(0.1)
