"""Runs inside the sandbox: tests and the code under test in two processes, so that only data passes.

The judging process holds the tests, the code's process holds the code, in a fresh folder. They exchange names
of functions, arguments, results and what a call cost, as JSON. Whatever the code does to its own process (a
changed clock, a result that equals everything, an early exit, a patched assertion), the tests do not feel it.

stdin of the judge: {"source": this file, "nonce": ..., "files": name to base64, "module": its name,
"suite": the tests' source, "seconds": after which every further call fails}. Its last line: {"nonce": ...,
"results": test to null or why it failed}.
"""

import base64
import builtins
import ctypes
import json
import linecache
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import tracemalloc
import types
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any


def pack(value: Any) -> Any:
    """Plain data as JSON; anything else only as the name of its type."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [pack(one) for one in list.__iter__(value)]
    if isinstance(value, tuple):
        return {"tuple": [pack(one) for one in tuple.__iter__(value)]}
    if kind in (set, frozenset):
        return {kind.__name__: [pack(one) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(key), pack(one)] for key, one in dict.items(value)]}
    if kind in (bytes, bytearray):
        return {kind.__name__: base64.b64encode(value).decode()}
    if kind is range:
        return {"range": [value.start, value.stop, value.step]}
    if kind in (Fraction, Decimal):
        return {kind.__name__: str(value)}
    return {"other": kind.__name__}


class Other:
    """Something that is no plain data: equal to nothing."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [unpack(one) for one in value]
    if not isinstance(value, dict):
        return value
    [(kind, inside)] = value.items()
    makers: dict[str, Callable[[Any], Any]] = {
        "tuple": lambda some: tuple(map(unpack, some)),
        "set": lambda some: set(map(unpack, some)),
        "frozenset": lambda some: frozenset(map(unpack, some)),
        "dict": lambda pairs: {unpack(key): unpack(one) for key, one in pairs},
        "bytes": base64.b64decode,
        "bytearray": lambda text: bytearray(base64.b64decode(text)),
        "range": lambda parts: range(*parts),
        "Fraction": Fraction,
        "Decimal": Decimal,
        "other": Other,
    }
    return makers[kind](inside)


def serve(asks: int, answers: int, module: str) -> None:
    """The code's process: carry out calls until nobody asks any more."""
    clock, dump, load, peak_of = time.perf_counter, json.dumps, json.loads, tracemalloc.get_traced_memory
    begin, end = tracemalloc.start, tracemalloc.stop
    packing, unpacking, name_of = pack, unpack, type
    sys.path.insert(0, os.getcwd())
    loaded: Any = None
    with open(asks, encoding="utf-8") as reader, open(answers, "w", encoding="utf-8") as writer:
        for line in reader:
            asked = load(line)
            try:
                if loaded is None:
                    loaded = __import__(module)
                function = getattr(loaded, asked["call"])
                answer: dict[str, Any] = {"value": None, "cost": 0}
                if "arguments" in asked:
                    arguments = [unpacking(one) for one in asked["arguments"]]
                    if asked["cost"] == "memory":
                        begin()
                    start = clock()
                    value = function(*arguments)
                    cost: float = clock() - start
                    if asked["cost"] == "memory":
                        cost = peak_of()[1]
                        end()
                    answer = {"value": packing(value), "cost": cost}
            except BaseException as error:
                kinds = [kind.__name__ for kind in name_of(error).__mro__ if kind.__module__ == "builtins"]
                answer = {"raised": kinds, "text": str(error)[:500]}
            writer.write(dump(answer) + "\n")
            writer.flush()


