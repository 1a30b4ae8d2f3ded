"""`python -m steering.benchmark`: measure, print the table, and write it where `--out` says."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import click
import torch

from steering.benchmark import report, subjects
from steering.benchmark.neighbours import neighbours
from steering.benchmark.practice import practice
from steering.benchmark.reading import reading
from steering.benchmark.report import Line
from steering.benchmark.throughput import throughput

_PARTS: dict[str, Callable[[int, int], Iterable[Line]]] = {
    "organism": lambda rounds, _runs: throughput(subjects.organism(), rounds),
    "large": lambda rounds, _runs: throughput(subjects.hundred_million(), max(1, rounds // 2)),
    "practice": lambda _rounds, runs: practice(runs),
    "extraction": lambda rounds, _runs: reading(subjects.organism(), rounds),
    "neighbours": lambda _rounds, _runs: neighbours(),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, type=click.Choice(list(_PARTS)))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write OUT.md and OUT.csv.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of every arm.")
@click.option("--runs", type=click.IntRange(1), default=100, show_default=True, help="Per dose, in Inspect.")
def bench(parts: tuple[str, ...], out: Path | None, rounds: int, runs: int) -> None:
    """Steered generation, as ratios measured in turns; all parts if none is named (ten minutes and more).

    `organism` and `large` (100M random parameters): tokens per second of many conditions in one batch.
    `practice`: seven doses through Inspect, against one eval per dose. `extraction`: stories read, against
    the bare model. `neighbours`: the share of runs whose
    text differs when other rows stand beside them.
    """
    # Small matrices, and cores that others use too: a second thread mostly waits.
    torch.set_num_threads(1)
    lines: list[Line] = []
    for part in parts or _PARTS:
        before = _load()
        found = list(_PARTS[part](rounds, runs))
        lines += [replace(line, load=f"{before} {_load()}") for line in found]
        click.echo(report.as_table(lines[-len(found) :]))
    if out is not None:
        for path in report.write(lines, out):
            click.echo(f"table: {path}")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    bench()
