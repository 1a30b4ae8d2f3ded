"""One turn of a scripted agent, as a model would write it. The scripts themselves are a family's."""

import json
from dataclasses import dataclass
from typing import Any


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
