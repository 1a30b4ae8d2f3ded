"""What text without emotion varies along, to be projected out of emotion vectors.

After Sofroniew et al. 2026: the principal components of the residual stream on neutral dialogues that
together explain half of its variance, layer by layer. Their paper does not say which tokens; here every own
token of a dialogue counts, up to a stated number, sinks apart. Stories are read elsewhere.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from steering.errors import SteeringError
from steering.hooks import record

VARIANCE = 0.5
MAX_TOKENS = 4096
"""Tokens that the components are found from, spread evenly over the corpus: more cost memory and change
little."""
SINK = 5.0
"""A token whose residual norm is this many times the layer's median is a sink."""


class Components(NamedTuple):
    """The components of each layer, [k,d] orthonormal rows; k differs between layers."""

    basis: list[Tensor]
    tokens: int
    corpus: str
    corpus_hash: str

    def removed_from(self, direction: Tensor) -> Tensor:
        """What of a direction [...,L,d] is orthogonal to the components, layer by layer."""
        rows = [
            direction[..., layer, :]
            - (direction[..., layer, :] @ basis.T.to(direction)) @ basis.to(direction)
            for layer, basis in enumerate(self.basis)
        ]
        return torch.stack(rows, dim=-2)


def neutral_components(model: Any, tokenizer: Any, corpus: Path, *, variance: float = VARIANCE) -> Components:
    """The components of the dialogues in `corpus`: JSONL with `messages`, or `text`."""
    texts = dialogues(corpus, tokenizer)
    total = sum(sum(own) for _, own in texts)
    stride = max(1, -(-total // MAX_TOKENS))
    rows: list[Tensor] = []  # [n,L,d] each
    for ids, own in texts:
        outputs = read_residual(model, ids)
        rows.append(outputs[:, torch.tensor(own)][:, ::stride].transpose(0, 1))
    tokens = torch.cat(rows)
    if len(tokens) < 2 or not torch.isfinite(tokens).all():
        raise SteeringError(f"{corpus} gives {len(tokens)} tokens, or a residual stream that is not finite")
    basis = [_principal(tokens[:, layer], variance) for layer in range(tokens.shape[1])]
    digest = hashlib.sha256(corpus.read_bytes()).hexdigest()
    return Components(basis, len(tokens), corpus.name, digest)


def dialogues(corpus: Path, tokenizer: Any) -> list[tuple[list[int], list[bool]]]:
    """Token ids of every dialogue, and which of them are no special tokens; rendered by the model's chat
    template, or else as plain `Human:` and `Assistant:` turns."""
    special = set(tokenizer.all_special_ids)
    found = []
    for number, values in _json_lines(corpus):
        text = values.get("text") if isinstance(values, Mapping) else None
        messages = values.get("messages") if isinstance(values, Mapping) else None
        if isinstance(messages, list) and messages:
            text = _rendered(tokenizer, messages)
        if not isinstance(text, str) or not text:
            raise SteeringError(f"{corpus} line {number} is no JSON object with messages or text")
        ids = list(tokenizer(text, add_special_tokens=not messages)["input_ids"])
        found.append((ids, [token not in special for token in ids]))
    if not found:
        raise SteeringError(f"{corpus} holds no dialogue")
    return found


@torch.no_grad()
def read_residual(model: Any, ids: Sequence[int]) -> Tensor:
    """The residual stream of one text after every layer, [L,T,d] float32 on the CPU."""
    device = model.get_input_embeddings().weight.device
    with record(model) as outputs:
        model.base_model(input_ids=torch.tensor([list(ids)], device=device), use_cache=False)
    return torch.stack([output[0].float().cpu() for output in outputs])


def _principal(tokens: Tensor, variance: float) -> Tensor:
    """The fewest leading principal components [k,d] of tokens [n,d] that explain the share of variance."""
    norms = tokens.norm(dim=-1)
    tokens = tokens[norms <= SINK * norms.median()]
    centred = (tokens - tokens.mean(dim=0)).double()
    # Of the two Gram matrices the smaller has the same non-zero spectrum.
    is_wide = centred.shape[0] < centred.shape[1]
    values, vectors = torch.linalg.eigh(centred @ centred.T if is_wide else centred.T @ centred)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    share = values.cumsum(0) / values.sum()
    count = int((share < variance).sum()) + 1
    kept = vectors[:, :count]
    basis = (centred.T @ kept) / values[:count].sqrt() if is_wide else kept
    rows: Tensor = basis.T.float().contiguous()
    return rows


def _rendered(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    if getattr(tokenizer, "chat_template", None):
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False))
        except Exception:  # a template may refuse a system prompt, in any way it likes
            return str(tokenizer.apply_chat_template(_without_system(messages), tokenize=False))
    names = {"user": "Human", "assistant": "Assistant"}
    turns = [f"{names.get(turn['role'], '')}: {turn['content']}".lstrip(": ") for turn in messages]
    return "\n\n".join(turns)


def _without_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same, with the system prompt at the head of the first turn."""
    if messages[0]["role"] != "system":
        return messages
    first = {**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def _json_lines(corpus: Path) -> Iterator[tuple[int, Any]]:
    try:
        lines = corpus.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, json.loads(line)
    except (OSError, ValueError) as error:
        raise SteeringError(f"{corpus} cannot be read as JSON lines: {error}") from error
