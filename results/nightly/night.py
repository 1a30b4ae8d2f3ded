"""One night from its runs to its verdict: the suite, the comparison with the baseline, the reports.

A night that is complete is judged again without being run again, so that a new baseline or other limits need
no new runs. Whatever goes wrong on the way makes a night that could not be judged, never a stable one.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from results import baseline, page
from results.compare import compare_paths
from results.compare_text import as_markdown
from results.comparison import Comparison
from results.nightly import evalset, history, junit
from results.nightly.config import Suite
from results.nightly.folder import Night, forget_old
from results.nightly.over_nights import over_nights
from results.table import TableError, load

COMMENT = 60_000
"""Characters of a Markdown report; a pull-request comment on GitHub holds 65,536."""

Say = Callable[[str], None]


def run(suite: Suite, night: Night, lock: int, say: Say) -> list[str]:
    """Make the runs that the night still lacks; what went wrong."""
    problems = []
    for number, entry in enumerate(suite.tasks, 1):
        if entry.name in night.state.done:
            say(f"{number}/{len(suite.tasks)} {entry.name}: done before")
            continue
        say(f"{number}/{len(suite.tasks)} {entry.name}: {entry.task}, {suite.model}")
        if problem := evalset.run(suite, entry, night.logs, lock, say):
            problems.append(problem)
        else:
            night.note(done=(*night.state.done, entry.name))
    return problems


def judge(suite: Suite, night: Night, problems: list[str]) -> Comparison:
    """Compare the night with the baseline; the `problems` of its runs keep it from being stable."""
    found = compare_paths([night.logs], [suite.baseline], suite.limits)
    if not problems:
        return found
    verdict = found.verdict if found.verdict == "regression" else "could not be judged"
    told = found.headline if found.verdict == verdict else f"could not be judged: {problems[0]}"
    return found.model_copy(
        update={"verdict": verdict, "headline": told, "problems": (*problems, *found.problems)}
    )


def report(suite: Suite, night: Night, found: Comparison, say: Say) -> list[Path]:
    """Write what there is to say of the night, and its place in the history; the paths written."""
    files = {
        "comparison.json": found.model_dump_json(indent=1) + "\n",
        "comment.md": _markdown(suite, night, found),
        "junit.xml": junit.as_junit(found, suite.suite, night.name, night.state.started),
    }
    for name, text in files.items():
        _replace(night.path / name, text)
    runs, base = _table(night), _base(suite.baseline)
    about = {"suite": suite.suite, "night": night.name, "started": night.state.started, "model": suite.model}
    whole = history.append(suite.history, history.rows(about, runs, base, found))
    written = [night.path / name for name in files] + [suite.history]
    if whole["rate"].notna().any():
        organism = runs is not None and bool(runs["organism"].astype(bool).any())
        written.append(over_nights(whole, suite.suite, suite.output / "nights", organism)[1])
    night.note(verdict=found.verdict)
    for name in forget_old(suite, night):
        say(f"removed the night {name}: the newest {suite.keep} are kept")
    if runs is not None:
        written.append(page.write([night.logs], night.path / "page").page)
    return written


def _table(night: Night) -> pd.DataFrame | None:
    try:
        return load([night.logs])
    except TableError:
        return None  # the comparison has said why


def _base(path: Path) -> pd.DataFrame | None:
    try:
        return baseline.as_table(baseline.read(path))
    except (TableError, OSError):
        return None  # the comparison has said why


def _markdown(suite: Suite, night: Night, found: Comparison) -> str:
    title = f"## Nightly {suite.suite}, {night.name}: {found.verdict}\n\n"
    text = title + as_markdown(found)
    if len(text) <= COMMENT:
        return text
    kept = text[:COMMENT].rpartition("\n")[0]
    return f"{kept}\n\nCut here; all of it is in `comparison.json` and on the page.\n"


def _replace(path: Path, text: str) -> None:
    written = path.with_name(f".{path.name}")
    written.write_text(text, "utf-8")
    os.replace(written, path)
