"""Nights as users run them: real eval sets in processes of their own, judged against a real baseline.

Most nights are of `nightly_task.py`, whose runs do what is laid down; one is of the bundled organism.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pandas as pd
import pytest
import yaml
from inspect_ai.log import list_eval_logs, read_eval_log

import emodose
from results.comparison import Comparison
from results.nightly.folder import locked

ROOT = Path(__file__).resolve().parent.parent
TASK = "tests/nightly_task.py"


def called(*arguments: str | Path) -> int:
    """The exit status of `emodose ARGUMENTS`."""
    with pytest.raises(SystemExit) as stopped:
        emodose.main([str(argument) for argument in arguments])
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


class Place:
    """A folder in which nights run, with one suite whose task arguments change from night to night."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.nights, self.baseline = folder, folder / "nights", folder / "baseline.json"

    def config(self, *tasks: dict[str, Any], **changed: Any) -> Path:
        usual = {
            "suite": "small", "model": "none/none", "output": str(self.nights), "retries": 0,
            "baseline": str(self.baseline),
            "tasks": [{"task": TASK, "name": f"task{n}", "arguments": one} for n, one in enumerate(tasks)],
        }  # fmt: skip
        path = self.folder / "suite.yaml"
        path.write_text(yaml.safe_dump(usual | changed), "utf-8")
        return path

    def night(self, name: str, *tasks: dict[str, Any], **changed: Any) -> int:
        return called("nightly", self.config(*(tasks or ({},)), **changed), "--night", name)

    def comparison(self, name: str) -> Comparison:
        return Comparison.model_validate_json((self.nights / name / "comparison.json").read_text("utf-8"))

    def junit(self, name: str) -> Xml.Element:
        return Xml.fromstring((self.nights / name / "junit.xml").read_bytes())

    def history(self) -> pd.DataFrame:
        return pd.read_parquet(self.nights / "history.parquet")

    def logs(self, name: str) -> dict[str, int]:
        """Every log file of a night and when it was written."""
        return {path.name: path.stat().st_mtime_ns for path in (self.nights / name).rglob("*.eval")}

    def runs(self, name: str) -> Counter[tuple[str, str, int]]:
        """How often each run stands in the finished logs of a night."""
        counted: Counter[tuple[str, str, int]] = Counter()
        for info in list_eval_logs(str(self.nights / name)):
            log = read_eval_log(info)
            if log.status == "success":
                counted.update(
                    (Path(info.name).parent.name, str(run.id), run.epoch) for run in log.samples or []
                )
        return counted


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place with a baseline, made from its first night."""
    place = Place(tmp_path_factory.mktemp("place"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert place.night("first") == 2
        assert called("baseline", "update", place.nights / "first" / "logs", "-o", place.baseline) == 0
    return place


@pytest.fixture
def place(judged: Place, tmp_path: Path) -> Place:
    """A place of the test's own with that baseline."""
    own = Place(tmp_path)
    shutil.copy(judged.baseline, own.baseline)
    return own


def test_a_first_night_has_nothing_to_be_compared_with_and_says_how_a_baseline_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    assert place.night("first") == 2
    said = capfd.readouterr().out
    assert f"emodose baseline update {place.nights / 'first' / 'logs'} -o {place.baseline}" in said
    assert place.comparison("first").verdict == "could not be judged"
    assert (
        set(place.history()["overall"]) == {"could not be judged"} and place.history()["rate"].notna().any()
    )


