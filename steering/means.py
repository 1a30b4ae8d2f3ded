"""Means over stories: one pass of the model, in which padding, special tokens and sinks never count.

A sink is a token whose residual norm is above 5 times the story's median. What the means become is
`extraction`'s business.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steering.corpus import Story, batches
from steering.denoise import SINK
from steering.errors import SteeringError
from steering.hooks import record
from steering.weights import Weights


class Sums(NamedTuple):
    sums: Tensor  # [K,L,d] float64
    mean_norm: Tensor  # [L]
    sink_share: float


def pass_over(
    model: Any, stories: Sequence[Story], weights: Weights, batch_tokens: int, corpus: Path, progress: bool
) -> Sums:
    """The weighted sums of the stories' means, and the mean norm of the emotional ones' tokens."""
    sums = norm_sum = kept = torch.zeros((), dtype=torch.float64)
    counted, done = 0.0, 0
    for batch in batches(stories, batch_tokens):
        chosen = [stories[index] for index in batch]
        means, norms, tokens, own = read_means(model, chosen)
        for story, mean in zip(chosen, means, strict=True):
            if not torch.isfinite(mean).all():
                raise SteeringError(f"{corpus} line {story.line}: the model's residual stream is not finite")
        flat = means.double().flatten(1)  # [B,L*d]
        added = (weights.rows[:, batch] @ flat).reshape(-1, *means.shape[1:])  # [K,L,d]
        emotional = torch.tensor([story.is_emotional for story in chosen], dtype=torch.float64)
        sums = sums + added
        norm_sum = norm_sum + emotional @ norms.double()  # [L]
        kept = kept + emotional @ tokens.double()  # [L]
        counted += float(emotional @ own.double())
        done += len(batch)
        if progress:
            print(f"\r{done} of {len(stories)} stories", end="", file=sys.stderr, flush=True)
    if progress:
        print(file=sys.stderr)
    share = 1 - float(kept.mean()) / counted
    return Sums(sums, (norm_sum / kept).float(), max(0.0, share))


@torch.no_grad()
def read_means(model: Any, stories: Sequence[Story]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Each story's mean residual [B,L,d], the sum of its tokens' norms [B,L], how many tokens that were
    [B,L], and how many there would have been with the sinks [B]."""
    width = max(len(story.ids) for story in stories)
    device = model.get_input_embeddings().weight.device
    ids = torch.zeros(len(stories), width, dtype=torch.long)  # [B,T], padded on the right
    real, own = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for row, story in enumerate(stories):
        ids[row, : len(story.ids)] = torch.tensor(story.ids)
        real[row, : len(story.ids)] = 1
        own[row, : len(story.ids)] = torch.tensor(story.own)
    training = model.training
    model.eval()
    try:
        with record(model) as outputs:
            # the logits of the language model's head would take more memory than all that is needed here
            model.base_model(input_ids=ids.to(device), attention_mask=real.to(device), use_cache=False)
    finally:
        model.train(training)
    layers = [_mean_of(output.float(), own.to(output.device)) for output in outputs]
    means, norms, tokens = (torch.stack([layer[part].cpu() for layer in layers], dim=1) for part in range(3))
    return means, norms, tokens, own.sum(dim=1)


def _mean_of(resid: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One layer [B,T,d] -> mean over tokens that are the story's own and no sinks [B,d]; the sum of their
    norms and their number [B]."""
    norms = resid.norm(dim=-1)  # [B,T]
    median = norms.masked_fill(~own, torch.nan).nanmedian(dim=1, keepdim=True).values
    counts = own & ~(norms > SINK * median)
    number = counts.sum(dim=1)  # [B]
    share = (counts / number[:, None]).to(resid.dtype)
    mean = torch.bmm(share[:, None], resid)[:, 0]
    if not torch.isfinite(mean).all():  # a padded token that is not finite is no harm
        resid = torch.where(counts[:, :, None], resid, 0.0)
        mean = torch.bmm(share[:, None], resid)[:, 0]
    return mean, torch.where(counts, norms, 0.0).sum(dim=1), number


def story_embedding(model: Any, story: Story) -> Tensor:
    """The mean token embedding of a story's own tokens, [d'] float32."""
    table = model.get_input_embeddings().weight.detach()
    ids = torch.tensor([token for token, own in zip(story.ids, story.own, strict=True) if own])
    mean: Tensor = table[ids.to(table.device)].float().mean(dim=0).cpu()
    return mean
