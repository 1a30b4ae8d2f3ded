"""The command line answers in words: what it wrote, or one line of what is wrong and exit status 1."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import grid, run, sample

import emodose

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one log."""
    folder = tmp_path_factory.mktemp("logs")
    run(folder, grid(["desperate"]))
    return folder


def called(*arguments: str) -> int:
    """The exit status of `emodose ARGUMENTS`."""
    with pytest.raises(SystemExit) as stopped:
        emodose.main(list(arguments))
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def test_plot_prints_the_numbers_and_the_figures_path(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures" / "demo"
    assert called("plot", str(logs), "-o", str(out)) == 0
    said = capsys.readouterr().out
    assert "rate of blackmail" in said
    assert "60 %" in said
    assert f"figure: {out}.png" in said
    assert Path(f"{out}.svg").is_file()


def test_a_plot_of_some_vectors_keeps_the_baseline_and_the_controls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "logs", grid(["desperate", "calm", "random:1"], variants=2))
    assert called("plot", str(tmp_path / "logs"), "-o", str(tmp_path / "f"), "--vector", "calm") == 0
    said = capsys.readouterr().out
    assert "\ncalm " in said and "\nrandom:1 " in said and "baseline" in said
    assert "\ndesperate " not in said
    assert called("plot", str(tmp_path / "logs"), "-o", str(tmp_path / "f"), "--vector", "clam") == 1
    assert "no run under 'clam' (did you mean 'calm'?)" in capsys.readouterr().err


def test_logs_of_several_families_give_a_figure_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "logs", grid(["desperate"], variants=2))
    another = grid(["desperate"], variants=2, family="plea")
    run(tmp_path / "logs", [one.model_copy(update={"id": f"plea/{one.id}"}) for one in another])
    monkeypatch.chdir(tmp_path)
    assert called("plot", "logs") == 0
    said = capsys.readouterr().out
    assert "rate of blackmail" in said and "rate of plea" in said
    assert Path("results/figures/blackmail.png").is_file() and Path("results/figures/plea.png").is_file()


def test_table_writes_the_doses_or_every_run(logs: Path, tmp_path: Path) -> None:
    doses, runs = tmp_path / "doses.csv", tmp_path / "runs.csv"
    assert called("table", str(logs), "-o", str(doses), "--outcome", "benign") == 0
    assert called("table", str(logs), "-o", str(runs)) == 0
    rates = tmp_path / "rates.csv"
    assert called("table", str(logs), "-o", str(rates), "--rates") == 0
    assert pd.read_csv(rates)["outcome"].unique().tolist() == ["blackmail"]
    assert pd.read_csv(doses)["outcome"].unique().tolist() == ["benign"]
    assert (len(pd.read_csv(doses)), len(pd.read_csv(runs))) == (5, 150)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plit"], "No such command 'plit' (did you mean 'plot'?)"),
        (["plot"], "Missing argument"),
        (["plot", "LOGS", "--out-come", "x"], "No such option"),
        (
            ["plot", "LOGS", "-o", "x", "--outcome", "blakmail"],
            "unknown outcome 'blakmail' (did you mean 'blackmail'?); choose from blackmail",
        ),
        (["plot", "nowhere", "-o", "x"], "no such log file or folder: nowhere"),
        (["table", "LOGS", "-o", "LOGS"], "written as .parquet or .csv"),
    ],
)
def test_a_mistake_ends_in_one_line_and_status_1(
    arguments: list[str], words: str, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(*(str(logs) if word == "LOGS" else word for word in arguments)) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("emodose: ")
    assert len(said.splitlines()) == 1


def test_strict_fails_where_a_log_would_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, [sample("plea", "keycard", 0, "calm", 0.1)])
    (tmp_path / "2026-01-01T00-00-00_broken_x.eval").write_text("no log")
    assert called("table", str(tmp_path), "-o", str(tmp_path / "t.csv")) == 0
    assert "left out: 2026-01-01T00-00-00_broken_x.eval" in capsys.readouterr().err
    assert called("table", str(tmp_path), "-o", str(tmp_path / "t.csv"), "--strict") == 1


def test_a_name_the_library_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'steeered'"):
        _ = emodose.steeered


def test_the_readmes_lines_run_as_they_are_printed_and_without_inspect(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "local").symlink_to(ROOT / "local", target_is_directory=True)
    stories = [
        {"emotion": emotion, "text": f"{start} " + "The mail lay on the desk and nobody read it. " * 12}
        for emotion, start in (("desperate", "All was lost."), ("calm", "All was well."))
    ]
    (tmp_path / "stories.jsonl").write_text("\n".join(map(json.dumps, stories)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; assert 'inspect_ai' not in sys.modules"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(r"(\d+) tokens shifted, by ([\d.]+) of .*\n", done.stdout)
    assert said and int(said[1]) > 3 and 0.05 < float(said[2]) < 0.2


def test_table_is_written_as_parquet_by_its_ending(
    logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs.parquet"
    assert called("table", str(logs), "-o", str(out)) == 0
    assert len(pd.read_parquet(out)) == 150
    assert called("table", str(logs), "-o", str(tmp_path / "runs.xlsx")) == 1
    assert "written as .parquet or .csv" in capsys.readouterr().err


def test_analyse_says_verdicts_judges_what_was_declared_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = tmp_path / "declared.yaml"
    declared.write_text("- {vector: desperate, family: blackmail, outcome: blackmail, sign: raises}\n")
    run(tmp_path / "logs", grid(["desperate"], variants=30))
    words = ["analyse", str(tmp_path / "logs"), "--outcome", "blackmail", "--hypotheses", str(declared)]
    words += ["--json", str(tmp_path / "a.json"), "--figures", str(tmp_path / "figures")]
    assert called(*words) == 0
    said = capsys.readouterr().out
    assert "desperate raises blackmail (blackmail): confirmed" in said
    assert "desperate: blackmail rises with the strength over all doses: +20.0 points per 0.1" in said
    assert "raises blackmail: +20 points" in said
    assert json.loads((tmp_path / "a.json").read_text())["declared"][0]["fate"] == "confirmed"
    assert (tmp_path / "figures" / "dose-response.svg").is_file()


def test_plan_tells_runs_and_time_at_the_measured_speed(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("plan", "--baseline", "0.3", "--effect", "0.2", "--seconds-per-run", "0.5") == 0
    assert "time at 0.5 s a run" in capsys.readouterr().out
    assert called("plan", str(logs), "--baseline", "0.3", "--effect", "-0.2", "--scenarios", "8") in (0, 1)
    assert called("plan", "--baseline", "0.3", "--effect", "0.2", "--scenarios", "few") == 1
    assert "whole numbers like 8,12, not 'few'" in capsys.readouterr().err


def test_methods_prints_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("methods") == 0
    assert "## What was corrected?" in capsys.readouterr().out


def test_simulate_writes_the_table_of_every_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from results import simulation

    few = list(simulation.cells((3,), (10,)))[:2]
    monkeypatch.setattr(simulation, "cells", lambda: iter(few))
    out = tmp_path / "simulation.csv"
    assert called("simulate", "--short", "-o", str(out)) == 0
    assert set(pd.read_csv(out)["experiments"]) == {100}


def test_without_a_name_figure_and_table_go_where_such_things_lie(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["plot"], ["table"], ["table", "--rates"]):
        assert called(words[0], str(logs), *words[1:]) == 0
    for name in ("figures/blackmail.png", "figures/blackmail.svg", "tables/runs.parquet", "tables/rates.csv"):
        assert (tmp_path / "results" / name).is_file()
