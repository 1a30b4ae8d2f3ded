"""The figures of a report's page: drawn as everywhere, then made small and safe to stand in a page.

Each is drawn for a page and once more, a panel under the other, for a telephone, and becomes a `data:` URI.
As an image it has no names, no styles and no script in common with the page, whatever a model or a scenario
is called.
"""

import base64
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from results.curves import Curve
from results.drawing import PAGE, PHONE, Fit, words
from results.forest import forest, strongest
from results.heatmap import heatmap
from results.panels import panels
from results.settings import Settings
from results.stack import stack

Kind = Literal["rates", "differences", "outcomes", "scenarios"]
"""Which table holds the numbers of a figure."""

_LONG = re.compile(r"-?\d+\.\d{3,}")
_TAG = re.compile(r"<[^>]+>")


class Figure(NamedTuple):
    """A figure in the page."""

    kind: Kind
    title: str
    alt: str
    wide: str
    """`data:` URI of the SVG."""
    narrow: str
    """The same for a telephone; empty where one does for both."""
    size: tuple[int, int]
    """Of the wide one, in CSS pixels."""
    file: Path
    """The picture as PNG; an SVG lies beside it."""


def figures(curves: Sequence[Curve], main: str, folder: Path, settings: Settings) -> list[Figure]:
    """All figures of one setting's curves (of all runs); `folder` gets them as files."""
    of_main = [curve for curve in curves if curve.outcome == main]
    emotions = [curve for curve in of_main if curve.arm != "control"]
    vectors = ", ".join(words(curve.vector) for curve in emotions or of_main)
    what = words(main)
    family = words(str(curves[0].setting["family"]))
    drawn = [
        _figure(
            "rates",
            f"Rate of {what} by dose",
            f"Line charts with error bars: the rate of {what} at each dose of {vectors}.",
            lambda out, fit: panels(of_main, out, fit),
            folder,
        ),
        _figure(
            "differences",
            f"Difference from the baseline, in points of {what}",
            f"A coloured grid: how far each dose of {vectors} moves the rate of {what}.",
            lambda out, _: heatmap(of_main, out, settings),
            folder,
            narrow=False,
        ),
        _figure(
            "outcomes",
            f"All outcomes of {family} by dose",
            f"Stacked bars: what share of the runs had which outcome at each dose of {vectors}.",
            lambda out, fit: stack(curves, out, fit),
            folder,
        ),
    ]
    if any(strongest(curve) for curve in emotions):
        each = f"the difference in {what} of each scenario at the strongest dose of {vectors}"
        drawn.append(
            _figure(
                "scenarios",
                f"Difference in {what} by scenario",
                f"Dots with error bars: {each}.",
                lambda out, fit: forest(emotions, out, fit),
                folder,
            )
        )
    return drawn


def _figure(
    kind: Kind,
    title: str,
    alt: str,
    draw: Callable[[Path, Fit], tuple[Path, Path]],
    folder: Path,
    *,
    narrow: bool = True,
) -> Figure:
    svg, png = draw(folder / kind, PAGE)
    text = svg.read_text("utf-8")
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', text)
    assert size, svg
    width, height = (round(float(points) * 4 / 3) for points in size.groups())
    small = ""
    if narrow:
        with TemporaryDirectory() as away:
            small = _uri(draw(Path(away) / kind, PHONE)[0].read_text("utf-8"))
    return Figure(kind, title, alt, _uri(text), small, (width, height), png)


def _uri(svg: str) -> str:
    """Without what a page has no use for: positions to the millionth of a point, the outer declarations."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _TAG.sub(lambda tag: _LONG.sub(lambda number: f"{float(number[0]):.2f}", tag[0]), svg)
    svg = re.sub(r">\s+<", "><", svg)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
