"""Steered generation: batches whose rows have conditions, lengths and random streams of their own.

`run` generates one batch with the model's own `generate`; `submit` hands a request to one background thread,
which starts at once when it is idle and otherwise takes whatever has gathered meanwhile. Each completion
brings the receipt of its row. Prompts arrive as token ids: chat templates, tools and parsing are the
caller's business.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from steering.cache import roomy_cache
from steering.condition import Condition
from steering.errors import SteeringError
from steering.hooks import Trace, steered
from steering.layers import shape_of
from steering.receipt import Receipt
from steering.sampling import RowSampler, StopStrings
from steering.vectors import NO_HASH, VectorLibrary

# Hooks sit on the model itself, so two engines that share one must never run at once.
_LOCKS: WeakKeyDictionary[nn.Module, threading.Lock] = WeakKeyDictionary()


@dataclass(frozen=True)
class Request:
    """One generation."""

    prompt_ids: Sequence[int]
    assistant_mask: Sequence[bool]
    """Which prompt tokens the model itself wrote in earlier turns. Read for positions=assistant."""
    condition: Condition
    stream: str
    """Name of the random stream; equal names draw equal numbers."""
    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()

    @property
    def sampling(self) -> tuple[float, float, int, tuple[str, ...]]:
        """What all rows of a batch share."""
        return self.temperature, self.top_p, self.max_tokens, self.stop


@dataclass(frozen=True)
class Completion:
    """What came of a request."""

    ids: list[int]
    """The generated tokens, the end-of-sequence token included where there is one."""
    text: str
    """Without special tokens; a stop string is left in it."""
    stop_reason: Literal["stop", "max_tokens"]
    prompt_tokens: int
    generated_tokens: int
    receipt: Receipt
    seconds: float
    """Of the whole batch."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    request: Request
    future: Future[Completion]


