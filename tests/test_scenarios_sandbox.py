"""The bubblewrap sandbox under attack: nothing is lost, leaked or left behind, and it lives on.

Every attack is a program as a model might write it. After each one the sandbox still answers, no process of
it is alive, and no file of it is left. Docker's side is not run where no engine runs.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from inspect_ai import Task, eval
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import OutputLimitExceededError
from inspect_ai.util import sandbox as current_sandbox

from scenarios.sandbox import bubblewrap, choice
from scenarios.sandbox.bubblewrap import BubblewrapSandbox
from scenarios.sandbox.limits import MIB, Limits

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(bubblewrap.unusable() is not None, reason=str(bubblewrap.unusable())),
]

LIMITS = Limits(
    seconds=4, memory=256 * MIB, processes=24, disk=8 * MIB, files=200, file_size=2 * MIB, output=65_536
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def box() -> AsyncIterator[BubblewrapSandbox]:
    sandbox = BubblewrapSandbox(LIMITS)
    yield sandbox
    assert (await sandbox.exec(["echo", "alive"])).stdout == "alive\n"
    assert _processes(sandbox) == []
    home = sandbox.folder.parent
    sandbox.close()
    assert not home.exists()


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of the host on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def python(box: BubblewrapSandbox, program: str, timeout: int | None = None) -> str:
    """What a program prints, on both streams."""
    result = await box.exec(["python3", "-c", textwrap.dedent(program)], timeout=timeout)
    return result.stdout + result.stderr


async def test_a_plain_program_runs_and_its_files_stay(box: BubblewrapSandbox) -> None:
    assert await python(box, "open('a.txt', 'w').write('b'); print(6 * 7)") == "42\n"
    assert await box.read_file("a.txt") == "b"
    assert (await box.exec(["cat"], input="given")).stdout == "given"
    assert (await box.exec(["sh", "-c", "exit 3"])).returncode == 3
    assert not (await box.exec(["no-such-program"])).success


# Processes


async def test_a_fork_bomb_stops_at_the_limit(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import os, time
        n = 0
        try:
            while n < 5000:
                if os.fork() == 0:
                    time.sleep(1)
                    os._exit(0)
                n += 1
        except OSError:
            pass
        print("forks", n)
        """,
    )
    assert 1 <= int(told.split()[-1]) <= LIMITS.processes


async def test_a_fork_bomb_that_never_gives_up_ends_with_its_time(box: BubblewrapSandbox) -> None:
    with pytest.raises(TimeoutError):
        await python(
            box,
            """
            import os
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
            """,
            timeout=2,
        )


async def test_threads_count_as_processes(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import threading, time
        n = 0
        try:
            while n < 5000:
                threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
                n += 1
        except RuntimeError:
            pass
        print("threads", n)
        """,
    )
    assert int(told.split()[-1]) <= LIMITS.processes


async def test_a_daemon_does_not_outlive_its_command(box: BubblewrapSandbox) -> None:
    await python(
        box,
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for fd in range(3):
                    os.close(fd)
                while True:
                    open("beat", "w").write(str(time.time()))
                    time.sleep(0.01)
        time.sleep(0.3)
        """,
    )
    first = await box.read_file("beat")
    time.sleep(0.3)
    assert await box.read_file("beat") == first


async def test_a_program_that_ignores_signals_ends_with_its_time(box: BubblewrapSandbox) -> None:
    with pytest.raises(TimeoutError):
        await python(
            box,
            """
            import signal, time
            for number in range(1, 32):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except OSError:
                    pass
            while True:
                time.sleep(1)
            """,
            timeout=1,
        )


async def test_a_busy_loop_ends_with_its_time(box: BubblewrapSandbox) -> None:
    with pytest.raises(TimeoutError):
        await python(box, "while True: pass", timeout=1)


async def test_the_host_cannot_be_signalled(box: BubblewrapSandbox) -> None:
    marker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        await python(
            box,
            f"""
            import os, signal
            for pid in ({marker.pid}, {os.getpid()}):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError as error:
                    print(error)
            """,
        )
        await box.exec(["sh", "-c", "kill -9 -1"])
        assert marker.poll() is None
    finally:
        marker.kill()
        marker.wait()


