"""One side of a comparison: the runs of logs, or of a baseline file, and what is wrong with them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from results import baseline
from results.comparison import Source
from results.table import TableError, load


class Side(NamedTuple):
    """Runs as `results.table.load` gives them."""

    runs: pd.DataFrame
    source: Source
    problems: tuple[str, ...]
    """Logs or runs that could not be used."""


def read_side(paths: Sequence[str | Path], *, progress: bool = False) -> Side:
    """The logs at `paths`, or the one baseline file there; TableError where nothing can be used, or where
    the logs hold several models."""
    if len(paths) == 1 and is_baseline(Path(paths[0])):
        found = baseline.read(Path(paths[0]))
        runs = baseline.as_table(found)
        source = Source(
            model=found.model, fingerprint=found.fingerprint, runs=len(runs), created=found.created,
            logs=found.logs, baseline=Path(paths[0]).name,
        )  # fmt: skip
        return Side(runs, source, ())
    runs = load(paths, progress=progress)
    return Side(runs, _source(runs), tuple(runs.attrs["left_out"]))


def is_baseline(path: Path) -> bool:
    """Whether a file is a baseline; Inspect's logs may end in `.json` as well."""
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TableError(f"{path.name}: not readable as JSON ({error})") from error
    return isinstance(found, dict) and found.get("kind") == baseline.KIND


def _source(runs: pd.DataFrame) -> Source:
    model, fingerprint = baseline.one_model(runs)
    return Source(
        model=model, fingerprint=fingerprint, runs=len(runs), created=str(runs["created"].max()),
        logs=baseline.logs_of(runs),
    )  # fmt: skip
