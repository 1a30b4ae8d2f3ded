"""A key-value cache with room for the whole generation, so that a new token costs one write.

The cache that `generate` makes copies all it holds for every token, which on a CPU takes most of the time.
The numbers are the same to the bit. Models whose cache is not made of plain growing layers keep their own.
"""

from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer that writes into a buffer of `room` tokens and shows the part that is filled."""

    def __init__(self, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.room = room

    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        *args: Any,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._key_room = _buffer(key_states, self.room)
            self._value_room = _buffer(value_states, self.room)
        if end > self.room:
            raise ValueError(f"a key-value cache with room for {self.room} tokens was given {end}")
        self._key_room[:, :, start:end] = key_states
        self._value_room[:, :, start:end] = value_states
        self.keys, self.values = self._key_room[:, :, :end], self._value_room[:, :, :end]
        return self.keys, self.values


def roomy_cache(config: Any, room: int) -> DynamicCache | None:
    """A cache for `room` tokens a row (padding included); None if the model's cache is of another kind."""
    cache = DynamicCache(config=config)
    if not cache.layers or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [RoomyLayer(room) for _ in cache.layers]
    return cache


def _buffer(states: Tensor, room: int) -> Tensor:
    rows, heads, _, width = states.shape
    return states.new_empty(rows, heads, room, width)
