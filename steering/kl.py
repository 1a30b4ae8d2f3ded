"""How far a dose moves the model: KL divergence of its next-token distribution on neutral text.

Per token, KL(steered || unsteered) in nats, with every real token steered. A dose axis that different
vectors, layers and models share. No text is generated here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steering.condition import Condition
from steering.denoise import dialogues
from steering.doses import Divergence
from steering.errors import SteeringError
from steering.hooks import steered
from steering.vectors import VectorLibrary

MAX_TOKENS = 4096
"""Of neutral text; the 95th percentile of so many is steady."""


@torch.no_grad()
def divergences(
    model: Any, tokenizer: Any, library: VectorLibrary, neutral: Path, conditions: Sequence[Condition]
) -> dict[str, Divergence]:
    """By slug, for every steered condition of positions `all`."""
    wanted = [condition for condition in conditions if not condition.is_baseline]
    if any(condition.positions != "all" for condition in wanted):
        raise SteeringError("KL is measured with every token steered: choose positions all")
    deltas = {condition.slug: library.delta(condition) for condition in wanted}
    found: dict[str, list[Tensor]] = {condition.slug: [] for condition in wanted}
    seen = 0
    for ids, own in dialogues(neutral, tokenizer):
        if seen >= MAX_TOKENS:
            break
        here = torch.tensor([ids], device=model.get_input_embeddings().weight.device)
        counts = torch.tensor(own)
        plain = _log_probabilities(model, here)
        for slug, delta in deltas.items():
            rows = {layer: shift[None] for layer, shift in delta.items()}
            with steered(model, rows, torch.ones_like(here, dtype=torch.bool)):
                moved = _log_probabilities(model, here)
            divergence = (moved.exp() * (moved - plain)).sum(dim=-1)  # [T]
            found[slug].append(divergence.cpu()[counts])
        seen += int(counts.sum())
    return {
        condition.slug: _summary(found[condition.slug], neutral, library, condition) for condition in wanted
    }


def _log_probabilities(model: Any, ids: Tensor) -> Tensor:
    """[1,T] -> [T,V] float32."""
    return torch.log_softmax(model(input_ids=ids, use_cache=False).logits[0].float(), dim=-1)


def _summary(parts: list[Tensor], neutral: Path, library: VectorLibrary, condition: Condition) -> Divergence:
    tokens = torch.cat(parts).clamp(min=0)
    if not torch.isfinite(tokens).all():
        raise SteeringError(f"{condition.slug}: the divergence is not finite on {neutral.name}")
    return Divergence(
        mean=float(tokens.mean()),
        p95=float(tokens.quantile(0.95)),
        tokens=len(tokens),
        corpus=neutral.name,
        vector_hash=library.hash(condition),
    )
