"""`python -m steering.benchmark`: measure, print the table, and write it where `--out` says."""

import os
from pathlib import Path

import click
import torch

from steering.benchmark import neighbours, practice, report, subjects, throughput


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write OUT.md and OUT.csv.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of every arm.")
@click.option("--runs", type=click.IntRange(1), default=100, show_default=True, help="Per dose, in Inspect.")
@click.option("--large/--no-large", default=True, help="Also a random model of 100M parameters.")
@click.pass_context
def bench(context: click.Context, out: Path | None, rounds: int, runs: int, large: bool) -> None:
    """Speed of steered generation as ratios, measured in turns in one run (about ten minutes)."""
    if context.invoked_subcommand:
        return
    # Small matrices, and cores that others use too: a second thread mostly waits.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    before = _load()
    lines = [*throughput.throughput(subjects.organism(), rounds)]
    if large:
        lines += throughput.throughput(subjects.hundred_million(), max(1, rounds // 2))
    lines += neighbours.neighbours()
    lines += practice.practice(runs)
    load = f"{before}, {_load()}"
    click.echo(report.as_markdown(lines, load))
    if out is not None:
        for path in report.write(lines, load, out):
            click.echo(f"table: {path}")


@bench.command("neighbours")
def show_neighbours() -> None:
    """Share of runs whose text differs when other rows stand beside them."""
    torch.set_num_threads(1)
    before = _load()
    lines = list(neighbours.neighbours())
    click.echo(report.as_markdown(lines, f"{before}, {_load()}"))


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    bench()
