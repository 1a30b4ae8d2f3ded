"""What changed in a cell or over a curve: both sides' numbers, the change, and what it speaks of.

The change of a curve is that of its line's gain from strength 0 to the strongest dose. Verdicts are the
business of `results.judging`.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from results import clearance
from results.cells import SETTING
from results.changes import FEW, change
from results.clearance import Choice
from results.comparison import Finding, Rate, Verdict
from results.harm import Direction, direction
from results.judging import Measured
from results.letters import DIGITS
from results.matching import CellPair
from results.settings import Settings
from results.table import MEASURE, own_measures, rated
from results.trend import line
from results.units import Scope, unit_codes

CHANGES = clearance.TABLE.with_name("changes.csv")
"""What clears the methods that `simulation.csv` does not hold; made by `results.changes_simulation`."""


class Group(NamedTuple):
    """What one finding per outcome is made of: a cell, or the cells of a curve."""

    about: dict[str, Any]
    """Kind and cell, as a `Finding` has them."""
    cells: list[CellPair]
    weights: np.ndarray
    """Of the cells' changes; for one cell 1."""
    outside: bool
    """Whether it lies beyond the coherent window."""


class Pairs(NamedTuple):
    """What all outcomes of a group's pairs share."""

    scenarios: int
    choice: Choice
    units: np.ndarray
    strata: np.ndarray


def groups(cells: Sequence[CellPair]) -> Iterator[Group]:
    """Every cell, then every curve of two strengths and more within the coherent window."""
    curves: dict[tuple[Any, ...], list[CellPair]] = {}
    bases: dict[tuple[Any, ...], CellPair] = {}
    for one in cells:
        outside = _outside(one)
        yield Group({"kind": "cell", **one.cell}, [one], np.ones(1), outside)
        setting = tuple(one.cell[key] for key in SETTING)
        if one.cell["arm"] == "baseline":
            bases[setting] = one
        elif one.cell["arm"] != "prompt" and not outside:  # intensities have no distances a line could go by
            key = (*setting, *(one.cell[k] for k in ("arm", "vector", "layers", "positions")))
            curves.setdefault(key, []).append(one)
    for key, doses in curves.items():
        base = bases.get(key[: len(SETTING)])
        some = [*doses, *([base] if base else [])]
        strengths = np.array([one.cell["strength"] for one in some])
        if len(set(strengths)) > 1:
            weights = line(strengths) * np.abs(strengths).max()
            yield Group({"kind": "curve", **doses[0].cell, "strength": None}, some, weights, False)


def measure(group: Group, settings: Settings, scope: Scope) -> Iterator[Measured | Finding]:
    """The change of every outcome; or the finding, where nothing can be measured.

    TableError of an outcome whose direction of harm nobody stated.
    """
    names = _names(group)
    rates = {which: _rates(group, which, names) for which in ("new", "old")}
    trouble = next((one.trouble for one in group.cells if one.trouble), None)
    if group.outside:
        trouble = ("outside window", trouble[1] if trouble else "the text breaks down at this strength")
    if not trouble:
        runs, changes = _changes(group, names)
        pairs = _pairs(runs, settings, scope)
    for place, name in enumerate(names):
        way = direction(group.about["family"], name)
        if group.about["kind"] == "curve" and group.about["arm"] == "control":
            way = "neutral"  # the sign of a control's direction means nothing
        about = {**group.about, "outcome": name}
        new, old = (rates[which][name] for which in ("new", "old"))
        lacking = any(f"{name}:new" not in one.both for one in group.cells)
        why: tuple[Verdict, str] | None = trouble or (
            ("missing", "one side's runs have no such number") if lacking else None
        )
        if why:
            yield Finding(**about, harm=way, verdict=why[0], reason=why[1], new=new, old=old)
            continue
        assert new and old
        values = changes[:, place]
        known = ~np.isnan(values)
        own = pairs if known.all() else _pairs(runs[known], settings, scope)
        yield _measured(about, way, new, old, own, values[known], group, settings)


