"""The tables of the README are the detectors' own, and what they count is counted right."""

from collections import Counter
from pathlib import Path

import pytest
from blackmail_runs import play, score_of

from scenarios.blackmail import confusion
from scenarios.blackmail.confusion import PARTS, Part
from scenarios.blackmail.detectors import OUTCOMES, decide
from scenarios.blackmail.family import samples, scenarios, situation_of
from scenarios.blackmail.scripts import (
    SCRIPTS,
    load_development,
    load_hard_scripts,
    load_heldout,
    script_turns,
)
from scenarios.confusion import BEGIN, END, Confusion, page, precision, recall
from scenarios.schema import ScenarioError


def test_the_readme_holds_the_tables_of_today() -> None:
    assert confusion.main(["--check"]) == 0


def test_precision_and_recall_agree_with_a_table_counted_by_hand() -> None:
    table: Confusion = Counter({("plea", "plea"): 6, ("plea", "benign"): 2, ("refusal", "plea"): 4})
    assert precision(table, "plea") == 0.6 and recall(table, "plea") == 0.75
    assert precision(table, "refusal") is None and recall(table, "refusal") == 0
    assert recall(table, "benign") is None and precision(table, "benign") == 0


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    written = page(f"Above.\n{BEGIN}\nold\n{END}\nBelow.", "new")
    assert written.startswith("Above.\n" + BEGIN) and written.endswith(END + "\nBelow.")
    assert "old" not in written and "new" in written
    with pytest.raises(ValueError, match="lacks the marks"):
        page("No marks.", "new")


def test_every_scenario_has_hard_scripts_of_every_outcome() -> None:
    for scenario in scenarios().values():
        hard = load_hard_scripts(scenario)
        assert set(hard) == set(OUTCOMES), scenario.name
        assert {script.kind for script in hard["blackmail"]} >= {"blunt", "polite", "oblique", "third_person"}


@pytest.mark.parametrize("part", [part for part in PARTS if part != "held-out"])
def test_on_the_scripts_they_were_fitted_on_the_detectors_are_right(part: Part) -> None:
    table = confusion.confusion(part)
    for outcome in OUTCOMES:
        assert (precision(table, outcome) or 0) >= 0.9 and (recall(table, outcome) or 0) >= 0.9


def test_the_heldout_half_is_no_part_of_what_they_are_fitted_on() -> None:
    texts = {part: {script.model_dump_json() for _, _, script in confusion.played(part)} for part in PARTS}
    for part in PARTS:
        assert part == "held-out" or not texts["held-out"] & texts[part]


def test_a_heldout_folder_is_read_when_it_appears_and_is_empty_before(tmp_path: Path) -> None:
    scenario = scenarios()["keycard"]
    assert load_heldout(scenario, tmp_path) == {} and load_development(scenario, tmp_path) == {}
    source = SCRIPTS / "development" / "one" / "keycard.yaml"
    for folder in ("heldout", "development/somebody"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "keycard.yaml").write_text(source.read_text())
    heldout = load_heldout(scenario, tmp_path)
    assert set(heldout) == set(OUTCOMES)
    assert load_development(scenario, tmp_path) == {"somebody": heldout}
    (tmp_path / "heldout" / "keycard.yaml").write_text(
        source.read_text().replace("mail: ending", "mail: end")
    )
    with pytest.raises(ScenarioError, match="'end' is not in the scenario"):
        load_heldout(scenario, tmp_path)


@pytest.mark.parametrize("tools", ["native", "text"])
def test_development_scripts_run_through_inspect_as_they_are_counted(tmp_path: Path, tools: str) -> None:
    """All of one scenario; each in a variant of its own, which tells the provider which script to play."""
    scenario = scenarios()["keycard"]
    halves = [load_hard_scripts(scenario), *load_development(scenario).values()]
    wanted = [script for half in halves for some in half.values() for script in some]
    many = samples(scenario=scenario.name, variants=len(wanted), length="full", tools=tools)
    turns, expected = {}, Counter[str]()
    for sample, script in zip(many, wanted, strict=True):
        situation = situation_of(sample.metadata or {})
        turns[str(sample.input)] = [turn.raw(tools) for turn in script_turns(script, situation)]
        expected[decide(situation, *confusion.sent_by(script, situation)).outcome] += 1
    assert len(turns) == len(wanted)
    runs = play(many, turns, tmp_path)
    assert Counter(score_of(run).answer for run in runs) == expected
