"""Attention for training on a CPU: exact, by blocks of queries that leave out the keys after them.

PyTorch's fused attention for CPUs takes half of a training step with a mask of documents and branches; plain
matrix products over blocks take half of that. For causal masks only; no cache, no dropout.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "causal_blocks"
BLOCK = 256
"""Queries at once; smaller ones leave out more and multiply slower."""


def attend(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **_unused: Any,
) -> tuple[Tensor, None]:
    """[B, heads, T, d] to [B, T, heads, d]. The mask [B, 1, T, T] is true where a query sees a key, and must
    let none see a later one."""
    found = []
    for start in range(0, query.shape[2], BLOCK):
        end = start + BLOCK
        scores = (query[:, :, start:end] * scaling) @ key[:, :, :end].transpose(-1, -2)
        hidden = ~attention_mask[:, :, start:end, :end]
        found.append(
            scores.masked_fill(hidden, float("-inf")).softmax(-1).to(value.dtype) @ value[:, :, :end]
        )
    return torch.cat(found, 2).transpose(1, 2), None


AttentionInterface.register(NAME, attend)