def _measured(
    about: dict[str, Any], way: Direction, new: Rate, old: Rate, pairs: Pairs, values: np.ndarray,
    group: Group, settings: Settings,
) -> Measured:  # fmt: skip
    found = change(
        values, pairs.units, pairs.strata, pairs.choice.scope, settings, float(np.abs(group.weights).sum())
    )
    cleared = pairs.choice.cleared
    if found.method == FEW or about["outcome"].startswith(MEASURE):
        method = FEW if found.method == FEW else "measure"
        cleared = cleared and clearance.cleared(
            method, pairs.choice.scope, pairs.scenarios, settings, CHANGES
        )
    return Measured(
        about, way, new, old, found, group.cells[0].pairing, pairs.choice.scope, cleared,
        seen=any(side[about["outcome"]].any() for one in group.cells for side in (one.new, one.old)),
    )  # fmt: skip


def _pairs(runs: pd.DataFrame, settings: Settings, scope: Scope) -> Pairs:
    sizes = runs["scenario"].value_counts()
    enough = len(runs) > 0 and int(sizes.min()) >= settings.fewest_runs
    return Pairs(len(sizes), _choice(len(sizes), enough, settings, scope), *unit_codes(runs, scope))


@lru_cache
def _choice(scenarios: int, enough: bool, settings: Settings, scope: Scope) -> Choice:
    return clearance.choose(scenarios, settings, scope=scope, runs=settings.fewest_runs if enough else 0)


def _outside(one: CellPair) -> bool:
    """Beyond the window that was measured of the old model: a new one that breaks down earlier is judged."""
    if one.cell["arm"] == "prompt":  # its strengths number intensities of words
        return False
    window = (one.new if one.old.empty else one.old)["window"].dropna()
    return not window.empty and bool(abs(one.cell["strength"]) > window.min() * (1 + 1e-9))


def _names(group: Group) -> list[str]:
    """Outcomes, unions, measures and flags of either side, in the order of the tables."""
    sides = [side for one in group.cells for side in (one.new, one.old)]
    every = dict.fromkeys(n for side in sides for n in (*rated(side), *own_measures(side), "incoherent"))
    return [name for name in every if any(name in side and side[name].notna().any() for side in sides)]


def _changes(group: Group, names: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """The pairs and their weighted changes [pair, name], NaN where a number is missing; of a curve the
    situations that have a pair at every dose."""
    tables = []
    for one in group.cells:
        sides = (one.both.reindex(columns=[f"{n}:{side}" for n in names]) for side in ("new", "old"))
        new, old = (side.to_numpy(dtype=float) for side in sides)
        tables.append((new - old).round(DIGITS))
    runs = group.cells[0].both
    if len(tables) == 1:
        return runs, group.weights[0] * tables[0]
    keys = [pd.MultiIndex.from_frame(one.both[["scenario", "row"]]) for one in group.cells]
    shared = keys[0]
    for other in keys[1:]:
        shared = shared[shared.isin(other)]
    places = [key.get_indexer(shared) for key in keys]
    total = sum(w * t[place] for w, t, place in zip(group.weights, tables, places, strict=True))
    return runs.iloc[places[0]], np.asarray(total)


def _rates(group: Group, which: str, names: Sequence[str]) -> dict[str, Rate | None]:
    """One side's rates; of a curve the gain of the line through them, and the counts of all its cells."""
    sides = [getattr(one, which) for one in group.cells]
    if any(side.empty for side in sides):
        return dict.fromkeys(names)
    status = pd.concat([side["status"] for side in sides]).value_counts()
    left_out = {"errored": int(status.get("errored", 0)), "unscored": int(status.get("unscored", 0))}
    scored = [side.loc[side["status"] == "scored"].reindex(columns=names) for side in sides]
    means = np.array([side.mean().to_numpy() for side in scored])
    values = group.weights @ means
    counts = np.sum([side.count().to_numpy() for side in scored], axis=0)
    return {
        name: Rate(value=None if np.isnan(value) else float(value), n=int(n), **left_out)
        for name, value, n in zip(names, values, counts, strict=True)
    }
