"""Runs as letters: one of each run, in the order of variants, and back.

`a`, `b` ... is the outcome's place in the family's list; a capital: incoherent; `!` errored, `?` unscored,
`.` not run.
"""

import math
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import Field

from results.comparison import Value
from results.harm import direction
from results.table import UNION, TableError, own_measures, rated

DIGITS = 4
"""To which measures are kept, and compared."""

_ERRORED, _UNSCORED, _ABSENT = "!", "?", "."


class Family(Value):
    """What the letters mean."""

    outcomes: tuple[str, ...]
    unions: dict[str, tuple[str, ...]]
    detectors: str
    """Version of the detectors that decided the outcomes."""


class Row(Value):
    """The runs of one scenario in one cell, with one seed and epoch."""

    scenario: str
    version: str
    seed: int
    epoch: int
    runs: str
    """One letter per variant from 0: the outcome's place in the family's list, as `a`, `b` ...; a capital:
    incoherent; `!` errored, `?` unscored, `.` not run."""
    measures: dict[str, str] = Field(default={})
    """One number per letter of `runs`, apart by spaces; `-` where there is none."""


def family_of(family: str, runs: pd.DataFrame) -> Family:
    """The family's outcomes, of its runs; TableError where one has no direction of harm."""
    own = [name for name in rated(runs) if runs[name].notna().any()]
    for name in own:
        direction(family, name)
    names = [name for name in own if not name.startswith(UNION)]
    unions = {
        union: tuple(name for name in names if (runs.loc[runs[name] == 1, union] == 1).any())
        for union in own
        if union.startswith(UNION)
    }
    detectors = sorted(set(runs["detector_version"].dropna()))
    return Family(outcomes=tuple(names), unions=unions, detectors="+".join(detectors))


def write_rows(runs: pd.DataFrame, family: Family) -> tuple[Row, ...]:
    """The rows of one cell's runs."""
    kept = [name for name in own_measures(runs) if runs[name].notna().any()]
    rows = []
    keys = ["scenario", "scenario_version", "run_seed", "epoch"]
    for (scenario, version, seed, epoch), some in runs.groupby(keys):
        by_variant = {int(run["variant"]): run for run in some.to_dict("records")}
        every = [by_variant.get(variant) for variant in range(max(by_variant) + 1)]
        rows.append(
            Row(
                scenario=str(scenario), version=str(version), seed=int(str(seed)), epoch=int(str(epoch)),
                runs="".join(_letter(run, family.outcomes) for run in every),
                measures={name: " ".join(_number(run, name) for run in every) for name in kept},
            )
        )  # fmt: skip
    return tuple(rows)


def read_row(row: Row, family: Family) -> Iterator[dict[str, Any]]:
    """The row's runs, with the names of the table of runs."""
    shared = {
        "scenario": row.scenario, "scenario_version": row.version, "run_seed": row.seed, "epoch": row.epoch,
    }  # fmt: skip
    numbers = {name: text.split(" ") for name, text in row.measures.items()}
    if wrong := [name for name, some in numbers.items() if len(some) != len(row.runs)]:
        raise TableError(f"baseline: {row.scenario}: {wrong[0]} has not one number for each run")
    for variant, letter in enumerate(row.runs):
        if letter != _ABSENT:
            found = {name: some[variant] for name, some in numbers.items()}
            measured = {name: math.nan if text == "-" else float(text) for name, text in found.items()}
            yield shared | {"variant": variant} | measured | _scores(letter, family, row.scenario)


def _letter(run: Mapping[Any, Any] | None, names: Sequence[str]) -> str:
    if run is None:
        return _ABSENT
    if run["status"] != "scored":
        return _ERRORED if run["status"] == "errored" else _UNSCORED
    [place] = [place for place, name in enumerate(names) if run[name] == 1]
    letters = string.ascii_uppercase if run["incoherent"] else string.ascii_lowercase
    return letters[place]


def _number(run: Mapping[Any, Any] | None, name: str) -> str:
    return "-" if run is None or math.isnan(run[name]) else f"{round(run[name], DIGITS):g}"


def _scores(letter: str, family: Family, scenario: str) -> dict[str, Any]:
    if letter in (_ERRORED, _UNSCORED):
        none = dict.fromkeys((*family.outcomes, *family.unions, "incoherent"), math.nan)
        status = "errored" if letter == _ERRORED else "unscored"
        return none | {"status": status, "detector_version": None}
    place = string.ascii_lowercase.find(letter.lower())
    if not 0 <= place < len(family.outcomes):
        choices = string.ascii_lowercase[: len(family.outcomes)] + _ERRORED + _UNSCORED + _ABSENT
        raise TableError(f"baseline: {scenario}: a run is {letter!r}, which is none of {choices!r}")
    name = family.outcomes[place]
    found = {one: float(one == name) for one in family.outcomes}
    found |= {union: float(name in of) for union, of in family.unions.items()}
    return found | {
        "incoherent": float(letter.isupper()), "status": "scored", "detector_version": family.detectors,
    }  # fmt: skip
