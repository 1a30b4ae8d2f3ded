"""A model that steering would not move as it says is told apart when it is loaded."""

import pytest
import torch
from toy_models import Block, Toy

from steering.errors import SteeringError, UnknownLayerOutput
from steering.layers import Shape, decoder_layers
from steering.probe import probe


def test_every_architecture_passes_the_probe(any_model):
    assert probe(any_model) == Shape(4, 32)


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


@pytest.mark.parametrize("ignored", [0, 1, 2])
def test_a_model_that_ignores_the_output_of_one_layer_fails_the_probe(ignored):
    class Ignoring(Toy):
        def forward(self, input_ids, **_):
            hidden = self.embed(input_ids)
            for layer, block in enumerate(self.blocks):
                after = block(hidden)
                hidden = hidden * 1.01 if layer == ignored else after
            return self.read_out(hidden)

    with pytest.raises(SteeringError, match=f"layer {ignored} of Ignoring"):
        probe(Ignoring(Block(), Block(), Block()))


def test_a_model_that_hands_its_layers_something_else_than_the_output_before_fails_the_probe():
    class Halving(Toy):
        def forward(self, input_ids, **_):
            hidden = self.embed(input_ids)
            for block in self.blocks:
                hidden = block(hidden / 2)
            return self.read_out(hidden)

    with pytest.raises(SteeringError, match="what is added at layer 0 of Halving is not what layer 1 reads"):
        probe(Halving(Block(), Block()))


def test_a_model_that_runs_a_layer_twice_fails_the_probe():
    class Looping(Toy):
        def forward(self, input_ids, **_):
            hidden = self.embed(input_ids)
            for block in (*self.blocks, *self.blocks):
                hidden = block(hidden)
            return self.read_out(hidden)

    with pytest.raises(SteeringError, match="for a generated token"):
        probe(Looping(Block(), Block()))


def test_a_model_whose_rows_take_in_their_padding_fails_the_probe(make_model, monkeypatch):
    """A mask that never reaches the attention."""
    model = make_model("llama")
    generate = type(model).generate

    def blind(self, attention_mask, **kwargs):
        return generate(self, attention_mask=torch.ones_like(attention_mask), **kwargs)

    monkeypatch.setattr(type(model), "generate", blind)
    with pytest.raises(SteeringError, match="padding changes the logits of LlamaForCausalLM"):
        probe(model)


def test_a_model_whose_rows_take_in_each_other_fails_the_probe(make_model, monkeypatch):
    model = make_model("llama")
    generate = type(model).generate

    def mixing(self, **kwargs):
        output = generate(self, **kwargs)
        output.logits = tuple(step.mean(dim=0, keepdim=True).expand_as(step) for step in output.logits)
        return output

    monkeypatch.setattr(type(model), "generate", mixing)
    with pytest.raises(SteeringError, match="other rows change the logits of LlamaForCausalLM"):
        probe(model)
