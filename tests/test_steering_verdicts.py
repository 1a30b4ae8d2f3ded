"""A task heeds what is known of a vector: it warns, refuses what failed, and says so in every sample."""

import logging
import shutil
from types import SimpleNamespace

import pytest
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample

from steering.descriptions import Readouts, describe
from steering.dose import conditions_for, dosed
from steering.provider import steered_model

pytest_plugins = ("steering_fixtures",)


@pytest.fixture
def judged(hf_model, steerable_folder, tmp_path):
    """`judged(desperate="fail")`: the steered model with vectors of these verdicts, read at layer 1."""

    def make(**verdicts):
        folder = shutil.copytree(steerable_folder / "vectors", tmp_path / "vectors")
        library = steered_model(hf_model, str(folder)).api.library
        for name, verdict in verdicts.items():
            found = Readouts(
                verdict=verdict, layer=1, reasons=("a reason",), tensor_hash=library.metas[name].tensor_hash
            )
            describe(folder, name, readouts=found)
        hf_model.api.__dict__.pop("_emodose")
        return steered_model(hf_model, str(folder))

    return make


def asked(model, emotion, layers="auto", **options):
    return conditions_for(model, emotion, "0.1", layers, "all", **options)


def test_a_pass_is_silent(judged, caplog):
    asked(judged(desperate="pass", calm="pass"), "desperate,calm")
    assert caplog.records == []


@pytest.mark.parametrize(("verdict", "told"), [("weak", "vector desperate: weak: a reason")])
def test_a_weak_vector_is_warned_of_with_the_reason(judged, caplog, verdict, told):
    with caplog.at_level(logging.WARNING):
        asked(judged(desperate=verdict), "desperate")
    assert [record.message for record in caplog.records] == [told]


def test_an_unchecked_vector_is_looked_at_and_warned_of_with_the_way_out(judged, caplog):
    asked(judged(), "desperate,random:3,-calm")
    [record] = caplog.records
    assert record.message.startswith(
        "vector desperate was never read out, only looked at: first look: two halves"
    )
    assert record.message.endswith("run emodose vectors check MODEL")


@pytest.mark.parametrize(("cosine", "refused"), [(0.05, True), (-0.3, True), (0.9, False)])
def test_at_first_use_a_vector_whose_halves_disagree_is_refused(judged, monkeypatch, cosine, refused):
    model = judged()
    halves = SimpleNamespace(meta=SimpleNamespace(halves={"desperate": (cosine,) * 8}))
    monkeypatch.setattr(model.api.library, "controls", halves)
    if not refused:
        assert asked(model, "desperate")
        return
    with pytest.raises(PrerequisiteError, match=f"two halves of its corpus have cosine {cosine:.2f}"):
        asked(model, "desperate")
    conditions = asked(model, "desperate", allow_failed=True)
    samples = dosed([Sample(input="x", id="x", metadata={"variant": 0})], conditions, model, 1)
    assert [sample.metadata["verdict"] for sample in samples] == ["none", "fail"]
    assert asked(model, "desperate", allow_failed=True), "a second look finds the same"


def test_a_failed_vector_is_refused_unless_it_is_allowed_and_then_every_sample_says_so(judged, caplog):
    model = judged(desperate="fail")
    with pytest.raises(
        PrerequisiteError, match=r"vector 'desperate' failed its read-outs \(a reason\): .*allow_f"
    ):
        asked(model, "calm,desperate")
    conditions = asked(model, "calm,desperate", allow_failed=True)
    assert "vector desperate: fail, used all the same (allow_failed): a reason" in caplog.text
    from inspect_ai.dataset import Sample

    samples = dosed([Sample(id="a/b/0", input="x", metadata={})], conditions, model, 1)
    assert [(s.metadata["vector"], s.metadata["verdict"]) for s in samples] == [
        ("none", "none"), ("calm", "unchecked"), ("desperate", "fail"),
    ]  # fmt: skip


def test_the_flag_is_a_truth_value(judged):
    with pytest.raises(PrerequisiteError, match="allow_failed 'perhaps'"):
        asked(judged(), "desperate", allow_failed="perhaps")


def test_the_layer_that_checked_vectors_recommend_is_the_default(judged):
    assert asked(judged(desperate="pass", calm="weak"), "desperate")[1].layers == (1,)


def test_a_layer_that_was_asked_for_is_taken_whatever_is_recommended(judged):
    assert asked(judged(desperate="pass"), "desperate", layers="3")[1].layers == (3,)
