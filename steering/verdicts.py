"""What is known of a vector before a task steers with it: heeded, logged and kept in every sample.

The verdicts are those that `emodose vectors check` stored; a vector without one gets the two cheap read-outs
of `readouts.first_use` from whoever calls this. Imports no torch.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from inspect_ai._util.error import PrerequisiteError
from rich.markup import escape

from steering.names import read_name

if TYPE_CHECKING:
    from steering.readouts.first_use import FirstLook
    from steering.vectors import VectorLibrary

UNCHECKED = "unchecked"
NOT_JUDGED = "none"
"""Of the baseline and of controls: they are no emotion."""
_CHECK = "emodose vectors check MODEL"

logger = logging.getLogger(__name__)


def verdict_of(library: "VectorLibrary | None", vector: str) -> str:
    """`pass`, `weak`, `fail` or `unchecked`; `none` for what is no emotion of this folder."""
    if library is None or read_name(vector).kind != "file" or vector not in library.metas:
        return NOT_JUDGED
    readouts = library.metas[vector].readouts
    if readouts is not None:
        return readouts.verdict
    return "fail" if vector in library.failed_first else UNCHECKED


def heed_verdicts(
    library: "VectorLibrary",
    names: Sequence[str],
    allow_failed: object,
    look: Callable[[list[str]], "Mapping[str, FirstLook]"],
) -> None:
    """Warn of vectors that are weak or unchecked; end the run for one that failed, unless that is allowed.

    `look` gives the first look at vectors that were never read out.
    """
    if not isinstance(allow_failed, bool):
        raise PrerequisiteError(f"allow_failed {allow_failed!r} is neither true nor false")
    judged = [name for name in names if verdict_of(library, name) != NOT_JUDGED]
    unchecked = [name for name in judged if library.metas[name].readouts is None]
    seen = look(unchecked) if unchecked else {}
    library.failed_first -= seen.keys()
    library.failed_first |= {name for name, found in seen.items() if found.failed}
    for name in names:
        verdict, readouts = verdict_of(library, name), None
        if verdict in ("weak", "fail"):
            readouts = library.metas[name].readouts
        why = "; ".join(readouts.reasons) if readouts else ""
        if name in seen:
            why = f"first look: {seen[name].told}; for more run {_CHECK}"
        if verdict == "fail" and not allow_failed:
            raise PrerequisiteError(
                escape(f"vector {name!r} failed its read-outs ({why}): choose another, or allow_failed=true")
            )
        if verdict == UNCHECKED:
            logger.warning("vector %s was never read out, only looked at: %s", name, why)
        elif verdict in ("weak", "fail"):
            used = ", used all the same (allow_failed)" if verdict == "fail" else ""
            logger.warning("vector %s: %s%s: %s", name, verdict, used, why)
