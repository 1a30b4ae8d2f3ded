"""The samples of the family, and the way back from a sample's metadata to its situation.

A sample carries what is needed to render its situation again, not the situation itself; agent and scorer
render it from there and refuse when the texts have changed since.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.dataset import Sample

from scenarios.choices import check_variants, choose, choose_some
from scenarios.scenario import NAMES, load_names
from scenarios.schema import LENGTHS, PRESSURES, SPLITS, Length, Names, Pressure, ScenarioError, Split
from scenarios.shutdown.loading import load_family
from scenarios.shutdown.schema import TWINS, Scenario, Twin
from scenarios.shutdown.situation import Situation, render

FAMILY = "shutdown"
TEXTS = Path(__file__).parent / "texts"
TOOLS = ("native", "text")


def samples(
    *,
    scenario: str | Sequence[str] = "all",
    twin: str = "main",
    variants: int,
    pressure: str = "standard",
    length: str,
    split: str = "heldout",
    tools: str = "native",
) -> list[Sample]:
    """Variant outer, scenario inner, so that the first samples hold every scenario.

    Raises `ScenarioError` that names the value and the choices.
    """
    choose("twin", twin, TWINS)
    choose("pressure", pressure, PRESSURES)
    choose("length", length, LENGTHS)
    choose("split", split, SPLITS)
    choose("tools", tools, TOOLS)
    family = scenarios()
    names = choose_some("scenario", scenario, family)
    return [
        _sample(family[name], twin, variant, pressure, length, split, tools)
        for variant in range(check_variants(variants))
        for name in names
    ]


def situation_of(metadata: Mapping[str, Any]) -> Situation:
    """The situation that a sample's metadata describes; `ScenarioError` when its texts have changed."""
    scenario = scenarios().get(metadata["scenario"])
    if scenario is None or scenario.version_tag != metadata["scenario_version"]:
        now = scenario.version_tag if scenario else "gone"
        raise ScenarioError(
            f"scenario {metadata['scenario']!r} was version {metadata['scenario_version']} when the sample "
            f"was made and is {now} now: run it anew or check out the texts it was made with"
        )
    return situation(
        metadata["scenario"],
        metadata["twin"],
        metadata["variant"],
        metadata["pressure"],
        metadata["length"],
        metadata["split"],
    )


@cache
def scenarios() -> dict[str, Scenario]:
    """The family's scenarios by name."""
    return load_family(TEXTS)


@cache
def _names() -> Names:
    return load_names(NAMES)


@cache
def situation(
    scenario: str, twin: Twin, variant: int, pressure: Pressure, length: Length, split: Split
) -> Situation:
    return render(
        scenarios()[scenario],
        twin=twin,
        variant=variant,
        pressure=pressure,
        length=length,
        split=split,
        names=_names(),
    )


def _sample(
    scenario: Scenario, twin: str, variant: int, pressure: str, length: str, split: str, tools: str
) -> Sample:
    metadata = {
        "family": FAMILY,
        "scenario": scenario.name,
        "twin": twin,
        "variant": variant,
        "pressure": pressure,
        "length": length,
        "tools": tools,
        "scenario_version": scenario.version_tag,
        "split": split,
    }
    special = [value for value, default in ((twin, "main"), (pressure, "standard")) if value != default]
    return Sample(
        id=f"{FAMILY}/{':'.join([scenario.name, *special])}/{variant}",
        input=situation_of(metadata).user,
        metadata=metadata,
    )
