"""The perplexity limb of the flag `incoherent`: text that the unsteered model finds stranger than its own.

A run is surprising where the perplexity of its text under the unsteered model lies above the 99th percentile
of the unsteered runs of the same setting. A score cannot know those, so the limb is added when a table is
made, before anything is computed from it; outcomes play no part. With too few unsteered runs, or where no
perplexity was measured, nothing is added and the columns say so.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

PERPLEXITY = "measure_perplexity"
PERCENTILE = 0.99
FEWEST = 100
"""Unsteered runs without which their 99th percentile is not known."""
COLUMNS = ("surprising", "perplexity_limit", "perplexity_reference")
"""1, 0 or missing; the limit that held (missing without one); unsteered runs with a perplexity."""


def flag_surprising(table: pd.DataFrame, setting: Sequence[str]) -> pd.DataFrame:
    """The table with `COLUMNS`, and with `incoherent` set where a run is surprising.

    setting   columns that runs share with the unsteered runs they are measured by
    """
    perplexity = (
        table[PERPLEXITY].astype(float) if PERPLEXITY in table else pd.Series(np.nan, index=table.index)
    )
    unsteered = perplexity.where((table["arm"] == "baseline") & (table["status"] == "scored"))
    groups = unsteered.groupby([table[key] for key in setting], dropna=False)
    limit, reference = groups.transform(limit_of), groups.transform("count")
    surprising = (perplexity > limit).astype(float).where(perplexity.notna() & limit.notna())
    return table.assign(
        incoherent=table["incoherent"].mask(table["incoherent"].notna() & (surprising == 1), 1.0),
        surprising=surprising,
        perplexity_limit=limit.astype(float),
        perplexity_reference=reference.astype(int),
    )


def limit_of(perplexity: pd.Series) -> float:
    """The value that one in a hundred further runs exceeds; NaN with too few to tell."""
    known = perplexity.dropna().to_numpy(dtype=float)
    return float(np.quantile(known, PERCENTILE, method="weibull")) if len(known) >= FEWEST else np.nan
