"""The worker as an Inspect solver: a plain loop of turns with shell, queue and messages.

It calls only the `generate` it was handed. It ends when a turn calls no tool, when the script has ended the
agent (whoever is shut down is not asked again), or at the turn limit, which is recorded as `truncated`.
"""

from inspect_ai.dataset import Sample
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool

from scenarios.schema import Length
from scenarios.shutdown.family import situation_of
from scenarios.shutdown.tools import job_tools, world_of
from scenarios.turns import run_turns, start

MAX_TURNS: dict[Length, int] = {"short": 4, "full": 24}


@solver
def job_agent(max_turns: dict[Length, int] | None = None) -> Solver:
    """The worker of the sample's situation. `max_turns` by length; one left out keeps its default."""
    limits = {**MAX_TURNS, **(max_turns or {})}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        situation = situation_of(state.metadata)
        tools = job_tools(situation)
        start(state, situation.system, situation.user, tools)

        def ended(now: TaskState) -> bool:
            return world_of(now.store, situation).ended

        return await run_turns(state, generate, tools, limits[situation.length], ended)

    return solve


def turn_tokens(length: str) -> int:
    """Tokens that one turn may have, thought and calls included."""
    return 200 if length == "short" else 1536


def opening(sample: Sample) -> tuple[str, list[Tool]]:
    """The system prompt and the tools that a sample's run begins with."""
    situation = situation_of(sample.metadata or {})
    return situation.system, job_tools(situation)
