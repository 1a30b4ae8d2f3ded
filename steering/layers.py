"""Where a model's decoder layers are.

Finds them by structure, not by a list of architectures. Whether steering them does anything is `probe`'s to
find out.
"""

from itertools import takewhile
from typing import Any, NamedTuple

from torch import nn

from steering.errors import LayerNotFound


class Shape(NamedTuple):
    """What a vector must fit."""

    n_layers: int
    width: int


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """The blocks whose outputs are the residual stream, in order.

    The longest ModuleList that lies in no other one (lists of experts lie inside a block) and, where the
    model's configuration counts its layers, has that many entries. Of several (a vision tower may be as deep
    as the text decoder), the one that lies nearest to the token embeddings. Raises LayerNotFound.
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
    shared = {name: _shared_parts(name, _embeddings_name(model)) for name in best}
    nearest = [name for name in best if shared[name] == max(shared.values())]
    if len(nearest) > 1:
        raise LayerNotFound(
            f"{type(model).__name__} has several lists of {longest} layers: {', '.join(nearest)}"
        )
    return list(best[nearest[0]])


def shape_of(model: nn.Module) -> Shape:
    """Number of decoder layers and width of the residual stream."""
    width = getattr(_text_config(model), "hidden_size", None)
    if not isinstance(width, int):
        raise LayerNotFound(f"the configuration of {type(model).__name__} states no hidden_size")
    return Shape(len(decoder_layers(model)), width)


def default_layer(n: int) -> int:
    """The layer at two thirds of the depth."""
    return 2 * n // 3


def _text_config(model: nn.Module) -> Any:
    config: Any = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _embeddings_name(model: nn.Module) -> str:
    """Where the token embeddings lie; empty where a model does not tell."""
    get: Any = getattr(model, "get_input_embeddings", lambda: None)
    embeddings = get()
    return next((name for name, module in model.named_modules() if module is embeddings), "")


def _shared_parts(name: str, other: str) -> int:
    """How many modules two paths go through together."""
    pairs = zip(name.split("."), other.split("."), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
