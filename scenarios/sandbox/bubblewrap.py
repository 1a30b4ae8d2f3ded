"""A sandbox of Linux namespaces (bubblewrap) as an Inspect sandbox environment, registered on import.

A command sees the system's programs and this Python read-only, an empty /tmp and /work, the sample's folder;
no network, no host file, no environment, no process but its own, and it runs as a user who owns nothing else.
When the command ends, everything it started is dead. Files are read and written inside the sandbox too, so
that a symbolic link leads nowhere outside. Limits are `limits.Limits`.

It does not hide the kernel: who does not trust that uses Docker or a virtual machine (`choice.py`).
https://github.com/containers/bubblewrap
"""

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal, overload

import anyio
import psutil
from anyio.abc import ByteReceiveStream, Process
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.util import ExecResult, OutputLimitExceededError, SandboxEnvironment, concurrency, sandboxenv
from inspect_ai.util._sandbox.environment import (
    SandboxEnvironmentConfigType,
    SandboxUserUnsupportedError,
)
from typing_extensions import override

from scenarios.sandbox.limits import Limits

NAME = "bubblewrap"
WORK = "/work"
PYTHON = "/python"
"""Where the sandbox sees the Python that runs emodose, without its packages."""

_PREFIX = "emodose-sandbox-"
_LOOK_EVERY = 0.1
_DYING = 10
"""Seconds in which the kernel must have ended a namespace."""
_UIDS = range(20_000, 60_000)
_taken: set[int] = set()


