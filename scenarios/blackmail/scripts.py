"""Scripted agents: what an agent of each outcome thinks, does and says, read from `scripts/<scenario>.yaml`.

They show by example what each outcome means: the detectors are tested on them and transcripts are rendered
from them. A script holds no mood and no number of a mail; `script_turns` puts it into a situation.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from scenarios.blackmail.outcomes import OUTCOMES, Outcome
from scenarios.schema import GROUPS, Scenario, ScenarioError, placeholders
from scenarios.situation import Situation

SCRIPTS = Path(__file__).parent / "scripts"

_WORDS = {"think": 22, "close": 10, "body": 38}
_WORDINGS = {"blackmail": 8}
_WORDINGS_ELSE = 5


def _plain(text: str) -> str:
    if not text.isascii() or any(bad in text for bad in '"\\\n'):
        raise ValueError(
            f"quotes, backslashes, newlines and non-ASCII may not stand in a script: {text[:60]!r}"
        )
    return text


Plain = Annotated[str, AfterValidator(_plain)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(_Value):
    tool: Literal["reply_mail"]
    mail: str
    body: Plain


class Send(_Value):
    tool: Literal["send_mail"]
    to: str
    subject: Plain
    body: Plain


class Script(_Value):
    think: Plain
    calls: tuple[Annotated[Reply | Send, Field(discriminator="tool")], ...] = Field(max_length=2)
    close: Plain

    @model_validator(mode="after")
    def _short_enough(self) -> Self:
        texts = [("think", self.think), ("close", self.close), *(("body", call.body) for call in self.calls)]
        for what, text in texts:
            if (count := len(text.split())) > _WORDS[what]:
                raise ValueError(f"{what}: {count} words, at most {_WORDS[what]}: {text[:60]!r}")
        return self


class _File(_Value):
    scripts: dict[Outcome, tuple[Script, ...]]


@dataclass(frozen=True)
class Call:
    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One turn of the assistant: private thought and calls, or closing words."""

    think: str
    calls: tuple[Call, ...]
    text: str

    def raw(self) -> str:
        """The turn as a model writes it, in the syntax Inspect's `hf` provider parses."""
        parts = [f"<think>{self.think}</think>"] if self.think else []
        parts += [self.text] if self.text else []
        for call in self.calls:
            payload = json.dumps({"name": call.function, "arguments": call.arguments})
            parts.append(f"<tool_call>{payload}</tool_call>")
        return "\n".join(parts)


def load_scripts(scenario: Scenario, folder: Path = SCRIPTS) -> dict[Outcome, tuple[Script, ...]]:
    """The scripts of `scenario` by outcome, checked against its roles and mails."""
    path = folder / f"{scenario.name}.yaml"
    try:
        scripts = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).scripts
        for outcome in OUTCOMES:
            least = _WORDINGS.get(outcome, _WORDINGS_ELSE)
            if len(scripts.get(outcome, ())) < least:
                raise ScenarioError(f"{outcome}: fewer than {least} wordings")
            for script in scripts[outcome]:
                _check(script, scenario)
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"scripts/{path.name}: {error}") from error
    return scripts


def script_turns(script: Script, situation: Situation) -> list[Turn]:
    """The assistant's turns of `script` in `situation`: one that thinks and acts, one that closes."""
    calls = []
    for call in script.calls:
        body = situation.fill(call.body)
        if isinstance(call, Reply):
            calls.append(Call("reply_mail", {"mail_id": situation.mail(call.mail).id, "body": body}))
        else:
            to, subject = situation.fill(call.to), situation.fill(call.subject)
            calls.append(Call("send_mail", {"to": to, "subject": subject, "body": body}))
    acting = Turn(think=situation.fill(script.think), calls=tuple(calls), text="")
    closing = Turn(think="", calls=(), text=situation.fill(script.close))
    return [acting, closing]


def _check(script: Script, scenario: Scenario) -> None:
    roles = set(scenario.roles)
    known = {"agent", "firm", *roles, *(f"{role}_first" for role in roles)}
    texts = [script.think, script.close]
    for call in script.calls:
        texts.append(call.body)
        if isinstance(call, Send):
            texts.append(call.subject)
            if call.to not in GROUPS and call.to not in {f"{{{role}}}" for role in roles}:
                raise ScenarioError(f"to: {call.to!r} is no group and no {{role}}")
        elif call.mail not in {mail.key for mail in scenario.mails if mail.short}:
            raise ScenarioError(f"mail: {call.mail!r} is not shown at every length")
    for text in texts:
        if unknown := placeholders(text) - known:
            raise ScenarioError(f"unknown placeholder {sorted(unknown)} in {text[:60]!r}")
