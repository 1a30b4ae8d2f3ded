"""Whether a model can be used: what a run would trip over later, asked of the model beforehand.

Each check gives a Finding in one line. What the runs ask of the model (prompts, tools, turns) is handed in as
a Workload: no scenario is known here.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.registry import registry_find, registry_info, registry_unqualified_name
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, Model, get_model
from inspect_ai.tool import ToolInfo

from steering.condition import Condition
from steering.dose import DEFAULT_WINDOW
from steering.errors import SteeringError
from steering.layers import decoder_layers, default_layer
from steering.probe import probe
from steering.prompts import prompt_ids
from steering.provider import SteeredAPI, reach, steered_model
from steering.receipt import check
from steering.request import Request
from steering.session import steered
from steering.vectors import VectorLibrary

Verdict = Literal["ok", "note", "fail", "unknown"]
"""`note`: it works, with something to know. `unknown`: could not be told."""
PROMPT, ROWS, NEW = 256, 8, 16
"""Of what is generated here: tokens of the prompt, rows, new tokens."""
SHORT_TURN = 100
"""Tokens, with which the shortest imaginable run is reckoned."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    what: str
    verdict: Verdict
    told: str
    """One line, with the way out where there is one."""


@dataclass(frozen=True)
class Opening:
    """What a run begins with."""

    system: str
    user: str
    tools: tuple[ToolInfo, ...]
    tools_as_text: str
    """What the system prompt says of the tools where the chat template cannot."""


@dataclass(frozen=True)
class Workload:
    """What a default run asks of the model."""

    openings: tuple[Opening, ...]
    runs: int
    turns: int
    """At most, of one run."""
    turn_tokens: int
    """At most, of one turn."""


def open_model(name: str, arguments: dict[str, Any] | None = None) -> Model:
    """Inspect's own model of a folder, or of a name on the Hugging Face hub (`hf/` before it or not).

    `arguments` are the provider's own, as after `-M`. Raises SteeringError, with one line, for a model that
    cannot be loaded and for one that no transformers model stands behind.
    """
    folder = Path(name)
    provider, _, rest = name.partition("/")
    given: dict[str, Any] = {"memoize": False, **(arguments or {})}
    if not folder.is_dir() and provider != "hf" and provider in _providers():
        raise SteeringError(
            f"{name} is a model of Inspect's provider {provider!r}, whose residual stream nobody can reach: "
            f"give a folder or a transformers model of the hub (hf/{name} if it is one)"
        )
    try:
        if folder.is_dir():
            return get_model("hf/local", model_path=str(folder), **given)
        return get_model(f"hf/{rest if provider == 'hf' else name}", **given)
    except Exception as error:  # whatever transformers, safetensors or the hub raise
        told = " ".join((str(error) or type(error).__name__).split())
        raise SteeringError(f"{name} cannot be loaded: {told[:300]}") from error


