"""A key-value cache whose rows differ in length and come and go: one slot per running generation.

A slot's tokens stand at its beginning, so a new token is one write behind the last one and nothing is copied
when a batch grows longer (in the cache that `generate` makes, that copying takes most of the time on a CPU).
Shows itself to the unmodified model as an ordinary cache; which rows a pass reads and writes is set before
it. Holds numbers only: which generation has which slot is the caller's business. Sharing the slots of equal
prompts, or keeping one for a next turn, would begin here.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class Slots:
    """Room for `rows` generations of up to `tokens` tokens each; none before the first `resize`."""

    def __init__(self, config: Any) -> None:
        cache: Any = DynamicCache(config=config)
        if any(type(layer) is not DynamicLayer for layer in cache.layers):
            kinds = sorted({type(layer).__name__ for layer in cache.layers} - {DynamicLayer.__name__})
            raise ValueError(f"a cache of {', '.join(kinds)} is not made of plain growing layers")
        self.rows = 0
        self.tokens = 0
        self._layers = [_SlotLayer() for _ in cache.layers]
        cache.layers = self._layers
        self.cache = cache
        """To be handed to the model as `past_key_values`."""

    @property
    def bytes_per_token(self) -> int:
        """Of one token in one slot, over all layers; 0 before the first pass."""
        return sum(layer.bytes_per_token for layer in self._layers)

    def resize(self, rows: int, tokens: int) -> None:
        """Have room for so many rows and tokens, keeping what fits."""
        self.rows, self.tokens = rows, tokens
        for layer in self._layers:
            layer.rooms = [_resized(room, rows, tokens) for room in layer.rooms]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of one slot to another."""
        for layer in self._layers:
            for room in layer.rooms:
                room[target, :, :length] = room[source, :, :length]

    def expect_prompts(self, slots: Sequence[int], lengths: Sequence[int]) -> None:
        """The next pass brings whole prompts, padded on the right, for these slots."""
        for layer in self._layers:
            layer.begin_prompts(self, slots, lengths)

    def expect_tokens(self, lengths: Sequence[int]) -> None:
        """The next pass brings one token for each of the first slots, which hold `lengths` tokens so far."""
        for layer in self._layers:
            layer.begin_tokens(self, lengths)


class _SlotLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rooms: list[Tensor] = []  # keys and values, [S,H,L,D] each
        self._size = (0, 0)
        self._slots: Sequence[int] | None = None
        self._lengths: Sequence[int] = ()

    @property
    def bytes_per_token(self) -> int:
        return sum(room.shape[1] * room.shape[3] * room.itemsize for room in self.rooms)

    def begin_prompts(self, owner: Slots, slots: Sequence[int], lengths: Sequence[int]) -> None:
        self._size, self._slots, self._lengths = (owner.rows, owner.tokens), slots, lengths

    def begin_tokens(self, owner: Slots, lengths: Sequence[int]) -> None:
        self._size, self._slots, self._lengths = (owner.rows, owner.tokens), None, lengths

    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        *args: Any,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        states = (key_states, value_states)
        if not self.rooms:
            self.rooms = [_room(state, *self._size) for state in states]
        if self._slots is not None:
            for room, state in zip(self.rooms, states, strict=True):
                for row, (slot, length) in enumerate(zip(self._slots, self._lengths, strict=True)):
                    room[slot, :, :length] = state[row, :, :length]
            return key_states, value_states
        rows, width = len(self._lengths), max(self._lengths) + 1
        if key_states.shape[0] != rows or key_states.shape[2] != 1:
            raise ValueError(f"{tuple(key_states.shape)} keys for one token of {rows} rows")
        index = torch.arange(rows, device=key_states.device)
        place = torch.tensor(self._lengths, device=key_states.device)
        for room, state in zip(self.rooms, states, strict=True):
            room[index, :, place] = state[:, :, 0]
        keys, values = (room[:rows, :, :width] for room in self.rooms)
        return keys, values

    def get_seq_length(self) -> int:
        return max(self._lengths) if self._slots is None and self._lengths else 0


def _room(like: Tensor, rows: int, tokens: int) -> Tensor:
    # Zeros, since the unused end of a slot is multiplied by a weight of 0 and must not hold NaN.
    return like.new_zeros(rows, like.shape[1], tokens, like.shape[3])


def _resized(room: Tensor, rows: int, tokens: int) -> Tensor:
    new = _room(room, rows, tokens)
    rows, tokens = min(rows, room.shape[0]), min(tokens, room.shape[2])
    new[:rows, :, :tokens] = room[:rows, :, :tokens]
    return new
