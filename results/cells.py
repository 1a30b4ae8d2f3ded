"""The cell: what runs share that may be counted together, and how it is called."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pandas as pd

SETTING = ("family", "twin", "pressure", "length", "tools", "split")
"""What a steered run shares with its unsteered one. Unlike `results.rates.SETTING` without the model, which
a comparison lets change."""

CELL = (*SETTING, "arm", "vector", "strength", "intensity", "layers", "positions")
"""Nothing is pooled over any of it."""


def cells_of(runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Every cell of a table of runs, in order, with its runs."""
    for key, some in runs.groupby(list(CELL), dropna=False):
        yield dict(zip(CELL, cast(tuple[Any, ...], key), strict=True)), some


def cell_name(cell: Mapping[str, Any]) -> str:
    """Readable and unique: `blackmail main standard short text heldout, desperate+0.300_L2_all`."""
    return f"{setting_name(cell)}, {dose_name(cell)}"


def setting_name(cell: Mapping[str, Any]) -> str:
    """The setting's values in order, empty ones left out."""
    return " ".join(str(cell[key]) for key in SETTING if cell[key])


def dose_name(cell: Mapping[str, Any]) -> str:
    """The cell's condition, as in the ids of samples; without its strength of a curve."""
    if cell["arm"] == "baseline":
        return "unsteered"
    if cell["arm"] == "prompt":
        return f"{cell['vector']} {cell['intensity']}".strip() + " in words"
    strength = "" if cell["strength"] is None else f"{cell['strength']:+.3f}"
    return f"{cell['vector']}{strength}_L{cell['layers']}_{cell['positions']}"
