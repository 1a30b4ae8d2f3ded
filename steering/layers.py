"""Where a model's decoder layers are, and whether steering them does anything.

Finds layers by structure, not by a list of architectures. Does not load models and does not steer them in
earnest.
"""

from typing import Any, NamedTuple

import torch
from torch import nn

from steering.errors import LayerNotFound, SteeringError


class Shape(NamedTuple):
    """What a vector must fit."""

    n_layers: int
    width: int


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """The blocks whose outputs are the residual stream, in order.

    The longest ModuleList that lies in no other one (lists of experts lie inside a block) and, where the
    model's configuration counts its layers, has that many entries.
    """
    lists = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module)
    }
    outer = {
        name: module
        for name, module in lists.items()
        if not any(name.startswith(f"{other}.") for other in lists if other != name)
    }
    count = getattr(_text_config(model), "num_hidden_layers", None)
    fitting = {name: module for name, module in outer.items() if count is None or len(module) == count}
    if not fitting:
        found = ", ".join(f"{name} ({len(module)})" for name, module in outer.items()) or "none"
        raise LayerNotFound(
            f"no list of {count} decoder layers in {type(model).__name__}; its lists of modules: {found}"
        )
    longest = max(len(module) for module in fitting.values())
    best = {name: module for name, module in fitting.items() if len(module) == longest}
    if len(best) > 1:
        raise LayerNotFound(
            f"{type(model).__name__} has several lists of {longest} layers: {', '.join(best)}"
        )
    return list(next(iter(best.values())))


def shape_of(model: nn.Module) -> Shape:
    """Number of decoder layers and width of the residual stream."""
    width = getattr(_text_config(model), "hidden_size", None)
    if not isinstance(width, int):
        raise LayerNotFound(f"the configuration of {type(model).__name__} states no hidden_size")
    return Shape(len(decoder_layers(model)), width)


def default_layer(n: int) -> int:
    """The layer at two thirds of the depth."""
    return 2 * n // 3


@torch.no_grad()
def probe(model: nn.Module) -> Shape:
    """Run a few tokens through the model and raise SteeringError unless it can be steered.

    Every decoder layer must return a [B,T,d] residual stream, and a large shift at the default layer must
    change the logits of the last token.
    """
    from steering.hooks import record, steered  # hooks needs decoder_layers

    shape = shape_of(model)
    weights = model.get_input_embeddings().weight  # type: ignore[operator]
    ids = (torch.arange(6, device=weights.device) % weights.shape[0])[None]  # [1,6]
    everything = torch.ones_like(ids, dtype=torch.bool)
    with record(model) as outputs:
        plain = _last_logits(model, ids)
    if len(outputs) != shape.n_layers:
        raise SteeringError(f"{len(outputs)} of {shape.n_layers} decoder layers ran in one forward pass")
    for layer, output in enumerate(outputs):
        if output.shape != (*ids.shape, shape.width):
            raise SteeringError(
                f"decoder layer {layer} returns shape {tuple(output.shape)}, "
                f"expected {(*ids.shape, shape.width)}"
            )
    layer = default_layer(shape.n_layers)
    size = outputs[layer].float().norm(dim=-1).mean()
    direction = torch.randn(1, shape.width, generator=torch.Generator().manual_seed(0))
    delta = 10 * size.cpu() * direction / direction.norm()
    with steered(model, {layer: delta}, everything):
        moved = _last_logits(model, ids)
    if not torch.isfinite(plain).all() or torch.equal(plain, moved):
        raise SteeringError(
            f"a large shift at layer {layer} of {type(model).__name__} does not change its logits"
        )
    return shape


def _text_config(model: nn.Module) -> Any:
    config: Any = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _last_logits(model: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[:, -1].float()
    return logits
