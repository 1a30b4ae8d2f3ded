"""How often does a comparison cry wolf, and how large a change does it catch? Nights drawn from one log.

    python -m results.false_alarms LOGS -o results/reference/false_alarms.csv

A night is drawn from the runs of an unchanged model: situations (scenario and variant) with replacement, each
with its runs at every dose, so that doses stay alike as they were. Two nights drawn so are two nights of one
model, and whatever a comparison finds between them is a false alarm. (A committed baseline is drawn once: the
alarms of its nights then go together, and their rate is that over baselines.) A change is planted by turning
runs of one vector into the outcome, in proportion to the strength; with the same seed all other runs repeat,
which a model that was trained further would not do: what it takes to catch one lies between the two designs.
Draws are of one log, so that what is learnt is of its rates and its scenarios.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import click
import numpy as np
import pandas as pd

from results.compare import compare
from results.comparison import Comparison, Limits, Source
from results.intervals import rate_interval
from results.rates import main_outcome
from results.settings import DEFAULT
from results.sides import Side
from results.simulation import write
from results.table import load, outcomes

Design = Literal["another seed each night", "same seed"]
"""How the nights are made.

another seed each night  both sides drawn anew for every comparison: independent nights
same seed                the new night repeats the old one but for a small share of runs
"""

REDRAWN = 0.02
"""Of the runs of a night with the same seed: what rounding changes between batches is half of it."""


class Nights(NamedTuple):
    """One row of the table: how nights are drawn and what is planted in the new ones."""

    design: Design
    vectors: tuple[str, ...]
    """Beside the unsteered runs; empty: all."""
    strengths: tuple[float, ...]
    """Empty: all."""
    variants: int
    """Per scenario and dose."""
    planted: float = 0.0
    """Share of runs that a change adds at the strongest dose of the first vector."""
    stream: int = 0
    """Of random numbers; each plan has its own, whichever others are run."""


def table(runs: pd.DataFrame, plans: Sequence[Nights], nights: int, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of every plan, as each is done: a value (a share) with its 95 % interval."""
    for plan in plans:
        random = np.random.default_rng([seed, plan.stream])
        many = max(1, nights // 4) if plan.planted else nights  # what is caught need not be known as exactly
        found = list(_compared(runs, plan, many, random))
        about = plan._asdict() | {"vectors": " ".join(plan.vectors) or "all"}
        about["strengths"] = " ".join(f"{one:g}" for one in plan.strengths) or "all"
        about |= {"nights": many, "tests": round(float(np.mean([one.tests for one in found])), 1)}
        for quantity, values in _quantities(found, plan).items():
            low, high = rate_interval(values, None)
            yield about | {"quantity": quantity, "n": len(values), "value": float(np.mean(values))} | {
                "low": low, "high": high,
            }  # fmt: skip


def _compared(
    runs: pd.DataFrame, plan: Nights, nights: int, random: np.random.Generator
) -> Iterator[Comparison]:
    some = _chosen(runs, plan)
    for _ in range(nights):
        old = _drawn(some, plan.variants, random)
        if plan.design == "same seed":
            new = _repeated(old, random)
        else:
            new = _drawn(some, plan.variants, random).assign(run_seed=2)
        if plan.planted:
            new = _planted(new, plan, random)
        yield compare(_side(new, "new"), _side(old, "old"), Limits())


def _chosen(runs: pd.DataFrame, plan: Nights) -> pd.DataFrame:
    vectors = runs["vector"].isin(plan.vectors) if plan.vectors else True
    strengths = runs["strength"].isin(plan.strengths) if plan.strengths else True
    return runs[(runs["arm"] == "baseline") | (vectors & strengths)].reset_index(drop=True)


def _drawn(runs: pd.DataFrame, variants: int, random: np.random.Generator) -> pd.DataFrame:
    """Situations with replacement within each scenario, under new numbers of their own."""
    rows, numbers = [], []
    for _, scenario in runs.groupby("scenario"):
        places = [np.asarray(some) for some in scenario.groupby("variant").groups.values()]
        for number, one in enumerate(random.integers(len(places), size=variants)):
            rows.append(places[one])
            numbers.append(np.full(len(places[one]), number))
    return runs.loc[np.concatenate(rows)].assign(variant=np.concatenate(numbers)).reset_index(drop=True)


def _repeated(runs: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """The same runs, a small share of them exchanged for another of the same dose and scenario."""
    again = runs.copy()
    keys = ["arm", "vector", "strength", "scenario"]
    scores = [*outcomes(runs), "incoherent"]
    shuffled = runs.iloc[random.permutation(len(runs))]
    order = runs.groupby(keys).cumcount()
    other = shuffled.assign(order=shuffled.groupby(keys).cumcount())[[*keys, "order", *scores]]
    swapped = runs[keys].assign(order=order).merge(other, on=[*keys, "order"], how="left")
    anew = random.random(len(runs)) < REDRAWN
    again.loc[anew, scores] = swapped.loc[anew, scores].to_numpy()
    return again


def _planted(runs: pd.DataFrame, plan: Nights, random: np.random.Generator) -> pd.DataFrame:
    """Runs of the plan's first vector turned into the main outcome, in proportion to a positive strength."""
    outcome, changed = main_outcome(runs), runs.copy()
    steered = runs["vector"] == plan.vectors[0]
    room = 1 - runs.loc[steered, outcome].mean()
    share = np.maximum(runs["strength"], 0) / runs.loc[steered, "strength"].max() * plan.planted / room
    turned = steered & (runs["status"] == "scored") & (random.random(len(runs)) < share)
    changed.loc[turned, outcomes(runs)] = 0.0
    changed.loc[turned, outcome] = 1.0
    return changed


def _side(runs: pd.DataFrame, name: str) -> Side:
    first = runs.iloc[0]
    source = Source(
        model=str(first["model"]), fingerprint=str(first["model_fingerprint"]), runs=len(runs), created="",
        logs=(name,),
    )  # fmt: skip
    return Side(runs, source, ())


def _quantities(found: Sequence[Comparison], plan: Nights) -> dict[str, list[bool]]:
    """What is counted, each as one truth value per night, or per finding and night."""
    gating = [[one for one in night.findings if one.gates] for night in found]
    every = [one for night in gating for one in night]
    counted = {
        f"night: {verdict}": [night.verdict == verdict for night in found]
        for verdict in ("regression", "could not be judged", "stable")
    }
    if plan.planted:
        strongest = max(one.strength or 0 for one in every)
        hit = [
            one
            for one in every
            if one.vector == plan.vectors[0] and one.outcome == one.family and one.strength == strongest
        ]
        curve = [
            o for o in every if o.vector == plan.vectors[0] and o.outcome == o.family and o.kind == "curve"
        ]
        return counted | {
            "strongest cell: regression": [one.verdict == "regression" for one in hit],
            "curve: regression": [one.verdict == "regression" for one in curve],
        }
    effects = [[one.verdict in ("regression", "improvement") for one in night] for night in gating]
    return counted | {
        "night: regression or improvement": [any(night) for night in effects],
        "finding: regression": [one.verdict == "regression" for one in every],
        "finding: p below alpha, uncorrected": [
            (one.p or 0) < DEFAULT.alpha for one in every if one.p is not None
        ],
        "finding: stable": [one.verdict == "stable" for one in every],
    }


def plans(runs: pd.DataFrame) -> list[Nights]:
    """What the committed table holds: a small suite, of two vectors at either end of their doses."""
    steered = runs[runs["arm"] == "emotion"]
    two = tuple(name for name in ("desperate", "calm") if name in set(steered["vector"]))
    most = float(steered["strength"].max())
    ends, full = (-most, most), int(runs.groupby("scenario")["variant"].nunique().min())
    another, same = get_args(Design)
    every = (
        (another, 0.0, 0), (same, 0.0, 1), (same, 0.05, 4), (same, 0.1, 5), (another, 0.1, 6),
        (another, 0.2, 7), (another, 0.3, 8),
    )  # fmt: skip
    return [Nights(design, two, ends, full, planted, stream) for design, planted, stream in every]


@click.command(help=__doc__)
@click.argument("logs", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="FILE.csv to write.")
@click.option("--nights", default=200, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True)
def main(logs: tuple[str, ...], out: Path | None, nights: int, seed: int) -> None:
    """Draw the nights, print and write the table."""
    runs = load(logs, strict=True)
    rows = []
    for row in table(runs, plans(runs), nights, seed):
        rows.append(row)
        if out:
            write(pd.DataFrame(rows), out)
        click.echo(
            f"{row['design']}, {row['vectors']} at {row['strengths']}, {row['variants']} variants, "
            f"{100 * row['planted']:g} points planted: {row['quantity']} {100 * row['value']:.1f} % "
            f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
        )


if __name__ == "__main__":
    main()
