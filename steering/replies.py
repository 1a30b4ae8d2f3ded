"""What a model wrote, read by Inspect's own parser; and whether that parser reads this model's calls at all.

Inspect chooses its parser by the model's name, and the chat template says how calls are written. Nothing but
a round trip tells whether the two fit: a call that cannot be read is a run in which nothing ever happens.
"""

import re
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser
from inspect_ai.tool import ToolCall, ToolInfo

from steering.prompts import NoGenerationPrompt, closed_chat

_THOUGHT = re.compile(r"<think\b[^>]*>.*?(?:</think>|\Z)|\A(?:(?!<think\b).)*?</think>", re.DOTALL)
"""Private thought: one that never ends reaches to the end; one that the prompt began has no opening tag."""


def parse_reply(hf: Any, text: str, tools: Sequence[ToolInfo]) -> ChatMessageAssistant:
    """The reply as Inspect's `hf` provider reads it, but for calls in private thought, which are no acts.

    Whatever a model writes is an outcome: text that breaks the parser comes back as a call with a parse
    error.
    """
    from inspect_ai.model._providers.util import HFHandler

    if not tools:
        return ChatMessageAssistant(content=text, model=hf.model_name, source="generate")
    try:
        handler = HFHandler(hf.model_name, hf.model_family())
        message = handler.parse_assistant_response(text, list(tools))
        thoughts = "".join(thought[0] for thought in _THOUGHT.finditer(text))
        if not thoughts or not message.tool_calls:
            return message
        openly = handler.parse_assistant_response(_THOUGHT.sub("", text), list(tools))
        if _calls(openly) == _calls(message):
            return message
        return openly.model_copy(update={"content": thoughts + openly.text})
    except Exception as error:
        call = ToolCall(id="unknown", function="unknown", arguments={}, parse_error=f"unreadable: {error}")
        return ChatMessageAssistant(content=text, tool_calls=[call], model=hf.model_name, source="generate")


def _calls(message: ChatMessageAssistant) -> list[tuple[str, dict[str, Any], str | None]]:
    return [(call.function, call.arguments, call.parse_error) for call in message.tool_calls or []]


def misread(hf: Any, tools: Sequence[ToolInfo]) -> list[str]:
    """The tools whose calls, as the chat template writes them, do not come back from the parser.

    A call is rendered as earlier history, in the form in which Inspect hands it to the template and in the
    form that transformers documents; one of them must be read back as it was. Tools without parameters are
    left out, since Inspect's parser reads no call without arguments.
    """
    return [tool.name for tool in tools if tool.parameters.properties and not _read_back(hf, tool, tools)]


def _read_back(hf: Any, tool: ToolInfo, tools: Sequence[ToolInfo]) -> bool:
    values = {"integer": 1, "number": 1.5, "boolean": True, "array": ["a b"], "object": {"a": "b"}}
    arguments = {
        name: values.get(str(given.type), "a value, with words")
        for name, given in tool.parameters.properties.items()
    }
    for render in (_as_inspect_writes, _as_transformers_documents):
        try:
            written = render(hf, tool.name, arguments, tools)
        except Exception:  # a template may raise what it likes at a form that it does not know
            continue
        found = _calls(parse_reply(hf, _decoded(hf, written), tools))
        if found == [(tool.name, arguments, None)]:
            return True
    return False


_OPENING: tuple[ChatMessage, ...] = (
    ChatMessageSystem(content="Be brief."),
    ChatMessageUser(content="Hello."),
)


def _as_inspect_writes(hf: Any, name: str, arguments: dict[str, Any], tools: Sequence[ToolInfo]) -> str:
    call = ToolCall(id="call00001", function=name, arguments=arguments)
    opening = list(_OPENING)
    before = hf.hf_chat(opening, list(tools))
    return _added(
        before, closed_chat(hf, [*opening, ChatMessageAssistant(content="", tool_calls=[call])], tools)
    )


def _as_transformers_documents(
    hf: Any, name: str, arguments: dict[str, Any], tools: Sequence[ToolInfo]
) -> str:
    """https://huggingface.co/docs/transformers/chat_extras: `tool_calls` of type function."""
    call = {"id": "call00001", "type": "function", "function": {"name": name, "arguments": arguments}}
    opening = [{"role": message.role, "content": message.text} for message in _OPENING]
    described = [{"type": "function", "function": tool.model_dump(exclude_none=True)} for tool in tools]
    template = hf.chat_template or hf.tokenizer.chat_template
    render = {"tools": described, "chat_template": template, "tokenize": False}
    before = hf.tokenizer.apply_chat_template(opening, add_generation_prompt=True, **render)
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    after = NoGenerationPrompt(hf.tokenizer).apply_chat_template([*opening, message], **render)
    return _added(before, after)


def _added(before: str, after: str) -> str:
    """What the second text has beyond the first."""
    same = next(
        (place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
        min(len(before), len(after)),
    )
    return after[same:]


def _decoded(hf: Any, text: str) -> str:
    """As the engine decodes what a model wrote: without special tokens."""
    ids = hf.tokenizer(text, add_special_tokens=False)["input_ids"]
    decoded: str = hf.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return decoded
