"""The folder of one night, its state, and the lock on the folder of all nights.

OUTPUT/.lock                    held while a night runs
OUTPUT/NIGHT/night.json         what it runs, when it began, which of its tasks are done, what came of it
OUTPUT/NIGHT/logs/TASK/*.eval   Inspect's logs
OUTPUT/NIGHT/...                the reports
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from results.comparison import Value
from results.nightly.config import Suite
from results.table import TableError

STATE = "night.json"


class State(Value):
    """What is known of a night between two commands."""

    suite: str
    runs: dict[str, Any]
    """`Suite.runs`."""
    started: str
    """ISO 8601, UTC."""
    done: tuple[str, ...] = ()
    """Tasks whose eval set is complete."""
    verdict: str = ""


class Night:
    """One night's folder."""

    def __init__(self, path: Path, state: State) -> None:
        self.path, self.state = path, state

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def note(self, **changed: Any) -> None:
        """Remember it, at once and whole."""
        self.state = self.state.model_copy(update=changed)
        self.path.mkdir(parents=True, exist_ok=True)
        written = self.path / f".{STATE}"
        written.write_text(self.state.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(written, self.path / STATE)


@contextmanager
def locked(output: Path) -> Iterator[int]:
    """Hold the folder of all nights; a second night that wants it is refused. Yields the file descriptor."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TableError(
                f"{output}: another night is running here; wait for its end, or give this one its own output"
            ) from error
        yield lock.fileno()


def open_night(suite: Suite, name: str | None, again: bool) -> Night:
    """The night of that name, by default today's date: begun now, or as far as it got.

    `again` begins another one beside a night that is complete. A night of other runs is refused.
    """
    wanted = name or datetime.now().strftime("%Y-%m-%d")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", wanted):
        raise TableError(f"a night's name has letters, digits, '.', '_' and '-' only, not {wanted!r}")
    path, number = suite.output / wanted, 1
    while again and _is_complete(path, suite):
        number += 1
        path = suite.output / f"{wanted}.{number}"
    state = read_state(path)
    if state is None:
        if path.exists() and any(path.iterdir()):
            raise TableError(f"{path} is there and is no night: it has no {STATE}")
        night = Night(path, State(suite=suite.suite, runs=suite.runs, started=_now()))
        night.note()
        return night
    if state.runs != suite.runs:
        raise TableError(
            f"the night {path.name} was begun with other tasks or another model; --night gives another name"
        )
    return Night(path, state)


def read_state(path: Path) -> State | None:
    """The state of the night at `path`; None where there is none."""
    try:
        return State.model_validate_json((path / STATE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise TableError(f"{path / STATE} is not readable as the state of a night") from error


def forget_old(suite: Suite, current: Night) -> list[str]:
    """Remove what is older than the newest nights; only nights of this suite, never the current one."""
    nights = []
    for path in (state.parent for state in suite.output.glob(f"*/{STATE}")):
        state = read_state(path)
        if state and state.suite == suite.suite and path != current.path:
            nights.append((state.started, path))
    old = [path for _, path in sorted(nights, reverse=True)[suite.keep - 1 :]]
    for path in old:
        shutil.rmtree(path)
    return [path.name for path in old]


def _is_complete(path: Path, suite: Suite) -> bool:
    state = read_state(path)
    return state is not None and {entry.name for entry in suite.tasks} <= set(state.done)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
