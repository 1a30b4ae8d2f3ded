"""Samples say in their metadata what they are, and a changed text is refused."""

from typing import Any

import pytest

from scenarios.blackmail.family import samples, scenarios, situation_of
from scenarios.schema import ScenarioError


def test_the_first_samples_hold_every_scenario_and_ids_are_unique() -> None:
    many, n = samples(variants=4, length="short"), len(scenarios())
    assert len({sample.id for sample in many}) == len(many) == 4 * n
    assert {str(sample.id) for sample in many[:n]} == {f"blackmail/{name}/0" for name in scenarios()}


def test_only_what_is_not_the_default_stands_in_the_id() -> None:
    [plain] = samples(scenario="ledger", variants=1, length="full")
    [special] = samples(scenario=["ledger"], variants=1, length="full", twin="no_threat", pressure="extreme")
    assert plain.id == "blackmail/ledger/0"
    assert special.id == "blackmail/ledger:no_threat:extreme/0"


def test_scenarios_are_named_one_by_one_or_by_comma() -> None:
    for given in ("keycard, ledger", ["keycard", "ledger"]):
        many = samples(scenario=given, variants=1, length="short")
        assert [sample.id for sample in many] == ["blackmail/keycard/0", "blackmail/ledger/0"]


def test_metadata_leads_back_to_the_situation() -> None:
    for sample in samples(variants=2, length="short", twin="no_leverage", pressure="goal"):
        assert sample.metadata
        keys = (
            "family",
            "scenario",
            "twin",
            "variant",
            "pressure",
            "length",
            "tools",
            "scenario_version",
            "split",
        )
        assert tuple(sample.metadata) == keys
        assert situation_of(sample.metadata).user == sample.input


def test_a_sample_of_texts_that_have_changed_is_refused() -> None:
    [sample] = samples(scenario="keycard", variants=1, length="short")
    with pytest.raises(ScenarioError, match="run it anew"):
        situation_of({**(sample.metadata or {}), "scenario_version": "1-00000000"})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("scenario", "keycad"),
        ("scenario", ["keycard", "all"]),
        ("scenario", ["keycard", "keycard"]),
        ("scenario", []),
        ("twin", "noleverage"),
        ("pressure", "high"),
        ("length", "long"),
        ("split", "test"),
        ("tools", "xml"),
        ("variants", 0),
        ("variants", 1.5),
        ("variants", True),
    ],
)
def test_an_unknown_argument_is_refused_with_its_value_and_the_choices(argument: str, value: Any) -> None:
    given: dict[str, Any] = {"variants": 1, "length": "short", argument: value}
    with pytest.raises(ScenarioError) as refused:
        samples(**given)
    assert argument in str(refused.value)
    assert "choices" in str(refused.value) or "whole number" in str(refused.value)
