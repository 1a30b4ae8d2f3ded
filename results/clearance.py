"""Which method may be used for how many scenarios: what the committed simulation table clears.

A method is cleared for G scenarios where, in every simulated cell with the largest number of scenarios that
is not above G, its intervals covered and its tests kept their false positives within the limits of the
settings. Without a table nothing is cleared, and a report says so.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, THESE, Scope

TABLE = Path(__file__).parent / "reference" / "simulation.csv"

USED = {
    LIKE_THESE: ("guarded Wilson interval", "difference", "difference, any dose", "slope", "shape"),
    THESE: ("Wilson interval", "difference", "difference, any dose", "slope", "shape"),
}
"""The methods that a report rests on, by scope; all of a scope must be cleared for it to be used."""


class Choice(NamedTuple):
    """The scope that so many scenarios allow."""

    scope: Scope
    cleared: bool
    """False: even this one did not pass, or was not simulated."""


@lru_cache(maxsize=4)
def _worst(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path)
    keys = ["scope", "method", "scenarios"]
    low = table[table["quantity"] == "coverage"].groupby(keys)["value"].min().rename("coverage")
    high = (
        table[table["quantity"] == "false positives"].groupby(keys)["value"].max().rename("false_positives")
    )
    return pd.concat([low, high], axis=1).reset_index()


def cleared(
    method: str, scope: Scope, scenarios: int, settings: Settings = DEFAULT, path: Path = TABLE
) -> bool:
    """Whether the table clears one method for that many scenarios."""
    if not path.is_file():
        return False
    worst = _worst(path)
    some = worst[(worst["method"] == method) & (worst["scope"] == scope) & (worst["scenarios"] <= scenarios)]
    if some.empty:
        return False
    row = some.sort_values("scenarios").iloc[-1]
    covers = pd.isna(row["coverage"]) or row["coverage"] >= settings.least_coverage
    keeps = pd.isna(row["false_positives"]) or row["false_positives"] <= settings.most_false_positives
    return bool(covers and keeps)


def choose(
    scenarios: int,
    settings: Settings = DEFAULT,
    path: Path = TABLE,
    scope: Scope | None = None,
    runs: int | None = None,
) -> Choice:
    """Scenarios like these, where everything used is cleared for so many; else these scenarios.

    A `scope` that is given is kept, cleared or not. `runs` is the smallest number of runs per scenario and
    dose: with too few of them nothing is cleared.
    """
    enough = runs is None or runs >= settings.fewest_runs
    for one in (LIKE_THESE, THESE) if scope is None else (scope,):
        if all(cleared(method, one, scenarios, settings, path) for method in USED[one]):
            return Choice(one, enough)
    return Choice(scope or THESE, False)


def statement(scope: Scope, passed: bool, scenarios: str) -> str:
    """What intervals and tests speak of, in the words of every report and figure; `scenarios` counts them."""
    if scope == LIKE_THESE:
        about = f"scenarios like these {scenarios}"
    elif scenarios == "1":
        about = "this 1 scenario only, not of others like it"
    else:
        about = f"these {scenarios} scenarios only, not of others like them"
    return f"{about} ({'' if passed else 'NOT '}cleared by simulation)"


def span(counts: Iterable[int]) -> str:
    """`3`, or `3 to 8` where numbers differ."""
    counts = list(counts)
    few, many = min(counts, default=0), max(counts, default=0)
    return f"{few}" if few == many else f"{few} to {many}"
