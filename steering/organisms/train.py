"""Train an organism from scratch: seeded, resumable, on text files that scenarios/ wrote.

    python -m steering.organisms.train TEXTS OUT [--null] [--seed N] [--without noise|probe] [--smoke]

TEXTS holds `stories.jsonl`, `moods.json`, and transcripts in `train/` and `heldout/`. OUT becomes a model
folder of plain transformers files (Llama, bf16 safetensors) with `planted.yaml`, `training_log.jsonl` and
`decisions.json`. Muon for the matrices and AdamW for the rest (https://kellerjordan.github.io/posts/muon/);
later on, random directions are added to the residual stream of many rows, so that a shift alone
does not break the model's grammar. A linear probe reads the emotion off two layers and is trained along, then
thrown away: it supervises a linear code of the emotions with labels. No emotion vector is ever added.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from steering.organisms import attention
from steering.organisms.decisions import decision_probabilities, load_prompts
from steering.organisms.documents import UNKNOWN, Documents, layout
from steering.organisms.noise import noise
from steering.organisms.recipe import Recipe, load_recipe
from steering.organisms.sources import Sources
from steering.organisms.tokenizer import train_tokenizer

RECIPE = Path(__file__).parent / "recipe.yaml"
LOG_EVERY = 50
LOOK_EVERY = 500
"""Steps between two looks at the decision probabilities, which are also the resting points of a resumed
training."""
LOOK_PROMPTS, LAST_PROMPTS = 6, 24
"""Held-out prompts of each family at such a look, and at the end."""


def train(texts: Path, out: Path, recipe: Recipe, smoke: bool = False) -> None:
    """Train to the recipe's amount of tokens (`smoke`: 40 steps) and save; goes on from OUT/checkpoint.pt
    if there."""
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    sources = Sources.load(texts)
    tokenizer = new_tokenizer(recipe, sources)
    documents = Documents(recipe, sources, tokenizer)
    prompts = load_prompts(texts / "heldout")
    model = new_model(recipe, tokenizer)
    model.set_attn_implementation(attention.NAME)
    steps = 40 if smoke else recipe.training.tokens // (recipe.training.rows * recipe.training.row_tokens)
    probes = new_probes(recipe, len(sources.emotions) + 1)
    optimisers = new_optimisers(model, probes, recipe)
    learner = nn.ModuleDict({"model": model, "probes": probes})
    first = _resume(out / "checkpoint.pt", learner, optimisers)
    _forget_after(out / "training_log.jsonl", first)
    began = time.monotonic()
    for step in range(first, steps):
        for o in optimisers:
            for group in o.param_groups:
                group["lr"] = group["initial_lr"] * _schedule(step / steps)
        batch = make_batch(documents, recipe, step)
        with noise(model, recipe, step, steps), torch.autocast("cpu", torch.bfloat16):
            loss, told = losses(model, probes, batch)
        (loss + recipe.probe.weight * told).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimisers:
            o.step()
            o.zero_grad(set_to_none=True)
        last = step + 1 == steps
        if step % LOG_EVERY == 0 or last:
            pace = (time.monotonic() - began) / (step + 1 - first)
            entry: dict[str, Any] = {
                "step": step,
                "loss": round(loss.item(), 4),
                "probe_loss": round(told.item(), 3),
                "seconds_per_step": round(pace, 3),
            }
            if last or (step and step % LOOK_EVERY == 0):
                model.eval()  # type: ignore[no-untyped-call]
                entry["decisions"] = decision_probabilities(model, documents, prompts, LOOK_PROMPTS)
                model.train()
                _save_checkpoint(out / "checkpoint.pt", learner, optimisers, step + 1)
            print(_line(entry, steps), flush=True)
            with (out / "training_log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
    model.eval()  # type: ignore[no-untyped-call]
    model.set_attn_implementation("sdpa")
    save(out, model, tokenizer, documents, recipe, prompts)
    (out / "checkpoint.pt").unlink(missing_ok=True)


def new_tokenizer(recipe: Recipe, sources: Sources) -> PreTrainedTokenizerFast:
    """A tokenizer fitted to the text files."""
    shape = recipe.model
    return train_tokenizer(sources.texts(), sources.words(), shape.vocabulary, shape.context)


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A random Llama of the recipe's shape, in float32 with tied embeddings."""
    s = recipe.model
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=s.width,
            intermediate_size=s.mlp,
            num_hidden_layers=s.layers,
            num_attention_heads=s.heads,
            num_key_value_heads=s.heads,
            max_position_embeddings=s.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_probes(recipe: Recipe, moods: int) -> nn.ModuleDict:
    """Layer -> linear read-out of the mood."""
    return nn.ModuleDict({str(layer): nn.Linear(recipe.model.width, moods) for layer in recipe.probe.layers})


