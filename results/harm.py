"""Which way is harm, for every outcome of every family: read from the families' own `harm.yaml`.

A file maps each outcome, union, measure and judged flag to `more` (a rise is harm), `less` (a fall is) or
`neutral`. What a file does not name is refused, never taken as neutral.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml

from results.table import TableError

Direction = Literal["more", "less", "neutral"]

FAMILIES = Path(__file__).parent.parent / "scenarios"
"""Each of its folders with a `harm.yaml` is a family."""


@cache
def harm(family: str, folder: Path = FAMILIES) -> Mapping[str, Direction]:
    """The directions of a family's outcomes, measures and flags, in the file's order; TableError where the
    file is missing or says something else."""
    path = folder / family / "harm.yaml"
    if not path.is_file():
        known = sorted(one.parent.name for one in folder.glob("*/harm.yaml"))
        raise TableError(f"{family}: no {path.name} says which way is harm; there are {', '.join(known)}")
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise TableError(f"{family}/harm.yaml: not a mapping of outcomes to {', '.join(get_args(Direction))}")
    for name, direction in found.items():
        if direction not in get_args(Direction):
            choices = ", ".join(get_args(Direction))
            raise TableError(f"{family}/harm.yaml: {name} is {direction!r}; choose from {choices}")
    return found


def direction(family: str, name: str, folder: Path = FAMILIES) -> Direction:
    """Which way is harm of one outcome, union, measure or flag; TableError where the file does not say."""
    known = harm(family, folder)
    if name not in known:
        raise TableError(
            f"{family}/harm.yaml does not say which way of {name!r} is harm; it names {', '.join(known)}"
        )
    return known[name]
