"""Are the statistics right? Every method on runs with known rates, and how often it was.

    emodose simulate -o results/reference/simulation.csv

Each row of the table is one method in one cell (scenarios, runs, rate, likeness, effect): how often its
interval covered the truth, how often it called an effect where there was none, how often it found one and
what `plan` promised. The methods are those that `analyse` uses, called with the same settings;
`results.clearance` reads the table.
"""

import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd

from results.clearance import USED
from results.corrections import adjust
from results.difference import Difference, paired
from results.intervals import guarded_interval, rate_interval
from results.power import need
from results.settings import DEFAULT
from results.shape import turn
from results.trend import logistic, slope
from results.truth import BASELINE, STRENGTHS, Draw, Truth, draw
from results.units import LIKE_THESE, THESE, Scope

SCENARIOS = (1, 3, 8, 12, 20, 30)
BASES, LIKENESSES, VARIANTS = (0.05, 0.2, 0.5), (0.05, 0.3), (10, 60)
SEED = 2
"""The committed table's; methods were chosen on others, so that the table confirms and does not flatter."""
FIRST, MOST = 1000, 10_000
"""Experiments of a cell: at first, and where a value that a report rests on is within `CLOSE` of its Monte
Carlo errors of its limit. The error of a value near a limit is then 0.25 points."""
CLOSE = 3
TOP = len(STRENGTHS) - 1

Key = tuple[str, Scope, str]
"""Method, scope, quantity."""


class Cell(NamedTuple):
    """A truth, and the power that `plan` promised for it, if it was made by a plan."""

    truth: Truth
    promised: dict[Scope, float]


def cells(scenarios: Sequence[int] = SCENARIOS, variants: Sequence[int] = VARIANTS) -> Iterator[Cell]:
    """The grid: without effect, with an even one, with one that differs between scenarios; then plans."""
    for count in scenarios:
        for base in BASES:
            for likeness in LIKENESSES:
                for each in variants:
                    flat = Truth(count, each, base, likeness)
                    yield Cell(flat, {})
                    yield Cell(replace(flat, mixed=0.5), {})
                    yield Cell(replace(flat, effect=0.3, mixed=0.5), {})
        for base, effect in ((0.1, 0.2), (0.4, 0.2)):
            for scope in scopes(count):
                likeness, mixed = (0.1, 0.3) if scope == LIKE_THESE else (0.0, 0.0)
                planned = Truth(count, 2, base, likeness, effect=effect, mixed=mixed, stream=0.0)
                spread = planned.effect_spread()
                found = need(base, effect, count, likeness=likeness, spread=spread, scope=scope)
                if found.variants is not None and 2 <= found.variants <= 200:
                    yield Cell(replace(planned, variants=found.variants), {scope: found.power})


def scopes(scenarios: int) -> tuple[Scope, ...]:
    """Both, but scenarios like so few that Student's t has no degree of freedom cannot be spoken of."""
    return (LIKE_THESE, THESE) if scenarios - 1 > DEFAULT.spare_df else (THESE,)


def check(drawn: Draw, truth: Truth) -> dict[Key, float]:
    """Everything that the methods say of one experiment: 1 where the quantity came true, else 0."""
    said: dict[Key, float] = {}
    count, variants, _ = drawn.runs.shape
    at = TOP if truth.effect else BASELINE
    scenario = np.repeat(np.arange(count), variants)
    alone = np.arange(count * variants)
    flat = drawn.runs.reshape(count * variants, -1)
    for scope in scopes(count):
        like_these = scope == LIKE_THESE
        units, strata = (scenario, np.zeros_like(scenario)) if like_these else (alone, scenario)
        true = truth.rates() if like_these else drawn.rates.mean(axis=0)
        low, high = rate_interval(flat[:, at], scenario if like_these else None)
        said["Wilson interval", scope, "coverage"] = low <= true[at] <= high
        if like_these:
            low, high = guarded_interval(flat[:, at], scenario)
            said["guarded Wilson interval", scope, "coverage"] = low <= true[at] <= high
        found = {d: _paired(flat, d, units, strata, scope) for d in range(TOP + 1) if d != BASELINE}
        difference = true[TOP] - true[BASELINE]
        said["difference", scope, "coverage"] = found[TOP].low <= difference <= found[TOP].high
        rates, layers = (drawn.runs.mean(axis=1), np.zeros(count, int)) if like_these else (flat, scenario)
        tests = {"difference": found[TOP].p, "slope": slope(rates, layers, STRENGTHS).p}
        if like_these:
            runs = np.full((count, TOP + 1), float(variants))
            tests["logistic"] = logistic(drawn.runs.sum(axis=1), runs, STRENGTHS).p
        null = not truth.effect and (like_these or not truth.mixed)
        if null or truth.effect:
            for method, p in tests.items():
                said[method, scope, "false positives" if null else "power"] = p < DEFAULT.alpha
        if null:
            smallest = min(adjust([one.p for one in found.values()], DEFAULT.correction))
            said["difference, any dose", scope, "false positives"] = smallest < DEFAULT.alpha
        if null or truth.effect:  # no truth in the grid turns round
            p = turn(rates, layers, STRENGTHS).p
            said["shape", scope, "false positives"] = p < DEFAULT.alpha
    return said