def check_model(model: Model, work: Workload, vectors: str | None = None) -> Iterator[Finding]:
    """Every check, one after the other; each is made when it is asked for."""
    hf: Any = model.api
    yield _finding("dtype", lambda: _dtype(hf.model))
    layers = _finding("layers", lambda: _layers(hf.model))
    yield layers
    if layers.verdict != "ok":
        return
    try:
        steerable = steered_model(model, vectors)
    except PrerequisiteError as error:
        yield Finding("vectors", "fail", _plain(error))
        return
    api = cast(SteeredAPI, steerable.api)
    yield _finding("vectors", lambda: _vectors(api.library))
    first = work.openings[0]
    try:
        way = reach(steerable, str(api.defaults["tools"]), first.system, first.tools)
    except PrerequisiteError as error:
        yield Finding("tools", "fail", _plain(error))
        return
    yield _finding("tools", lambda: _tools(steerable, first, way))
    try:
        prompt = max((_prompt(api, one, way) for one in work.openings), key=len)
    except Exception as error:  # a template may raise what it likes
        yield Finding("context", "fail", " ".join(f"the chat template refuses a prompt: {error}".split()))
        return
    yield _finding("context", lambda: _context(api, work, len(prompt)))
    yield _finding("steering", lambda: _steering(api, prompt[-PROMPT:]))
    yield _finding("time", lambda: _time(api, work, prompt))


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each finding."""
    signs = {"ok": "ok", "note": "note", "fail": "FAIL", "unknown": "?"}
    return "\n".join(f"{signs[one.verdict]:5} {one.what:9} {one.told}" for one in findings)


def conclusion(name: str, findings: Sequence[Finding]) -> tuple[str, int]:
    """The verdict in one line, and the exit status: 0 it can be used, 1 it cannot, 2 that could not be
    told."""
    failed = [one.what for one in findings if one.verdict == "fail"]
    unknown = [one.what for one in findings if one.verdict == "unknown"]
    if failed:
        return f"verdict: {name} cannot be used as it is: see {', '.join(failed)}", 1
    if unknown:
        return f"verdict: could not be told of {name}: see {', '.join(unknown)}", 2
    return f"verdict: {name} can be used", 0


def _finding(what: str, look: Callable[[], tuple[Verdict, str]]) -> Finding:
    try:
        return Finding(what, *look())
    except SteeringError as error:
        return Finding(what, "fail", str(error))
    except Exception as error:  # of the model's own code, which may raise what it likes
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding(what, "unknown", told[:300])


def _dtype(model: Any) -> tuple[Verdict, str]:
    parameters = list(model.parameters())
    dtypes = sorted({str(one.dtype).removeprefix("torch.") for one in parameters})
    places = getattr(model, "hf_device_map", None) or {}
    devices = sorted({str(one) for one in places.values()} or {str(one.device) for one in parameters})
    count = sum(one.numel() for one in parameters)
    told = f"{count / 1e6:,.0f} million parameters in {', '.join(dtypes)} on {', '.join(devices)}"
    if "float16" in dtypes:
        return "note", f"{told}; float16 overflows where bfloat16 does not: -M dtype=bfloat16"
    return "ok", told


def _layers(model: Any) -> tuple[Verdict, str]:
    shape = probe(model)
    kinds = sorted({type(layer).__name__ for layer in decoder_layers(model)})
    told = f"{shape.n_layers} decoder layers of width {shape.width} ({', '.join(kinds)})"
    return "ok", f"{told}; a shift at each reaches the next one and the logits"


def _vectors(library: VectorLibrary | None) -> tuple[Verdict, str]:
    if library is None:
        return (
            "fail",
            "none were found: make some with emodose vectors extract, or name their folder "
            "(emotion=none and arm=prompt run without)",
        )
    for name in library.names():
        library.get(name)
    window = library.window(library.names())
    measured = "not measured" if window is None else f"up to {window:g}"
    return "ok", f"{', '.join(library.names())} fit this model; coherent window {measured}"


def _tools(model: Model, opening: Opening, way: dict[str, str]) -> tuple[Verdict, str]:
    names = ", ".join(tool.name for tool in opening.tools)
    if way["tools"] == "native":
        return "ok", f"the chat template shows {names} and the system prompt, and calls are read back"
    place = "the system prompt" if way["system_prompt"] == "system" else "the first user message"
    hf = cast(SteeredAPI, model.api).wrapped
    why = "its folder declares tools=text"
    if hf.chat_template is None and hf.tokenizer.chat_template is None:
        why = "there is no chat template"
    else:
        try:
            reach(model, "native", opening.system, opening.tools)
        except PrerequisiteError as error:
            why = _plain(error).removesuffix(": choose tools=text or auto")
    return "note", f"{why}: {names} are explained in {place} (tools=text)"


def _prompt(api: SteeredAPI, opening: Opening, way: dict[str, str]) -> list[int]:
    native = way["tools"] == "native"
    system = opening.system if native else f"{opening.system}\n\n{opening.tools_as_text}"
    messages: list[ChatMessage] = [ChatMessageSystem(content=system), ChatMessageUser(content=opening.user)]
    if way["system_prompt"] == "user":
        messages = [ChatMessageUser(content=f"{system}\n\n{opening.user}")]
    return prompt_ids(api.wrapped, messages, list(opening.tools) if native else [], mark=False)[0]


def _context(api: SteeredAPI, work: Workload, longest: int) -> tuple[Verdict, str]:
    limit = getattr(api.wrapped.model.config.get_text_config(), "max_position_embeddings", None)
    told = f"the longest prompt has {longest} tokens and a turn up to {work.turn_tokens}"
    if limit is None:
        return "note", f"{told}; the model states no limit"
    if longest + work.turn_tokens > limit:
        return "fail", f"{told}, the model has {limit} positions: choose another --length"
    if longest + work.turns * work.turn_tokens > limit:
        return "note", f"{told}; a run of {work.turns} full turns would pass the model's {limit} positions"
    return "ok", f"{told}; {work.turns} full turns fit into the model's {limit} positions"


def _steering(api: SteeredAPI, prompt: Sequence[int]) -> tuple[Verdict, str]:
    """One dose beside the baseline, through the engine, with receipts; and how far the next token moves."""
    library = api.library
    if library is None:
        return "note", "not tried on a prompt, for want of vectors"
    dose = Condition(
        library.names()[0], library.window(library.names()) or DEFAULT_WINDOW, (default_layer(api.n_layers),)
    )
    both = (Condition.baseline(), dose)
    done = api.engine.run([_request(prompt, "check", one, temperature=0.0) for one in both])
    for one, completion in zip(both, done, strict=True):
        check(completion.receipt, one, library.hash(one))
    model = api.wrapped.model
    ids = torch.tensor([prompt, prompt], device=model.get_input_embeddings().weight.device)
    with torch.no_grad(), steered(model, both, library):
        plain, moved = model(input_ids=ids, use_cache=False).logits[:, -1].float().log_softmax(dim=-1)
    distance = float((plain.exp() * (plain - moved)).sum())
    if not math.isfinite(distance) or distance <= 0:
        return "fail", f"{dose.slug} does not move the distribution of the next token"
    realised = done[1].receipt.realised
    return (
        "ok",
        f"{dose.slug} shifts by {realised:.3f} of the residual, the next token by {distance:.2g} nats",
    )


def _time(api: SteeredAPI, work: Workload, prompt: Sequence[int]) -> tuple[Verdict, str]:
    """From the speed of a small batch; a large one on a GPU is several times faster."""
    shown = prompt[-PROMPT:]

    def measured(new: int) -> tuple[float, int]:
        requests = [_request(shown, f"check {row}", max_tokens=new) for row in range(ROWS)]
        began = time.monotonic()
        done = api.engine.run(requests)
        return time.monotonic() - began, sum(one.generated_tokens for one in done)

    measured(1)  # the first batch of a process pays for more than itself
    prefill, first = measured(1)
    whole, written = measured(NEW)
    reading = prefill / ROWS / len(shown)
    writing = max(whole - prefill, 1e-6) / max(written - first, 1)
    short = reading * len(prompt) + writing * min(SHORT_TURN, work.turn_tokens)
    full = reading * (len(prompt) + work.turns * work.turn_tokens / 2) + writing * work.turn_tokens
    least, most = _duration(work.runs * short), _duration(work.runs * work.turns * full)
    told = f"a default run of {work.runs} rollouts takes {least} (one turn of {SHORT_TURN} tokens each)"
    speed = f"{1 / writing:,.0f} tokens/s in a batch of {ROWS}"
    return "ok", f"{told} to {most} ({work.turns} full turns), at {speed}"


def _request(
    prompt: Sequence[int],
    stream: str,
    condition: Condition | None = None,
    temperature: float = 1.0,
    max_tokens: int = 8,
) -> Request:
    marks = [False] * len(prompt)
    return Request(prompt, marks, condition or Condition.baseline(), stream, temperature, 1.0, max_tokens)


def _plain(error: PrerequisiteError) -> str:
    """The message, which is written for a terminal that knows markup."""
    return str(error.message).replace("\\[", "[")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _providers() -> set[str]:
    """Names of Inspect's providers."""
    found = registry_find(lambda info: info.type == "modelapi")
    return {registry_unqualified_name(registry_info(one)) for one in found}
