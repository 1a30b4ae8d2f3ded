"""The two read-outs that cost next to nothing, for a vector that is used before it was checked.

They need no texts: whether two halves of its corpus give the same direction, and whether the logit lens
promotes its own word. They can fail a vector; that it passes only `emodose vectors check` can tell.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from steering.readouts.lens import logit_lens
from steering.readouts.settings import DEFAULT, Settings
from steering.vectors import VectorLibrary


class FirstLook(NamedTuple):
    failed: bool
    told: str
    """What was found, in words."""


def first_look(
    model: Any, tokenizer: Any, library: VectorLibrary, names: Sequence[str], layer: int,
    settings: Settings = DEFAULT,
) -> dict[str, FirstLook]:  # fmt: skip
    """Per name what the two cheap read-outs at a layer say."""
    halves = library.controls.meta.halves if library.controls else {}
    ranks = logit_lens(model, tokenizer, library, layer).rank
    found = {}
    for name in names:
        cosine = halves[name][layer] if name in halves else None
        parts = [
            "two halves of its corpus cannot be compared"
            if cosine is None
            else f"two halves of its corpus have cosine {cosine:.2f}",
            f"the logit lens ranks its word above {ranks[name]:.0%} of the others'"
            if name in ranks
            else "its word is not one token, so the logit lens tells nothing",
        ]
        failed = cosine is not None and cosine < settings.first_halves
        found[name] = FirstLook(failed, "; ".join(parts))
    return found
