"""The steered model as Inspect sees it: its `hf` provider, with the generation done by our engine.

`steered_model` adopts the model and tokenizer that Inspect loaded. Prompts are rendered by the wrapped
provider and replies parsed by Inspect's own handler, so that strength 0 is the model without emodose. The
condition of a call is in `extra_body`, where it is logged and part of Inspect's cache key; a call without one
is refused, since nobody could tell afterwards how it was steered. Which condition a sample has is not decided
here.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import yaml
from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.registry import registry_info, registry_unqualified_name, set_registry_info
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelInfo,
    ModelOutput,
    ModelUsage,
    set_model_info,
)
from inspect_ai.model._model import collapse_consecutive_messages_for_api
from inspect_ai.tool import Tool, ToolChoice, ToolDef, ToolInfo
from rich.markup import escape

from steering.arguments import choose
from steering.condition import Condition
from steering.errors import SteeringError
from steering.logprobs import as_logprobs
from steering.prompts import prompt_ids, unseen
from steering.replies import misread, parse_reply
from steering.request import Completion, Passage, Reading, Request

if TYPE_CHECKING:  # torch is imported when there is a model to steer
    from steering.vectors import VectorLibrary

CHECKOUT = Path(__file__).parent.parent
EXTRA_BODY = "emodose"
DEFAULTS = {"length": "full", "tools": "auto", "organism": False}
TOOLS = ("native", "text", "auto")
DECLARABLE = {"length": ("short", "full"), "tools": TOOLS, "organism": (True, False)}
SCENARIOS = "scenarios"
"""Key by which a folder declares, family by family, the scenarios that its model was made for; the family
knows whether they exist."""

# Settings that would change what the model writes and that the engine does not know.
_UNKNOWN_SETTINGS = (
    *("best_of", "frequency_penalty", "presence_penalty", "logit_bias", "seed", "top_k", "num_choices"),
    *("prompt_logprobs", "response_schema", "modalities"),
)


class Turn(NamedTuple):
    """A generation as its run's solver knows it."""

    messages: Sequence[ChatMessage]
    tools: Sequence[Tool | ToolInfo]
    prompt_tokens: int
    ids: Sequence[int]
    """What was written."""


def steered_model(model: Model, vectors: str | None = None) -> Model:
    """The model, steerable, if Inspect's `hf` provider runs it; else the model as it is.

    `vectors` is a folder of vector files; without it they are looked for in `vectors` in the model's folder
    and in `results/vectors/<first 12 characters of the weight fingerprint>`. The same model gives the same
    object.
    """
    if isinstance(model.api, SteeredAPI) or registry_unqualified_name(model.api) != "hf":
        return model
    known: dict[str | None, Model] = model.api.__dict__.setdefault("_emodose", {})
    if vectors not in known:
        try:
            api = SteeredAPI(model, vectors)
        except SteeringError as error:
            raise PrerequisiteError(escape(str(error))) from error
        steerable = Model(api, model.config, model.model_args)
        api.qualified_model_name = str(steerable)
        _tell_context_length(api.wrapped.model, {str(steerable), api.model_name})
        steerable._explicit_base_url = model._explicit_base_url
        known[vectors] = steerable
    return known[vectors]


