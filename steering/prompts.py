"""A conversation as the token ids that Inspect's `hf` provider would send, and whose tokens are whose.

Everything is rendered by the provider itself. Reading replies and generating are not done here.
"""

import copy
from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
)
from inspect_ai.tool import ToolCall, ToolInfo

from steering.errors import SteeringError

Span = tuple[int, int]
"""First character, and the one after the last."""


def prompt_ids(
    hf: Any, messages: list[ChatMessage], tools: list[ToolInfo], *, mark: bool
) -> tuple[list[int], list[bool]]:
    """Token ids of the rendered conversation, and which of them earlier assistant turns wrote.

    Finding the latter renders the conversation once more for each turn; without `mark` all are False.
    """
    chat = hf.hf_chat(messages, tools)
    turns = _assistant_spans(hf, messages, tools, chat) if mark else []
    if not turns:
        ids = list(hf.tokenizer(chat, **hf.tokenizer_call_args)["input_ids"])
        return ids, [False] * len(ids)
    if not hf.tokenizer.is_fast:
        raise SteeringError(
            "positions=assistant needs a fast tokenizer, which tells offsets: use positions=all"
        )
    encoded = hf.tokenizer(chat, return_offsets_mapping=True, **hf.tokenizer_call_args)
    # A token that the tokenizer itself puts in stands for no character.
    marks = [
        first < last and any(start <= first < end for start, end in turns)
        for first, last in encoded["offset_mapping"]
    ]
    return list(encoded["input_ids"]), marks


def unseen(hf: Any, system: str, tools: Sequence[ToolInfo]) -> list[str]:
    """What the rendered prompt leaves out: tools by name, "the system prompt", "the call of a tool" and "the
    result of a tool".

    Tools are handed to the chat template and nothing else; a template that ignores them yields a prompt
    without any tool, and no error.
    """
    messages: list[ChatMessage] = [ChatMessageSystem(content=system), ChatMessageUser(content="Hello.")]
    prompt = hf.hf_chat(messages, list(tools))
    missing = [tool.name for tool in tools if tool.name not in prompt]
    if system.strip() not in prompt:
        missing.append("the system prompt")
    if tools:
        history = hf.hf_chat([*messages, *_call_and_result(tools[0])], list(tools))
        if tools[0].parameters.properties and _ARGUMENT not in history:
            missing.append("the call of a tool")
        if _RESULT not in history:
            missing.append("the result of a tool")
    return missing


_ARGUMENT = "argument-of-the-call"
_RESULT = "result-of-the-call"


def _call_and_result(tool: ToolInfo) -> list[ChatMessage]:
    arguments = {name: _ARGUMENT for name in tool.parameters.properties}
    call = ToolCall(id="call00001", function=tool.name, arguments=arguments)
    return [
        ChatMessageAssistant(content="", tool_calls=[call]),
        ChatMessageTool(content=_RESULT, tool_call_id=call.id, function=tool.name),
    ]


def _assistant_spans(hf: Any, messages: list[ChatMessage], tools: list[ToolInfo], chat: str) -> list[Span]:
    """Where in the rendered conversation the model's own earlier text stands, its end-of-turn token included.

    Found by rendering the conversation up to each turn, as it was when the turn was generated.
    """
    eos = hf.tokenizer.eos_token or ""
    spans = []
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        before = hf.hf_chat(messages[:index], tools)
        after = closed_chat(hf, messages[: index + 1], tools)
        if not chat.startswith(before) or not chat.startswith(after):
            raise SteeringError(
                f"positions=assistant: the chat template renders message {index} in another way once the "
                "conversation goes on (some drop earlier reasoning), so its tokens cannot be found: "
                "use positions=all"
            )
        # The line break after the end-of-turn token is the template's.
        written = after.rstrip()
        spans.append((len(before), len(written) if eos and written.endswith(eos) else len(after)))
    return spans


def closed_chat(hf: Any, messages: list[ChatMessage], tools: Sequence[ToolInfo]) -> str:
    """The rendered conversation, without the opening of a next turn."""
    closed = copy.copy(hf)
    closed.tokenizer = NoGenerationPrompt(hf.tokenizer)
    chat: str = closed.hf_chat(messages, list(tools))
    return chat


class NoGenerationPrompt:
    """A tokenizer whose chat template ends with the last message, not with the opening of the next."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def apply_chat_template(self, *args: Any, **kwargs: Any) -> Any:
        return self._tokenizer.apply_chat_template(*args, **{**kwargs, "add_generation_prompt": False})
