"""Numbers as they are written: the same in the terminal, in verdicts and on figures, and never `-0`."""

import difflib
import math
from collections.abc import Callable, Iterable, Sequence


def whole(value: float) -> str:
    """Rounded to a whole number; a missing one is a dash."""
    return "-" if not math.isfinite(value) else f"{round(value):d}"


def signed(value: float, digits: int = 0) -> str:
    """With its sign, which a rounded 0 has not."""
    if not math.isfinite(value):
        return "-"
    text = f"{value:+.{digits}f}"
    return text[1:] if not float(text) else text


def percent(share: float) -> str:
    """A share as `12 %`."""
    return "-" if not math.isfinite(share) else f"{whole(100 * share)} %"


def points(share: float) -> str:
    """A difference of shares, as a size in percentage points."""
    return f"{whole(100 * share)} points"


def p_value(value: float) -> str:
    """To three digits; smaller ones as `< 0.001`."""
    if not math.isfinite(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


NO_WORDS = "none"
"""The baseline on an axis of intensities."""


def dose(strength: float, intensity: str = "") -> str:
    """A point's place on its axis: a strength, or the name of an intensity."""
    return intensity or ("0" if strength == 0 else f"{strength:+g}")


def meant(name: str, choices: Iterable[str]) -> str:
    """` (did you mean 'x'?)` where one of the choices is close to the name, else nothing."""
    close = difflib.get_close_matches(name, list(choices), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def aligned(rows: Sequence[Sequence[str]], side: Callable[[str, int], str]) -> list[str]:
    """The lines of a table whose columns are as wide as their widest cell; `side` is `str.ljust` or so."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [("  " + "  ".join(side(c, w) for c, w in zip(row, widths, strict=True))).rstrip() for row in rows]
