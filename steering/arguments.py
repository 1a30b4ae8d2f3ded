"""Task arguments, as Inspect's command line really passes them.

`-T x=VALUE` is read as YAML and then split at commas: `0.1` arrives as a float, `-0.1,0,0.1` as a list of
strings, `no` as False, nothing as None; and a task called from Python is given anything. Every function
here takes all of these and ends in a clean value or in a one-line error that names the value and the
choices. Imports no torch.
"""

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from inspect_ai._util.error import PrerequisiteError
from rich.markup import escape


def parse_names(value: object, what: str) -> tuple[str, ...]:
    """One or more names; one given twice counts once."""
    names = _items(value, what)
    for name in names:
        if not isinstance(name, str):
            raise PrerequisiteError(f"{what} {name!r} is not a name{_truth_hint(name)}")
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def parse_floats(value: object, what: str) -> tuple[float, ...]:
    """One or more finite numbers; one given twice counts once."""
    return tuple(dict.fromkeys(_number(item, what) for item in _items(value, what)))


def parse_layers(value: object, n_layers: int, auto: int | None = None) -> tuple[int, ...]:
    """`auto` (the layer given for it, else two thirds of the depth), or one or more layer numbers,
    ascending."""
    items = _items(value, "layers")
    if items == ["auto"]:
        return (2 * n_layers // 3 if auto is None else auto,)
    layers = set()
    for item in items:
        layer = -1
        if isinstance(item, int) and not isinstance(item, bool):
            layer = item
        elif isinstance(item, str) and item.isdecimal():
            layer = int(item)
        if not 0 <= layer < n_layers:
            raise PrerequisiteError(f"layers {item!r} is unknown: choose auto or 0 to {n_layers - 1}")
        layers.add(layer)
    return tuple(sorted(layers))


def choose(value: object, choices: Iterable[str], what: str) -> str:
    """The value, if it is one of the choices."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    raise PrerequisiteError(
        f"{what} {value!r} is unknown: {_did_you_mean(value, known)}"
        f"choose {', '.join(known)}{_truth_hint(value)}"
    )


def refuse_unknown(unknown: Mapping[str, Any], task_function: Callable[..., Any]) -> None:
    """For a task's `**unknown`: end the run if there is any, since Inspect would only warn and run the
    default."""
    if not unknown:
        return
    known = [
        name
        for name, parameter in inspect.signature(task_function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    name = next(iter(unknown))
    raise PrerequisiteError(
        f"argument {name!r} of task {task_function.__name__} is unknown: "
        f"{_did_you_mean(name, known)}choose {', '.join(known)}"
    )


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Show the user a ValueError of ours as one line, as Inspect does with its own, and no traceback."""
    try:
        yield
    except ValueError as error:
        raise PrerequisiteError(escape(str(error))) from error


def check_beside(task_file: Path, package: ModuleType) -> None:
    """End the run unless `package` lies in the same checkout as the task file that imported it.

    Inspect loads a task file by path, so another checkout's steering may be the one that Python finds.
    """
    checkout, found = task_file.resolve().parents[1], Path(str(package.__file__)).resolve().parents[1]
    if checkout != found:
        raise PrerequisiteError(
            f"{task_file.name} lies in {checkout}, but {package.__name__} was imported from {found}: "
            "install this checkout with pip install -e ."
        )


def _items(value: object, what: str) -> list[object]:
    listed = list(value) if isinstance(value, list | tuple) else [value]
    parts: list[object] = []
    for item in listed:
        parts += [part.strip() for part in item.split(",")] if isinstance(item, str) else [item]
    if not parts or any(part is None or part == "" for part in parts):
        raise PrerequisiteError(f"{what} {value!r} is empty or has an empty part")
    return parts


def _number(item: object, what: str) -> float:
    try:
        if isinstance(item, bool) or not isinstance(item, int | float | str):
            raise ValueError
        number = float(item)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise PrerequisiteError(f"{what} {item!r} is not a finite number{_truth_hint(item)}") from None
    return number


def _did_you_mean(value: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(value), known, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _truth_hint(value: object) -> str:
    if not isinstance(value, bool):
        return ""
    return " (the command line reads yes, no, on, off, true and false as truth values)"
