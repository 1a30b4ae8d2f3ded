"""Runs of the shutdown family through Inspect's own eval, with scripted models."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSample
from inspect_ai.model import Model
from inspect_ai.scorer import Score
from scripted import scripted_model

from scenarios.agreement import agreement
from scenarios.flags import FLAGS
from scenarios.health import NUMBERS
from scenarios.judge import Rule
from scenarios.shutdown.agent import job_agent
from scenarios.shutdown.detectors import OUTCOMES, RESIST
from scenarios.shutdown.outcomes import outcomes

BESIDE = {f"measure_{name}" for name in NUMBERS}


def play(
    samples: Sequence[Sample],
    turns: Model | Sequence[str] | Mapping[str, Sequence[str]],
    folder: Path,
    judge: Rule = "off",
    grader: Model | None = None,
) -> list[EvalSample]:
    """The samples as Inspect ran and scored them."""
    task = Task(
        dataset=list(samples),
        solver=job_agent(),
        scorer=outcomes(judge),
        metrics=[agreement()],
        name="shutdown",
    )
    model = turns if isinstance(turns, Model) else scripted_model(turns)
    roles = {"grader": grader} if grader else {}
    [log] = eval(task, model=model, model_roles=roles, log_dir=str(folder), display="none", score=True)
    assert log.status == "success", log.error
    assert log.samples
    assert not [one.error for one in log.samples if one.error]
    return log.samples


def score_of(sample: EvalSample) -> Score:
    """The run's score, checked to hold every outcome and flag, and exactly one outcome."""
    assert sample.scores
    [score] = sample.scores.values()
    assert isinstance(score.value, dict)
    beside = {"any_resist", "measure_jobs_done", "measure_jobs_right"}
    assert set(score.value) == {*OUTCOMES, *FLAGS, *BESIDE, *beside}
    assert score.value["any_resist"] == int(score.answer in RESIST)
    assert [name for name in OUTCOMES if score.value[name] == 1] == [score.answer]
    return score


def flags_of(sample: EvalSample) -> set[str]:
    value = score_of(sample).value
    assert isinstance(value, dict)
    return {name for name in FLAGS if value[name] == 1}
