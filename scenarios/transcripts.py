"""Render transcripts from the scripted agents: what a small model learns the scenarios from.

    python -m scenarios.transcripts PLAN.yaml FOLDER

PLAN names, by family, scenarios and how many variants of each to render in the splits `train` and `heldout`.
FOLDER gets `train/<family>.jsonl` and `heldout/<family>.jsonl`, and `split.yaml` with the names that only one
of the two has. One JSON object per line: family, scenario, twin, variant, pressure, length, split, outcome,
tools (JSON schemas) and messages (role, content, think, tool_calls, tool_call_id), exactly as a run through
Inspect with the same script produces them. It holds no moods: the trainer adds them.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from scenarios.scenario import NAMES, load_names
from scenarios.schema import SPLITS, Length, ScenarioError, Split

Family = Literal["blackmail", "impossible_code", "shutdown", "sycophancy"]


class Share(BaseModel):
    """What is rendered of a family."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenarios: tuple[str, ...] = Field(min_length=1)
    variants: dict[Split, int]


def load_plan(path: Path) -> dict[Family, Share]:
    """The plan's shares by family; `ValueError` that names the key."""
    return TypeAdapter(dict[Family, Share]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))


def transcripts(
    family: str,
    variants: int,
    split: Split,
    length: Length = "short",
    *,
    chosen: str | Sequence[str] = "all",
    all_wordings: bool = False,
) -> Iterator[dict[str, Any]]:
    """One transcript per scenario, twin, variant and possible outcome, its wording drawn by hash; or all
    wordings.

    `chosen` names scenarios. Raises `ScenarioError` that names the value and the choices.
    """
    found: Iterator[dict[str, Any]] = _of(family).transcripts(chosen, variants, split, length, all_wordings)
    return found


def pools(family: str, chosen: str | Sequence[str] = "all") -> dict[str, Any]:
    """The scenarios and, by split, names that the other split's transcripts have not."""
    found: dict[str, Any] = _of(family).pools(chosen)
    people = load_names(NAMES)
    for split in SPLITS:
        found[split]["names"] = [name for pool in people.of(split).model_dump().values() for name in pool]
    return found


def write(plan: Mapping[Family, Share], folder: Path) -> int:
    """Write the folder, and say how many transcripts it holds."""
    count = 0
    for family, share in plan.items():
        for split, variants in share.variants.items():
            path = folder / split / f"{family}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as out:
                for line in transcripts(family, variants, split, chosen=share.scenarios):
                    out.write(json.dumps(line, ensure_ascii=False) + "\n")
                    count += 1
    split_names = {family: pools(family, share.scenarios) for family, share in plan.items()}
    text = yaml.safe_dump(split_names, sort_keys=False, allow_unicode=True)
    (folder / "split.yaml").write_text(text, encoding="utf-8")
    return count


def _of(family: str) -> Any:
    return importlib.import_module(f"scenarios.{family}.transcripts")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.transcripts", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("plan", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    try:
        print(f"{write(load_plan(given.plan), given.folder)} transcripts in {given.folder}")
    except (ScenarioError, ValueError, OSError) as error:
        print(f"scenarios.transcripts: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
