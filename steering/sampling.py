"""Random streams per row for `transformers` generation, and the knowledge which rows still run.

`generate` draws for a whole batch from one global generator, so that a row's text depends on its neighbours.
Here each row has a stream of its own, named by a string; one uniform number per generated token, drawn ahead,
picks the token by inverse cumulative probability in vocabulary order. Runs whose streams have the same name
are paired: while their distributions are close, they pick the same token.

The choice is forced through the scores, so `generate` must be called with `do_sample=False` and this
processor last. Knows nothing of steering.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria


def stream_uniforms(stream: str, count: int) -> Tensor:
    """The first `count` uniform numbers in [0, 1) of a named stream, [count] float64.

    A longer draw begins with the numbers of a shorter one. They are read off an extendable hash (SHAKE-256),
    so they depend on no library's generator and two names never share a seed.
    """
    words = np.frombuffer(hashlib.shake_256(stream.encode()).digest(8 * count), dtype="<u8")
    return torch.from_numpy((words >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def choose(scores: Tensor, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
    """Token of each row: the first whose cumulative probability exceeds the row's uniform number.

    scores [B,V], uniforms [B] float64 in [0, 1) -> [B] long. Temperature 0 takes the highest score. With
    top_p below 1 only the fewest most likely tokens that together reach top_p can be chosen.
    """
    if temperature == 0:
        return scores.argmax(dim=-1)
    probabilities = torch.softmax(scores.double() / temperature, dim=-1)  # [B,V]
    if top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    cumulative = probabilities.cumsum(dim=-1)
    threshold = uniforms.to(cumulative.device)[:, None] * cumulative[:, -1:]  # [B,1]
    tokens = torch.searchsorted(cumulative, threshold, right=True).squeeze(-1)
    # A product that rounds up to the total would point past the last possible token.
    last = scores.shape[-1] - 1 - probabilities.flip(-1).ne(0).long().argmax(dim=-1)
    return torch.minimum(tokens, last)


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Zero all but the fewest most likely tokens that together reach top_p: [B,V] -> [B,V]."""
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter(-1, order, ordered.masked_fill(before >= top_p, 0.0))


class RowSampler(LogitsProcessor):
    """Chooses every row's next token from the row's own stream, and keeps count until the row is finished."""

    def __init__(
        self,
        streams: Sequence[str],
        temperature: float,
        top_p: float,
        max_tokens: int,
        eos_ids: Sequence[int],
    ) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self._uniforms = torch.stack([stream_uniforms(stream, max_tokens) for stream in streams])  # [B,steps]
        self._eos = torch.tensor(sorted(set(eos_ids)), dtype=torch.long)
        self._step = 0
        self.running = torch.ones(len(streams), dtype=torch.bool)
        """[B] rows that have chosen neither an end-of-sequence token nor a stop string."""
        self.generated = torch.zeros(len(streams), dtype=torch.long)
        """[B] tokens chosen while running, the end-of-sequence token included."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        # Apple's GPU has no float64.
        place = torch.device("cpu") if scores.device.type == "mps" else scores.device
        if self._step == 0:
            for name in ("_uniforms", "_eos", "running", "generated"):
                setattr(self, name, getattr(self, name).to(place))
        tokens = choose(scores.to(place), self._uniforms[:, self._step], self.temperature, self.top_p)
        self._step += 1
        self.generated += self.running
        self.running = self.running & ~torch.isin(tokens, self._eos)
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter_(-1, tokens[:, None].to(scores.device), 0.0)

    def finish(self, rows: Tensor) -> None:
        """Mark rows [B] bool as finished by what they wrote."""
        self.running = self.running & ~rows.to(self.running.device)


class StopStrings(StoppingCriteria):
    """Finishes a row as soon as the text it generated (never the prompt) holds one of the stop strings."""

    def __init__(
        self, sampler: RowSampler, stop: Sequence[str], decode: Callable[[list[int]], str], prompt_width: int
    ) -> None:
        self._sampler = sampler
        self._stop = tuple(stop)
        self._decode = decode
        self._prompt_width = prompt_width
        # Every token stands for at least one byte; the rest is for characters cut at the window's edge.
        self._window = max(len(text.encode()) for text in self._stop) + 8

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:  # noqa: ARG002
        generated = input_ids[:, self._prompt_width :][:, -self._window :].tolist()
        running = self._sampler.running.tolist()
        done = torch.tensor(
            [is_on and self._holds_stop(ids) for is_on, ids in zip(running, generated, strict=True)],
            dtype=torch.bool,
            device=input_ids.device,
        )
        self._sampler.finish(done)
        return ~self._sampler.running.to(input_ids.device)

    def _holds_stop(self, ids: list[int]) -> bool:
        text = self._decode(ids)
        return any(stop in text for stop in self._stop)
