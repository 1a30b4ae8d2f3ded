"""Random streams, and how a token is picked with them.

`generate` draws for a whole batch from one global generator, so that a row's text depends on its neighbours.
Here each row has a stream of its own, named by a string; one uniform number per generated token picks the
token by inverse cumulative probability in vocabulary order. Runs whose streams have the same name are
paired: while their distributions are close, they pick the same token. Knows nothing of steering.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Float64 copies of the scores are made for so many numbers at a time.
_AT_ONCE = 2**24


def stream_uniforms(stream: str, count: int) -> NDArray[np.float64]:
    """The first `count` uniform numbers in [0, 1) of a named stream, [count] float64.

    A longer draw begins with the numbers of a shorter one. They are read off an extendable hash (SHAKE-256),
    so they depend on no library's generator and two names never share a seed.
    """
    words = np.frombuffer(hashlib.shake_256(stream.encode()).digest(8 * count), dtype="<u8")
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choose(
    scores: Tensor, uniforms: Sequence[float], temperatures: Sequence[float], top_ps: Sequence[float]
) -> list[int]:
    """Token of each row: the first whose cumulative probability exceeds the row's uniform number.

    scores [B,V]; uniforms in [0, 1), temperatures >= 0 and top_ps in (0, 1], B each -> B tokens. Temperature
    0 takes the highest score. With top_p below 1 only the fewest most likely tokens that together reach it
    can be chosen. A row whose scores hold NaN or +infinity, or nothing but -infinity, gives -1.
    """
    if scores.device.type == "mps":  # has no float64
        scores = scores.cpu()
    size = max(1, _AT_ONCE // scores.shape[-1])
    parts = [slice(start, start + size) for start in range(0, len(scores), size)]
    return [
        token
        for part in parts
        for token in _choose(scores[part], uniforms[part], temperatures[part], top_ps[part]).tolist()
    ]


def _choose(
    scores: Tensor, uniforms: Sequence[float], temperatures: Sequence[float], top_ps: Sequence[float]
) -> Tensor:
    best, tokens = scores.max(dim=-1)  # [B], the first of equals
    sampled = [row for row, temperature in enumerate(temperatures) if temperature > 0]
    if sampled:
        every = len(sampled) == len(temperatures)
        drawn = _draw(
            scores if every else scores[sampled],
            *([numbers[row] for row in sampled] for numbers in (uniforms, temperatures, top_ps)),
        )
        tokens = drawn if every else tokens.index_put((torch.tensor(sampled, device=scores.device),), drawn)
    return torch.where(best.isfinite(), tokens, -1)


def _draw(scores: Tensor, uniforms: list[float], temperatures: list[float], top_ps: list[float]) -> Tensor:
    probabilities = torch.softmax(scores.double() / _column(temperatures, scores), dim=-1)  # [B,V]
    narrow = [row for row, top_p in enumerate(top_ps) if top_p < 1]
    if narrow:
        limits = _column([top_ps[row] for row in narrow], scores)
        probabilities[narrow] = _nucleus(probabilities[narrow], limits)
    cumulative = probabilities.cumsum(dim=-1)
    total = cumulative[:, -1:]
    # A product that rounds up to the total would point past the last possible token.
    threshold = torch.minimum(_column(uniforms, scores) * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(cumulative, threshold, right=True).squeeze(-1)


def _nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """Zero all but the fewest most likely tokens that together reach top_p [B,1]: [B,V] -> [B,V]."""
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter(-1, order, ordered.masked_fill(before >= top_p, 0.0))


def _column(numbers: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=like.device)[:, None]
