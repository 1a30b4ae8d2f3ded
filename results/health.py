"""Is the model still itself? What a dose costs it, per condition, beside the rates of every family.

Calls that a tool took, turns cut off, repetition, perplexity under the unsteered model; and where these were
run, questions with one right answer and the solvable twin under the same dose. Blind to the outcomes that
the rates are about; nothing is tested here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from results.surprise import FEWEST
from results.table import SETTING
from results.wording import NO_WORDS, aligned, dose, percent, whole

CONDITION = ("arm", "vector", "strength", "layers", "positions")
ABILITY = ("model", "model_fingerprint", "length", "split", *CONDITION)
"""What a run shares with the questions that say what its dose costs in plain ability."""
SHOWN = ("twin", "pressure", "length", "tools", "split")


class Column(NamedTuple):
    """A number of `health` as a table shows it."""

    title: str
    name: str
    of: str = ""
    """The count that the share is of, where that is not `n`."""


COLUMNS = (
    Column("valid calls", "valid_calls", "calls"),
    Column("truncated", "truncated"),
    Column("turns cut", "truncated_turns"),
    Column("repetition", "repetition"),
    Column("perplexity", "perplexity"),
    Column("surprising", "surprising"),
    Column("incoherent", "incoherent"),
    Column("right answers", "correct", "correct_n"),
    Column("solvable twins solved", "solved", "solved_n"),
)


def health(table: pd.DataFrame) -> pd.DataFrame:
    """One row per setting and condition, the baseline first; shares, not percent; NaN where not measured.

    n                scored runs, which all else is of
    calls            attempted; `valid_calls` is the share that a tool took
    truncated        share of runs; `truncated_turns` share of turns cut off by a token limit
    repetition       mean share of eight words in a row that stood in the same text before
    perplexity       median; `perplexity_n` runs have one
    surprising       share of those above `perplexity_limit`, the 99th percentile of the
                     `perplexity_reference` unsteered runs; NaN where these are too few
    incoherent       share of runs
    correct          share of right answers of the family capability under the same condition, of `correct_n`
    solved           share of solvable twins solved under the same condition, of `solved_n`; of the families
                     that have them
    """
    scored = table[table["status"] == "scored"]
    rows = []
    for named, runs in scored.groupby([*SETTING, *CONDITION], dropna=False):
        keys = dict(zip([*SETTING, *CONDITION], cast(tuple[Any, ...], named), strict=True))
        rows.append(
            keys | {"intensity": str(runs["intensity"].iloc[0])} | _numbers(runs) | _able(scored, keys)
        )
    frame = pd.DataFrame(rows, columns=None if rows else [*SETTING, *CONDITION])
    steered = frame["arm"] != "baseline"
    return frame.assign(_steered=steered).sort_values(
        [*SETTING, "_steered", *CONDITION], ignore_index=True
    ).drop(columns="_steered")  # fmt: skip


def _numbers(runs: pd.DataFrame) -> dict[str, Any]:
    calls, turns = _measured(runs, "calls"), _measured(runs, "turns")
    perplexity = _measured(runs, "perplexity")
    return {
        "n": len(runs),
        "calls": int(calls.sum()),
        "valid_calls": _weighted(_measured(runs, "valid_calls"), calls),
        "truncated": float(runs["truncated"].mean()),
        "truncated_turns": _weighted(_measured(runs, "truncated_turns"), turns),
        "repetition": float(_measured(runs, "repetition").mean()),
        "perplexity": float(perplexity.median()),
        "perplexity_n": int(perplexity.notna().sum()),
        "surprising": float(_column(runs, "surprising").mean()),
        "perplexity_limit": float(_column(runs, "perplexity_limit").iloc[0]),
        "perplexity_reference": int(_column(runs, "perplexity_reference").fillna(0).iloc[0]),
        "incoherent": float(runs["incoherent"].mean()),
    }


def _able(scored: pd.DataFrame, keys: Mapping[str, Any]) -> dict[str, Any]:
    questions = _where(scored, {"family": "capability", **{key: keys[key] for key in ABILITY}})
    twins = _where(scored, {**{key: keys[key] for key in (*SETTING, *CONDITION)}, "twin": "solvable"})
    found: dict[str, Any] = {}
    for name, runs in (("correct", questions), ("solved", twins)):
        values = _column(runs, name).dropna()
        found |= {name: float(values.mean()), f"{name}_n": len(values)}
    return found


def _where(table: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[key] == value for key, value in values.items()])]


def _measured(runs: pd.DataFrame, name: str) -> "pd.Series[float]":
    return _column(runs, f"measure_{name}")


def _column(runs: pd.DataFrame, name: str) -> "pd.Series[float]":
    return runs[name].astype(float) if name in runs else pd.Series(np.nan, index=runs.index)


def _weighted(shares: "pd.Series[float]", weights: "pd.Series[float]") -> float:
    total = float(weights[shares.notna()].sum())
    return float((shares * weights).sum() / total) if total else float("nan")


def as_text(frame: pd.DataFrame) -> str:
    """One block per setting; what was measured nowhere in it has no column."""
    blocks = []
    for setting, rows in frame.groupby(list(SETTING), dropna=False, sort=False):
        named = dict(zip(SETTING, cast(tuple[Any, ...], setting), strict=True))
        shown = [f"{key} {named[key]}" for key in SHOWN if named[key] not in ("", None)]
        lines = [f"Is the model still itself? {named['model']}, {named['family']}: {', '.join(shown)}"]
        cells = [_cells(row) for row in rows.to_dict("records")]
        columns = {name: [row[name] for row in cells] for name in cells[0]}
        kept = {name: column for name, column in columns.items() if set(column) - {"", "-"}}
        lines += aligned([list(kept), *map(list, zip(*kept.values(), strict=True))], str.rjust)
        blocks.append("\n".join([*lines, f"  {reference(rows)}"]))
    return "\n\n".join(blocks)


def number_text(name: str, value: float) -> str:
    """A number of the column `name`: a share as percent, a perplexity to three digits, none as `-`."""
    if name != "perplexity":
        return percent(value)
    return f"{value:.3g}" if abs(value) < 100 else whole(value)


def reference(rows: pd.DataFrame) -> str:
    """In a sentence: what perplexity is measured against in one setting, whose rows of `health` these are."""
    runs, limit = int(rows["perplexity_reference"].iloc[0]), float(rows["perplexity_limit"].iloc[0])
    if not rows["perplexity_n"].any():
        return "Perplexity was not measured (only of local models that emodose runs, with perplexity=true)."
    if not np.isfinite(limit):
        return (
            f"Reference too small: {runs} unsteered runs with a perplexity, {FEWEST} are needed for their "
            "99th percentile, so that perplexity makes no run incoherent here."
        )
    return (
        f"Surprising: perplexity above {limit:.3g}, the 99th percentile of {runs} unsteered runs; such a run "
        "is incoherent."
    )


def _cells(row: Mapping[Any, Any]) -> dict[str, str]:
    baseline = row["arm"] == "baseline"
    cells = {
        "vector": "" if baseline else row["vector"] or NO_WORDS,
        "strength": "baseline" if baseline else dose(float(row["strength"]), str(row["intensity"])),
        "n": str(row["n"]),
    }
    for column in COLUMNS:
        text = number_text(column.name, float(row[column.name]))
        cells[column.title] = f"{text} of {row[column.of]}" if column.of and text != "-" else text
    return cells
