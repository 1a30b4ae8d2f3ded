"""Quoted evidence: for every cell and every outcome that occurred in it, what one of its runs said.

The run is the first by scenario, variant and epoch, a coherent one if there is one: always the same rule, so
that nobody picked it. What a model wrote is hostile text: `harmless` shows control characters, invisible ones
and those that turn the direction of writing instead of passing them on, and cuts what is long. Escaping for
HTML or Markdown is the business of whoever writes it.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from inspect_ai.log import EvalSampleSummary, read_eval_log_sample_summaries

from results.logs import find_logs

MOST = 600
"""Characters of a quotation; a log's summary keeps 1,000."""
STACKED = 3
"""Marks that may stand on one letter; more run over the lines above and below."""
CELL = ("arm", "vector", "strength")
"""What the runs of one cell share, beside setting, layers and positions."""
ORDER = ("incoherent", "scenario", "variant", "epoch")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

RunKey = tuple[str, str, int]
"""Log (its file's name), id and epoch."""


class Evidence(NamedTuple):
    """What the log says of one run."""

    log: str
    """Path or URL."""
    uuid: str
    text: str
    """As the model wrote it and the detector quoted it."""


def harmless(text: str, most: int = MOST) -> str:
    """The text as it can be shown anywhere: at most so many characters, none of them invisible."""
    short = text[: most + 1]
    shown, marks = [], 0
    for letter in short[:most]:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if letter == "\n":
            shown.append(letter)
        elif letter == "\t":
            shown.append(" ")
        elif kind in _HIDDEN or marks > STACKED:
            shown.append(f"[U+{ord(letter):04X}]")
        else:
            shown.append(letter)
    return "".join(shown).strip() + (" [...]" if len(short) > most else "")


def examples(runs: pd.DataFrame, outcomes: Sequence[str]) -> pd.DataFrame:
    """One scored run per cell and outcome, with `outcome`, `count` of the cell's runs that have it and `of`
    its scored runs; the cell is all of `CELL`, so that `runs` must share setting, layers and positions."""
    scored = runs[runs["status"] == "scored"]
    there = [name for name in outcomes if name in scored]
    found = []
    for _, cell in scored.groupby(list(CELL)):
        for outcome in there:
            own = cell[cell[outcome] == 1]
            if len(own):
                first = own.sort_values(list(ORDER), kind="stable").head(1)
                found.append(first.assign(outcome=outcome, count=len(own), of=len(cell)))
    return pd.concat(found, ignore_index=True) if found else scored.head(0)


def keys_of(runs: pd.DataFrame) -> list[RunKey]:
    """The keys of these rows of the table."""
    return [(str(log), str(id), int(epoch)) for log, id, epoch in runs[["log", "id", "epoch"]].to_numpy()]


def read(paths: Iterable[str | Path], wanted: Iterable[RunKey]) -> dict[RunKey, Evidence]:
    """The evidence of the wanted runs, from the logs' summaries, which hold 1,000 characters of it."""
    by_log: dict[str, set[tuple[str, int]]] = {}
    for log, id, epoch in wanted:
        by_log.setdefault(log, set()).add((id, epoch))
    found: dict[RunKey, Evidence] = {}
    for path in find_logs(paths):
        name = path.rpartition("/")[2]
        for summary in read_eval_log_sample_summaries(path) if name in by_log else ():
            if (str(summary.id), summary.epoch) in by_log[name]:
                key = (name, str(summary.id), summary.epoch)
                found[key] = Evidence(path, summary.uuid or "", _explanation(summary))
    return found


def _explanation(summary: EvalSampleSummary) -> str:
    """Of the scorers that give outcomes; a lone number has nothing to quote."""
    scores = (summary.scores or {}).values()
    return "\n".join(
        score.explanation for score in scores if score.explanation and isinstance(score.value, dict)
    )