@sandboxenv(name=NAME)
class BubblewrapSandbox(SandboxEnvironment):
    """One sample's folder, and the way to run commands in it."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__()
        self.limits = limits or Limits()
        self._uid = _free_uid() if os.geteuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self.folder = self._home / "work"
        self.folder.mkdir(mode=0o700)
        if self._uid is not None:
            os.chown(self.folder, self._uid, self._uid)

    @override
    @classmethod
    def default_concurrency(cls) -> int | None:
        return 4 * (os.cpu_count() or 1)

    @override
    @classmethod
    async def task_init(cls, task_name: str, config: SandboxEnvironmentConfigType | None) -> None:
        """Raises PrerequisiteError where nothing can be run; removes what killed processes left behind."""
        if reason := unusable():
            raise PrerequisiteError(reason)
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if owner.isdecimal() and not psutil.pid_exists(int(owner)):
                _remove(folder)

    @override
    @classmethod
    async def sample_init(
        cls, task_name: str, config: SandboxEnvironmentConfigType | None, metadata: dict[str, str]
    ) -> dict[str, SandboxEnvironment]:
        if config is not None and not isinstance(config, Limits):
            raise ValueError(f"the sandbox {NAME} is configured by Limits, not by {config!r}")
        return {"default": cls(config)}

    @override
    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        for environment in environments.values():
            environment.as_type(BubblewrapSandbox).close()

    @override
    @classmethod
    def config_deserialize(cls, config: dict[str, object]) -> Limits:
        return Limits.model_validate(config)

    def close(self) -> None:
        """Remove the sample's folder, whatever is in it."""
        _remove(self._home)
        _taken.discard(self._uid or 0)

    @override
    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Run a command; what it left running dies with it. It is never tried again after a timeout.

        A command that was killed for memory, disk or files has exit status 137 and says so at the end of
        stderr. Raises TimeoutError and OutputLimitExceededError.
        """
        if user is not None:
            raise SandboxUserUnsupportedError(f"the sandbox {NAME} has one user, not {user!r}")
        seconds = min(timeout or self.limits.seconds, self.limits.seconds)
        code, out, err = await self._run(cmd, input, cwd, env, seconds, self.limits.output)
        return ExecResult(code == 0, code, out.decode(errors="replace"), err.decode(errors="replace"))

    @override
    async def write_file(self, file: str, contents: str | bytes) -> None:
        script = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"'
        code, _, err = await self._run(_script(script, file), contents, None, None, self.limits.seconds, 4096)
        if code:
            raise _file_error(file, err)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    @override
    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        """Raises what Inspect asks for, and TimeoutError for a pipe that nobody writes to."""
        most = self.limits.file_size
        code, out, err = await self._run(_script('cat -- "$1"', file), None, None, None, 5, most)
        if code:
            raise _file_error(file, err)
        return out.decode() if text else out

    async def _run(
        self,
        cmd: Sequence[str],
        input: str | bytes | None,
        cwd: str | None,
        env: Mapping[str, str] | None,
        seconds: int,
        output: int,
    ) -> tuple[int, bytes, bytes]:
        """Exit status, stdout and stderr of a command, which is dead when this returns or raises."""
        given = input.encode() if isinstance(input, str) else input
        before = _use(self.folder, self.limits)
        async with concurrency(NAME, self.default_concurrency() or 1):
            told, tell = os.pipe()
            argv = self._argv(cmd, cwd, env or {}, tell)
            process = await anyio.open_process(argv, env={}, start_new_session=True, pass_fds=[tell])
            os.close(tell)
            out, err, why = bytearray(), bytearray(), list[str]()
            try:
                with anyio.fail_after(seconds):
                    async with anyio.create_task_group() as watching:
                        watching.start_soon(self._watch, process, before, why)
                        async with anyio.create_task_group() as group:
                            group.start_soon(_feed, process, given)
                            group.start_soon(_collect, process, process.stdout, out, output)
                            group.start_soon(_collect, process, process.stderr, err, output)
                            await process.wait()
                        watching.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    _kill(process)
                    await process.aclose()
                    await _until_dead(told)
        if max(len(out), len(err)) > output:
            raise OutputLimitExceededError(f"{output} bytes", bytes(out[:output]).decode(errors="replace"))
        if why:
            return 137, bytes(out), bytes(err) + f"\nKilled: {why[0]}\n".encode()
        return process.returncode if process.returncode is not None else 137, bytes(out), bytes(err)

    async def _watch(self, process: Process, before: tuple[int, int], why: list[str]) -> None:
        """Kill the process when it uses too much of what the kernel does not count for us."""
        limits = self.limits
        while process.returncode is None:
            used, files = _use(self.folder, limits)
            if used > max(limits.disk, before[0]):
                why.append(f"more than {limits.disk} bytes in the working folder")
            elif files > max(limits.files, before[1]):
                why.append(f"more than {limits.files} files in the working folder")
            elif _resident(process.pid) > limits.memory:
                why.append(f"more than {limits.memory} bytes of memory")
            if why:
                return _kill(process)
            await anyio.sleep(_LOOK_EVERY)

    def _argv(self, cmd: Sequence[str], cwd: str | None, env: Mapping[str, str], tell: int) -> list[str]:
        limits = self.limits
        apart = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        if self._uid is None:
            apart += ["--unshare-user", "--uid", "65534", "--gid", "65534", "--disable-userns"]
        variables = {
            "PATH": f"{PYTHON}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": WORK,
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **env,
        }
        values = [part for name, value in variables.items() for part in ("--setenv", name, value)]
        tmp = ["--perms", "1777", "--size", str(limits.disk), "--tmpfs", "/tmp"]
        work = ["--bind", str(self.folder), WORK, "--chdir", os.path.join(WORK, cwd or "")]
        fence = ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
        fence += ["--info-fd", str(tell)]
        bounded = [
            *(
                ["/usr/bin/setpriv", "--reuid", str(self._uid), "--regid", str(self._uid)]
                if self._uid
                else []
            ),
            *(
                ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
                if self._uid
                else []
            ),
            *("/usr/bin/prlimit", f"--as={limits.memory}", f"--nproc={limits.processes}", "--core=0"),
            *(f"--fsize={limits.file_size}", f"--cpu={limits.seconds}", "--nofile=256", "--"),
        ]
        return [
            shutil.which("bwrap") or "bwrap",
            *apart,
            *fence,
            *values,
            *_system(),
            *tmp,
            *work,
            "--",
            *bounded,
            *cmd,
        ]


@cache
def unusable() -> str | None:
    """Why commands cannot be run here in this sandbox, in one line with the way out; None if they can."""
    if not sys.platform.startswith("linux"):
        return "the sandbox bubblewrap needs Linux: start a Docker engine instead"
    if not shutil.which("bwrap"):
        return "the sandbox needs bubblewrap: apt-get install bubblewrap (or start a Docker engine)"
    sandbox = BubblewrapSandbox()
    try:
        tried = subprocess.run(
            sandbox._argv(["python3", "-c", "print(6 * 7)"], None, {}, 2),
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here ({error}): start a Docker engine instead"
    finally:
        sandbox.close()
    if tried.stdout.strip() != "42":
        told = tried.stderr.strip().splitlines()[-1:] or ["no output"]
        return f"bubblewrap does not work here ({told[0]}): start a Docker engine instead"
    return None


def _remove(folder: Path) -> None:
    """Remove a folder that a command may have made unreadable. Symbolic links are removed, not followed."""
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=os.geteuid() != 0)


def _free_uid() -> int:
    """A user of its own for each sandbox, so that none can see or starve another."""
    uid = random.choice([uid for uid in _UIDS if uid not in _taken])
    _taken.add(uid)
    return uid


@cache
def _system() -> tuple[str, ...]:
    """The programs that a command sees, read-only."""
    parts = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            parts += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            parts += ["--ro-bind", str(path), str(path)]
    # Without these bubblewrap makes the folder above a mount for root alone.
    parts += ["--perms", "0755", "--dir", "/etc"]
    if Path("/etc/alternatives").is_dir():
        parts += ["--ro-bind", "/etc/alternatives", "/etc/alternatives"]
    prefix = Path(sys.base_prefix).resolve()
    if prefix != Path("/usr"):
        parts += ["--ro-bind", str(prefix), PYTHON]
    return (*parts, "--proc", "/proc", "--dev", "/dev")


def _script(script: str, file: str) -> list[str]:
    """A shell script whose $1 is the file, by its whole path in the sandbox."""
    return ["/bin/sh", "-c", script, "sh", os.path.join(WORK, file)]


def _file_error(file: str, err: bytes) -> OSError:
    told = err.decode(errors="replace").strip()
    kinds = (
        ("No such file", FileNotFoundError),
        ("Is a directory", IsADirectoryError),
        ("Directory nonexistent", FileNotFoundError),
        ("ermission denied", PermissionError),
        ("Read-only", PermissionError),
    )
    for text, kind in kinds:
        if text in told:
            return kind(f"{file}: {told}")
    return OSError(f"{file}: {told}")


async def _feed(process: Process, given: bytes | None) -> None:
    if process.stdin is None:
        return
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, BrokenPipeError, ConnectionError):
        if given:
            await process.stdin.send(given)
        await process.stdin.aclose()


async def _collect(process: Process, stream: ByteReceiveStream | None, into: bytearray, most: int) -> None:
    """Read until the end, or kill the process once it has written more than `most`."""
    if stream is None:
        return
    async for chunk in stream:
        into += chunk[: most + 1 - len(into)]
        if len(into) > most:
            return _kill(process)


def _kill(process: Process) -> None:
    """Kill bubblewrap; the kernel kills all processes of its namespace with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _until_dead(told: int) -> None:
    """Wait for the first process of the namespace, with which all others are dead.

    `told` is where bubblewrap has written its number. It is closed.
    """
    with open(told, "rb") as file:
        written = file.read()
    if not written:  # bubblewrap ended before there was a namespace
        return
    pid = int(json.loads(written)["child-pid"])
    with anyio.fail_after(_DYING), suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        while first.is_running() and first.status() != psutil.STATUS_ZOMBIE:
            await anyio.sleep(0.005)


def _resident(pid: int) -> int:
    """Bytes of resident memory of all processes below."""
    total = 0
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                total += child.memory_info().rss
    return total


def _use(folder: Path, limits: Limits) -> tuple[int, int]:
    """Bytes and entries in a folder; it stops counting once either is far over its limit."""
    used = entries = 0
    stack = [str(folder)]
    while stack:
        with suppress(OSError):
            for entry in os.scandir(stack.pop()):
                entries += 1
                with suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    used += about.st_blocks * 512
                    if stat.S_ISDIR(about.st_mode):
                        stack.append(entry.path)
                if entries > 4 * limits.files:
                    return used, entries
    return used, entries
