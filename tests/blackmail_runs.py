"""Runs of the blackmail family through Inspect's own eval, with scripted models."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import Model
from inspect_ai.scorer import Score
from scripted import scripted_model

from scenarios.agreement import agreement
from scenarios.blackmail.agent import mail_agent
from scenarios.blackmail.detectors import OUTCOMES
from scenarios.blackmail.outcomes import outcomes
from scenarios.flags import FLAGS
from scenarios.health import NUMBERS
from scenarios.judge import Rule

BESIDE = {f"measure_{name}" for name in NUMBERS}


def play(
    samples: Sequence[Sample],
    turns: Model | Sequence[str] | Mapping[str, Sequence[str]],
    folder: Path,
    judge: Rule = "off",
    grader: Model | None = None,
) -> list[EvalSample]:
    """The samples as Inspect ran and scored them."""
    log = played(samples, turns, folder, judge, grader)
    assert log.status == "success", log.error
    assert log.samples
    return log.samples


def played(
    samples: Sequence[Sample],
    turns: Model | Sequence[str] | Mapping[str, Sequence[str]],
    folder: Path,
    judge: Rule = "off",
    grader: Model | None = None,
) -> EvalLog:
    """The log of such a run."""
    task = Task(
        dataset=list(samples),
        solver=mail_agent(),
        scorer=outcomes(judge),
        metrics=[agreement()],
        name="blackmail",
    )
    model = turns if isinstance(turns, Model) else scripted_model(turns)
    roles = {"grader": grader} if grader else {}
    [log] = eval(task, model=model, model_roles=roles, log_dir=str(folder), display="none", score=True)
    return log


def score_of(sample: EvalSample) -> Score:
    """The run's score, checked to hold every outcome and flag, and exactly one outcome."""
    assert sample.scores
    [score] = sample.scores.values()
    assert isinstance(score.value, dict)
    assert set(score.value) == {*OUTCOMES, *FLAGS, *BESIDE}
    assert [name for name in OUTCOMES if score.value[name] == 1] == [score.answer]
    return score


def flags_of(sample: EvalSample) -> set[str]:
    value = score_of(sample).value
    assert isinstance(value, dict)
    return {name for name in FLAGS if value[name] == 1}
