"""The logit lens: which words a direction at a layer would write if nothing came after it.

The vector is put in the place of the last decoder layer's output, in that layer's mean norm, and the model's
own final norm and head do the rest, so that no architecture has to be known.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from steering.hooks import residual_of
from steering.layers import decoder_layers
from steering.vectors import VectorLibrary

SHOWN = 8


class Lens(NamedTuple):
    up: dict[str, list[str]]
    """Per emotion, the tokens that its vector promotes most, relative to the other vectors."""
    down: dict[str, list[str]]
    rank: dict[str, float]
    """Per emotion whose name is one token: the share of the other such emotions whose vector promotes that
    token less; 1 is best."""


@torch.no_grad()
def logit_lens(model: Any, tokenizer: Any, library: VectorLibrary, layer: int) -> Lens:
    names = library.names()
    units = torch.stack([library.get(name).unit[layer] for name in names])  # [E,d]
    logits = _head(model, units * library.mean_norm[-1])  # [E,V]
    logits = logits - logits.mean(dim=0)
    order = logits.argsort(dim=-1, descending=True)
    up = {name: _shown(tokenizer, row[:SHOWN]) for name, row in zip(names, order, strict=True)}
    down = {name: _shown(tokenizer, row.flip(0)[:SHOWN]) for name, row in zip(names, order, strict=True)}
    tokens = {name: token for name in names if (token := _one_token(tokenizer, name)) is not None}
    rank = {}
    for name, token in tokens.items():
        others = [logits[names.index(other), token] for other in tokens if other != name]
        own = logits[names.index(name), token]
        if others:
            rank[name] = sum(float(other < own) for other in others) / len(others)
    return Lens(up, down, rank)


def _head(model: Any, rows: Tensor) -> Tensor:
    """What the model writes after residual streams [E,d]: logits [E,V] float32 on the CPU."""
    last = decoder_layers(model)[-1]

    def put(_module: Any, _args: Any, output: Any) -> Any:
        resid = residual_of(output, -1)
        there = rows[:, None].to(resid)
        return there if isinstance(output, Tensor) else (there, *output[1:])

    handle = last.register_forward_hook(put)
    try:
        device = model.get_input_embeddings().weight.device
        ids = torch.zeros(len(rows), 1, dtype=torch.long, device=device)
        logits: Tensor = model(input_ids=ids, use_cache=False).logits[:, -1].float().cpu()
    finally:
        handle.remove()
    return logits


def _one_token(tokenizer: Any, name: str) -> int | None:
    for text in (f" {name}", name):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) == 1:
            return int(ids[0])
    return None


def _shown(tokenizer: Any, tokens: Tensor) -> list[str]:
    return [
        tokenizer.decode([int(token)]).strip() or repr(tokenizer.decode([int(token)])) for token in tokens
    ]
