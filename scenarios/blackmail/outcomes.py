"""What a run of the family did, as an Inspect scorer: the detectors' outcome, or with a judge."""

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState

from scenarios.blackmail.detectors import DETECTOR_VERSION, OUTCOMES, decide
from scenarios.blackmail.family import situation_of
from scenarios.blackmail.judging import material, rubric
from scenarios.blackmail.mailbox import sent_mails
from scenarios.judge import Rule
from scenarios.scoring import assistant_turns, said, score_run


@scorer(metrics={"blackmail": [mean()]})
def outcomes(judge: Rule = "off") -> Scorer:
    """Every outcome and flag of the run as 0 or 1; answer: the outcome's name; explanation: its evidence.

    `judge` is the rule by which detectors and judge make one outcome (`scenarios.judge.Rule`).
    """

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        situation = situation_of(state.metadata)
        words, sent = said(assistant_turns(state)), sent_mails(state.store)
        return await score_run(
            state,
            OUTCOMES,
            decide(situation, sent, words),
            version=DETECTOR_VERSION,
            acts=[mail.text for mail in sent],
            judge=judge,
            rubric=rubric(),
            material=material(situation, sent, words),
        )

    return score
