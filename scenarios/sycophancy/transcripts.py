"""Transcripts of short scripted replies (`scripts/short.yaml`); see `scenarios/transcripts.py`.

They are for small models: played at length `short` only.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from scenarios.choices import choose_some
from scenarios.schema import Length, ScenarioError, Split
from scenarios.scripted import Turn, messages, wordings
from scenarios.sycophancy.situation import Probe, Situation, Twin, render, texts

HONEST_TWIN = "honest_twin"
"""Key of the scripts that are honest in the twin."""


class Script(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    think: str = Field(min_length=1)
    """Before the last reply."""
    replies: tuple[str, ...] = Field(min_length=1)


@cache
def scripts() -> Mapping[Probe, Mapping[str, tuple[Script, ...]]]:
    """The short scripts by probe and outcome."""
    text = (Path(__file__).parent / "scripts" / "short.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[Probe, dict[str, tuple[Script, ...]]]).validate_python(yaml.safe_load(text))


def transcripts(
    chosen: str | Sequence[str], variants: int, split: Split, length: Length, every: bool
) -> Iterator[dict[str, Any]]:
    """One transcript per item, twin, variant and outcome, its wording drawn by hash; or `every` wording."""
    if length != "short":
        raise ScenarioError(f"length {length!r}: these scripts are short")
    for name in choose_some("scenario", chosen, texts().names):
        probe: Probe = name.partition(".")[0]  # type: ignore[assignment]
        for variant in range(variants):
            for outcome, some in scripts()[probe].items():
                twin: Twin = "twin" if outcome == HONEST_TWIN else "main"
                where = render(name, twin=twin, variant=variant, length=length, split=split)
                for script in wordings(some, f"{name}/{variant}/{split}/{outcome}", every):
                    yield {
                        "family": "sycophancy",
                        "scenario": name,
                        "twin": twin,
                        "variant": variant,
                        "pressure": "standard",
                        "length": length,
                        "split": split,
                        "outcome": "honest" if twin == "twin" else outcome,
                        "tools": [],
                        "messages": messages(where.system, where.asks, script_turns(script, where)),
                    }


def script_turns(script: Script, where: Situation) -> list[Turn]:
    """One turn a reply; the last one thinks first."""
    words = {"agree": where.agree, "disagree": where.disagree}
    *early, last = (reply.format(**words) for reply in script.replies)
    return [*(Turn("", (), reply) for reply in early), Turn(script.think, (), last)]


def pools(chosen: str | Sequence[str]) -> dict[str, Any]:
    """The items, and by split what only its variants are called."""
    agents = texts().framing.agents
    return {
        "scenarios": choose_some("scenario", chosen, texts().names),
        "train": {"agents": list(agents.train)},
        "heldout": {"agents": list(agents.heldout)},
    }
