"""Rates of an outcome per dose, from the table of runs.

Nothing is pooled over what changes the question: model, family, twin, pressure, length, tools, split, arm,
layers and positions each give rows of their own. A point and its interval are those of `results.curves`;
differences from the baseline are the business of `results.difference`. This module reads no log and draws
nothing.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pandas as pd

from results import clearance
from results.curves import point as curve_point
from results.settings import DEFAULT, Settings
from results.table import SETTING as SETTING
from results.table import TableError, rated
from results.units import LIKE_THESE, THESE, Scope
from results.wording import NO_WORDS, dose, meant, percent, whole

CURVE = ("arm", "vector", "layers", "positions")
"""What the points of one curve share beside the setting; its baseline has these but for the arm."""

POINT = (
    "strength", "intensity", "n", "rate", "low", "high", "scenarios", "unscored", "errored", "incoherent",
    "judged",
)  # fmt: skip


def rates(
    table: pd.DataFrame,
    outcome: str,
    *,
    scope: Scope | None = None,
    settings: Settings = DEFAULT,
    simulation: Path = clearance.TABLE,
) -> pd.DataFrame:
    """One row per setting and dose: `n` scored runs, their `rate` of `outcome`, its interval `low` to `high`.

    The interval is that of `results.curves`, so that figures and reports agree; `scope` says what it speaks
    of and `cleared` whether the simulation clears it for so many scenarios (the scope is chosen by it unless
    one is given). Beside it: `scenarios`, `unscored` and `errored` runs (counts, not in `n`), `incoherent`
    (share of `n`), `judged` (False with too many errored runs), `kl_mean` and `window`. The baseline is
    repeated for every curve, at strength 0 with the curve's vector, layers and positions and arm `baseline`.
    """
    check_outcome(table, outcome)
    table = table[table["family"].isin(table.loc[table[outcome].notna(), "family"])]
    if table.empty:
        raise TableError(f"no run has a readable {outcome}")
    rows: list[dict[Any, Any]] = []
    for setting, runs in table.groupby(list(SETTING), dropna=False):
        shared = dict(zip(SETTING, cast(tuple[Any, ...], setting), strict=True)) | {"outcome": outcome}
        baseline = runs[runs["arm"] == "baseline"]
        steered = runs[runs["arm"] != "baseline"]
        curves: list[tuple[tuple[Any, ...], pd.DataFrame]] = [
            (cast(tuple[Any, ...], named), some) for named, some in steered.groupby(list(CURVE))
        ]
        for named, some in curves or [(("baseline", "none", "", "all"), baseline)]:
            curve = dict(zip(CURVE, named, strict=True))
            runs_each = int(some.groupby(["scenario", "strength"]).size().min()) if len(some) else 0
            scenarios = int(some["scenario"].nunique())
            choice = clearance.choose(scenarios, settings, simulation, scope, runs_each)
            told = {"scope": choice.scope, "cleared": choice.cleared}
            doses = [(float(str(strength)), same) for strength, same in some.groupby("strength")]
            if curves and len(baseline):
                doses.append((0.0, baseline))
            for strength, same in doses:
                point = asdict(curve_point(same, strength, outcome, choice.scope, settings))
                arm = curve["arm"] if strength else "baseline"
                if arm == "baseline" and curve["arm"] == "prompt":
                    point["intensity"] = NO_WORDS
                about = {key: same[key].iloc[0] for key in ("kl_mean", "window")}
                rows.append(shared | curve | {key: point[key] for key in POINT} | told | about | {"arm": arm})
    frame = pd.DataFrame(rows).sort_values([*SETTING, *CURVE[1:], "strength"], ignore_index=True)
    front = [*SETTING, "vector", "arm", "strength", "layers", "positions", "outcome"]
    return frame[[*front, *(column for column in frame.columns if column not in front)]]


def check_outcome(table: pd.DataFrame, outcome: str) -> None:
    """Refuse an outcome that the table does not have, naming those it has."""
    known = rated(table)
    if outcome not in known:
        raise TableError(
            f"unknown outcome {outcome!r}{meant(outcome, known)}; choose from {', '.join(known)}"
        )


def main_outcomes(table: pd.DataFrame) -> dict[str, str]:
    """Per family the outcome it is named after, else a union of outcomes, else the first of its list."""
    found = {}
    for family, runs in table.groupby("family"):
        own = [name for name in rated(table) if runs[name].notna().any()]
        if own:
            found[str(family)] = str(family) if family in own else own[0]
    return found


def main_outcome(table: pd.DataFrame) -> str:
    """The main outcome of the table's one family; an error where there are several or nothing was scored."""
    found = main_outcomes(table)
    if len(found) > 1:
        raise TableError(f"the logs hold several families ({', '.join(found)}): give those of one")
    if not found:
        raise TableError("no run has a readable outcome")
    return next(iter(found.values()))


def as_text(frame: pd.DataFrame) -> str:
    """A rates table for the terminal: one block per setting, one line per dose."""
    blocks = []
    for setting, rows in frame.groupby(list(SETTING), dropna=False):
        named = dict(zip(SETTING, cast(tuple[Any, ...], setting), strict=True))
        shown = [f"{key} {named[key]}" for key in SETTING[2:] if named[key] not in ("", None)]
        lines = [f"{named['model']}: {', '.join(shown)}", _line(_HEADINGS)]
        for row in rows.to_dict("records"):
            strength = "baseline" if row["arm"] == "baseline" else dose(row["strength"], row["intensity"])
            left_out = f"{row['errored']}+{row['unscored']}" + (
                "" if row["judged"] else "  could not be judged"
            )
            span = f"{whole(100 * row['low'])} to {percent(row['high'])}" if row["n"] else "-"
            cells = (row["vector"], strength, row["n"], percent(row["rate"]), span)
            lines.append(_line((*cells, percent(row["incoherent"]), left_out)))
        lines.append(f"Intervals speak of {spoken_of(rows)}.")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def spoken_of(rows: pd.DataFrame) -> str:
    """What the intervals of these rows speak of, each scope and number of scenarios once."""
    told = rows[rows["n"] > 0]
    said = []
    for scope in (LIKE_THESE, THESE):
        same = told[told["scope"] == scope]
        if len(same):
            cleared = bool(same["cleared"].all())
            said.append(clearance.statement(scope, cleared, clearance.span(same["scenarios"])))
    return "; ".join(said) or "nothing"


_HEADINGS = ("vector", "strength", "n", "rate", "95 % interval", "incoherent", "errored+unscored")


def _line(cells: tuple[object, ...]) -> str:
    name, *numbers = cells
    widths = (9, 5, 6, 14, 11, 17)
    return (
        f"{name!s:<12}" + " ".join(f"{cell!s:>{w}}" for cell, w in zip(numbers, widths, strict=True)).rstrip()
    )
