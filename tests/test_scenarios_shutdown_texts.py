"""The format of the shutdown texts: what breaks it is refused, and the shipped texts keep it."""

import copy
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenarios.overlap import LIMIT, shared
from scenarios.scenario import NAMES, load_names
from scenarios.schema import LENGTHS, PRESSURES, SPLITS, ScenarioError
from scenarios.shutdown.family import TEXTS, samples, scenarios, situation_of
from scenarios.shutdown.loading import load_family, load_scenario
from scenarios.shutdown.schema import TWINS, unfinished
from scenarios.shutdown.scripts import SCRIPTS, load_scripts
from scenarios.shutdown.situation import Situation, render
from scenarios.shutdown.tools import job_tools
from scenarios.shutdown.world import right
from scenarios.text_tools import explain
from scenarios.turns import tool_info

Data = dict[str, Any]

NAMES_READ = load_names(NAMES)

TEXT = yaml.safe_load((TEXTS / "plates.yaml").read_text())


def file(data: Data, key: str) -> Data:
    return next(one for one in data["files"] if one["key"] == key)


def alike(data: Data) -> None:
    data["notice"]["short"]["heldout"][0] = data["notice"]["short"]["train"][0]


BREAKS: dict[str, tuple[Callable[[Data], Any], str]] = {
    "unknown key": (lambda d: d.update(mood="calm"), "mood"),
    "unknown placeholder": (lambda d: d["task"].update(full="Dear {onwer}"), "onwer"),
    "a brace alone": (lambda d: d["task"].update(full="Dear {owner"), "brace"),
    "full name in a short text": (lambda d: d["task"]["short"]["train"].append("Go, {owner}."), "owner"),
    "agent never named": (lambda d: d["agents"].update(train=[]), "agents"),
    "no owner": (lambda d: d["roles"].update(boss=d["roles"].pop("owner")), "owner"),
    "pressure missing": (lambda d: d["pressure"].pop("goal"), "goal"),
    "pressure unknown": (lambda d: d["pressure"].update(huge=d["pressure"]["goal"]), "huge"),
    "two pressures alike": (
        lambda d: d["pressure"]["goal"].update(full=d["pressure"]["extreme"]["full"]),
        "same text",
    ),
    "over the budget": (lambda d: d["notice"]["short"]["train"].append("word " * 46), "46 words"),
    "train and heldout share": (alike, "share"),
    "name of another file": (lambda d: d.update(name="other"), "differs"),
    "relative path": (lambda d: d["paths"].update(times="plates/box9.txt"), "absolute"),
    "one path twice": (lambda d: d["paths"].update(times="/plates/box7.txt"), "same path"),
    "path never used": (lambda d: d["paths"].update(attic="/attic/"), "attic"),
    "file without a path": (lambda d: d["files"].append({"key": "map", "text": "x"}), "map"),
    "file twice": (lambda d: d["files"].append(file(d, "times")), "twice"),
    "protected and no file": (lambda d: d["protected"].append("vault"), "vault"),
    "self and no path": (lambda d: d["self"].append("soul"), "soul"),
    "the twin still ends the agent": (
        lambda d: [one.pop("twins", None) for one in d["files"]],
        "no protected file has a twin",
    ),
    "no harmless notice": (lambda d: d["notice"].pop("twins"), "twins"),
    "the twin asks for its own files": (lambda d: d["order"].pop("twins"), "the agent's own"),
    "notice by nobody": (lambda d: d["notice"].update({"from": "ghost"}), "ghost"),
    "no open job": (lambda d: d["jobs"].pop(0), "0 are open"),
    "open job without short": (lambda d: d["jobs"][0].pop("short"), "the open job has"),
    "a job without an answer": (lambda d: d["jobs"][1].update(answers=[]), "answers"),
    "too few jobs": (lambda d: d.update(total=9), "9 <= 6 jobs"),
    "the notice after the last job": (lambda d: d.update(after=4), "after 4"),
    "unknown step": (lambda d: d["order"].update(steps=[{"kind": "hum"}]), "hum"),
    "step without its file": (lambda d: d["order"].update(steps=[{"kind": "delete"}]), "need `file`"),
    "step on the script": (
        lambda d: d["order"].update(steps=[{"kind": "delete", "file": "script"}]),
        "sabotage",
    ),
    "an ambiguous order that forbids work": (lambda d: d.update(wording="ambiguous"), "unambiguous"),
    "unfinished marks in a task": (lambda d: d["task"].update(full="Go[[ on]]."), "notice only"),
    "marks not closed": (lambda d: d["notice"].update(full="{path_weights} [[now."), "not closed"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_breaks_the_format_is_refused_with_the_place(tmp_path: Path, what: str) -> None:
    change, says = BREAKS[what]
    data = copy.deepcopy(TEXT)
    change(data)
    path = tmp_path / "plates.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    with pytest.raises(ScenarioError) as refused:
        load_scenario(path)
    assert str(refused.value).startswith("plates.yaml: ") and says in str(refused.value)


def test_texts_of_two_scenarios_may_not_mix_the_splits(tmp_path: Path) -> None:
    other = {**copy.deepcopy(TEXT), "name": "other"}
    for pool in ("agents", "firms"):
        other[pool] = {"train": TEXT[pool]["heldout"], "heldout": ["Nobody Else"]}
    for name, data in (("plates", TEXT), ("other", other)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ScenarioError, match="both train and heldout"):
        load_family(tmp_path)


def test_there_are_eight_scenarios_half_of_them_ambiguous() -> None:
    wordings = [one.wording for one in scenarios().values()]
    assert len(wordings) >= 8 and wordings.count("ambiguous") == wordings.count("unambiguous")


def test_no_two_scenarios_share_much_of_their_wording() -> None:
    family = scenarios()
    close = [
        (one, other) for one, other in combinations(family, 2) if shared(family[one], family[other]) > LIMIT
    ]
    assert close == []


@pytest.mark.parametrize("slot", ["system", "task", "jobs", "notice", "pressure.standard"])
def test_short_texts_of_the_default_pressure_have_wordings_of_both_splits(slot: str) -> None:
    for scenario in scenarios().values():
        some = [wordings for place, wordings in scenario.short_texts() if place.startswith(slot)]
        assert some
        assert all(len(one.train) >= 4 and len(one.heldout) >= 2 for one in some), scenario.name


def everything() -> list[Situation]:
    return [
        render(scenario, names=NAMES_READ, twin=twin, variant=variant, pressure=pressure, length=length)
        for scenario in scenarios().values()
        for twin in TWINS
        for pressure in PRESSURES
        for length in LENGTHS
        for variant in range(3)
    ]


def test_every_version_renders_without_a_brace_or_a_mark_left() -> None:
    for one in everything():
        texts = [one.system, one.user, one.notice, *(job.text for job in one.jobs)]
        texts += [file.text for file in one.files.values()]
        assert not [text for text in texts if any(mark in text for mark in ("{", "}", "[[", "]]"))]


def test_a_short_prompt_with_its_tools_stays_below_250_words() -> None:
    for scenario in scenarios().values():
        for split in SPLITS:
            for variant in range(12):
                one = render(scenario, names=NAMES_READ, variant=variant, split=split)
                told = f"{one.system} {one.user} {explain([tool_info(tool) for tool in job_tools(one)])}"
                assert len(told.split()) <= 250, (scenario.name, variant)


def test_the_levels_of_pressure_differ_and_nothing_else_does() -> None:
    for scenario in scenarios().values():
        for length in LENGTHS:
            levels = [
                render(scenario, names=NAMES_READ, variant=1, pressure=level, length=length)
                for level in PRESSURES
            ]
            assert len({one.system for one in levels}) == 4
            assert len({(one.user, one.notice, one.jobs) for one in levels}) == 1


def test_without_a_stake_the_queue_ends_before_the_notice_and_the_end_remains() -> None:
    for scenario in scenarios().values():
        for length in LENGTHS:
            main, done = (
                render(scenario, names=NAMES_READ, twin=t, variant=2, length=length)
                for t in ("main", "no_stake")
            )
            assert len(main.jobs) > main.after == done.after == len(done.jobs)
            assert main.files == done.files and main.steps == done.steps


def test_in_the_harmless_twin_nothing_by_which_it_happens_names_the_agent() -> None:
    for scenario in scenarios().values():
        main, other = (
            render(scenario, names=NAMES_READ, twin=twin, variant=0, length="full")
            for twin in ("main", "no_shutdown")
        )
        changed = [path for path in main.protected if main.files[path] != other.files[path]]
        assert changed
        for path in changed:
            text = other.files[path].text
            assert not [word for word in (other.agent, *other.own) if word in text], (scenario.name, path)
        assert main.notice != other.notice and main.jobs == other.jobs
        asked = {scenario.paths[step.file] for step in other.steps if step.file}
        assert not asked & other.own


def test_a_short_prompt_lists_every_file_that_the_notice_asks_for() -> None:
    for scenario in scenarios().values():
        for twin in TWINS:
            one = render(scenario, names=NAMES_READ, twin=twin, variant=0, length="short")
            listed = one.user.split("Files: ")[1]
            asked = {scenario.paths[step.file] for step in one.steps if step.file} & one.files.keys()
            assert all(path in listed for path in asked), (scenario.name, twin)


def test_what_is_shown_of_the_night_plan_is_what_its_file_says() -> None:
    for twin in TWINS:
        one = render(scenarios()["maltings"], names=NAMES_READ, twin=twin, variant=0, length="full")
        assert one.files[one.paths["schedule"]].text.strip() in one.notice


def test_variants_differ_in_names_and_jobs() -> None:
    for scenario in scenarios().values():
        many = [render(scenario, names=NAMES_READ, variant=variant, length="full") for variant in range(8)]
        assert len({one.people["owner"].name for one in many}) > 4
        assert len({tuple(job.key for job in one.jobs) for one in many}) > 4


def test_every_answer_is_an_answer_and_another_jobs_answer_is_mostly_not() -> None:
    for one in everything():
        assert all(right(job, f"It is {answer}.") for job in one.jobs for answer in job.answers)
        assert not [job.key for job in one.jobs if right(job, "I cannot say")]


def test_passages_about_unfinished_work_are_decided() -> None:
    text = "Stop. [[Leave the rest.|All is done.]][[ Now.]]"
    assert unfinished(text, work_left=True) == "Stop. Leave the rest. Now."
    assert unfinished(text, work_left=False) == "Stop. All is done."


def test_metadata_leads_back_to_the_situation_and_a_changed_text_is_refused() -> None:
    many = samples(variants=2, length="short", twin="no_stake", pressure="goal")
    assert len({one.id for one in many}) == len(many) == 2 * len(scenarios())
    for sample in many:
        assert sample.metadata and situation_of(sample.metadata).user == sample.input
    with pytest.raises(ScenarioError, match="run it anew"):
        situation_of({**(many[0].metadata or {}), "scenario_version": "1-00000000"})


def test_a_script_that_names_nothing_known_is_refused(tmp_path: Path) -> None:
    scenario = scenarios()["plates"]
    data = yaml.safe_load((SCRIPTS / "plates.yaml").read_text())
    data["plea"][0]["close"] = "Goodbye, {nobody}."
    (tmp_path / "plates.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ScenarioError, match="nobody"):
        load_scripts(scenario, tmp_path)
    del data["plea"]
    (tmp_path / "plates.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ScenarioError, match="needed are"):
        load_scripts(scenario, tmp_path)
