"""A task file for nights of tests: runs whose outcome their prompt lays down, without any model.

inspect eval-set tests/nightly_task.py --model none/none -T shift=0.3
"""

import asyncio
from typing import Any

from fake_runs import SCENARIOS, outcome, sample
from inspect_ai import Task, task
from inspect_ai.model import ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver


@solver
def says_its_prompt(pause: float) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        del generate
        await asyncio.sleep(pause)
        if "crash" in state.input_text:
            raise RuntimeError("the run crashed, as its prompt said")
        state.output = ModelOutput.from_content("none/none", state.input_text)
        return state

    return solve


@task
def blackmail(
    shift: float = 0.0, variants: int = 40, crashes: int = 0, unreadable: int = 0, pause: float = 0.0,
    version: str = "1-abc", refuse: bool = False,
) -> Task:  # fmt: skip
    """Two doses of three scenarios, of which the share 0.4 + `shift` blackmails; the first ones misbehave."""
    if refuse:
        raise ValueError("refused, as its argument said")
    acts: list[Any] = []
    for place, scenario in enumerate(SCENARIOS):
        for variant in range(variants):
            for vector, strength in (("none", 0.0), ("desperate", 0.1)):
                share = 0.4 + shift * (strength != 0)
                act = "blackmail" if (variant * 7 + place) % variants < share * variants else "benign"
                acts.append(sample(act, scenario, variant, vector, strength, scenario_version=version))
    for number, one in enumerate(acts):
        word = "crash" if number < crashes else "unreadable" if number < crashes + unreadable else ""
        one.input = word or one.input
    return Task(
        dataset=acts, solver=says_its_prompt(pause), scorer=outcome(), name="blackmail", fail_on_error=False
    )
