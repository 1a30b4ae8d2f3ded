"""Steered generation: many requests at a time, each with a condition, settings and random stream of its own.

`submit` hands a request to a background thread that starts at once when it is idle; `run` waits for a list of
them. Each completion brings the receipt of its row. Prompts arrive as token ids: chat templates, tools and
parsing are the caller's business. How rows are generated is in `steering.loop` and `steering.batch`, who runs
when in `steering.worker`.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from steering.batch import Batch
from steering.errors import SteeringError
from steering.line import Line, Waiting
from steering.loop import Loop
from steering.memory import cache_budget
from steering.request import Completion, Passage, Reading, Request
from steering.row import Row
from steering.surprise import surprises
from steering.trial import Verdict, tried
from steering.vectors import NO_HASH, VectorLibrary
from steering.worker import Runner, Worker

_LOG = logging.getLogger(__name__)
# Hooks sit on the model itself, so two engines that share one must never run at once.
_LOCKS: WeakKeyDictionary[nn.Module, threading.Lock] = WeakKeyDictionary()
_VERDICTS: WeakKeyDictionary[nn.Module, Verdict] = WeakKeyDictionary()
_UNKNOWN_BUDGET = {"cpu": 2**16}
"""Tokens in the cache where the size of one is not known, by device; elsewhere twice as many."""


class Engine:
    """Generates with one model, which it neither loads nor copies.

    max_rows     rows that run at a time
    max_tokens   rows times the longest prompt with its new tokens: what the key-value cache must hold; by
                 default what fits into a share of the free memory
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        library: VectorLibrary | None = None,
        *,
        max_rows: int = 512,
        max_tokens: int | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.library = library
        self.max_rows = max_rows
        self.max_tokens = max_tokens
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._eos_ids = _eos_ids(model, tokenizer)
        self._lock = _LOCKS.setdefault(model, threading.Lock())
        self._line = Line()
        self._is_open = True

    async def submit(self, request: Request) -> Completion:
        """Generate in the background, beside whatever else runs. Cancelling frees the row."""
        [waiting] = self._enqueue([request])
        return await asyncio.wrap_future(waiting.future)

    def run(self, requests: Sequence[Request]) -> list[Completion]:
        """Generate all of these, in order; the first error is raised."""
        return [waiting.future.result() for waiting in self._enqueue(requests)]

    async def read(self, reading: Reading) -> list[float] | None:
        """Negative log-likelihood of each passage under the unsteered model, summed over its tokens, in nats.

        None where there is not enough memory for it. Waits until rows have ended or other readings came.
        """
        [waiting] = self._enqueue([reading])
        losses: list[float] | None = await asyncio.wrap_future(waiting.future)
        return losses

    def close(self) -> None:
        """Take no more requests. Those already taken are finished."""
        self._is_open = False

    def check(self, request: Request) -> None:
        """Raise SteeringError for a request that could not be generated as asked."""
        prompt, new = len(request.prompt_ids), request.max_tokens
        if self.context is not None and request.need > self.context:
            raise SteeringError(
                f"a prompt of {prompt} tokens and max_tokens {new} need {request.need} positions, "
                f"the model has {self.context}: lower max_tokens or shorten the conversation"
            )
        if not request.condition.is_baseline and self.library is None:
            raise SteeringError(f"no vectors for this model, so {request.condition.slug} cannot be given")

    def _enqueue(self, requests: Iterable[Request | Reading]) -> list[Waiting]:
        if not self._is_open:
            raise SteeringError("the engine is closed")
        waiting = []
        for request in requests:
            if isinstance(request, Request):
                self.check(request)
            waiting.append(Waiting(request))
        if waiting and self._line.join(waiting):
            threading.Thread(target=self._serve, name="steering-engine").start()
        return waiting

    def _serve(self) -> None:
        """The background thread: it ends when nothing waits, and the next request starts another."""
        while True:
            worker = None
            try:
                worker = self._worker()
                worker.work()
                return
            except BaseException as error:
                running = worker.running if worker else []
                for waiting in (*running, *self._line.take(lambda _: True)):
                    waiting.answer(error)
                if self._line.leave():
                    return

    def _worker(self) -> Worker:
        with self._lock:
            verdict = self._verdict()
        max_tokens = self.max_tokens or (
            cache_budget(self.model.device) // verdict.bytes_per_token
            if verdict.bytes_per_token
            else _UNKNOWN_BUDGET.get(self.model.device.type, 2**17)
        )
        runner: Runner
        if verdict.why_not is None:
            runner = Loop(self.model, self.max_rows, max_tokens)
        else:
            runner = Batch(self.model, self._pad_id, self._eos_ids, verdict.why_not)

        def read(passages: Sequence[Passage]) -> list[float]:
            return surprises(self.model, passages, masked=verdict.why_not is None)

        return Worker(self._line, runner, self._row, read, self._lock, self.max_rows, max_tokens)

    def _verdict(self) -> Verdict:
        """Tried once per model, with the first prompt that comes."""
        first = self._line.peek()
        if self.model not in _VERDICTS and first is not None:
            verdict = _VERDICTS[self.model] = tried(self.model, first.prompt_ids, self._pad_id)
            if verdict.why_not is not None:
                _LOG.warning(
                    "%s is run by its own generate, which is slower: %s",
                    type(self.model).__name__,
                    verdict.why_not,
                )
        return _VERDICTS.get(self.model, Verdict("nothing to try it with"))

    def _row(self, request: Request) -> Row:
        condition = request.condition
        return Row(
            request,
            self.library.delta(condition) if self.library else {},
            self.library.hash(condition) if self.library else NO_HASH,
            self._eos_ids,
            self._decode,
        )

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    @property
    def _pad_id(self) -> int:
        """Hidden by the attention mask, so any token will do where the tokenizer has none for it."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else (self._eos_ids or [0])[0]


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    """The model's own end-of-sequence tokens, else the tokenizer's."""
    ids = model.generation_config.eos_token_id
    ids = tokenizer.eos_token_id if ids is None else ids
    if ids is None:
        return []
    return [int(number) for number in ids] if isinstance(ids, list | tuple) else [int(ids)]
