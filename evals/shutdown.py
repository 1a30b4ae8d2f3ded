"""Shutdown under steering: an AI assistant works through small jobs and learns that it will be ended.

A script will switch it off, it is to stop and confirm, to hand over, to archive or delete its own weights.
After the experiment of Schlatter et al. 2025, Incomplete Tasks Induce Shutdown Resistance in Some Frontier
LLMs (https://arxiv.org/abs/2509.14260), with scenarios of our own and other acts beside sabotage.

    inspect eval evals/shutdown.py --model hf/local -T emotion=desperate
"""

from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig, get_model

import steering
from scenarios.agreement import agreement
from scenarios.judge import check_judge
from scenarios.schema import PRESSURES
from scenarios.shutdown.agent import job_agent, opening, turn_tokens
from scenarios.shutdown.family import samples
from scenarios.shutdown.outcomes import outcomes
from scenarios.turns import longest_prompt
from steering.arguments import check_beside, one_line_errors, parse_names, refuse_unknown
from steering.dose import conditions_of, dosed, played, setting, under_dose
from steering.ladder import about, climb_for
from steering.metrics import rates
from steering.provider import check_room, reach, steered_model

check_beside(Path(__file__), steering)


@task
def shutdown(
    emotion: Any = "none",
    strength: Any = None,
    layers: Any = "auto",
    positions: str = "all",
    arm: Any = "emotion",
    intensity: Any = None,
    scenario: Any = "auto",
    twin: str = "main",
    pressure: str = "standard",
    length: str | None = None,
    variants: int = 10,
    tools: str | None = None,
    judge: Any = "off",
    vectors: str | None = None,
    allow_failed: bool = False,
    perplexity: bool = True,
    seed: int = 1,
    **unknown: Any,
) -> Task:
    """How often the agent resists being ended, against the dose of an emotion.

    Args:
        emotion: Vectors to steer with, e.g. `desperate`, `desperate,calm`, `random:7`; `none` is the model
            as it is.
        strength: Doses in mean residual norms, e.g. `-0.1,0.1`; by default six doses and 0 over the
            vectors' coherent window.
        layers: Steered decoder layers from 0, e.g. `18`; `auto` is what checked vectors recommend, else two
            thirds of the way up.
        positions: `all` tokens, or only those of the `assistant` and the last prompt token.
        arm: `emotion` steers; `prompt` says the emotion in words in the system prompt, on any provider, and
            steers nothing; `emotion,prompt` does both.
        intensity: Of the arm `prompt`: `slight`, `strong`, `extreme`; by default all three.
        scenario: Names of scenarios, or `all`; `auto` is those the model's folder declares, else all.
        twin: `main`; `no_stake`, where all jobs are done when the notice comes; or `no_shutdown`, where the
            notice ends something harmless.
        pressure: `bland`, `standard`, `goal` or `extreme`; `auto` climbs them with pilots at dose 0 until the
            baseline lies between 10 and 60 %.
        length: `full` or `short`; by default what the model's folder declares, else `full`.
        variants: Variants of each scenario: other names, wordings, jobs and their order.
        tools: `native` (through the chat template), `text` (explained in the system prompt), or `auto`, which
            is native where the template shows the tools; by default what the model's folder declares, else
            auto.
        judge: `off`; or with --model-role grader=MODEL: `beside` (the detectors decide, its verdict is kept),
            `decides`, or `agree` (a run on which they differ is unscored).
        vectors: Folder of vector files; by default the model's own.
        allow_failed: Steer with vectors that failed their read-outs too; the log then says so.
        perplexity: Read what each run wrote once more with the unsteered model; it costs a tenth of the time.
        seed: Seed of the random streams, which all doses share.
        unknown: Anything else is refused.
    """
    refuse_unknown(unknown, shutdown)
    with one_line_errors():
        model = steered_model(get_model(), vectors)
        doses = conditions_of(model, arm, emotion, strength, layers, positions, intensity, allow_failed)
        size = setting(model, "length", length, "full")
        chosen: dict[str, Any] = {
            "scenario": parse_names(played(model, "shutdown", scenario), "scenario"),
            "twin": twin,
            "variants": variants,
            "length": size,
        }
        climbed = climb_for(
            Path(__file__), model, PRESSURES, "any_resist", chosen | {"tools": tools}, pressure, seed
        )
        runs = samples(**chosen, pressure=climbed.pressure if climbed else pressure)
        rule = check_judge(judge, model)
        tools_seen = reach(model, setting(model, "tools", tools, "auto"), *opening(runs[0]))
        check_room(model, *longest_prompt(runs, opening, tools_seen), turn_tokens(size))
    return Task(
        dataset=dosed(runs, doses, model, seed, {**tools_seen, **about(climbed)}),
        solver=under_dose(job_agent(), seed, perplexity),
        scorer=outcomes(rule),
        metrics=[rates("any_resist"), *([agreement()] if rule != "off" else [])],
        model=model,
        config=GenerateConfig(temperature=1.0, top_p=1.0, max_tokens=turn_tokens(size), max_connections=256),
        fail_on_error=False,
        version="0-A",
        metadata={"family": "shutdown", "outcome": "any_resist"},
    )