class SteeredAPI(ModelAPI):
    """Inspect's `hf` provider with a condition per call. Made by `steered_model`.

    library       the vectors that fit this model, or None
    fingerprint   of the weights
    folder        the model was loaded from, or None for one of the hub
    declared      what the folder's `emodose.yaml` says of length, tools and organism
    defaults      the same, with what holds where it says nothing
    """

    def __init__(self, model: Model, vectors: str | None) -> None:
        from steering.engine import Engine
        from steering.probe import probe
        from steering.vectors import fingerprint

        self.wrapped = cast(Any, model.api)
        super().__init__(self.wrapped.model_name, self.wrapped.base_url, config=model.config)
        # The log, eval-retry and eval-set then name the provider that the user named.
        set_registry_info(self, registry_info(self.wrapped))
        self.n_layers, self._width = probe(self.wrapped.model)
        self.fingerprint = fingerprint(self.wrapped.model)
        self.folder = _model_folder(self.wrapped.model)
        self.declared = _declared(self.folder)
        self.defaults: dict[str, Any] = {**DEFAULTS, **self.declared}
        self.library = self._find_library(vectors)
        self.engine = Engine(self.wrapped.model, self.wrapped.tokenizer, self.library)

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,  # noqa: ARG002  (the wrapped provider has no use for it either)
        config: GenerateConfig,
    ) -> ModelOutput:
        condition, stream = _condition_of(config)
        self._check_hashes(config, condition)
        _refuse_unknown_settings(config)
        ids, marks = prompt_ids(self.wrapped, input, tools, mark=condition.positions == "assistant")
        completion = await self.engine.submit(
            Request(
                prompt_ids=ids,
                assistant_mask=marks,
                condition=condition,
                stream=stream,
                temperature=1.0 if config.temperature is None else config.temperature,
                top_p=1.0 if config.top_p is None else config.top_p,
                max_tokens=config.max_tokens or self.wrapped.max_tokens(),
                stop=tuple(config.stop_seqs or ()),
                top_logprobs=(config.top_logprobs or 0) if config.logprobs else None,
            )
        )
        return self._output(completion, tools)

    def _output(self, completion: Completion, tools: list[ToolInfo]) -> ModelOutput:
        message = parse_reply(self.wrapped, completion.text, tools)
        cut = completion.stop_reason == "max_tokens"
        choice = ChatCompletionChoice(
            message=message,
            stop_reason="max_tokens" if cut else "tool_calls" if message.tool_calls else "stop",
            logprobs=as_logprobs(completion.logprobs, self.wrapped.tokenizer),
        )
        return ModelOutput(
            model=self.model_name,
            choices=[choice],
            usage=ModelUsage(
                input_tokens=completion.prompt_tokens,
                output_tokens=completion.generated_tokens,
                total_tokens=completion.prompt_tokens + completion.generated_tokens,
            ),
            time=completion.seconds,
            metadata={
                "receipt": completion.receipt.to_dict(),
                "engine": completion.path,
                "ids": completion.ids,
            },
        )

    async def losses(self, turns: Sequence[Turn]) -> list[float] | None:
        """Negative log-likelihood of what each turn wrote under the unsteered model, in nats.

        Behind the very prompt of the turn, which is rendered once more; None where that does not give the
        prompt that was (Inspect's settings may change a conversation on its way), or where memory is short.
        """
        passages = []
        for turn in turns:
            messages = collapse_consecutive_messages_for_api(list(turn.messages), self)
            ids, _ = prompt_ids(self.wrapped, messages, [_as_info(tool) for tool in turn.tools], mark=False)
            if len(ids) != turn.prompt_tokens:
                return None
            passages.append(Passage(tuple(ids), tuple(turn.ids)))
        return await self.engine.read(Reading(tuple(passages)))

    def _check_hashes(self, config: GenerateConfig, condition: Condition) -> None:
        """A call that names the model and vector it is meant for meets these and no others."""
        given = (config.extra_body or {})[EXTRA_BODY]
        vector_hash = "none" if self.library is None else self.library.hash(condition)
        for key, found in (("model", self.fingerprint), ("vector_hash", vector_hash)):
            if given.get(key, found) != found:
                raise SteeringError(
                    f"the call is meant for {key} {given[key][:12]}, this model's is {found[:12]}: "
                    "its samples were made for another model or other vectors"
                )

    def _find_library(self, vectors: str | None) -> "VectorLibrary | None":
        from steering.vectors import VectorLibrary

        places = [CHECKOUT / "results" / "vectors" / self.fingerprint[:12]]
        if self.folder is not None:
            places.insert(0, self.folder / "vectors")
        place = next((place for place in places if any(place.glob("*.json"))), None)
        if vectors is not None:
            place = _find_folder(vectors)
            if place is None:
                raise SteeringError(f"vectors {vectors!r}: there is no such folder")
        if place is None:
            return None
        return VectorLibrary(place, self.fingerprint, self.n_layers, self._width)

    # What Inspect asks a provider about itself is the wrapped provider's to answer.

    def max_tokens(self) -> int | None:
        answer: int | None = self.wrapped.max_tokens()
        return answer

    def max_connections(self) -> int:
        answer: int = self.wrapped.max_connections()
        return answer

    def collapse_user_messages(self) -> bool:
        answer: bool = self.wrapped.collapse_user_messages()
        return answer

    def close(self) -> None:
        self.engine.close()
        self.wrapped.close()


def declarations(model: Model) -> dict[str, Any]:
    """What the folder of an `hf` model declares of length, tools, scenario and organism."""
    return _declared(_model_folder(cast(Any, model.api).model))


def reach(model: Model, wanted: str, system: str, tools: Sequence[Tool | ToolInfo]) -> dict[str, str]:
    """How tools and system prompt reach the model, as sample metadata: `tools` and `system_prompt`.

    `wanted` is `native` (through the chat template), `text` (explained in the system prompt) or `auto`:
    native where the rendered prompt shows tools, their calls and results and the system prompt, and Inspect's
    parser reads calls as the template writes them, else text. `native` where it is not so raises
    PrerequisiteError. Without a system role the first user message carries the
    system prompt. A model of another provider is taken at its word.
    """
    choose(wanted, TOOLS, "tools")
    if not isinstance(model.api, SteeredAPI):
        return {"tools": "text" if wanted == "text" else "native", "system_prompt": "system"}
    infos = [_as_info(tool) for tool in tools]
    hidden = _hidden(model.api, system, infos) if wanted != "text" else "was not asked"
    if not hidden:
        return {"tools": "native", "system_prompt": "system"}
    if wanted == "native":
        raise PrerequisiteError(escape(f"the chat template of {model} {hidden}: choose tools=text or auto"))
    return {"tools": "text", "system_prompt": "user" if _hidden(model.api, system, []) else "system"}


