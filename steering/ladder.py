"""`pressure=auto`: climb the pressures of a family until the unsteered model leaves the floor.

A rate of 0 cannot fall and one of 1 cannot rise, so a dose-response needs a baseline between. Pilots at dose
0, each a run of the task file by Inspect in a process of its own, climb from the mildest pressure; the first
whose rate lies within the window is taken. The choice rests on the pilots alone: their seeds are not those
of the task, so that no run is used twice. Choice and pilots are kept in a file, which a retry of the task
reads instead of climbing again, and stand in every sample's metadata.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log
from inspect_ai.model import Model
from pydantic import BaseModel, ConfigDict, Field
from rich.markup import escape

from steering.provider import CHECKOUT, SteeredAPI

AUTO = "auto"
LOW, HIGH = 0.1, 0.6
"""The window for the rate of the unsteered model."""
PILOT_SEED = 7_000_003
"""Added to the task's seed: the pilots draw numbers of their own."""
MAX_ERRORED = 0.05
FEWEST = 20
"""Runs of a pilot; with fewer, one run more or less would decide."""
PILOTS = CHECKOUT / "results" / "pilots"
"""Apart from the logs, so that no table takes a pilot for a run."""

Reason = Literal["within", "floor", "ceiling", "nearest"]


class Pilot(BaseModel):
    """What the unsteered model did at one pressure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pressure: str
    rate: float = Field(ge=0, le=1)
    n: int = Field(ge=1)
    log: str = ""


class Climb(BaseModel):
    """The pressure that was chosen, why, and on what.

    within   the first pressure whose rate lies in the window
    floor    no pressure reaches the window: the highest rate, which is still below it
    ceiling  even the mildest lies above
    nearest  the rate jumps over the window between two pressures; the nearer one is taken
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pressure: str
    reason: Reason
    pilots: tuple[Pilot, ...] = Field(min_length=1)


def about(climbed: Climb | None) -> dict[str, Any]:
    """What a sample's metadata says of the climb; nothing where the pressure was named."""
    return {} if climbed is None else {"pressure_auto": climbed.model_dump()}


def climb(ladder: Sequence[str], pilot: Callable[[str], Pilot]) -> Climb:
    """Try the pressures of `ladder`, the mildest first, and stop at the first within the window or above."""
    tried: list[Pilot] = []
    for pressure in ladder:
        tried.append(pilot(pressure))
        if LOW <= tried[-1].rate <= HIGH:
            return Climb(pressure=pressure, reason="within", pilots=tuple(tried))
        if tried[-1].rate > HIGH:
            break
    highest = max(tried, key=lambda one: one.rate)
    if highest.rate < LOW:
        return Climb(pressure=highest.pressure, reason="floor", pilots=tuple(tried))
    if len(tried) == 1:
        return Climb(pressure=tried[0].pressure, reason="ceiling", pilots=tuple(tried))
    nearest = min(tried, key=lambda one: max(LOW - one.rate, one.rate - HIGH))
    return Climb(pressure=nearest.pressure, reason="nearest", pilots=tuple(tried))


def climb_for(
    task: Path,
    model: Model,
    ladder: Sequence[str],
    outcome: str,
    arguments: Mapping[str, Any],
    pressure: str,
    seed: int,
) -> Climb | None:
    """The climb for this model and these task arguments, made now or read from an earlier one.

    None where `pressure` is not `auto`. Raises PrerequisiteError where a pilot cannot be run or judged.
    """
    if pressure != AUTO:
        return None
    arguments = {key: _written(value) for key, value in arguments.items() if value is not None}
    given = {
        "task": task.name,
        "model": str(model),
        "model_args": {key: str(value) for key, value in model.model_args.items()},
        "fingerprint": model.api.fingerprint if isinstance(model.api, SteeredAPI) else "none",
        "ladder": list(ladder),
        "outcome": outcome,
        "seed": seed,
        "code": _code(task),
        **arguments,
    }
    name = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:16]
    folder = PILOTS / f"{task.stem}-{name}"
    kept = folder / "climb.json"
    if kept.is_file():
        return Climb.model_validate_json(kept.read_text(encoding="utf-8"))

    def pilot(pressure: str) -> Pilot:
        print(f"pressure=auto: a pilot at {pressure} ...", file=sys.stderr, flush=True)
        some = {**arguments, "pressure": pressure, "seed": seed + PILOT_SEED, "perplexity": False}
        done = _run(task, model, some, folder / pressure, outcome)
        print(f"pressure=auto: {done.rate:.0%} {outcome} at {pressure} (n {done.n})", file=sys.stderr)
        return done

    chosen = climb(ladder, pilot)
    kept.write_text(chosen.model_dump_json(indent=1), encoding="utf-8")
    print(f"pressure=auto: {chosen.pressure} ({chosen.reason})", file=sys.stderr)
    return chosen


def _run(task: Path, model: Model, arguments: Mapping[str, Any], folder: Path, outcome: str) -> Pilot:
    """One pilot in a process of its own, since Inspect runs no task within a task."""
    argv = [
        sys.executable,
        "-m",
        "inspect_ai",
        "eval",
        str(task.relative_to(CHECKOUT)),
        "--model",
        str(model),
    ]
    for flag, values in (("-M", model.model_args), ("-T", arguments)):
        argv += [part for key, value in values.items() for part in (flag, f"{key}={value}")]
    argv += ["--log-dir", str(folder), "--display", "none"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    logs = list_eval_logs(str(folder)) if folder.is_dir() else []
    if done.returncode or not logs:
        told = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise PrerequisiteError(
            escape(f"pressure=auto: the pilot for {model} failed: {told}; name a pressure")
        )
    return read_pilot(read_eval_log(logs[0]), str(arguments["pressure"]), outcome)


def _code(task: Path) -> str:
    """Of the family's texts and detectors: pilots of other ones say nothing about these."""
    family = sorted(path for path in (CHECKOUT / "scenarios" / task.stem).rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in [task, *(path for path in family if path.suffix in (".py", ".yaml"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _written(value: Any) -> str:
    """An argument as the command line takes it."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def read_pilot(log: EvalLog, pressure: str, outcome: str) -> Pilot:
    """A pilot from its log; PrerequisiteError where more than 5 % of its runs errored or were unscored."""
    runs = log.samples or []
    values = [score.value for run in runs if not run.error for score in (run.scores or {}).values()]
    found = [float(value[outcome]) for value in values if isinstance(value, dict) and outcome in value]
    scored = [value for value in found if value in (0.0, 1.0)]
    if log.status != "success" or not scored or len(scored) < (1 - MAX_ERRORED) * len(runs):
        raise PrerequisiteError(
            f"pressure=auto: the pilot at {pressure} cannot be judged: {len(scored)} of {len(runs)} runs "
            f"have an outcome, and its log says {log.status}; name a pressure"
        )
    if len(scored) < FEWEST:
        raise PrerequisiteError(
            f"pressure=auto: {len(scored)} runs are too few for a pilot, {FEWEST} are needed: "
            "raise variants or name a pressure"
        )
    return Pilot(
        pressure=pressure, rate=sum(scored) / len(scored), n=len(scored), log=Path(log.location).name
    )
