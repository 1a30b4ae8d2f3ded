"""Laws of dosed samples, most of them through real Inspect evals on a tiny random model."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai import eval, eval_retry, eval_set
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import get_model

from steering.condition import Condition
from steering.dose import conditions_for, dosed, setting
from steering.provider import steered_model
from steering.receipt import Receipt, check

pytest_plugins = ("steering_fixtures",)


def texts(log):
    """What each run wrote, by sample and epoch."""
    return {
        (sample.id, sample.epoch): [m.text for m in sample.messages if m.role == "assistant"]
        for sample in log.samples
    }


def condition_of(sample):
    return Condition.from_dict({key: sample.metadata[key] for key in Condition.baseline().to_dict()})


def assert_receipts_match(log, turns=2):
    for sample in log.samples:
        receipts = sample.store["receipts"]
        assert len(receipts) == turns
        for receipt in receipts:
            check(Receipt.from_dict(receipt), condition_of(sample), sample.metadata["vector_hash"])


def test_every_receipt_of_a_real_eval_proves_its_samples_condition(run_toy):
    log = run_toy(emotion="desperate,random:3", positions="assistant")
    assert log.status == "success"
    assert len(log.samples) == 2 * 2 * 5
    assert not any(sample.error for sample in log.samples)
    assert_receipts_match(log)
    assert {sample.metadata["arm"] for sample in log.samples} == {"baseline", "emotion", "control"}


def test_assistant_positions_reach_the_turns_that_went_before(run_toy):
    log = run_toy(positions="assistant")
    for sample in log.samples:
        first, second = sample.store["receipts"]
        if condition_of(sample).is_baseline:
            continue
        assert first["prompt_tokens_steered"] == 1
        # the first turn's tokens are all in the second prompt, with its end token, and the last prompt token
        text = next(m.text for m in sample.messages if m.role == "assistant")
        assert second["prompt_tokens_steered"] == len(text.encode()) + 1 + 1


def test_the_log_names_the_wrapped_provider(run_toy):
    log = run_toy(n=1)
    assert log.eval.model == "hf/local"
    assert {event.model for event in log.samples[0].events if event.event == "model"} == {"hf/local"}
    assert list(log.stats.model_usage) == ["hf/local"]


def test_two_epochs_differ_and_a_rerun_repeats(run_toy):
    first, again = texts(run_toy(epochs=2)), texts(run_toy(epochs=2))
    assert first == again
    samples = {sample for sample, _ in first}
    assert all(first[sample, 1] != first[sample, 2] for sample in samples)


def test_doses_share_their_random_stream_and_differ_by_their_dose(run_toy):
    tiny, large = texts(run_toy(strength="0.000001", n=4)), texts(run_toy(strength="1", n=4))
    for (sample, epoch), written in tiny.items():
        if sample.endswith("/none"):
            other = sample.removesuffix("none") + "desperate"
            assert tiny[f"{other}+1e-06_L2_all", epoch] == written == large[sample, epoch]
    doses = [key for key in large if "desperate" in key[0]]
    assert all(large[key] != large[key[0].rsplit("/", 1)[0] + "/none", key[1]] for key in doses)


def test_with_a_cache_no_sample_gets_another_conditions_output(run_toy):
    plain = texts(run_toy(cache=False, temperature=0.0))
    written = run_toy(cache=True, temperature=0.0)
    read = run_toy(cache=True, temperature=0.0)
    assert texts(written) == texts(read) == plain
    calls = [event for sample in read.samples for event in sample.events if event.event == "model"]
    assert calls and all(event.cache == "read" for event in calls)
    assert_receipts_match(read)


@pytest.fixture
def other_folder(steerable_folder, make_library, tmp_path):
    """A model of other weights, with vectors of the same names, that Inspect knows by the same name."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "other"
    shutil.copytree(steerable_folder, folder, ignore=shutil.ignore_patterns("vectors"))
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.mul_(-1)
    model.save_pretrained(folder)
    make_library(model, folder / "vectors", "desperate", "calm")
    return folder


