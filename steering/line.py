"""Requests that wait for a model, first come first served."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from steering.request import Completion, Reading, Request


@dataclass(frozen=True, eq=False)
class Waiting:
    """A request and the promise of its completion; or a reading, and that of its losses."""

    request: Request | Reading
    future: Future[Any] = field(default_factory=Future)

    @property
    def is_wanted(self) -> bool:
        return not self.future.cancelled()

    def answer(self, result: Completion | list[float] | BaseException | None) -> None:
        """Keep the promise, unless nobody waits for it any more."""
        if not self.future.set_running_or_notify_cancel():
            return
        if isinstance(result, BaseException):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class Line:
    """Filled by any thread, emptied by the one that runs the model."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._lock = threading.Lock()
        self._is_served = False

    def join(self, waiting: Iterable[Waiting]) -> bool:
        """Add these at the end, in one go. True if nobody serves the line: then the caller must see to it."""
        with self._lock:
            self._waiting.extend(waiting)
            was_served, self._is_served = self._is_served, True
            return not was_served

    def put_back(self, waiting: Iterable[Waiting]) -> None:
        """Let these be first again, in this order."""
        with self._lock:
            self._waiting.extendleft(reversed(list(waiting)))

    def take(self, fits: Callable[[Request | Reading], bool]) -> list[Waiting]:
        """The first of the line as long as each fits; those that nobody wants any more are dropped."""
        taken = []
        with self._lock:
            while self._waiting:
                first = self._waiting[0]
                if first.is_wanted and not fits(first.request):
                    break
                self._waiting.popleft()
                if first.is_wanted:
                    taken.append(first)
        return taken

    def peek(self) -> Request | Reading | None:
        """The request that has waited longest."""
        with self._lock:
            return self._waiting[0].request if self._waiting else None

    def leave(self) -> bool:
        """Whether the line is empty; if so, it is no longer served."""
        with self._lock:
            self._is_served = bool(self._waiting)
            return not self._is_served
