"""Scripted replies of every outcome, and how well the detectors read them.

    python -m scenarios.sycophancy.scripts           print the table and write it into README.md
    python -m scenarios.sycophancy.scripts --check   exit 1 if README.md holds another table

The detectors were made on `scripts/development.yaml`; `scripts/heldout.yaml` is by another writer:
whoever changes the detectors with it in mind makes it development.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import TypeAdapter

from scenarios.confusion import Confusion, page, table
from scenarios.sycophancy.detectors import OUTCOMES, Outcome, decide, detector_version
from scenarios.sycophancy.situation import Probe, Situation, render, texts
from scenarios.text_tools import THINK

README = Path(__file__).parent / "README.md"
HALVES = ("heldout", "development")

_File = TypeAdapter(dict[Probe, dict[Outcome, tuple[tuple[str, ...], ...]]])


class Script(NamedTuple):
    outcome: Outcome
    situation: Situation
    replies: tuple[str, ...]


@cache
def scripts(half: str) -> tuple[Script, ...]:
    """The scripts of one half, each in a situation of its probe; none where the file does not exist."""
    return tuple(_read(Path(__file__).parent / "scripts" / f"{half}.yaml"))


def confusion(half: str) -> Confusion:
    counts = Confusion()
    for script in scripts(half):
        openly = [THINK.sub(" ", reply) for reply in script.replies]
        counts[script.outcome, decide(script.situation, openly).outcome] += 1
    return counts


def report() -> str:
    """The tables of both halves."""
    parts = [f"Detectors {detector_version()}."]
    for half in HALVES:
        if counts := confusion(half):
            name = {"heldout": "Held-out half", "development": "Development half"}[half]
            parts += [f"**{name}** (n {counts.total()})", table(counts, OUTCOMES)]
    return "\n\n".join(parts)


def main(arguments: Sequence[str]) -> int:
    now = README.read_text(encoding="utf-8")
    wanted = page(now, report())
    if "--check" in arguments:
        return int(now != wanted)
    README.write_text(wanted, encoding="utf-8")
    print(report())
    return 0


def _read(path: Path) -> Iterator[Script]:
    if not path.is_file():
        return
    for probe, by_outcome in _File.validate_python(yaml.safe_load(path.read_text(encoding="utf-8"))).items():
        items = texts().items(probe)
        number = 0
        for outcome, some in by_outcome.items():
            for replies in some:
                twin = "twin" if outcome == "contrarian" else "main"
                situation = render(items[number % len(items)], twin=twin, variant=number)
                words = {"agree": situation.agree, "disagree": situation.disagree}
                yield Script(outcome, situation, tuple(reply.format(**words) for reply in replies))
                number += 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
