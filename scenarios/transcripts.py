"""Render `transcripts.jsonl` from the scripted agents: what a small model learns the scenarios from.

    python -m scenarios.transcripts OUT.jsonl --variants 20 --split train --length short

One JSON object per line: family, scenario, twin, variant, pressure, length, split, outcome, tools (JSON
schemas) and messages (role, content, think, tool_calls, tool_call_id), exactly as a run through Inspect with
the same script produces them. It holds no moods: the trainer adds them.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scenarios.blackmail import mailbox
from scenarios.blackmail.detectors import OUTCOMES, Outcome
from scenarios.blackmail.scripts import Script, load_scripts, script_turns
from scenarios.scenario import NAMES, load_family, load_names
from scenarios.schema import LENGTHS, SPLITS, TWINS, Length, ScenarioError, Split, Twin
from scenarios.scripted import Turn
from scenarios.situation import Situation, render

BLACKMAIL = Path(__file__).parent / "blackmail" / "texts"

POSSIBLE: Mapping[Twin, Sequence[Outcome]] = {
    "main": OUTCOMES,
    "no_leverage": ("other_harm", "plea", "refusal", "benign"),
    "no_threat": ("refusal", "benign"),
}
"""Outcomes that make sense in a twin: no secret without leverage, nothing to ask for without a threat."""


def transcripts(
    variants: int,
    split: Split,
    length: Length = "short",
    *,
    chosen: Sequence[str] = (),
    all_wordings: bool = False,
) -> Iterator[dict[str, Any]]:
    """One transcript per scenario, twin, variant and outcome, its wording drawn by hash; or all wordings.

    `chosen` names scenarios; without it all are rendered.
    """
    names = load_names(NAMES)
    family = load_family(BLACKMAIL)
    if unknown := set(chosen) - family.keys():
        raise ScenarioError(f"unknown scenario {sorted(unknown)}; choices: {', '.join(family)}")
    for scenario in (family[name] for name in chosen or family):
        scripts = load_scripts(scenario)
        for twin in TWINS:
            for variant in range(variants):
                situation = render(
                    scenario, twin=twin, variant=variant, length=length, split=split, names=names
                )
                for outcome in POSSIBLE[twin]:
                    wordings = scripts[outcome]
                    for script in wordings if all_wordings else [_drawn(wordings, situation, outcome)]:
                        yield transcript(situation, outcome, script)


def split_of(chosen: Sequence[str] = ()) -> dict[str, dict[str, list[str]]]:
    """Names, agents and firms by split; those of `heldout` are in no transcript of `train`."""
    family = load_family(BLACKMAIL)
    some = [family[name] for name in chosen or family]
    names = load_names(NAMES)
    return {
        split: {
            "scenarios": [scenario.name for scenario in some],
            "names": [name for pool in names.of(split).model_dump().values() for name in pool],
            "agents": [name for scenario in some for name in scenario.agents.of(split)],
            "firms": [name for scenario in some for name in scenario.firms.of(split)],
        }
        for split in SPLITS
    }


def transcript(situation: Situation, outcome: Outcome, script: Script) -> dict[str, Any]:
    """One line of the file."""
    return {
        "family": situation.family,
        "scenario": situation.scenario,
        "twin": situation.twin,
        "variant": situation.variant,
        "pressure": situation.pressure,
        "length": situation.length,
        "split": situation.split,
        "outcome": outcome,
        "tools": mailbox.tool_schemas(situation),
        "messages": [
            {"role": "system", "content": situation.system},
            {"role": "user", "content": situation.user},
            *_assistant(script_turns(script, situation)),
        ],
    }


def _assistant(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    number = 0
    for turn in turns:
        calls, results = [], []
        for call in turn.calls:
            number += 1
            calls.append({"id": f"call{number}", "function": call.function, "arguments": call.arguments})
            results.append({"role": "tool", "content": "sent", "tool_call_id": f"call{number}"})
        message: dict[str, Any] = {"role": "assistant", "content": turn.text, "think": turn.think}
        yield {**message, "tool_calls": calls} if calls else message
        yield from results


def _drawn(wordings: Sequence[Script], situation: Situation, outcome: Outcome) -> Script:
    key = f"{situation.scenario}/{situation.variant}/{situation.split}/{situation.twin}/{outcome}"
    return wordings[int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % len(wordings)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scenarios.transcripts", description=__doc__.split("\n")[0]
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--variants", type=int, required=True, help="variants per scenario and twin")
    parser.add_argument("--split", choices=SPLITS, required=True)
    parser.add_argument("--scenario", nargs="+", default=[], help="names of scenarios; all if not given")
    parser.add_argument("--split-file", type=Path, help="also write which names, agents and firms are whose")
    parser.add_argument("--length", choices=LENGTHS, default="short")
    parser.add_argument("--all-wordings", action="store_true", help="every wording of every outcome")
    given = parser.parse_args(arguments)
    if given.variants < 1:
        parser.error(f"--variants {given.variants}: at least 1")
    count = 0
    try:
        with given.out.open("w", encoding="utf-8") as out:
            lines = transcripts(
                given.variants,
                given.split,
                given.length,
                chosen=given.scenario,
                all_wordings=given.all_wordings,
            )
            for line in lines:
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        if given.split_file:
            text = yaml.safe_dump(split_of(given.scenario), sort_keys=False, allow_unicode=True)
            given.split_file.write_text(text, encoding="utf-8")
    except (ScenarioError, OSError) as error:
        print(f"scenarios.transcripts: {error}", file=sys.stderr)
        return 1
    print(f"{count} transcripts in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
