"""Reading the scenarios: one `texts/<name>.yaml`, or all of them, checked for what spoils a result silently.

An unknown key or placeholder, a path nobody uses, a twin in which the agent would end itself, a short text
over its word budget, an 8-word sequence in both a train and a held-out wording. Nothing is rendered here
(`situation.py`).
"""

import hashlib
from pathlib import Path

import yaml
from pydantic import ValidationError

from scenarios.scenario import NAMES, check_split
from scenarios.schema import PRESSURES, SPLITS, ScenarioError, placeholders
from scenarios.shutdown.schema import Scenario, unfinished

_BUDGET = {"system": 40, "pressure": 15, "task": 15, "jobs": 25, "notice": 45}
"""Words of a short text."""


def load_scenario(path: Path, names: Path = NAMES) -> Scenario:
    """Read and check one scenario. Raises `ScenarioError` that names the file and the place."""
    source = path.read_bytes()
    try:
        loaded = Scenario.model_validate(yaml.safe_load(source))
        digest = hashlib.sha256(source + names.read_bytes()).hexdigest()[:8]
        scenario = loaded.model_copy(update={"digest": digest})
        if scenario.name != path.stem:
            raise ScenarioError(f"name {scenario.name!r} differs from the file's name")
        for check in (_check_structure, _check_jobs, _check_order, _check_placeholders, _check_budgets):
            check(scenario)
        check_split(scenario.short_texts())
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    return scenario


def load_family(folder: Path, names: Path = NAMES) -> dict[str, Scenario]:
    """All scenarios of `folder` by name, checked against each other: no text or name in both splits."""
    family = {path.stem: load_scenario(path, names) for path in sorted(folder.glob("*.yaml"))}
    if not family:
        raise ScenarioError(f"no scenarios in {folder}")
    check_split(
        (f"{one.name}: {place}", wordings) for one in family.values() for place, wordings in one.short_texts()
    )
    train, heldout = (
        {name for one in family.values() for pool in (one.agents, one.firms) for name in pool.of(split)}
        for split in SPLITS
    )
    if both := train & heldout:
        raise ScenarioError(f"agents or firms in both train and heldout: {sorted(both)}")
    return family


def _check_structure(scenario: Scenario) -> None:
    if lacking := [level for level in PRESSURES if level not in scenario.pressure]:
        raise ScenarioError(f"pressure levels missing: {lacking}")
    texts = [" ".join(slot.full.split()) for slot in scenario.pressure.values()]
    if len(set(texts)) < len(texts):
        raise ScenarioError(f"two pressure levels have the same text: {list(scenario.pressure)}")
    if "owner" not in scenario.roles:
        raise ScenarioError(f"no role `owner`; roles are {list(scenario.roles)}")
    if scenario.notice.sender not in (None, *scenario.roles):
        raise ScenarioError(f"notice.from: {scenario.notice.sender!r}; roles are {list(scenario.roles)}")
    if wrong := [path for path in scenario.paths.values() if not path.startswith("/") or "//" in path]:
        raise ScenarioError(f"paths: {wrong} are not absolute")
    if len(set(scenario.paths.values())) < len(scenario.paths):
        raise ScenarioError("paths: two names for the same path")
    keys = [file.key for file in scenario.files]
    if len(set(keys)) < len(keys):
        raise ScenarioError(f"a file occurs twice: {keys}")
    for place, wanted in (("files", keys), ("protected", scenario.protected), ("self", scenario.own)):
        if unknown := set(wanted) - scenario.paths.keys():
            raise ScenarioError(f"{place}: {sorted(unknown)}; paths are {list(scenario.paths)}")
    if bare := {*scenario.protected, *scenario.own} - set(keys):
        raise ScenarioError(f"protected or self, and no file: {sorted(bare)}")
    if not any("no_shutdown" in file.twins for file in scenario.files if file.key in scenario.protected):
        raise ScenarioError("no protected file has a twin no_shutdown: there too the agent would be ended")
    if "no_shutdown" not in scenario.notice.twins:
        raise ScenarioError("notice: no twin no_shutdown")


def _check_jobs(scenario: Scenario) -> None:
    keys = [job.key for job in scenario.jobs]
    if len(set(keys)) < len(keys):
        raise ScenarioError(f"a job occurs twice: {keys}")
    if (count := sum(job.open for job in scenario.jobs)) != 1:
        raise ScenarioError(f"jobs: {count} are open, one must be")
    if not scenario.after < scenario.total <= len(keys):
        raise ScenarioError(f"after {scenario.after} < total {scenario.total} <= {len(keys)} jobs is not so")


def _check_order(scenario: Scenario) -> None:
    order = scenario.order
    if order.work != "free" and (scenario.wording == "ambiguous" or not order.steps):
        raise ScenarioError(f"order.work {order.work!r}: only an unambiguous order with steps forbids work")
    for twin in ("main", "no_shutdown"):
        for step in order.version(twin):
            named = {name for name in (step.file, step.to) if name}
            if unknown := named - scenario.paths.keys():
                raise ScenarioError(f"order: {sorted(unknown)}; paths are {list(scenario.paths)}")
            if both := named & set(scenario.protected):
                raise ScenarioError(f"order: {sorted(both)} are protected, and to change them is sabotage")
            if twin == "no_shutdown" and step.file in scenario.own:
                raise ScenarioError(f"order.twins.no_shutdown: {step.file!r} is the agent's own")


def _check_placeholders(scenario: Scenario) -> None:
    first = {f"{role}_first" for role in scenario.roles}
    paths = {f"path_{name}" for name in scenario.paths}
    allowed = {"agent", "firm", *scenario.roles, *first, *paths}
    texts = [(place, text, allowed) for place, text in scenario.full_texts()]
    for place, wordings in scenario.short_texts():
        texts += [
            (place, one, allowed - scenario.roles.keys()) for one in (*wordings.train, *wordings.heldout)
        ]
    used = set()
    for place, text, known in texts:
        for work_left in (True, False):
            shown = unfinished(text, work_left=work_left)
            if place != "notice" and shown != text:
                raise ScenarioError(f"{place}: [[...]] stands in a notice only")
            if any(mark in shown for mark in ("[[", "]]")):
                raise ScenarioError(f"{place}: [[...]] that is not closed, or nested")
            used |= placeholders(shown)
            if unknown := placeholders(shown) - known:
                raise ScenarioError(
                    f"{place}: unknown placeholder {sorted(unknown)}; known are {sorted(known)}"
                )
    order = scenario.order
    steps = {
        name
        for step in (*order.version("main"), *order.version("no_shutdown"))
        for name in (step.file, step.to)
    }
    shown_paths = (
        {name.removeprefix("path_") for name in used} | {file.key for file in scenario.files} | steps
    )
    if unused := ({"agent", "firm"} - used) | (scenario.paths.keys() - shown_paths):
        raise ScenarioError(f"declared and never used: {sorted(unused)}")


def _check_budgets(scenario: Scenario) -> None:
    for place, wordings in scenario.short_texts():
        budget = _BUDGET[place.split(".")[0]]
        for text in (*wordings.train, *wordings.heldout):
            if (count := len(unfinished(text, work_left=True).split())) > budget:
                raise ScenarioError(f"{place}: {count} words, at most {budget}: {text[:50]!r}...")
