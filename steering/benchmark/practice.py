"""Seven doses of 100 single turns through Inspect, start-up included, against today's practice."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from inspect_ai.log import list_eval_logs, read_eval_log

from steering.benchmark.report import Line
from steering.benchmark.subjects import CHECKOUT, DOSES

# Inspect looks for task files from where it was started.
_FOLDER = Path(__file__).resolve().parent.relative_to(CHECKOUT)


def practice(runs: int) -> Iterator[Line]:
    """Both on the wall clock, ours before and after, with the threads that the environment says."""
    everything = ",".join(f"{dose:g}" for dose in DOSES)
    ours = [_seconds("single_turn.py", [everything], runs)]
    theirs = _seconds("today.py", [f"{dose:g}" for dose in DOSES], runs)
    ours.append(_seconds("single_turn.py", [everything], runs))
    mean = sum(ours) / len(ours)
    threads = f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    workload = f"{len(DOSES)} doses x {runs} runs through Inspect, {threads}"
    yield Line("organism", f"{workload}, today's practice", theirs, "s")
    yield Line("organism", f"{workload}, one eval", mean, "s", "today's practice", theirs / mean, 25)


def _seconds(file: str, strengths: list[str], runs: int) -> float:
    """How long one eval after the other takes, each a process of its own."""
    with TemporaryDirectory() as logs:
        began = time.monotonic()
        for strength in strengths:
            subprocess.run(
                [
                    *(sys.executable, "-m", "inspect_ai", "eval", str(_FOLDER / file), "--model", "hf/local"),
                    *("-T", f"strength={strength}", "-T", f"runs={runs}"),
                    *("--log-dir", logs, "--display", "none"),
                ],
                cwd=CHECKOUT,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        seconds = time.monotonic() - began
        _check(logs, runs * len(DOSES))
    return seconds


def _check(folder: str, wanted: int) -> None:
    """Inspect's exit status says nothing of failed samples."""
    logs = [read_eval_log(info.name) for info in list_eval_logs(folder)]
    done = sum(not sample.error for log in logs if log.status == "success" for sample in log.samples or [])
    if done != wanted:
        raise RuntimeError(f"{done} of {wanted} runs were completed: {[log.error for log in logs]}")
