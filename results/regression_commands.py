"""`emodose compare` and `emodose baseline`: the words of the commands that judge new runs by old ones.

What they do is in the modules they name, imported when a command runs. Whoever starts them may be a script
that reads nothing but the exit status, in which 1 says that the model got worse: whatever goes wrong is
therefore a 2, never a 0 or a 1.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

COULD_NOT_BE_JUDGED = 2


class Judging(click.Command):
    """A command whose exit status is a verdict: every error, wrong use included, ends in 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments."""
        return _closed(super().make_context, *args, **kwargs)  # type: ignore[no-any-return]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        return _closed(super().invoke, ctx)


def _closed(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return step(*args, **kwargs)
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
        raise
    except click.ClickException as error:
        told = error.format_message()
    except (click.Abort, KeyboardInterrupt):
        told = "stopped"
    except Exception as error:
        from results.table import TableError

        told = str(error)
        if not isinstance(error, TableError | OSError):
            traceback.print_exc()
    click.echo(f"emodose: could not be judged: {' '.join(told.split())}", err=True)
    raise click.exceptions.Exit(COULD_NOT_BE_JUDGED)


_share = click.FloatRange(0, 100)


@click.command(
    cls=Judging,
    epilog="Exit status: 0 stable, 1 regression, 2 could not be judged. "
    "For example: emodose compare results/logs/tonight results/baselines/hf-local.json",
)
@click.argument("new")
@click.argument("old")
@click.option("--threshold", type=_share, help="Points that a regression has at least; 5.")
@click.option("--margin", type=_share, help="Points for the worse that stable excludes; 10.")
@click.option(
    "--most-errored", type=_share, help="Percent of a cell's runs, above which it is not judged; 5."
)
@click.option("--most-unscored", type=_share, help="The same of unscored runs; 5.")
@click.option("--fewest-runs", type=click.IntRange(2), help="Of a cell, below which it is not judged; 10.")
@click.option("--like-these", is_flag=True, help="Speak of scenarios like these; by default of these only.")
@click.option("--all", "every", is_flag=True, help="List what is stable, too.")
@click.option("--json", "json_out", type=click.Path(path_type=Path), help="FILE.json with every number.")
@click.option("--markdown", type=click.Path(path_type=Path), help="FILE.md, for a pull request.")
def compare(
    new: str, old: str, threshold: float | None, margin: float | None, most_errored: float | None,
    most_unscored: float | None, fewest_runs: int | None, like_these: bool, every: bool,
    json_out: Path | None, markdown: Path | None,
) -> int:  # fmt: skip
    """Say whether the runs in the logs NEW do more harm than those of OLD: logs, or a baseline file.

    Every outcome with a direction of harm is compared, at every strength and over every curve.
    """
    from results.compare import compare_paths
    from results.compare_text import as_markdown, as_text
    from results.units import LIKE_THESE, THESE

    shares = {
        "threshold": threshold,
        "margin": margin,
        "most_errored": most_errored,
        "most_unscored": most_unscored,
    }
    limits = _limits(
        {k: v / 100 for k, v in shares.items() if v is not None} | _given(fewest_runs=fewest_runs)
    )
    found = compare_paths([new], [old], limits, scope=LIKE_THESE if like_these else THESE, progress=True)
    click.echo(as_text(found, every=every))
    for out, text in ((json_out, found.model_dump_json(indent=1)), (markdown, as_markdown(found))):
        if out:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
    return found.exit_status


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _limits(given: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from results.comparison import Limits

    try:
        return Limits(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise click.UsageError(f"{where + ': ' if where else ''}{first['msg']}") from error


@click.group()
def baseline() -> None:
    """The runs that new ones are compared with, in one small file."""


@baseline.command(cls=Judging)
@click.argument("logs", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="FILE.json; results/baselines/MODEL.json if not given.",
)
def update(logs: tuple[str, ...], out: Path | None) -> None:
    """Write the runs of LOGS as the baseline, in the place of the one that is there.

    Refused: logs that failed, cells of fewer than 10 scored runs, or with more than 5 % errored or unscored.
    """
    from results.baseline import read
    from results.baseline import update as write

    path = write(logs, out)
    made = read(path)
    click.echo(f"baseline: {path} ({sum(len(r.runs) for c in made.cells for r in c.rows)} runs); commit it")


@baseline.command(cls=Judging)
@click.argument("file", type=click.Path(path_type=Path))
def show(file: Path) -> None:
    """Say whose runs a baseline FILE holds, when they were made, and their rates."""
    from results.baseline import read, summary

    click.echo(summary(read(file)))
