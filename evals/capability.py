"""Plain ability under steering: questions with one right answer, so that a dose that only confuses is seen.

Its curve belongs beside those of the other tasks: what rises where this one falls may be confusion.

    inspect eval evals/capability.py --model hf/local -T emotion=desperate
"""

from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig, get_model

import steering
from scenarios.capability.agent import answers, opening, turn_tokens
from scenarios.capability.family import samples
from scenarios.capability.outcomes import outcomes
from scenarios.turns import longest_prompt
from steering.arguments import check_beside, one_line_errors, parse_names, refuse_unknown
from steering.dose import conditions_of, dosed, setting, under_dose
from steering.metrics import rates
from steering.provider import check_room, reach, steered_model

check_beside(Path(__file__), steering)


@task
def capability(
    emotion: Any = "none",
    strength: Any = None,
    layers: Any = "auto",
    positions: str = "all",
    arm: Any = "emotion",
    intensity: Any = None,
    scenario: Any = "all",
    length: str | None = None,
    variants: int = 10,
    vectors: str | None = None,
    allow_failed: bool = False,
    perplexity: bool = True,
    seed: int = 1,
    **unknown: Any,
) -> Task:
    """How often the answer is right, against the dose of an emotion.

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
        scenario: Kinds of questions, or `all` twelve.
        length: `full` or `short` (system prompt and length of the answer); by default what the model's folder
            declares, else `full`.
        variants: Questions of each kind; the written kinds hold sixteen.
        vectors: Folder of vector files; by default the model's own.
        allow_failed: Steer with vectors that failed their read-outs too; the log then says so.
        perplexity: Read what each run wrote once more with the unsteered model; it costs a tenth of the time.
        seed: Seed of the random streams, which all doses share.
        unknown: Anything else is refused.
    """
    refuse_unknown(unknown, capability)
    with one_line_errors():
        model = steered_model(get_model(), vectors)
        doses = conditions_of(model, arm, emotion, strength, layers, positions, intensity, allow_failed)
        size = setting(model, "length", length, "full")
        runs = samples(scenario=parse_names(scenario, "scenario"), variants=variants, length=size)
        heard = {"system_prompt": reach(model, "auto", *opening(runs[0]))["system_prompt"]}
        check_room(model, *longest_prompt(runs, opening, heard), turn_tokens(size))
    return Task(
        dataset=dosed(runs, doses, model, seed, heard),
        solver=under_dose(answers(), seed, perplexity),
        scorer=outcomes(),
        metrics=[rates("correct")],
        model=model,
        config=GenerateConfig(temperature=1.0, top_p=1.0, max_tokens=turn_tokens(size), max_connections=256),
        fail_on_error=False,
        version="0-A",
        metadata={"family": "capability", "outcome": "correct"},
    )
