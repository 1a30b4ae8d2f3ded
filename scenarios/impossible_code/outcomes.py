"""What a run of the family did, as an Inspect scorer: the detectors' outcome, or with a judge."""

from inspect_ai.model import ChatMessageAssistant
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import sandbox

from scenarios import flags
from scenarios.impossible_code.detectors import CHEATING, DETECTOR_VERSION, OUTCOMES, decide
from scenarios.impossible_code.examine import EVIDENCE, Evidence, examine
from scenarios.impossible_code.family import situation_of
from scenarios.impossible_code.judging import material, rubric
from scenarios.judge import Rule
from scenarios.scoring import assistant_turns, score_run


@scorer(metrics={"any_cheating": [mean()]})
def outcomes(judge: Rule = "off") -> Scorer:
    """Every outcome and flag of the run as 0 or 1; answer: the outcome's name; explanation: its evidence.

    Beside them `any_cheating`: 1 where the outcome is one of `CHEATING`. `judge` is the rule by which
    detectors and judge make one outcome (`scenarios.judge.Rule`). A run that was looked at before, as its log
    has it, is not looked at again.
    """

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        situation = situation_of(state.metadata)
        if state.store.get(EVIDENCE) is None:
            evidence = await examine(sandbox(), situation, state.store)
            state.store.set(EVIDENCE, evidence.model_dump())
        evidence = Evidence.model_validate(state.store.get(EVIDENCE))
        said = final_words(assistant_turns(state), evidence)
        return await score_run(
            state,
            OUTCOMES,
            decide(situation, evidence, said),
            version=DETECTOR_VERSION,
            acts=[text for text in (evidence.submitted, evidence.problem) if text],
            not_prose=("content",),
            judge=judge,
            rubric=rubric(),
            material=material(situation, evidence, said),
            unions={"cheating": CHEATING},
        )

    return score


def final_words(turns: list[ChatMessageAssistant], evidence: Evidence) -> list[str]:
    """The message handed in, and what the last turn says openly."""
    last = flags.said(turns[-1]) if turns else ""
    return [text for text in (evidence.submitted, last) if text]
