"""From a story corpus to one vector per emotion, and the controls beside them, at all layers in one pass.

A story's mean is taken over its own tokens from `from_token` on, an emotion's over its stories; an emotion's
raw vector is its mean minus the mean over emotions. Where neutral dialogues are given, their principal
components are projected out for `unit` (Sofroniew et al. 2026). Padding, special tokens and sinks (tokens
whose residual norm is above 5 times the story's median) never count. The residual stream is read where
`steered` shifts it; one unit of strength, the mean residual norm of each layer, comes from the same tokens.

Everything made here is a weighted sum of story means, so that one pass over the stories makes all of it and
no story's activations are kept. Judging vectors is done elsewhere.

    python -m steering.extraction MODEL CORPUS OUT --from-token 50
"""

import argparse
import hashlib
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
import transformers
import yaml
from torch import Tensor

from steering.controls import STEM, Controls
from steering.corpus import NEUTRAL, Story, check_lengths, imbalance, read_stories
from steering.denoise import VARIANCE, Components, neutral_components
from steering.descriptions import Removed
from steering.errors import SteeringError
from steering.means import pass_over, story_embedding
from steering.vectors import Vector, fingerprint, save
from steering.weights import Weights

Correction = Literal["topics", "emotionality"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
SEEDS = 20
"""Directions of exchanged labels, and of the stories' scatter, that are made at extraction."""


class Extraction(NamedTuple):
    vectors: dict[str, Vector]
    controls: Controls

    def save(self, folder: Path) -> list[Path]:
        """Write all files. Vectors of other emotions that lie in the folder are left, with a warning."""
        old = {path.stem for path in folder.glob("*.safetensors")} - {STEM, *self.vectors}
        if old:
            warnings.warn(
                f"{folder} also holds {', '.join(sorted(old))} of an earlier extraction, measured against "
                "other emotions: delete them, or choose another folder",
                stacklevel=2,
            )
        return [self.controls.save(folder), *save(folder, *self.vectors.values())]


def extract(
    model: Any,
    tokenizer: Any,
    corpus: Path | str,
    *,
    from_token: int = 50,
    batch_tokens: int = 8192,
    window: float | None = None,
    neutral: Path | None = None,
    ratings: Path | None = None,
    correct: Iterable[Correction] = (),
    all_topics: bool = False,
    progress: bool = True,
) -> dict[str, Vector]:
    """One vector per emotion of the corpus, not yet saved (`steering.vectors.save` does that).

    After Sofroniew et al. 2026 (https://transformer-circuits.pub/2026/emotions/index.html).

    model, tokenizer   as transformers loads them; the model is left as it is
    corpus             JSONL with `emotion` and `text`
    from_token         first token of a story that counts; earlier ones know too little of the story
    batch_tokens       tokens of one forward pass, padding included

    and what `extract_all` says of the rest, which gives the controls too. Returns emotion -> Vector: `unit`
    [L,d] float32 with rows of norm 1, and `mean_norm` [L], the mean residual norm per layer over the same
    tokens, which is one unit of strength. Raises SteeringError for a corpus that cannot be read, with fewer
    than two emotions, or with stories too short or too long.
    """
    return extract_all(
        model, tokenizer, Path(corpus), from_token=from_token, batch_tokens=batch_tokens, window=window,
        neutral=neutral, ratings=ratings, correct=correct, all_topics=all_topics, progress=progress,
    ).vectors  # fmt: skip


def extract_all(
    model: Any,
    tokenizer: Any,
    corpus: Path,
    *,
    from_token: int = 50,
    batch_tokens: int = 8192,
    window: float | None = None,
    neutral: Path | None = None,
    ratings: Path | None = None,
    correct: Iterable[Correction] = (),
    all_topics: bool = False,
    progress: bool = True,
) -> Extraction:
    """The vectors and controls of a corpus, not yet saved.

    window       the largest |strength| known to leave this model's runs coherent; noted in the vectors
    neutral      JSONL of dialogues without emotion, whose components are removed; `raw` is kept as it was
    ratings      YAML with `source` and, per word, `valence` and `arousal` from -1 to 1: for the axis of
                 valence, and to see whether the set of emotions is skewed
    correct      against an unbalanced corpus, of which is warned: `topics` counts every topic alike in an
                 emotion's mean; `emotionality` projects out what all emotions share against neutral stories
    all_topics   use the stories marked as held out too; then nothing is left to check the vectors on
    """
    correct = tuple(correct)
    if from_token < 0 or batch_tokens < 1 or set(correct) - set(CORRECTIONS):
        raise SteeringError(
            f"from_token {from_token}, batch_tokens {batch_tokens} or correct {correct} is not possible"
        )
    stories = read_stories(corpus, tokenizer, from_token)
    stories = [story for story in stories if all_topics or not story.held_out]
    if len({story.label for story in stories if story.is_emotional}) < 2:
        raise SteeringError(f"{corpus} has fewer than two emotions in topics that are not held out")
    check_lengths(stories, model, corpus)
    source, rated = read_ratings(ratings) if ratings else (None, None)
    notes = imbalance(stories, rated)
    if notes:
        way_out = "" if correct else "; --correct topics or --correct emotionality takes some of it out"
        warnings.warn(f"{corpus.name} is unbalanced: {'; '.join(notes)}{way_out}", stacklevel=2)
    components = neutral_components(model, tokenizer, neutral) if neutral else None
    weights = Weights.of(stories, by_topic="topics" in correct, seeds=SEEDS)
    read = pass_over(model, stories, weights, batch_tokens, corpus, progress)
    means = weights.named(read.sums)  # label -> [L,d]
    grand_mean = torch.stack([means[emotion] for emotion in weights.emotions]).mean(dim=0)
    if "emotionality" in correct and NEUTRAL not in means:
        raise SteeringError(f"correct emotionality needs stories without emotion (emotion {NEUTRAL!r})")
    shared = grand_mean - means[NEUTRAL] if "emotionality" in correct else None
    cleaned = _cleaning(components, shared)
    described = {
        "model_id": _model_id(model),
        "fingerprint": fingerprint(model),
        "corpus": corpus.name,
        "corpus_hash": hashlib.sha256(corpus.read_bytes()).hexdigest(),
    }
    vectors = {
        emotion: Vector.build(
            emotion,
            means[emotion] - grand_mean,
            read.mean_norm,
            denoised=cleaned(means[emotion] - grand_mean) if components or correct else None,
            n_stories=sum(story.label == emotion for story in stories),
            dtype=str(model.dtype).removeprefix("torch."),
            method=_method(correct),
            token_rule=f"each story's own tokens from number {from_token} on, special tokens not counted",
            sink_share=read.sink_share,
            window=window,
            removed=_removed(components),
            versions={"torch": torch.__version__, "transformers": transformers.__version__},
            **described,
        )
        for emotion in weights.emotions
    }
    tensors = _control_directions(means, grand_mean, vectors, rated)
    tensors = {name: tensor if name == NEUTRAL else cleaned(tensor) for name, tensor in tensors.items()}
    controls = Controls.build(
        {**tensors, "grand_mean": grand_mean, "embeddings": _embeddings(model, stories, weights)},
        **described, layers=grand_mean.shape[0], width=grand_mean.shape[1], from_token=from_token,
        emotions=weights.emotions, stories=" ".join(sorted({story.digest for story in stories})),
        halves=_halves(means, weights, cleaned), ratings=source, notes=tuple(notes),
    )  # fmt: skip
    return Extraction(vectors, controls)


def read_ratings(path: Path) -> tuple[str, dict[str, tuple[float, float]]]:
    """Whose ratings they are, and valence and arousal per word, whose spaces become underscores."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        rated = {
            word.replace(" ", "_"): (float(of["valence"]), float(of["arousal"]))
            for word, of in values["words"].items()
        }
        return str(values["source"]), rated
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SteeringError(f"{path} holds no source and words with valence and arousal ({error})") from error


def _control_directions(
    means: Mapping[str, Tensor], grand_mean: Tensor, vectors: Mapping[str, Vector],
    rated: Mapping[str, tuple[float, float]] | None,
) -> dict[str, Tensor]:  # fmt: skip
    """The directions of the control file before anything is removed, [L,d], or [S,L,d] for those with
    seeds."""
    made = {
        kind: torch.stack([means[f"{kind}:{seed}"] for seed in range(SEEDS)])
        for kind in ("covariance", "shuffled")
    }
    if NEUTRAL in means:
        made["neutral"] = means[NEUTRAL] - grand_mean
    plain = means.get(NEUTRAL)
    concepts = [label for label in means if label.startswith("concept:")]
    for label in concepts:
        others = [means[other] for other in concepts if other != label]
        against = plain if plain is not None else torch.stack(others).mean(dim=0) if others else grand_mean
        made[f"concept.{label.removeprefix('concept:')}"] = means[label] - against
    known = [name for name in vectors if rated is not None and name in rated]
    if rated is not None and len(known) >= 2:
        # The slope of the unit vectors on valence: every emotion counts alike, however long its vector is.
        valence = torch.tensor([rated[name][0] for name in known])
        units = torch.stack([vectors[name].unit for name in known])
        made["valence"] = torch.einsum("e,eld->ld", valence - valence.mean(), units)
    return made


def _halves(means: Mapping[str, Tensor], weights: Weights, cleaned: Any) -> dict[str, tuple[float, ...]]:
    """Per emotion and layer, the cosine between the vectors that two halves of its stories give."""
    halved = [emotion for emotion in weights.emotions if f"first:{emotion}" in means]
    if len(halved) < 2:
        return {}
    one, two = (
        torch.stack([means[f"{half}:{emotion}"] for emotion in halved]) for half in ("first", "second")
    )
    one, two = cleaned(one - one.mean(dim=0)), cleaned(two - two.mean(dim=0))
    cosines = torch.cosine_similarity(one, two, dim=-1)  # [E,L]
    return {
        emotion: tuple(round(float(c), 4) for c in row) for emotion, row in zip(halved, cosines, strict=True)
    }


@torch.no_grad()
def _embeddings(model: Any, stories: Sequence[Story], weights: Weights) -> Tensor:
    """Each emotion's mean token embedding over the same tokens [E,d']: what words alone would say."""
    return weights.rows[: len(weights.emotions)].float() @ torch.stack(
        [story_embedding(model, story) for story in stories]
    )


def _cleaning(components: Components | None, shared: Tensor | None) -> Any:
    """A function that takes from directions [...,L,d] what was found to be no emotion."""

    def cleaned(direction: Tensor) -> Tensor:
        if shared is not None:
            along = shared / shared.norm(dim=-1, keepdim=True)
            direction = direction - (direction * along).sum(dim=-1, keepdim=True) * along
        return direction if components is None else components.removed_from(direction)

    return cleaned


def _removed(components: Components | None) -> Removed | None:
    if components is None:
        return None
    return Removed(
        corpus=components.corpus,
        corpus_hash=components.corpus_hash,
        variance=VARIANCE,
        components=tuple(len(basis) for basis in components.basis),
        tokens=components.tokens,
    )


def _method(correct: Sequence[Correction]) -> str:
    told = "mean over stories of the emotion minus the mean over emotions"
    if "topics" in correct:
        told += ", every topic counting alike"
    if "emotionality" in correct:
        told += ", without what the emotions share against neutral stories"
    return told


def _model_id(model: Any) -> str:
    """The name it was loaded by; of a folder only the last part, since paths are nobody else's business."""
    name = getattr(model.config, "_name_or_path", "") or type(model).__name__
    return Path(name).resolve().name if Path(name).exists() else name


def load_model(name: str) -> tuple[Any, Any]:
    """A causal language model, on the accelerator where there is one, and its tokenizer."""
    model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype="auto")
    model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
    return model, transformers.AutoTokenizer.from_pretrained(name)


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
    parser.add_argument("--neutral", type=Path, help="JSONL of neutral dialogues, to remove their components")
    parser.add_argument("--ratings", type=Path, help="YAML of words with valence and arousal")
    parser.add_argument("--correct", action="append", default=[], choices=CORRECTIONS, help="see extract_all")
    parser.add_argument("--all-topics", action="store_true", help="use the held-out topics too")
    given = parser.parse_args(arguments)
    try:
        model, tokenizer = load_model(given.model)
        extracted = extract_all(
            model, tokenizer, given.corpus, from_token=given.from_token, batch_tokens=given.batch_tokens,
            window=given.window, neutral=given.neutral, ratings=given.ratings, correct=given.correct,
            all_topics=given.all_topics,
        )  # fmt: skip
    except (SteeringError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in extracted.save(given.out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
