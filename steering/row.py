"""A request on its way: what it has written so far, when it is finished, and what proves its steering.

Knows neither model nor batch; whoever runs the model gives it its tokens and what was measured.
"""

import time
from collections.abc import Callable, Sequence
from itertools import islice

from torch import Tensor

from steering.errors import SteeringError
from steering.receipt import Receipt
from steering.request import Completion, Logprobs, Request, TokenLogprob
from steering.sampling import choose, stream_uniforms

# Numbers drawn ahead: most generations are far shorter than their max_tokens.
_AHEAD = 256


class Row:
    """One row of a batch."""

    def __init__(
        self,
        request: Request,
        delta: dict[int, Tensor],
        vector_hash: str,
        eos_ids: Sequence[int],
        decode: Callable[[list[int]], str],
    ) -> None:
        self.request = request
        self.delta = delta
        """layer -> [d] float32: what is added to the residual stream; empty for the baseline."""
        self.shifted_prompt = request.shifted_prompt
        self.ids: list[int] = []
        self.is_done = False
        self.is_cut = False
        """Ended by max_tokens."""
        self.error: BaseException | None = None
        """Why it was given up, if it was."""
        self.prompt_steered = 0
        self.generated_steered = 0
        self.realised = 0.0
        self.logprobs: list[Logprobs] = []
        self._vector_hash = vector_hash
        self._eos_ids = frozenset(eos_ids)
        self._decode = decode
        self._began = time.monotonic()
        self._uniforms = stream_uniforms(request.stream, min(_AHEAD, request.max_tokens))
        # Every token stands for at least one byte; the rest is for characters cut at the window's edge.
        self._window = max((len(text.encode()) for text in request.stop), default=0) + 8

    @property
    def uniform(self) -> float:
        """The random number of the next token."""
        if len(self.ids) >= len(self._uniforms):
            self._uniforms = stream_uniforms(self.request.stream, self.request.max_tokens)
        return float(self._uniforms[len(self.ids)])

    def accept(self, token: int) -> None:
        """Write the next token, and be done if it ends the generation."""
        if token < 0:
            self.error = SteeringError(
                f"the model's scores under {self.request.condition.slug} are not finite: lower the strength"
            )
            self.is_done = True
            return
        self.ids.append(token)
        try:
            ended = token in self._eos_ids or self._holds_stop()
        except Exception as error:  # a tokenizer's decoder may raise what it likes
            self.error, self.is_done = error, True
            return
        self.is_cut = not ended and len(self.ids) >= self.request.max_tokens
        self.is_done = ended or self.is_cut

    def completion(self, path: str) -> Completion:
        """The answer, with its receipt."""
        return Completion(
            ids=self.ids,
            text=self._decode(self.ids),
            stop_reason="max_tokens" if self.is_cut else "stop",
            prompt_tokens=len(self.request.prompt_ids),
            generated_tokens=len(self.ids),
            receipt=self._receipt(),
            seconds=time.monotonic() - self._began,
            path=path,
            logprobs=None if self.request.top_logprobs is None else self.logprobs,
        )

    def _holds_stop(self) -> bool:
        if not self.request.stop:
            return False
        text = self._decode(self.ids[-self._window :])
        return any(stop in text for stop in self.request.stop)

    def _receipt(self) -> Receipt:
        condition = self.request.condition
        return Receipt(
            slug=condition.slug,
            vector_hash=self._vector_hash,
            layers=tuple(self.delta),
            strength=condition.strength,
            positions=condition.positions,
            prompt_tokens=len(self.request.prompt_ids),
            generated_tokens=len(self.ids),
            prompt_tokens_steered=self.prompt_steered,
            generated_tokens_steered=self.generated_steered,
            realised=self.realised,
            expected_norm=tuple(float(shift.norm()) for shift in self.delta.values()),
        )


def write_next(rows: Sequence[Row], scores: Tensor) -> list[int]:
    """Give every row its next token, by scores [B,V] and its own settings and stream; gives the tokens."""
    requests = [row.request for row in rows]
    tokens = choose(
        scores,
        [row.uniform for row in rows],
        [request.temperature for request in requests],
        [request.top_p for request in requests],
    )
    _keep_logprobs(rows, scores, tokens)
    for row, token in zip(rows, tokens, strict=True):
        row.accept(token)
    return tokens


def _keep_logprobs(rows: Sequence[Row], scores: Tensor, tokens: list[int]) -> None:
    wanted = [
        (index, row.request.top_logprobs)
        for index, row in enumerate(rows)
        if row.request.top_logprobs is not None and tokens[index] >= 0
    ]
    if not wanted:
        return
    logprobs = scores[[index for index, _ in wanted]].float().log_softmax(dim=-1)  # [W,V]
    best = logprobs.topk(min(max(count for _, count in wanted), logprobs.shape[-1]), dim=-1)
    for place, (index, count) in enumerate(wanted):
        ordered = zip(best.indices[place].tolist(), best.values[place].tolist(), strict=True)
        chosen = TokenLogprob(tokens[index], float(logprobs[place, tokens[index]]))
        rows[index].logprobs.append(
            Logprobs(chosen, tuple(TokenLogprob(*pair) for pair in islice(ordered, count)))
        )
