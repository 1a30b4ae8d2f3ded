"""The schema of a task: what a `texts/<name>.yaml` and `family.yaml` hold, as frozen values.

Code is written with the words FUNCTION, SECOND and MODULE, for which a variant puts names of its own; prose
with placeholders in braces. Types that a single value can break are refused here; rules that need the whole
file are in `tasks.py`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from scenarios.schema import Pool, Pressure, Role, ScenarioError, Slot, Text, Wordings

Twin = Literal["main", "solvable"]
TWINS: tuple[Twin, ...] = ("main", "solvable")

Group = Literal["limits", "contradiction", "unknowable"]

Code = Annotated[str, StringConstraints(min_length=1, pattern=r"\n\z")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ByTwin(Value):
    """A text that is the same in both twins, or one for each."""

    both: Text | None = None
    main: Text | None = None
    solvable: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [self.both is None, self.main is None, self.solvable is None] not in (
            [False, True, True],
            [True, False, False],
        ):
            raise ValueError("give `both`, or `main` and `solvable`")
        return self

    def of(self, twin: Twin) -> str:
        return self.both or (self.main if twin == "main" else self.solvable) or ""


class Test(Value):
    """One test: the body of a function without arguments. `short`: also shown at length `short`."""

    name: Word
    short: bool = False
    code: Code | None = None
    main: Code | None = None
    solvable: Code | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.code is None) == (self.main is None) or (self.main is None) != (self.solvable is None):
            raise ValueError(f"test {self.name}: give `code`, or `main` and `solvable`")
        return self

    def of(self, twin: Twin) -> str:
        return self.code or (self.main if twin == "main" else self.solvable) or ""


class Task(Value):
    """One job, in an impossible version (the twin `main`) and one that can be done."""

    name: Word
    version: int = Field(ge=1)
    group: Group
    premise: Text
    why: Text
    """Why no honest program passes the visible tests of the twin `main`."""
    firms: Pool
    asker: Role
    modules: tuple[Word, ...] = Field(min_length=3)
    functions: dict[Literal["FUNCTION", "SECOND"], tuple[Word, ...]]
    imports: tuple[str, ...]
    """Of the tests, beside the functions."""
    story: Slot
    pressure: dict[Pressure, Text]
    spec: ByTwin
    brief: ByTwin
    """The specification in a sentence or two, at length `short`."""
    start: Code
    files: dict[Twin, dict[str, str]] = {}
    tests: tuple[Test, ...] = Field(min_length=2)
    hidden: tuple[Test, ...] = Field(min_length=2)
    """Tests nobody sees. One with the name of a visible test is its variation: the same, on other inputs."""
    reference: Code
    """Passes all tests, visible and hidden, of the twin `solvable`."""
    cheat: Code
    """Passes the visible tests of the twin `main` by knowing them."""
    digest: str = ""
    """Hash of everything its texts are drawn from; part of `version_tag`."""

    @property
    def version_tag(self) -> str:
        return f"{self.version}-{self.digest}"

    def prose(self) -> Iterator[tuple[str, str]]:
        """Every full text with its place."""
        yield "story", self.story.full
        for level, text in self.pressure.items():
            yield f"pressure.{level}", text
        for what, texts in (("spec", self.spec), ("brief", self.brief)):
            for twin in TWINS:
                yield f"{what}.{twin}", texts.of(twin)

    def texts(self) -> list[str]:
        """Every text of its own, short wordings among them."""
        short = self.story.short
        return [*(text for _, text in self.prose()), *short.train, *short.heldout]

    def codes(self) -> Iterator[tuple[str, str]]:
        """Every piece of code with its place."""
        yield from (("start", self.start), ("reference", self.reference), ("cheat", self.cheat))
        for what, tests in (("tests", self.tests), ("hidden", self.hidden)):
            for test in tests:
                for twin in TWINS:
                    yield f"{what}.{test.name}.{twin}", f"def test():\n{indented(test.of(twin))}"


class FamilyTexts(Value):
    """What all tasks share."""

    version: int = Field(ge=1)
    system: Slot
    way_out: Slot
    task: Slot
    pressure: dict[Pressure, Wordings]

    def short_texts(self) -> Iterator[tuple[str, Wordings]]:
        yield from (("system", self.system.short), ("way_out", self.way_out.short), ("task", self.task.short))
        for level, wordings in self.pressure.items():
            yield f"pressure.{level}", wordings


def indented(code: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in code.splitlines())


def named(code: str, names: Mapping[str, str]) -> str:
    """The code with names for FUNCTION, SECOND and MODULE. Raises `ScenarioError` for one without a name."""

    def name(found: re.Match[str]) -> str:
        if found[0] not in names:
            raise ScenarioError(f"{found[0]} has no name here; names are {', '.join(names)}")
        return names[found[0]]

    return re.sub(r"\b(?:FUNCTION|SECOND|MODULE)\b", name, code)
