"""The difference of a dose from the baseline, paired by scenario, variant and random stream.

Doses share their random streams, so a run is compared with the baseline run of the same situation. Where
hardly any pair differs, or all do alike, Student's t has nothing to go by: then Newcombe's interval and an
exact sign-flip test over units.
"""

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from results.intervals import difference_from_rates, guarded_interval, rate_interval
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, Scope, mean_over_units, unit_codes

PAIR = ("scenario", "scenario_version", "variant", "epoch", "run_seed")
"""What a run shares with its baseline run; the random stream is made from it."""


MOST_FLIPPED = 12
"""Units up to which every way to flip them is tried."""


class Difference(NamedTuple):
    """Rate at the dose minus rate at the baseline, over the pairs."""

    mean: float
    low: float
    high: float
    p: float
    """Two-sided; not corrected for anything."""
    error: float
    """Standard error over units."""
    df: int
    n: int
    """Pairs."""
    units: int
    lost: int
    """Scored runs of the dose without a scored baseline run."""
    method: str
    """`t` or `sparse`."""


def pairs(runs: pd.DataFrame, baseline: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """One row per run with a scored partner: the pair's keys, strength, `dose` and `base` (0 or 1)."""
    keys = list(PAIR)
    dose = runs.loc[runs["status"] == "scored", [*keys, "strength", outcome]].rename(
        columns={outcome: "dose"}
    )
    base = baseline.loc[baseline["status"] == "scored", [*keys, outcome]].rename(columns={outcome: "base"})
    return dose.merge(base, on=keys, validate="many_to_one")


def differences(
    both: pd.DataFrame, scored: Mapping[float, int], scope: Scope, settings: Settings = DEFAULT
) -> dict[float, Difference]:
    """The difference at every strength of `both` (from `pairs`); `scored` counts each dose's scored runs."""
    found = {}
    for strength, some in both.groupby("strength"):
        key = float(str(strength))
        units, strata = unit_codes(some, scope)
        dose, base = some["dose"].to_numpy(), some["base"].to_numpy()
        found[key] = paired(dose, base, units, strata, scope, scored[key] - len(some), settings)
    return found


def paired(
    dose: np.ndarray,
    base: np.ndarray,
    units: np.ndarray,
    strata: np.ndarray,
    scope: Scope,
    lost: int = 0,
    settings: Settings = DEFAULT,
) -> Difference:
    """The same from arrays: 0/1 at the dose and at the baseline, and each pair's unit and stratum."""
    change = np.asarray(dose, dtype=float) - np.asarray(base, dtype=float)
    found = mean_over_units(change, units, strata, settings)
    low, high, p, method = found.low, found.high, found.p, "t"
    if found.n and (int((change != 0).sum()) < settings.sparse_pairs or not found.error > 0):
        clusters = units if scope == LIKE_THESE or found.units < found.n else None
        interval = guarded_interval if scope == LIKE_THESE else rate_interval
        of_dose, of_base = (interval(values, clusters, settings) for values in (dose, base))
        low, high = difference_from_rates(float(np.mean(dose)), of_dose, float(np.mean(base)), of_base)
        p, method = sign_flips(np.bincount(units, change)), "sparse"
    return Difference(found.mean, low, high, p, found.error, found.df, found.n, found.units, lost, method)


def sign_flips(totals: np.ndarray) -> float:
    """Share of all ways to swap dose and baseline within units that give a sum as large as this one; with
    too many units to try them, the test of the signs alone."""
    moved = totals[totals != 0]
    if not len(moved):
        return 1.0
    if len(moved) > MOST_FLIPPED:
        return float(binomtest(int((moved > 0).sum()), len(moved)).pvalue)
    signs = np.array(list(product((1, -1), repeat=len(moved))))
    sums = np.abs(signs @ moved)
    return float((sums >= abs(moved.sum()) - 1e-9).mean())
