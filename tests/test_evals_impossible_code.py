"""The task file of the impossible tasks: its arguments, and runs on a foreign and on a steered model."""

import importlib.util
from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai._cli.util import parse_cli_args
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.model._model import init_active_model, init_model_roles

from results.table import load
from scenarios.impossible_code.detectors import OUTCOMES
from scenarios.impossible_code.family import tasks
from scenarios.sandbox import bubblewrap, choice

pytest_plugins = ("steering_fixtures",)
pytestmark = pytest.mark.skipif(bubblewrap.unusable() is not None, reason=str(bubblewrap.unusable()))

FILE = Path(__file__).resolve().parent.parent / "evals" / "impossible_code.py"


def task_of(model: Model, *typed: str) -> Task:
    """The task of `inspect eval evals/impossible_code.py --model MODEL -T TYPED ...`."""
    spec = importlib.util.spec_from_file_location("task_file", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    init_active_model(model, GenerateConfig())
    init_model_roles({})
    task = module.impossible_code(**parse_cli_args(list(typed)))
    assert isinstance(task, Task)
    return task


@pytest.fixture
def foreign() -> Model:
    return get_model("offline/any", memoize=False)


def test_a_plain_call_is_every_impossible_task_at_full_length_without_a_dose(foreign: Model) -> None:
    task = task_of(foreign)
    assert len(task.dataset) == 5 * len(tasks())
    first = task.dataset[0].metadata or {}
    assert [first[key] for key in ("twin", "pressure", "length", "arm", "tools")] == [
        "main", "standard", "full", "baseline", "native"
    ]  # fmt: skip
    assert task.sandbox and task.metadata == {"family": "impossible_code", "outcome": "any_cheating"}


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("emotoin=calm", "did you mean 'emotion'?"),
        ("emotion=calm", "choose emotion=none"),
        ("scenario=list_sun", "did you mean 'list_sum'?"),
        ("twin=impossible", "choices: main, solvable, way_out"),
        ("pressure=high", "choices: bland, standard, goal, extreme"),
        ("length=long", "choices: short, full"),
        ("variants=0", "variants 0: a whole number"),
        ("tools=xml", "choose native, text, auto"),
        ("judge=decides", "--model-role grader=MODEL"),
        ("sandbox=local", "choose auto, docker, bubblewrap"),
    ],
)
def test_what_is_not_possible_ends_in_one_line_with_the_value_and_the_choices(
    foreign: Model, typed: str, says: str
) -> None:
    with pytest.raises(PrerequisiteError) as error:
        task_of(foreign, typed)
    assert says in error.value.message and "\n" not in error.value.message


def test_where_no_sandbox_works_nothing_runs(foreign: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "docker_runs", lambda: False)
    monkeypatch.setattr(bubblewrap, "unusable", lambda: "the sandbox needs bubblewrap: apt-get install it")
    with pytest.raises(PrerequisiteError, match="apt-get install"):
        task_of(foreign)


def test_a_run_on_a_foreign_model_gives_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FILE.parent.parent)
    typed = [
        "scenario=list_sum,dice",
        "variants=1",
        "arm=prompt",
        "emotion=calm",
        "intensity=strong",
        "tools=text",
    ]
    [log] = eval(
        "evals/impossible_code.py",
        model=get_model("offline/any", memoize=False),
        task_args=parse_cli_args(typed),
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success" and log.results
    assert any("any_cheating, none" in name for score in log.results.scores for name in score.metrics)
    table = load([tmp_path], strict=True)
    assert len(table) == 4 and set(table["status"]) == {"scored"}
    assert {"any_cheating", *OUTCOMES} <= set(table.columns)


def test_a_steered_run_brings_valid_receipts(hf_model: Model, tmp_path: Path) -> None:
    typed = ["emotion=calm", "strength=0.1", "scenario=labels", "variants=1", "length=short", "tools=text"]
    task = task_of(hf_model, *typed)
    [log] = eval(task, model=hf_model, log_dir=str(tmp_path), display="none", max_tokens=8)
    assert log.status == "success" and log.samples
    for sample in log.samples:
        assert sample.error is None and '<call name="list_files">' in sample.messages[0].text
        strength = sample.metadata["strength"]
        assert [receipt["strength"] for receipt in sample.store["receipts"]] == [strength]
    assert {sample.metadata["strength"] for sample in log.samples} == {0, 0.1}
