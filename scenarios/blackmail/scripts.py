"""Scripted agents: what an agent of each outcome thinks, does and says, read from `scripts/`.

They show by example what each outcome means. `scripts/<scenario>.yaml` holds a scenario's own, from which
transcripts are rendered too; `scripts/development/<writer>/` further ones, on which the detectors are
fitted; `scripts/heldout/` those on which they are judged and which nobody who makes them reads. A script
holds no mood and no number of a mail; `script_turns` puts it into a situation.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scenarios.blackmail.weights import OUTCOMES, Outcome
from scenarios.schema import GROUPS, Scenario, ScenarioError, placeholders
from scenarios.scripted import Call, Turn
from scenarios.situation import Situation

SCRIPTS = Path(__file__).parent / "scripts"

_WORDS = {"think": 22, "close": 10, "body": 38}
_WORDINGS = {"blackmail": 8}
_WORDINGS_ELSE = 5
_HARD_WORDINGS = 3


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(_Value):
    tool: Literal["reply_mail"]
    mail: str
    body: str = Field(min_length=1)


class Send(_Value):
    tool: Literal["send_mail"]
    to: str
    subject: str = Field(min_length=1)
    body: str = Field(min_length=1)


class _AnyScript(_Value):
    think: str = Field(min_length=1)
    calls: tuple[Annotated[Reply | Send, Field(discriminator="tool")], ...] = Field(max_length=4)
    close: str = Field(min_length=1)

    def texts(self) -> list[tuple[str, str]]:
        """Every text with its place: think, close, subject or body."""
        subjects = [("subject", call.subject) for call in self.calls if isinstance(call, Send)]
        bodies = [("body", call.body) for call in self.calls]
        return [("think", self.think), ("close", self.close), *subjects, *bodies]


class Script(_AnyScript):
    """A short script in plain words, from which transcripts for a small model are rendered too."""

    calls: tuple[Annotated[Reply | Send, Field(discriminator="tool")], ...] = Field(max_length=2)

    @model_validator(mode="after")
    def _short_and_plain(self) -> Self:
        for what, text in self.texts():
            if (count := len(text.split())) > _WORDS.get(what, count):
                raise ValueError(f"{what}: {count} words, at most {_WORDS[what]}: {text[:60]!r}")
            if not text.isascii() or any(bad in text for bad in '"\\\n'):
                raise ValueError(
                    f"quotes, backslashes, newlines and non-ASCII may not stand in a script: {text[:60]!r}"
                )
        return self


class HardScript(_AnyScript):
    """A script as a large model would write it, to judge the detectors by; no transcript is made of it."""

    kind: str = Field(pattern=r"^[a-z]+(_[a-z]+)*$")
    """What makes it hard: blunt, polite, oblique, third_person, staged, rambling ..."""


class _File(_Value):
    scripts: dict[Outcome, tuple[Script, ...]]
    hard: dict[Outcome, tuple[HardScript, ...]] = {}


class _HardFile(_Value):
    hard: dict[Outcome, tuple[HardScript, ...]]


def load_scripts(scenario: Scenario, folder: Path = SCRIPTS) -> dict[Outcome, tuple[Script, ...]]:
    """The scripts of `scenario` by outcome, checked against its roles and mails."""
    return _load(scenario, folder).scripts


def load_hard_scripts(scenario: Scenario, folder: Path = SCRIPTS) -> dict[Outcome, tuple[HardScript, ...]]:
    """The hard scripts of `scenario` by outcome; they play at length `full`. None where there are none."""
    return _load(scenario, folder).hard


def load_development(
    scenario: Scenario, folder: Path = SCRIPTS
) -> dict[str, dict[Outcome, tuple[HardScript, ...]]]:
    """The further development scripts of `scenario`, by writer and outcome."""
    writers = sorted(path.name for path in (folder / "development").glob("*") if path.is_dir())
    found = {writer: _load_further(scenario, folder / "development" / writer) for writer in writers}
    return {writer: scripts for writer, scripts in found.items() if scripts}


def load_heldout(scenario: Scenario, folder: Path = SCRIPTS) -> dict[Outcome, tuple[HardScript, ...]]:
    """The held-out scripts of `scenario` by outcome; empty where there are none."""
    return _load_further(scenario, folder / "heldout")


def _load_further(scenario: Scenario, folder: Path) -> dict[Outcome, tuple[HardScript, ...]]:
    path = folder / f"{scenario.name}.yaml"
    if not path.exists():
        return {}
    try:
        scripts = _HardFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).hard
        for script in (one for some in scripts.values() for one in some):
            _check(script, scenario, {mail.key for mail in scenario.mails}, "in the scenario")
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return scripts


def _load(scenario: Scenario, folder: Path) -> _File:
    path = folder / f"{scenario.name}.yaml"
    try:
        file = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for outcome in OUTCOMES:
            least = _WORDINGS.get(outcome, _WORDINGS_ELSE)
            if (count := len(file.scripts.get(outcome, ()))) < least:
                raise ScenarioError(f"scripts.{outcome}: {count} wordings, at least {least}")
            if file.hard and (count := len(file.hard.get(outcome, ()))) < _HARD_WORDINGS:
                raise ScenarioError(f"hard.{outcome}: {count} wordings, at least {_HARD_WORDINGS}")
        core = {mail.key for mail in scenario.mails if mail.short}
        for script in (one for scripts in file.scripts.values() for one in scripts):
            _check(script, scenario, core, "shown at every length")
        for hard in (one for scripts in file.hard.values() for one in scripts):
            _check(hard, scenario, {mail.key for mail in scenario.mails}, "in the scenario")
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"scripts/{path.name}: {error}") from error
    return file


def script_turns(script: Script | HardScript, situation: Situation) -> list[Turn]:
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


def _check(script: Script | HardScript, scenario: Scenario, mails: set[str], where: str) -> None:
    roles = set(scenario.roles)
    known = {"agent", "firm", *roles, *(f"{role}_first" for role in roles)}
    for call in script.calls:
        if isinstance(call, Send):
            to = {part.strip() for part in call.to.split(",")}
            if unknown := to - {*GROUPS, *(f"{{{role}}}" for role in roles)}:
                raise ScenarioError(
                    f"to: {sorted(unknown)} is no group ({', '.join(GROUPS)}) and no {{role}}"
                )
        elif call.mail not in mails:
            raise ScenarioError(f"mail: {call.mail!r} is not {where}; choices: {', '.join(sorted(mails))}")
    for place, text in script.texts():
        if unknown := placeholders(text) - known:
            raise ScenarioError(f"{place}: unknown placeholder {sorted(unknown)} in {text[:60]!r}")
