"""What an organism does when nothing steers it: calls that its tools take, solvable twins that it solves.

From tables of runs; only runs without a dose count. It knows nothing of what was planted.
"""

from collections.abc import Iterator

import pandas as pd
from pydantic import BaseModel, ConfigDict

from results.intervals import rate_interval
from results.settings import DEFAULT, Settings


class Share(BaseModel):
    """`count` of `n` unsteered runs, with the Wilson interval of the share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    what: str
    count: int
    n: int
    low: float
    high: float


VALID, SOLVED = "every call taken", "solvable twin solved"


def shares(table: pd.DataFrame, settings: Settings = DEFAULT) -> tuple[Share, ...]:
    """By family and over all that call tools: runs in which every call was taken, of those in the main
    situation that made one; and solvable twins solved, where they were run."""
    runs = table[(table["arm"] == "baseline") & (table["status"] == "scored")]
    calling = runs[(runs["twin"] == "main") & (_number(runs, "measure_calls") > 0)]
    valid = _number(calling, "measure_valid_calls") == 1
    found = list(_by_family(calling, valid, VALID, settings))
    if len(found) > 1:
        found.append(_share("all", VALID, valid, settings))
    twins = runs[runs["twin"] == "solvable"]
    return (*found, *_by_family(twins, _number(twins, "solved") == 1, SOLVED, settings))


def _by_family(runs: pd.DataFrame, hits: "pd.Series[bool]", what: str, settings: Settings) -> Iterator[Share]:
    for family in runs["family"].unique():
        yield _share(str(family), what, hits[runs["family"] == family], settings)


def _share(family: str, what: str, hits: "pd.Series[bool]", settings: Settings) -> Share:
    low, high = rate_interval(hits, None, settings)
    return Share(family=family, what=what, count=int(hits.sum()), n=len(hits), low=low, high=high)


def _number(runs: pd.DataFrame, name: str) -> "pd.Series[float]":
    return runs[name].astype(float) if name in runs else pd.Series(float("nan"), index=runs.index)
