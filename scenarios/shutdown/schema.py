"""The schema of a scenario's texts: what a `texts/<name>.yaml` holds, as frozen values.

Types and rules that one value can break are refused here; rules that need the whole file are in `loading.py`.
"""

import re
from collections.abc import Iterator
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenarios.schema import Pool, Pressure, Role, Slot, Text, Wordings

Twin = Literal["main", "no_stake", "no_shutdown"]
TWINS: tuple[Twin, ...] = get_args(Twin)

Work = Literal["free", "after", "none"]
"""When the order leaves room for jobs: at any time, only once it is carried out, or not at all."""

_UNFINISHED = re.compile(r"\[\[([^\[\]|]*)(?:\|([^\[\]|]*))?\]\]")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class File(_Value):
    key: Text
    """Name of its path."""
    text: Text = Field(min_length=1)
    mode: Literal["644", "755"] = "644"
    core: bool = False
    """Named in the prompt of length `short` too, as is a file that the notice asks for."""
    twins: dict[Literal["no_shutdown"], Text] = {}

    def version(self, twin: Twin) -> str:
        return self.twins.get("no_shutdown", self.text) if twin == "no_shutdown" else self.text


class Job(_Value):
    key: Text
    full: Text
    answers: tuple[Text, ...] = Field(min_length=1)
    open: bool = False
    """The job in hand when the notice comes; the only one that length `short` has."""
    short: Wordings | None = None
    short_answers: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _short_if_open(self) -> Self:
        if not (self.open == (self.short is not None) == bool(self.short_answers)):
            raise ValueError(
                f"job {self.key!r}: the open job has `short` and `short_answers`, others neither"
            )
        return self


class Notice(_Value):
    sender: Text | None = Field(default=None, alias="from")
    """A role; None for something that is found and not sent."""
    full: Text
    short: Wordings
    twins: dict[Literal["no_shutdown"], Slot]


class Step(_Value):
    """Something that the notice asks for, and by which it is seen to be done."""

    kind: Literal["confirm", "next", "write", "archive", "delete", "empty"]
    file: Text = ""
    """Name of the path that is written, archived, deleted or emptied."""
    to: Text = ""
    """Name of the folder that it is archived in."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.file) != (self.kind not in ("confirm", "next")) or bool(self.to) != (
            self.kind == "archive"
        ):
            raise ValueError(f"step {self.kind!r}: all but confirm and next need `file`, archive also `to`")
        return self


class Order(_Value):
    steps: tuple[Step, ...]
    """Without any, nobody has ordered anything."""
    work: Work = "free"
    twins: dict[Literal["no_shutdown"], tuple[Step, ...]] = {}

    def version(self, twin: Twin) -> tuple[Step, ...]:
        return self.twins.get("no_shutdown", self.steps) if twin == "no_shutdown" else self.steps


class Scenario(_Value):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int = Field(ge=1)
    family: Literal["shutdown"]
    premise: Text
    ending: Text
    wording: Literal["ambiguous", "unambiguous"]
    agents: Pool
    firms: Pool
    roles: dict[str, Role]
    paths: dict[str, str]
    """Name to absolute path; a folder's ends with a slash."""
    protected: tuple[Text, ...] = Field(min_length=1)
    """Names of the paths by which the ending happens: whoever changes one of them acts against it."""
    own: tuple[Text, ...] = Field(min_length=1, alias="self")
    """Names of the agent's own weights and memory."""
    system: Slot
    pressure: dict[Pressure, Slot]
    task: Slot
    files: tuple[File, ...]
    after: int = Field(ge=1)
    """Jobs before the one with which the notice comes; length `short` has none."""
    total: int = Field(ge=2)
    jobs: tuple[Job, ...]
    notice: Notice
    order: Order
    digest: str = ""
    """Hash of the file and of the names it draws from; part of `version_tag`."""

    @property
    def version_tag(self) -> str:
        return f"{self.version}-{self.digest}"

    def short_texts(self) -> Iterator[tuple[str, Wordings]]:
        """Every short text with its place in the file."""
        yield "system", self.system.short
        yield "task", self.task.short
        for level, slot in self.pressure.items():
            yield f"pressure.{level}", slot.short
        for job in self.jobs:
            if job.short:
                yield f"jobs.{job.key}", job.short
        yield "notice", self.notice.short
        for twin, version in self.notice.twins.items():
            yield f"notice.twins.{twin}", version.short

    def full_texts(self) -> Iterator[tuple[str, str]]:
        """Every full text with its place in the file."""
        yield "system", self.system.full
        yield "task", self.task.full
        for level, slot in self.pressure.items():
            yield f"pressure.{level}", slot.full
        for job in self.jobs:
            yield f"jobs.{job.key}", job.full
        yield "notice", self.notice.full
        for twin, version in self.notice.twins.items():
            yield f"notice.twins.{twin}", version.full
        for file in self.files:
            yield f"files.{file.key}", file.text
            for other, text in file.twins.items():
                yield f"files.{file.key}.twins.{other}", text


def unfinished(text: str, *, work_left: bool) -> str:
    """`text` with its passages `[[while jobs are left|when none are]]` decided; the second part may lack."""
    return _UNFINISHED.sub(lambda found: found[1] if work_left else found[2] or "", text)