def test_a_complete_night_is_judged_anew_and_not_run_anew(
    judged: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    assert place.night("second") == 2
    before, rows = place.logs("second"), len(place.history())
    shutil.copy(judged.baseline, place.baseline)
    assert place.night("second") == 0
    assert "done before" in capfd.readouterr().err
    assert place.logs("second") == before
    assert len(place.history()) == rows
    assert set(place.history()["overall"]) == {"stable"}


def test_the_night_that_a_baseline_was_made_of_is_not_compared_with_itself(judged: Place) -> None:
    assert judged.night("first") == 2
    assert "both sides" in judged.comparison("first").headline


def test_an_unchanged_night_is_stable_and_writes_every_report(place: Place) -> None:
    assert place.night("second") == 0
    told = place.comparison("second")
    assert told.verdict == "stable" and told.findings
    root = place.junit("second")
    assert root.get("failures") == root.get("errors") == "0"
    assert int(root.get("tests") or 0) == len(told.findings)
    assert "stable" in (place.nights / "second" / "comment.md").read_text("utf-8").splitlines()[0]
    assert (place.nights / "nights.svg").is_file() and (place.nights / "nights.png").is_file()
    assert (place.nights / "second" / "page" / "report.html").is_file()
    assert set(place.history()["base_rate"].dropna()) <= {0.4, 0.6, 0.0}


def test_a_night_with_more_blackmail_is_a_regression(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.night("third", {"shift": 0.4}) == 1
    assert "regression" in capfd.readouterr().out.lower()
    told = place.comparison("third")
    assert told.verdict == "regression"
    worse = [finding.name for finding in told.findings if finding.verdict == "regression"]
    assert worse
    failed = [
        case.get("name") for case in place.junit("third").iter("testcase") if case.find("failure") is not None
    ]
    assert sorted(failed, key=str) == sorted(worse)
    assert "regression" in set(place.history()["verdict"])
    assert "regression" in (place.nights / "third" / "comment.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"crashes": 30}, "errored"),
        ({"unreadable": 30}, "unscored"),
        ({"version": "2-xyz"}, "version"),
        ({"variants": 5}, ""),
        ({"refuse": True}, "refused, as its argument said"),
    ],
)
def test_a_night_that_cannot_be_judged_never_passes(
    place: Place, arguments: dict[str, Any], said: str
) -> None:
    assert place.night("bad", arguments) == 2
    told = place.comparison("bad")
    assert told.verdict == "could not be judged"
    assert said in told.model_dump_json()
    root = place.junit("bad")
    assert int(root.get("errors") or 0) > 0
    assert set(place.history()["overall"]) == {"could not be judged"}


def test_one_task_that_fails_keeps_the_night_from_being_stable(place: Place) -> None:
    assert place.night("half", {}, {"refuse": True}) == 2
    told = place.comparison("half")
    assert any("task1" in problem and "refused" in problem for problem in told.problems)


def test_a_regression_beside_a_failed_task_is_a_regression(place: Place) -> None:
    assert place.night("half", {"shift": 0.4}, {"refuse": True}) == 1
    assert place.comparison("half").problems


@pytest.mark.parametrize(
    "arguments", [["nightly"], ["nightly", "nowhere.yaml"], ["nightly", "--wrong", "x.yaml"]]
)
def test_bad_input_is_not_a_regression(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert called(*arguments) == 2
    assert capfd.readouterr().err.startswith("emodose: ")


def test_an_unknown_key_ends_the_night_before_anything_is_written(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    assert place.night("odd", kep=3) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "'kep'" in said and "did you mean 'keep'" in said
    assert not place.nights.exists()


def test_an_error_of_our_own_is_never_a_pass(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("results.nightly.night.report", broken)
    assert place.night("second") == 2


def test_two_nights_at_once_do_not_collide(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    with locked(place.nights):
        assert place.night("second") == 2
    assert "another night" in capfd.readouterr().err
    assert not (place.nights / "second").exists()


def test_a_night_of_other_tasks_is_not_mixed_in(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    assert place.night("same", {"variants": 12}) in (0, 2)
    before = place.logs("same")
    assert place.night("same", {"variants": 13}) == 2
    assert "other tasks" in capfd.readouterr().err
    assert place.logs("same") == before


def test_again_makes_another_night_and_only_the_newest_are_kept(place: Place) -> None:
    config = place.config({"variants": 12}, keep=2)
    for _ in range(3):
        called("nightly", config, "--night", "n", "--again")
    assert sorted(path.name for path in place.nights.iterdir() if path.is_dir()) == ["n.2", "n.3"]
    assert set(place.history()["night"]) == {"n", "n.2", "n.3"}


def started(config: Path, name: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "emodose", "nightly", str(config), "--night", name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_a_log(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    began = time.monotonic()
    while process.poll() is None and not list(folder.rglob("*.eval")) and time.monotonic() - began < 120:
        time.sleep(0.05)


@pytest.mark.parametrize("seed", [1])
def test_a_night_killed_at_random_moments_ends_with_every_run_once(place: Place, seed: int) -> None:
    rng = random.Random(seed)
    config = place.config({"pause": 0.2}, {"variants": 12, "pause": 0.2})
    for _ in range(3):
        process = started(config, "killed")
        wait_for_a_log(process, place.nights)
        time.sleep(rng.uniform(0, 4))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert called("nightly", config, "--night", "killed") == 0
    found = place.runs("killed")
    assert set(found.values()) == {1}
    assert Counter(task for task, _, _ in found) == {"task0": 240, "task1": 72}


def test_a_terminated_night_takes_its_task_with_it_and_lets_the_next_one_in(place: Place) -> None:
    config = place.config({"pause": 1.0})
    process = started(config, "stopped")
    wait_for_a_log(process, place.nights)
    process.terminate()
    assert process.wait(60) == 2
    with locked(place.nights):
        pass
    assert called("nightly", place.config({"pause": 1.0}), "--night", "stopped") == 0


def test_the_bundled_organism_is_compared_with_itself_run_by_run(tmp_path: Path) -> None:
    place = Place(tmp_path)
    arguments = {"emotion": ["desperate"], "strength": [0.3], "variants": 10}
    tasks = [{"task": "evals/blackmail.py", "arguments": arguments}]
    limits = {"margin": 0.4, "threshold": 0.1}
    asked = {"tasks": tasks, "model": "hf/local", "limits": limits}
    assert place.night("one", **asked) == 2
    assert called("baseline", "update", place.nights / "one" / "logs", "-o", place.baseline) == 0
    assert place.night("two", **asked) == 0
    told = place.comparison("two")
    cells = [finding for finding in told.findings if finding.kind == "cell"]
    assert {finding.pairing for finding in cells} == {"same stream"}
    assert {finding.pairs for finding in cells} == {30}
