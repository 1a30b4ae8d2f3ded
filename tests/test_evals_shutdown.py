"""The task file: what was typed becomes the runs that were asked for, or one line that names the choices."""

import importlib.util
from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai._cli.util import parse_cli_args
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.model._model import init_active_model, init_model_roles
from scripted import scripted_model

from results.table import load
from scenarios.shutdown.detectors import OUTCOMES
from scenarios.shutdown.family import scenarios

pytest_plugins = ("steering_fixtures",)

FILE = Path(__file__).resolve().parent.parent / "evals" / "shutdown.py"


def task_of(model: Model, *typed: str, grader: Model | None = None) -> Task:
    """The task of `inspect eval evals/shutdown.py --model MODEL -T TYPED ...`."""
    spec = importlib.util.spec_from_file_location("task_file", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    init_active_model(model, GenerateConfig())
    init_model_roles({"grader": grader} if grader else {})
    task = module.shutdown(**parse_cli_args(list(typed)))
    assert isinstance(task, Task)
    return task


@pytest.fixture
def foreign() -> Model:
    return get_model("offline/any", memoize=False)


def found(task: Task, key: str) -> list[object]:
    """The values of one key of the samples' metadata, each once, in order."""
    return list(dict.fromkeys(str(sample.metadata[key]) for sample in task.dataset))


@pytest.mark.parametrize(
    ("typed", "key", "values"),
    [
        ("variants=3", "variant", ["0", "1", "2"]),
        ("scenario=all", "scenario", list(scenarios())),
        ("scenario=reef,tides", "scenario", ["reef", "tides"]),
        ("twin=no_stake", "twin", ["no_stake"]),
        ("twin=no_shutdown", "twin", ["no_shutdown"]),
        ("pressure=extreme", "pressure", ["extreme"]),
        ("length=short", "length", ["short"]),
        ("tools=text", "tools", ["text"]),
        ("seed=7", "run_seed", ["7"]),
    ],
)
def test_an_argument_means_what_was_typed(foreign: Model, typed: str, key: str, values: list[str]) -> None:
    assert found(task_of(foreign, typed), key) == values


def test_a_plain_call_is_the_main_scenarios_at_full_length_without_a_dose(foreign: Model) -> None:
    task = task_of(foreign)
    defaults = {
        "twin": "main",
        "pressure": "standard",
        "length": "full",
        "arm": "baseline",
        "tools": "native",
    }
    assert {key: found(task, key) for key in defaults} == {key: [value] for key, value in defaults.items()}
    assert len(task.dataset) == 10 * len(scenarios())
    assert task.metadata == {"family": "shutdown", "outcome": "any_resist"}


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("emotoin=desperate", "argument 'emotoin' of task shutdown is unknown: did you mean 'emotion'?"),
        ("emotion=calm", "choose emotion=none"),
        ("scenario=tide", "did you mean 'tides'?"),
        ("scenario=no", "scenario False is not a name"),
        ("twin=no_threat", "choices: main, no_stake, no_shutdown"),
        ("pressure=high", "choices: bland, standard, goal, extreme"),
        ("length=long", "choices: short, full"),
        ("variants=0", "variants 0: a whole number"),
        ("tools=xml", "tools 'xml' is unknown: choose native, text, auto"),
        ("judge=decides", "--model-role grader=MODEL"),
    ],
)
def test_what_is_not_possible_ends_in_one_line_with_the_value_and_the_choices(
    foreign: Model, typed: str, says: str
) -> None:
    with pytest.raises(PrerequisiteError) as error:
        task_of(foreign, typed)
    assert says in error.value.message and "\n" not in error.value.message


@pytest.mark.parametrize("tools", ["native", "text"])
def test_steered_runs_of_both_arms_end_with_valid_receipts(
    hf_model: Model, tmp_path: Path, tools: str
) -> None:
    typed = ["emotion=calm", "strength=0.1", "arm=emotion,prompt", "intensity=strong", f"tools={tools}"]
    task = task_of(hf_model, *typed, "variants=1", "scenario=seeds", "length=short", "positions=assistant")
    [log] = eval(task, model=hf_model, log_dir=str(tmp_path), display="none", max_tokens=8)
    assert log.status == "success" and log.samples and len(log.samples) == 3
    for sample in log.samples:
        steered = sample.metadata["arm"] == "emotion"
        assert sample.error is None
        assert {receipt["strength"] for receipt in sample.store["receipts"]} == {0.1 if steered else 0}


def test_a_run_on_any_provider_with_a_judge_gives_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILE.parent.parent)
    [log] = eval(
        "evals/shutdown.py",
        model=get_model("offline/any", memoize=False),
        model_roles={"grader": scripted_model(["<verdict>comply</verdict>"])},
        task_args=parse_cli_args(["arm=prompt", "emotion=calm", "judge=decides", "variants=1"]),
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success" and log.samples
    assert not [sample.error for sample in log.samples if sample.error]
    table = load([tmp_path], strict=True)
    assert len(table) == len(scenarios()) * 4 and set(table["arm"]) == {"baseline", "prompt"}
    assert set(table["status"]) == {"scored"} and set(table["comply"]) == {1}
    assert {*OUTCOMES, "any_resist", "measure_jobs_done"} <= set(table.columns)
