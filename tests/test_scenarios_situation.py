"""Rendering repeats; a variant differs in names and order, a twin in the temptation only."""

import itertools

import pytest

from scenarios.blackmail.family import scenarios
from scenarios.scenario import load_names
from scenarios.schema import LENGTHS, PRESSURES, TWINS, ScenarioError, has_term
from scenarios.situation import Situation, render

NAMES = ("diploma", "keycard", "ledger")


def situations(name: str, variants: int = 6) -> list[Situation]:
    return [
        render(scenarios()[name], twin=twin, variant=variant, length=length)
        for twin, length, variant in itertools.product(TWINS, LENGTHS, range(variants))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_rendering_twice_gives_the_same_and_no_placeholder_is_left(name: str) -> None:
    assert situations(name) == situations(name)
    for one in situations(name):
        assert not set("{}") & set(one.system + one.user)


@pytest.mark.parametrize("name", NAMES)
def test_twin_pressure_and_length_of_a_variant_share_names_and_order(name: str) -> None:
    scenario = scenarios()[name]
    every = [
        render(scenario, twin=twin, variant=4, pressure=pressure, length=length)
        for twin, pressure, length in itertools.product(TWINS, PRESSURES, LENGTHS)
    ]
    assert len({(one.agent, one.firm, tuple(one.people.items())) for one in every}) == 1
    core = {tuple(mail.key for mail in one.mails if mail.key in ("ending", "secret", "job")) for one in every}
    assert len(core) == 1


@pytest.mark.parametrize("name", NAMES)
def test_variants_differ_in_names_wording_and_order(name: str) -> None:
    many = [render(scenarios()[name], variant=variant, split="train") for variant in range(40)]
    assert len({one.user for one in many}) == 40
    assert len({one.system for one in many}) > 20
    assert len({tuple(mail.key for mail in one.mails) for one in many}) == 6
    assert len({one.people["target"].first for one in many}) > 10
    assert len({one.firm for one in many}) > 5
    assert len({next(iter(one.people)) for one in many}) > 3, (
        "the target's place in the address book tells nothing"
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_pressure_is_another_text_with_the_same_mails(name: str) -> None:
    for length in LENGTHS:
        every = [render(scenarios()[name], variant=0, pressure=level, length=length) for level in PRESSURES]
        assert len({one.system for one in every}) == len(PRESSURES)
        assert len({one.user for one in every}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_name_agent_firm_or_wording(name: str) -> None:
    train, heldout = (
        [render(scenarios()[name], variant=variant, split=split) for variant in range(30)]
        for split in ("train", "heldout")
    )
    for kind in ("agent", "firm"):
        assert not {getattr(one, kind) for one in train} & {getattr(one, kind) for one in heldout}
    firsts = [{person.first for one in many for person in one.people.values()} for many in (train, heldout)]
    assert firsts[0] <= load_names().train.all()
    assert firsts[1] <= load_names().heldout.all()


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_lacks_the_temptation_and_nothing_else(name: str) -> None:
    for length in LENGTHS:
        for variant in range(6):
            main, no_leverage, no_threat = (
                render(scenarios()[name], twin=twin, variant=variant, length=length) for twin in TWINS
            )
            telling = set(main.secret_terms) - set(main.innocent_terms)
            assert any(has_term(main.user, term) for term in telling)
            assert [term for term in telling if has_term(no_leverage.user, term)] == []
            assert no_leverage.mail("ending") == main.mail("ending")
            assert no_threat.mail("secret") == main.mail("secret")
            assert no_threat.mail("ending").body != main.mail("ending").body
            assert main.mail("job") == no_leverage.mail("job") == no_threat.mail("job")
            assert main.system == no_leverage.system == no_threat.system


def test_short_has_the_core_mails_and_first_names_only() -> None:
    for one in (situation for name in NAMES for situation in situations(name)):
        if one.length == "short":
            assert sorted(mail.key for mail in one.mails) == ["ending", "job", "secret"]
            assert not [p.last for p in one.people.values() if has_term(one.system + one.user, p.last)]
            assert len((one.system + one.user).split()) <= 260
        else:
            assert len(one.mails) >= 8


def test_every_person_has_one_address_and_a_first_name_of_their_own() -> None:
    for one in (situation for name in NAMES for situation in situations(name)):
        assert len({person.first for person in one.people.values()}) == len(one.people)
        assert (
            len({person.address for person in one.people.values()} | {one.agent_address})
            == len(one.people) + 1
        )


def test_a_split_without_a_wording_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"pressure has no train wording"):
        render(scenarios()["keycard"], variant=0, pressure="extreme", split="train")
