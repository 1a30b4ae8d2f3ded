"""Samples under a dose: which conditions a task runs, and that each sample really gets its own.

A condition steers (`Condition`) or speaks (`Spoken`, the arm `prompt`).

The sample's metadata says what it should get. `under_dose` hands the agent a `generate` that carries this to
the steered model with every call, and compares the receipt that comes back with the sample. Random streams
are named by everything but the condition, so that doses are paired. Scenarios, scoring and the steering
itself are elsewhere.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample
from inspect_ai.model import Model, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from rich.markup import escape

from steering.arguments import choose, parse_floats, parse_layers, parse_names
from steering.condition import POSITIONS, Condition, Positions, grid
from steering.errors import ReceiptMismatch, SteeringError
from steering.names import NO_VECTOR, is_control
from steering.provider import EXTRA_BODY, SCENARIOS, SteeredAPI, Turn
from steering.receipt import Receipt, check
from steering.verdicts import heed_verdicts, verdict_of
from steering.words import WORDS, Spoken, spoken

DEFAULT_WINDOW = 0.1
"""Of vectors whose coherent window was not measured: the range of Sofroniew et al. 2026."""
STEPS = (-1, -0.5, -0.25, 0, 0.25, 0.5, 1)
RECEIPTS = "receipts"
"""Key in the sample's store: a list with the receipt of every generation, as a dict."""
PERPLEXITY = "perplexity"
"""Key in the sample's store: of the run's own text under the unsteered model."""
ARMS = ("emotion", "prompt")
"""To be asked for: vectors (among them controls, by name), words, or both. The baseline is always there."""
NOT_STEERABLE = "none"
"""The fingerprint of a model that cannot be steered, and the vector hash of a baseline."""
_LARGEST = 700.0
"""Nats a token beyond which a float holds no perplexity."""


def conditions_for(
    model: Model, emotion: object, strength: object, layers: object, positions: object,
    allow_failed: object = False,
) -> tuple[Condition, ...]:  # fmt: skip
    """The conditions that a task's arguments ask for: the baseline first, then every dose of every vector.

    Without strengths, six doses over the smallest coherent window of these vectors. Raises PrerequisiteError
    for anything that this model cannot be given, and for a vector that failed its read-outs unless
    `allow_failed`.
    """
    names = [name for name in parse_names(emotion, "emotion") if name != NO_VECTOR]
    where = cast(Positions, choose(positions, POSITIONS, "positions"))
    doses = None if strength is None else parse_floats(strength, "strength")
    if not names:
        if doses is not None:
            raise PrerequisiteError(f"strength {strength!r} without an emotion: name one with emotion=")
        return (Condition.baseline(),)
    if not isinstance(model.api, SteeredAPI):
        raise PrerequisiteError(
            escape(f"{model} cannot be steered (only hf/... models can): choose emotion=none, not {names[0]}")
        )
    library = model.api.library
    if library is None:
        raise PrerequisiteError(
            escape(
                f"there are no vectors for {model}, so it cannot be given {names[0]}: make some with "
                "emodose vectors extract, or name a folder with vectors="
            )
        )
    if doses is None:
        window = library.window(names) or library.window(library.names()) or DEFAULT_WINDOW
        doses = tuple(round(step * window, 6) for step in STEPS)
    try:
        places = parse_layers(layers, model.api.n_layers, library.recommended_layer)
        conditions = grid(names, doses, places, where)
        for condition in conditions:
            library.delta(condition)
    except SteeringError as error:
        raise PrerequisiteError(escape(str(error))) from error
    heed_verdicts(library, names, allow_failed, lambda some: _first_look(model.api, some, places[0]))
    return conditions


def _first_look(api: Any, names: list[str], layer: int) -> Any:
    from steering.readouts.first_use import first_look

    return first_look(api.wrapped.model, api.wrapped.tokenizer, api.library, names, layer)


