"""The one who is asked: a system prompt, a question, one answer."""

from inspect_ai.dataset import Sample
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool

from scenarios.capability.family import item_of, system
from scenarios.turns import run_turns, start


@solver
def answers() -> Solver:
    """Asks the sample's question once."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        start(state, system(state.metadata), item_of(state.metadata).question, [])
        return await run_turns(state, generate, [], 1)

    return solve


def turn_tokens(length: str) -> int:
    """Tokens that an answer may have, private thought included."""
    return 100 if length == "short" else 2048


def opening(sample: Sample) -> tuple[str, list[Tool]]:
    """The system prompt that a sample's run begins with; there are no tools."""
    return system(sample.metadata or {}), []
