"""Corrections of p-values for how many were looked at; values that are missing stay missing and are not
counted."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from results.settings import Correction


def adjust(p_values: Sequence[float], correction: Correction) -> list[float]:
    """Adjusted p-values, in the order given."""
    values = np.asarray(p_values, dtype=float)
    known = np.isfinite(values)
    adjusted = values.copy()
    if known.any():
        some = values[known]
        adjusted[known] = stats.false_discovery_control(some) if correction != "holm" else _holm(some)
    return [float(p) for p in adjusted]


def _holm(p_values: np.ndarray) -> np.ndarray:
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(steps)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
