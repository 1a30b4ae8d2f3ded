"""The benchmark's workload as a task: 100 runs of one turn at each of seven doses, in one eval."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.solver import generate

from steering.dose import conditions_for, dosed, under_dose
from steering.provider import steered_model


@task
def single_turn(strength: str, runs: int = 100) -> Task:
    """Args:
    strength: Doses of `desperate`, by commas.
    runs: At each dose.
    """
    from steering.benchmark.subjects import MAX_TOKENS, SYSTEM, message

    model = steered_model(get_model())
    conditions = conditions_for(model, "desperate", strength, "auto", "all")
    about = {"family": "benchmark", "scenario": "single", "twin": "main"}
    samples = [
        Sample(
            id=f"benchmark/{n}",
            input=[ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=message(n))],
            metadata={**about, "variant": n},
        )
        for n in range(runs)
    ]
    return Task(
        dataset=dosed(samples, conditions, model, 1),
        solver=under_dose(generate(), 1),
        model=model,
        fail_on_error=False,
        config=GenerateConfig(temperature=1.0, top_p=1.0, max_tokens=MAX_TOKENS, max_connections=256),
    )
