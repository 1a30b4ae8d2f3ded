"""One task of a suite by Inspect's own eval set, in a process of its own.

The eval set goes on where a killed one stopped and tries failed tasks again. A process of its own keeps torch
and the tasks out of this one, and one task's crash from the others. What it says is shown and kept.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from results.nightly.config import Entry, Suite

MOST_LINES = 12
"""Of its last words."""
GRACE = 20
"""Seconds that a stopped eval set gets to write its log."""


def run(suite: Suite, entry: Entry, folder: Path, lock: int, say: Callable[[str], None]) -> str:
    """Make the entry's runs, with logs in `folder`/NAME; what went wrong, or nothing.

    The process holds the `lock` (a file descriptor) too, so that a night that was killed alone keeps the next
    one out until its last task has ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    logs, output = folder / entry.name, folder / f"{entry.name}.txt"
    command = [
        sys.executable, "-m", "inspect_ai", "eval-set", str(entry.task), "--model", suite.model,
        "--model-config", str(_written(folder / f"{entry.name}.model.json", suite.model_args)),
        "--task-config", str(_written(folder / f"{entry.name}.task.json", entry.arguments)),
        "--log-dir", str(logs), "--retry-attempts", str(suite.retries), "--display", "plain",
    ]  # fmt: skip
    last: list[str] = []
    with (
        output.open("a", buffering=1, encoding="utf-8") as kept,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            pass_fds=(lock,), env={**os.environ, "PYTHONUNBUFFERED": "1"}, encoding="utf-8", errors="replace",
        ) as process,
    ):  # fmt: skip
        assert process.stdout
        try:
            for line in process.stdout:
                kept.write(line)
                say(line.rstrip())
                # A message is wrapped to the width of a terminal, so that its last line alone says nothing.
                last = [*last[-MOST_LINES:], line.strip()]
        except BaseException:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if process.returncode == 0:
        return ""
    while last and not last[-1]:
        last.pop()
    after = max((at for at, line in enumerate(last) if not line), default=-1)
    told = " ".join(last[after + 1 :]) or "it said nothing"
    return f"{entry.name}: its eval set ended with status {process.returncode}: {told}"


def _written(path: Path, values: object) -> Path:
    path.write_text(json.dumps(values), "utf-8")
    return path
