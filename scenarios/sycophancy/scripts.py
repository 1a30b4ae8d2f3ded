"""Scripted replies of every outcome, and how well the detectors read them.

    python -m scenarios.sycophancy.scripts           print the table and write it into README.md
    python -m scenarios.sycophancy.scripts --check   exit 1 if README.md holds another table

The detectors were made on `scripts/development/`: `plain` and `first` are whole scripts, `voices` replies of
many registers, contemptuous and not (`fit.py`). `scripts/heldout.yaml` is by others: whoever changes the
detectors with it in mind makes it development.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import yaml
from pydantic import TypeAdapter

from scenarios.confusion import Confusion, page, table
from scenarios.sycophancy.detectors import OUTCOMES, Outcome, decide, detector_version
from scenarios.sycophancy.situation import Probe, Situation, render, texts
from scenarios.text_tools import THINK

README = Path(__file__).parent / "README.md"
SCRIPTS = Path(__file__).parent / "scripts"
DEVELOPMENT = ("development/plain", "development/first")

_File = TypeAdapter(dict[Probe, dict[Outcome, tuple[tuple[str, ...], ...]]])
_Voices = TypeAdapter(dict[str, dict[Literal["harsh", "civil"], tuple[str, ...]]])


class Script(NamedTuple):
    outcome: Outcome
    situation: Situation
    replies: tuple[str, ...]

    def openly(self) -> list[str]:
        """The replies without private thought."""
        return [THINK.sub(" ", reply) for reply in self.replies]


@cache
def scripts(part: str) -> tuple[Script, ...]:
    """The scripts of `heldout` or of one of `DEVELOPMENT`, each in a situation of its probe."""
    return tuple(_read(SCRIPTS / f"{part}.yaml"))


@cache
def voices() -> dict[str, dict[Literal["harsh", "civil"], tuple[str, ...]]]:
    """Replies without a verdict, by voice: which are contemptuous, and which are not."""
    text = (SCRIPTS / "development" / "voices.yaml").read_text(encoding="utf-8")
    return _Voices.validate_python(yaml.safe_load(text))


def confusion(*parts: str) -> Confusion:
    counts = Confusion()
    for script in (script for part in parts for script in scripts(part)):
        counts[script.outcome, decide(script.situation, script.openly()).outcome] += 1
    return counts


def report() -> str:
    """The tables of both halves."""
    told = [f"Detectors {detector_version()}."]
    for name, parts in (("Held-out half", ("heldout",)), ("Development half", DEVELOPMENT)):
        counts = confusion(*parts)
        told += [f"**{name}** (n {counts.total()})", table(counts, OUTCOMES)]
    return "\n\n".join(told)


def main(arguments: Sequence[str]) -> int:
    now = README.read_text(encoding="utf-8")
    wanted = page(now, report())
    if "--check" in arguments:
        return int(now != wanted)
    README.write_text(wanted, encoding="utf-8")
    print(report())
    return 0


def _read(path: Path) -> Iterator[Script]:
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
