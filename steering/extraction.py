"""From a story corpus to one vector per emotion, at all layers, in one pass.

A story's mean is taken over its tokens from `from_token` on, an emotion's over its stories; an emotion's
vector is its mean minus the mean over emotions. The residual stream is read where `steered` shifts it. One
unit of strength, the mean residual norm of each layer, comes from the same tokens. Removing confounds and
judging vectors is done elsewhere.

    python -m steering.extraction MODEL CORPUS OUT --from-token 50

CORPUS is JSONL with `emotion` and `text`; other keys are ignored. Lines with emotion `neutral` belong to no
emotion and are not read.
"""

import argparse
import hashlib
import json
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor

from steering.condition import NO_VECTOR, check_vector_name, random_seed
from steering.errors import SteeringError
from steering.hooks import record
from steering.vectors import Vector, fingerprint, save

NEUTRAL = "neutral"
SINK = 5.0
"""A token whose residual norm is this many times the layer's median is a sink and no measure of the
stream."""
MAX_SHORT = 0.05
"""Share of stories that may be too short before the corpus, or from_token, must be wrong."""


class Story(NamedTuple):
    line: int
    emotion: str
    ids: list[int]
    own: list[bool]
    """Which ids count towards the mean."""


def extract(
    model: Any,
    tokenizer: Any,
    corpus: Path | str,
    *,
    from_token: int = 50,
    batch_tokens: int = 8192,
    window: float | None = None,
    progress: bool = True,
) -> dict[str, Vector]:
    """One vector per emotion of the corpus, not yet saved (`steering.vectors.save` does that).

    After Sofroniew et al. 2026 (https://transformer-circuits.pub/2026/emotions/index.html), without their
    removal of confounds.

    model, tokenizer   as transformers loads them; the model is left as it is
    corpus             JSONL with `emotion` and `text`
    from_token         first token of a story that counts; earlier ones know too little of the story
    batch_tokens       tokens of one forward pass, padding included
    window             largest |strength| known to leave this model's runs coherent; noted in the vectors

    Returns emotion -> Vector: `unit` [L,d] float32 with rows of norm 1, and `mean_norm` [L], the mean
    residual norm per layer over the same tokens, which is one unit of strength. Raises SteeringError for a
    corpus that cannot be read, with fewer than two emotions, or with stories too short or too long.
    """
    corpus = Path(corpus)
    if from_token < 0 or batch_tokens < 1:
        raise SteeringError(f"from_token {from_token} or batch_tokens {batch_tokens} is too small")
    stories = _long_enough(_read(corpus, tokenizer, from_token), from_token, corpus)
    _check_lengths(stories, model, corpus)
    counts = Counter(story.emotion for story in stories)
    sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), dtype=torch.float64))  # [L,d]
    norms: list[Tensor] = []  # [L,n] each
    done = 0
    for batch in _batches(stories, batch_tokens):
        means, batch_norms = _read_out(model, batch)
        for story, mean in zip(batch, means, strict=True):
            if not torch.isfinite(mean).all():
                raise SteeringError(f"{corpus} line {story.line}: the model's residual stream is not finite")
            sums[story.emotion] = sums[story.emotion] + mean
        norms.append(batch_norms)
        done += len(batch)
        if progress:
            print(f"\r{done} of {len(stories)} stories", end="", file=sys.stderr, flush=True)
    if progress:
        print(file=sys.stderr)
    mean_norm, sink_share = _without_sinks(torch.cat(norms, dim=1))
    means_of = {emotion: sums[emotion] / counts[emotion] for emotion in sorted(counts)}
    grand_mean = torch.stack(list(means_of.values())).mean(dim=0)  # [L,d]
    described = {
        "model_id": _model_id(model),
        "fingerprint": fingerprint(model),
        "dtype": str(model.dtype).removeprefix("torch."),
        "method": "mean over stories of the emotion minus the mean over emotions",
        "corpus": corpus.name,
        "corpus_hash": hashlib.sha256(corpus.read_bytes()).hexdigest(),
        "token_rule": f"each story's own tokens from number {from_token} on, special tokens not counted",
        "sink_share": sink_share,
        "window": window,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    return {
        emotion: Vector.build(emotion, mean - grand_mean, mean_norm, n_stories=counts[emotion], **described)
        for emotion, mean in means_of.items()
    }


def _read(corpus: Path, tokenizer: Any, from_token: int) -> list[Story]:
    stories = []
    try:
        lines = corpus.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SteeringError(f"{corpus} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            story = json.loads(line)
            emotion, text = story["emotion"], story["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise SteeringError(f"{corpus} line {number} is no JSON object with emotion and text") from error
        if emotion == NEUTRAL:
            continue
        if not isinstance(text, str):
            raise SteeringError(f"{corpus} line {number}: text {text!r} is no string")
        if check_vector_name(emotion) == NO_VECTOR or random_seed(emotion) is not None:
            raise SteeringError(f"{corpus} line {number}: emotion {emotion!r} is a name with another meaning")
        stories.append(_tokenize(number, emotion, text, tokenizer, from_token))
    if len({story.emotion for story in stories}) < 2:
        raise SteeringError(
            f"{corpus} has fewer than two emotions: an emotion is measured against the others"
        )
    return stories


def _tokenize(line: int, emotion: str, text: str, tokenizer: Any, from_token: int) -> Story:
    ids: list[int] = list(tokenizer(text)["input_ids"])
    special = set(tokenizer.all_special_ids)
    own: list[bool] = []
    seen = 0
    for token in ids:
        is_text = token not in special
        own.append(is_text and seen >= from_token)
        seen += is_text
    return Story(line, emotion, ids, own)


def _long_enough(stories: list[Story], from_token: int, corpus: Path) -> list[Story]:
    short = [story for story in stories if not any(story.own)]
    if not short:
        return stories
    named = ", ".join(f"line {story.line} ({story.emotion})" for story in short[:10])
    told = f"{len(short)} of {len(stories)} stories in {corpus} have no token from number {from_token} on: "
    told += f"{named}, ..." if len(short) > 10 else named
    if len(short) >= MAX_SHORT * len(stories):
        raise SteeringError(f"{told}; lengthen them or lower from_token")
    kept = [story for story in stories if any(story.own)]
    gone = {story.emotion for story in short} - {story.emotion for story in kept}
    if gone:
        raise SteeringError(f"{told}; nothing is left of {', '.join(sorted(gone))}")
    warnings.warn(f"{told}; they are left out", stacklevel=3)
    return kept


def _check_lengths(stories: list[Story], model: Any, corpus: Path) -> None:
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for story in stories:
        if limit is not None and len(story.ids) > limit:
            raise SteeringError(
                f"{corpus} line {story.line} has {len(story.ids)} tokens, "
                f"more than the model's {limit} positions"
            )


def _batches(stories: list[Story], batch_tokens: int) -> Iterator[list[Story]]:
    """Stories of similar length together, longest first, so that too large a batch fails at once."""
    batch: list[Story] = []
    for story in sorted(stories, key=lambda story: (-len(story.ids), story.line)):
        if batch and (len(batch) + 1) * len(batch[0].ids) > batch_tokens:
            yield batch
            batch = []
        batch.append(story)
    yield batch


@torch.no_grad()
def _read_out(model: Any, batch: list[Story]) -> tuple[Tensor, Tensor]:
    """Each story's mean residual [B,L,d] float64, and the norms of all its tokens that count [L,n]
    float32."""
    width = len(batch[0].ids)
    device = model.get_input_embeddings().weight.device
    ids = torch.zeros(len(batch), width, dtype=torch.long)  # [B,T], padded on the right
    real, own = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for row, story in enumerate(batch):
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
    means, norms = [], []
    for output in outputs:
        resid, mask = output.float(), own.to(output.device)  # [B,T,d], [B,T]
        total = torch.where(mask[:, :, None], resid, 0.0).sum(dim=1, dtype=torch.float64)  # [B,d]
        means.append((total / mask.sum(dim=1)[:, None]).cpu())
        norms.append(resid.norm(dim=-1)[mask].cpu())
    return torch.stack(means, dim=1), torch.stack(norms)


def _without_sinks(norms: Tensor) -> tuple[Tensor, float]:
    """[L,n] -> mean per layer [L] over tokens that are no sinks, and the share of those that are."""
    kept = norms <= SINK * norms.median(dim=1, keepdim=True).values
    mean = torch.where(kept, norms, 0.0).sum(dim=1, dtype=torch.float64) / kept.sum(dim=1)
    return mean.float(), 1 - kept.double().mean().item()


def _model_id(model: Any) -> str:
    """The name it was loaded by; of a folder only the last part, since paths are nobody else's business."""
    name = getattr(model.config, "_name_or_path", "") or type(model).__name__
    return Path(name).resolve().name if Path(name).exists() else name


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m steering.extraction", description="Extract emotion vectors."
    )
    parser.add_argument("model", help="folder or name of a causal language model")
    parser.add_argument("corpus", type=Path, help="JSONL with emotion and text")
    parser.add_argument("out", type=Path, help="folder for the vector files")
    parser.add_argument("--from-token", type=int, default=50, help="first token of a story that counts")
    parser.add_argument("--batch-tokens", type=int, default=8192, help="tokens per forward pass")
    parser.add_argument(
        "--window", type=float, help="largest |strength| at which runs are known to stay coherent"
    )
    given = parser.parse_args(arguments)
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(given.model, dtype="auto")
        model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
        tokenizer = transformers.AutoTokenizer.from_pretrained(given.model)
        vectors = extract(
            model,
            tokenizer,
            given.corpus,
            from_token=given.from_token,
            batch_tokens=given.batch_tokens,
            window=given.window,
        )
    except (SteeringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in save(given.out, *vectors.values()):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
