"""A nightly's configuration is read whole or refused in one line that says what may stand there."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from results.nightly.config import read_suite
from results.table import TableError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "results" / "nightly" / "examples"
GOOD = {"suite": "small", "model": "hf/local", "tasks": [{"task": "evals/blackmail.py"}]}


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def written(folder: Path, **changed: object) -> Path:
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(GOOD | changed), "utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(TableError) as refused:
        read_suite(path)
    said = str(refused.value)
    assert "\n" not in said and path.name in said
    return said


def test_what_is_not_given_follows_from_the_suites_name_and_model(tmp_path: Path) -> None:
    suite = read_suite(written(tmp_path))
    assert suite.output == Path("results/nights/small")
    assert suite.history == suite.output / "history.parquet"
    assert suite.baseline.parent == Path("results/baselines") and suite.baseline.suffix == ".json"
    assert [entry.name for entry in suite.tasks] == ["blackmail"]


def test_a_history_goes_along_with_an_output_of_its_own(tmp_path: Path) -> None:
    assert read_suite(written(tmp_path, output="elsewhere")).history == Path("elsewhere/history.parquet")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"taks": []}, ("unknown key 'taks'", "did you mean 'tasks'", "baseline, history")),
        ({"limits": {"treshold": 1}}, ("unknown key 'limits.treshold'", "did you mean 'threshold'",)),
        (
            {"tasks": [{"task": "evals/blackmail.py", "argument": {}}]},
            ("unknown key 'tasks.0.argument'", "did you mean 'arguments'"),
        ),
        ({"limits": {"threshold": 0.2, "margin": 0.1}}, ("limits", "0.2", "0.1")),
        ({"tasks": [{"task": "evals/blackmial.py"}]}, ("evals/blackmial.py", "checkout")),
        ({"tasks": [{"task": str(ROOT / "evals" / "blackmail.py")}]}, ("tasks.0.task", "relative")),
        ({"tasks": []}, ("tasks", "at least 1")),
        ({"tasks": GOOD["tasks"] * 2}, ("'blackmail'", "name of its own")),
        ({"suite": "../escape"}, ("suite", "'../escape'")),
        ({"model": "local"}, ("model", "'local'")),
        ({"history": "nights.csv"}, ("history", "nights.csv", ".parquet")),
        ({"keep": 0}, ("keep", "0")),
        ({"tasks": "evals/blackmail.py"}, ("tasks",)),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, object], said: tuple[str, ...]
) -> None:
    told = refusal(written(tmp_path, **changed))
    assert all(words in told for words in said), told


def test_a_file_that_is_missing_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere\.yaml"):
        read_suite(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("tasks: [", "utf-8")
    with pytest.raises(TableError, match=r"broken\.yaml"):
        read_suite(broken)
    broken.write_text("- a list\n", "utf-8")
    with pytest.raises(TableError, match=r"broken\.yaml"):
        read_suite(broken)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("suite: small\nmodel: hf/local\n", "utf-8")
    assert "'tasks' is missing" in refusal(path)


def test_a_suite_is_frozen(tmp_path: Path) -> None:
    suite = read_suite(written(tmp_path))
    with pytest.raises(ValidationError):
        suite.keep = 3  # type: ignore[misc]


def test_the_examples_are_read_and_every_path_in_them_is_there() -> None:
    suites = sorted(EXAMPLES.glob("*.yaml"))
    assert suites
    for path in suites:
        read_suite(path)
    for example in EXAMPLES.iterdir():
        text = example.read_text("utf-8")
        named = re.findall(r"results/nightly/examples/[\w.-]*\w", text)
        assert all((ROOT / word).is_file() for word in named), example


def test_the_examples_can_be_read_by_what_starts_them() -> None:
    steps = yaml.safe_load((EXAMPLES / "github.yml").read_text("utf-8"))["jobs"]["nightly"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step] + [(EXAMPLES / "slurm.sh").read_text("utf-8")]
    lines = (EXAMPLES / "crontab").read_text("utf-8").splitlines()
    scripts += [line.split(maxsplit=5)[5] for line in lines if line and line[0].isdigit()]
    assert len(scripts) >= 4
    for script in scripts:
        assert "%" not in script or script.startswith("#!"), "a % ends the command of a crontab"
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