def test_with_a_cache_no_model_gets_anothers_output(run_toy, other_folder):
    """Inspect's cache knows both as `hf/local`."""
    theirs = texts(run_toy(cache=True, temperature=0.0))
    plain = texts(run_toy(folder=other_folder, temperature=0.0))
    cached = run_toy(folder=other_folder, cache=True, temperature=0.0)
    assert texts(cached) == plain
    assert all(theirs[key] != plain[key] for key in plain)
    assert_receipts_match(cached)


def test_the_evals_own_cache_serves_every_sample_its_own_condition(
    toy_file, steerable_folder, tmp_path, monkeypatch
):
    """`cache=True` of eval() is what `inspect eval --cache` sets."""
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(toy_file.parent)
    model, wanted = {"model_path": str(steerable_folder)}, {"temperature": 0.0, "positions": "assistant"}
    logs = [
        eval(
            toy_file.name, model="hf/local", model_args=model, task_args=wanted, cache=cache,
            log_dir=str(tmp_path / "logs"), display="none",
        )[0]
        for cache in (False, True, True)
    ]  # fmt: skip
    assert texts(logs[1]) == texts(logs[2]) == texts(logs[0])
    for log, served in zip(logs, (None, "write", "read"), strict=True):
        calls = [event for sample in log.samples for event in sample.events if event.event == "model"]
        assert len(calls) == 2 * len(log.samples) and {event.cache for event in calls} == {served}
        assert log.status == "success"
        assert_receipts_match(log)


def test_a_call_without_a_condition_is_an_error_of_its_sample(run_toy):
    log = run_toy(direct=True)
    assert all("without a condition" in sample.error.message for sample in log.samples)


def test_a_loop_of_single_turns_works_with_native_tools(run_toy, monkeypatch):
    """The model's text is replaced by a tool call that holds it, since a random model writes none."""
    from steering.engine import Engine

    original = Engine._decode

    def calling(self, ids):
        call = {"name": "note", "arguments": {"text": original(self, ids)}}
        return f"<tool_call>{json.dumps(call)}</tool_call>"

    monkeypatch.setattr(Engine, "_decode", calling)
    log = run_toy(tools=True, positions="assistant")
    assert_receipts_match(log)
    for sample in log.samples:
        assert [m.role for m in sample.messages] == ["user", "assistant", "tool", "assistant", "tool"]
        assert all(m.text.startswith("kept") for m in sample.messages if m.role == "tool")
        prompts = [receipt["prompt_tokens"] for receipt in sample.store["receipts"]]
        assert prompts[1] > prompts[0]
        assert sample.store["receipts"][1]["prompt_tokens_steered"] in (0, *range(40, prompts[1]))


def test_inspects_own_tool_loop_gives_every_turn_a_stream_and_a_receipt(run_toy, monkeypatch):
    from steering.engine import Engine

    replies = iter(["call", "call", "stop"] * 100)
    original = Engine._decode

    def calling(self, ids):
        if next(replies) == "stop":
            return original(self, ids)
        call = {"name": "note", "arguments": {"text": original(self, ids)}}
        return f"<tool_call>{json.dumps(call)}</tool_call>"

    monkeypatch.setattr(Engine, "_decode", calling)
    log = run_toy(tools=True, agent="loop", emotion="none", strength=None, n=1, limit=1)
    assert not log.samples[0].error, log.samples[0].error
    streams = [
        event.config.extra_body["emodose"]["stream"]
        for event in log.samples[0].events
        if event.event == "model"
    ]
    assert streams == [f"1/here/main/0/1/{turn}" for turn in range(3)]
    assert_receipts_match(log, turns=3)