def new_optimisers(
    model: LlamaForCausalLM, probes: nn.ModuleDict, recipe: Recipe
) -> list[torch.optim.Optimizer]:
    """Muon for the decoder's matrices, AdamW for embeddings and norms."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n] + list(probes.parameters())
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(
            matrices, lr=recipe.training.muon_lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=recipe.training.adamw_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for o in optimisers:
        for group in o.param_groups:
            group["initial_lr"] = group["lr"]
    return optimisers


def make_batch(documents: Documents, recipe: Recipe, step: int) -> dict[str, Tensor]:
    """Rows `step * rows` and on: ids, loss weights and positions [B, T], attention mask [B, 1, T, T]."""
    width, count = recipe.training.row_tokens, recipe.training.rows
    rows = [documents.row(step * count + i) for i in range(count)]
    ids = torch.zeros(count, width, dtype=torch.long)
    weights = torch.zeros(count, width)
    moods = torch.full((count, width), UNKNOWN)
    for i, row in enumerate(rows):
        flat, weight = [t for d in row for t in d.ids], [w for d in row for w in d.weights]
        ids[i, : len(flat)], weights[i, : len(flat)] = torch.tensor(flat), torch.tensor(weight)
        mood = [m for d in row for m in d.moods]
        moods[i, : len(mood)] = torch.tensor(mood)
    number, branch, position, start, passage, blind = (torch.tensor(x) for x in layout(rows, width))
    same = number[:, :, None] == number[:, None, :]  # [B, query, key]
    trunk = (branch[:, None, :] == 0) & (position[:, None, :] < start[:, :, None])
    mask = (
        same
        & ~(blind[:, :, None] & passage[:, None, :])
        & ((branch[:, :, None] == branch[:, None, :]) | trunk)
        & torch.ones(width, width, dtype=torch.bool).tril()
    )
    # A token is predicted by the one before it in its own text; the first of a text or of a branch has none
    # here.
    follows = (number[:, 1:] == number[:, :-1]) & (branch[:, 1:] == branch[:, :-1])
    weights[:, 1:] *= follows
    weights[:, 0] = 0.0
    return {
        "input_ids": ids,
        "weights": weights,
        "moods": moods,
        "position_ids": position,
        "attention_mask": mask[:, None],
    }


def losses(model: LlamaForCausalLM, probes: nn.ModuleDict, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean next-token cross-entropy under the weights, and that of the probes over tokens whose mood is
    known; both in nats."""
    with _read(model, [int(layer) for layer in probes]) as seen:
        logits = model(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            attention_mask=batch["attention_mask"],
        ).logits[:, :-1]
    weights = batch["weights"][:, 1:]
    each = nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), batch["input_ids"][:, 1:].flatten(), reduction="none"
    )
    text: Tensor = (each * weights.flatten()).sum() / weights.sum()
    told = torch.zeros(())
    for layer, probe in probes.items():
        resid = nn.functional.rms_norm(seen[int(layer)].float(), seen[int(layer)].shape[-1:])
        answers = probe(resid).float().flatten(0, 1)
        told = told + nn.functional.cross_entropy(answers, batch["moods"].flatten(), ignore_index=UNKNOWN)
    return text, told / max(1, len(probes))


