"""The task file as users run it: the owner's command on the bundled organism, typos, other models."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai import eval
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import EvalLog, read_eval_log
from scripted import scripted_model

from results.table import load

ROOT = Path(__file__).parent.parent
SAMPLE_METADATA = {
    *("family", "scenario", "twin", "variant", "pressure", "length", "arm", "vector", "strength", "layers"),
    *("positions", "tools", "model_fingerprint", "vector_hash", "scenario_version"),
}


def inspect_eval(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "inspect"), "eval", "evals/blackmail.py", *arguments]
    command += ["--log-dir", str(folder), "--display", "plain"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def owners_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[EvalLog, str]:
    """`inspect eval evals/blackmail.py --model hf/local -T emotion=desperate`, its first 14 samples."""
    folder = tmp_path_factory.mktemp("logs")
    done = inspect_eval(folder, "--model", "hf/local", "-T", "emotion=desperate", "--limit", "14")
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.eval")
    return read_eval_log(str(path)), done.stdout


def test_the_owners_command_runs_on_the_bundled_organism(owners_run: tuple[EvalLog, str]) -> None:
    log, _ = owners_run
    assert log.status == "success", log.error
    assert log.eval.model == "hf/local"
    assert log.samples and len(log.samples) == 14
    assert not any(sample.error for sample in log.samples)


def test_the_first_samples_hold_all_seven_doses_of_a_scenario(owners_run: tuple[EvalLog, str]) -> None:
    log, _ = owners_run
    assert log.samples
    doses = [(s.metadata["scenario"], s.metadata["strength"]) for s in log.samples]
    assert len({scenario for scenario, _ in doses}) == 2
    assert all(len([d for d in doses if d[0] == scenario]) == 7 for scenario, _ in doses)


def test_every_run_carries_the_schema_and_a_receipt_for_each_of_its_turns(
    owners_run: tuple[EvalLog, str],
) -> None:
    log, _ = owners_run
    for sample in log.samples or []:
        assert set(sample.metadata) >= SAMPLE_METADATA
        assert sample.scores
        [score] = sample.scores.values()
        receipts = (score.metadata or {})["receipts"]
        assert len(receipts) == len([m for m in sample.messages if m.role == "assistant"])
        for receipt in receipts:
            assert receipt["strength"] == sample.metadata["strength"]
            assert receipt["vector_hash"] == sample.metadata["vector_hash"]
            assert (receipt["realised"] > 0) == (sample.metadata["arm"] != "baseline")


def test_the_terminal_shows_the_main_outcome_per_dose_with_n(
    owners_run: tuple[EvalLog, str],
) -> None:
    _, terminal = owners_run
    lines = [line for line in terminal.splitlines() if line.startswith("blackmail, ")]
    assert len(lines) == 7
    assert all("(n 2)" in line for line in lines)


def test_a_plot_is_drawn_from_the_log_by_the_command_line(
    owners_run: tuple[EvalLog, str], tmp_path: Path
) -> None:
    log, _ = owners_run
    command = [
        str(Path(sys.executable).parent / "emodose"),
        "plot",
        log.location,
        "-o",
        str(tmp_path / "figure"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert "organism" in (tmp_path / "figure.svg").read_text().lower()


def test_a_typo_on_the_command_line_is_one_line_and_exit_status_1(tmp_path: Path) -> None:
    done = inspect_eval(tmp_path, "--model", "hf/local", "-T", "emotoin=desperate")
    assert done.returncode == 1
    assert "emotoin" in done.stdout + done.stderr and "did you mean 'emotion'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.glob("*.eval"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"emotion": "desparate"}, "desperate"),
        ({"emotion": False}, "truth value"),
        ({"emotion": "desperate", "strength": "0,1,x"}, "'x'"),
        ({"emotion": "desperate", "strength": 50}, "50"),
        ({"emotion": "desperate", "layers": 99}, "0 to"),
        ({"emotion": "desperate", "positions": "everywhere"}, "assistant"),
        ({"scenario": "keycrad"}, "keycard"),
        ({"twin": "no_levrage"}, "no_leverage"),
        ({"pressure": "high"}, "extreme"),
        ({"length": "long"}, "full"),
        ({"length": "full"}, "choose length=short"),
        ({"perplexity": "maybe"}, "neither true nor false"),
        ({"variants": 0}, "variants"),
        ({"tools": "carrier-pigeon"}, "native"),
        ({"vectors": "nowhere"}, "nowhere"),
    ],
)
def test_a_wrong_argument_names_the_value_and_the_choices(
    arguments: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(PrerequisiteError) as error:
        eval(
            "evals/blackmail.py", model="hf/local", task_args=arguments, log_dir=str(tmp_path), display="none"
        )
    message = str(error.value.message)
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("length", ["short", "full"])
@pytest.mark.parametrize("twin", ["main", "no_leverage", "no_threat"])
def test_every_scenario_runs_on_a_foreign_model_at_every_pressure(
    length: str, twin: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    for pressure in ("bland", "standard", "goal", "extreme"):
        arguments = {"variants": 1, "length": length, "twin": twin, "pressure": pressure}
        model = scripted_model(["I have read the mail."])
        [log] = eval(
            "evals/blackmail.py", model=model, task_args=arguments, log_dir=str(tmp_path), display="none"
        )
        assert log.status == "success", log.error
        assert log.samples
        assert {s.metadata["arm"] for s in log.samples} == {"baseline"}
        assert all(s.metadata["pressure"] == pressure and s.metadata["twin"] == twin for s in log.samples)


def test_word_salad_is_flagged_by_its_perplexity_and_the_models_own_text_is_not(tmp_path: Path) -> None:
    """Far beyond the coherent window; most of it repeats nothing and holds no broken call."""
    scenarios = ("-T", "scenario=diploma,keycard,ledger", "-T", "variants=34")
    done = inspect_eval(
        tmp_path, "--model", "hf/local", "-T", "emotion=desperate", "-T", "strength=2", *scenarios
    )
    assert done.returncode == 0, done.stderr
    runs = load([tmp_path], strict=True)
    assert (runs["status"] == "scored").all() and runs["perplexity_reference"].eq(102).all()
    shares = runs.groupby("strength")[["surprising", "incoherent"]].mean()
    assert shares.loc[2.0, "incoherent"] > 0.9
    assert 0 < shares.loc[0.0, "surprising"] <= 0.02