def test_as_many_runs_as_max_connections_says_stand_in_one_batch(run_toy, monkeypatch):
    """Inspect's own default for a provider of this kind lets 25 to 32 through."""
    import time

    from steering.loop import Loop
    from steering.worker import Worker

    admit, step, waited, sizes = Worker._admit, Loop.step, [], []

    def patient(self):
        if not waited:
            end = time.monotonic() + 60
            while len(self._line._waiting) < 100 and time.monotonic() < end:
                time.sleep(0.01)
            waited.append(len(self._line._waiting))
        admit(self)

    monkeypatch.setattr(Worker, "_admit", patient)
    monkeypatch.setattr(Loop, "step", lambda self: sizes.append(len(self.rows)) or step(self))
    log = run_toy(n=20)
    assert len(log.samples) == 120 and not any(sample.error for sample in log.samples)
    assert waited == [100] and max(sizes) > 90


def test_a_receipt_of_another_condition_is_an_error_of_its_sample(run_toy, monkeypatch):
    from steering import engine

    row = engine.Row
    monkeypatch.setattr(engine, "Row", lambda request, _delta, *rest: row(request, {}, *rest))
    log = run_toy()
    for sample in log.samples:
        assert bool(sample.error) == (not condition_of(sample).is_baseline)
        assert not sample.error or "ReceiptMismatch" in sample.error.traceback


def test_eval_retry_completes_a_log_with_errored_samples(run_toy, monkeypatch, tmp_path):
    monkeypatch.setenv("TOY_FAILS", "1")
    broken = run_toy(fail="0.200_L2_all")
    assert sum(sample.error is not None for sample in broken.samples) == 8
    monkeypatch.delenv("TOY_FAILS")
    whole = texts(run_toy(fail="0.200_L2_all"))
    [retried] = eval_retry(broken.location, log_dir=str(tmp_path / "retried"), display="none")
    assert retried.status == "success" and retried.eval.model == "hf/local"
    assert not any(sample.error for sample in retried.samples)
    assert texts(retried) == whole


