"""Are the methods right that only a comparison uses? `results.changes` on invented nights with known changes.

    python -m results.changes_simulation -o results/reference/changes.csv

`few changes`: nights that repeat each other but for a small share of runs; `measure`: numbers between 0 and 1
instead of 0 and 1. How often the interval covered the true change, and how often one was found where there
was none. The table has the form of `simulation.csv`, and `results.clearance` reads both.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd

from results.changes import FEW, change
from results.settings import DEFAULT
from results.simulation import scopes, seed_of, write
from results.units import LIKE_THESE

SCENARIOS, VARIANTS = (1, 3, 8, 20), (10, 60)
SEED = 3
FIRST, MOST = 1000, 10_000
"""Experiments of a cell: at first, and where a value is close to its limit."""
CLOSE = 3
"""In Monte Carlo errors."""


class Truth(NamedTuple):
    """What is laid down for two nights."""

    method: str
    scenarios: int
    variants: int
    base: float
    likeness: float
    """Intra-cluster correlation of the old night's runs."""
    effect: float
    """Share of the runs without the outcome that have it in the new night, or what a measure gains."""
    mixed: float
    """Scenarios differ in it by plus or minus this share; 2: one scenario in three has all of it."""
    redrawn: float
    """Share of the runs that come out anew, as they do where rounding differs; 1: independent nights."""


def truths() -> Iterator[Truth]:
    """The grid."""
    for count, each, base, likeness in product(SCENARIOS, VARIANTS, (0.05, 0.3), (0.05, 0.3)):
        for redrawn in (0.0, 0.02):
            if redrawn:
                yield Truth(FEW, count, each, base, likeness, 0.0, 0.0, redrawn)
            for effect, mixed in ((0.02, 0.5), (0.05, 0.5), (0.05, 2.0)):
                if effect * count * each < 2 * DEFAULT.sparse_pairs:
                    yield Truth(FEW, count, each, base, likeness, effect, mixed, redrawn)
        for effect in (0.0, 0.1):
            yield Truth("measure", count, each, base + 0.2, likeness, effect, 0.5, 1.0)


def draw(truth: Truth, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The runs' changes [scenario, variant], and the scenarios' own true ones."""
    size = (1 - truth.likeness) / truth.likeness
    own = random.beta(truth.base * size, (1 - truth.base) * size, truth.scenarios)[:, None]
    shape = (truth.scenarios, truth.variants)
    if truth.mixed == 2:
        share = np.where(random.random((truth.scenarios, 1)) < 1 / 3, 3 * truth.effect, 0.0)
    else:
        share = truth.effect * (1 + truth.mixed * random.choice((-1.0, 1.0), (truth.scenarios, 1)))
    if truth.method != FEW:  # of three jobs, some are done
        gain = share * (1 - own)
        done = [random.binomial(3, rate + np.zeros(shape)) / 3 for rate in (own, own + gain)]
        return done[1] - done[0], gain[:, 0]
    old = random.random(shape) < own
    again = np.where(random.random(shape) < truth.redrawn, random.random(shape) < own, old)
    new = again | (random.random(shape) < share)
    return new.astype(float) - old.astype(float), (share * (1 - own))[:, 0]


def run(truth: Truth, seed: int, first: int = FIRST, most: int = MOST) -> list[dict[str, Any]]:
    """The rows of one truth."""
    random = np.random.default_rng(seed)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    scenario = np.repeat(np.arange(truth.scenarios), truth.variants)
    alone = np.arange(len(scenario))
    population = truth.effect * (1 - truth.base)
    done = 0
    while done < most and (not done or _undecided(counts, done)):
        for _ in range(first):
            changes, true = draw(truth, random)
            for scope in scopes(truth.scenarios):
                like = scope == LIKE_THESE
                units, strata = (scenario, 0 * scenario) if like else (alone, scenario)
                found = change(changes.ravel(), units, strata, scope)
                expected = population if like else float(true.mean())
                counts[scope, "coverage"] += found.low <= expected <= found.high
                if not truth.effect:
                    counts[scope, "false positives"] += found.p < DEFAULT.alpha
        done += first
    about = truth._asdict()
    return [
        {"method": about["method"], "scope": scope, "quantity": quantity, **_without_method(about)}
        | {"value": count / done, "experiments": done}
        for (scope, quantity), count in counts.items()
    ]


def _without_method(about: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key != "method"}


def _undecided(counts: dict[tuple[str, str], int], done: int) -> bool:
    limits = {"coverage": DEFAULT.least_coverage, "false positives": DEFAULT.most_false_positives}
    return any(
        abs(count / done - limits[quantity])
        < CLOSE * math.sqrt(limits[quantity] * (1 - limits[quantity]) / done)
        for (_, quantity), count in counts.items()
    )


@click.command(help=__doc__)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.csv to write.")
def main(out: Path) -> None:
    """Write the table."""
    rows = []
    with click.progressbar(list(truths()), label="cells") as bar:
        for place, truth in enumerate(bar):
            rows += run(truth, seed_of(SEED, place))
    click.echo(f"simulation: {write(pd.DataFrame(rows), out)}")


if __name__ == "__main__":
    main()
