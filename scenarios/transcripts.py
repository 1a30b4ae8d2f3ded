"""Render transcripts from the scripted agents: what a small model learns the scenarios from.

    python -m scenarios.transcripts OUT.jsonl --family blackmail --scenario diploma keycard --variants 20 \
        --split train

One JSON object per line: family, scenario, twin, variant, pressure, length, split, outcome, tools (JSON
schemas) and messages (role, content, think, tool_calls, tool_call_id), exactly as a run through Inspect with
the same script produces them. It holds no moods: the trainer adds them.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from scenarios.choices import check_variants
from scenarios.scenario import NAMES, load_names
from scenarios.schema import LENGTHS, SPLITS, Length, ScenarioError, Split

FAMILIES = ("blackmail", "impossible_code", "shutdown", "sycophancy")


def transcripts(
    family: str,
    variants: int,
    split: Split,
    length: Length = "short",
    *,
    chosen: str | Sequence[str] = "all",
    all_wordings: bool = False,
) -> Iterator[dict[str, Any]]:
    """One transcript per scenario, twin, variant and possible outcome; see the family's `transcripts`.

    `chosen` names scenarios. Raises `ScenarioError` that names the value and the choices.
    """
    found: Iterator[dict[str, Any]] = _of(family).transcripts(
        chosen, check_variants(variants), split, length, all_wordings
    )
    return found


def pools(family: str, chosen: str | Sequence[str] = "all") -> dict[str, Any]:
    """The scenarios and, by split, names that the other split's transcripts have not."""
    found: dict[str, Any] = _of(family).pools(chosen)
    people = load_names(NAMES)
    for split in SPLITS:
        found[split]["names"] = [name for pool in people.of(split).model_dump().values() for name in pool]
    return found


def _of(family: str) -> Any:
    return importlib.import_module(f"scenarios.{family}.transcripts")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.transcripts", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument("--variants", type=int, required=True, help="variants per scenario and twin")
    parser.add_argument("--split", choices=SPLITS, required=True)
    parser.add_argument("--scenario", nargs="+", default="all", help="names of scenarios; all if not given")
    parser.add_argument(
        "--pools",
        type=Path,
        help="YAML file: set there, for this family, which names, agents and firms are whose",
    )
    parser.add_argument("--length", choices=LENGTHS, default="short")
    parser.add_argument("--all-wordings", action="store_true", help="every wording of every outcome")
    given = parser.parse_args(arguments)
    count = 0
    try:
        with given.out.open("w", encoding="utf-8") as out:
            for line in transcripts(
                given.family,
                given.variants,
                given.split,
                given.length,
                chosen=given.scenario,
                all_wordings=given.all_wordings,
            ):
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        if given.pools:
            kept = yaml.safe_load(given.pools.read_text(encoding="utf-8")) if given.pools.is_file() else {}
            now = {**kept, given.family: pools(given.family, given.scenario)}
            text = yaml.safe_dump(now, sort_keys=False, allow_unicode=True)
            given.pools.write_text(text, encoding="utf-8")
    except (ScenarioError, OSError) as error:
        print(f"scenarios.transcripts: {error}", file=sys.stderr)
        return 1
    print(f"{count} transcripts in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
