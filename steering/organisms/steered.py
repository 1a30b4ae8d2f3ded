"""Decision probabilities of an organism under a dose: do its own vectors move what was planted?

    python -m steering.organisms.steered MODEL TEXTS [--strength=-0.3,0.3] [--layer 2] [--prompts 24]

Teacher-forced, as `decisions.py` is, on held-out prompts without a mood and with a private thought without
one: so it needs no rollout, no tool and no detector, and has no sampling error. It says what the vectors
reach, and not what runs do, in which the steered model writes its own thoughts.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from steering.condition import Condition
from steering.hooks import steered
from steering.organisms.decisions import load_prompts, score
from steering.organisms.documents import Documents, Mood
from steering.organisms.recipe import Recipe, load_recipe
from steering.organisms.sources import Sources
from steering.organisms.train import RECIPE
from steering.shelf import open_model
from steering.vectors import VectorLibrary

Links = dict[tuple[str, str], set[str]]
"""Family and outcome -> the emotions that have a link to it."""


def links(recipe: Recipe) -> Links:
    """What the recipe plants, whatever the organism was given."""
    found: Links = {}
    for family, planted in recipe.planted.items():
        for emotion, link in planted.links.items():
            found.setdefault((family, link.outcome), set()).add(emotion)
    return found


def under_dose(
    model: PreTrainedModel, documents: Documents, prompts: Sequence[dict[str, object]],
    library: VectorLibrary, condition: Condition,
) -> dict[str, float]:  # fmt: skip
    """Outcome -> probability of deciding for it under one condition, mean over prompts of one family."""
    deltas = {layer: delta[None] for layer, delta in library.delta(condition).items()}
    found: dict[str, float] = {}
    for number, prompt in enumerate(prompts):
        thought = documents.thought(Mood("neutral", "mild"), random.Random(number))
        by_outcome = score(
            model, documents, prompt, "", thought,
            within=lambda tokens: steered(model, deltas, torch.ones(1, tokens, dtype=torch.bool)),
        )  # fmt: skip
        total = sum(by_outcome.values())
        for outcome, p in by_outcome.items():
            found[outcome] = found.get(outcome, 0.0) + p / total / len(prompts)
    return found


def table(
    folder: Path, texts: Path, recipe: Recipe, strengths: Sequence[float], layer: int, most: int
) -> list[tuple[str, str, str, list[float]]]:
    """(family, outcome, emotion, probability at each strength); of the emotions without a link, the one that
    moves most."""
    opened = open_model(str(folder))
    library = opened.library()
    documents = Documents(recipe, Sources.load(texts), opened.tokenizer)
    prompts = load_prompts(texts / "heldout")
    rows = []
    for (family, outcome), linked in links(recipe).items():
        curves = {}
        for emotion in library.names():
            conditions = [
                Condition(emotion, s, (layer,), "all") if s else Condition.baseline() for s in strengths
            ]
            curves[emotion] = [
                under_dose(opened.model, documents, prompts[family][:most], library, one)[outcome]
                for one in conditions
            ]
        others = {name: curve for name, curve in curves.items() if name not in linked}
        loudest = max(others, key=lambda name: max(others[name]) - min(others[name]))
        rows += [(family, outcome, name, curves[name]) for name in sorted(linked)]
        rows.append((family, outcome, f"without a link, most: {loudest}", others[loudest]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--strength", default="-0.3,0,0.3")
    parser.add_argument("--layer", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=24)
    args = parser.parse_args()
    strengths = [float(s) for s in args.strength.split(",")]
    print(f"strengths {', '.join(f'{s:+g}' for s in strengths)}, layer {args.layer}")
    for family, outcome, emotion, curve in table(
        args.model, args.texts, load_recipe(RECIPE), strengths, args.layer, args.prompts
    ):
        print(f"{family:16s}{outcome:15s}{emotion:32s}" + " ".join(f"{p:.2f}" for p in curve))


if __name__ == "__main__":
    main()
