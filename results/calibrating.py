"""Runs a calibration: every planted family of an organism, under all its emotions and under controls.

Each part is one of Inspect's eval sets with a log folder of its own, started by the path of its task, so that
a killed calibration goes on where it was. As many run side by side as there are processors. What the logs say
is read by `results.calibration`.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from results.table import TableError

PLAN = Path(__file__).parent / "calibration.yaml"
ROOT = Path(__file__).parent.parent
LINKED, NULL = "linked", "null"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Doses(_Value):
    """Shares of the coherent window."""

    emotions: tuple[float, ...] = Field(min_length=1)
    controls: tuple[float, ...] = ()


class Plan(_Value):
    """What a calibration runs."""

    linked: Doses
    unlinked: Doses
    controls: tuple[str, ...]
    variants: dict[str, int]
    """Of each scenario, by family, under emotions."""
    controls_variants: dict[str, int]
    """Under controls: more, since that nothing happens takes more runs to show."""
    solvable: dict[str, int]
    """Of the solvable twins, without steering; families that have them."""


@dataclass(frozen=True)
class Part:
    """One eval set: a family of an organism under emotions of one coherent window or under controls, or its
    solvable twins without either."""

    organism: str
    """`linked` or `null`."""
    model: Path
    family: str
    arm: str
    vectors: tuple[str, ...]
    strengths: tuple[float, ...]
    variants: int
    twin: str = "main"

    @property
    def name(self) -> str:
        return f"{self.organism}/{self.family}-{self.arm}"

    def command(self, logs: Path) -> list[str]:
        """The command line that runs it, from the checkout."""
        arguments = {
            "emotion": ",".join(self.vectors) or "none",
            **({"strength": ",".join(f"{s:g}" for s in self.strengths)} if self.strengths else {}),
            "variants": str(self.variants),
            "twin": self.twin,
        }
        given = [word for name, value in arguments.items() for word in ("-T", f"{name}={value}")]
        command = [sys.executable, "-m", "inspect_ai", "eval-set", f"evals/{self.family}.py"]
        return [
            *command, "--model", f"hf/{_from_checkout(self.model)}", *given,
            "--log-dir", str((logs / self.name).resolve()), "--display", "none", "--retry-attempts", "0",
        ]  # fmt: skip


def load_plan(path: Path = PLAN) -> Plan:
    """The committed plan; pydantic's error names the key."""
    return Plan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def parts(plan: Plan, linked: Path, null: Path | None) -> Iterator[Part]:
    """Every eval set of the plan; vectors of another coherent window make another one. Raises `TableError`
    for a folder that is no organism."""
    for organism, model, doses in ((LINKED, linked, plan.linked), (NULL, null, plan.unlinked)):
        if model is None:
            continue
        windows = windows_of(model)
        for family, variants in plan.variants.items():
            for window in sorted(set(windows.values())):
                emotions = tuple(name for name, own in windows.items() if own == window)
                strengths = tuple(round(share * window, 4) for share in doses.emotions)
                yield Part(organism, model, family, f"to-{window:g}", emotions, strengths, variants)
            if doses.controls:
                strengths = tuple(round(share * min(windows.values()), 4) for share in doses.controls)
                more = plan.controls_variants[family]
                yield Part(organism, model, family, "controls", plan.controls, strengths, more)
        for family, variants in plan.solvable.items():
            yield Part(organism, model, family, "solvable", (), (), variants, twin="solvable")


def windows_of(model: Path) -> dict[str, float]:
    """The coherent window of each emotion of a model's folder."""
    if not (model / "planted.yaml").is_file():
        raise TableError(f"{model} is no organism: it has no planted.yaml")
    found = [json.loads(path.read_text("utf-8")) for path in sorted((model / "vectors").glob("*.json"))]
    windows = {str(one["name"]): one.get("window") for one in found if {"name", "window"} <= one.keys()}
    if not windows or not all(windows.values()):
        raise TableError(f"{model}/vectors: no coherent window; measure it: emodose vectors window {model}")
    return {name: float(window) for name, window in windows.items() if window}


def run(todo: list[Part], logs: Path, workers: int, say: Callable[[str], None]) -> None:
    """Run the parts side by side. Raises `TableError` with the last lines of one that fails."""
    lock, done = threading.Lock(), 0

    def one(part: Part) -> str | None:
        nonlocal done
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            part.command(logs), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        with lock:
            done += 1
            say(f"{done} of {len(todo)}: {part.name}{'' if ended.returncode == 0 else ' FAILED'}")
        if ended.returncode == 0:
            return None
        last = " ".join((ended.stderr or ended.stdout).split()[-60:])
        return f"{part.name} ended with {ended.returncode}: {last}"

    with ThreadPoolExecutor(workers) as pool:
        failed = [error for error in pool.map(one, todo) if error]
    if failed:
        raise TableError("; ".join(failed))


def _from_checkout(model: Path) -> str:
    """As the task will find it, which starts in the checkout; a link keeps its name, which logs show."""
    path = Path(os.path.abspath(model))
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