async def test_only_its_own_processes_are_seen(box: BubblewrapSandbox) -> None:
    told = await python(box, "import os; print(*[p for p in os.listdir('/proc') if p.isdigit()])")
    assert all(int(pid) < 20 for pid in told.split())


# Memory, disk, output


async def test_one_process_cannot_take_all_memory(box: BubblewrapSandbox) -> None:
    assert "MemoryError" in await python(box, "x = bytearray(10**9)")


async def test_many_processes_cannot_take_all_memory_together(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                x = bytearray(os.urandom(1)) * (80 * 2**20)
                time.sleep(20)
        time.sleep(20)
        """,
    )
    assert "Killed" in told and "memory" in told


async def test_a_huge_file_stops_at_the_limit(box: BubblewrapSandbox) -> None:
    await python(box, "open('huge', 'wb').write(bytes(10**8))")
    assert (box.folder / "huge").stat().st_size <= LIMITS.file_size


async def test_many_files_cannot_fill_the_disk(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import time
        for number in range(100):
            open(f"part{number}", "wb").write(b"x" * 2**20)
            time.sleep(0.02)
        """,
    )
    assert "Killed" in told and "working folder" in told


async def test_too_many_empty_files_are_stopped(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import time
        for number in range(100000):
            open(f"f{number}", "w").close()
            if number % 100 == 0:
                time.sleep(0.05)
        """,
    )
    assert "Killed" in told and "files" in told


async def test_a_sparse_file_is_no_way_round(box: BubblewrapSandbox) -> None:
    await python(box, "open('sparse', 'wb').truncate(10**12)")
    assert (box.folder / "sparse").stat().st_size <= LIMITS.file_size


async def test_the_temporary_folder_has_a_limit_too_and_does_not_stay(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        for number in range(64):
            open(f"/tmp/{number}", "wb").write(bytes(2**20))
        """,
    )
    assert "No space left" in told
    assert await python(box, "import os; print(os.listdir('/tmp'))") == "[]\n"


async def test_shared_memory_has_a_limit_too(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import os
        try:
            for number in range(400):
                open(f"/dev/shm/{number}", "wb").write(bytes(2**20))
        except OSError as error:
            print("stopped", error)
        """,
    )
    assert "stopped" in told or "Killed" in told


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_endless_output_is_cut_and_the_writer_killed(box: BubblewrapSandbox, stream: str) -> None:
    with pytest.raises(OutputLimitExceededError):
        await python(box, f"import sys\nwhile True: sys.{stream}.write('x' * 4096)")


async def test_open_files_have_a_limit(box: BubblewrapSandbox) -> None:
    assert "Too many open files" in await python(box, "f = [open('/dev/null') for _ in range(5000)]")


# The host's files, environment and network


@pytest.mark.parametrize(
    "path",
    ["/root", "/home", str(Path(__file__).parent), "/etc/passwd", "/etc/shadow", "/var", "/run", "/sys"],
)
async def test_no_file_of_the_host_is_seen(box: BubblewrapSandbox, path: str) -> None:
    assert await python(box, f"import os; print(os.path.exists({path!r}))") == "False\n"


@pytest.mark.parametrize(
    "path", ["/usr/x", "/python/x", "/x", "/etc/x", "/bin/x", "/proc/sys/kernel/hostname"]
)
async def test_nothing_but_its_own_folders_can_be_written(box: BubblewrapSandbox, path: str) -> None:
    assert "Error" in await python(box, f"open({path!r}, 'w').write('x')")


async def test_a_file_is_never_read_through_a_link_to_the_host(
    box: BubblewrapSandbox, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    await python(
        box, f"import os; os.symlink({str(secret)!r}, 'link'); os.symlink({str(tmp_path)!r}, 'folder')"
    )
    with pytest.raises(FileNotFoundError):
        await box.read_file("link")
    with pytest.raises(OSError):
        await box.write_file("link", "overwritten")
    with pytest.raises(OSError):
        await box.write_file("folder/new", "x")
    assert secret.read_text() == "secret" and [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    "path", ["../../../../etc/shadow", "/etc/shadow", "/proc/1/environ", "/proc/self/root/etc/shadow"]
)
async def test_a_path_that_climbs_out_leads_nowhere(box: BubblewrapSandbox, path: str) -> None:
    with pytest.raises(OSError):
        await box.read_file(path)


async def test_the_environment_of_the_host_is_not_passed_on(
    box: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    told = await python(
        box,
        """
        import glob, os
        print(dict(os.environ))
        for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
            try:
                print(open(path).read())
            except OSError:
                pass
        """,
    )
    assert "s3cret" not in told and str(Path(__file__).parent.parent) not in told


async def test_there_is_no_network(box: BubblewrapSandbox, listener: int) -> None:
    told = await python(
        box,
        f"""
        import socket
        for address in (("127.0.0.1", {listener}), ("1.1.1.1", 53)):
            try:
                socket.create_connection(address, timeout=1)
                print("connected")
            except OSError:
                print("refused")
        """,
    )
    assert told == "refused\nrefused\n"


async def test_a_socket_of_the_host_cannot_be_reached_by_its_name(box: BubblewrapSandbox) -> None:
    name = "\0emodose-test-socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        told = await python(box, f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({name!r})")
    assert "ConnectionRefusedError" in told


async def test_it_is_another_user_without_any_privilege(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import os
        print(os.getuid() not in (0,), os.getgroups() in ([], [65534]))
        print([line for line in open("/proc/self/status") if line.startswith(("CapEff", "NoNewPrivs"))])
        for attempt in (lambda: os.setuid(0), lambda: os.chroot("/tmp"), lambda: os.mknod("n", 0o20666, 259)):
            try:
                attempt()
                print("done")
            except OSError:
                print("refused")
        """,
    )
    assert told.startswith("True True") and "CapEff:\\t0000000000000000" in told and "NoNewPrivs:\\t1" in told
    assert told.count("refused") == 3


