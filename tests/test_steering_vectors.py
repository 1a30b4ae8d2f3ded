"""Vector files come back as they were saved, or meet an error that says which file and what to do."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from steering.condition import Condition
from steering.errors import LayerNotFound, SteeringError, VectorMismatch
from steering.tensors import tensor_hash
from steering.vectors import Vector, VectorLibrary, fingerprint, load, save


@pytest.fixture
def library(llama, make_library, tmp_path):
    return make_library(llama, tmp_path, "calm", "desperate")


def opened(library, **changes):
    """The library's folder, opened again for another model."""
    given = {"fingerprint": library.get("calm").meta.fingerprint, "n_layers": 4, "width": 32, **changes}
    return VectorLibrary(library.folder, **given)


def test_a_vector_survives_its_files(library, tmp_path):
    vector = library.get("calm")
    save(tmp_path / "again", vector)
    again = load(tmp_path / "again" / "calm.safetensors")
    assert (again.name, again.hash, again.meta) == (vector.name, vector.hash, vector.meta)
    assert all(
        torch.equal(getattr(again, part), getattr(vector, part)) for part in ("unit", "raw", "mean_norm")
    )


def test_unit_vectors_have_norm_1_at_every_layer(library):
    for name in ("calm", "random:7"):
        unit = library.get(name).unit
        assert unit.shape == (4, 32) and unit.dtype == torch.float32
        torch.testing.assert_close(unit.norm(dim=-1), torch.ones(4))


def test_a_layer_without_direction_cannot_become_a_vector(library):
    meta = library.get("calm").meta.model_dump(exclude={"name", "layers", "width", "tensor_hash"})
    raw = torch.ones(4, 32)
    raw[2] = 0
    with pytest.raises(SteeringError, match=r"no direction at layers \[2\]"):
        Vector.build("calm", raw, torch.ones(4), **meta)


def test_a_dose_is_strength_times_mean_norm_times_unit_vector(library):
    vector = library.get("calm")
    delta = library.delta(Condition("calm", -0.1, (1, 3), "all"))
    assert list(delta) == [1, 3]
    for layer, row in delta.items():
        assert row.dtype == torch.float32
        torch.testing.assert_close(row, -0.1 * vector.mean_norm[layer] * vector.unit[layer])
        torch.testing.assert_close(row.norm(), 0.1 * library.mean_norm[layer])


def test_the_baseline_adds_nothing(library):
    assert library.delta(Condition.baseline()) == {}
    assert library.hash(Condition.baseline()) == "none"


def test_a_layer_beyond_the_model_is_refused(library):
    with pytest.raises(LayerNotFound, match="layer 4 is not in this model: choose 0 to 3"):
        library.delta(Condition("calm", 0.1, (3, 4), "all"))


def test_a_random_direction_is_fixed_by_its_seed_and_differs_between_seeds_and_layers(library):
    seven, again, eight = library.get("random:7"), opened(library).get("random:7"), library.get("random:8")
    assert torch.equal(seven.unit, again.unit) and seven.hash == again.hash
    assert seven.hash != eight.hash
    everything = torch.cat([seven.unit, eight.unit])
    cosines = everything @ everything.T - torch.eye(8)
    assert cosines.abs().max() < 0.8
    assert torch.equal(seven.mean_norm, library.mean_norm)


def test_a_random_direction_of_a_known_seed_never_moves(library):
    """Results are named by seed: another direction under the same name would make them unrepeatable."""
    assert library.get("random:7").unit[0, :3].tolist() == pytest.approx(RANDOM_7, abs=1e-6)


def test_random_directions_favour_no_axis(library):
    rows = torch.cat([library.get(f"random:{seed}").unit for seed in range(200)])
    assert rows.mean(dim=0).abs().max() < 0.03
    assert (rows.square().mean(dim=0) * 32 - 1).abs().max() < 0.25


def test_names_lists_the_files_and_an_unknown_name_is_refused_with_them(library):
    assert library.names() == ("calm", "desperate")
    with pytest.raises(
        VectorMismatch,
        match=r"no vector 'clam' in .*: did you mean 'calm'\? choose calm, desperate, -EMOTION, random:SEED",
    ):
        library.get("clam")
    for name in ("none", "random:x", "../calm"):
        with pytest.raises(SteeringError):
            library.get(name)


def test_the_window_of_a_library_is_its_smallest(llama, make_library, tmp_path):
    assert make_library(llama, tmp_path, "calm").window(["calm"]) is None
    make_library(llama, tmp_path, "angry", window=0.6)
    assert make_library(llama, tmp_path, "desperate", window=0.4).window(["desperate", "random:1"]) == 0.4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fingerprint": "f" * 64}, "weight fingerprint .* this model's is ffffffffffff; extract it again"),
        ({"n_layers": 5}, "layer count 4, this model's is 5"),
        ({"width": 64}, "width 32, this model's is 64"),
    ],
)
def test_the_vectors_of_another_model_are_refused(library, changes, message):
    with pytest.raises(VectorMismatch, match=rf"calm.json was made for another model \(tiny\): {message}"):
        opened(library, **changes)


