"""Decoder layers are found by structure, and a model that steering cannot move is told apart."""

import pytest
import torch
from torch import nn

from steering.errors import LayerNotFound, SteeringError, UnknownLayerOutput
from steering.layers import Shape, decoder_layers, default_layer, shape_of
from steering.probe import probe


class Block(nn.Module):
    def __init__(self, width: int = 8, experts: int = 0):
        super().__init__()
        self.mix = nn.Linear(width, width)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(experts))

    def forward(self, hidden):
        return hidden + self.mix(hidden)


class Config:
    def __init__(self, layers: int, width: int = 8):
        self.num_hidden_layers, self.hidden_size = layers, width

    def get_text_config(self):
        return self


class Output:
    def __init__(self, logits):
        self.logits = logits


class Toy(nn.Module):
    """A model as plain as can be, whose blocks and whose path to the logits a test can choose."""

    def __init__(self, *blocks: nn.Module, width: int = 8, deaf: bool = False):
        super().__init__()
        self.config = Config(len(blocks), width)
        self.embed, self.blocks, self.deaf = nn.Embedding(16, 8), nn.ModuleList(blocks), deaf

    def get_input_embeddings(self):
        return self.embed

    def forward(self, input_ids, **_):
        hidden = start = self.embed(input_ids)
        for block in self.blocks:
            hidden = block(hidden)
            hidden = hidden[0] if isinstance(hidden, tuple | list) else hidden
        return Output((start if self.deaf else hidden) @ self.embed.weight.T)


def test_every_architecture_is_found_and_answers_to_a_shift(any_model):
    layers = decoder_layers(any_model)
    assert len(layers) == any_model.config.num_hidden_layers
    assert len({type(layer) for layer in layers}) == 1
    assert probe(any_model) == shape_of(any_model) == Shape(4, 32)


def test_a_long_list_of_experts_is_not_taken_for_the_layers():
    toy = Toy(Block(experts=8), Block(experts=8))
    assert decoder_layers(toy) == list(toy.blocks)


def test_the_layers_of_a_wrapped_model_are_found(llama):
    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.config = llama, llama.config

    assert decoder_layers(Wrapper()) == decoder_layers(llama)


def test_a_model_without_layers_is_refused_with_what_was_found():
    with pytest.raises(LayerNotFound, match="no list of None decoder layers in Linear"):
        decoder_layers(nn.Linear(2, 2))
    toy = Toy(Block(), Block())
    toy.config.num_hidden_layers = 3
    with pytest.raises(LayerNotFound, match=r"no list of 3 decoder layers in Toy; .*blocks \(2\)"):
        decoder_layers(toy)


def test_two_lists_that_could_both_be_the_layers_are_refused():
    toy = Toy(Block(), Block())
    toy.tower = nn.ModuleList([Block(), Block()])
    with pytest.raises(LayerNotFound, match="several lists of 2 layers: blocks, tower"):
        decoder_layers(toy)


@pytest.mark.parametrize(("n", "layer"), [(1, 0), (2, 1), (4, 2), (28, 18), (32, 21), (80, 53)])
def test_the_default_layer_lies_at_two_thirds_of_the_depth(n, layer):
    assert default_layer(n) == layer


def test_a_plain_model_passes_the_probe():
    assert probe(Toy(Block(), Block(), Block())) == Shape(3, 8)


def test_a_model_whose_logits_do_not_hear_its_layers_fails_the_probe():
    with pytest.raises(SteeringError, match="does not change its logits"):
        probe(Toy(Block(), Block(), Block(), deaf=True))


def test_a_model_whose_width_is_not_what_its_configuration_says_fails_the_probe():
    with pytest.raises(SteeringError, match=r"returns shape \(2, 4, 8\), expected \(2, 4, 9\)"):
        probe(Toy(Block(), Block(), width=9))


def test_a_model_with_an_unknown_layer_output_fails_the_probe():
    class Odd(Block):
        def forward(self, hidden):
            return [super().forward(hidden)]

    with pytest.raises(UnknownLayerOutput, match="layer 0 returned list"):
        probe(Toy(Odd(), Odd()))


def test_the_probe_leaves_no_hook_and_the_same_model(llama):
    ids = torch.arange(9)[None]
    with torch.no_grad():
        before = llama(input_ids=ids).logits
        probe(llama)
        assert torch.equal(llama(input_ids=ids).logits, before)
    assert not any(layer._forward_hooks for layer in decoder_layers(llama))