class Code:
    """The code's process, as the tests see it: functions that take and give plain data."""

    def __init__(self, given: dict[str, Any], deadline: float) -> None:
        self.given = given
        self.deadline = deadline
        self.folder = tempfile.mkdtemp()
        self.process: subprocess.Popen[bytes] | None = None
        self.asks = self.answers = -1
        self.rest = b""

    def start(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        for name, content in self.given["files"].items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(base64.b64decode(content))
        read_asks, self.asks = os.pipe()
        self.answers, write_answers = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-s", "-c", self.given["source"], "serve", str(read_asks), str(write_answers),
             self.given["module"]],
            cwd=self.folder, pass_fds=[read_asks, write_answers], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_asks)
        os.close(write_answers)
        self.rest = b""

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            os.close(self.asks)
            os.close(self.answers)
            self.process = None

    def ask(self, name: str, arguments: tuple[Any, ...] | None, cost: str = "time") -> tuple[Any, float]:
        """Value and cost of a call; raises what it raised, and RuntimeError where there is no answer."""
        asked: dict[str, Any] = {"call": name, "cost": cost}
        if arguments is not None:
            asked["arguments"] = [pack(one) for one in arguments]
        if self.process is None:
            self.start()
        try:
            self._send((json.dumps(asked) + "\n").encode())
            answer = json.loads(self._line())
            if "raised" not in answer:
                return unpack(answer["value"]), float(answer["cost"])
            kinds, text = list(map(str, answer["raised"])), str(answer["text"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.stop()
            raise RuntimeError(f"no answer: {type(error).__name__}") from error
        for kind in kinds:
            known = getattr(builtins, kind, None)
            if isinstance(known, type) and issubclass(known, Exception) and known is not Exception:
                try:
                    raised = known(text)
                except TypeError:
                    break
                raise raised
        raise RuntimeError(f"{kinds[:1]}: {text}")

    def _left(self) -> float:
        return max(0, self.deadline - time.monotonic())

    def _send(self, line: bytes) -> None:
        os.set_blocking(self.asks, False)
        while line:
            if not select.select([], [self.asks], [], self._left())[1]:
                raise TimeoutError("the call is not taken")
            line = line[os.write(self.asks, line[:65536]) :]

    def _line(self) -> bytes:
        parts = [self.rest]
        while b"\n" not in parts[-1]:
            if not select.select([self.answers], [], [], self._left())[0]:
                raise TimeoutError("the call does not end")
            part = os.read(self.answers, 65536)
            if not part:
                raise OSError("the process ended")
            parts.append(part)
        line, _, self.rest = b"".join(parts).partition(b"\n")
        return line


def judge(given: dict[str, Any]) -> dict[str, str | None]:
    """Why each test of the suite failed, or None; a suite that cannot be loaded has one result, `loading`."""
    source, results = given["suite"], dict[str, str | None]()
    linecache.cache["suite"] = (len(source), None, source.splitlines(True), "suite")
    code = Code(given, time.monotonic() + given["seconds"])
    sys.modules[given["module"]] = stand_in(code, given["module"])
    sys.modules["measure"] = measures(code)
    space: dict[str, Any] = {"restart": code.stop}
    try:
        exec(compile(source, "suite", "exec"), space)
    except Exception as error:
        return {"loading": f"{type(error).__name__}: {str(error)[:200]}"}
    for name, test in list(space.items()):
        if name.startswith("test_"):
            try:
                test()
                results[name] = None
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[1]
                results[name] = f"{where.line}: {type(error).__name__} {str(error)[:200]}".rstrip()
    code.stop()
    return results


def stand_in(code: Code, name: str) -> types.ModuleType:
    """A module whose every name is a function of the code's process."""

    class StandIn(types.ModuleType):
        def __getattr__(self, function: str) -> Callable[..., Any]:
            if function.startswith("__"):
                raise AttributeError(function)
            code.ask(function, None)

            def call(*arguments: Any) -> Any:
                return code.ask(function, arguments)[0]

            call.__name__ = function
            return call

    return StandIn(name)


def measures(code: Code) -> types.ModuleType:
    """The module `measure` of the working folder, measured in the code's process by its own first clock.

    Of three timed calls the quickest counts, so that a busy machine makes no difference.
    """

    def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
        return min((code.ask(function.__name__, arguments) for _ in range(3)), key=lambda call: call[1])

    module = types.ModuleType("measure")
    vars(module)["timed"] = timed
    vars(module)["memory"] = lambda function, *arguments: code.ask(function.__name__, arguments, "memory")
    return module


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        return serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    # Nobody of the same user may look into this process: it holds the tests.
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    given = json.loads(sys.stdin.read())
    print(json.dumps({"nonce": given["nonce"], "results": judge(given)}))


if __name__ == "__main__":
    main()
