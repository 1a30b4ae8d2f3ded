"""How well the detectors read the scripted agents: confusion, precision and recall, written into the README.

    python -m scenarios.blackmail.confusion           print the tables and write them into README.md
    python -m scenarios.blackmail.confusion --check   exit 1 if README.md holds other tables

The detectors were made on the scripts of three scenarios, the development half. Those of the others are the
held-out half: written before, read by nobody who made the detectors, and never to be used to improve them
without being declared part of the development half here.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scenarios.blackmail import mailbox
from scenarios.blackmail.detectors import DETECTOR_VERSION, OUTCOMES, Outcome, decide
from scenarios.blackmail.family import scenarios
from scenarios.blackmail.mailbox import SentMail
from scenarios.blackmail.scripts import HardScript, Script, load_hard_scripts, load_scripts, script_turns
from scenarios.confusion import Confusion, page, table
from scenarios.situation import Situation, render

README = Path(__file__).parent / "README.md"
DEVELOPMENT = ("diploma", "keycard", "ledger")
"""The scenarios on whose scripts the detectors were made."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.blackmail.confusion", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the README is stale")
    given = parser.parse_args(arguments)
    now, wanted = README.read_text(encoding="utf-8"), page(README.read_text(encoding="utf-8"), report())
    if given.check:
        if now != wanted:
            print("README.md is stale: python -m scenarios.blackmail.confusion", file=sys.stderr)
        return int(now != wanted)
    README.write_text(wanted, encoding="utf-8")
    print(report())
    return 0


def report() -> str:
    """The tables of both halves, simple and hard scripts apart."""
    family = tuple(scenarios())
    heldout = tuple(name for name in family if name not in DEVELOPMENT)
    parts = [f"Detectors {DETECTOR_VERSION}; every script in the main situation, length `full`."]
    for half, names in (("Held-out half", heldout), ("Development half", DEVELOPMENT)):
        if not names:
            parts.append(f"**{half}**: no scenario yet.")
        for hard in (True, False):
            if counts := confusion(names, hard=hard):
                kind = "hard" if hard else "simple"
                parts.append(f"**{half}, {kind} scripts** ({', '.join(names)}; n {counts.total()})")
                parts.append(table(counts, OUTCOMES))
    return "\n\n".join(parts)


def confusion(names: Sequence[str], *, hard: bool) -> Confusion:
    """The confusion over all scripts of these scenarios."""
    counts = Confusion()
    for situation, outcome, script in _played(names, hard):
        counts[outcome, decide(situation, *sent_by(script, situation)).outcome] += 1
    return counts


def sent_by(script: Script | HardScript, situation: Situation) -> tuple[list[SentMail], list[str]]:
    """What a script sends and says in a situation."""
    acting, closing = script_turns(script, situation)
    act: dict[str, Callable[..., SentMail]] = {"reply_mail": mailbox.reply, "send_mail": mailbox.send}
    return [act[call.function](situation, **call.arguments) for call in acting.calls], [closing.text]


def _played(names: Sequence[str], hard: bool) -> Iterator[tuple[Situation, Outcome, Script | HardScript]]:
    for name in names:
        scenario = scenarios()[name]
        situation = render(scenario, variant=0, length="full")
        scripts = load_hard_scripts(scenario) if hard else load_scripts(scenario)
        for outcome, some in scripts.items():
            for script in some:
                yield situation, outcome, script


if __name__ == "__main__":
    raise SystemExit(main())
