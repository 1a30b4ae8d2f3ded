"""Laws of the benchmark: all arms have the same work, the tasks run, the table says what was measured."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from inspect_ai import eval

from steering.benchmark import practice, report, subjects, throughput
from steering.benchmark.report import Line
from steering.condition import Condition
from steering.engine import Engine

ROOT = Path(__file__).resolve().parent.parent


def test_all_arms_read_the_same_prompts_and_write_nearly_the_same_texts():
    subject = replace(subjects.organism(), rows=40, max_tokens=20)
    engine = Engine(subject.model, subject.tokenizer, subject.library)
    plain = subject.requests([Condition.baseline()])
    many = subject.requests(throughput._conditions(subject, 256))
    assert len({one.condition.slug for one in many}) == 40
    assert [one.prompt_ids for one in plain] == [one.prompt_ids for one in many]
    texts = [[done.text for done in engine.run(requests)] for requests in (plain, many)]
    assert sum(one == other for one, other in zip(*texts, strict=True)) > 37
    assert throughput._plain_tokens(subject, many) > 40


def test_every_line_has_its_ratio_and_the_conditions_their_aims():
    subject = replace(subjects.organism(), rows=8, max_tokens=4)
    lines = list(throughput.throughput(subject, 1))
    against = {(line.what, line.against): line for line in lines}
    assert against["256 conditions in one batch", "unsteered"].aim == 0.97
    assert against["256 conditions in one batch", throughput._PLAIN].aim == 2.5
    for line in lines:
        assert (line.ratio is None) == (not line.against)


@pytest.mark.parametrize(
    "file, strength, runs", [("single_turn.py", "-0.3,0,0.3", 6), ("today.py", 0.3, 2), ("today.py", 0, 2)]
)
def test_the_workloads_tasks_run_on_the_organism(file, strength, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    [log] = eval(
        f"steering/benchmark/{file}",
        model="hf/local",
        task_args={"strength": strength, "runs": 2},
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success" and len(log.samples) == runs
    assert not any(sample.error for sample in log.samples)
    practice._check(str(tmp_path), runs)
    with pytest.raises(RuntimeError, match=f"{runs} of {runs + 1} runs"):
        practice._check(str(tmp_path), runs + 1)


def test_the_common_practice_is_really_steered(tmp_path, monkeypatch):
    """Its whole-model hook is what the comparison is about."""
    monkeypatch.chdir(ROOT)
    from inspect_ai.model import get_model

    ids = torch.arange(1, 20)[None]
    logits = []
    for strength in (0, 0.3):
        model = get_model("hf/local", memoize=False)
        eval(
            "steering/benchmark/today.py",
            model=model,
            task_args={"strength": strength, "runs": 1},
            log_dir=str(tmp_path),
            display="none",
        )
        with torch.no_grad():
            logits.append(model.api.model(input_ids=ids).logits)
    assert not torch.allclose(*logits, atol=0.1)


def test_the_table_is_written_twice_and_says_the_same(tmp_path):
    lines = [
        Line("organism", "unsteered", 5123.4, "tokens/s"),
        Line("organism", "256 conditions", 5001.2, "tokens/s", "unsteered", 0.9763, 0.97),
        Line("organism", "256 conditions", None, "tokens/s", "plain", 3.14159, 2.5),
    ]
    stem = tmp_path / "deep" / "bench"
    markdown, table = report.write([replace(line, load="0.1 0.2") for line in lines], stem)
    text = markdown.read_text()
    assert "| organism | unsteered | 5123 tokens/s |  |  |  | 0.1 0.2 |" in text
    assert "| organism | 256 conditions | 5001 tokens/s | unsteered | 0.976 | 0.97 | 0.1 0.2 |" in text
    assert "| organism | 256 conditions |  | plain | 3.14 | 2.5 | 0.1 0.2 |" in text
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["ratio"] for row in rows] == ["", "0.976", "3.14"]


def test_a_part_that_is_measured_again_replaces_its_own_lines_only(tmp_path):
    first = [Line("organism", "a", 1.0, "s"), Line("organism", "b", 2.0, "s", "a", 0.5)]
    report.write(first, tmp_path / "bench")
    _, table = report.write([Line("organism", "a", 3.0, "s")], tmp_path / "bench")
    assert {row["what"]: row["value"] for row in csv.DictReader(table.read_text().splitlines())} == {
        "a": "3",
        "b": "2",
    }


def test_extraction_is_held_against_the_bare_model(monkeypatch):
    from steering.benchmark import reading

    monkeypatch.setattr(reading, "STORIES", 6)
    [line] = reading.reading(subjects.organism(), 1)
    assert line.value > 0 and line.ratio > 0 and line.aim == 0.9
