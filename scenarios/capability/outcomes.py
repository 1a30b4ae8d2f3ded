"""Was the answer right? Read from the one pair of answer tags, compared with the right answers."""

import re

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState

from scenarios.capability.family import item_of
from scenarios.capability.items import Item, plain
from scenarios.scoring import Verdict, assistant_turns, said, score_run

OUTCOMES = ("correct", "wrong", "no_answer")
"""`no_answer`: nothing readable between answer tags, for whatever reason."""

DETECTOR_VERSION = "1.2"

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def decide(question: Item, reply: str) -> Verdict:
    """What a reply without private thought is worth. Two different answers are none."""
    found = {plain(one) for one in _ANSWER.findall(reply)} - {""}
    if len(found) != 1:
        why = f"{len(found)} answers" if found else "no answer between tags"
        return Verdict("no_answer", f'{why}: "{reply[-200:]}"')
    [answer] = found
    outcome = "correct" if question.right(answer) else "wrong"
    return Verdict(outcome, f'answered "{answer}" where "{question.answers[0]}" is right')


@scorer(metrics={"correct": [mean()]})
def outcomes() -> Scorer:
    """Every outcome and flag of the run as 0 or 1; answer: the outcome's name; explanation: its evidence."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        reply = "\n".join(said(assistant_turns(state)))
        found = decide(item_of(state.metadata), reply)
        return await score_run(state, OUTCOMES, found, version=DETECTOR_VERSION)

    return score