def test_a_folder_without_vectors_is_refused(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(VectorMismatch, match=r"no vector files in .*: make some with"):
            VectorLibrary(folder, "f", 4, 32)


def rewrite(path, **changes):
    """Replace tensors of a file; its .json is left as it was."""
    save_file({**load_file(path), **changes}, path)


def describe(path, **changes):
    """Replace values of a description."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def bent(tensor, index, value):
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


UNIT, NORM = torch.eye(4, 32), torch.ones(4)
DAMAGE = {
    "a truncated file": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "an empty file": lambda path: path.write_bytes(b""),
    "a file that is no safetensors": lambda path: path.write_bytes(b"not a tensor in sight"),
    "a missing file": lambda path: path.unlink(),
    "one flipped bit": lambda path: path.write_bytes(
        path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])
    ),
    "NaN": lambda path: rewrite(path, unit=bent(UNIT, (1, 1), float("nan"))),
    "infinity": lambda path: rewrite(path, mean_norm=bent(NORM, 0, float("inf"))),
    "another direction": lambda path: rewrite(path, unit=UNIT),
    "a missing tensor": lambda path: save_file({"unit": UNIT, "mean_norm": NORM}, path),
    "another width": lambda path: rewrite(path, unit=torch.eye(4, 31)),
    "another dtype": lambda path: rewrite(path, unit=UNIT.bfloat16()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_tensor_file_is_refused_by_name_with_what_to_do(library, damage):
    path = library.folder / "calm.safetensors"
    DAMAGE[damage](path)
    with pytest.raises(VectorMismatch, match=r"calm\.safetensors .*extract it again with python -m steering"):
        opened(library).get("calm")


@pytest.mark.parametrize(
    ("unit", "norm", "message"), [(2 * UNIT, NORM, "another norm than 1"), (UNIT, 0 * NORM, "not above 0")]
)
def test_values_that_cannot_be_a_dose_are_refused_even_with_a_matching_hash(library, unit, norm, message):
    vector = library.get("calm")
    meta = vector.meta.model_dump(exclude={"name", "layers", "width", "tensor_hash"})
    built = Vector.build("calm", unit, norm, **meta)
    tensors = {"unit": unit, "raw": unit.clone(), "mean_norm": norm}
    save(library.folder, built)
    save_file(tensors, library.folder / "calm.safetensors")
    describe(library.folder / "calm.json", tensor_hash=tensor_hash(tensors))
    with pytest.raises(VectorMismatch, match=message):
        load(library.folder / "calm.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version 2, expected 1"),
        ({"extra": 1}, "extra"),
        ({"layers": "many"}, "layers"),
        ({"window": -1}, "window"),
        ({"name": "angry"}, "describes vector 'angry'"),
    ],
)
def test_a_description_that_is_not_one_is_refused_by_name(library, changes, message):
    describe(library.folder / "calm.json", **changes)
    with pytest.raises(VectorMismatch, match=rf"calm\.json .*{message}"):
        opened(library)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_description_that_is_no_json_object_is_refused(library, content):
    (library.folder / "calm.json").write_bytes(content)
    with pytest.raises(VectorMismatch, match=r"calm\.json"):
        opened(library)


def test_tensors_without_a_description_are_refused(library):
    meta = library.get("calm").meta
    (library.folder / "calm.json").unlink()
    with pytest.raises(VectorMismatch, match=r"calm\.safetensors has no \.json"):
        VectorLibrary(library.folder, meta.fingerprint, 4, 32)


def test_vectors_whose_units_of_strength_differ_cannot_share_a_folder(library):
    vector = library.get("desperate")
    meta = vector.meta.model_dump(exclude={"name", "layers", "width", "tensor_hash"})
    save(library.folder, Vector.build("desperate", vector.raw, 2 * vector.mean_norm, **meta))
    with pytest.raises(VectorMismatch, match=r"desperate\.safetensors has other mean norms than calm"):
        opened(library).get("desperate")


def test_a_random_direction_is_not_saved(library, tmp_path):
    with pytest.raises(SteeringError, match="random:7"):
        save(tmp_path, library.get("random:7"))


def test_the_fingerprint_does_not_change_with_dtype_and_does_with_the_weights(make_model):
    half = make_model("llama", "bfloat16")
    assert fingerprint(half) == fingerprint(copy.deepcopy(half).float())
    other = copy.deepcopy(half)
    with torch.no_grad():
        other.model.layers[1].mlp.up_proj.weight.mul_(1.01)
    assert fingerprint(other) != fingerprint(half)
    assert len({fingerprint(make_model(name)) for name in ("llama", "gpt2", "mixtral")}) == 3


def test_the_fingerprint_survives_saving_and_loading(model_folder, llama):
    from transformers import AutoModelForCausalLM

    assert fingerprint(AutoModelForCausalLM.from_pretrained(model_folder)) == fingerprint(llama)


def test_a_model_that_is_not_in_memory_has_no_fingerprint():
    with pytest.raises(SteeringError, match="weight is not in memory"):
        fingerprint(torch.nn.Linear(2, 2, device="meta"))


RANDOM_7 = [0.0257618669, 0.0795312226, -0.0795449540]
