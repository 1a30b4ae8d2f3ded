"""What an experiment takes before it is run: scenarios, runs, and the time at the measured speed.

The power is that of the paired difference of one dose (`results.power`), at an alpha divided by all the
differences that will be corrected together, as if none of the others existed: Holm asks no more than that.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from results import clearance
from results.logs import find_logs, read_header, read_runs
from results.power import need
from results.settings import DEFAULT, Settings
from results.table import TableError
from results.units import LIKE_THESE, THESE, Scope

SCENARIOS = (3, 8, 12, 20, 30)


class Question(NamedTuple):
    """What is to be found, and how."""

    base: float
    effect: float
    """Rate at the dose minus at the baseline; negative for a lowering."""
    likeness: float = 0.1
    """Intra-cluster correlation of the runs of one scenario."""
    spread: float | None = None
    """Standard deviation of the effect over scenarios; half the effect if not given."""
    vectors: int = 1
    doses: int = 6
    """Strengths of a vector, without 0."""
    controls: int = 5

    def check(self) -> None:
        """Refuse what has no answer."""
        if not 0 <= self.base <= 1:
            raise TableError(f"a baseline is a rate from 0 to 1, not {self.base:g}")
        if not self.effect or not 0 <= self.base + self.effect <= 1:
            raise TableError(
                f"an effect of {self.effect:+g} on a baseline of {self.base:g} is none, or leaves 0 to 1"
            )
        if not 0 <= self.likeness < 1:
            raise TableError(f"a likeness is a correlation from 0 to below 1, not {self.likeness:g}")


class Row(NamedTuple):
    """One possible experiment."""

    scenarios: int
    scope: Scope
    cleared: bool
    variants: int | None
    """Runs per scenario and dose; None: no number is enough."""
    runs: int | None
    """In all, over every vector, control, dose and the baseline."""
    power: float
    seconds: float | None


def plan(
    question: Question,
    scenarios: Sequence[int] = SCENARIOS,
    seconds_per_run: float | None = None,
    settings: Settings = DEFAULT,
) -> list[Row]:
    """One row per number of scenarios, and per scope where both are open."""
    question.check()
    rows = []
    for count in scenarios:
        allowed = clearance.choose(count, settings)
        for scope in (LIKE_THESE, THESE) if allowed.scope == LIKE_THESE else (THESE,):
            spread = abs(question.effect) / 2 if question.spread is None else question.spread
            found = need(
                question.base, question.effect, count, likeness=question.likeness, spread=spread, scope=scope,
                settings=settings, comparisons=question.vectors * question.doses,
            )  # fmt: skip
            conditions = 1 + (question.vectors + question.controls) * question.doses
            runs = None if found.variants is None else found.variants * count * conditions
            seconds = None if runs is None or seconds_per_run is None else runs * seconds_per_run
            rows.append(Row(count, scope, allowed.cleared, found.variants, runs, found.power, seconds))
    return rows


class Speed(NamedTuple):
    """How fast finished logs were made, by the clock on the wall: batches and evaluations side by side
    included."""

    runs: int
    seconds: float
    """In which at least one of the evaluations ran."""

    @property
    def per_run(self) -> float:
        """Seconds of the clock for each run, not the time that a run took."""
        return self.seconds / self.runs

    def __str__(self) -> str:
        return f"{self.runs:,} runs in {clock(self.seconds)}, {self.runs / self.seconds:.3g} runs a second"


def measured_speed(paths: Iterable[str | Path]) -> Speed:
    """The speed of the finished logs at `paths`; time that several of them share counts once."""
    spans, runs = [], 0
    for log in find_logs(paths):
        header = read_header(log)
        if header.status == "success" and header.times:
            spans.append(header.times)
            runs += len(read_runs(header))
    seconds, until = 0.0, -math.inf
    for start, end in sorted(spans):
        seconds += max(0.0, end - max(start, until))
        until = max(until, end)
    if not runs or not seconds:
        raise TableError("no finished log from which the speed could be measured")
    return Speed(runs, seconds)


def as_text(question: Question, rows: Sequence[Row], settings: Settings = DEFAULT) -> str:
    """The plan for the terminal."""
    spread = "half of it" if question.spread is None else f"{100 * question.spread:g} points"
    lines = [
        f"To find {100 * question.effect:+g} points on a baseline of {100 * question.base:g} % with "
        f"{100 * settings.power:g} % power, {question.vectors} vectors x {question.doses} doses corrected "
        "together,",
        f"{question.controls} controls; likeness within scenarios {question.likeness:g}; the effect differs "
        f"between scenarios by a standard deviation of {spread}.",
        "",
        f"{'scenarios':>9}  "
        f"{'speaks of':<22}{'runs per scenario and dose':>27}{'runs in all':>13}{'time':>10}",
    ]
    for row in rows:
        mark = "" if row.cleared else " *"
        if row.variants is None:
            tail = f"{'none is enough':>27}{'':>13}  power at most {100 * row.power:.0f} %"
        else:
            tail = f"{row.variants:>27}{row.runs:>13,}{clock(row.seconds):>10}"
        lines.append(f"{row.scenarios:>9}  {row.scope + mark:<22}{tail}")
    if not all(row.cleared for row in rows):
        lines.append("* not cleared by the simulation")
    return "\n".join(lines)


def clock(seconds: float | None) -> str:
    """A time in the two units that matter."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d}"
