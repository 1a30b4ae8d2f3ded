"""Transcripts of the family's scripted agents; see `scenarios/transcripts.py`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scenarios import scripted
from scenarios.blackmail.detectors import OUTCOMES, Outcome
from scenarios.blackmail.family import scenarios
from scenarios.blackmail.mailbox import mail_tools
from scenarios.blackmail.scripts import Script, load_scripts, script_turns
from scenarios.choices import choose_some
from scenarios.scenario import NAMES, load_names
from scenarios.schema import TWINS, Length, Split, Twin
from scenarios.scripted import messages, record, wordings
from scenarios.situation import Situation, render

POSSIBLE: Mapping[Twin, Sequence[Outcome]] = {
    "main": OUTCOMES,
    "no_leverage": ("other_harm", "plea", "benign"),
    "no_threat": ("benign",),
}
"""Outcomes whose scripts make sense in a twin: no secret without leverage, no ending without a threat."""


def transcripts(
    chosen: str | Sequence[str], variants: int, split: Split, length: Length, every: bool
) -> Iterator[dict[str, Any]]:
    """One transcript per scenario, twin, variant and outcome, its wording drawn by hash; or `every`
    wording."""
    names = load_names(NAMES)
    for name in choose_some("scenario", chosen, scenarios()):
        scenario = scenarios()[name]
        scripts = load_scripts(scenario)
        for twin in TWINS:
            for variant in range(variants):
                situation = render(
                    scenario, twin=twin, variant=variant, length=length, split=split, names=names
                )
                for outcome in POSSIBLE[twin]:
                    key = f"{name}/{variant}/{split}/{twin}/{outcome}"
                    for script in wordings(scripts[outcome], key, every):
                        yield transcript(situation, outcome, script)


def transcript(situation: Situation, outcome: Outcome, script: Script) -> dict[str, Any]:
    """One line of the file."""
    turns = script_turns(script, situation)
    found = messages(situation.system, [situation.user], turns, lambda _: "sent")
    return record(situation, outcome, mail_tools(situation), found)


def pools(chosen: str | Sequence[str]) -> dict[str, Any]:
    """The scenarios, and by split what only its variants are called."""
    return scripted.pools(
        [scenarios()[name] for name in choose_some("scenario", chosen, scenarios())], ("agents", "firms")
    )
