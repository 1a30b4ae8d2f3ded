"""Scripted agents: their turns as a model would write them, and the messages that a run with them holds.

The scripts themselves are a family's.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from inspect_ai.tool import Tool, ToolDef, ToolInfo
from inspect_ai.util._json import JSON_SCHEMA_EXTENDED_FIELDS, json_schema_dump

from scenarios.schema import SPLITS

Wording = TypeVar("Wording")


@dataclass(frozen=True)
class Call:
    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One turn of the assistant: private thought and calls, or closing words."""

    think: str
    calls: tuple[Call, ...]
    text: str

    def raw(self, tools: str = "native") -> str:
        """The turn as a model writes it: as Inspect's `hf` provider parses it, or in that of text tools."""
        parts = [f"<think>{self.think}</think>"] if self.think else []
        parts += [self.text] if self.text else []
        for call in self.calls:
            if tools == "text":
                values = "".join(f"<{name}>{value}</{name}>" for name, value in call.arguments.items())
                parts.append(f'<call name="{call.function}">{values}</call>')
            else:
                payload = json.dumps({"name": call.function, "arguments": call.arguments})
                parts.append(f"<tool_call>{payload}</tool_call>")
        return "\n".join(parts)


def messages(
    system: str,
    asks: Sequence[str],
    turns: Sequence[Turn],
    answer: Callable[[Call], str] | None = None,
) -> list[dict[str, Any]]:
    """The messages of a run: role, content, think, tool_calls, tool_call_id.

    `answer` gives a call's result and is asked in order; a further ask follows each turn without calls.
    """
    found: list[dict[str, Any]] = [
        {"role": "system", "content": system},
        {"role": "user", "content": asks[0]},
    ]
    numbers, further = iter(range(1, 1000)), iter(asks[1:])
    for turn in turns:
        calls = [(f"call{next(numbers)}", call) for call in turn.calls]
        message: dict[str, Any] = {"role": "assistant", "content": turn.text, "think": turn.think}
        if calls:
            message["tool_calls"] = [
                {"id": name, "function": call.function, "arguments": call.arguments} for name, call in calls
            ]
        found.append(message)
        for name, call in calls:
            if answer is None:
                raise ValueError(f"{call.function}: a call, and nothing that answers it")
            found.append({"role": "tool", "content": answer(call), "tool_call_id": name})
        if not calls and (ask := next(further, None)) is not None:
            found.append({"role": "user", "content": ask})
    return found


def record(
    where: Any, outcome: str, tools: Sequence[Tool], found: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One line of a file of transcripts; `where` is a family's situation."""
    names = ("family", "scenario", "twin", "variant", "pressure", "length", "split")
    about = {name: getattr(where, name) for name in names}
    return {**about, "outcome": outcome, "tools": schemas(tools), "messages": list(found)}


def pools(some: Sequence[Any], kinds: Sequence[str]) -> dict[str, Any]:
    """The names of a family's scenarios, and by split what only its variants are called, by kind (`agents`,
    `firms`)."""
    return {
        "scenarios": [one.name for one in some],
        **{
            split: {kind: [name for one in some for name in getattr(one, kind).of(split)] for kind in kinds}
            for split in SPLITS
        },
    }


def schemas(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools as a chat template gets them from Inspect's `hf` provider."""
    definitions = [ToolDef(tool) for tool in tools]
    return [
        json_schema_dump(
            ToolInfo(name=one.name, description=one.description, parameters=one.parameters),
            exclude=JSON_SCHEMA_EXTENDED_FIELDS,
        )
        for one in definitions
    ]


def wordings(some: Sequence[Wording], key: str, every: bool) -> Iterator[Wording]:
    """Every wording, or the one that `key` draws by hash."""
    if every:
        yield from some
    else:
        yield some[int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % len(some)]
