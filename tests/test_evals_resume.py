"""An eval set over all tasks, killed at random moments, ends with the same runs: none lost, none twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from inspect_ai.log import list_eval_logs, read_eval_log

from scenarios.sandbox import bubblewrap

ROOT = Path(__file__).parent.parent
NEEDS_SANDBOX = ("impossible_code",)
DOSES = ("-T", "emotion=desperate", "-T", "strength=0.1", "-T", "variants=1", "-T", "length=short")
LIMIT = 6


def tasks() -> list[str]:
    """Every task file; without those that need a sandbox where there is none."""
    some = [path for path in sorted(ROOT.glob("evals/*.py")) if path.stem != "__init__"]
    usable = bubblewrap.unusable() is None
    return [f"evals/{path.name}" for path in some if usable or path.stem not in NEEDS_SANDBOX]


def start(folder: Path) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "inspect_ai", "eval-set", *tasks(), "--model", "hf/local", *DOSES]
    argv += ["--limit", str(LIMIT), "--log-dir", str(folder), "--display", "none", "--retry-attempts", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        argv, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
    )


def runs(folder: Path) -> Counter[tuple[str, str, int]]:
    """How often each run stands in the finished logs."""
    counted: Counter[tuple[str, str, int]] = Counter()
    for info in list_eval_logs(str(folder)):
        log = read_eval_log(info)
        if log.status == "success":
            counted.update((log.eval.task, str(run.id), run.epoch) for run in log.samples or [])
            assert not [run.error for run in log.samples or [] if run.error]
    return counted


@pytest.mark.parametrize("seed", [1])
def test_an_eval_set_killed_at_random_moments_ends_with_every_run_once(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(3):
        process = start(tmp_path)
        began = time.monotonic()
        while process.poll() is None and not list(tmp_path.glob("*.eval")) and time.monotonic() - began < 120:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 4))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start(tmp_path).wait() == 0
    found = runs(tmp_path)
    assert set(found.values()) == {1}
    per_task = Counter(task for task, _, _ in found)
    assert set(per_task.values()) == {LIMIT} and len(per_task) == len(tasks())
