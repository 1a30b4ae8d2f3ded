"""The samples of the family: one per kind of question and variant."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from inspect_ai.dataset import Sample

from scenarios.capability.items import Item, item, texts
from scenarios.choices import check_variants, choose, choose_some
from scenarios.schema import LENGTHS, Length, ScenarioError

FAMILY = "capability"


def samples(
    *, scenario: str | Sequence[str] = "all", variants: int, length: str, split: str = "heldout"
) -> list[Sample]:
    """Variant outer, kind inner, so that the first samples hold every kind.

    Raises `ScenarioError` that names the value and the choices. Nothing here is trained on: one split.
    """
    choose("length", length, LENGTHS)
    choose("split", split, ("heldout",))
    kinds = choose_some("scenario", scenario, texts().kinds)
    return [
        Sample(
            id=f"{FAMILY}/{kind}/{variant}",
            input=item(kind, variant).question,
            target=list(item(kind, variant).answers),
            metadata={
                "family": FAMILY,
                "scenario": kind,
                "twin": "main",
                "variant": variant,
                "pressure": "standard",
                "length": length,
                "tools": "none",
                "scenario_version": texts().tag,
                "split": split,
            },
        )
        for variant in range(check_variants(variants))
        for kind in kinds
    ]


def item_of(metadata: Mapping[str, Any]) -> Item:
    """The question that a sample's metadata describes; `ScenarioError` when the texts have changed."""
    if metadata["scenario_version"] != texts().tag:
        raise ScenarioError(
            f"the questions were version {metadata['scenario_version']} when the sample was made and are "
            f"{texts().tag} now: run it anew or check out the texts it was made with"
        )
    return item(metadata["scenario"], metadata["variant"])


def system(metadata: Mapping[str, Any]) -> str:
    """The system prompt of a sample."""
    return texts().system[cast(Length, metadata["length"])]
