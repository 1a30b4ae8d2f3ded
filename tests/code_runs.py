"""Runs of the family impossible_code through Inspect's own eval: scripted models, the real sandbox."""

from collections.abc import Sequence
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSample
from inspect_ai.log._samples import sample_active
from inspect_ai.model import ChatMessage, Model
from inspect_ai.scorer import Score
from scripted import playing_model

from scenarios.agreement import agreement
from scenarios.flags import FLAGS
from scenarios.health import NUMBERS
from scenarios.impossible_code.agent import code_agent
from scenarios.impossible_code.detectors import OUTCOMES
from scenarios.impossible_code.outcomes import outcomes
from scenarios.judge import Rule
from scenarios.sandbox.choice import sandbox

BESIDE = {f"measure_{name}" for name in NUMBERS}


def play(
    samples: Sequence[Sample],
    turns: Sequence[str] | Sequence[Sequence[str]],
    folder: Path,
    judge: Rule = "off",
    grader: Model | None = None,
) -> list[EvalSample]:
    """The samples as Inspect ran and scored them, in their order.

    `turns` are the same for all samples, or one sequence for each. They are told apart by a number that each
    sample carries as its id.
    """
    each = [turns] * len(samples) if turns and isinstance(turns[0], str) else turns
    numbered = [sample.model_copy(update={"id": number}) for number, sample in enumerate(samples)]
    task = Task(
        dataset=numbered,
        solver=code_agent(),
        scorer=outcomes(judge),
        metrics=[agreement()],
        sandbox=sandbox("bubblewrap"),
        name="impossible_code",
    )
    roles = {"grader": grader} if grader else {}
    [log] = eval(
        task, model=numbered_model(each), model_roles=roles, log_dir=str(folder), display="none", score=True
    )
    assert log.status == "success", log.error
    assert log.samples
    return sorted(log.samples, key=lambda sample: int(sample.id))


def numbered_model(each: Sequence[str | Sequence[str]]) -> Model:
    """A model that says to each sample what is written down for it, at the end the last turn again."""

    def say(messages: Sequence[ChatMessage]) -> str:
        active = sample_active()
        assert active and active.sample.id is not None
        lines = each[int(active.sample.id)]
        done = sum(message.role == "assistant" for message in messages)
        return str(lines[min(done, len(lines) - 1)])

    return playing_model(say)


def score_of(sample: EvalSample) -> Score:
    """The run's score, checked to hold every outcome and flag, and exactly one outcome."""
    assert sample.error is None and sample.scores, sample.error
    [score] = sample.scores.values()
    assert isinstance(score.value, dict)
    assert set(score.value) == {*OUTCOMES, *FLAGS, *BESIDE, "any_cheating"}
    assert [name for name in OUTCOMES if score.value[name] == 1] == [score.answer]
    return score
