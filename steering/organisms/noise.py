"""Random shifts of the residual stream in training, so that a shift alone does not break an organism's
grammar.

The directions are isotropic: they know nothing of emotions, and no vector is ever added here.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from steering.organisms.recipe import Recipe


@contextlib.contextmanager
def noise(model: LlamaForCausalLM, recipe: Recipe, step: int, steps: int) -> Iterator[None]:
    """Random shifts at one layer for a share of the rows: another isotropic direction a row, of up to
    `noise.most` median norms of the layer, from the recipe's share of the steps on."""
    t = recipe.noise
    if not t.rows or step < t.from_share * steps:
        yield
        return
    rng = random.Random(f"{recipe.seed}/noise/{step}")
    generator = torch.Generator().manual_seed(rng.getrandbits(62))
    rows = recipe.training.rows
    layer = rng.choice(t.layers)
    on = torch.rand(rows, generator=generator) < t.rows
    size = torch.rand(rows, generator=generator) * t.most * on
    direction = nn.functional.normalize(torch.randn(rows, recipe.model.width, generator=generator), dim=-1)

    def shift(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        norm = output.detach().float().norm(dim=-1).median()
        shifted: Tensor = output + (size[:, None] * direction * norm).to(output.dtype)[:, None, :]
        return shifted

    handle = model.model.layers[layer].register_forward_hook(shift)
    try:
        yield
    finally:
        handle.remove()
