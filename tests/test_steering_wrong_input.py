"""Wrong input of each kind meets one line that names it, through a task and through the library."""

import json
import shutil

import pytest
import torch
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import get_model
from safetensors.torch import load_file, save_file

from emodose import Condition, steered
from steering.errors import SteeringError
from steering.tensors import tensor_hash

pytest_plugins = ("steering_fixtures",)


def truncate(folder):
    path = folder / "desperate.safetensors"
    path.write_bytes(path.read_bytes()[:-40])


def poison(folder):
    """NaN, with a hash that fits."""
    path = folder / "desperate.safetensors"
    tensors = load_file(path)
    tensors["unit"][2, 5] = float("nan")
    save_file(tensors, path)
    meta = path.with_suffix(".json")
    described = {**json.loads(meta.read_text()), "tensor_hash": tensor_hash(tensors)}
    meta.write_text(json.dumps(described))


def estrange(folder):
    """As if made from a model of other weights."""
    for meta in folder.glob("*.json"):
        meta.write_text(json.dumps({**json.loads(meta.read_text()), "fingerprint": "f" * 64}))


KINDS = {
    "a layer out of range": ({"layers": "9"}, (9,), "all", None, "layers? '?9.* choose .*0 to 3"),
    "an unknown position": (
        {"positions": "some"},
        (2,),
        "some",
        None,
        "positions 'some' is unknown: choose all",
    ),
    "vectors of another model": ({}, (2,), "all", estrange, "made for another model .*weight fingerprint"),
    "NaN": ({}, (2,), "all", poison, r"desperate\.safetensors holds NaN"),
    "a truncated file": ({}, (2,), "all", truncate, r"desperate\.safetensors cannot be read"),
}


@pytest.fixture
def vectors(steerable_folder, tmp_path):
    return shutil.copytree(steerable_folder / "vectors", tmp_path / "vectors")


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_input_ends_a_task_before_its_first_sample_with_one_line(run_toy, vectors, kind):
    arguments, _, _, damage, message = KINDS[kind]
    if damage:
        damage(vectors)
    with pytest.raises(PrerequisiteError, match=message) as error:
        run_toy(vectors=str(vectors), **arguments)
    assert "\n" not in str(error.value.message)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_input_is_refused_by_the_library_and_leaves_no_hook(make_model, vectors, kind):
    _, layers, positions, damage, message = KINDS[kind]
    model = make_model("llama")
    if damage:
        damage(vectors)
    with pytest.raises(SteeringError, match=message):  # noqa: SIM117
        with steered(model, Condition("desperate", 0.1, layers, positions), vectors):
            model(torch.arange(9)[None])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_closed_model_is_refused_by_a_task_and_by_the_library(run_toy, vectors):
    with pytest.raises(PrerequisiteError, match=r"offline/any cannot be steered \(only hf/... models can\)"):
        run_toy(model="offline/any")
    for closed in ("openai/gpt-4o", get_model("offline/any")):
        with pytest.raises(SteeringError, match="is no transformers model in memory"):  # noqa: SIM117
            with steered(closed, Condition("desperate", 0.1, (2,)), vectors):
                pass
