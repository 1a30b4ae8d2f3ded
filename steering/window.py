"""The coherent window: how strong a vector may be before what the model writes breaks down.

Measured blind to every outcome: the model goes on from neutral prompts under each dose, and a text is
incoherent where its perplexity under the unsteered model is above the 99th percentile of the unsteered
texts', where it repeats eight words, or where it opens a tool call that cannot be read. The window is the
largest strength up to which, on both signs, few more texts are than without steering. Scenarios and their
detectors are not known here.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from steering.condition import Condition
from steering.denoise import dialogues
from steering.doses import Coherence
from steering.engine import Engine
from steering.errors import SteeringError
from steering.request import Completion, Passage, Request
from steering.surprise import surprises
from steering.vectors import VectorLibrary

STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5)
MOST_ADDED = 0.1
"""By how much the share of incoherent texts may exceed that without steering within the window: what is
measured is what the dose breaks, not what the model breaks by itself."""
TEXTS = 192
"""Texts a dose: then a share of 10 % has a standard error of 2 points. Fewer make windows smaller, since one
unlucky dose ends them."""
PERCENTILE = 0.99
LOOP = 8
"""Words in a row that a text may not hold twice."""
_CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|$)", re.DOTALL)


class Window(NamedTuple):
    coherence: dict[str, Coherence]
    """By slug, the baseline `none` among them."""
    largest: dict[str, float | None]
    """Per vector; None where even the smallest strength breaks the text."""


def measure(
    model: Any, tokenizer: Any, library: VectorLibrary, neutral: Path, vectors: Sequence[str],
    layers: tuple[int, ...], *, strengths: Sequence[float] = STRENGTHS, texts: int = TEXTS,
    max_tokens: int = 64, progress: Callable[[int, int], None] | None = None,
) -> Window:  # fmt: skip
    """Generate under every strength and sign of every vector and judge the texts: `texts` a dose, which
    begin with each neutral prompt in turn."""
    prompts = prompts_of(neutral, tokenizer)
    started = [prompts[number % len(prompts)] for number in range(texts)]
    sizes = sorted({abs(strength) for strength in strengths} - {0.0})
    conditions = [Condition.baseline()]
    signed = [sign * size for size in sizes for sign in (1, -1)]
    conditions += [Condition(name, dose, layers, "all") for name in vectors for dose in signed]
    engine = Engine(model, tokenizer, library)
    written: dict[str, list[Completion]] = {}
    for done, condition in enumerate(conditions):
        if progress is not None:
            progress(done + 1, len(conditions))
        written[condition.slug] = engine.run(
            [
                Request(ids, [False] * len(ids), condition, f"window/{number}", 1.0, 1.0, max_tokens)
                for number, ids in enumerate(started)
            ]
        )
    surprise = {slug: _surprises(model, started, texts) for slug, texts in written.items()}
    limit = float(torch.tensor(surprise["none"]).quantile(PERCENTILE))
    coherence = {}
    for condition in conditions:
        broken = sum(
            value > limit or incoherent(text.text)
            for value, text in zip(surprise[condition.slug], written[condition.slug], strict=True)
        )
        coherence[condition.slug] = Coherence(
            incoherent=broken, n=len(started), vector_hash=library.hash(condition)
        )
    largest = {name: largest_within(name, sizes, layers, coherence) for name in vectors}
    return Window(coherence, largest)


def prompts_of(neutral: Path, tokenizer: Any) -> list[list[int]]:
    """Beginnings to go on from: the first half of every neutral text, none of it emotional."""
    return [ids[: max(2, len(ids) // 2)] for ids, _ in dialogues(neutral, tokenizer)]


def incoherent(text: str) -> bool:
    """Whether it repeats eight words or opens a call that cannot be read."""
    words = re.findall(r"\w+", text.lower())
    runs = [tuple(words[start : start + LOOP]) for start in range(len(words) - LOOP + 1)]
    if len(set(runs)) < len(runs):
        return True
    return any(not (end and _is_json(call)) for call, end in _CALL.findall(text))


def _surprises(model: Any, prompts: Sequence[Sequence[int]], texts: Sequence[Completion]) -> list[float]:
    """Mean negative log-likelihood of each text's own tokens under the unsteered model, in nats."""
    passages = [Passage(tuple(p), tuple(text.ids)) for p, text in zip(prompts, texts, strict=True)]
    sums = surprises(model, passages, masked=False)
    found = [value / len(passage.ids) for value, passage in zip(sums, passages, strict=True)]
    if not all(math.isfinite(value) for value in found):
        raise SteeringError("the unsteered model gives a text no finite likelihood")
    return found


def largest_within(
    name: str, sizes: Sequence[float], layers: tuple[int, ...], coherence: dict[str, Coherence]
) -> float | None:
    best, most = None, _share(coherence[Condition.baseline().slug]) + MOST_ADDED
    for size in sizes:
        both = [coherence[Condition(name, sign * size, layers, "all").slug] for sign in (1, -1)]
        if max(map(_share, both)) > most:
            break
        best = size
    return best


def _share(found: Coherence) -> float:
    return found.incoherent / found.n


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
