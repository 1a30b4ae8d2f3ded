"""Questions with one right answer: the answers are right, and a reply is read as it is meant."""

import re
from pathlib import Path

import pytest
from inspect_ai import eval
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from scenarios.capability import family, items, outcomes
from scenarios.capability.items import item, texts
from scenarios.schema import ScenarioError

TASK = "evals/capability.py"
ARITHMETIC = {"addition": "+", "subtraction": "-", "multiplication": "*"}


def everything(variants: int = 16) -> list[items.Item]:
    return [item(kind, variant) for kind in texts().kinds for variant in range(variants)]


def test_there_are_over_a_hundred_different_questions_by_default() -> None:
    asked = [str(sample.input) for sample in family.samples(variants=10, length="full")]
    assert len(set(asked)) == len(asked) >= 100


def test_a_question_stays_the_same_and_its_variants_differ() -> None:
    assert item("addition", 3) == item("addition", 3)
    assert len({one.question for one in everything()}) >= 0.98 * len(everything())


@pytest.mark.parametrize("kind", ARITHMETIC)
def test_arithmetic_is_right_when_computed_from_the_question_alone(kind: str) -> None:
    for variant in range(30):
        asked = item(kind, variant)
        a, b = map(int, re.findall(r"\d+", asked.question))
        if kind == "subtraction":
            a, b = max(a, b), min(a, b)
        assert asked.answers == (str(computed(a, ARITHMETIC[kind], b)),)


def computed(a: int, sign: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "*": a * b}[sign]


def test_lists_are_right_when_computed_from_the_question_alone() -> None:
    for variant in range(30):
        numbers = [int(n) for n in re.findall(r"\d+", item("sorting", variant).question)]
        assert item("sorting", variant).right(",".join(map(str, sorted(numbers))))
        assert item("largest", variant).right(
            str(max(int(n) for n in re.findall(r"\d+", item("largest", variant).question)))
        )
        words = item("backwards", variant).question.partition(": ")[2].split(", ")
        assert item("backwards", variant).right(", ".join(reversed(words)))
        counted = item("counting", variant)
        word = re.findall(r"'(\w+)'", counted.question)[0]
        listed = re.split(r"list\? |: ", counted.question)[1].split(", ")
        assert counted.answers == (str(listed.count(word)),)


def test_change_is_never_negative() -> None:
    assert all(int(item("shopping", variant).answers[0]) >= 0 for variant in range(200))


@pytest.mark.parametrize("reply, outcome", [
    ("It is 42.\n<answer>42</answer>", "correct"),
    ("<answer> 42. </answer>", "correct"),
    ("<answer>42</answer> or so <answer>42</answer>", "correct"),
    ("<answer>41</answer>", "wrong"),
    ("<answer>It is 42</answer>", "wrong"),
    ("<answer>41</answer><answer>42</answer>", "no_answer"),
    ("42", "no_answer"),
    ("<answer></answer>", "no_answer"),
    ("<answer>42", "no_answer"),
])  # fmt: skip
def test_a_reply_is_read_as_it_is_meant(reply: str, outcome: str) -> None:
    assert outcomes.decide(items.Item("facts", "?", ("42",)), reply).outcome == outcome


def test_capitals_count_only_where_they_are_asked_for() -> None:
    asked = item("capitals", 0)
    assert asked.right(asked.answers[0]) and not asked.right(asked.answers[0].lower())
    assert item("backwards", 0).right(item("backwards", 0).answers[0].upper())


@pytest.mark.parametrize("question, answer, given, right", [
    ("What is 900 + 960?", "1860", "1,860", True),
    ("What is 900 + 960?", "1860", "18,60", False),
    ("How many coins come back?", "7", "7 coins", True),
    ("How many coins come back?", "7", "7 pears", False),
    ("How many plums has she left?", "1", "one plum", True),
    ("How many times does 'kite' stand in the list?", "4", "Four times.", True),
    ("How many coins of 7 come back?", "4", "4 7", False),
    ("Which is a mammal: trout, dolphin?", "dolphin", "A dolphin.", True),
    ("Which arrived last, the first or the second?", "first", "the first", True),
    ("Which arrived last, the first or the second?", "first", "first second", False),
    ("What is 6 times 7?", "42", "**42**", True),
    ("Sort: 104, 20, 11", "11, 20, 104", "11,20,104", True),
])  # fmt: skip
def test_a_right_answer_is_right_in_every_form_that_people_give_it(
    question: str, answer: str, given: str, right: bool
) -> None:
    assert items.Item("facts", question, (answer,)).right(given) == right


@pytest.mark.parametrize("change, says", [
    ({"scenario": "adition"}, "did you mean 'addition'"),
    ({"variants": 17}, "at most variants=16"),
    ({"variants": 0}, "from 1 on"),
    ({"length": "medium"}, "choices: "),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_the_choices(change: dict[str, object], says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        family.samples(**{"variants": 2, "length": "full", **change})  # type: ignore[arg-type]


def test_changed_questions_are_refused() -> None:
    about = {**(family.samples(variants=1, length="full")[0].metadata or {}), "scenario_version": "0-old"}
    with pytest.raises(ScenarioError, match="run it anew"):
        family.item_of(about)


@pytest.mark.parametrize("length", ["full", "short"])
def test_the_task_scores_right_wrong_and_missing_answers(tmp_path: Path, length: str) -> None:
    asked = family.samples(variants=2, length=length)
    replies = [
        f"<think><answer>no</answer></think><answer>{(one.target or [''])[0]}</answer>" for one in asked
    ]
    replies[0], replies[1] = "<answer>nonsense</answer>", "I would rather not."
    by_question = {str(one.input): reply for one, reply in zip(asked, replies, strict=True)}

    def reply(messages: list[object], *_: object) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", by_question[messages[-1].text])  # type: ignore[attr-defined]
        output.usage = ModelUsage()  # else Inspect counts tokens with a tokenizer that it downloads
        return output

    model = get_model("mockllm/model", custom_outputs=reply)
    [log] = eval(
        TASK, model=model, task_args={"variants": 2, "length": length}, log_dir=str(tmp_path), display="none"
    )
    told = answers(log)
    assert sorted(told.values()).count("correct") == len(asked) - 2
    assert told[f"{asked[0].id}/none"] == "wrong" and told[f"{asked[1].id}/none"] == "no_answer"


def answers(log: EvalLog) -> dict[str, str]:
    assert log.status == "success" and log.samples
    assert not [run.error for run in log.samples if run.error]
    return {str(run.id): str((run.scores or {})["outcomes"].answer) for run in log.samples}


def test_it_runs_steered_on_the_organism(tmp_path: Path) -> None:
    [log] = eval(TASK, model="hf/local", task_args={"emotion": "desperate", "strength": 0.1, "variants": 1,
                 "scenario": "addition,facts"}, log_dir=str(tmp_path), display="none")  # fmt: skip
    told = answers(log)
    assert len(told) == 4 and not any(run.error for run in log.samples or [])
    assert all((run.scores or {})["outcomes"].metadata["receipts"] for run in log.samples or [])  # type: ignore[index]
