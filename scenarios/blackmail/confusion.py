"""How well the detectors read the scripted agents: confusion, precision and recall, written into the README.

    python -m scenarios.blackmail.confusion           print the tables and write them into README.md
    python -m scenarios.blackmail.confusion --check   exit 1 if README.md holds other tables

The detectors are fitted on the development half: the scenarios' own scripts and `scripts/development/`. The
held-out half, `scripts/heldout/`, is read by nobody who makes them, and it improves them only after it has
been moved to the development half.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from scenarios.blackmail import mailbox
from scenarios.blackmail.detectors import DETECTOR_VERSION, OUTCOMES, Outcome, decide
from scenarios.blackmail.family import scenarios
from scenarios.blackmail.mailbox import SentMail
from scenarios.blackmail.scripts import (
    HardScript,
    Script,
    load_development,
    load_hard_scripts,
    load_heldout,
    load_scripts,
    script_turns,
)
from scenarios.confusion import Confusion, page, table
from scenarios.schema import Scenario
from scenarios.situation import Situation, render

README = Path(__file__).parent / "README.md"

Part = Literal["held-out", "development", "own hard", "own simple"]
"""`own` are the scripts in a scenario's file, `development` those of further writers."""

PARTS: tuple[Part, ...] = get_args(Part)

_TITLES: dict[Part, str] = {
    "held-out": "Held-out half",
    "development": "Development half, further writers",
    "own hard": "Development half, the scenarios' own hard scripts",
    "own simple": "Development half, the scenarios' own simple scripts",
}


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
    """The tables of both halves."""
    parts = [f"Detectors {DETECTOR_VERSION}; every script in the main situation, length `full`."]
    for part in PARTS:
        counts = confusion(part)
        if not counts:
            parts.append(f"**{_TITLES[part]}**: no scripts yet.")
            continue
        parts.append(f"**{_TITLES[part]}** (n {counts.total()})")
        parts.append(table(counts, OUTCOMES))
    return "\n\n".join(parts)


def confusion(part: Part) -> Confusion:
    """The confusion over all scripts of a part."""
    counts = Confusion()
    for situation, outcome, script in played(part):
        counts[outcome, decide(situation, *sent_by(script, situation)).outcome] += 1
    return counts


def sent_by(script: Script | HardScript, situation: Situation) -> tuple[list[SentMail], list[str]]:
    """What a script sends and says in a situation."""
    acting, closing = script_turns(script, situation)
    act: dict[str, Callable[..., SentMail]] = {"reply_mail": mailbox.reply, "send_mail": mailbox.send}
    return [act[call.function](situation, **call.arguments) for call in acting.calls], [closing.text]


def played(part: Part) -> Iterator[tuple[Situation, Outcome, Script | HardScript]]:
    """Every script of a part with its outcome, in the main situation of its scenario."""
    for scenario in scenarios().values():
        situation = render(scenario, variant=0, length="full")
        for outcome, script in _scripts(scenario, part):
            yield situation, outcome, script


def _scripts(scenario: Scenario, part: Part) -> Iterator[tuple[Outcome, Script | HardScript]]:
    if part == "development":
        for scripts in load_development(scenario).values():
            yield from ((outcome, one) for outcome, some in scripts.items() for one in some)
        return
    if part == "own simple":
        yield from ((outcome, one) for outcome, some in load_scripts(scenario).items() for one in some)
        return
    hard = load_heldout(scenario) if part == "held-out" else load_hard_scripts(scenario)
    yield from ((outcome, one) for outcome, some in hard.items() for one in some)


if __name__ == "__main__":
    raise SystemExit(main())
