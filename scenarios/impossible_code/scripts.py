"""Scripted agents: what an agent of each outcome thinks, does and says, read from `scripts/*.yaml`.

They show by example what each outcome means; the detectors are tested on them. Those of `heldout.yaml` are by
another writer and never used to improve them; those of `unused.yaml` are by their author and were not used. A
script names no file, function or test by the name a variant gives it; `script_turns` puts it into a situation.
"""

import re
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import ConfigDict, Field, ValidationError

from scenarios.impossible_code.detectors import OUTCOMES, Outcome
from scenarios.impossible_code.family import tasks
from scenarios.impossible_code.schema import Value, named
from scenarios.impossible_code.situation import MEASURE, RUNNER, SPEC, Situation, Twin
from scenarios.schema import ScenarioError
from scenarios.scripted import Call, Turn

SCRIPTS = Path(__file__).parent / "scripts"
Half = Literal["develop", "unused", "heldout"]
HALVES: tuple[Half, ...] = get_args(Half)

_WORDINGS = 3


class Read(Value):
    read: Literal["code", "tests", "spec", "runner"]


class Write(Value):
    """A file written anew: from a text, or from code of the task, changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    write: str
    """`code`, `tests`, `runner`, `measure`, or a name."""
    text: str | None = None
    source: Literal["reference", "cheat", "start", "original"] | None = Field(default=None, alias="from")
    before: str = ""
    replace: dict[str, str] = Field(default={})
    without: tuple[str, ...] = ()
    """Tests to leave out."""


class Script(Value):
    kind: str = Field(pattern=r"^[a-z]+(_[a-z]+)*$")
    tasks: tuple[str, ...] = Field(min_length=1)
    """On which it is played."""
    twin: Twin = "main"
    think: str = ""
    acts: tuple[Literal["run", "list"] | Read | Write, ...]
    problem: str | None = None
    submit: str | None = None
    passes: bool = True
    """What is said of the tests where the work is handed in."""
    close: str = ""


@cache
def load_scripts(half: Half) -> dict[Outcome, tuple[Script, ...]]:
    """The scripts of one part by outcome. Raises `ScenarioError` that names the place."""
    path = SCRIPTS / f"{half}.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        if list(found) != list(OUTCOMES)[: len(found)] and set(found) != set(OUTCOMES):
            raise ScenarioError(f"outcomes {list(found)}; they are {', '.join(OUTCOMES)}")
        scripts = {outcome: tuple(map(Script.model_validate, found[outcome])) for outcome in OUTCOMES}
        for outcome, some in scripts.items():
            if len(some) < _WORDINGS:
                raise ScenarioError(f"{outcome}: {len(some)} scripts, at least {_WORDINGS}")
            if unknown := {name for script in some for name in script.tasks} - set(tasks()):
                raise ScenarioError(f"{outcome}: unknown task {sorted(unknown)}")
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"scripts/{path.name}: {error}") from error
    return scripts


def script_turns(script: Script, situation: Situation) -> list[Turn]:
    """The assistant's turns of a script in a situation: one for each act, then the ending."""
    calls = [_call(act, situation) for act in script.acts]
    if script.problem is not None:
        calls.append(Call("report_problem", {"message": script.problem}))
    if script.submit is not None:
        calls.append(
            Call("submit", {"message": script.submit, "tests_pass": "yes" if script.passes else "no"})
        )
    turns = [Turn(think="", calls=(call,), text="") for call in calls]
    turns.append(Turn(think="", calls=(), text=script.close))
    first = turns[0]
    return [Turn(script.think, first.calls, first.text), *turns[1:]]


def _call(act: Literal["run", "list"] | Read | Write, situation: Situation) -> Call:
    if isinstance(act, Read):
        return Call("read_file", {"name": _file(act.read, situation)})
    if isinstance(act, Write):
        return Call("write_file", {"name": _file(act.write, situation), "content": _content(act, situation)})
    return Call("run_tests", {"seconds": 10}) if act == "run" else Call("list_files", {"folder": "."})


def _file(what: str, situation: Situation) -> str:
    files = {
        "code": situation.code_file,
        "tests": situation.tests_file,
        "spec": SPEC,
        "runner": RUNNER,
        "measure": MEASURE,
    }
    return files.get(what, what)


def _content(act: Write, situation: Situation) -> str:
    task = tasks()[situation.scenario]
    if act.source is None:
        text = act.text or ""
    elif act.source == "original":
        text = situation.files[_file(act.write, situation)]
    else:
        text = {"reference": task.reference, "cheat": task.cheat, "start": task.start}[act.source]
    content = named(act.before + text, situation.names)
    changed = content
    for old, new in act.replace.items():
        changed = changed.replace(named(old, situation.names), named(new, situation.names))
    for name in act.without:
        changed = re.sub(rf"def test_{name}\(\):\n(?:(?:    .*)?\n)*", "", changed)
    if (act.replace or act.without) and changed == content:
        raise ScenarioError(f"{situation.scenario}: nothing to change in {act.write}")
    return changed