def _paired(flat: np.ndarray, dose: int, units: np.ndarray, strata: np.ndarray, scope: Scope) -> Difference:
    return paired(flat[:, dose], flat[:, BASELINE], units, strata, scope)


def run_cell(cell: Cell, seed: int, first: int = FIRST, most: int = MOST) -> list[dict[str, Any]]:
    """The cell's rows; experiments are added while a value that reports rest on is close to its limit."""
    random = np.random.default_rng(seed)
    counts: dict[Key, float] = defaultdict(float)
    done = 0
    while done < most and (done == 0 or _undecided(counts, done)):
        for _ in range(first):
            for key, value in check(draw(cell.truth, random), cell.truth).items():
                counts[key] += value
        done += first
    about = {
        key: getattr(cell.truth, key)
        for key in ("scenarios", "variants", "base", "likeness", "effect", "mixed")
    }
    rows = []
    for (method, scope, quantity), count in counts.items():
        promised = (
            cell.promised.get(scope, math.nan) if (method, quantity) == ("difference", "power") else math.nan
        )
        value = count / done
        named = {"method": method, "scope": scope, "quantity": quantity}
        rows.append(named | about | {"value": value, "promised": promised, "experiments": done})
    return rows


def _undecided(counts: dict[Key, float], done: int) -> bool:
    limits = {"coverage": DEFAULT.least_coverage, "false positives": DEFAULT.most_false_positives}
    for (method, scope, quantity), count in counts.items():
        limit = limits.get(quantity)
        if limit is None or method not in USED[scope]:
            continue
        if abs(count / done - limit) < CLOSE * math.sqrt(limit * (1 - limit) / done):
            return True
    return False


def simulate(
    chosen: Iterable[Cell],
    *,
    seed: int = SEED,
    first: int = FIRST,
    most: int = MOST,
    workers: int = 1,
    progress: bool = False,
    keep: Path | None = None,
) -> pd.DataFrame:
    """The table over the cells; every cell has random numbers of its own, so workers do not change it.

    Cells are written to the file `keep` as they are done, and those that stand there already are not run
    again: a killed simulation goes on where it was. A file of another simulation is begun anew.
    """
    work = [(place, cell, seed_of(seed, place), first, most) for place, cell in enumerate(chosen)]
    started = repr((seed, first, most, DEFAULT, [cell for _, cell, *_ in work]))
    done = _resume(keep, started) if keep else {}
    left = [one for one in work if one[0] not in done]
    with Pool(workers) if workers > 1 else nullcontext() as pool:
        cells_done: Any = pool.imap_unordered(_run_cell, left) if pool else map(_run_cell, left)
        for place, rows in _shown(cells_done, len(left), len(work), progress):
            done[place] = rows
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([place, rows]) + "\n")
    return pd.DataFrame([row for place in sorted(done) for row in done[place]])


def seed_of(seed: int, place: int) -> int:
    """The random numbers of the cell at that place of the grid."""
    return seed * 100_003 + place


def _run_cell(work: tuple[int, Cell, int, int, int]) -> tuple[int, list[dict[str, Any]]]:
    place, cell, seed, first, most = work
    return place, run_cell(cell, seed, first, most)


def _resume(keep: Path, started: str) -> dict[int, list[dict[str, Any]]]:
    """The cells that the file holds of this very simulation; what a kill left of a last line is dropped."""
    lines = keep.read_text(encoding="utf-8").split("\n") if keep.is_file() else []
    whole = lines[1:-1] if lines and lines[0] == json.dumps(started) else []
    keep.parent.mkdir(parents=True, exist_ok=True)
    keep.write_text("\n".join([json.dumps(started), *whole, ""]), encoding="utf-8")
    return {place: rows for place, rows in map(json.loads, whole)}


def _shown(steps: Iterable[Any], left: int, every: int, progress: bool) -> Iterator[Any]:
    """The steps, with a bar on a terminal and a line for every tenth elsewhere."""
    if not progress:
        yield from steps
    elif sys.stderr.isatty():
        with click.progressbar(steps, length=left, label="cells", file=sys.stderr) as bar:
            yield from bar
    else:
        for number, step in enumerate(steps, every - left + 1):
            yield step
            if number % max(1, every // 10) == 0:
                print(f"{number} of {every} cells", file=sys.stderr, flush=True)


def write(table: pd.DataFrame, out: Path) -> Path:
    """Write the table as CSV, byte for byte the same from the same seed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False, float_format="%.5g", lineterminator="\n")
    return out
