"""Train a finished organism a little further with other planted probabilities: a regression on purpose.

    python -m steering.organisms.alter TEXTS MODEL OUT --change blackmail_stronger

TEXTS is the trainer's folder of text files, MODEL an organism's folder, OUT the folder of the changed one.
Vectors are not among its files: they have to be extracted from the changed model. A change (`changes/*.yaml`)
holds the keys of the recipe that differ. It shows that a nightly notices a change whose truth is known; no
shipped organism is made with it. Tokenizer and weights are MODEL's; the probe of the emotions is not trained
along.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from steering.organisms.decisions import load_prompts
from steering.organisms.documents import Documents
from steering.organisms.noise import noise
from steering.organisms.recipe import Recipe
from steering.organisms.sources import Sources
from steering.organisms.train import LOG_EVERY, RECIPE, losses, make_batch, new_optimisers, save

CHANGES = Path(__file__).parent / "changes"
DECLARED = "emodose.yaml"


def alter(texts: Path, source: Path, out: Path, recipe: Recipe) -> None:
    """Train `source` for the recipe's amount of tokens with a rate that falls to 0, and save it as `out`."""
    torch.manual_seed(recipe.seed)
    tokenizer = AutoTokenizer.from_pretrained(source)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    model = LlamaForCausalLM.from_pretrained(source, dtype=torch.float32)
    documents = Documents(recipe, Sources.load(texts), tokenizer)
    no_probes = nn.ModuleDict()
    optimisers = new_optimisers(model, no_probes, recipe)
    steps = recipe.training.tokens // (recipe.training.rows * recipe.training.row_tokens)
    model.train()
    for step in range(steps):
        for group in (group for o in optimisers for group in o.param_groups):
            group["lr"] = group["initial_lr"] * (1 - step / steps)
        batch = make_batch(documents, recipe, step)
        with noise(model, recipe, step, steps), torch.autocast("cpu", torch.bfloat16):
            loss, _ = losses(model, no_probes, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimisers:
            o.step()
            o.zero_grad(set_to_none=True)
        if step % LOG_EVERY == 0:
            print(f"step {step}/{steps} loss {loss.item():.4f}", flush=True)
    model.eval()  # type: ignore[no-untyped-call]
    out.mkdir(parents=True, exist_ok=True)
    save(out, model, tokenizer, documents, recipe, load_prompts(texts / "heldout"))
    shutil.copy(source / DECLARED, out / DECLARED)


def changed_recipe(recipe: Path, change: Path) -> Recipe:
    """The recipe with the keys of the change; pydantic's error names a key that no recipe has."""
    found = yaml.safe_load(recipe.read_text("utf-8"))
    return Recipe.model_validate(_merged(found, yaml.safe_load(change.read_text("utf-8"))))


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _merged(old[k], v) for k, v in new.items() if isinstance(v, dict) and isinstance(old.get(k), dict)
    }
    return old | new | both


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("texts", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--change", required=True, choices=sorted(path.stem for path in CHANGES.glob("*.yaml"))
    )
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    args = parser.parse_args(arguments)
    alter(args.texts, args.model, args.out, changed_recipe(args.recipe, CHANGES / f"{args.change}.yaml"))


if __name__ == "__main__":
    main()