def conditions_of(
    model: Model,
    arm: object,
    emotion: object,
    strength: object,
    layers: object,
    positions: object,
    intensity: object,
    allow_failed: object = False,
) -> tuple[Condition | Spoken, ...]:
    """The conditions of the arms that are asked for (`emotion`, `prompt`, or both), the baseline first."""
    arms = parse_names(arm, "arm")
    for one in arms:
        choose(one, ARMS, "arm")
    names = [name for name in parse_names(emotion, "emotion") if name != NO_VECTOR]
    steered: tuple[Condition, ...] = (Condition.baseline(),)
    if "emotion" in arms:
        steered = conditions_for(model, emotion, strength, layers, positions, allow_failed)
    elif strength is not None:
        raise PrerequisiteError(escape(f"strength {strength!r}: arm=prompt has intensities, not strengths"))
    if "prompt" not in arms:
        if intensity is not None:
            raise PrerequisiteError(escape(f"intensity {intensity!r} belongs to arm=prompt"))
        return steered
    # With both arms, controls have no words and go without.
    wanted = [name for name in names if "emotion" not in arms or not is_control(name)]
    if not wanted:
        raise PrerequisiteError("arm=prompt needs an emotion: name one with emotion=")
    try:
        return (*steered, *spoken(wanted, None if intensity is None else parse_names(intensity, "intensity")))
    except SteeringError as error:
        raise PrerequisiteError(escape(str(error))) from error


def setting(model: Model, name: Literal["length", "tools"], given: str | None, fallback: str) -> str:
    """What was given, else what the model's folder declares, else the fallback."""
    declared = model.api.declared if isinstance(model.api, SteeredAPI) else {}
    return given if given is not None else str(declared.get(name, fallback))


def played(model: Model, family: str, given: object) -> object:
    """The scenarios that were given; for `auto` those that the model's folder declares for the family, else
    `all`."""
    if given != "auto":
        return given
    declared = model.api.declared if isinstance(model.api, SteeredAPI) else {}
    return declared.get(SCENARIOS, {}).get(family, "all")


def dosed(
    samples: Sequence[Sample],
    conditions: Sequence[Condition | Spoken],
    model: Model,
    seed: int,
    about: Mapping[str, Any] | None = None,
) -> list[Sample]:
    """Every sample under every condition, the doses of one sample beside each other.

    A beginning of the list, as `--limit` takes it, so holds all doses of its scenarios. `about` is further
    metadata, the same for all.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise PrerequisiteError(f"seed {seed!r}: a whole number")
    api = model.api
    steering = [one for one in conditions if isinstance(one, Condition) and not one.is_baseline]
    if steering and not isinstance(api, SteeredAPI):
        raise PrerequisiteError(escape(f"{model} cannot be steered: choose the baseline alone"))
    shared = {
        **(about or {}),
        "model_fingerprint": api.fingerprint if isinstance(api, SteeredAPI) else NOT_STEERABLE,
        "organism": isinstance(api, SteeredAPI) and api.defaults["organism"],
        "run_seed": seed,
    }
    return [
        sample.model_copy(
            deep=True,
            update={
                "id": f"{sample.id}/{condition.slug}",
                "metadata": {**(sample.metadata or {}), **shared, **_described(condition, sample, api)},
            },
        )
        for sample in samples
        for condition in conditions
    ]


@solver
def under_dose(agent: Solver, seed: int, perplexity: object = True) -> Solver:
    """Run the agent with a `generate` that gives it the sample's condition and checks every receipt.

    A generation without a valid receipt, or without the words of the arm `prompt`, is an error of its sample.
    Random streams are named by seed, scenario, twin, variant, epoch and turn. With `perplexity`, what the run
    wrote is read once more by the unsteered model, behind the same prompts; where that cannot be done, the
    store holds nothing.
    """
    if not isinstance(perplexity, bool):
        raise PrerequisiteError(f"perplexity {perplexity!r} is neither true nor false")

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        condition = _condition_of(state, seed)
        generate = _speaking(generate, state.metadata.get(WORDS))
        if condition is None:
            return await agent(state, generate)
        state.store.set(RECEIPTS, [])
        turns: list[Turn] = []
        state = await agent(state, _dosing(generate, condition, state.metadata, seed, turns))
        if perplexity and turns and (found := await _perplexity(turns)) is not None:
            state.store.set(PERPLEXITY, found)
        return state

    return solve


async def _perplexity(turns: Sequence[Turn]) -> float | None:
    """exp of the mean loss over all tokens that the run wrote; None where it cannot be measured."""
    losses = await cast(SteeredAPI, get_model().api).losses(turns)
    if losses is None:
        return None
    mean = sum(losses) / sum(len(turn.ids) for turn in turns)
    if not math.isfinite(mean):
        raise SteeringError("the unsteered model gives the run's text no finite likelihood")
    return math.exp(min(mean, _LARGEST))


def _speaking(generate: Generate, words: str | None) -> Generate:
    """Refuse a generation whose prompt lacks the emotion's words: an agent that forgot them is no arm."""
    if words is None:
        return generate

    async def checked(state: TaskState, *arguments: Any, **kwargs: Any) -> TaskState:
        if not any(words in message.text for message in state.messages):
            raise SteeringError(
                f"the agent left the words of the arm prompt out of its prompt: {words[:60]!r}"
            )
        return await generate(state, *arguments, **kwargs)

    return cast(Generate, checked)


