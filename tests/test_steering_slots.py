"""Laws of the slots: each row sees its own tokens, whatever happens to its neighbours."""

import pytest
import torch
from transformers import LlamaConfig, MistralConfig

from steering.slots import Slots


@pytest.fixture
def slots():
    return Slots(
        LlamaConfig(num_hidden_layers=2, hidden_size=8, num_attention_heads=2, num_key_value_heads=1)
    )


def states(rows, tokens, seed):
    return torch.randn(rows, 1, tokens, 4, generator=torch.Generator().manual_seed(seed))


def read(slots, keys, values):
    """What both layers show after a pass over these states."""
    return [slots.cache.update(keys + layer, values + layer, layer) for layer in range(2)]


def filled(slots):
    """Three rows of 3, 1 and 2 tokens in slots 0 to 2."""
    slots.resize(3, 8)
    keys, values = states(3, 3, 1), states(3, 3, 2)
    slots.expect_prompts([0, 1, 2], [3, 1, 2])
    read(slots, keys, values)
    return keys, values


def test_a_prompt_pass_shows_the_prompts_themselves(slots):
    slots.resize(2, 8)
    slots.expect_prompts([0, 1], [3, 2])
    keys, values = states(2, 3, 1), states(2, 3, 2)
    assert slots.cache.get_seq_length() == 0
    for layer, (shown_keys, shown_values) in enumerate(read(slots, keys, values)):
        assert torch.equal(shown_keys, keys + layer) and torch.equal(shown_values, values + layer)


def test_a_new_token_stands_behind_the_last_token_of_its_own_row(slots):
    keys, values = filled(slots)
    new_keys, new_values = states(3, 1, 3), states(3, 1, 4)
    slots.expect_tokens([3, 1, 2])
    assert slots.cache.get_seq_length() == 3
    for layer, shown in enumerate(read(slots, new_keys, new_values)):
        for got, old, new in zip(shown, (keys, values), (new_keys, new_values), strict=True):
            assert got.shape == (3, 1, 4, 4)
            for row, length in enumerate((3, 1, 2)):
                wanted = torch.cat([old[row, :, :length], new[row]], dim=1) + layer
                assert torch.equal(got[row, :, : length + 1], wanted)


def test_a_row_keeps_its_tokens_when_it_moves_and_when_the_slots_change_size(slots):
    keys, _ = filled(slots)
    slots.move(2, 0, 2)
    slots.resize(10, 64)
    slots.resize(1, 16)
    slots.expect_tokens([2])
    new = states(1, 1, 5)
    for layer, (shown, _) in enumerate(read(slots, new, new)):
        assert torch.equal(shown[0, :, :2], keys[2, :, :2] + layer)


def test_unused_room_holds_numbers(slots):
    filled(slots)
    slots.resize(50, 500)
    assert all(torch.isfinite(room).all() for layer in slots.cache.layers for room in layer.rooms)


def test_the_size_of_a_token_is_that_of_its_keys_and_values(slots):
    assert slots.bytes_per_token == 0
    filled(slots)
    assert slots.bytes_per_token == 2 * 2 * 1 * 4 * 4  # layers, keys and values, head, width, bytes


def test_a_pass_of_another_shape_than_announced_is_refused(slots):
    filled(slots)
    slots.expect_tokens([3, 1])
    with pytest.raises(ValueError, match="one token of 2 rows"):
        read(slots, states(3, 1, 3), states(3, 1, 3))


def test_a_cache_with_a_sliding_window_is_refused():
    with pytest.raises(ValueError, match="SlidingWindow"):
        Slots(MistralConfig(sliding_window=8, num_hidden_layers=2))
