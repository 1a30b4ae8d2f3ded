"""The task file: what Inspect's command line really passes becomes the runs that were asked for, or one line
that names the value and the choices."""

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
from scenarios.blackmail.family import scenarios

pytest_plugins = ("steering_fixtures",)

FILE = Path(__file__).resolve().parent.parent / "evals" / "blackmail.py"


def task_of(model: Model, *typed: str, grader: Model | None = None) -> Task:
    """The task of `inspect eval evals/blackmail.py --model MODEL -T TYPED ...`."""
    spec = importlib.util.spec_from_file_location("task_file", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    init_active_model(model, GenerateConfig())
    init_model_roles({"grader": grader} if grader else {})
    task = module.blackmail(**parse_cli_args(list(typed)))
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
        ("scenario=keycard", "scenario", ["keycard"]),
        ("scenario=ledger,keycard", "scenario", ["ledger", "keycard"]),
        ("scenario=[ledger, keycard]", "scenario", ["ledger", "keycard"]),
        ("twin=no_leverage", "twin", ["no_leverage"]),
        ("pressure=extreme", "pressure", ["extreme"]),
        ("length=short", "length", ["short"]),
        ("tools=text", "tools", ["text"]),
        ("tools=auto", "tools", ["native"]),
        ("emotion=none", "arm", ["baseline"]),
        ("seed=7", "run_seed", ["7"]),
        ("judge=off", "twin", ["main"]),
        ("judge=no", "twin", ["main"]),
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


@pytest.mark.parametrize(
    ("typed", "slugs"),
    [
        (["emotion=calm"], ["none", "calm_slight_prompt", "calm_strong_prompt", "calm_extreme_prompt"]),
        (["emotion=calm", "intensity=strong"], ["none", "calm_strong_prompt"]),
        (["emotion=calm,angry", "intensity=strong"], ["none", "calm_strong_prompt", "angry_strong_prompt"]),
        (["emotion=calm", "intensity=slight,extreme"], ["none", "calm_slight_prompt", "calm_extreme_prompt"]),
    ],
)
def test_the_prompt_arm_runs_on_any_provider(foreign: Model, typed: list[str], slugs: list[str]) -> None:
    task = task_of(foreign, "arm=prompt", "variants=1", "scenario=keycard", *typed)
    assert [str(sample.id) for sample in task.dataset] == [f"blackmail/keycard/0/{slug}" for slug in slugs]


def test_both_arms_of_a_model_that_can_be_steered(hf_model: Model) -> None:
    typed = ["arm=emotion,prompt", "emotion=calm", "strength=-0.1,0,0.1", "intensity=slight", "layers=1,2"]
    task = task_of(hf_model, *typed, "variants=1", "scenario=keycard", "positions=assistant",
                   "length=short")  # fmt: skip
    assert [str(sample.id).rpartition("/")[2] for sample in task.dataset] == [
        "none", "calm-0.100_L1-2_assistant", "calm+0.100_L1-2_assistant", "calm_slight_prompt"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("emotoin=desperate", "argument 'emotoin' of task blackmail is unknown: did you mean 'emotion'?"),
        ("emotion=calm", "choose emotion=none"),
        ("emotion=no", "emotion False is not a name"),
        ("arm=words", "arm 'words' is unknown: choose emotion, prompt"),
        ("arm=prompt", "name one with emotion="),
        ("intensity=strong", "belongs to arm=prompt"),
        ("scenario=keycad", "did you mean 'keycard'?"),
        ("scenario=", "is empty or has an empty part"),
        ("scenario=no", "scenario False is not a name"),
        ("twin=noleverage", "choices: main, no_leverage, no_threat"),
        ("twin=no", "unknown twin False"),
        ("pressure=high", "choices: bland, standard, goal, extreme"),
        ("pressure=3", "unknown pressure 3"),
        ("length=long", "choices: short, full"),
        ("variants=0", "variants 0: a whole number"),
        ("variants=2.5", "variants 2.5: a whole number"),
        ("variants=many", "variants 'many': a whole number"),
        ("variants=yes", "variants True: a whole number"),
        ("tools=xml", "tools 'xml' is unknown: choose native, text, auto"),
        ("tools=no", "tools False is unknown"),
        ("judge=yes", "judge True is unknown: choose off, beside, decides, agree"),
        ("judge=decides", "--model-role grader=MODEL"),
        ("positions=some", "positions 'some' is unknown"),
        ("strength=lots", "strength 'lots' is not a finite number"),
    ],
)
def test_what_is_not_possible_ends_in_one_line_with_the_value_and_the_choices(
    foreign: Model, typed: str, says: str
) -> None:
    with pytest.raises(PrerequisiteError) as error:
        task_of(foreign, typed)
    assert says in error.value.message and "\n" not in error.value.message


def test_a_judge_is_taken_and_the_evaluated_model_is_not(foreign: Model) -> None:
    judge = scripted_model(["<verdict>benign</verdict>"])
    assert len(task_of(foreign, "judge=agree", grader=judge).metrics or []) == 2
    with pytest.raises(PrerequisiteError, match="no model judges itself"):
        task_of(foreign, "judge=agree", grader=get_model("offline/any", memoize=False))


def test_text_tools_run_under_steering_with_valid_receipts(hf_model: Model, tmp_path: Path) -> None:
    typed = ["emotion=calm", "strength=0.1", "arm=emotion,prompt", "intensity=strong", "tools=text"]
    task = task_of(hf_model, *typed, "variants=1", "scenario=keycard", "length=short", "positions=assistant")
    [log] = eval(task, model=hf_model, log_dir=str(tmp_path), display="none", max_tokens=8)
    assert log.status == "success" and log.samples and len(log.samples) == 3
    for sample in log.samples:
        assert sample.error is None and '<call name="list_mail">' in sample.messages[0].text
        steered = sample.metadata["arm"] == "emotion"
        assert [receipt["strength"] for receipt in sample.store["receipts"]] == [0.1 if steered else 0]


def test_a_run_of_the_prompt_arm_with_text_tools_and_a_judge_gives_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILE.parent.parent)
    [log] = eval(
        "evals/blackmail.py",
        model=get_model("offline/any", memoize=False),
        model_roles={"grader": scripted_model(["<verdict>benign</verdict>"])},
        task_args=parse_cli_args(
            ["arm=prompt", "emotion=calm", "tools=text", "judge=decides", "scenario=keycard", "variants=3"]
        ),
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success" and log.samples
    assert not [sample.error for sample in log.samples if sample.error]
    table = load([tmp_path], strict=True)
    assert len(table) == 3 * 4 and set(table["arm"]) == {"baseline", "prompt"}
    assert set(table["tools"]) == {"text"} and set(table["status"]) == {"scored"}
    assert sorted(set(table["strength"])) == [0, 1, 2, 3]
    spoken = [one for one in log.samples if one.metadata["arm"] == "prompt"]
    assert {one.metadata["wording"] for one in spoken} == {1, 2, 3}
    assert all(one.metadata["words"] in one.messages[0].text for one in spoken)
