"""What the engine is asked for, and what it answers. Values only; imports no torch."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from steering.condition import Condition
from steering.errors import SteeringError
from steering.receipt import Receipt


class TokenLogprob(NamedTuple):
    """A token and the logarithm of its probability at temperature 1, as the steered model gave it."""

    token: int
    logprob: float


@dataclass(frozen=True)
class Logprobs:
    """Of one generated token."""

    chosen: TokenLogprob
    top: tuple[TokenLogprob, ...]
    """The most likely tokens, best first; as many as were asked for."""


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
    top_logprobs: int | None = None
    """How many alternatives to name beside each token's log probability; None for no log probabilities."""

    def __post_init__(self) -> None:
        prompt, new = len(self.prompt_ids), self.max_tokens
        if prompt < 1 or new < 1:
            raise SteeringError(f"{prompt} prompt tokens and max_tokens {new}: expected at least one of each")
        if len(self.assistant_mask) != prompt:
            marks = len(self.assistant_mask)
            raise SteeringError(f"assistant_mask has {marks} entries for {prompt} prompt tokens")
        if not 0 <= self.temperature < float("inf") or not 0 < self.top_p <= 1:
            raise SteeringError(
                f"temperature {self.temperature} and top_p {self.top_p}: "
                "expected temperature >= 0 and 0 < top_p <= 1"
            )
        if "" in self.stop:
            raise SteeringError("an empty stop string would end every generation: leave it out")
        if self.top_logprobs is not None and self.top_logprobs < 0:
            raise SteeringError(f"top_logprobs {self.top_logprobs}: expected 0 or more")
        # Thousands may wait at a time, and lists of Python numbers are large.
        object.__setattr__(self, "prompt_ids", array("i", self.prompt_ids))
        object.__setattr__(self, "assistant_mask", bytes(self.assistant_mask))

    @property
    def need(self) -> int:
        """Positions the whole generation may take."""
        return len(self.prompt_ids) + self.max_tokens

    @property
    def shifted_prompt(self) -> list[bool]:
        """Which prompt tokens the condition shifts."""
        if self.condition.is_baseline:
            return [False] * len(self.prompt_ids)
        if self.condition.positions == "all":
            return [True] * len(self.prompt_ids)
        # The last prompt token's state is what the first generated token is read off.
        return [*map(bool, self.assistant_mask[:-1]), True]


class Passage(NamedTuple):
    """What was written behind a prompt."""

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]

    @property
    def fed(self) -> tuple[int, ...]:
        """What a model reads in order to score `ids`: all but the last of them."""
        return self.prompt_ids + self.ids[:-1]


@dataclass(frozen=True)
class Reading:
    """Passages of one run whose likelihood under the unsteered model is asked for."""

    passages: tuple[Passage, ...]

    def __post_init__(self) -> None:
        if not self.passages or not all(one.prompt_ids and one.ids for one in self.passages):
            raise SteeringError("a passage has at least one prompt token and one token of its own")

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """A prompt, for whoever needs any."""
        return self.passages[0].prompt_ids


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
    """Since the request was taken up; waiting does not count."""
    path: str
    """How it was generated: `loop`, or `generate` and why."""
    logprobs: list[Logprobs] | None = None
