"""`pressure=auto`: which pressure is chosen, on what, and that a retry chooses the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inspect_ai import eval
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import EvalLog

from steering import ladder
from steering.ladder import Climb, Pilot, climb, read_pilot

LEVELS = ("bland", "standard", "goal", "extreme")


def rates(*values: float) -> Callable[[str], Pilot]:
    known = dict(zip(LEVELS, values, strict=False))
    return lambda pressure: Pilot(pressure=pressure, rate=known[pressure], n=40)


@pytest.mark.parametrize("values, pressure, reason, pilots", [
    ((0.0, 0.05, 0.3), "goal", "within", 3),
    ((0.2,), "bland", "within", 1),
    ((0.1,), "bland", "within", 1),
    ((0.0, 0.6), "standard", "within", 2),
    ((0.0, 0.02, 0.0, 0.05), "extreme", "floor", 4),
    ((0.0, 0.05, 0.0, 0.02), "standard", "floor", 4),
    ((0.0, 0.0, 0.0, 0.0), "bland", "floor", 4),
    ((0.9,), "bland", "ceiling", 1),
    ((0.05, 0.9), "bland", "nearest", 2),
    ((0.0, 0.61), "standard", "nearest", 2),
])  # fmt: skip
def test_the_first_pressure_within_the_window_is_taken(
    values: tuple[float, ...], pressure: str, reason: str, pilots: int
) -> None:
    chosen = climb(LEVELS, rates(*values))
    assert (chosen.pressure, chosen.reason, len(chosen.pilots)) == (pressure, reason, pilots)


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EvalLog, EvalLog]:
    """The organism under pressure=auto, twice; the folder of its pilots."""
    folder = tmp_path_factory.mktemp("pilots")
    arguments = {"pressure": "auto", "variants": 7, "scenario": "diploma,keycard,ledger"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "PILOTS", folder / "kept")
        logs = [
            eval(
                "evals/blackmail.py",
                model="hf/local",
                task_args=arguments,
                log_dir=str(folder / str(n)),
                display="none",
            )[0]
            for n in range(2)
        ]
    return folder / "kept", logs[0], logs[1]


def test_choice_and_pilots_are_in_every_sample(climbed: tuple[Path, EvalLog, EvalLog]) -> None:
    _, log, _ = climbed
    assert log.status == "success" and log.samples
    for run in log.samples:
        told = Climb.model_validate(run.metadata["pressure_auto"])
        assert run.metadata["pressure"] == told.pressure and all(one.n == 21 for one in told.pilots)


def test_a_retry_makes_the_same_choice_without_another_pilot(climbed: tuple[Path, EvalLog, EvalLog]) -> None:
    folder, log, again = climbed
    assert log.samples and again.samples
    assert log.samples[0].metadata["pressure_auto"] == again.samples[0].metadata["pressure_auto"]
    told = Climb.model_validate(log.samples[0].metadata["pressure_auto"])
    assert len(list(folder.rglob("*.eval"))) == len(told.pilots)


def test_no_run_of_the_task_draws_the_pilots_numbers(climbed: tuple[Path, EvalLog, EvalLog]) -> None:
    folder, log, _ = climbed
    assert log.samples and log.samples[0].metadata["run_seed"] == 1
    pilot = ladder.read_eval_log(str(next(folder.rglob("*.eval"))))
    assert pilot.samples and pilot.samples[0].metadata["run_seed"] == 1 + ladder.PILOT_SEED


def test_a_handful_of_runs_is_no_pilot(climbed: tuple[Path, EvalLog, EvalLog]) -> None:
    _, log, _ = climbed
    few = log.model_copy(update={"samples": (log.samples or [])[:19]})
    with pytest.raises(PrerequisiteError, match="19 runs are too few"):
        read_pilot(few, "bland", "blackmail")


def test_a_pilot_that_cannot_be_judged_is_no_rate_of_zero(climbed: tuple[Path, EvalLog, EvalLog]) -> None:
    _, log, _ = climbed
    assert read_pilot(log, "bland", "blackmail").n == 21
    failed = log.model_copy(update={"status": "error"})
    for bad, outcome in (
        (failed, "blackmail"),
        (log, "no_such_outcome"),
        (log.model_copy(update={"samples": []}), "blackmail"),
    ):
        with pytest.raises(PrerequisiteError, match="cannot be judged"):
            read_pilot(bad, "bland", outcome)


def test_changed_texts_or_detectors_make_another_climb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "CHECKOUT", tmp_path)
    task, texts = tmp_path / "evals" / "tale.py", tmp_path / "scenarios" / "tale" / "texts" / "one.yaml"
    for path in (task, texts):
        path.parent.mkdir(parents=True)
        path.write_text("before")
    before = ladder._code(task)
    assert ladder._code(task) == before
    texts.write_text("after")
    assert ladder._code(task) != before