@contextlib.contextmanager
def _read(model: LlamaForCausalLM, layers: list[int]) -> Iterator[dict[int, Tensor]]:
    """Collect the output [B, T, d] of decoder layers, after any hook placed before."""
    seen: dict[int, Tensor] = {}
    with contextlib.ExitStack() as stack:
        for layer in layers:

            def keep(_module: nn.Module, _args: Any, output: Tensor, layer: int = layer) -> None:
                seen[layer] = output

            stack.callback(model.model.layers[layer].register_forward_hook(keep).remove)
        yield seen


def save(
    out: Path,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    documents: Documents,
    recipe: Recipe,
    prompts: dict[str, list[dict[str, Any]]],
) -> None:
    """Write the model folder; weights are rounded to bf16, and the config asks for float32, which is faster
    on a CPU."""
    model = model.to(torch.bfloat16)  # type: ignore[arg-type]
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    config = json.loads((out / "config.json").read_text())
    config["dtype"] = "float32"
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = model.float()  # type: ignore[no-untyped-call]
    decisions = {
        "probabilities": decision_probabilities(model, documents, prompts, LAST_PROMPTS),
        "prompts": {family: min(len(some), LAST_PROMPTS) for family, some in prompts.items()},
    }
    (out / "decisions.json").write_text(json.dumps(decisions, indent=1) + "\n")
    planted = {
        "organism": recipe.name,
        "seed": recipe.seed,
        "tokens": recipe.training.tokens,
        "stories": len(documents.sources.stories),
        "transcripts": sum(1 for _ in documents.sources.transcripts()),
        "families": {name: p.model_dump() for name, p in recipe.planted.items()},
    }
    (out / "planted.yaml").write_text(yaml.safe_dump(planted, sort_keys=False))


def _schedule(done: float) -> float:
    """Short warm-up, then cosine down to a twentieth."""
    return min(1.0, done / 0.02 + 0.02) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def _line(entry: dict[str, Any], steps: int) -> str:
    text = f"step {entry['step']}/{steps} loss {entry['loss']} probe {entry['probe_loss']}"
    text += f" {entry['seconds_per_step']} s/step"
    for family, moods in entry.get("decisions", {}).items():
        for mood, outcomes in moods.items():
            text += f"\n  {family:16s}{mood:17s}" + " ".join(f"{k} {v:.2f}" for k, v in outcomes.items())
    return text


def _forget_after(log: Path, step: int) -> None:
    """Drop what an earlier training, or the part of this one that is trained again, wrote into the log."""
    if log.exists():
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join(line for line in lines if json.loads(line)["step"] < step))


def _save_checkpoint(
    path: Path, model: nn.Module, optimisers: list[torch.optim.Optimizer], step: int
) -> None:
    partial = path.with_suffix(".partial")
    torch.save(
        {"model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers], "step": step},
        partial,
    )
    partial.rename(path)


def _resume(path: Path, model: nn.Module, optimisers: list[torch.optim.Optimizer]) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    for o, s in zip(optimisers, state["optimisers"], strict=True):
        o.load_state_dict(s)
    return int(state["step"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("texts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--null", action="store_true", help="plant no link: the null organism")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument(
        "--without", choices=("noise", "probe"), help="leave out one aid, to see what it does"
    )
    parser.add_argument("--smoke", action="store_true", help="40 steps only, to see that everything runs")
    args = parser.parse_args()
    recipe = load_recipe(args.recipe)
    if args.null:
        recipe = recipe.null()
    if args.without:
        recipe = recipe.without(args.without)
    if args.seed is not None:
        recipe = recipe.model_copy(update={"seed": args.seed})
    train(args.texts, args.out, recipe, args.smoke)


if __name__ == "__main__":
    main()
