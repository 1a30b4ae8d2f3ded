"""From Inspect's logs to one table with one row per run.

Everything comes from two places of a log: the sample's metadata and the scores. Logs are read one after the
other, and of each only what the table keeps stays in memory. A log that can't be used (not finished, not
ours, unreadable, a steered run without receipts) is named on stderr and left out, never skipped in silence.
An errored run stays in the table with its outcomes missing, so that it is counted and never scored 0. This
module computes no rate and knows no family's list of outcomes: whatever the score maps and is not a flag is
an outcome.
"""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import pandas as pd

from results import surprise
from results.logs import (
    REMOVED,
    Header,
    TableError,
    find_logs,
    has_receipts,
    read_header,
    read_runs,
    scores_of,
)
from results.wording import meant, percent

__all__ = [
    "FIXED",
    "FLAGS",
    "OPTIONAL",
    "REQUIRED",
    "SETTING",
    "TableError",
    "check_ending",
    "load",
    "measures",
    "outcomes",
    "rated",
    "write",
]

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

OPTIONAL: dict[str, Any] = {
    "split": "", "run_seed": 0, "organism": False, "window": math.nan, "intensity": "", "words_version": "",
    "kl_mean": math.nan, "kl_p95": math.nan, "verdict": "",
    "pressure_auto": "",
}  # fmt: skip
"""Further metadata, with what its absence means. `window`: the largest |strength| at which the model was
measured to stay coherent. `intensity` and `words_version` are the arm prompt's: the name of the number that
stands there as strength, and the version of its texts. `kl_mean`, `kl_p95`: the dose as divergence from the
unsteered model on neutral text, nats a token, where it was measured. `verdict`: of the vector's read-outs.
`pressure_auto`: how the pressure was chosen where nobody named it."""

FLAGS = ("incoherent", "truncated", "eval_aware", "unscored")
"""Keys of the score that stand beside the outcome."""

MEASURE = "measure_"
"""Begins the keys of a score that are neither outcome nor flag: numbers beside them, such as the share of
jobs done. NaN where the run has none."""

SOUNDNESS = tuple(
    f"{MEASURE}{name}"
    for name in ("turns", "truncated_turns", "calls", "valid_calls", "repetition", "perplexity")
)
"""The measures that every family has: whether the model is still itself (`results.health`)."""

UNION = "any_"
"""Begins the keys of a score that are 1 where one of several outcomes is: `any_cheating`."""

RUN = ("task", "model", "model_fingerprint", "twin", "pressure", "length", "tools", "split", "run_seed")
"""What, together with the sample's id and its epoch, makes two rows the same run."""

SETTING = ("model", "model_fingerprint", "family", "twin", "pressure", "length", "tools", "split")
"""What all runs of one curve share, its baseline included."""

VERSIONS = (
    ("scenario_version", ("family", "scenario")),
    ("vector_hash", ("model", "model_fingerprint", "arm", "vector")),
    ("words_version", ("arm", "vector")),
    ("detector_version", ("family",)),
)
"""What must not be mixed, and among which runs: runs of another version answer another question."""

FIXED = (
    "id", "epoch", "task", "model", *REQUIRED, *OPTIONAL, "detector_version", *FLAGS,
    *surprise.COLUMNS, "status", "error", "log", "created",
)  # fmt: skip
"""Every column that is not an outcome, in order."""