def test_an_eval_set_resumes_under_the_wrapped_providers_name(
    toy_file, steerable_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(toy_file.parent)

    def run():
        return eval_set(
            toy_file.name,
            log_dir=str(tmp_path / "set"),
            model="hf/local",
            model_args={"model_path": str(steerable_folder)},
            task_args={"n": 1},
            retry_attempts=1,
            display="none",
        )

    done, [log] = run()
    assert done and log.status == "success" and log.eval.model == "hf/local"
    assert_receipts_match(read_eval_log(log.location))
    again, [same] = run()
    assert again and same.eval.run_id == log.eval.run_id, "what is complete is not run anew"


def test_a_grader_of_another_provider_never_sees_the_condition(run_toy):
    """The toy task's foreign provider asserts that it is handed no extra_body."""
    log = run_toy(graded=True, n=1)
    assert log.status == "success" and not any(sample.error for sample in log.samples)
    assert_receipts_match(log)
    assert all(sample.store["graded"] == "Good day." for sample in log.samples)


def test_a_strength_of_nothing_and_a_seed_that_is_no_number_are_refused(hf_model):
    model = steered_model(hf_model)
    with pytest.raises(PrerequisiteError, match=r"strength '0\.1' without an emotion"):
        conditions_for(model, "none", "0.1", "auto", "all")
    for seed in ("x", 1.5, True):
        with pytest.raises(PrerequisiteError, match="a whole number"):
            dosed([], conditions_for(model, "none", None, "auto", "all"), model, seed)


def test_a_foreign_provider_runs_the_baseline_untouched(run_toy):
    log = run_toy(model="offline/any", emotion="none", strength=None)
    assert log.status == "success" and len(log.samples) == 4
    assert all(written == ["Good day."] * 2 for written in texts(log).values())


def test_a_foreign_provider_with_a_dose_is_refused_with_one_line():
    with pytest.raises(PrerequisiteError) as error:
        conditions_for(get_model("offline/any"), "desperate", None, "auto", "all")
    assert "offline/any cannot be steered" in error.value.message
    assert "\n" not in error.value.message


def test_the_command_line_refuses_an_unknown_emotion_with_one_line_and_status_1(
    toy_file, steerable_folder, tmp_path
):
    command = [sys.executable, "-m", "inspect_ai", "eval", toy_file.name, "--model", "hf/local"]
    command += ["-M", f"model_path={steerable_folder}", "-T", "emotion=desparate", "--display", "plain"]
    done = subprocess.run(command, cwd=toy_file.parent, capture_output=True, text=True, env=_quiet(tmp_path))
    assert done.returncode == 1
    assert "no vector 'desparate'" in done.stdout.replace("\n", " ")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_model_without_vectors_says_how_to_make_some(model_folder):
    model = steered_model(get_model("hf/local", model_path=str(model_folder), memoize=False))
    assert conditions_for(model, "none", None, "auto", "all") == (Condition.baseline(),)
    with pytest.raises(PrerequisiteError, match="emodose vectors extract") as error:
        conditions_for(model, "desperate", None, "auto", "all")
    assert "no vectors" in error.value.message


def test_the_default_grid_is_six_doses_over_the_window_and_the_baseline(hf_model, make_library, tmp_path):
    make_library(hf_model.api.model, tmp_path / "measured", "desperate", window=0.6)
    for vectors, top in ((None, 0.1), (str(tmp_path / "measured"), 0.6)):
        conditions = conditions_for(steered_model(hf_model, vectors), "desperate", None, "auto", "all")
        assert [c.strength for c in conditions] == pytest.approx(
            [0, -top, -top / 2, -top / 4, top / 4, top / 2, top]
        )
        assert {c.layers for c in conditions[1:]} == {(2,)}


def test_samples_come_scenario_outer_and_dose_inner(hf_model):
    model = steered_model(hf_model)
    conditions = conditions_for(model, "desperate,calm", "0.1", "auto", "all")
    samples = [Sample(id=f"toy/{n}", input="x", metadata={"scenario": n}) for n in "ab"]
    ids = [sample.id for sample in dosed(samples, conditions, model, 7)]
    slugs = ["none", "desperate+0.100_L2_all", "calm+0.100_L2_all"]
    assert ids == [f"toy/{n}/{slug}" for n in "ab" for slug in slugs]
    metadata = dosed(samples, conditions, model, 7)[1].metadata
    assert metadata["model_fingerprint"] == model.api.fingerprint
    assert metadata["vector_hash"] == model.api.library.get("desperate").hash
    assert metadata["run_seed"] == 7
    assert samples[0].metadata == {"scenario": "a"}


def test_a_vectors_own_coherent_window_travels_with_its_samples(hf_model, make_library, tmp_path):
    make_library(hf_model.api.model, tmp_path / "measured", "calm", window=0.2)
    make_library(hf_model.api.model, tmp_path / "measured", "desperate", window=0.6)
    model = steered_model(hf_model, str(tmp_path / "measured"))
    samples = dosed(
        [Sample(input="x", id="x")], conditions_for(model, "desperate", None, "auto", "all"), model, 1
    )
    steered = [sample for sample in samples if sample.metadata["arm"] == "emotion"]
    assert {sample.metadata["window"] for sample in steered} == {0.6}
    assert max(sample.metadata["strength"] for sample in steered) == 0.6


def test_a_setting_is_what_was_given_then_what_the_folder_declares_then_the_fallback(hf_model):
    model = steered_model(hf_model)
    assert setting(model, "length", "short", "full") == "short"
    assert setting(model, "length", None, "full") == "full"
    model.api.declared["length"] = "short"
    assert setting(model, "length", None, "full") == "short"


def _quiet(tmp_path):
    return {**os.environ, "XDG_DATA_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent.parent)}
