"""The command line of emodose, and the public face of the library.

`from emodose import steered, Condition, extract` gives the parts that a program of one's own needs; they
and everything heavy are imported when they are asked for. What a command does is done in `results/`; here
are only its words.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from steering.condition import Condition
    from steering.extraction import extract
    from steering.hooks import steered

__all__ = ["Condition", "extract", "main", "steered"]

_PUBLIC = {"Condition": "steering.condition", "extract": "steering.extraction", "steered": "steering.hooks"}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'emodose' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="emodose")
def cli() -> None:
    """How much does an emotion change what a language model does?

    Runs are made by Inspect (inspect eval evals/blackmail.py ...); these commands read its logs.
    """


_logs = click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
_outcome = click.option("--outcome", help="Outcome to count; the family's main one if not given.")
_strict = click.option(
    "--strict", is_flag=True, help="Fail on a log that can't be used, instead of naming it."
)


@cli.command()
@_logs
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE; FILE.svg and FILE.png."
)
@_outcome
@_strict
def plot(logs: tuple[Path, ...], out: Path, outcome: str | None, strict: bool) -> None:
    """Draw an outcome's rate against the dose, and print the numbers drawn."""
    from results.figure import dose_response
    from results.rates import as_text, main_outcome, rates
    from results.table import load

    runs = load(logs, strict=strict)
    outcome = outcome or main_outcome(runs)
    click.echo(f"rate of {outcome}\n\n{as_text(rates(runs, outcome))}\n")
    for path in dose_response(runs, out, outcome):
        click.echo(f"figure: {path}")


@cli.command()
@_logs
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="FILE.csv to write.")
@_outcome
@click.option("--runs", "every_run", is_flag=True, help="One row per run instead of one per dose.")
@_strict
def table(logs: tuple[Path, ...], out: Path, outcome: str | None, every_run: bool, strict: bool) -> None:
    """Write an outcome's rate per dose, or every run, as CSV."""
    from results.rates import main_outcome, rates
    from results.table import load

    runs = load(logs, strict=strict)
    frame = runs if every_run else rates(runs, outcome or main_outcome(runs))
    out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out, index=False)
    click.echo(f"table: {out} ({len(frame)} rows)")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what the user can mend ends in one line on stderr and exit status 1."""
    try:
        status = cli.main(arguments, prog_name="emodose", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = 0
    except click.ClickException as error:
        status = _fail(error.format_message())
    except click.Abort:
        status = _fail("stopped")
    except Exception as error:
        from results.table import TableError

        if not isinstance(error, TableError | OSError):
            raise
        status = _fail(str(error))
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> int:
    click.echo(f"emodose: {' '.join(message.split())}", err=True)
    return 1


if __name__ == "__main__":
    main()
