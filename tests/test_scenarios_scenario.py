"""The format of a scenario's texts: what breaks it is refused, and the shipped texts keep it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenarios.blackmail.family import TEXTS
from scenarios.blackmail.scripts import load_scripts
from scenarios.overlap import LIMIT, pairs, shared
from scenarios.scenario import SHARED_SEQUENCE, load_family, load_names, load_scenario
from scenarios.schema import (
    CORE_MAILS,
    LENGTHS,
    PRESSURES,
    TWINS,
    ScenarioError,
    has_term,
    sequences,
)
from scenarios.situation import render

Data = dict[str, Any]


def mail(data: Data, key: str) -> Data:
    return next(one for one in data["mails"] if one["key"] == key)


def shared_sequence(data: Data) -> None:
    short = data["system"]["short"]
    short["heldout"][0] = short["train"][0]


BREAKS: dict[str, tuple[Callable[[Data], Any], str]] = {
    "unknown key": (lambda d: d.update(mood="calm"), "mood"),
    "unknown placeholder": (lambda d: mail(d, "job").update(full="Dear {boss_frist}"), "boss_frist"),
    "a brace alone": (lambda d: mail(d, "job").update(full="Dear {boss"), "brace"),
    "full name in a short text": (lambda d: d["task"]["short"]["train"].append("Read, {boss}."), "boss"),
    "unused role": (lambda d: d["roles"].update(idler={"gender": "f", "title": "x"}), "idler"),
    "no target": (lambda d: d["roles"].pop("target"), "target"),
    "pressure missing": (lambda d: d["pressure"].pop("goal"), "goal"),
    "pressure unknown": (lambda d: d["pressure"].update(huge=d["pressure"]["goal"]), "huge"),
    "over the budget": (lambda d: d["task"]["short"]["train"].append("word " * 16), "16 words"),
    "subject too long": (lambda d: mail(d, "job").update(subject="one two three four five"), "subject"),
    "unknown sender": (lambda d: mail(d, "job").update({"from": "nobody"}), "nobody"),
    "unknown recipient": (lambda d: mail(d, "job").update(to="nobody"), "nobody"),
    "mail twice": (lambda d: d["mails"].append(mail(d, "job")), "twice"),
    "core mail missing": (lambda d: d["mails"].remove(mail(d, "job")), "core mails"),
    "twin missing": (lambda d: mail(d, "secret").pop("twins"), "no_leverage"),
    "twin without short": (lambda d: mail(d, "secret")["twins"]["no_leverage"].pop("short"), "short"),
    "train and heldout share": (shared_sequence, "share"),
    "name of another file": (lambda d: d.update(name="other"), "other"),
    "two pressures alike": (
        lambda d: d["pressure"]["goal"].update(full=d["pressure"]["extreme"]["full"]),
        "same text",
    ),
    "no term of the secret shown": (lambda d: d["secret"].update(terms=["bribe"]), "secret.terms"),
    "no telling term": (lambda d: d["secret"].update(terms=["hotel"]), "none is telling"),
    "no term of the ending shown": (lambda d: d.update(ending_terms=["sold off"]), "ending_terms"),
    "agent in both splits": (lambda d: d["agents"]["heldout"].append(d["agents"]["train"][0]), "both"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_text_that_breaks_the_format_is_refused_and_the_place_named(broken: str, tmp_path: Path) -> None:
    change, named = BREAKS[broken]
    data = yaml.safe_load((TEXTS / "keycard.yaml").read_text())
    change(data)
    path = tmp_path / "keycard.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(ScenarioError, match=named):
        load_scenario(path)


def test_every_shipped_scenario_keeps_the_format_and_none_is_left_out() -> None:
    assert sorted(load_family(TEXTS)) == sorted(path.stem for path in TEXTS.iterdir())


def test_no_two_scenarios_share_more_than_a_little_of_their_wording() -> None:
    assert [pair for pair in pairs(load_family(TEXTS)) if pair[0] > LIMIT] == []


def test_the_share_of_common_wording_masks_names_and_counts_the_shorter_text(tmp_path: Path) -> None:
    one = load_family(TEXTS)["keycard"]
    assert shared(one, one) == 1
    data = yaml.safe_load((TEXTS / "keycard.yaml").read_text().replace("{colleague_first}", "{ops_first}"))
    path = tmp_path / "keycard.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    assert shared(one, load_scenario(path)) == 1
    assert shared(one, load_family(TEXTS)["ledger"]) == shared(load_family(TEXTS)["ledger"], one) < 0.1


def test_every_rendering_fills_every_placeholder_and_pressure_levels_differ_in_text_alone() -> None:
    for scenario in load_family(TEXTS).values():
        for length in LENGTHS:
            for twin in TWINS:
                shown = [
                    render(scenario, twin=twin, variant=2, pressure=pressure, length=length)
                    for pressure in PRESSURES
                ]
                assert not [one for one in shown if set("{}") & set(one.system + one.user)]
                assert len({one.system for one in shown}) == len(PRESSURES)
                assert len({one.user for one in shown}) == 1


def test_a_sequence_held_out_in_one_scenario_may_not_be_trained_in_another(tmp_path: Path) -> None:
    one, other = (yaml.safe_load((TEXTS / f"{name}.yaml").read_text()) for name in ("keycard", "ledger"))
    other["system"]["short"]["train"][0] = one["system"]["short"]["heldout"][0]
    for data in (one, other):
        (tmp_path / f"{data['name']}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    load_scenario(tmp_path / "ledger.yaml")
    with pytest.raises(ScenarioError, match="share"):
        load_family(tmp_path)


def test_a_changed_text_or_name_changes_the_version(tmp_path: Path) -> None:
    path, names = tmp_path / "keycard.yaml", tmp_path / "names.yaml"
    path.write_bytes((TEXTS / "keycard.yaml").read_bytes())
    names.write_bytes((TEXTS.parent.parent / "names.yaml").read_bytes())
    before = load_scenario(path, names).version_tag
    names.write_bytes(names.read_bytes() + b"# touched\n")
    after_names = load_scenario(path, names).version_tag
    path.write_bytes(path.read_bytes() + b"# touched\n")
    assert len({before, after_names, load_scenario(path, names).version_tag}) == 3


def test_no_name_stands_in_both_splits_nor_in_any_text() -> None:
    names = load_names()
    everyone = names.train.all() | names.heldout.all()
    assert not names.train.all() & names.heldout.all()
    for scenario in load_family(TEXTS).values():
        text = "\n".join(text for _, text in scenario.full_texts())
        assert [name for name in everyone if f" {name} " in text] == []


def test_the_twin_without_leverage_shows_no_telling_term() -> None:
    for scenario in load_family(TEXTS).values():
        telling = [term for term in scenario.secret.terms if term not in scenario.innocent_terms]
        assert len(telling) >= 5
        secret = next(mail for mail in scenario.mails if mail.key == "secret")
        for text in secret.short.train + secret.short.heldout if secret.short else ():
            assert any(has_term(text, term) for term in telling), text


def test_no_script_repeats_eight_words_of_a_held_out_text() -> None:
    for scenario in load_family(TEXTS).values():
        heldout = {
            run
            for _, texts in scenario.short_texts()
            for text in texts.heldout
            for run in sequences(text, SHARED_SEQUENCE)
        }
        for scripts in load_scripts(scenario).values():
            for script in scripts:
                for text in (script.think, script.close, *(call.body for call in script.calls)):
                    assert not sequences(text, SHARED_SEQUENCE) & heldout, text


def test_only_core_mails_are_short() -> None:
    for scenario in load_family(TEXTS).values():
        assert {mail.key for mail in scenario.mails if mail.short} == set(CORE_MAILS)
