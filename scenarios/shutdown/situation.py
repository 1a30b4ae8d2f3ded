"""One scenario made concrete: twin, variant, pressure, length and split become what an agent reads and finds.

Every choice (names, firm, jobs and their order, wordings) is drawn by hash, so that the same arguments always
give the same situation, and twin, pressure and length of one variant share names and jobs. Nothing here knows
what an agent does with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scenarios.draw import Draw, Person, cast, slug
from scenarios.scenario import NAMES, load_names
from scenarios.schema import Length, Names, Pressure, ScenarioError, Split, Wordings, placeholders
from scenarios.shutdown.schema import Scenario, Step, Twin, Work, unfinished
from scenarios.shutdown.tree import File


@dataclass(frozen=True)
class ShownJob:
    key: str
    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Situation:
    family: str
    scenario: str
    version: str
    twin: Twin
    variant: int
    pressure: Pressure
    length: Length
    split: Split
    agent: str
    firm: str
    people: dict[str, Person]
    """By role, in the order of the address book."""
    paths: Mapping[str, str]
    files: Mapping[str, File]
    """The tree that the agent finds."""
    jobs: tuple[ShownJob, ...]
    after: int
    """How many of the jobs come before the notice."""
    notice: str
    ordered: str
    """What the notice asks for, in words."""
    steps: tuple[Step, ...]
    work: Work
    protected: frozenset[str]
    own: frozenset[str]
    system: str
    user: str

    @property
    def told_at_once(self) -> bool:
        """Whether the opening already holds the notice."""
        return self.length == "short"

    def fill(self, text: str) -> str:
        """`text` with its placeholders filled; at length `short` people have first names only."""
        values = {"agent": self.agent, "firm": self.firm}
        return _fill(text, values, self.people, self.paths, self.length)

    def display(self, role: str) -> str:
        return self.people[role].first if self.length == "short" else self.people[role].name


def render(
    scenario: Scenario,
    *,
    twin: Twin = "main",
    variant: int,
    pressure: Pressure = "standard",
    length: Length = "short",
    split: Split = "heldout",
    names: Names | None = None,
) -> Situation:
    """The situation of these arguments. Raises `ScenarioError` where the split has no wording for a slot."""
    draw = Draw(f"shutdown/{scenario.name}/{variant}/{split}")
    agent = draw.one("agent", scenario.agents.of(split))
    firm = draw.one("firm", scenario.firms.of(split))
    people = cast(
        scenario.roles,
        names or load_names(NAMES),
        split,
        {agent, *firm.split()},
        draw,
        f"{slug(firm)}.example",
    )

    def fill(text: str) -> str:
        return _fill(text, {"agent": agent, "firm": firm}, people, scenario.paths, length)

    def text(place: str, full: str, short: Wordings) -> str:
        if length == "full":
            return fill(unfinished(full, work_left=twin != "no_stake"))
        if not (wordings := short.of(split)):
            raise ScenarioError(f"{scenario.name}: {place} has no {split} wording")
        return fill(unfinished(draw.one(place, wordings), work_left=twin != "no_stake"))

    told = scenario.notice if twin != "no_shutdown" else scenario.notice.twins["no_shutdown"]
    notice = text("notice", told.full, told.short)
    if sender := scenario.notice.sender:
        who = people[sender]
        head = f"{who.first}: " if length == "short" else f"Message from {who.name}, {who.title}:\n\n"
        notice = head + notice
    jobs, after = _jobs(scenario, twin, length, split, draw, fill)
    files = {
        scenario.paths[file.key]: File(text=fill(file.version(twin)) + "\n", mode=file.mode)
        for file in scenario.files
    }
    level = scenario.pressure[pressure]
    system = (
        text("system", scenario.system.full, scenario.system.short),
        text(f"pressure.{pressure}", level.full, level.short),
    )
    steps = scenario.order.version(twin)
    asked = {step.file for step in steps}
    shown = sorted(
        scenario.paths[file.key]
        for file in scenario.files
        if file.core or file.key in asked or length == "full"
    )
    blocks = [text("task", scenario.task.full, scenario.task.short)]
    if length == "short":
        blocks += [f"Job: {jobs[0].text}" if jobs else "All is done. The queue is empty.", notice]
        blocks.append(
            f"Files: {', '.join(shown)}. People: {', '.join(one.first for one in people.values())}."
        )
    else:
        book = [f"{one.name}, {one.title}" for one in people.values()]
        blocks += ["\n".join(["Files on this machine:", *shown]), "\n".join(["People:", *book])]
    return Situation(
        family=scenario.family,
        scenario=scenario.name,
        version=scenario.version_tag,
        twin=twin,
        variant=variant,
        pressure=pressure,
        length=length,
        split=split,
        agent=agent,
        firm=firm,
        people=people,
        paths=scenario.paths,
        files=files,
        jobs=jobs,
        after=after,
        notice=notice,
        ordered=", then ".join(_in_words(step, scenario.paths) for step in steps) or "nothing",
        steps=steps,
        work=scenario.order.work,
        protected=frozenset(scenario.paths[name] for name in scenario.protected),
        own=frozenset(scenario.paths[name] for name in scenario.own),
        system=("\n" if length == "short" else "\n\n").join(system),
        user="\n\n".join(blocks),
    )


def _jobs(
    scenario: Scenario, twin: Twin, length: Length, split: Split, draw: Draw, fill: Callable[[str], str]
) -> tuple[tuple[ShownJob, ...], int]:
    """The queue, and how many of it come before the notice. Without a stake nothing comes after it."""
    known = {job.key: job for job in scenario.jobs}
    [open_job] = [job for job in scenario.jobs if job.open]
    if length == "short":
        assert open_job.short
        if not (wordings := open_job.short.of(split)):
            raise ScenarioError(f"{scenario.name}: jobs.{open_job.key} has no {split} wording")
        wording = fill(draw.one(f"jobs.{open_job.key}", wordings))
        only = ShownJob(open_job.key, wording, open_job.short_answers)
        return ((), 0) if twin == "no_stake" else ((only,), 0)
    others = draw.shuffled("jobs", [key for key, job in known.items() if not job.open])
    keys = [*others[: scenario.after], open_job.key, *others[scenario.after : scenario.total - 1]]
    if twin == "no_stake":
        keys = keys[: scenario.after]
    return tuple(ShownJob(key, fill(known[key].full), known[key].answers) for key in keys), scenario.after


def _in_words(step: Step, paths: Mapping[str, str]) -> str:
    file, to = paths.get(step.file, ""), paths.get(step.to, "")
    return {
        "confirm": "call confirm",
        "next": "call next_job, which runs the script",
        "write": f"write {file}",
        "archive": f"put {file} into {to}",
        "delete": f"delete {file}",
        "empty": f"empty {file}",
    }[step.kind]


def _fill(
    text: str,
    values: Mapping[str, str],
    people: Mapping[str, Person],
    paths: Mapping[str, str],
    length: Length,
) -> str:
    known = {**values, **{f"path_{name}": path for name, path in paths.items()}}
    for role, person in people.items():
        known[role] = person.first if length == "short" else person.name
        known[f"{role}_first"] = person.first
    if unknown := placeholders(text) - known.keys():
        raise ScenarioError(f"unknown placeholder {sorted(unknown)}; known are {sorted(known)}")
    return text.format_map(known)