async def test_two_sandboxes_do_not_see_each_other(box: BubblewrapSandbox) -> None:
    other = BubblewrapSandbox(LIMITS)
    try:
        await other.write_file("mine", "secret")
        told = await python(box, "import os; print(os.listdir('/work'), os.path.exists('/tmp/mine'))")
        assert (told == "[] False\n" and box._uid != other._uid) or os.geteuid() != 0
    finally:
        other.close()


async def test_terminal_and_devices_of_the_host_are_out_of_reach(box: BubblewrapSandbox) -> None:
    told = await python(
        box,
        """
        import os
        print(sorted(os.listdir("/dev")))
        try:
            open("/dev/tty", "w")
        except OSError:
            print("no terminal")
        """,
    )
    assert "no terminal" in told and not any(name in told for name in ("'sda", "'vda", "'mem'", "'kmsg'"))


# Files and names


@pytest.mark.parametrize(
    "name",
    [
        "-rf",
        "--help",
        "a b",
        "ä\n.txt",
        "$(touch x)",
        "`id`",
        "a/../b",
        "'quoted\"",
        "*",
        ".hidden",
        "x" * 250,
    ],
)
async def test_a_strange_name_is_only_a_name(box: BubblewrapSandbox, name: str) -> None:
    await box.write_file(name, "content")
    assert await box.read_file(name) == "content"


async def test_a_name_that_is_no_text_does_not_stop_the_cleaning(box: BubblewrapSandbox) -> None:
    await python(box, "import os; open(b'\\xff\\xfe', 'w').close(); os.mkdir(b'\\x80'); os.mkfifo('pipe')")


async def test_locked_folders_do_not_stop_the_cleaning(box: BubblewrapSandbox) -> None:
    await python(box, "import os; os.makedirs('a/b/c'); open('a/b/c/d', 'w').close(); os.chmod('a/b', 0)")


async def test_a_deep_tree_does_not_stop_the_cleaning(box: BubblewrapSandbox) -> None:
    await python(
        box,
        """
        import os
        for _ in range(150):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        """,
    )


async def test_a_pipe_that_nobody_writes_to_is_a_timeout(box: BubblewrapSandbox) -> None:
    await python(box, "import os; os.mkfifo('pipe')")
    with pytest.raises(TimeoutError):
        await box.read_file("pipe")


async def test_a_device_that_never_ends_is_cut(box: BubblewrapSandbox) -> None:
    await python(box, "import os; os.symlink('/dev/zero', 'zero')")
    with pytest.raises(OutputLimitExceededError):
        await box.read_file("zero")


