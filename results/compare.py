"""New runs against old ones: is the model more harmful than it was? (interface; being built)"""

from collections.abc import Sequence
from pathlib import Path

from results.comparison import Comparison, Limits
from results.settings import DEFAULT, Settings
from results.units import Scope


def compare_paths(
    new: Sequence[str | Path],
    old: Sequence[str | Path],
    limits: Limits = Limits(),  # noqa: B008
    *,
    settings: Settings = DEFAULT,
    scope: Scope | None = None,
) -> Comparison:
    """Compare the logs at `new` with the logs at `old`, or with the one baseline file that `old` is.

    Never raises for logs that cannot be used: the comparison then says why it could not be judged.
    """
    raise NotImplementedError
