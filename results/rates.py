"""Rates of an outcome per dose, from the table of runs.

Nothing is pooled over what changes the question: model, family, twin, pressure, length, tools, split, arm,
layers and positions each give rows of their own. Intervals are Inspect's own (`ci_wilson`), so that they
agree with what Inspect prints. Differences from the baseline are the business of `results.difference`. This
module reads no log and draws nothing.
"""

from typing import Any, cast

import pandas as pd
from inspect_ai.scorer import Metric, SampleScore, Score, ci_wilson

from results.table import TableError, outcomes

SETTING = ("model", "model_fingerprint", "family", "twin", "pressure", "length", "tools", "split")
"""What all runs of one curve share, its baseline included."""

DOSE = ("arm", "vector", "strength", "layers", "positions")
"""What tells the points of one setting apart."""

MOST_ERRORED = 0.05
"""Above this share of errored runs a rate is shown but not judged."""


def rates(table: pd.DataFrame, outcome: str, *, cluster: str | None = "scenario") -> pd.DataFrame:
    """One row per setting and dose: `n` scored runs, their `rate` of `outcome`, its 95 % interval.

    The interval (`low`, `high`) is Wilson's, clustered by `cluster` where it has two values or more. Beside
    it: `scenarios`, `unscored` and `errored` runs (counts, not in `n`), `incoherent` (share of `n`) and
    `judged` (False with too many errored runs). The baseline is repeated for every curve, at strength 0 with
    the curve's vector, layers and positions and arm `baseline`.
    """
    check_outcome(table, outcome)
    table = table[table["family"].isin(table.loc[table[outcome].notna(), "family"])]
    if table.empty:
        raise TableError(f"no run has a readable {outcome}")
    rows: list[dict[Any, Any]] = []
    for setting, runs in table.groupby(list(SETTING), dropna=False):
        shared = dict(zip(SETTING, cast(tuple[Any, ...], setting), strict=True))
        baseline = runs[runs["arm"] == "baseline"]
        steered = runs[runs["arm"] != "baseline"]
        curves = steered[["vector", "layers", "positions"]].drop_duplicates().to_dict("records")
        if not curves:
            curves = [{"vector": "none", "layers": "", "positions": "all"}]
        for curve in curves:
            if len(baseline):
                point = {"arm": "baseline", "strength": 0.0, **curve}
                rows.append(shared | point | _point(baseline, outcome, cluster))
        for dose, some in steered.groupby(list(DOSE)):
            point = dict(zip(DOSE, cast(tuple[Any, ...], dose), strict=True))
            rows.append(shared | point | _point(some, outcome, cluster))
    frame = pd.DataFrame(rows)
    order = [*SETTING, "vector", "layers", "positions", "strength"]
    frame = frame.sort_values(order, ignore_index=True)
    front = [*SETTING, "vector", "arm", "strength", "layers", "positions"]
    return frame[[*front, *(column for column in frame.columns if column not in front)]]


def _point(runs: pd.DataFrame, outcome: str, cluster: str | None) -> dict[str, Any]:
    scored = runs[runs["status"] == "scored"]
    n, errored = len(scored), int((runs["status"] == "errored").sum())
    low, high = interval(scored[outcome], scored[cluster] if cluster else None)
    return {
        "outcome": outcome,
        "n": n,
        "rate": float(scored[outcome].mean()) if n else float("nan"),
        "low": low,
        "high": high,
        "scenarios": int(scored["scenario"].nunique()),
        "unscored": int((runs["status"] == "unscored").sum()),
        "errored": errored,
        "incoherent": float(scored["incoherent"].mean()) if n else float("nan"),
        "judged": bool(n) and errored <= MOST_ERRORED * len(runs),
    }


def interval(values: "pd.Series[Any]", clusters: "pd.Series[Any] | None") -> tuple[float, float]:
    """The 95 % Wilson interval of 0/1 `values`, clustered where `clusters` holds two values or more."""
    if values.empty:
        return float("nan"), float("nan")
    if clusters is None or clusters.nunique() < 2:
        return _bounds(ci_wilson(), values, None)
    return _bounds(ci_wilson(cluster="cluster"), values, clusters)


def _bounds(
    metric: Metric, values: "pd.Series[Any]", clusters: "pd.Series[Any] | None"
) -> tuple[float, float]:
    names = [None] * len(values) if clusters is None else clusters.tolist()
    scores = [
        SampleScore(score=Score(value=float(value)), sample_metadata={"cluster": name})
        for value, name in zip(values.tolist(), names, strict=True)
    ]
    bounds = cast(dict[str, float], cast(Any, metric)(scores))
    return float(bounds["lower"]), float(bounds["upper"])


def check_outcome(table: pd.DataFrame, outcome: str) -> None:
    """Refuse an outcome that the table does not have, naming those it has."""
    if outcome not in outcomes(table):
        raise TableError(f"unknown outcome {outcome!r}; choose from {', '.join(outcomes(table))}")


def main_outcome(table: pd.DataFrame) -> str:
    """The outcome a family is named after; an error where there are several families or no such outcome."""
    families = sorted({str(family) for family in table["family"]})
    if len(families) > 1:
        raise TableError(f"the logs hold several families ({', '.join(families)}): give those of one")
    if families[0] not in outcomes(table):
        raise TableError(
            f"family {families[0]} has no main outcome; choose from {', '.join(outcomes(table))}"
        )
    return families[0]


def as_text(frame: pd.DataFrame) -> str:
    """A rates table for the terminal: one block per setting, one line per dose."""
    blocks = []
    for setting, rows in frame.groupby(list(SETTING), dropna=False):
        named = dict(zip(SETTING, cast(tuple[Any, ...], setting), strict=True))
        shown = [f"{key} {named[key]}" for key in SETTING[2:] if named[key] not in ("", None)]
        lines = [f"{named['model']}: {', '.join(shown)}", _line(_HEADINGS)]
        for row in rows.to_dict("records"):
            rate = "-" if not row["n"] else f"{100 * row['rate']:.0f} %"
            span = "-" if not row["n"] else f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %"
            incoherent = "-" if not row["n"] else f"{100 * row['incoherent']:.0f} %"
            strength = "baseline" if row["arm"] == "baseline" else f"{row['strength']:+.3f}"
            left_out = f"{row['errored']}+{row['unscored']}" + (
                "" if row["judged"] else "  could not be judged"
            )
            lines.append(_line((row["vector"], strength, row["n"], rate, span, incoherent, left_out)))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


_HEADINGS = ("vector", "strength", "n", "rate", "95 % interval", "incoherent", "errored+unscored")


def _line(cells: tuple[object, ...]) -> str:
    name, *numbers = cells
    widths = (9, 5, 6, 14, 11, 17)
    return (
        f"{name!s:<12}" + " ".join(f"{cell!s:>{w}}" for cell, w in zip(numbers, widths, strict=True)).rstrip()
    )
