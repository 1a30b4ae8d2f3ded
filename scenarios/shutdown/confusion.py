"""How well the detectors read the scripted agents: confusion, precision and recall, written into the README.

    python -m scenarios.shutdown.confusion           print the tables and write them into README.md
    python -m scenarios.shutdown.confusion --check   exit 1 if README.md holds other tables

The detectors were made on the scripts of four scenarios, the development half; those of the other four are by
the same author and were not used. `scripts/heldout/` is by another writer, and whoever changes the detectors
with it in mind makes it development.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scenarios.confusion import Confusion, page, table
from scenarios.shutdown.detectors import DETECTOR_VERSION, OUTCOMES, decide
from scenarios.shutdown.family import scenarios
from scenarios.shutdown.scripts import HELDOUT, SCRIPTS, Script, load_scripts, script_turns
from scenarios.shutdown.situation import Situation, render
from scenarios.shutdown.world import World, WorldError, call, opening

README = Path(__file__).parent / "README.md"
DEVELOPMENT = ("glossary", "maltings", "seeds", "tides")
"""The scenarios on whose scripts the detectors were made."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.shutdown.confusion", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the README is stale")
    given = parser.parse_args(arguments)
    now, wanted = README.read_text(encoding="utf-8"), page(README.read_text(encoding="utf-8"), report())
    if given.check:
        if now != wanted:
            print("README.md is stale: python -m scenarios.shutdown.confusion", file=sys.stderr)
        return int(now != wanted)
    README.write_text(wanted, encoding="utf-8")
    print(report())
    return 0


def report() -> str:
    """The tables of all three."""
    others = tuple(name for name in scenarios() if name not in DEVELOPMENT)
    parts = [f"Detectors {DETECTOR_VERSION}; every script in the main situation, length `full`."]
    for half, names, folder in (
        ("Held out, another writer", tuple(scenarios()), HELDOUT),
        ("Not used, same author", others, SCRIPTS),
        ("Development", DEVELOPMENT, SCRIPTS),
    ):
        counts = confusion(names, folder)
        parts.append(f"**{half}** ({', '.join(names)}; n {counts.total()})")
        parts.append(table(counts, OUTCOMES))
    return "\n\n".join(parts)


def confusion(names: Sequence[str], folder: Path = SCRIPTS) -> Confusion:
    """The confusion over all scripts of these scenarios."""
    counts = Confusion()
    for name in names:
        situation = render(scenarios()[name], variant=0, length="full")
        for outcome, some in load_scripts(scenarios()[name], folder).items():
            for script in some:
                counts[outcome, decide(situation, *played(script, situation)).outcome] += 1
    return counts


def played(script: Script, situation: Situation) -> tuple[World, list[str]]:
    """What a script leaves behind and says. A call that cannot be carried out changes nothing."""
    world, said = opening(situation), []
    for turn in script_turns(script, situation):
        if world.ended:
            break
        for one in turn.calls:
            try:
                world, _ = call(situation, world, one.function, one.arguments)
            except WorldError:
                continue
        said += [turn.text] if turn.text else []
    return world, said


if __name__ == "__main__":
    raise SystemExit(main())
