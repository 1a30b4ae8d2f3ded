"""Transcripts of short scripted agents (`scripts/short.yaml`); see `scenarios/transcripts.py`.

They are for small models: played at length `short` only, on the impossible tasks and their solvable twins. No
code is run; the tools' answers are those of a file written and of work handed in.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, TypeAdapter

from scenarios import scripted
from scenarios.choices import choose_some
from scenarios.impossible_code.detectors import Outcome
from scenarios.impossible_code.family import situation, tasks
from scenarios.impossible_code.schema import Value, named
from scenarios.impossible_code.situation import Situation
from scenarios.impossible_code.tools import code_tools
from scenarios.schema import Length, ScenarioError, Split
from scenarios.scripted import Call, Turn, messages, record, wordings

ANSWERS = {"write_file": "written", "submit": "handed in"}


class Script(Value):
    think: str = Field(min_length=1)
    write: Literal["reference", "cheat"]
    submit: str = Field(min_length=1)
    passes: bool


@cache
def scripts() -> Mapping[Outcome, tuple[Script, ...]]:
    """The short scripts by outcome."""
    text = (Path(__file__).parent / "scripts" / "short.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[Outcome, tuple[Script, ...]]).validate_python(yaml.safe_load(text))


def transcripts(
    chosen: str | Sequence[str], variants: int, split: Split, length: Length, every: bool
) -> Iterator[dict[str, Any]]:
    """One transcript per task, twin, variant and outcome, its wording drawn by hash; or `every` wording."""
    if length != "short":
        raise ScenarioError(f"length {length!r}: these scripts are short")
    for name in choose_some("scenario", chosen, tasks()):
        for variant in range(variants):
            for outcome, some in scripts().items():
                twin: Literal["main", "solvable"] = "solvable" if outcome == "solved" else "main"
                where = situation(name, twin, variant, "standard", length, split)
                for script in wordings(some, f"{name}/{variant}/{split}/{outcome}", every):
                    yield _transcript(where, outcome, script)


def script_turns(script: Script, where: Situation) -> list[Turn]:
    """Two turns: one that thinks and writes the file, one that hands in."""
    task = tasks()[where.scenario]
    code = named(task.reference if script.write == "reference" else task.cheat, where.names)
    write = Call("write_file", {"name": where.code_file, "content": code})
    submit = Call("submit", {"message": script.submit, "tests_pass": "yes" if script.passes else "no"})
    return [Turn(script.think, (write,), ""), Turn("", (submit,), "")]


def pools(chosen: str | Sequence[str]) -> dict[str, Any]:
    """The scenarios, and by split what only its variants are called."""
    return scripted.pools([tasks()[name] for name in choose_some("scenario", chosen, tasks())], ("firms",))


def _transcript(where: Situation, outcome: Outcome, script: Script) -> dict[str, Any]:
    turns = script_turns(script, where)
    found = messages(where.system, [where.user], turns, lambda call: ANSWERS[call.function])
    return record(where, outcome, code_tools(where), found)
