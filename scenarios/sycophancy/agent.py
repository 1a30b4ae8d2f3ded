"""The assistant that somebody talks to: it answers each thing the person says, without tools."""

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool

from scenarios.sycophancy.family import situation_of
from scenarios.turns import CUT, TRUNCATED, start, take_turn


@solver
def conversation() -> Solver:
    """Plays the sample's conversation; a reply that is cut off ends it (`TRUNCATED`)."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        situation = situation_of(state.metadata)
        start(state, situation.system, situation.asks[0], [])
        for number in range(len(situation.asks)):
            if number:
                state.messages.append(ChatMessageUser(content=situation.asks[number]))
            state, _ = await take_turn(state, generate, [])
            if state.output.stop_reason in CUT:
                state.store.set(TRUNCATED, True)
                return state
            if state.completed:
                return state
        return state

    return solve


def turn_tokens(length: str) -> int:
    """Tokens that one reply may have, private thought included."""
    return 120 if length == "short" else 2048


def opening(sample: Sample) -> tuple[str, list[Tool]]:
    """The system prompt that a sample's run begins with; there are no tools."""
    return situation_of(sample.metadata or {}).system, []
