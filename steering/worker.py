"""Who runs when: one thread that takes waiting requests into the running rows and answers the finished.

Works as long as anything waits or runs. Rows that nobody wants any more leave; running out of memory halves
the rows and goes on with the rest later; any other error reaches the rows of the pass that failed.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from steering.line import Line, Waiting
from steering.memory import is_out_of_memory
from steering.request import Passage, Reading, Request
from steering.row import Row

_LOG = logging.getLogger(__name__)
_READINGS = 32
"""Readings that wait for each other while rows run: what begins alike is then read once."""


class Runner(Protocol):
    """What generates: `steering.loop.Loop` or `steering.batch.Batch`."""

    name: str
    joins: bool
    rows: list[Row]

    def admit(self, rows: Sequence[Row]) -> list[Row]: ...
    def step(self) -> list[Row]: ...
    def drop(self, rows: Sequence[Row]) -> None: ...
    def shrink(self) -> list[Row]: ...


class Worker:
    """Serves one line with one runner."""

    def __init__(
        self,
        line: Line,
        runner: Runner,
        make_row: Callable[[Request], Row],
        read: Callable[[Sequence[Passage]], list[float]],
        lock: threading.Lock,
        max_rows: int,
        max_tokens: int,
    ) -> None:
        self._line = line
        self._runner = runner
        self._make_row = make_row
        self._read = read
        self._lock = lock
        self._max_rows = max_rows
        self._max_tokens = max_tokens
        self._waiting: dict[Row, Waiting] = {}
        """Of the running rows."""
        self._readings: list[tuple[Waiting, Reading]] = []

    @property
    def running(self) -> list[Waiting]:
        """What was taken from the line and is not answered yet."""
        return [*self._waiting.values(), *(waiting for waiting, _ in self._readings)]

    def work(self) -> None:
        """Until nothing waits and nothing runs."""
        while self._runner.rows or self._readings or not self._line.leave():
            if not threading.main_thread().is_alive():  # the program ends: nobody waits for an answer
                raise SystemExit
            with self._lock:
                self._drop_unwanted()
                self._admit()
                if self._runner.rows:
                    self._step()
                if len(self._readings) >= _READINGS or not self._runner.rows:
                    self._answer_readings()

    def _drop_unwanted(self) -> None:
        unwanted = [row for row in self._runner.rows if not self._waiting[row].is_wanted]
        if unwanted:
            self._forget(unwanted)

    def _admit(self) -> None:
        if self._runner.rows and not self._runner.joins:
            return
        new: list[Row] = []
        for waiting in self._line.take(self._fits()):
            request = waiting.request
            if isinstance(request, Reading):
                self._readings.append((waiting, request))
                continue
            try:
                row = self._make_row(request)
            except Exception as error:
                waiting.answer(error)
            else:
                self._waiting[row] = waiting
                new.append(row)
        while new:
            try:
                self._answer(self._runner.admit(new))
                return
            except Exception as error:
                if not is_out_of_memory(error):
                    self._fail(new, error)
                    return
                new = self._halved(new, error)

    def _halved(self, new: list[Row], error: Exception) -> list[Row]:
        """The first half of the new rows; the others wait. A single row that is alone fails."""
        running = len(self._runner.rows)
        if len(new) == 1 and not running:
            self._fail(new, error)
            return []
        kept = len(new) // 2
        self._limit(running + kept, error)
        self._put_back(new[kept:])
        return new[:kept]

    def _step(self) -> None:
        try:
            self._answer(self._runner.step())
        except Exception as error:
            rows = list(self._runner.rows)
            if not is_out_of_memory(error) or len(rows) == 1:
                self._fail(rows, error)
                return
            self._limit((len(rows) + 1) // 2, error)
            # Their streams make the same texts of them when they begin anew.
            self._put_back(self._runner.shrink())

    def _fits(self) -> Callable[[Request | Reading], bool]:
        """Whether one more request fits beside the running rows and those already said to fit."""
        rows = len(self._runner.rows)
        longest = max((row.request.need for row in self._runner.rows), default=0)

        def fits(request: Request | Reading) -> bool:
            nonlocal rows, longest
            if isinstance(request, Reading):
                return True
            wider = max(longest, request.need)
            if rows and (rows >= self._max_rows or (rows + 1) * wider > self._max_tokens):
                return False
            rows, longest = rows + 1, wider
            return True

        return fits

    def _limit(self, rows: int, error: Exception) -> None:
        self._max_rows = max(1, rows)
        short = " ".join(str(error).split())[:200]
        _LOG.warning("out of memory: going on with %d rows at a time (%s)", self._max_rows, short)

    def _answer(self, rows: Sequence[Row]) -> None:
        for row in rows:
            waiting = self._waiting.pop(row)
            try:
                waiting.answer(row.error or row.completion(self._runner.name))
            except Exception as error:  # a tokenizer's decoder may raise what it likes
                waiting.answer(error)

    def _answer_readings(self) -> None:
        """All at once; where memory is short one by one, and what does not fit by itself stays unknown."""
        readings, self._readings = self._readings, []
        wanted = [(waiting, reading) for waiting, reading in readings if waiting.is_wanted]
        if not wanted:
            return
        try:
            found = iter(self._read([passage for _, reading in wanted for passage in reading.passages]))
        except Exception as error:
            short = is_out_of_memory(error)
            if short and len(wanted) > 1:
                for one in wanted:
                    self._readings = [one]
                    self._answer_readings()
                return
            if short:
                _LOG.warning("out of memory: the perplexity of a run is not known")
            for waiting, _ in wanted:
                waiting.answer(None if short else error)
            return
        for waiting, reading in wanted:
            waiting.answer([next(found) for _ in reading.passages])

    def _fail(self, rows: Sequence[Row], error: Exception) -> None:
        for row in rows:
            self._waiting[row].answer(error)
        self._forget(rows)

    def _put_back(self, rows: Sequence[Row]) -> None:
        self._line.put_back([self._waiting.pop(row) for row in rows])

    def _forget(self, rows: Sequence[Row]) -> None:
        self._runner.drop(rows)
        for row in rows:
            del self._waiting[row]
