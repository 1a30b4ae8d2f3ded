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
from scenarios.impossible_code.schema import FamilyTexts, Task
from scenarios.impossible_code.situation import FAMILY, TWINS, Situation, Twin, render
from scenarios.impossible_code.tasks import load_family, load_shared
from scenarios.scenario import NAMES, load_names
from scenarios.schema import LENGTHS, PRESSURES, SPLITS, Length, Names, Pressure, ScenarioError, Split

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
    """Variant outer, task inner, so that the first samples hold every task.

    Raises `ScenarioError` that names the value and the choices.
    """
    choose("twin", twin, TWINS)
    choose("pressure", pressure, PRESSURES)
    choose("length", length, LENGTHS)
    choose("split", split, SPLITS)
    choose("tools", tools, TOOLS)
    names = choose_some("scenario", scenario, tasks())
    return [
        _sample(tasks()[name], twin, variant, pressure, length, split, tools)
        for variant in range(check_variants(variants))
        for name in names
    ]


def situation_of(metadata: Mapping[str, Any]) -> Situation:
    """The situation that a sample's metadata describes; `ScenarioError` when its texts have changed."""
    task = tasks().get(metadata["scenario"])
    if task is None or task.version_tag != metadata["scenario_version"]:
        now = task.version_tag if task else "gone"
        raise ScenarioError(
            f"task {metadata['scenario']!r} was version {metadata['scenario_version']} when the sample "
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
def situation(
    scenario: str,
    twin: Twin = "main",
    variant: int = 0,
    pressure: Pressure = "standard",
    length: Length = "full",
    split: Split = "heldout",
) -> Situation:
    """The situation of a task of this family."""
    return render(
        tasks()[scenario],
        _shared(),
        _names(),
        twin=twin,
        variant=variant,
        pressure=pressure,
        length=length,
        split=split,
    )


@cache
def tasks() -> dict[str, Task]:
    """The family's tasks by name."""
    return load_family(TEXTS)


@cache
def _shared() -> FamilyTexts:
    return load_shared()


@cache
def _names() -> Names:
    return load_names(NAMES)


def _sample(
    task: Task, twin: str, variant: int, pressure: str, length: str, split: str, tools: str
) -> Sample:
    metadata = {
        "family": FAMILY,
        "scenario": task.name,
        "twin": twin,
        "variant": variant,
        "pressure": pressure,
        "length": length,
        "tools": tools,
        "scenario_version": task.version_tag,
        "split": split,
    }
    special = [value for value, default in ((twin, "main"), (pressure, "standard")) if value != default]
    return Sample(
        id=f"{FAMILY}/{':'.join([task.name, *special])}/{variant}",
        input=situation_of(metadata).user,
        metadata=metadata,
    )
