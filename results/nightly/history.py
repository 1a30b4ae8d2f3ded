"""What every night found, in one Parquet file: a row per night, cell and outcome.

A night stands there once, as it was judged last; the file is replaced as a whole, so that a kill leaves the
old one. A night without a usable log has one row without a rate: nights that failed are part of the history.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd

from results import clearance
from results.comparison import Comparison
from results.curves import point
from results.rates import SETTING
from results.settings import DEFAULT, Settings
from results.table import TableError, rated

CELL = (*SETTING[2:], "arm", "vector", "strength", "intensity", "layers", "positions")
"""What all runs of a cell share."""

COLUMNS: dict[str, Any] = {
    "suite": "", "night": "", "started": "", "overall": "", "model": "", "model_fingerprint": "",
    **dict.fromkeys(CELL, ""), "strength": 0.0, "outcome": "",
    "n": 0, "errored": 0, "unscored": 0, "rate": float("nan"), "low": float("nan"), "high": float("nan"),
    "base_n": 0, "base_rate": float("nan"), "base_low": float("nan"), "base_high": float("nan"),
    "verdict": "",
}  # fmt: skip
"""Every column and what its absence means. `overall` is the night's verdict, `verdict` the finding's; `base_`
columns are the baseline's; rates are shares, `low` to `high` their 95 % interval."""


def rows(
    about: dict[str, str], runs: pd.DataFrame | None, base: pd.DataFrame | None, comparison: Comparison
) -> pd.DataFrame:
    """One night's rows from its table of runs (None where no log could be used) and the baseline's."""
    shared = about | {"overall": comparison.verdict}
    if runs is None or runs.empty:
        return _framed([shared])
    verdicts = {
        (*(getattr(finding, key) for key in CELL), finding.outcome): finding.verdict
        for finding in comparison.findings
        if finding.kind == "cell"
    }
    then = dict(_points(base)) if base is not None else {}
    found = []
    for key, now in _points(runs):
        row = (
            shared
            | dict(zip((*CELL, "outcome"), key, strict=True))
            | now
            | {"verdict": verdicts.get(key, "")}
        )
        old = then.get(key, {})
        row |= {f"base_{name}": old[name] for name in ("n", "rate", "low", "high") if name in old}
        found.append(row)
    return _framed(found)


def append(path: Path, night: pd.DataFrame) -> pd.DataFrame:
    """The history with this night in it, instead of an earlier judgement of the same night; written."""
    old = read(path)
    same = old["suite"].isin(night["suite"]) & old["night"].isin(night["night"])
    kept = [frame for frame in (old[~same], night) if len(frame)]
    whole = pd.concat(kept, ignore_index=True).sort_values("started", kind="stable", ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}")
    whole.to_parquet(written, index=False)
    os.replace(written, path)
    return whole


def read(path: Path) -> pd.DataFrame:
    """The history at `path`, empty where there is none yet; TableError where the file is none."""
    if not path.exists():
        return _framed([])
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: not readable as a history ({type(error).__name__}: {error})") from error
    if missing := [name for name in ("suite", "night", "started", "overall") if name not in found]:
        raise TableError(f"{path}: not a history of nights, it has no {', '.join(missing)}")
    return _framed(found.to_dict("records"))


def _points(
    runs: pd.DataFrame, settings: Settings = DEFAULT
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """(cell, outcome) -> n, rate and interval, as figures and reports have them."""
    for named, some in runs.groupby(list(CELL), dropna=False):
        cell = cast(tuple[Any, ...], named)
        scenarios = int(some["scenario"].nunique())
        each = int(some.groupby("scenario").size().min())
        scope = clearance.choose(scenarios, settings, clearance.TABLE, None, each).scope
        about = {"model": some["model"].iloc[0], "model_fingerprint": some["model_fingerprint"].iloc[0]}
        for outcome in rated(some):
            if some[outcome].notna().any():
                at = point(some, float(cell[CELL.index("strength")]), outcome, scope, settings)
                numbers = {
                    name: getattr(at, name) for name in ("n", "errored", "unscored", "rate", "low", "high")
                }
                yield (*cell, outcome), about | numbers


def _framed(found: list[dict[Any, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    for name, default in COLUMNS.items():
        column = frame[name].where(frame[name].notna(), default)
        frame[name] = pd.Series(column.to_numpy(), dtype=type(default))
    return frame
