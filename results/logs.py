"""Finding Inspect's logs and reading one: its header, then one raw record per run.

Logs lie in files and folders, on this machine or wherever fsspec reaches (`s3://...`). A log is read from its
summaries, so that transcripts of any length cost nothing. What the records mean is the table's business.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlparse

import pandas as pd
from inspect_ai.analysis import EvalColumn, EvalModel, SampleColumn, samples_df
from inspect_ai.analysis import SampleSummary as SUMMARY
from inspect_ai.log import list_eval_logs, read_eval_log

REMOVED = "Key removed from summary (> 1k)"
"""What Inspect's summaries hold in the place of a value that was there but too long."""

_COLUMNS = ("id", "epoch", "metadata_*", "error")


class TableError(ValueError):
    """Logs or a table from which the question asked can't be answered."""


class Header(NamedTuple):
    """What is known of a log before its runs are read."""

    log: str
    """Path or URL."""
    status: str
    task_id: str
    """Kept by a retry, so that it ties a killed log to the one that took up its work."""
    times: tuple[float, float] | None
    """Start and end of the evaluation, in seconds of the epoch."""

    @property
    def name(self) -> str:
        """The file's name alone: a table names no folder of one machine."""
        return self.log.rstrip("/").rpartition("/")[2]


def find_logs(paths: Iterable[str | Path]) -> list[str]:
    """The log files at `paths` (files, folders searched to any depth, URLs), each once.

    A missing path or a folder without logs is an error.
    """
    found: dict[str, None] = {}
    for path in map(_local, map(str, paths)):
        if _is_remote(path):
            found.update(dict.fromkeys(_remote(path)))
        elif Path(path).is_file():
            found[path] = None
        elif Path(path).is_dir():
            inside = [_local(info.name) for info in list_eval_logs(path, descending=False)]
            if not inside:
                raise TableError(f"no log in {path}")
            found.update(dict.fromkeys(inside))
        else:
            raise TableError(f"no such log file or folder: {path}")
    return list(found)


def _is_remote(path: str) -> bool:
    return "://" in path and not path.startswith("file://")


def _remote(url: str) -> list[str]:
    try:
        if url.endswith((".eval", ".json")):
            return [url]
        inside = [info.name for info in list_eval_logs(url, descending=False)]
    except (OSError, ValueError, ImportError) as error:
        raise TableError(f"{url}: cannot be listed ({type(error).__name__}: {error})") from error
    if not inside:
        raise TableError(f"no log in {url}")
    return inside


def _local(name: str) -> str:
    return unquote(urlparse(name).path) if name.startswith("file:") else name


def read_header(log: str) -> Header:
    """The header of a log; TableError where it is not readable."""
    try:
        header = read_eval_log(log, header_only=True)
    except Exception as error:  # whatever a damaged file makes the reader raise
        name = log.rpartition("/")[2]
        raise TableError(f"{name}: not readable as a log ({type(error).__name__}: {error})") from error
    start, end = header.stats.started_at, header.stats.completed_at
    times = (pd.Timestamp(start).timestamp(), pd.Timestamp(end).timestamp()) if start and end else None
    return Header(log, header.status, header.eval.task_id, times)


def read_runs(header: Header) -> list[dict[str, Any]]:
    """One record per run: ids, metadata, scores, error."""
    columns = [
        EvalColumn("task", path="eval.task", required=True),
        *(column for column in EvalModel if column.name == "model"),
        EvalColumn("created", path="eval.created", required=True),
        *(c for c in SUMMARY if isinstance(c, SampleColumn) and c.name in _COLUMNS),
        SampleColumn("scores", path="scores", full=False),
    ]
    try:
        frame = samples_df(header.log, columns=columns, quiet=True)
    except Exception as error:  # a header may be whole where the runs are not
        raise TableError(
            f"{header.name}: its runs are not readable ({type(error).__name__}: {error})"
        ) from error
    return [
        {str(key): None if _absent(value) else value for key, value in record.items()}
        for record in frame.to_dict("records")
    ]


def scores_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores of a record, one dict of value, answer, metadata for each scorer."""
    found = json.loads(record.get("scores") or "{}")
    return [score for score in found.values() if isinstance(score, dict)]


def has_receipts(scores: list[dict[str, Any]]) -> bool:
    """Whether any scorer recorded receipts; a list too long for the summary is a list that was there."""
    return any((score.get("metadata") or {}).get("receipts") for score in scores)


def _absent(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)