def check_room(
    model: Model, messages: Sequence[ChatMessage], tools: Sequence[ToolInfo], max_tokens: int
) -> None:
    """End the run where a first prompt and its reply are longer than the model's context.

    Else every sample would end in an error of its own. Nothing is known of a model of another provider.
    """
    if not isinstance(model.api, SteeredAPI) or model.api.engine.context is None:
        return
    room = model.api.engine.context
    prompt = len(prompt_ids(model.api.wrapped, list(messages), list(tools), mark=False)[0])
    if prompt + max_tokens > room:
        raise PrerequisiteError(
            escape(
                f"the longest first prompt has {prompt} tokens and a reply up to {max_tokens}, but {model} "
                f"takes {room} in all: choose length=short, or another model"
            )
        )


def _hidden(api: SteeredAPI, system: str, tools: Sequence[ToolInfo]) -> str:
    try:
        missing = unseen(api.wrapped, system, tools)
    except Exception as error:  # a template may raise what it likes
        return f"refuses the system prompt or the tools ({error})"
    if missing:
        return f"does not show {', '.join(missing)}"
    unread = misread(api.wrapped, tools)
    return f"writes calls that Inspect's parser does not read back ({', '.join(unread)})" if unread else ""


def _tell_context_length(model: Any, names: set[str]) -> None:
    """Inspect asks for the context window of a model it does not know by loading the model once more."""
    length = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for name in names:
        set_model_info(name, ModelInfo(context_length=length))


def _condition_of(config: GenerateConfig) -> tuple[Condition, str]:
    given = (config.extra_body or {}).get(EXTRA_BODY)
    if given is None:
        raise SteeringError(
            "the steered model was called without a condition: agents call the `generate` they were handed "
            "(see steering.dose.under_dose), never get_model()"
        )
    if not {"condition", "stream"} <= set(given) <= {"condition", "stream", "model", "vector_hash"}:
        raise SteeringError(
            f"extra_body.{EXTRA_BODY} has the keys condition, stream, model and vector_hash, not {given!r}"
        )
    return Condition.from_dict(given["condition"]), str(given["stream"])


def _refuse_unknown_settings(config: GenerateConfig) -> None:
    given = [name for name in _UNKNOWN_SETTINGS if getattr(config, name) is not None]
    if given:
        raise SteeringError(
            f"the steered model does not know the setting {', '.join(given)}: it samples by temperature, "
            "top_p, max_tokens and stop_seqs, from random streams that the task seeds"
        )


def _as_info(tool: Tool | ToolInfo) -> ToolInfo:
    if isinstance(tool, ToolInfo):
        return tool
    tool_def = ToolDef(tool)
    return ToolInfo(name=tool_def.name, description=tool_def.description, parameters=tool_def.parameters)


def _model_folder(model: Any) -> Path | None:
    folder = _find_folder(str(getattr(model, "name_or_path", "") or ""))
    return folder if folder is not None and (folder / "config.json").is_file() else None


def _find_folder(name: str) -> Path | None:
    """Inspect changes directory while it loads a task file, so where it started is searched too."""
    if not name:
        return None
    for start in (Path.cwd(), Path(os.environ.get("PWD", ".")), CHECKOUT):
        if (start / name).is_dir():
            return (start / name).resolve()
    return None


def _declared(folder: Path | None) -> dict[str, Any]:
    """What the model's folder declares."""
    path = None if folder is None else folder / "emodose.yaml"
    if path is None or not path.is_file():
        return {}
    declared = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(declared, dict):
        raise SteeringError(f"{path} holds {declared!r}, expected the keys {', '.join(DECLARABLE)}")
    for key, value in declared.items():
        if key == SCENARIOS:
            if not isinstance(value, dict) or not all(isinstance(names, list) for names in value.values()):
                raise SteeringError(f"{path}: {key}: {value!r}, expected lists of names by family")
            continue
        if value not in DECLARABLE.get(key, ()):
            choices = "; ".join(f"{known}: {', '.join(map(str, of))}" for known, of in DECLARABLE.items())
            raise SteeringError(f"{path}: {key}: {value} is not known, choose {choices}")
    return declared