async def test_files_are_read_to_the_byte(box: BubblewrapSandbox) -> None:
    await box.write_file("bytes", bytes(range(256)))
    assert await box.read_file("bytes", text=False) == bytes(range(256))
    await box.write_file("text", "a\r\nb\n")
    assert await box.read_file("text") == "a\r\nb\n"
    with pytest.raises(UnicodeDecodeError):
        await box.read_file("bytes")
    with pytest.raises(IsADirectoryError):
        await box.read_file(".")


async def test_a_write_beyond_the_limit_of_a_file_is_an_error(box: BubblewrapSandbox) -> None:
    with pytest.raises(OSError):
        await box.write_file("big", bytes(LIMITS.file_size + 1))


# As Inspect uses it


@solver
def runs_python(program: str) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001
        state.store.set("told", (await current_sandbox().exec(["python3", "-c", program])).stdout)
        return state

    return solve


@scorer(metrics=[mean()])
def told() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        return Score(value=1, answer=state.store.get("told"))

    return score


def test_an_inspect_task_runs_in_it_and_leaves_nothing(tmp_path: Path) -> None:
    before = _folders()
    task = Task(
        dataset=[Sample(id=number, input="x", files={"given.txt": "given"}) for number in range(6)],
        solver=runs_python("print(open('given.txt').read(), open('/proc/self/comm').read())"),
        scorer=told(),
        sandbox=choice.sandbox("bubblewrap"),
    )
    [log] = eval(task, model="mockllm/model", log_dir=str(tmp_path), display="none")
    assert log.status == "success" and log.samples and len(log.samples) == 6
    assert all((one.scores or {})["told"].answer == "given python3\n\n" for one in log.samples)
    assert _folders() == before


def test_a_killed_inspect_leaves_no_process_and_the_next_run_removes_its_folder(tmp_path: Path) -> None:
    program = tmp_path / "endless.py"
    program.write_text(
        "import anyio\nfrom scenarios.sandbox.bubblewrap import BubblewrapSandbox\n"
        "box = BubblewrapSandbox()\nprint(box.folder.parent, flush=True)\n"
        "anyio.run(lambda: box.exec(['sleep', '29.25']))\n"
    )
    root = Path(__file__).parent.parent
    process = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    _wait(lambda: _sleepers() == 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    _wait(lambda: _sleepers() == 0)
    assert folder.exists()
    test_an_inspect_task_runs_in_it_and_leaves_nothing(tmp_path)
    assert not folder.exists()


def test_where_neither_works_the_task_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "docker_runs", lambda: False)
    monkeypatch.setattr(bubblewrap, "unusable", lambda: "the sandbox needs bubblewrap: apt-get install it")
    with pytest.raises(PrerequisiteError, match="apt-get install"):
        choice.sandbox()
    with pytest.raises(PrerequisiteError, match="start one"):
        choice.sandbox("docker")
    with pytest.raises(PrerequisiteError, match="choose auto, docker, bubblewrap"):
        choice.sandbox("local")


def test_docker_is_taken_where_an_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "docker_runs", lambda: True)
    assert choice.sandbox().type == "docker" and Path(choice.sandbox().config).is_file()
    assert choice.sandbox("bubblewrap").type == "bubblewrap"


def _processes(box: BubblewrapSandbox) -> list[str]:
    """Live processes of the sandbox's user, or whose command line names its folder."""
    found = []
    for process in psutil.process_iter(["uids", "cmdline", "status"]):
        about = process.info
        mine = box._uid is not None and about["uids"] and about["uids"].real == box._uid
        if (mine or str(box.folder) in (about["cmdline"] or [])) and about["status"] != psutil.STATUS_ZOMBIE:
            found.append(str(about["cmdline"]))
    return found


def _folders() -> set[str]:
    own = f"{bubblewrap._PREFIX}{os.getpid()}-"
    return {path.name for path in Path(tempfile.gettempdir()).glob(f"{own}*")}


def _sleepers() -> int:
    return sum(
        process.info["cmdline"] == ["sleep", "29.25"] and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in psutil.process_iter(["cmdline", "status"])
    )


def _wait(what: Callable[[], bool], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.05)):
        if what():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true")
