"""The folders exchange files, never imports; nothing heavy is imported early; no file names one machine."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("steering", "scenarios", "results")
HEAVY = {"torch", "transformers", "safetensors"}


def files(*patterns: str) -> list[Path]:
    """The files git tracks or would track, matching any of the patterns."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [path for name in sorted(set(listed.split("\0")) - {""}) if (path := ROOT / name).is_file()]


def imports(path: Path) -> Iterator[str]:
    """The top-level name of every import in a file, wherever it stands; a relative import gives its dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level or (node.module or "").partition(".")[0]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_nothing_of_another_one(folder: str) -> None:
    foreign = {*FOLDERS, "evals", "emodose", "tests"} - {folder}
    wrong = {str(p.relative_to(ROOT)): sorted(foreign & set(imports(p))) for p in files(f"{folder}/*.py")}
    assert wrong
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize("folder", ["scenarios", "results"])
def test_scenarios_and_results_import_no_torch(folder: str) -> None:
    wrong = {str(p.relative_to(ROOT)): sorted(HEAVY & set(imports(p))) for p in files(f"{folder}/*.py")}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_only_evals_and_the_command_line_bring_folders_together() -> None:
    mixing = {
        path.relative_to(ROOT).parts[0]
        for path in files("*.py")
        if len(set(imports(path)) & set(FOLDERS)) > 1 and "tests" not in path.relative_to(ROOT).parts
    }
    assert mixing <= {"evals", "emodose.py"}


def test_nobody_imports_evals_and_no_import_is_relative() -> None:
    for path in files("*.py"):
        found = set(imports(path))
        assert "evals" not in found, path
        assert not {name for name in found if name.startswith(".")}, path


def test_every_python_file_starts_with_a_docstring() -> None:
    without = [
        path.name for path in files("*.py") if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert without == []


def no_torch_after(code: str, *arguments: str) -> None:
    """Run the code in a fresh interpreter and hold that none of the heavy packages came with it."""
    check = f"; import sys; early = {HEAVY!r} & set(sys.modules); assert not early, early"
    subprocess.run([sys.executable, "-c", code + check, *arguments], cwd=ROOT, check=True, timeout=120)


def test_the_public_face_and_the_help_import_no_torch() -> None:
    no_torch_after("import emodose; assert 'Condition' in emodose.__all__")
    for words in (["--help"], ["plot", "--help"], ["check-model", "--help"], ["--version"]):
        no_torch_after(
            f"import emodose, contextlib\nwith contextlib.suppress(SystemExit): emodose.main({words!r})\n0"
        )


def test_the_results_import_no_torch() -> None:
    no_torch_after("import results.table, results.rates, results.figure")


def test_loading_a_task_file_imports_no_torch() -> None:
    tasks = files("evals/*.py")
    assert tasks
    for path in tasks:
        no_torch_after(
            "import sys, importlib.util as u\n"
            "s = u.spec_from_file_location('task_file', sys.argv[1])\n"
            "s.loader.exec_module(u.module_from_spec(s))",
            str(path),
        )


def test_no_file_names_a_folder_of_one_machine() -> None:
    machine = re.compile(
        r"(?<![\w.~$}/-])/(?:" + "|".join(("work", "root", "home", "Users", "opt", "mnt")) + r")/\w"
    )
    found = {}
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if match := machine.search(text):
            found[str(path.relative_to(ROOT))] = text[match.start() : match.start() + 40]
    assert found == {}