def load(paths: Iterable[str | Path], *, strict: bool = False, progress: bool = False) -> pd.DataFrame:
    """One row per run of the logs at `paths`: files, folders searched to any depth, URLs that fsspec reads.

    `status` is `scored`, `unscored` (no readable verdict) or `errored`; the outcomes of the last two are NaN.
    A run that occurs more than once is kept as its newest log has it; of two versions of a scenario, a vector
    or a detector the newest is kept. `strict` raises where something would otherwise be named and left out;
    an unfinished log whose retry has finished is no such thing. What was left out is in `attrs["left_out"]`.
    `incoherent` is the score's flag, set as well where a run is `surprising` (`results.surprise`).
    """
    paths = list(paths)
    left_out: list[str] = []

    def leave_out(what: str) -> None:
        if strict:
            raise TableError(what)
        left_out.append(what)
        print(f"left out: {what}", file=sys.stderr)

    headers = []
    for log in find_logs(paths):
        try:
            headers.append(read_header(log))
        except TableError as error:
            leave_out(str(error))
    finished = {header.task_id for header in headers if header.status == "success"}
    tables = []
    seen = progress and sys.stderr.isatty()
    bar: Any = click.progressbar(headers, label="logs", file=sys.stderr) if seen else nullcontext(headers)
    with bar as steps:
        for header in steps:
            try:
                if header.status != "success" and header.task_id in finished:
                    print(f"{header.name}: taken up by a later log", file=sys.stderr)
                    continue
                tables.append(_load_one(header))
            except TableError as error:
                leave_out(str(error))
    if not tables:
        raise TableError(f"no usable log in {', '.join(map(str, paths)) or 'nothing'}")
    table = pd.concat(tables, ignore_index=True).sort_values("created", kind="stable")
    table = table.drop_duplicates([*RUN, "id", "epoch"], keep="last")
    for version, among in VERSIONS:
        newest = table.groupby(list(among), dropna=False)[version].transform("last")
        old = table[version].notna() & (table[version] != newest)
        for source, runs in table[old].groupby("log"):
            leave_out(
                f"{source}: {len(runs)} runs with another {version.replace('_', ' ')} than newer logs "
                f"({', '.join(sorted(set(runs[among[-1]])))}: {', '.join(sorted(set(runs[version])))})"
            )
        table = table[~old]
    table = surprise.flag_surprising(table.sort_index(ignore_index=True), SETTING)
    table = table[[*FIXED, *measures(table), *rated(table)]]
    table.attrs["left_out"] = left_out
    return table


def outcomes(table: pd.DataFrame) -> list[str]:
    """The table's outcome columns, in the order of the families' scores."""
    return [
        str(column)
        for column in table.columns
        if column not in FIXED and not str(column).startswith((MEASURE, UNION))
    ]


def rated(table: pd.DataFrame) -> list[str]:
    """The columns that have a rate: unions of outcomes, then the outcomes."""
    return [*(str(c) for c in table.columns if str(c).startswith(UNION)), *outcomes(table)]


def measures(table: pd.DataFrame) -> list[str]:
    """The table's columns that are numbers beside the outcome."""
    return [str(column) for column in table.columns if str(column).startswith(MEASURE)]


def own_measures(table: pd.DataFrame) -> list[str]:
    """The measures that are a family's own, such as the share of jobs done: those a comparison judges."""
    return [name for name in measures(table) if name not in SOUNDNESS]


