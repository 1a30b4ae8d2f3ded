"""Which new run belongs to which old one, cell by cell, and which cells cannot be compared at all.

Runs are paired by scenario, variant, epoch and seed, from which their random numbers come: an unchanged model
repeats such a run. Where the two sides share too few of these (another seed, other variants), runs are taken
in order within each scenario; they are then independent, which the methods allow.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Literal, NamedTuple

import pandas as pd

from results.cells import CELL, SETTING, cells_of, dose_name
from results.comparison import Limits, Verdict
from results.table import TableError, own_measures, rated

Pairing = Literal["same stream", "same scenario"]
STREAM = ["scenario", "variant", "epoch", "run_seed"]
MOST_ALONE = 0.1
"""Of a family's runs on the smaller side; with a larger share without a partner of the same stream, all are
paired within scenarios."""


class CellPair(NamedTuple):
    """One cell on both sides."""

    cell: dict[str, Any]
    new: pd.DataFrame
    old: pd.DataFrame
    both: pd.DataFrame
    """One row per pair of scored runs: `scenario`, `variant`, `row` (with the scenario the same situation at
    every dose), and each outcome as `<name>:new` and `<name>:old`."""
    pairing: Pairing
    trouble: tuple[Verdict, str] | None
    """Why it cannot be compared, if so."""


def match(new: pd.DataFrame, old: pd.DataFrame, limits: Limits) -> list[CellPair]:
    """Every cell of either side, in order; TableError where a run stands twice on one side."""
    found: list[CellPair] = []
    for family in sorted({*new["family"], *old["family"]}):
        sides = [side[side["family"] == family] for side in (new, old)]
        pairing = _pairing(*sides)
        names = _names(*sides)
        detectors = [sorted(set(side["detector_version"].dropna())) for side in sides]
        trouble: tuple[Verdict, str] | None = None
        if all(detectors) and detectors[0] != detectors[1]:
            told = " against ".join("+".join(map(str, some)) for some in detectors)
            trouble = ("not comparable", f"detectors {told}")
        cells = [{tuple(cell.values()): (cell, runs) for cell, runs in cells_of(side)} for side in sides]
        numbered = [_numbered(side, pairing) for side in sides]
        every = dict.fromkeys([*cells[1], *cells[0]])
        keys = [*CELL, "scenario", "row"]
        for side, which in zip(numbered, ("new", "old"), strict=True):
            if len(twice := side[side.duplicated(keys)]):
                raise TableError(f"{which} runs: {twice['scenario'].iloc[0]} has a run that stands twice")
        both = numbered[0][[*keys, "variant", *names]].merge(
            numbered[1][[*keys, *names]], on=keys, suffixes=(":new", ":old"), validate="one_to_one"
        )
        pairs = {tuple(cell.values()): some for cell, some in cells_of(both)}
        for key in every:
            known = cells[0].get(key) or cells[1].get(key)
            assert known
            one, other = (side[key][1] if key in side else known[1].iloc[:0] for side in cells)
            why = (
                _missing(known[0], one, other, cells)
                or trouble
                or _versions(one, other)
                or _unreliable(one, other, limits)
            )
            found.append(CellPair(known[0], one, other, pairs.get(key, both.iloc[:0]), pairing, why))
    return found


def _names(new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Outcomes, unions, measures and flags that both sides have."""
    return [
        name
        for name in (*rated(new), *own_measures(new), "incoherent")
        if name in old and new[name].notna().any() and old[name].notna().any()
    ]


def _pairing(new: pd.DataFrame, old: pd.DataFrame) -> Pairing:
    keys = [*CELL, *STREAM]
    shared = len(new[keys].merge(old[keys], on=keys))
    return "same stream" if shared >= (1 - MOST_ALONE) * min(len(new), len(old)) else "same scenario"


def _numbered(runs: pd.DataFrame, pairing: Pairing) -> pd.DataFrame:
    """The scored runs with their `row`: within a scenario the same on both sides and at every dose."""
    scored = runs[runs["status"] == "scored"]
    if pairing == "same stream":
        parts = (scored[key].astype(str) for key in STREAM[1:])
        return scored.assign(row=reduce(lambda a, b: a + "/" + b, parts))
    ordered = scored.sort_values(["variant", "run_seed", "epoch"], kind="stable")
    return ordered.assign(row=ordered.groupby([*CELL, "scenario"], dropna=False).cumcount())


def _missing(
    cell: Mapping[str, Any],
    new: pd.DataFrame,
    old: pd.DataFrame,
    cells: list[dict[tuple[Any, ...], tuple[dict[str, Any], pd.DataFrame]]],
) -> tuple[Verdict, str] | None:
    """A cell, or some of its scenarios, that one side has not."""
    for runs, where, others in ((new, "new runs", cells[0]), (old, "old runs", cells[1])):
        if runs.empty:
            return "missing", f"not among the {where}{_instead(cell, [one for one, _ in others.values()])}"
    for some, than, where in ((new, old, "new runs"), (old, new, "old runs")):
        if lacking := sorted(set(than["scenario"]) - set(some["scenario"])):
            return "missing", f"the {where} lack {', '.join(lacking)}"
    return None


def _instead(cell: Mapping[str, Any], others: list[dict[str, Any]]) -> str:
    """In what the same condition differs on the other side, as after a changed argument."""
    for other in others:
        if dose_name(other) == dose_name(cell):
            unlike = [f"{key} {other[key]}" for key in SETTING if other[key] != cell[key]]
            return f", which have it with {', '.join(unlike)}"
    return ""


def _versions(new: pd.DataFrame, old: pd.DataFrame) -> tuple[Verdict, str] | None:
    """Scenarios, words, and vectors of an unchanged model, must be the same; the model may change."""
    tags = [dict(zip(side["scenario"], side["scenario_version"], strict=True)) for side in (new, old)]
    if unlike := sorted(name for name in tags[0] if tags[0][name] != tags[1][name]):
        told = ", ".join(f"{name} {tags[0][name]} against {tags[1][name]}" for name in unlike)
        return "not comparable", f"scenario version changed: {told}"
    words = [str(side["words_version"].iloc[0]) for side in (new, old)]
    if words[0] != words[1]:
        return "not comparable", f"the words are of version {words[0]} against {words[1]}"
    hashes = [str(side["vector_hash"].iloc[0]) for side in (new, old)]
    same_model = new["model_fingerprint"].iloc[0] == old["model_fingerprint"].iloc[0]
    if same_model and hashes[0] != hashes[1]:
        told = " against ".join(one[:8] for one in hashes)
        return "not comparable", f"the model is the same, but its vector is another ({told})"
    return None


def _unreliable(new: pd.DataFrame, old: pd.DataFrame, limits: Limits) -> tuple[Verdict, str] | None:
    for runs, verdict, where in ((old, "unreliable baseline", "old"), (new, "unreliable", "new")):
        counts = runs["status"].value_counts()
        for status, most in (("errored", limits.most_errored), ("unscored", limits.most_unscored)):
            if counts.get(status, 0) > most * len(runs):
                told = f"{counts[status]} of {len(runs)} {where} runs {status}, more than {100 * most:g} %"
                return verdict, told  # type: ignore[return-value]
        scored = int(counts.get("scored", 0))
        if scored < limits.fewest_runs:
            few: Verdict = "unreliable baseline" if where == "old" else "insufficient data"
            return few, f"{scored} scored {where} runs, fewer than {limits.fewest_runs}"
    return None