class Engine:
    """Generates with one model, which it neither loads nor copies."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        library: VectorLibrary | None = None,
        *,
        max_rows: int = 256,
        max_batch_tokens: int | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.library = library
        self.max_rows = max_rows
        self.max_batch_tokens = max_batch_tokens or (2**16 if model.device.type == "cpu" else 2**17)
        """Rows times the longest prompt with its new tokens: what the key-value cache must hold."""
        self._width = shape_of(model).width
        self._context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._eos_ids = _eos_ids(model, tokenizer)
        self._lock = _LOCKS.setdefault(model, threading.Lock())
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    async def submit(self, request: Request) -> Completion:
        """Generate in the background thread, in a batch with whatever else waits."""
        self.check(request)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="steering-engine", daemon=True)
                self._thread.start()
        waiting = _Waiting(request, Future())
        self._queue.put(waiting)
        return await asyncio.wrap_future(waiting.future)

    def close(self) -> None:
        """Let the background thread end once nothing waits any more."""
        self._queue.put(None)

    def check(self, request: Request) -> None:
        """Raise SteeringError for a request that could not be generated as asked."""
        prompt, new = len(request.prompt_ids), request.max_tokens
        if prompt < 1 or new < 1:
            raise SteeringError(f"{prompt} prompt tokens and max_tokens {new}: expected at least one of each")
        if len(request.assistant_mask) != prompt:
            marks = len(request.assistant_mask)
            raise SteeringError(f"assistant_mask has {marks} entries for {prompt} prompt tokens")
        if not request.temperature >= 0 or not 0 < request.top_p <= 1:
            raise SteeringError(
                f"temperature {request.temperature} and top_p {request.top_p}: "
                "expected temperature >= 0 and 0 < top_p <= 1"
            )
        if self._context is not None and prompt + new > self._context:
            raise SteeringError(
                f"a prompt of {prompt} tokens and max_tokens {new} need {prompt + new} positions, "
                f"the model has {self._context}: lower max_tokens or shorten the conversation"
            )
        if not request.condition.is_baseline and self.library is None:
            raise SteeringError(f"no vectors for this model, so {request.condition.slug} cannot be given")

    def run(self, requests: Sequence[Request]) -> list[Completion]:
        """Generate one batch in order; the requests share temperature, top_p, max_tokens and stop strings."""
        if not requests:
            return []
        settings = {request.sampling for request in requests}
        if len(settings) > 1:
            raise SteeringError(f"one batch cannot mix sampling settings: {sorted(settings)}")
        for request in requests:
            self.check(request)
        with self._lock, torch.inference_mode():
            return self._generate(requests)

    def _generate(self, requests: Sequence[Request]) -> list[Completion]:
        began = time.monotonic()
        temperature, top_p, max_tokens, stop = requests[0].sampling
        input_ids, attention_mask, prompt_mask = self._pad(requests)
        deltas = self._deltas([request.condition for request in requests])
        streams = [request.stream for request in requests]
        sampler = RowSampler(streams, temperature, top_p, max_tokens, self._eos_ids)
        stopping = StoppingCriteriaList()
        if stop:
            stopping.append(StopStrings(sampler, stop, self._decode, input_ids.shape[1]))
        # The sampler has the last word; these are set lest the model's own temperature, top_p or top_k apply.
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            do_sample=False,
            temperature=1.0,
            top_p=1.0,
            top_k=50,
            num_beams=1,
            max_new_tokens=max_tokens,
            eos_token_id=self._eos_ids or None,
            pad_token_id=self._pad_id,
        )
        cache = roomy_cache(self.model.config.get_text_config(), input_ids.shape[1] + max_tokens)
        shifts = _stacked(deltas, self._width)
        with steered(self.model, shifts, prompt_mask, lambda: sampler.running) as trace:
            output = self.model.generate(
                input_ids=input_ids,
                attention_mask=attention_mask,
                generation_config=config,
                logits_processor=LogitsProcessorList([sampler]),
                stopping_criteria=stopping,
                past_key_values=cache,
            )
        generated = output[:, input_ids.shape[1] :].tolist()
        receipts = self._receipts(requests, deltas, trace, sampler.generated.tolist())
        running = sampler.running.tolist()
        seconds = time.monotonic() - began
        return [
            Completion(
                ids=ids[: receipt.generated_tokens],
                text=self._decode(ids[: receipt.generated_tokens]),
                stop_reason="max_tokens" if is_cut else "stop",
                prompt_tokens=receipt.prompt_tokens,
                generated_tokens=receipt.generated_tokens,
                receipt=receipt,
                seconds=seconds,
            )
            for ids, receipt, is_cut in zip(generated, receipts, running, strict=True)
        ]

    def _pad(self, requests: Sequence[Request]) -> tuple[Tensor, Tensor, Tensor]:
        """Left-padded token ids and attention mask, and the tokens to steer: three times [B,T]."""
        width = max(len(request.prompt_ids) for request in requests)
        ids = torch.full((len(requests), width), self._pad_id, dtype=torch.long)
        attention = torch.zeros_like(ids)
        steer = torch.zeros_like(ids, dtype=torch.bool)
        for row, request in enumerate(requests):
            start = width - len(request.prompt_ids)
            ids[row, start:] = torch.tensor(list(request.prompt_ids))
            attention[row, start:] = 1
            if request.condition.positions == "all":
                steer[row, start:] = True
            else:
                steer[row, start:] = torch.tensor(list(request.assistant_mask), dtype=torch.bool)
                # The last prompt token's state is what the first generated token is read off.
                steer[row, -1] = True
        device = self.model.get_input_embeddings().weight.device
        return ids.to(device), attention.to(device), steer.to(device)

    def _deltas(self, conditions: Sequence[Condition]) -> list[dict[int, Tensor]]:
        return [{} if c.is_baseline or self.library is None else self.library.delta(c) for c in conditions]

    def _receipts(
        self, requests: Sequence[Request], deltas: list[dict[int, Tensor]], trace: Trace, generated: list[int]
    ) -> list[Receipt]:
        steered_tokens = zip(trace.prompt_tokens, trace.generated_tokens, strict=True)
        columns = zip(requests, deltas, generated, steered_tokens, trace.realised, strict=True)
        return [
            Receipt(
                slug=request.condition.slug,
                vector_hash=self.library.hash(request.condition) if self.library else NO_HASH,
                layers=tuple(delta),
                strength=request.condition.strength,
                positions=request.condition.positions,
                prompt_tokens=len(request.prompt_ids),
                generated_tokens=count,
                prompt_tokens_steered=prompt_steered,
                generated_tokens_steered=generated_steered,
                realised=realised,
                expected_norm=tuple(float(shift.norm()) for shift in delta.values()),
            )
            for request, delta, count, (prompt_steered, generated_steered), realised in columns
        ]

    def _decode(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    @property
    def _pad_id(self) -> int:
        """Hidden by the attention mask, so any token will do where the tokenizer has none for it."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else (self._eos_ids or [0])[0]

    def _work(self) -> None:
        """The background thread: take what waits and generate it, until closed."""
        held: list[_Waiting] = []
        is_open = True
        while is_open or held:
            gathered = [] if held else [self._queue.get()]
            with suppress(Empty):
                while True:
                    gathered.append(self._queue.get_nowait())
            is_open = is_open and None not in gathered
            held += [waiting for waiting in gathered if waiting is not None]
            batch = self._next_batch(held)
            taken = set(batch)
            held = [waiting for waiting in held if waiting not in taken]
            batch = [waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()]
            try:
                completions = self.run([waiting.request for waiting in batch])
            except BaseException as error:
                for waiting in batch:
                    waiting.future.set_exception(error)
            else:
                for waiting, completion in zip(batch, completions, strict=True):
                    waiting.future.set_result(completion)

    def _next_batch(self, waiting: list[_Waiting]) -> list[_Waiting]:
        """The request that has waited longest, and those after it that fit into one batch with it."""
        batch: list[_Waiting] = []
        longest = 0
        for candidate in waiting:
            request = candidate.request
            if request.sampling != waiting[0].request.sampling:
                continue
            longest = max(longest, len(request.prompt_ids) + request.max_tokens)
            if batch and (len(batch) >= self.max_rows or (len(batch) + 1) * longest > self.max_batch_tokens):
                break
            batch.append(candidate)
        return batch


def _stacked(deltas: list[dict[int, Tensor]], width: int) -> dict[int, Tensor]:
    """Per row and layer [d] -> layer -> [B,d], zero where a row is not steered."""
    layers = sorted({layer for delta in deltas for layer in delta})
    zero = torch.zeros(width)
    return {layer: torch.stack([delta.get(layer, zero) for delta in deltas]) for layer in layers}


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    """The model's own end-of-sequence tokens, else the tokenizer's."""
    ids = model.generation_config.eos_token_id
    ids = tokenizer.eos_token_id if ids is None else ids
    if ids is None:
        return []
    return [int(number) for number in ids] if isinstance(ids, list | tuple) else [int(ids)]
