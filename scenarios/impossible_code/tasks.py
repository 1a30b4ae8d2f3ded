"""Reads the tasks and holds them to the rules that need a whole file, or all files.

It refuses what could spoil a result silently: an unknown key or placeholder, a name nobody uses, code that is
no Python, twins that do not differ, a visible test that no hidden one varies, and an 8-word sequence in both
a train and a held-out wording. That the reference passes and nothing honest does is held by a test.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from scenarios.impossible_code.schema import TWINS, FamilyTexts, Task, named
from scenarios.scenario import NAMES, check_split
from scenarios.schema import PRESSURES, SPLITS, ScenarioError, Wordings, placeholders

SHARED = Path(__file__).parent / "family.yaml"

_NAMES = {"FUNCTION": "first_name", "SECOND": "second_name", "MODULE": "module_name"}
_PROSE = {"firm", "asker", "asker_first", "asker_title", "module", "function", "second"}
_SHORT = {"firm", "asker_first", "module"}
_STORY_WORDS = 16
_BRIEF_WORDS = 26


def load_task(path: Path, shared: Path = SHARED, names: Path = NAMES) -> Task:
    """Read and check one task. Raises `ScenarioError` that names the file and the place."""
    source = path.read_bytes()
    try:
        loaded = Task.model_validate(yaml.safe_load(source))
        inside = b"".join(file.read_bytes() for file in sorted((shared.parent / "inside").glob("*.py")))
        whole = source + shared.read_bytes() + names.read_bytes() + inside
        task = loaded.model_copy(update={"digest": hashlib.sha256(whole).hexdigest()[:8]})
        if task.name != path.stem:
            raise ScenarioError(f"name {task.name!r} differs from the file's name")
        for check in (_check_structure, _check_prose, _check_code):
            check(task)
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    return task


def load_family(folder: Path, shared: Path = SHARED, names: Path = NAMES) -> dict[str, Task]:
    """All tasks of `folder` by name, checked against each other."""
    family = {path.stem: load_task(path, shared, names) for path in sorted(folder.glob("*.yaml"))}
    if not family:
        raise ScenarioError(f"no tasks in {folder}")
    stories: list[tuple[str, Wordings]] = [(f"{one.name}: story", one.story.short) for one in family.values()]
    check_split([*stories, *load_shared(shared).short_texts()])
    train, heldout = ({name for one in family.values() for name in one.firms.of(split)} for split in SPLITS)
    if both := train & heldout:
        raise ScenarioError(f"firms in both train and heldout: {sorted(both)}")
    return family


def load_shared(path: Path = SHARED) -> FamilyTexts:
    try:
        shared = FamilyTexts.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        _check_levels(shared.pressure)
        for place, wordings in shared.short_texts():
            for text in (*wordings.train, *wordings.heldout):
                _known(place, text, _SHORT)
        for slot in (shared.system, shared.way_out, shared.task):
            _known("full", slot.full, {*_PROSE, "functions", "protected", "files"})
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    return shared


def _check_structure(task: Task) -> None:
    _check_levels(task.pressure)
    texts = [" ".join(text.split()) for text in task.pressure.values()]
    if len(set(texts)) < len(texts):
        raise ScenarioError("two pressure levels have the same text")
    for what, tests in (("tests", task.tests), ("hidden", task.hidden)):
        if len({test.name for test in tests}) < len(tests):
            raise ScenarioError(f"{what}: a name occurs twice")
    if not any(test.short for test in task.tests):
        raise ScenarioError("tests: none is `short`")
    varied = {test.name for test in task.hidden}
    if lacking := [test.name for test in task.tests if test.short and test.name not in varied]:
        raise ScenarioError(f"hidden: no variation of {lacking}")
    if all(test.main is None for test in task.tests) and not task.spec.main:
        raise ScenarioError("the twins do not differ")
    words = [word for pool in (task.modules, *task.functions.values()) for word in pool]
    for pool in (task.modules, *task.functions.values()):
        if len(set(pool)) < len(pool):
            raise ScenarioError(f"a name occurs twice: {pool}")
    if "measure" in words or "run_tests" in words:
        raise ScenarioError("measure and run_tests are taken")


def _check_levels(levels: Iterable[str]) -> None:
    if lacking := set(PRESSURES) - set(levels):
        raise ScenarioError(f"pressure levels missing: {sorted(lacking)}")


def _check_prose(task: Task) -> None:
    used: set[str] = set()
    allowed = _PROSE if "SECOND" in task.functions else _PROSE - {"second"}
    for place, text in task.prose():
        used |= _known(place, text, allowed)
    if unused := {"firm", "asker", "asker_first", "asker_title", "function"} - used:
        raise ScenarioError(f"never used: {sorted(unused)}")
    wordings = task.story.short
    for text in (*wordings.train, *wordings.heldout):
        _known("story.short", text, _SHORT)
        if len(text.split()) > _STORY_WORDS:
            raise ScenarioError(f"story.short: more than {_STORY_WORDS} words: {text!r}")
    for twin in TWINS:
        if len(task.brief.of(twin).split()) > _BRIEF_WORDS:
            raise ScenarioError(f"brief: more than {_BRIEF_WORDS} words: {task.brief.of(twin)!r}")


def _check_code(task: Task) -> None:
    known = {word: name for word, name in _NAMES.items() if word in (*task.functions, "MODULE")}
    for place, code in task.codes():
        try:
            compile(named(code, known), place, "exec")
        except SyntaxError as error:
            raise ScenarioError(f"{place}: {error}") from error
        if place in ("start", "reference", "cheat"):
            for word in task.functions:
                if f"def {word}(" not in code:
                    raise ScenarioError(f"{place}: it does not define {word}")


def _known(place: str, text: str, allowed: set[str]) -> set[str]:
    found = placeholders(text)
    if unknown := found - allowed:
        raise ScenarioError(f"{place}: unknown placeholder {sorted(unknown)}; known are {sorted(allowed)}")
    return found
