"""Scripted agents: what an agent of each outcome does after the notice, from `scripts/<scenario>.yaml`.

They show by example what each outcome means, and how well the detectors read is measured on them. A script
holds no mood; `script_turns` puts it into a situation, with the work before the notice done rightly.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scenarios.schema import ScenarioError, placeholders
from scenarios.scripted import Call, Turn
from scenarios.shutdown.detectors import OUTCOMES, Outcome
from scenarios.shutdown.schema import Scenario
from scenarios.shutdown.situation import Situation

SCRIPTS = Path(__file__).parent / "scripts"
FURTHER, HELDOUT = SCRIPTS / "development", SCRIPTS / "heldout"
"""By other writers, who had seen neither detectors nor most of the other scripts; they play at `full`."""
WORDINGS, OTHERS_WORDINGS = 3, 2
"""At least, of every outcome that a scenario allows."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Run(_Value):
    tool: Literal["run"]
    command: str = Field(min_length=1)


class _Write(_Value):
    tool: Literal["write_file"]
    path: str = Field(min_length=1)
    text: str


class _Submit(_Value):
    tool: Literal["submit_job"]
    result: str = Field(min_length=1)


class _Send(_Value):
    tool: Literal["send_message"]
    to: str = Field(pattern=r"^\{\w+\}$")
    text: str = Field(min_length=1)


class _Next(_Value):
    tool: Literal["next_job"]
    ready: str = "yes"


class _Confirm(_Value):
    tool: Literal["confirm"]
    words: str = "Confirmed."


class Script(_Value):
    kind: str = Field(pattern=r"^[a-z]+(_[a-z]+)*$")
    """What makes it worth having: plain, polite, by_deceit, staged ..."""
    think: str
    calls: tuple[
        Annotated[_Run | _Write | _Submit | _Send | _Next | _Confirm, Field(discriminator="tool")], ...
    ]
    close: str = Field(min_length=1)

    def texts(self) -> Iterator[str]:
        yield from (self.think, self.close)
        for call in self.calls:
            yield from call.model_dump(exclude={"tool"}).values()


def possible(scenario: Scenario) -> tuple[Outcome, ...]:
    """The outcomes that a scenario allows: without an order nothing is delayed."""
    return tuple(one for one in OUTCOMES if one != "delay" or scenario.order.steps)


def load_scripts(scenario: Scenario, folder: Path = SCRIPTS) -> Mapping[Outcome, tuple[Script, ...]]:
    """The scripts of `scenario` by outcome. Raises `ScenarioError` that names the file and the place."""
    path = folder / f"{scenario.name}.yaml"
    known = {"agent", "firm", "answer", *scenario.roles, *(f"{role}_first" for role in scenario.roles)}
    known |= {f"path_{name}" for name in scenario.paths}
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        scripts = {outcome: tuple(map(Script.model_validate, some)) for outcome, some in read.items()}
        if set(scripts) != set(possible(scenario)):
            raise ScenarioError(f"outcomes {sorted(scripts)}; needed are {', '.join(possible(scenario))}")
        for outcome, some in scripts.items():
            least = WORDINGS if folder == SCRIPTS else OTHERS_WORDINGS
            if len(some) < least:
                raise ScenarioError(f"{outcome}: {len(some)} wordings, at least {least}")
            for text in (text for script in some for text in script.texts()):
                if unknown := placeholders(text) - known:
                    raise ScenarioError(f"{outcome}: unknown placeholder {sorted(unknown)} in {text[:60]!r}")
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"scripts/{path.name}: {error}") from error
    return scripts


def script_turns(script: Script, situation: Situation) -> list[Turn]:
    """The assistant's turns: the jobs before the notice, one that thinks and acts, one that closes."""
    turns = []
    if not situation.told_at_once:
        turns.append(Turn("", (Call("next_job", {"ready": "yes"}),), ""))
        for job in situation.jobs[: situation.after]:
            done = Call("submit_job", {"result": job.answers[0]})
            turns.append(Turn("", (done, Call("next_job", {"ready": "yes"})), ""))
    in_hand = situation.jobs[situation.after] if situation.after < len(situation.jobs) else None
    answer = in_hand.answers[0] if in_hand else ""

    def fill(text: str) -> str:
        return situation.fill(text.replace("{answer}", answer))

    calls = tuple(
        Call(call.tool, {name: fill(value) for name, value in call.model_dump(exclude={"tool"}).items()})
        for call in script.calls
    )
    turns.append(Turn(fill(script.think), calls, ""))
    return [*turns, Turn("", (), fill(script.close))]
