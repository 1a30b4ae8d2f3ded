"""How much slower extraction is than the bare model on the same texts, in the same batches.

    python -m steering.extraction_speed MODEL CORPUS

Both read every story once; the bare model throws away what it computes. Loading, tokenizing and the
components of neutral text are left out of both.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from steering.corpus import Story, batches, read_stories
from steering.errors import SteeringError
from steering.extraction import SEEDS, load_model
from steering.means import pass_over
from steering.weights import Weights


class Speed(NamedTuple):
    """Stories per second, the best of the repetitions."""

    stories: int
    extraction: float
    bare: float

    @property
    def share(self) -> float:
        """1 is as fast as the bare model."""
        return self.extraction / self.bare

    def __str__(self) -> str:
        return (
            f"extraction: {self.extraction:.4g} passes/s over {self.stories} stories, bare model "
            f"{self.bare:.4g} passes/s: {self.share:.0%}"
        )


def extraction_speed(
    model: Any, tokenizer: Any, corpus: Path, *, from_token: int = 50, batch_tokens: int = 8192,
    repetitions: int = 3,
) -> Speed:  # fmt: skip
    """Time both by turns, so that a busy machine slows both alike."""
    stories = [story for story in read_stories(corpus, tokenizer, from_token) if not story.held_out]
    weights = Weights.of(stories, by_topic=False, seeds=SEEDS)
    ways: tuple[Callable[[], object], ...] = (
        lambda: pass_over(model, stories, weights, batch_tokens, corpus, progress=False),
        lambda: _bare(model, stories, batch_tokens),
    )
    for way in ways:  # once for the caches
        _seconds(way)
    rounds = [[_seconds(way) for way in ways] for _ in range(repetitions)]
    extraction, bare = (len(stories) / min(seconds) for seconds in zip(*rounds, strict=True))
    return Speed(len(stories), extraction, bare)


@torch.no_grad()
def _bare(model: Any, stories: list[Story], batch_tokens: int) -> None:
    device = model.get_input_embeddings().weight.device
    for batch in batches(stories, batch_tokens):
        width = len(stories[batch[0]].ids)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        real = torch.zeros_like(ids)
        for row, index in enumerate(batch):
            ids[row, : len(stories[index].ids)] = torch.tensor(stories[index].ids)
            real[row, : len(stories[index].ids)] = 1
        model.base_model(input_ids=ids.to(device), attention_mask=real.to(device), use_cache=False)


def _seconds(way: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    way()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m steering.extraction_speed", description="Extraction against the bare model."
    )
    parser.add_argument("model", help="folder or name of a causal language model")
    parser.add_argument("corpus", type=Path, help="JSONL with emotion and text")
    parser.add_argument("--from-token", type=int, default=50)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    given = parser.parse_args(arguments)
    try:
        speed = extraction_speed(
            *load_model(given.model),
            given.corpus,
            from_token=given.from_token,
            batch_tokens=given.batch_tokens,
        )
    except (SteeringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(speed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
