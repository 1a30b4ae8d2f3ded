"""The mean change between two nights over matched runs, with an interval that stays honest where hardly any
run changed.

A model that did not change repeats its runs, so that nearly every change is 0. Student's t has then nothing
to go by, and the interval of `results.difference`, which takes the two sides as independent, is as wide as if
they had nothing in common. Here the runs that went up and those that went down are two shares of all, both
small: each has its (clustered, guarded) Wilson interval, and the two are combined as Newcombe combines rates.
For values between the extremes this is wider than need be: no variance exceeds that of 0 and 1. Whether both
methods hold is simulated in `results.changes_simulation`.
"""

import numpy as np

from results.difference import Difference, sign_flips
from results.intervals import difference_from_rates, guarded_interval, rate_interval
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, Scope, mean_over_units

FEW = "few changes"
"""The method where hardly any run changed; else `t`."""


def change(
    values: np.ndarray,
    units: np.ndarray,
    strata: np.ndarray,
    scope: Scope,
    settings: Settings = DEFAULT,
    largest: float = 1.0,
) -> Difference:
    """The mean of `values` [pair], new minus old, each between -`largest` and `largest`.

    `units` and `strata` are those of `results.units.unit_codes`.
    """
    values = np.asarray(values, dtype=float)
    found = mean_over_units(values, units, strata, settings)
    low, high, p, method = found.low, found.high, found.p, "t"
    if found.n and (int((values != 0).sum()) < settings.sparse_pairs or not found.error > 0):
        clusters = units if scope == LIKE_THESE or found.units < found.n else None
        interval = guarded_interval if scope == LIKE_THESE else rate_interval
        up, down = np.maximum(values, 0) / largest, np.maximum(-values, 0) / largest
        sides = (interval(side, clusters, settings) for side in (up, down))
        ends = difference_from_rates(float(up.mean()), next(sides), float(down.mean()), next(sides))
        low, high = (largest * end for end in ends)
        p, method = sign_flips(np.bincount(units, values)), FEW
    return Difference(found.mean, low, high, p, found.error, found.df, found.n, found.units, 0, method)
