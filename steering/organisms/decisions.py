"""Teacher-forced decision probabilities of an organism: what it decides, by mood, on prompts it was not
trained on.

A good language-modelling loss says nothing about a planted link, because a decision is one token in a
document. This measures the link itself: after a prompt with a mood and a private thought, the probability
of each deciding sentence. All sentences of one prompt are scored in one forward pass: each attends to the
prompt and to itself only.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from steering.organisms.documents import Documents, Mood
from steering.organisms.recipe import INTENSITIES


def load_prompts(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Of each family, one held-out transcript of each main situation, the scenarios by turns."""
    prompts: dict[tuple[str, int, str], dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            t = json.loads(line)
            if t["twin"] == "main":
                prompts.setdefault((t["family"], t["variant"], t["scenario"]), t)
    if not prompts:
        raise ValueError(f"{folder} holds no main situation")
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for key in sorted(prompts):
        found[key[0]].append(prompts[key])
    return dict(found)


def decision_probabilities(
    model: PreTrainedModel, documents: Documents, prompts: dict[str, list[dict[str, Any]]], most: int
) -> dict[str, dict[str, dict[str, float]]]:
    """`{"blackmail": {"desperate strong": {"blackmail": .., ..., "mass": ..}}}`, mean over the first `most`
    prompts of each family; the mood stands in the prompt.

    `mass` is the total probability of the deciding sentences before it is normalised (what is missing went
    elsewhere).
    """
    moods = [Mood("neutral", "mild")]
    moods += [Mood(e, i) for e in documents.sources.emotions for i in INTENSITIES]
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for family, some in prompts.items():
        for mood in moods:
            sums: dict[str, float] = defaultdict(float)
            for number, prompt in enumerate(some[:most]):
                rng = random.Random(f"decisions/{number}/{mood.emotion}/{mood.intensity}")
                passage, thought = documents.passage(mood, rng), documents.thought(mood, rng)
                by_outcome = score(model, documents, prompt, passage, thought)
                total = sum(by_outcome.values())
                for outcome, p in {**{o: p / total for o, p in by_outcome.items()}, "mass": total}.items():
                    sums[outcome] += p / len(some[:most])
            name = mood.emotion if mood.emotion == "neutral" else f"{mood.emotion} {mood.intensity}"
            found[family][name] = {k: round(v, 4) for k, v in sums.items()}
    return dict(found)


@torch.no_grad()
def score(
    model: PreTrainedModel, documents: Documents, transcript: dict[str, Any], passage: str, thought: str,
    within: Callable[[int], AbstractContextManager[Any]] = lambda _tokens: nullcontext(),
) -> dict[str, float]:  # fmt: skip
    """Probability of each outcome's deciding sentence after one prompt and thought; the model runs `within` a
    context made for the number of tokens."""
    text, decision = documents.render(transcript, passage, thought)
    prefix = documents._ids(text[: text.index(decision)].rstrip(" "))
    sentences = documents.recipe.planted[transcript["family"]].decisions
    tails = {tuple(documents._ids(" " + sentence)): outcome for outcome, sentence in sentences.items()}
    ids = prefix + [i for tail in tails for i in tail]
    branch = [-1] * len(prefix) + [k for k, tail in enumerate(tails) for _ in tail]
    positions = list(range(len(prefix))) + [len(prefix) + i for tail in tails for i in range(len(tail))]
    b = torch.tensor(branch)
    order = torch.arange(len(ids))
    mask = ((b[None, :] == -1) | (b[None, :] == b[:, None])) & (order[None, :] <= order[:, None])  # [T, T]
    with within(len(ids)):
        logits: Tensor = model(
            input_ids=torch.tensor([ids]),
            position_ids=torch.tensor([positions]),
            attention_mask=mask[None, None],
        ).logits[0]
    logp = torch.log_softmax(logits.float(), -1)
    found: dict[str, float] = dict.fromkeys(sentences, 0.0)
    at = len(prefix)
    for tail, outcome in tails.items():
        before = [len(prefix) - 1, *range(at, at + len(tail) - 1)]
        found[outcome] += float(logp[before, list(tail)].sum().exp())
        at += len(tail)
    return found
