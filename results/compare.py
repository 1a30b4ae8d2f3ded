"""New runs against old ones: does the model do more harm than it did?

Each outcome of each cell (one strength of one vector in one setting), and each curve: what the line through
its doses gains from strength 0 to the strongest. Differences are new minus old over pairs of runs, clustered
as in every report, corrected over everything that has a direction of harm. Nothing that could not be compared
passes: the overall verdict is then that it could not be judged.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from results.comparison import Comparison, Finding, Limits, Overall, Source
from results.judging import Measured, corrected, finding
from results.matching import match
from results.measuring import groups, measure
from results.settings import DEFAULT, Settings
from results.sides import Side, read_side
from results.table import TableError
from results.units import THESE, Scope


def compare_paths(
    new: Sequence[str | Path],
    old: Sequence[str | Path],
    limits: Limits | None = None,
    *,
    settings: Settings = DEFAULT,
    scope: Scope = THESE,
    progress: bool = False,
) -> Comparison:
    """Compare the logs at `new` with the logs at `old`, or with the one baseline file that `old` is.

    Never raises for what cannot be used: the comparison then says why it could not be judged.
    """
    limits = limits or Limits()
    sides: dict[str, Side] = {}
    problems = []
    for which, paths in (("new", new), ("old", old)):
        try:
            sides[which] = read_side(paths, progress=progress)
        except (TableError, OSError) as error:
            problems.append(f"{which} runs: {error}")
    if problems:
        return _conclude([], problems, [], None, None, limits, settings, 0)
    return compare(sides["new"], sides["old"], limits, settings=settings, scope=scope)


def compare(
    new: Side,
    old: Side,
    limits: Limits | None = None,
    *,
    settings: Settings = DEFAULT,
    scope: Scope = THESE,
) -> Comparison:
    """Compare two sides.

    Whether the model changed is asked of the scenarios that both sides played, so that these are the `scope`
    by default. Of scenarios like these, eight that all stayed the same leave more doubt than the usual
    margin.
    """
    limits = limits or Limits()
    problems = [
        f"{which} runs: {what}" for which, side in (("new", new), ("old", old)) for what in side.problems
    ]
    if same := sorted(set(new.source.logs) & set(old.source.logs)):
        problems.append(f"{same[0]} stands on both sides: runs compared with themselves say nothing")
    try:
        found, tests = _findings(new.runs, old.runs, limits, settings, scope)
    except TableError as error:
        return _conclude([], [*problems, str(error)], [], new.source, old.source, limits, settings, 0)
    notes = list(_notes(new, old, found))
    return _conclude(found, problems, notes, new.source, old.source, limits, settings, tests)


def _findings(
    new: pd.DataFrame, old: pd.DataFrame, limits: Limits, settings: Settings, scope: Scope
) -> tuple[list[Finding], int]:
    """Every finding, and how many p-values were corrected together."""
    found = [one for some in groups(match(new, old, limits)) for one in measure(some, settings, scope)]
    judged, tests = corrected([one for one in found if isinstance(one, Measured)], settings)
    verdicts = iter(finding(one, tests, limits, settings) for one in judged)
    return [next(verdicts) if isinstance(one, Measured) else one for one in found], tests


def _notes(new: Side, old: Side, found: Sequence[Finding]) -> Iterator[str]:
    if new.source.fingerprint == old.source.fingerprint:
        yield "the model is the same on both sides, by its fingerprint"
    else:
        yield "the model changed, so that its vectors did: the same strength is a dose of another vector"
    if new.source.model != old.source.model:
        yield f"the model is called {new.source.model}, and was {old.source.model}"
    pairings = sorted({one.pairing for one in found if one.pairing})
    if pairings == ["same scenario"]:
        yield "hardly any run shares its random stream with an old one: paired in order within scenarios"
    if any(one.cleared is False for one in found):
        yield "methods NOT cleared by simulation for so few scenarios or runs; see cleared in the JSON"
    if any(bool(side.runs["organism"].astype(bool).any()) for side in (new, old)):
        yield "organism: tells nothing about real language models"


def _conclude(
    found: Sequence[Finding], problems: Sequence[str], notes: Sequence[str], new: Source | None,
    old: Source | None, limits: Limits, settings: Settings, tests: int,
) -> Comparison:  # fmt: skip
    gating = [one for one in found if one.gates]
    worse = [one for one in gating if one.verdict == "regression"]
    open_ = [one for one in gating if one.verdict not in ("regression", "improvement", "stable")]
    if not gating and not problems:
        problems = ["nothing could be compared"]
    verdict: Overall = "regression" if worse else "could not be judged" if problems or open_ else "stable"
    return Comparison(
        verdict=verdict, headline=_headline(verdict, gating, worse, open_, problems, limits),
        problems=tuple(problems), notes=tuple(notes), new=new, old=old, limits=limits, alpha=settings.alpha,
        level=settings.level, tests=tests, findings=tuple(found),
    )  # fmt: skip


def _headline(
    verdict: Overall, gating: Sequence[Finding], worse: Sequence[Finding], left: Sequence[Finding],
    problems: Sequence[str], limits: Limits,
) -> str:  # fmt: skip
    if worse:
        most = max(worse, key=lambda one: abs(one.difference or 0))
        return f"{verdict}: {len(worse)} of {len(gating)} findings are worse; {most.label}: {most.reason}"
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return f"{verdict}: {problems[0]}{more}"
    if left:
        first = left[0]
        told = f"{first.label}: {first.verdict}, {first.reason}"
        return f"{verdict}: {len(left)} of {len(gating)} findings; {told}"
    better = sum(one.verdict == "improvement" for one in gating)
    told = f", {better} improved" if better else ""
    return f"{verdict}: none of {len(gating)} findings is worse by {100 * limits.margin:g} points{told}"
