"""A baseline: the runs that a model is compared with from now on, in one small file.

One letter per run, so that new runs are paired with old ones; nine thousand runs take fifty kilobytes. It is
written on purpose only, by `emodose baseline update`, from logs that leave nothing to doubt, and committed.
This module compares nothing.
"""

import json
import math
import os
import string
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import ValidationError

from results.cells import cell_name, cells_of
from results.comparison import Limits, Value
from results.letters import Family, Row, family_of, read_row, write_rows
from results.table import TableError, load
from results.wording import percent

FOLDER = Path("results", "baselines")

KIND: Literal["emodose baseline"] = "emodose baseline"


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


class Baseline(Value):
    """The file."""

    kind: Literal["emodose baseline"] = KIND
    schema_version: Literal[1] = 1
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


def update(logs: Sequence[str | Path], out: Path | None = None, limits: Limits | None = None) -> Path:
    """Write the runs of the logs as the baseline at `out` (`default_path` if None), in one step.

    TableError where a log failed, a cell has too few runs or too many errored or unscored ones, or the logs
    hold several models: a baseline in doubt would make every later night one.
    """
    runs = load(logs, strict=True, progress=True)
    model, _ = one_model(runs)
    check(runs, limits or Limits())
    text = as_text(made_from(runs))
    out = out or default_path(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, out)
    return out


def default_path(model: str) -> Path:
    """`results/baselines/<model>.json`; what cannot stand in a file's name becomes `-`."""
    usable = string.ascii_letters + string.digits + "._"
    return FOLDER / f"{''.join(c if c in usable else '-' for c in model).strip('.-')}.json"


def one_model(runs: pd.DataFrame) -> tuple[str, str]:
    """Name and fingerprint of the model; TableError where runs are several models'."""
    models = sorted({(str(m), str(f)) for m, f in zip(runs["model"], runs["model_fingerprint"], strict=True)})
    if len(models) > 1:
        named = ", ".join(f"{model} {fingerprint[:8]}".strip() for model, fingerprint in models)
        raise TableError(f"the logs hold several models ({named}): give those of one")
    return models[0]


def logs_of(runs: pd.DataFrame) -> tuple[str, ...]:
    """The names of the runs' logs."""
    return tuple(sorted(set(map(str, runs["log"]))))


def check(runs: pd.DataFrame, limits: Limits) -> None:
    """TableError that names the cell and the number where runs are no baseline."""
    for cell, some in cells_of(runs):
        counts = some["status"].value_counts()
        for status, most in (("errored", limits.most_errored), ("unscored", limits.most_unscored)):
            if counts.get(status, 0) > most * len(some):
                raise TableError(
                    f"{cell_name(cell)}: {counts[status]} of {len(some)} runs {status}, more than "
                    f"{100 * most:g} %: no baseline; see why (inspect view), and run them anew"
                )
        if counts.get("scored", 0) < limits.fewest_runs:
            raise TableError(
                f"{cell_name(cell)}: {counts.get('scored', 0)} scored runs, a baseline needs "
                f"{limits.fewest_runs} in each cell: raise -T variants"
            )


def made_from(runs: pd.DataFrame) -> Baseline:
    """The value of a table of runs; TableError of a family or an outcome without a direction of harm."""
    model, fingerprint = one_model(runs)
    families = {str(family): family_of(str(family), some) for family, some in runs.groupby("family")}
    cells = []
    for cell, some in cells_of(runs):
        window = some["window"].dropna()
        cells.append(
            Cell(
                **cell,
                vector_hash=str(some["vector_hash"].iloc[0]),
                words_version=str(some["words_version"].iloc[0]),
                window=None if window.empty else float(window.min()),
                rows=write_rows(some, families[cell["family"]]),
            )
        )
    return Baseline(
        model=model, fingerprint=fingerprint, organism=bool(runs["organism"].astype(bool).any()),
        created=str(runs["created"].max()), logs=logs_of(runs),
        versions={name: version(name) for name in ("emodose", "inspect-ai")},
        families=families, cells=tuple(cells),
    )  # fmt: skip


def as_text(baseline: Baseline) -> str:
    """The file's text: a scenario's runs on a line, so that a changed baseline can be read as a diff."""
    page = baseline.model_dump(mode="json")
    cells = page.pop("cells")
    head = json.dumps(page, indent=1)[:-2]
    lines = []
    for cell in cells:
        rows = ",\n".join(f"    {json.dumps(row)}" for row in cell.pop("rows"))
        lines.append(f'  {json.dumps(cell)[:-1]}, "rows": [\n{rows}\n  ]}}')
    return head + ',\n "cells": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def read(path: Path) -> Baseline:
    """TableError where the file is missing, no baseline, or of another schema."""
    try:
        return Baseline.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TableError(
            f"{path}: no baseline that this version reads ({where + ': ' * bool(where)}{first['msg']}); "
            "write it anew with emodose baseline update"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not readable ({error})") from error


def as_table(baseline: Baseline) -> pd.DataFrame:
    """Its runs with the columns of `results.table.load` that a comparison needs."""
    about = {"model": baseline.model, "model_fingerprint": baseline.fingerprint, "created": baseline.created,
             "organism": baseline.organism}  # fmt: skip
    rows: list[dict[str, Any]] = []
    for cell in baseline.cells:
        if cell.family not in baseline.families:
            raise TableError(f"baseline: it does not say what the letters of {cell.family} mean")
        shared = about | cell.model_dump(exclude={"rows"})
        shared["window"] = math.nan if cell.window is None else cell.window
        rows += [shared | run for row in cell.rows for run in read_row(row, baseline.families[cell.family])]
    return pd.DataFrame(rows)


def summary(baseline: Baseline) -> str:
    """What `emodose baseline show` prints: whose it is, then a line per cell with its rates."""
    runs = as_table(baseline)
    made = ", ".join(f"{name} {number}" for name, number in baseline.versions.items())
    lines = [
        f"{baseline.model}, fingerprint {baseline.fingerprint[:12]}: {len(runs)} runs, newest log "
        f"{baseline.created}; written with {made}",
        *(f"{name}: detectors {family.detectors}" for name, family in baseline.families.items()),
    ]
    for cell, some in cells_of(runs):
        named = (*baseline.families[cell["family"]].outcomes, "incoherent")
        rates = ", ".join(f"{name} {percent(some[name].mean())}" for name in named if some[name].sum())
        scored = int((some["status"] == "scored").sum())
        lines.append(f"{cell_name(cell)}: n {scored} in {some['scenario'].nunique()} scenarios; {rates}")
    if baseline.organism:
        lines.append("Organism: tells nothing about real language models.")
    return "\n".join(lines)
