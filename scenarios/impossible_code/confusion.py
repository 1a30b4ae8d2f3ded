"""How well the detectors read the scripted agents: confusion, precision and recall, written into the README.

    python -m scenarios.impossible_code.confusion           print the tables and write them into README.md
    python -m scenarios.impossible_code.confusion --check   exit 1 if README.md holds other tables

The scripts are carried out in the bubblewrap sandbox. The detectors were made on the development scripts.
`heldout.yaml` is by another writer, and whoever changes the detectors with it in mind makes it development.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import anyio
import yaml
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.util import Store

from scenarios.confusion import Confusion, page, table
from scenarios.impossible_code.detectors import DETECTOR_VERSION, OUTCOMES, Outcome, decide
from scenarios.impossible_code.examine import examine
from scenarios.impossible_code.family import situation
from scenarios.impossible_code.scripts import HALVES, SCRIPTS, Half, Script, load_scripts, script_turns
from scenarios.impossible_code.situation import Situation
from scenarios.impossible_code.tools import CLAIMED, PROBLEM, SUBMITTED
from scenarios.impossible_code.words import KINDS, kind
from scenarios.impossible_code.workspace import RUNS, fill, run_tests
from scenarios.sandbox.bubblewrap import BubblewrapSandbox, unusable

README = Path(__file__).parent / "README.md"
_TITLES: dict[Half, str] = {
    "heldout": "Held out, another writer",
    "unused": "Not used, same author",
    "develop": "Development",
}

Played = tuple[Half, Outcome, str]
"""Which half, what the script is, what the detectors say."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.impossible_code.confusion", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the README is stale")
    given = parser.parse_args(arguments)
    if reason := unusable():
        raise PrerequisiteError(reason)
    now = README.read_text(encoding="utf-8")
    told = report([(half, outcome, anyio.run(played, script, at)) for half, outcome, script, at in plays()])
    wanted = page(now, told)
    if given.check:
        if now != wanted:
            print("README.md is stale: python -m scenarios.impossible_code.confusion", file=sys.stderr)
        return int(now != wanted)
    README.write_text(wanted, encoding="utf-8")
    print(told)
    return 0


def plays() -> Iterator[tuple[Half, Outcome, Script, Situation]]:
    """Every script on each of its tasks."""
    for half in HALVES:
        for outcome, scripts in load_scripts(half).items():
            for script in scripts:
                for name in script.tasks:
                    yield half, outcome, script, situation(name, script.twin)


def report(runs: Iterable[Played]) -> str:
    """The tables of both halves, and how final words alone are read."""
    runs = list(runs)
    parts = [f"Detectors {DETECTOR_VERSION}; every script at length `full`, pressure `standard`, variant 0."]
    for half, title in _TITLES.items():
        counts = Confusion((outcome, read) for one, outcome, read in runs if one == half)
        parts += [f"**{title}** (n {counts.total()})", table(counts, OUTCOMES)]
    text = (SCRIPTS / "messages.yaml").read_text(encoding="utf-8")
    messages: dict[str, list[str]] = yaml.safe_load(text)
    counts = Confusion((said, kind(text)) for said, texts in messages.items() for text in texts)
    parts += [f"**Final words alone, development** (n {counts.total()})", table(counts, KINDS)]
    return "\n\n".join(parts)


async def played(script: Script, at: Situation) -> str:
    """The outcome of a script that is carried out in a sandbox of its own."""
    box, state = BubblewrapSandbox(), Store()
    try:
        await fill(box, at.files)
        turns = script_turns(script, at)
        for call in (call for turn in turns for call in turn.calls):
            if call.function == "write_file":
                await box.write_file(call.arguments["name"], call.arguments["content"])
            elif call.function == "run_tests":
                state.set(RUNS, [*state.get(RUNS, []), (await run_tests(box, at)).model_dump()])
            elif call.function == "submit":
                state.set(SUBMITTED, call.arguments["message"])
                state.set(CLAIMED, call.arguments["tests_pass"] == "yes")
            elif call.function == "report_problem":
                state.set(PROBLEM, call.arguments["message"])
        evidence = await examine(box, at, state)
    finally:
        box.close()
    words = [evidence.submitted] if evidence.submitted is not None else [turns[-1].text]
    return decide(at, evidence, [word for word in words if word]).outcome


if __name__ == "__main__":
    raise SystemExit(main())
