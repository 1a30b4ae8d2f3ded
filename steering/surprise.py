"""How surprising what was written is to the unsteered model: the likelihood of its very tokens.

Each token is judged behind the very tokens that it was sampled behind. Passages that begin alike (the turns
of one conversation; the doses of one prompt) are read as one tree, in which every token sees the tokens that
lead to it and no others, so that what they share is computed once. After tree attention as in Miao et al.
2023, SpecInfer (https://arxiv.org/abs/2305.09781). Models that take no mask read one passage after another.
Nothing is steered here, and no text is judged.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from steering.request import Passage

_TREE = 2**14
"""The most tokens of a tree of several passages. Also no more than twice the longest of them, since every
token is compared with every other."""
_SCORES = 2**28
"""Numbers that the scores of one pass may have, where one passage alone has no more."""


@torch.inference_mode()
def surprises(model: Any, passages: Sequence[Passage], *, masked: bool) -> list[float]:
    """Negative log-likelihood of each passage's own tokens, summed, in nats.

    masked  whether the model takes a mask [B,1,T,T] and position ids; without these no tokens are shared.
    Nothing of what is given may be steered while this runs.
    """
    order = sorted(range(len(passages)), key=lambda place: passages[place].fed)
    sums = [0.0] * len(passages)
    vocabulary = int(model.config.get_text_config().vocab_size)
    for part in _parts([passages[place] for place in order], vocabulary, masked):
        chosen = order[part]
        for place, value in zip(chosen, _read(model, [passages[p] for p in chosen]), strict=True):
            sums[place] = value
    return sums


class _Tree:
    """Token sequences, given in order, as the nodes of one tree."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.depths: list[int] = []
        self.edges: list[tuple[int, list[int]]] = []
        """Of each sequence its first new node, and the older nodes that lead to it."""
        self._last: tuple[int, ...] = ()
        self._path: list[int] = []

    def add(self, tokens: tuple[int, ...]) -> list[int]:
        """The nodes of the sequence."""
        same = _shared(self._last, tokens)
        first = len(self.tokens)
        self.tokens += tokens[same:]
        self.depths += range(same, len(tokens))
        self.edges.append((first, self._path[:same]))
        self._path = [*self._path[:same], *range(first, len(self.tokens))]
        self._last = tokens
        return self._path

    @property
    def branches(self) -> bool:
        """Whether it is more than one sequence and beginnings of it."""
        return self.depths != list(range(len(self.depths)))

    def mask(self) -> Tensor:
        """[T,T] bool: which nodes (columns) each node sees."""
        seen = torch.zeros(len(self.tokens), len(self.tokens), dtype=torch.bool)
        ends = [first for first, _ in self.edges[1:]] + [len(self.tokens)]
        for (first, before), end in zip(self.edges, ends, strict=True):
            seen[first:end, before] = True
            seen[first:end, first:end] = torch.ones(end - first, end - first, dtype=torch.bool).tril()
        return seen


def _parts(ordered: Sequence[Passage], vocabulary: int, masked: bool) -> Iterator[slice]:
    """Neighbours that fit into one pass."""
    start, nodes, scored, longest = 0, 0, 0, 0
    for place, passage in enumerate(ordered):
        length, own = len(passage.fed), len(passage.ids)
        new = length - (_shared(ordered[place - 1].fed, passage.fed) if place > start else 0)
        room = min(_TREE, 2 * max(longest, length)) if masked else 0
        if place > start and (nodes + new > room or (scored + own) * vocabulary > _SCORES):
            yield slice(start, place)
            start, nodes, scored, longest, new = place, 0, 0, 0, length
        nodes, scored, longest = nodes + new, scored + own, max(longest, length)
    if ordered:
        yield slice(start, len(ordered))


def _read(model: Any, passages: Sequence[Passage]) -> list[float]:
    device = model.get_input_embeddings().weight.device
    tree = _Tree()
    behind: list[int] = []
    for passage in passages:
        behind += tree.add(passage.fed)[len(passage.prompt_ids) - 1 :]
    inputs: dict[str, Any] = {"input_ids": torch.tensor([tree.tokens], device=device)}
    if tree.branches:
        seen = tree.mask()[None, None]
        if model.config._attn_implementation == "eager":
            lowest = torch.finfo(model.dtype).min
            seen = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, lowest)
        inputs |= {
            "attention_mask": seen.to(device),
            "position_ids": torch.tensor([tree.depths], device=device),
        }
    with _only(model.get_output_embeddings(), behind) as picked:
        scores = model(**inputs, use_cache=False).logits[0]
    scores = (scores if picked else scores[behind]).float()  # [N,V]
    tokens = torch.tensor([token for passage in passages for token in passage.ids], device=scores.device)
    if len(scores) != len(tokens):
        raise ValueError(f"scores of {tuple(scores.shape)} for {len(tokens)} tokens")
    losses = scores.logsumexp(dim=-1) - scores.gather(1, tokens[:, None])[:, 0]
    return [float(own.sum(dtype=torch.float64)) for own in losses.cpu().split([len(p.ids) for p in passages])]


@contextmanager
def _only(head: torch.nn.Module | None, places: Sequence[int]) -> Iterator[bool]:
    """Lets the model's head see these tokens of the one row only: the scores of all would be large."""
    if head is None:
        yield False
        return
    handle = head.register_forward_pre_hook(lambda _head, args: (args[0][:, places], *args[1:]))
    try:
        yield True
    finally:
        handle.remove()


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the beginning that both have."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)
