"""A baseline: the runs that a model is compared with from now on, in one small file. (interface; being built)

One letter per run, so that new runs are paired with old ones; a thousand runs take about four kilobytes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from results.comparison import Limits, Value

KIND = "emodose baseline"


class Row(Value):
    """The runs of one scenario in one cell, with one seed and epoch."""

    scenario: str
    version: str
    seed: int
    epoch: int
    runs: str
    """One letter per variant from 0: the outcome's place in the family's list, as `a`, `b` ...; a capital:
    incoherent; `!` errored, `?` unscored, `.` not run."""
    measures: dict[str, tuple[float | None, ...]] = {}


class Cell(Value):
    """What all runs of one dose share."""

    family: str
    twin: str
    pressure: str
    length: str
    tools: str
    split: str
    arm: str
    vector: str
    strength: float
    intensity: str
    layers: str
    positions: str
    vector_hash: str
    words_version: str
    window: float | None
    rows: tuple[Row, ...]


class Family(Value):
    """What the letters mean."""

    outcomes: tuple[str, ...]
    unions: dict[str, tuple[str, ...]]
    detectors: str


class Baseline(Value):
    """The file."""

    kind: Literal["emodose baseline"] = KIND
    schema_version: int = 1
    model: str
    fingerprint: str
    organism: bool
    created: str
    """Of the newest log."""
    logs: tuple[str, ...]
    versions: dict[str, str]
    """Of emodose and Inspect, when it was written."""
    families: dict[str, Family]
    cells: tuple[Cell, ...]


def update(logs: Sequence[str | Path], out: Path | None = None, limits: Limits = Limits()) -> Path:  # noqa: B008
    """Write the runs of the logs as the baseline at `out` (`results/baselines/<model>.json`), atomically.

    TableError where a log failed, a cell has too few runs or too many errored or unscored ones, or the logs
    hold several models.
    """
    raise NotImplementedError


def read(path: Path) -> Baseline:
    """TableError where the file is no baseline, or of another schema."""
    raise NotImplementedError


def as_table(baseline: Baseline) -> pd.DataFrame:
    """Its runs as `results.table.load` gives them, with the columns that a comparison needs."""
    raise NotImplementedError


def default_path(model: str) -> Path:
    """`results/baselines/<model>.json`; what cannot stand in a file's name becomes `-`."""
    raise NotImplementedError