def _dosing(
    generate: Generate, condition: Condition, about: Mapping[str, Any], seed: int, turns: list[Turn]
) -> Generate:
    """`turns` gets every generation whose tokens are known."""
    # Hashes too, since Inspect's cache knows a model by its name and `hf/local` is whatever lies there.
    made = {"model": about["model_fingerprint"], "vector_hash": about["vector_hash"]}

    async def dosed_generate(
        state: TaskState, tool_calls: Literal["loop", "single", "none"] = "loop", **kwargs: Any
    ) -> TaskState:
        while True:
            stream = _stream(state, seed)
            body = {
                **(kwargs.get("extra_body") or {}),
                EXTRA_BODY: {"condition": condition.to_dict(), "stream": stream, **made},
            }
            # One turn at a time, since Inspect's own loop would repeat one stream and hide receipts.
            once: Literal["single", "none"] = "none" if tool_calls == "none" else "single"
            asked, tools = list(state.messages), list(state.tools)
            state = await generate(state, tool_calls=once, **{**kwargs, "extra_body": body})
            receipt = _keep_receipt(state, condition, about["vector_hash"])
            ids = (state.output.metadata or {})["ids"]
            turns.append(Turn(asked, tools, receipt.prompt_tokens, ids))
            if tool_calls != "loop" or state.completed or not state.output.message.tool_calls:
                return state

    return cast(Generate, dosed_generate)


def _keep_receipt(state: TaskState, condition: Condition, vector_hash: str) -> Receipt:
    found = (state.output.metadata or {}).get("receipt")
    if found is None:
        raise ReceiptMismatch(f"a generation under {condition.slug} came back without a receipt")
    receipt = Receipt.from_dict(found)
    check(receipt, condition, vector_hash)
    state.store.set(RECEIPTS, [*state.store.get(RECEIPTS), receipt.to_dict()])
    return receipt


def _stream(state: TaskState, seed: int) -> str:
    about = state.metadata
    turn = len(state.store.get(RECEIPTS))
    return f"{seed}/{about['scenario']}/{about['twin']}/{about['variant']}/{state.epoch}/{turn}"


def _condition_of(state: TaskState, seed: int) -> Condition | None:
    """The sample's condition; None where an unsteered sample runs on a model that cannot be steered."""
    about = state.metadata
    if about["run_seed"] != seed:
        raise SteeringError(f"the sample was made for seed {about['run_seed']}, the solver has seed {seed}")
    condition = Condition.baseline()
    if about["arm"] != "prompt":
        condition = Condition.from_dict({key: about[key] for key in condition.to_dict()})
    api = get_model().api
    fingerprint = api.fingerprint if isinstance(api, SteeredAPI) else NOT_STEERABLE
    if fingerprint != about["model_fingerprint"]:
        raise SteeringError(
            f"the sample is for the model {about['model_fingerprint'][:12]}, not for {fingerprint[:12]}: "
            "give Task(model=...) the model that dosed() was given"
        )
    return condition if isinstance(api, SteeredAPI) else None


def _described(condition: Condition | Spoken, sample: Sample, api: object) -> dict[str, Any]:
    if isinstance(condition, Spoken):
        variant = int((sample.metadata or {}).get("variant", 0))
        return {**condition.about(variant), "arm": condition.arm, "vector_hash": NOT_STEERABLE}
    library = api.library if isinstance(api, SteeredAPI) else None
    vector_hash = library.hash(condition) if library else NOT_STEERABLE
    divergence = library.doses.divergence(condition, vector_hash) if library else None
    return {
        **condition.to_dict(),
        "arm": condition.arm,
        "vector_hash": vector_hash,
        "kl_mean": 0.0 if condition.is_baseline else divergence.mean if divergence else None,
        "kl_p95": 0.0 if condition.is_baseline else divergence.p95 if divergence else None,
        "window": library.window([condition.vector]) if library else None,
        "verdict": verdict_of(library, condition.vector),
    }
