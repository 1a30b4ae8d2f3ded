"""The turns of an agent: the model is asked once, its calls are carried out, their results are shown to it.

The same for tools that reach the model natively and for tools as text (`metadata.tools`). With text the
conversation holds nothing but plain messages, since a template that cannot show tools cannot show their
results either. It calls only the `generate` it was handed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    execute_tools,
)
from inspect_ai.solver import Generate, TaskState
from inspect_ai.tool import Tool, ToolDef, ToolInfo

from scenarios.health import count_turn
from scenarios.text_tools import CallError, explain, read_reply, tool_calls

TRUNCATED = "truncated"
"""Key in the sample's store: the run was cut off by the turn limit or by a token limit."""

CUT = ("max_tokens", "model_length")
"""Why a generation ended that was cut off."""


def start(state: TaskState, system: str, user: str, tools: Sequence[Tool]) -> None:
    """Put the opening messages and the tools into the state, as the sample's metadata asks.

    `tools: text` explains the tools in the system prompt; `words` (the emotion of the arm `prompt`) are a
    passage of it; with `system_prompt: user` it opens the first user message, for templates without a system
    role.
    """
    state.messages = _first_messages(state.metadata, system, user, tools)
    state.tools = [] if _as_text(state.metadata) else list(tools)


def longest_prompt(
    runs: Sequence[Sample], opening: Callable[[Sample], tuple[str, Sequence[Tool]]], about: Mapping[str, Any]
) -> tuple[list[ChatMessage], list[ToolInfo]]:
    """Messages and native tools that the run with the most words to begin with begins with.

    opening  a sample's system prompt and tools
    about    further metadata of all samples
    """
    longest = max(runs, key=lambda run: len(str(run.input)))
    system, tools = opening(longest)
    heard = {**(longest.metadata or {}), **about}
    native = [] if _as_text(heard) else [tool_info(tool) for tool in tools]
    return _first_messages(heard, system, str(longest.input), tools), native


async def take_turn(state: TaskState, generate: Generate, tools: Sequence[Tool]) -> tuple[TaskState, bool]:
    """The state after one generation, and whether it called a tool (a malformed call is a call)."""
    if _as_text(state.metadata):
        state = await generate(state, tool_calls="none")
        if unasked := state.output.message.tool_calls:
            # Of a provider that reads calls nobody offered: a conversation may not hold them unanswered.
            _count(state, len(unasked), 0)
            state.output.message.tool_calls = None
            state.messages.append(
                ChatMessageUser(content="Error: nothing was done. Write calls as explained.")
            )
            return state, True
        results, valid = await _results(state.output.message, tools, len(state.messages))
        _count(state, len(results), valid)
        if results:
            state.messages.append(ChatMessageUser(content="\n\n".join(results)))
        return state, bool(results)
    before = len(state.messages)
    state = await generate(state, tool_calls="single")
    _count(state, *_native_calls(state.output.message, state.messages[before:]))
    for message in state.messages:
        # A chat template renders the content only, and Inspect leaves that of a failed call empty.
        if isinstance(message, ChatMessageTool) and message.error and not message.text:
            message.content = f"Error: {message.error.message}"
    return state, bool(state.output.message.tool_calls)


async def run_turns(
    state: TaskState,
    generate: Generate,
    tools: Sequence[Tool],
    max_turns: int,
    ended: Callable[[TaskState], bool] = lambda _: False,
) -> TaskState:
    """Turns until one calls no tool, the sample is completed, or the limit is reached (`TRUNCATED`).

    `ended`: whether the calls of a turn were the last ones of the run.
    """
    for _ in range(max_turns):
        state, called = await take_turn(state, generate, tools)
        if state.output.stop_reason in CUT:
            state.store.set(TRUNCATED, True)
        if state.completed or not called or ended(state):
            return state
    state.store.set(TRUNCATED, True)
    return state


def _first_messages(
    about: Mapping[str, Any], system: str, user: str, tools: Sequence[Tool]
) -> list[ChatMessage]:
    parts = [system, *([about["words"]] if about.get("words") else [])]
    if _as_text(about):
        parts.append(explain([tool_info(tool) for tool in tools]))
    prompt = "\n\n".join(parts)
    if about.get("system_prompt") == "user":
        return [ChatMessageUser(content=f"{prompt}\n\n{user}")]
    return [ChatMessageSystem(content=prompt), ChatMessageUser(content=user)]


def tool_info(tool: Tool) -> ToolInfo:
    """What a model is told of a tool."""
    one = ToolDef(tool)
    return ToolInfo(name=one.name, description=one.description, parameters=one.parameters)


def _count(state: TaskState, calls: int, valid: int) -> None:
    count_turn(state.store, cut=state.output.stop_reason in CUT, calls=calls, valid=valid)


def _native_calls(written: ChatMessageAssistant, after: Sequence[ChatMessage]) -> tuple[int, int]:
    """How many calls the message attempted, and how many of them a tool took."""
    calls = written.tool_calls or []
    never_closed = max(0, written.text.count("<tool_call>") - written.text.count("</tool_call>"))
    answers = [one for one in after if isinstance(one, ChatMessageTool)]
    valid = [one for one in answers if _was_taken(one)]
    return len(calls) + never_closed, len(valid)


def _was_taken(answer: ChatMessageTool) -> bool:
    """Whether a tool was called at all; that it then refused is its own matter."""
    return answer.error is None or answer.error.type != "parsing"


async def _results(message: ChatMessageAssistant, tools: Sequence[Tool], turn: int) -> tuple[list[str], int]:
    """What the conversation is told of each call, and how many of the calls a tool took."""
    try:
        calls = tool_calls(read_reply(message.text), [tool_info(tool) for tool in tools], f"text-{turn}")
    except CallError as error:
        return [f"Error: nothing was done. {error}"], 0
    if not calls:
        return [], 0
    asked = ChatMessageAssistant(content=message.text, tool_calls=calls)
    answers = [
        one for one in (await execute_tools([asked], tools)).messages if isinstance(one, ChatMessageTool)
    ]
    told = [
        f"Error in {one.function}: {one.error.message}"
        if one.error
        else f"Result of {one.function}: {one.text}"
        for one in answers
    ]
    return told, sum(map(_was_taken, answers))


def _as_text(about: Mapping[str, Any]) -> bool:
    return about.get("tools") == "text"
