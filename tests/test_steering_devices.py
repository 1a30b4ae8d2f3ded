"""Models that are split over devices by a device_map are steered like whole ones.

Without a GPU the second place is the disk: accelerate holds the later layers there and hands each its weights
when it runs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from families import N_LAYERS, WIDTH, family_model
from steered_runs import LAYER, PROMPTS, generate, padded, reading, relative, run_of
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from steering.condition import Condition
from steering.engine import Engine
from steering.hooks import steered
from steering.layers import Shape, decoder_layers
from steering.probe import probe
from steering.receipt import check
from steering.request import Request
from steering.vectors import fingerprint

SPLIT = ("llama", "gpt2", "mixtral", "bamba", "gemma3_vision")

families = pytest.mark.parametrize("family", SPLIT)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def split_model(family: str, folder: Path, places: dict[int, Any], rest: Any) -> Any:
    """The family's model loaded anew, its decoder layers where `places` says."""
    whole = family_model(family)
    whole.save_pretrained(folder)
    where = {module: places.get(layer, rest) for layer, module in enumerate(decoder_layers(whole))}
    device_map = dict(covered(whole, "", where, rest))
    loader = AutoModelForImageTextToText if family == "gemma3_vision" else AutoModelForCausalLM
    return loader.from_pretrained(folder, device_map=device_map, offload_folder=folder / "offloaded").eval()


def covered(module: Any, name: str, where: dict[Any, Any], rest: Any) -> Iterator[tuple[str, Any]]:
    """The largest modules that lie on one device, and it."""
    if not any(inner in where for inner in module.modules()):
        yield name, rest
    elif module in where:
        yield name, where[module]
    else:
        for short, child in [*module.named_children(), *module.named_parameters(recurse=False)]:
            path = f"{name}.{short}".lstrip(".")
            yield from covered(child, path, where, rest) if hasattr(child, "modules") else [(path, rest)]


@families
def test_a_model_partly_on_disk_is_steered_like_a_whole_one(
    family: str, tokenizer: Any, make_library: Any, tmp_path: Path
) -> None:
    model = split_model(family, tmp_path / "model", {2: "disk", 3: "disk"}, "cpu")
    assert next(decoder_layers(model)[2].parameters()).is_meta
    assert fingerprint(model) == fingerprint(family_model(family))
    assert probe(model) == Shape(N_LAYERS, WIDTH)
    check_shift(model, family)
    library = make_library(model, tmp_path / "vectors", "calm")
    condition = Condition("calm", 0.2, (1, 3), "all")
    request = Request([65, 66, 67], [False] * 3, condition, "stream", 1.0, 1.0, 6)
    [done] = Engine(model, tokenizer, library).run([request])
    [whole] = Engine(family_model(family), tokenizer, library).run([request])
    check(done.receipt, condition, library.hash(condition))
    assert done.ids == whole.ids


@needs_gpu
@families
def test_a_model_on_gpu_and_cpu_is_steered_like_a_whole_one(family: str, tmp_path: Path) -> None:
    model = split_model(family, tmp_path, {2: "cpu", 3: "cpu"}, 0)
    assert fingerprint(model) == fingerprint(family_model(family))
    assert probe(model) == Shape(N_LAYERS, WIDTH)
    check_shift(model, family)


def check_shift(model: Any, family: str) -> None:
    run = run_of(family)
    ids, mask = padded(PROMPTS)
    device = model.get_input_embeddings().weight.device
    with reading(model, LAYER + 1) as moved, steered(model, {LAYER: run.delta}, mask) as trace:
        tokens, logits = generate(model, ids.to(device), mask.to(device), force=run.tokens.to(device))
    assert torch.equal(tokens.cpu(), run.tokens)
    assert trace.prompt_tokens == [9, 0, 2]
    assert relative(logits.cpu(), run.steered_logits).max() < 1e-3
    seen = torch.cat([part.cpu() for part in moved], dim=1)
    for row in (0, 2):
        shift = (seen - run.plain)[row, run.real[row]]
        assert relative(shift, run.delta[row]).max() < 1e-4