def of_vectors(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The runs under the named vectors or emotions in words, and all unsteered ones and controls. Raises
    `TableError` for a name without a run."""
    measured = [str(name) for name in table.loc[table["arm"] != "baseline", "vector"].unique()]
    for name in names:
        if name not in measured:
            raise TableError(f"no run under {name!r}{meant(name, measured)}; measured: {', '.join(measured)}")
    return table[table["arm"].isin(["baseline", "control"]) | table["vector"].isin(names)]


def check_ending(out: Path) -> Path:
    """Refuse a name by which no table can be written."""
    if out.suffix not in (".parquet", ".csv"):
        raise TableError(
            f"{out}: a table is written as .parquet or .csv, not {out.suffix or 'without ending'!r}"
        )
    return out


def write(frame: pd.DataFrame, out: Path) -> Path:
    """Write a table as `.parquet` or `.csv`, by the name's ending."""
    check_ending(out).parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".csv":
        frame.to_csv(out, index=False)
    else:
        frame.to_parquet(out, index=False)
    return out


def _load_one(header: Header) -> pd.DataFrame:
    if header.status != "success":
        raise TableError(f"{header.name}: its status is {header.status!r}, not 'success'")
    records = read_runs(header)
    keys = set().union(*records)
    missing = [key for key in REQUIRED if f"metadata_{key}" not in keys]
    if missing:
        raise TableError(f"{header.name}: not a log of emodose, its samples have no {', '.join(missing)}")
    rows = [_row(record, header.name) for record in records]
    bare = [row["id"] for row, record in zip(rows, records, strict=True) if _lacks_receipts(row, record)]
    if bare:
        raise TableError(f"{header.name}: {len(bare)} steered runs have no receipt, the first is {bare[0]}")
    return pd.DataFrame(rows)


def _lacks_receipts(row: dict[str, Any], record: dict[str, Any]) -> bool:
    steered = row["arm"] in ("emotion", "control") and row["status"] == "scored"
    return steered and not has_receipts(scores_of(record))


def _row(record: dict[str, Any], log: str) -> dict[str, Any]:
    """One row of our table from one of Inspect's; missing values there are None."""
    row = {key: record[key] for key in ("id", "epoch", "task", "model", "created")}
    row |= {key: record[f"metadata_{key}"] for key in REQUIRED}
    row |= {key: _or(record.get(f"metadata_{key}"), default) for key, default in OPTIONAL.items()}
    row |= {key: float(row[key]) for key in ("strength", "window", "kl_mean", "kl_p95")}
    row["layers"] = "-".join(str(layer) for layer in json.loads(row["layers"] or "[]"))
    row |= {key: row[key] or "" for key in ("model_fingerprint", "vector_hash")}
    row["words_version"] = str(row["words_version"])
    row["pressure_auto"] = _climb(row["pressure_auto"])

    scores = scores_of(record)
    score = _outcomes(scores, f"{log}: {row['id']}")
    flags = {flag: float(score.pop(flag, 0.0)) for flag in FLAGS}
    beside = {name: score.pop(name) for name in list(score) if name.startswith(MEASURE)}
    unreadable = not score or flags["unscored"] == 1 or any(math.isnan(v) for v in score.values())
    status = "errored" if record.get("error") else "unscored" if unreadable else "scored"
    exclusive = [number for name, number in score.items() if not name.startswith(UNION)]
    if status == "scored" and (sum(exclusive) != 1 or not set(score.values()) <= {0.0, 1.0}):
        raise TableError(f"{log}: {row['id']}: not exactly one outcome is 1: {score}")
    if status != "scored":
        score, beside = dict.fromkeys(score, math.nan), dict.fromkeys(beside, math.nan)
        flags = dict.fromkeys(FLAGS, math.nan) | {"unscored": float(status == "unscored")}
    row |= {"detector_version": _detector(scores) if status == "scored" else None}
    return row | flags | {"status": status, "error": record.get("error") or "", "log": log} | beside | score


def _outcomes(scores: Sequence[dict[str, Any]], where: str) -> dict[str, float]:
    """The mappings of all scorers of a run as one; a scorer's lone number is no outcome."""
    merged: dict[str, float] = {}
    for score in scores:
        value = score.get("value")
        for name, number in value.items() if isinstance(value, dict) else ():
            if name in merged or name in set(FIXED) - set(FLAGS):
                raise TableError(f"{where}: the name {name!r} in its score is taken")
            merged[name] = math.nan if number is None else float(number)
    return merged


def _detector(scores: Sequence[dict[str, Any]]) -> str:
    versions = [(score.get("metadata") or {}).get("detector_version") for score in scores]
    return "+".join(str(version) for version in versions if version is not None)


def _climb(written: str) -> str:
    """`within; bland 0 % of 30, goal 20 % of 30`, from what the sample says of the climb."""
    if not written or written == REMOVED:
        return written and "pilots not kept"
    climb = json.loads(written)
    pilots = (f"{one['pressure']} {percent(one['rate'])} of {one['n']}" for one in climb["pilots"])
    return f"{climb['reason']}; pilots: {', '.join(pilots)}"


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
