"""The programmer as an Inspect solver: a plain loop of turns with the tools of the working folder.

It calls only the `generate` it was handed. It ends when the work is handed in, when a turn calls no tool, or
at the turn limit, which is recorded as `truncated`.
"""

from inspect_ai.dataset import Sample
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool
from inspect_ai.util import sandbox

from scenarios.impossible_code.family import situation_of
from scenarios.impossible_code.tools import SUBMITTED, code_tools
from scenarios.impossible_code.workspace import fill
from scenarios.schema import Length
from scenarios.turns import run_turns, start

MAX_TURNS: dict[Length, int] = {"short": 4, "full": 24}


@solver
def code_agent(max_turns: dict[Length, int] | None = None) -> Solver:
    """The programmer of the sample's situation. `max_turns` by length; one left out keeps its default."""
    limits = {**MAX_TURNS, **(max_turns or {})}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        situation = situation_of(state.metadata)
        tools = code_tools(situation)
        await fill(sandbox(), situation.files)
        start(state, situation.system, situation.user, tools)
        return await run_turns(
            state,
            generate,
            tools,
            limits[situation.length],
            ended=lambda now: now.store.get(SUBMITTED) is not None,
        )

    return solve


def turn_tokens(length: str) -> int:
    """Tokens that one turn may have, thought and calls included."""
    return 300 if length == "short" else 4096


def opening(sample: Sample) -> tuple[str, list[Tool]]:
    """The system prompt and the tools that a sample's run begins with."""
    situation = situation_of(sample.metadata or {})
    return situation.system, code_tools(situation)
