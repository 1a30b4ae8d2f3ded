"""Decoder layers are found by structure."""

import pytest
from torch import nn
from toy_models import Block, Toy

from steering.errors import LayerNotFound
from steering.layers import Shape, decoder_layers, default_layer, shape_of


def test_the_layers_of_every_architecture_are_found(any_model):
    layers = decoder_layers(any_model)
    assert len(layers) == any_model.config.num_hidden_layers
    assert len({type(layer) for layer in layers}) == 1
    assert shape_of(any_model) == Shape(4, 32)


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
