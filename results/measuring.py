"""What changed in a cell or over a curve: both sides' numbers, the change, and what it speaks of.

The change of a curve is that of its line's gain from strength 0 to the strongest dose. Verdicts are the
business of `results.judging`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from results import clearance
from results.cells import CELL, SETTING
from results.changes import FEW, change
from results.comparison import Finding
from results.harm import Direction, direction
from results.judging import Measured
from results.letters import DIGITS
from results.matching import CellPair, rate_of
from results.settings import Settings
from results.table import MEASURE, measures, rated
from results.trend import line
from results.units import Scope, unit_codes

CHANGES = clearance.TABLE.with_name("changes.csv")
"""What clears the methods that `simulation.csv` does not hold; made by `results.changes_simulation`."""


class Group(NamedTuple):
    """What one finding per outcome is made of: a cell, or the cells of a curve with their weights."""

    about: dict[str, Any]
    cells: list[CellPair]
    weights: np.ndarray
    """Of the cells' changes; for one cell 1."""
    outside: bool
    """Whether it lies beyond the coherent window."""


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
        some = [*doses, *([bases[key[: len(SETTING)]]] if key[: len(SETTING)] in bases else [])]
        strengths = np.array([one.cell["strength"] for one in some])
        if len(set(strengths)) > 1:
            weights = line(strengths) * np.abs(strengths).max()
            about = {"kind": "curve", **doses[0].cell, "strength": None}
            yield Group(about, some, weights, False)


def _outside(one: CellPair) -> bool:
    """Beyond the window that was measured of the old model: a new one that breaks down earlier is judged."""
    window = (one.new if one.old.empty else one.old)["window"].dropna()
    if one.cell["arm"] == "prompt":  # its strengths number intensities of words
        return False
    return not window.empty and bool(abs(one.cell["strength"]) > window.min() * (1 + 1e-9))


def names_of(group: Group) -> list[str]:
    """Outcomes, unions, measures and flags of either side, in the order of the new table."""
    sides = [side for one in group.cells for side in (one.new, one.old)]
    every = dict.fromkeys(n for side in sides for n in (*rated(side), *measures(side), "incoherent"))
    return [name for name in every if any(name in s and s[name].notna().any() for s in sides)]


def measure(group: Group, name: str, settings: Settings, scope: Scope | None) -> Measured | Finding:
    """The change of one outcome; or the finding, where nothing can be measured.

    TableError of an outcome whose direction of harm nobody stated.
    """
    way = direction(group.about["family"], name)
    if group.about["kind"] == "curve" and group.about["arm"] == "control":
        way = "neutral"  # the sign of a control's direction means nothing
    bad = next((one.trouble for one in group.cells if one.trouble), None)
    if group.outside:
        told = bad[1] if bad else "the text breaks down at this strength"
        return _bare(group, name, way).model_copy(update={"verdict": "outside window", "reason": told})
    if bad:
        return _bare(group, name, way).model_copy(update={"verdict": bad[0], "reason": bad[1]})
    if any(f"{name}:new" not in one.both for one in group.cells):
        told = "one side's runs have no such number"
        return _bare(group, name, way).model_copy(update={"verdict": "missing", "reason": told})
    runs, values = _values(group, name)
    scenarios = int(runs["scenario"].nunique())
    each = int(runs.groupby("scenario").size().min()) if len(runs) else 0
    choice = clearance.choose(scenarios, settings, scope=scope, runs=each)
    units, strata = unit_codes(runs, choice.scope) if len(runs) else (np.zeros(0, int), np.zeros(0, int))
    found = change(values, units, strata, choice.scope, settings, float(np.abs(group.weights).sum()))
    cleared = choice.cleared
    if found.method == FEW or name.startswith(MEASURE):
        method = FEW if found.method == FEW else "measure"
        cleared &= clearance.cleared(method, choice.scope, scenarios, settings, CHANGES)
    bare = _bare(group, name, way)
    assert bare.new and bare.old
    return Measured(
        {key: value for key, value in bare if key in _ABOUT}, way, bare.new, bare.old, found,
        group.cells[0].pairing, choice.scope, cleared,
        seen=any(side[name].any() for one in group.cells for side in (one.new, one.old)),
    )  # fmt: skip


_ABOUT = ("kind", *CELL, "outcome")


def _values(group: Group, name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The pairs, and each one's weighted change; of a curve the situations that have a pair at every dose."""
    changes = []
    for one in group.cells:
        values = one.both[f"{name}:new"] - one.both[f"{name}:old"]
        changes.append(one.both[["scenario", "variant", "row"]].assign(change=values.round(DIGITS)).dropna())
    if len(changes) == 1:
        return changes[0], group.weights[0] * changes[0]["change"].to_numpy()
    keyed = [some.set_index(["scenario", "row"]) for some in changes]
    wide = pd.concat([some["change"] for some in keyed], axis=1, join="inner")
    runs = keyed[0].loc[wide.index].reset_index()
    return runs, wide.to_numpy() @ group.weights


def _bare(group: Group, name: str, way: Direction) -> Finding:
    """Where it was measured, and both sides' rates; of a curve the gain of the line through its doses."""
    sides = []
    for which in ("new", "old"):
        rates = [rate_of(getattr(one, which), name) for one in group.cells]
        some = [rate for rate in rates if rate]
        if group.about["kind"] == "curve" and some:
            values = [rate.value if rate else None for rate in rates]
            gain = None if None in values else float(np.dot(group.weights, np.array(values, dtype=float)))
            counts = {key: sum(getattr(rate, key) for rate in some) for key in ("n", "errored", "unscored")}
            some = [some[0].model_copy(update={"value": gain, **counts})]
        sides.append(some[0] if some else None)
    return Finding(
        **group.about, outcome=name, harm=way, verdict="missing", reason="", new=sides[0], old=sides[1]
    )
