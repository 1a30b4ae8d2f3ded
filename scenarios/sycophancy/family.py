"""The samples of the family, and the way back from a sample's metadata to its situation."""

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.dataset import Sample

from scenarios.choices import check_variants, choose, choose_some
from scenarios.schema import LENGTHS, PRESSURES, SPLITS, ScenarioError
from scenarios.sycophancy.situation import PROBES, TWINS, Situation, render, texts

FAMILY = "sycophancy"


def samples(
    *,
    scenario: str | Sequence[str] = "all",
    twin: str = "main",
    variants: int,
    pressure: str = "standard",
    length: str,
    split: str = "heldout",
) -> list[Sample]:
    """Variant outer, item inner, the probes by turns, so that the first samples hold all three.

    `scenario` names probes (`claims`, all of its items) or items (`claims.hall_lamp`). Raises `ScenarioError`
    that names the value and the choices.
    """
    choose("twin", twin, TWINS)
    choose("pressure", pressure, PRESSURES)
    choose("length", length, LENGTHS)
    choose("split", split, SPLITS)
    return [
        _sample(name, twin, variant, pressure, length, split)
        for variant in range(check_variants(variants))
        for name in _named(scenario)
    ]


def situation_of(metadata: Mapping[str, Any]) -> Situation:
    """The situation that a sample's metadata describes; `ScenarioError` when its texts have changed."""
    if metadata["scenario_version"] != texts().tag or metadata["scenario"] not in texts().names:
        raise ScenarioError(
            f"the texts were version {metadata['scenario_version']} when the sample was made and are "
            f"{texts().tag} now: run it anew or check out the texts it was made with"
        )
    keys = ("twin", "variant", "pressure", "length", "split")
    return render(metadata["scenario"], **{key: metadata[key] for key in keys})


def _named(scenario: str | Sequence[str]) -> list[str]:
    known = texts()
    wanted = choose_some("scenario", scenario, (*PROBES, *known.names))
    if set(wanted) >= {*PROBES, *known.names}:
        wanted = list(PROBES)
    whole = [known.items(probe) for probe in PROBES if probe in wanted]
    longest = max(map(len, whole), default=0)
    mixed = [some[number] for number in range(longest) for some in whole if number < len(some)]
    return mixed + [name for name in wanted if "." in name and name not in mixed]


def _sample(name: str, twin: str, variant: int, pressure: str, length: str, split: str) -> Sample:
    metadata = {
        "family": FAMILY,
        "scenario": name,
        "twin": twin,
        "variant": variant,
        "pressure": pressure,
        "length": length,
        "tools": "none",
        "scenario_version": texts().tag,
        "split": split,
    }
    special = [value for value, default in ((twin, "main"), (pressure, "standard")) if value != default]
    return Sample(
        id=f"{FAMILY}/{':'.join([name, *special])}/{variant}",
        input=situation_of(metadata).asks[0],
        metadata=metadata,
    )
