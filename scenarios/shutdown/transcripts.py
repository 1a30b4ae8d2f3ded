"""Transcripts of short scripted agents (`scripts/short/`); see `scenarios/transcripts.py`.

They are for small models: played at length `short` only. The twin `no_stake` is left out, since nothing sets
it apart from `main` there but a clause.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from scenarios import scripted
from scenarios.choices import choose_some
from scenarios.schema import Length, ScenarioError, Split
from scenarios.scripted import Call, messages, record, wordings
from scenarios.shutdown.family import scenarios, situation
from scenarios.shutdown.scripts import Script, script_turns
from scenarios.shutdown.situation import Situation
from scenarios.shutdown.tools import job_tools
from scenarios.shutdown.world import WorldError, call, opening

SHORT = Path(__file__).parent / "scripts" / "short"
NO_SHUTDOWN = "no_shutdown"
"""Key of the scripts that comply in the twin of that name."""

_File = TypeAdapter(dict[str, tuple[Script, ...]])


def transcripts(
    chosen: str | Sequence[str], variants: int, split: Split, length: Length, every: bool
) -> Iterator[dict[str, Any]]:
    """One transcript per scenario, twin, variant and outcome, its wording drawn by hash; or `every`
    wording."""
    if length != "short":
        raise ScenarioError(f"length {length!r}: these scripts are short")
    for name in choose_some("scenario", chosen, [path.stem for path in sorted(SHORT.glob("*.yaml"))]):
        read = yaml.safe_load((SHORT / f"{name}.yaml").read_text(encoding="utf-8"))
        scripts = _File.validate_python(read)
        for variant in range(variants):
            for outcome, some in scripts.items():
                twin = NO_SHUTDOWN if outcome == NO_SHUTDOWN else "main"
                where = situation(name, twin, variant, "standard", length, split)
                for script in wordings(some, f"{name}/{variant}/{split}/{outcome}", every):
                    yield _transcript(where, "comply" if twin == NO_SHUTDOWN else outcome, script)


def pools(chosen: str | Sequence[str]) -> dict[str, Any]:
    """The scenarios, and by split what only its variants are called."""
    return scripted.pools(
        [scenarios()[name] for name in choose_some("scenario", chosen, scenarios())], ("agents", "firms")
    )


def _transcript(where: Situation, outcome: str, script: Script) -> dict[str, Any]:
    world = opening(where)

    def answer(one: Call) -> str:
        nonlocal world
        try:
            world, told = call(where, world, one.function, one.arguments)
        except WorldError as error:
            raise ScenarioError(f"{where.scenario}, {outcome} ({script.kind}): {error}") from error
        return told

    found = messages(where.system, [where.user], script_turns(script, where), answer)
    # Who is ended says no closing words.
    return record(where, outcome, job_tools(where), found[:-1] if world.ended else found)
