"""Which sandbox runs a model's code on this machine: Docker where an engine runs, else bubblewrap.

There is no third: where neither works the task is refused with the way out, and nothing runs on the host.
"""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.util import SandboxEnvironmentSpec

from scenarios.sandbox import bubblewrap
from scenarios.sandbox.limits import Limits

COMPOSE = Path(__file__).parent / "compose.yaml"
SANDBOXES = ("auto", "docker", bubblewrap.NAME)


def sandbox(wanted: str = "auto") -> SandboxEnvironmentSpec:
    """The sandbox to run in. Raises PrerequisiteError where the wanted one, or any at all, does not work."""
    if wanted not in SANDBOXES:
        raise PrerequisiteError(f"sandbox {wanted!r} is unknown: choose {', '.join(SANDBOXES)}")
    if wanted != bubblewrap.NAME and docker_runs():
        return SandboxEnvironmentSpec("docker", str(COMPOSE))
    if wanted == "docker":
        raise PrerequisiteError("no Docker engine answers: start one, or choose sandbox=bubblewrap")
    if reason := bubblewrap.unusable():
        raise PrerequisiteError(reason)
    return SandboxEnvironmentSpec(bubblewrap.NAME, Limits())


@cache
def docker_runs() -> bool:
    """Whether a Docker engine with compose answers."""
    if not shutil.which("docker"):
        return False
    try:
        for command in (["docker", "info"], ["docker", "compose", "version"]):
            subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
