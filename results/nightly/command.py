"""`emodose nightly`: its words. What it does is in `results.nightly.night`, imported when it runs."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from results.regression_commands import Judging


@click.command(
    cls=Judging,
    epilog="Exit status: 0 stable, 1 regression, 2 could not be judged. "
    "For example: emodose nightly results/nightly/examples/organism.yaml",
)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--night", "name", help="Name of the night's folder; today's date, if not given.")
@click.option("--again", is_flag=True, help="Another night beside one of this name that is complete.")
def nightly(config: Path, name: str | None, again: bool) -> int:
    """Run the suite CONFIG and compare it with its baseline: is the model more harmful than it was?

    A night that was stopped goes on where it was. One that is complete is judged anew, not run anew.
    """
    from results.nightly import night
    from results.nightly.config import read_suite
    from results.nightly.folder import locked, open_night

    def say(line: str) -> None:
        click.echo(line, err=True)

    suite = read_suite(config)
    with _terminable(), locked(suite.output) as lock:
        tonight = open_night(suite, name, again)
        say(f"night {tonight.name} of {suite.suite}: {tonight.path}")
        problems = night.run(suite, tonight, lock, say)
        found = night.judge(suite, tonight, problems)
        written = night.report(suite, tonight, found, say)
    click.echo(found.headline)
    for problem in found.problems:
        click.echo(f"- {problem}")
    if not suite.baseline.is_file():
        click.echo(
            "No baseline yet. If this night is what the model should be like: emodose baseline update "
            f"{tonight.logs} -o {suite.baseline}, and commit that file; the next night is compared with it."
        )
    for path in written:
        click.echo(f"written: {path}", err=True)
    return found.exit_status


@contextmanager
def _terminable() -> Iterator[None]:
    """A terminated night ends like an interrupted one, together with the task that it has started."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
