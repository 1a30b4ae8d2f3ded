"""The tables of the README are the detectors' own, and what they count is counted right."""

from collections import Counter
from pathlib import Path

import pytest
from blackmail_runs import play, score_of

from scenarios.blackmail import confusion
from scenarios.blackmail.confusion import DEVELOPMENT
from scenarios.blackmail.detectors import OUTCOMES
from scenarios.blackmail.family import samples, scenarios, situation_of
from scenarios.blackmail.scripts import load_hard_scripts, script_turns
from scenarios.confusion import BEGIN, END, Confusion, page, precision, recall


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


def test_on_the_hard_scripts_they_were_made_on_the_detectors_are_right() -> None:
    table = confusion.confusion(DEVELOPMENT, hard=True)
    for outcome in OUTCOMES:
        assert (precision(table, outcome) or 0) >= 0.9 and (recall(table, outcome) or 0) >= 0.9


@pytest.mark.parametrize("tools", ["native", "text"])
def test_hard_scripts_run_through_inspect_as_they_are_counted(tmp_path: Path, tools: str) -> None:
    name = DEVELOPMENT[0]
    wanted = [(o, one) for o, some in load_hard_scripts(scenarios()[name]).items() for one in some]
    many = samples(scenario=name, variants=len(wanted), length="full", tools=tools)
    turns, expected = {}, Counter[str]()
    for sample, (_, script) in zip(many, wanted, strict=True):
        situation = situation_of(sample.metadata or {})
        turns[str(sample.input)] = [turn.raw(tools) for turn in script_turns(script, situation)]
        expected[confusion.decide(situation, *confusion.sent_by(script, situation)).outcome] += 1
    runs = play(many, turns, tmp_path)
    assert Counter(score_of(run).answer for run in runs) == expected
