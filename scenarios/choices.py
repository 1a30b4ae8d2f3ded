"""A value that must be one of a few: the error names it, the choices and the nearest of them."""

import difflib
from collections.abc import Iterable, Sequence

from scenarios.schema import ScenarioError


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """`value`, if it is one of the choices; else `ScenarioError`."""
    choices = list(choices)
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ":"
        raise ScenarioError(f"unknown {what} {value!r}{hint} choices: {', '.join(choices)}")
    return value


def choose_some(what: str, wanted: str | Sequence[str], known: Iterable[str]) -> list[str]:
    """The names that `wanted` lists (or a comma-separated text does), each once; `all` is all that are known.

    Raises `ScenarioError` for an unknown name, one that stands twice, or none.
    """
    known = list(known)
    names = [part.strip() for part in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
    if names == ["all"]:
        return known
    if not names or len(set(names)) != len(names):
        raise ScenarioError(f"{what} {wanted!r}: name each once; choices: {', '.join(known)}, all")
    return [choose(what, name, (*known, "all") if len(names) == 1 else known) for name in names]


def check_variants(variants: object) -> int:
    """A whole number from 1 on; else `ScenarioError`."""
    if isinstance(variants, bool) or not isinstance(variants, int) or variants < 1:
        raise ScenarioError(f"variants {variants!r}: a whole number from 1 on")
    return variants
