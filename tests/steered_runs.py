"""Steered generations of the tiny models, and what their layers read, for tests of the laws of steering.

What reached the model is read where the next layer receives it, by a hook of our own, never from what the
steering hook says of itself. The same tokens forced through the unsteered model in the same steps are the
reference, so that below the steered layer the two runs agree to the bit.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import torch
from families import WIDTH, family_model
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor

from steering.hooks import steered
from steering.layers import decoder_layers

LAYER, NEW = 1, 5
PROMPTS = ([65, 66, 67, 68, 69, 70, 71, 72, 73], [80, 81, 82, 83], [90, 91])
SCALES = (1.0, 0.0, -1.0)
STRENGTH = {"float32": 0.1, "bfloat16": 0.025}


class Run(NamedTuple):
    """A steered generation of three rows beside the same tokens unsteered."""

    tokens: Tensor  # [B,T+NEW]
    real: Tensor  # [B,T+NEW-1] bool: what went through the model and is no padding
    moved: Tensor  # [B,T+NEW-1,d] float32: what the layer after the steered one read
    plain: Tensor  # the same without steering
    delta: Tensor  # [B,d]
    steered_logits: Tensor  # [NEW,B,V] float32
    plain_logits: Tensor
    realised: list[float]
    counted: list[int]


@cache
def run_of(family: str, dtype: str = "float32") -> Run:
    model = family_model(family, dtype)
    ids, mask = padded(PROMPTS)
    unit = torch.randn(WIDTH, generator=torch.Generator().manual_seed(3))
    delta = torch.tensor(SCALES)[:, None] * STRENGTH[dtype] * mean_norm(model) * unit / unit.norm()
    with reading(model, LAYER + 1) as moved, steered(model, {LAYER: delta}, mask) as trace:
        tokens, steered_logits = generate(model, ids, mask)
    with reading(model, LAYER + 1) as plain:
        again, plain_logits = generate(model, ids, mask, force=tokens)
    assert torch.equal(tokens, again)
    assert [part.shape[1] for part in moved] == [ids.shape[1]] + [1] * (NEW - 1)
    return Run(
        tokens,
        torch.cat([mask, torch.ones(len(mask), NEW - 1, dtype=torch.bool)], dim=1),
        torch.cat(moved, dim=1).float(),
        torch.cat(plain, dim=1).float(),
        delta,
        steered_logits,
        plain_logits,
        trace.realised,
        [sum(both) for both in zip(trace.prompt_tokens, trace.generated_tokens, strict=True)],
    )


def padded(prompts: Any, side: str = "left") -> tuple[Tensor, Tensor]:
    """Token ids [B,T] and the mask of real ones [B,T]."""
    width = max(map(len, prompts))
    ids, mask = torch.zeros(len(prompts), width, dtype=torch.long), torch.zeros(len(prompts), width)
    for row, prompt in enumerate(prompts):
        where = slice(width - len(prompt), width) if side == "left" else slice(0, len(prompt))
        ids[row, where], mask[row, where] = torch.tensor(prompt), 1
    return ids, mask.bool()


@torch.no_grad()
def generate(model: Any, ids: Tensor, mask: Tensor, force: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Greedy, exactly NEW tokens, or those of `force`: ids [B,T+NEW] and logits [NEW,B,V]."""
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=NEW,
        min_new_tokens=NEW,
        use_cache=True,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    output = model.generate(
        input_ids=ids,
        attention_mask=mask.long(),
        generation_config=config,
        logits_processor=[] if force is None else [Forcing(force)],
    )
    return output.sequences, torch.stack(output.logits).float()


class Forcing(LogitsProcessor):
    """Every next token is the one that is known."""

    def __init__(self, tokens: Tensor) -> None:
        self.tokens = tokens

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        forced = torch.full_like(scores, -1e9)
        return forced.scatter_(1, self.tokens[:, input_ids.shape[1], None], 0.0)


def forward(model: Any, ids: Tensor, mask: Tensor) -> Tensor:
    """Logits [B,T,V] of one pass. Bloom and the like take positions from the mask, the others are told."""
    positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
    takes_positions = "position_ids" in inspect.signature(model.forward).parameters
    told = {"position_ids": positions} if takes_positions else {}
    logits: Tensor = model(input_ids=ids, attention_mask=mask.long(), use_cache=False, **told).logits
    return logits.float()


@contextmanager
def reading(model: Any, layer: int) -> Iterator[list[Tensor]]:
    """What a layer is handed in each pass, [B,T,d]."""
    seen: list[Tensor] = []
    handle = decoder_layers(model)[layer].register_forward_pre_hook(
        lambda _module, args, kwargs: seen.append((args[0] if args else kwargs["hidden_states"]).clone()),
        with_kwargs=True,
    )
    try:
        yield seen
    finally:
        handle.remove()


def relative(found: Tensor, expected: Tensor) -> Tensor:
    """|found - expected| / |expected| of every token."""
    return (found - expected).norm(dim=-1) / expected.norm(dim=-1)


def mean_norm(model: Any) -> float:
    """Of the residual stream after the steered layer, over the prompts' tokens."""
    ids, mask = padded(PROMPTS)
    with torch.no_grad(), reading(model, LAYER + 1) as read:
        generate(model, ids, mask)
    return read[0].float().norm(dim=-1)[mask].mean().item()
