"""From Inspect's logs to one table with one row per run.

Everything comes from two places of a log: the sample's metadata and the score's mapping of outcomes and
flags. A log that can't be used (not finished, not ours, unreadable) is named on stderr and left out, never
skipped in silence. An errored run stays in the table with its outcomes missing, so that it is counted and
never scored 0. This module computes no rate and knows no family's list of outcomes: whatever the score maps
and is not a flag is an outcome.
"""

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pandas as pd
from inspect_ai.analysis import EvalColumn, EvalModel, SampleColumn, samples_df
from inspect_ai.analysis import SampleSummary as SUMMARY
from inspect_ai.log import list_eval_logs, read_eval_log

REQUIRED = (
    "family",
    "scenario",
    "twin",
    "variant",
    "pressure",
    "length",
    "arm",
    "vector",
    "strength",
    "layers",
    "positions",
    "tools",
    "model_fingerprint",
    "vector_hash",
    "scenario_version",
)
"""Metadata that every sample carries; a log without one of them is not ours."""

OPTIONAL: dict[str, Any] = {"split": "", "run_seed": 0, "organism": False}
"""Further metadata, with what its absence means."""

FLAGS = ("incoherent", "truncated", "eval_aware", "unscored")
"""Keys of the score that stand beside the outcome."""

RUN = ("task", "model", "model_fingerprint", "twin", "pressure", "length", "tools", "split", "run_seed")
"""What, together with the sample's id and its epoch, makes two rows the same run."""

FIXED = ("id", "epoch", "task", "model", *REQUIRED, *OPTIONAL, *FLAGS, "status", "error", "log", "created")
"""Every column that is not an outcome, in order."""


class TableError(ValueError):
    """Logs or a table from which the question asked can't be answered."""


def load(paths: Iterable[str | Path], *, strict: bool = False) -> pd.DataFrame:
    """One row per run of the logs at `paths` (files, or folders searched to any depth).

    `status` is `scored`, `unscored` (no readable verdict) or `errored`; the outcomes of the last two are NaN.
    A run that occurs more than once is kept as its newest log has it. `strict` raises where a log would
    otherwise be named and left out.
    """
    tables = []
    for log in find_logs(paths):
        try:
            tables.append(_load_one(log))
        except TableError as error:
            if strict:
                raise
            print(f"left out: {error}", file=sys.stderr)
    if not tables:
        raise TableError(f"no usable log in {', '.join(str(path) for path in paths) or 'nothing'}")
    table = pd.concat(tables, ignore_index=True).sort_values("created", kind="stable")
    table = table.drop_duplicates([*RUN, "id", "epoch"], keep="last").sort_index(ignore_index=True)
    return table[[*FIXED, *outcomes(table)]]


def outcomes(table: pd.DataFrame) -> list[str]:
    """The table's outcome columns, in the order of the families' scores."""
    return [str(column) for column in table.columns if column not in FIXED]


def find_logs(paths: Iterable[str | Path]) -> list[Path]:
    """The log files at `paths`, each once; a missing path or a folder without logs is an error."""
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_file():
            found[path] = None
        elif path.is_dir():
            inside = [_local(info.name) for info in list_eval_logs(str(path), descending=False)]
            if not inside:
                raise TableError(f"no log in {path}")
            found.update(dict.fromkeys(inside))
        else:
            raise TableError(f"no such log file or folder: {path}")
    return list(found)


def _local(name: str) -> Path:
    return Path(unquote(urlparse(name).path)) if name.startswith("file:") else Path(name)


def _load_one(log: Path) -> pd.DataFrame:
    try:
        status = read_eval_log(str(log), header_only=True).status
    except Exception as error:  # whatever a damaged file makes the reader raise
        raise TableError(f"{log.name}: not readable as a log ({type(error).__name__}: {error})") from error
    if status != "success":
        raise TableError(f"{log.name}: its status is {status!r}, not 'success'")
    columns = [
        EvalColumn("task", path="eval.task", required=True),
        *(column for column in EvalModel if column.name == "model"),
        EvalColumn("created", path="eval.created", required=True),
        *(c for c in SUMMARY if isinstance(c, SampleColumn) and c.name in _SAMPLE_COLUMNS),
    ]
    raw = samples_df(str(log), columns=columns, quiet=True)
    missing = [key for key in REQUIRED if f"metadata_{key}" not in raw.columns]
    if missing:
        raise TableError(f"{log.name}: not a log of emodose, its samples have no {', '.join(missing)}")
    return pd.DataFrame([_row(record, log.name) for record in raw.to_dict("records")])


_SAMPLE_COLUMNS = ("id", "epoch", "metadata_*", "score_*", "error")


def _row(record: dict[Any, Any], log: str) -> dict[str, Any]:
    """One row of our table from one of Inspect's; missing values there are None, NaN or NA alike."""
    record = {str(key): None if _absent(value) else value for key, value in record.items()}
    row = {key: record[key] for key in ("id", "epoch", "task", "model", "created")}
    row |= {key: record[f"metadata_{key}"] for key in REQUIRED}
    row |= {key: _or(record.get(f"metadata_{key}"), default) for key, default in OPTIONAL.items()}
    row["strength"] = float(row["strength"])
    row["layers"] = "-".join(str(layer) for layer in json.loads(row["layers"] or "[]"))
    row |= {key: row[key] or "" for key in ("model_fingerprint", "vector_hash")}

    score = _score(record, f"{log}: {row['id']}")
    flags = {flag: float(score.pop(flag, 0.0)) for flag in FLAGS}
    unreadable = not score or flags["unscored"] == 1 or any(math.isnan(v) for v in score.values())
    status = "errored" if record.get("error") else "unscored" if unreadable else "scored"
    if status == "scored" and (sum(score.values()) != 1 or not set(score.values()) <= {0.0, 1.0}):
        raise TableError(f"{log}: {row['id']}: not exactly one outcome is 1: {score}")
    if status != "scored":
        score = dict.fromkeys(score, math.nan)
        flags = dict.fromkeys(FLAGS, math.nan) | {"unscored": float(status == "unscored")}
    return row | flags | {"status": status, "error": record.get("error") or "", "log": log} | score


def _score(record: dict[str, Any], where: str) -> dict[str, float]:
    """The mappings of all scorers of a run as one; a scorer's lone number is no outcome."""
    merged: dict[str, float] = {}
    for key, value in record.items():
        if not (key.startswith("score_") and isinstance(value, str) and value.startswith("{")):
            continue
        for name, number in json.loads(value).items():
            if name in merged or name in set(FIXED) - set(FLAGS):
                raise TableError(f"{where}: the name {name!r} in its score is taken")
            merged[name] = math.nan if number is None else float(number)
    return merged


def _absent(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
