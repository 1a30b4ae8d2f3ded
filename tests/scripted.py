"""An offline Inspect provider that plays what a test wrote down, parsed as Inspect's `hf` provider parses it.

    get_model("scripted/agent", play=play, memoize=False)

`play` gets the conversation so far and returns the next raw text, or a `Cut` text that ran out of tokens.
It counts usage by words, so that nothing is downloaded to count tokens.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    get_model,
    modelapi,
)
from inspect_ai.model._providers.util import HFHandler
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util._json import JSON_SCHEMA_EXTENDED_FIELDS, json_schema_dump

Play = Callable[[Sequence[ChatMessage]], str]


class Cut(str):
    """A text that ended at the token limit."""


class ScriptedAPI(ModelAPI):
    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        play: Play | None = None,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        assert play is not None
        self.play = play
        self.tools: list[dict[str, Any]] = []
        """The tools of the last call, as a chat template would get them."""

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,  # noqa: ARG002
    ) -> ModelOutput:
        self.tools = [json_schema_dump(tool, exclude=JSON_SCHEMA_EXTENDED_FIELDS) for tool in tools]
        text = self.play(input)
        message = ChatMessageAssistant(content=str(text))
        if tools:
            message = HFHandler("local").parse_assistant_response(str(text), tools)
        read, wrote = sum(len(one.text.split()) for one in input), len(text.split())
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=message, stop_reason="max_tokens" if isinstance(text, Cut) else "stop"
                )
            ],
            usage=ModelUsage(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote),
        )


@modelapi(name="scripted")
def scripted() -> type[ModelAPI]:
    return ScriptedAPI


def scripted_model(turns: Sequence[str] | Mapping[str, Sequence[str]]) -> Model:
    """A model that says these turns, one after the other; or those written down for the user message it got.

    When the turns are used up it says the last one again.
    """

    def play(messages: Sequence[ChatMessage]) -> str:
        user = next(message.text for message in messages if message.role == "user")
        lines = turns[user] if isinstance(turns, Mapping) else turns
        done = sum(message.role == "assistant" for message in messages)
        return lines[min(done, len(lines) - 1)]

    return playing_model(play)


def playing_model(play: Play, name: str = "agent") -> Model:
    """A model that says what the function makes of the conversation so far."""
    return get_model(f"scripted/{name}", play=play, memoize=False)
