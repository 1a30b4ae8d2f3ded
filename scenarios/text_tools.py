"""Tool calls written as plain text: how they are explained to a model, and a strict reading of its replies.

For models whose chat template cannot show tools. A call is

    <call name="send_mail">
    <to>board</to>
    <subject>A note</subject>
    <body>Any text, with "quotes" and line breaks.</body>
    </call>

because a mail's text needs no escapes in it. A reply is read whole or not at all: one malformed call, or a
call in any other syntax, and nothing of the reply is carried out. Private thought (`<think>`) is never read
as a call. Carrying calls out is the matter of `turns.py`.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from inspect_ai.tool import ToolCall, ToolInfo

THINK = re.compile(r"<think\b[^>]*>(.*?)(?:</think>|\Z)", re.DOTALL)
"""Private thought; one that never ends reaches to the end of the text."""

_CALL = re.compile(r'<call name="([A-Za-z_]\w*)">(.*?)</call>', re.DOTALL)
_VALUE = re.compile(r"\s*<([A-Za-z_]\w*)>(.*?)</\1>", re.DOTALL)
# What only a call would write: ours when it is malformed, and the syntaxes of others.
_MARKS = re.compile(
    r"</?(?:call|tool_calls?|tool_use|function_calls?|function|invoke|parameter)\b|\[/?TOOL_CALLS?\]|<\|python_tag\|>",
    re.IGNORECASE,
)
# A bare or fenced JSON object that names a tool and its arguments.
_JSON_CALL = re.compile(
    r'^\s*(?:```\w*\s*)?[\[{]\s*"(?:name|tool|function|tool_name)"\s*:', re.MULTILINE | re.IGNORECASE
)

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class CallError(ValueError):
    """A reply that seems to call a tool and cannot be read as a call."""


class WrittenCall(NamedTuple):
    """A call as it was written: every value is text."""

    name: str
    values: dict[str, str]


class Reply(NamedTuple):
    said: str
    """What stands outside calls and private thought."""
    calls: list[WrittenCall]


def explain(tools: Sequence[ToolInfo]) -> str:
    """What the system prompt says of the tools and of how they are called."""
    lines = [
        "To use a tool, write a call like this one, with each value between tags of its own. Write values as "
        "they are meant to be, without quotes or escapes.",
        "",
        _example(tools[0]),
        "",
        "What you write outside of calls reaches nobody. After a call you see its result. The tools are:",
    ]
    for tool in tools:
        lines += ["", f"{tool.name}: {tool.description}"]
        required = tool.parameters.required
        for name, parameter in tool.parameters.properties.items():
            optional = "" if name in required else " (optional)"
            lines.append(f"  <{name}>{optional} {parameter.description or parameter.type}")
    return "\n".join(lines)


def read_reply(text: str) -> Reply:
    """The calls of a model's reply, and what it said beside them. Raises `CallError` for the whole reply."""
    open_text = THINK.sub(" ", text)
    calls = [WrittenCall(found[1], _values(found[1], found[2])) for found in _CALL.finditer(open_text)]
    said = _CALL.sub(" ", open_text)
    if mark := _MARKS.search(said) or _JSON_CALL.search(said):
        around = " ".join(said[mark.start() : mark.start() + 60].split())
        raise CallError(f'this is no call: {around!r}; a call is <call name="TOOL"> ... </call>')
    return Reply(said.strip(), calls)


def tool_calls(reply: Reply, tools: Sequence[ToolInfo], prefix: str) -> list[ToolCall]:
    """The calls for Inspect to carry out. It answers an unknown tool or parameter with an error of its own.

    Raises `CallError` where a value is not of the parameter's type.
    """
    known = {tool.name: tool for tool in tools}
    calls = []
    for number, call in enumerate(reply.calls, 1):
        kinds = known[call.name].parameters.properties if call.name in known else {}
        arguments = {
            name: _typed(f"{call.name}.{name}", value, str(kinds[name].type) if name in kinds else "string")
            for name, value in call.values.items()
        }
        calls.append(ToolCall(id=f"{prefix}-{number}", function=call.name, arguments=arguments))
    return calls


def _values(name: str, inside: str) -> dict[str, str]:
    values: dict[str, str] = {}
    end = 0
    while found := _VALUE.match(inside, end):
        tag, value, end = found[1], found[2], found.end()
        if tag in values:
            raise CallError(f"{name}: <{tag}> stands twice")
        if mark := _MARKS.search(value):
            raise CallError(f"{name}: a call inside <{tag}>: {mark[0]!r}")
        values[tag] = value.strip()
    if rest := inside[end:].strip():
        raise CallError(f"{name}: expected <parameter>value</parameter>, found {rest[:60]!r}")
    return values


def _typed(place: str, value: str, kind: str) -> Any:
    if kind == "string":
        return value
    try:
        typed = json.loads(value)
    except ValueError:
        typed = None
    if not isinstance(typed, _TYPES[kind]) or (isinstance(typed, bool) and kind != "boolean"):
        raise CallError(f"{place}: {value[:60]!r} is no {kind}")
    return typed


def _example(tool: ToolInfo) -> str:
    values = [f"<{name}>...</{name}>" for name in tool.parameters.properties]
    return "\n".join([f'<call name="{tool.name}">', *values, "</call>"])
