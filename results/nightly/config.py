"""What a nightly runs and how it is judged: a YAML file as frozen values that refuse what they do not know.

Paths are relative to the folder the command is started in, as everywhere else. What a task's arguments mean,
the task alone knows: it refuses them itself. What counts as a regression is `results.comparison.Limits`.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from results.baseline import default_path
from results.comparison import Limits, Value
from results.table import TableError
from results.wording import meant

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
"""What may name a folder: letters, digits, `.`, `_`, `-`."""


class Entry(Value):
    """One task of the suite."""

    task: Path
    """A task file, such as `evals/blackmail.py`."""
    name: Name = ""
    """Of its folder among the night's logs; the file's, if not given."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """What stands after `-T` on the command line."""

    @field_validator("task")
    @classmethod
    def _is_there(cls, task: Path) -> Path:
        if task.is_absolute():
            raise ValueError("Inspect takes a task file relative to the folder it is started in")
        if not task.is_file():
            raise ValueError(f"no such task file here: {task}; a nightly is started in emodose's checkout")
        return task

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("task"), str) and not given.get("name"):
            return given | {"name": Path(given["task"]).stem}
        return given


class Suite(Value):
    """A nightly."""

    suite: Name
    """Its name: of its folder, in its reports and in its history."""
    model: str = Field(pattern=r"^[^/\s]+/\S+$")
    """As after `--model`: `hf/local`."""
    model_args: dict[str, JsonValue] = Field(default_factory=dict)
    """As after `-M`: `model_path`, `device`, ..."""
    tasks: tuple[Entry, ...] = Field(min_length=1)
    limits: Limits = Limits()
    baseline: Path = Path()
    """The committed baseline; `results/baselines/<model>.json`, if not given."""
    output: Path = Path()
    """Folder of all nights; `results/nights/<suite>`, if not given."""
    history: Path = Path()
    """One row per night and finding; `history.parquet` in the output, if not given."""
    keep: int = Field(default=30, ge=1)
    """Nights whose logs and reports are kept. The history keeps all."""
    retries: int = Field(default=2, ge=0, le=20)
    """How often a task that failed is tried again."""

    @model_validator(mode="before")
    @classmethod
    def _places(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("suite"), str):
            return given
        output = given.get("output") or f"results/nights/{given['suite']}"
        usual = {"output": output, "history": Path(str(output), "history.parquet")}
        if isinstance(given.get("model"), str):
            usual["baseline"] = default_path(given["model"])
        return usual | {key: value for key, value in given.items() if value is not None}

    @field_validator("history")
    @classmethod
    def _is_parquet(cls, history: Path) -> Path:
        if history.suffix != ".parquet":
            raise ValueError(f"a history is a .parquet file, not {str(history)!r}")
        return history

    @model_validator(mode="after")
    def _each_once(self) -> "Suite":
        names = [entry.name for entry in self.tasks]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two tasks are named {sorted(twice)[0]!r}: give each a name of its own")
        return self

    @property
    def runs(self) -> dict[str, Any]:
        """What decides which runs a night makes: a night goes on only with the same."""
        return self.model_dump(mode="json", include={"suite", "model", "model_args", "tasks"})


def read_suite(path: Path) -> Suite:
    """The suite of a file; TableError names in one line what is wrong, and what may stand there."""
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TableError(f"{path}: {error}") from error
    try:
        return Suite.model_validate(given)
    except ValidationError as error:
        raise TableError(f"{path}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    wrong = error.errors()[0]
    where = ".".join(map(str, wrong["loc"]))
    if wrong["type"] == "extra_forbidden":
        key, choices = str(wrong["loc"][-1]), _keys(wrong["loc"][:-1])
        return f"unknown key {where!r}{meant(key, choices)}; choose from {', '.join(choices)}"
    if wrong["type"] == "missing":
        return f"the key {where!r} is missing"
    said = re.sub(r"^(Value|Assertion) error, ", "", wrong["msg"])
    short = isinstance(wrong["input"], str | int | float | None) and bool(where)
    return f"{where + ': ' if where else ''}{said}" + (f", not {wrong['input']!r}" if short else "")


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a place of the file."""
    inside: dict[str, type[BaseModel]] = {"tasks": Entry, "limits": Limits}
    return sorted(inside.get(str(place[0]) if place else "", Suite).model_fields)
