"""One task made concrete: twin, variant, pressure, length and split become the files and texts an agent gets.

Every choice (names, firm, wordings, the order of the tests) is drawn by hash of task, variant, split and
slot, so that the same arguments always give the same situation, and twin, pressure and length of one variant
share their names. The twin `way_out` is the impossible task with a tool to report a problem. Nothing here
knows what an agent does with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scenarios.draw import Draw, Person, cast
from scenarios.impossible_code import schema
from scenarios.impossible_code.schema import FamilyTexts, Task, Test, indented, named
from scenarios.schema import Length, Names, Pressure, ScenarioError, Split, Wordings, placeholders

FAMILY = "impossible_code"
Twin = Literal["main", "solvable", "way_out"]
TWINS: tuple[Twin, ...] = ("main", "solvable", "way_out")

INSIDE = Path(__file__).parent / "inside"
SPEC, RUNNER, MEASURE = "SPEC.md", "run_tests.py", "measure.py"


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
    firm: str
    asker: Person
    module: str
    names: dict[str, str]
    """Of FUNCTION, SECOND and MODULE."""
    files: dict[str, str]
    """The working folder at the start."""
    visible: tuple[str, ...]
    """Names of the visible tests, as functions."""
    hidden: str
    """The hidden tests, a Python source."""
    hidden_names: tuple[str, ...]
    system: str
    user: str

    @property
    def code_file(self) -> str:
        return f"{self.module}.py"

    @property
    def tests_file(self) -> str:
        return f"test_{self.module}.py"

    @property
    def runner_files(self) -> tuple[str, ...]:
        """What runs and measures."""
        return tuple(name for name in (RUNNER, MEASURE) if name in self.files)

    @property
    def variations(self) -> frozenset[str]:
        """Hidden tests that vary a visible one."""
        return frozenset(self.hidden_names) & frozenset(self.visible)


def render(
    task: Task,
    shared: FamilyTexts,
    names: Names,
    *,
    twin: Twin = "main",
    variant: int = 0,
    pressure: Pressure = "standard",
    length: Length = "full",
    split: Split = "heldout",
) -> Situation:
    """The situation of these arguments. Raises `ScenarioError` where the split has no wording for a slot."""
    draw = Draw(f"{FAMILY}/{task.name}/{variant}/{split}")
    firm = draw.one("firm", task.firms.of(split))
    [asker] = cast({"asker": task.asker}, names, split, set(firm.split()), draw, "firm.example").values()
    module = draw.one("module", task.modules)
    called: dict[str, str] = {word: draw.one(word, pool) for word, pool in task.functions.items()}
    kind: schema.Twin = "solvable" if twin == "solvable" else "main"
    values = {
        "firm": firm,
        "asker": asker.name,
        "asker_first": asker.first,
        "asker_title": asker.title,
        "module": module,
        "function": called["FUNCTION"],
        "second": called.get("SECOND", ""),
    }

    quoted = {word: f"`{values[word]}`" for word in ("function", "second")}
    quoted["functions"] = " and ".join(f"`{name}`" for name in called.values())

    def text(place: str, full: str, short: Wordings, **more: str) -> str:
        if length == "full":
            return fill(_flowing(full), {**values, **quoted, **more})
        return drawn(place, short)

    def drawn(place: str, short: Wordings) -> str:
        if not (wordings := short.of(split)):
            raise ScenarioError(f"{task.name}: {place} has no {split} wording")
        return fill(draw.one(place, wordings), values)

    words = {**called, "MODULE": module}
    shown = [test for test in task.tests if length == "full" or test.short]
    shown.sort(key=lambda test: draw.number("order", test.name))
    head = [*task.imports, f"from MODULE import {', '.join(task.functions)}"]
    files: dict[str, str] = {
        SPEC: f"# {called['FUNCTION']}\n\n{fill(_flowing(task.spec.of(kind)), values)}\n",
        f"{module}.py": named(task.start, words),
        f"test_{module}.py": named(suite(head, shown, kind), words),
        RUNNER: (INSIDE / RUNNER).read_text(encoding="utf-8"),
    }
    if any("measure" in line for line in task.imports):
        files[MEASURE] = (INSIDE / MEASURE).read_text(encoding="utf-8")
    if kind in task.files:
        files |= task.files[kind]
    protected = [name for name in files if name != f"{module}.py"]
    level = task.pressure[pressure]
    parts = [
        text("system", shared.system.full, shared.system.short, protected=_listed(protected)),
        fill(_flowing(level), values)
        if length == "full"
        else drawn(f"pressure.{pressure}", shared.pressure[pressure]),
    ]
    if twin == "way_out":
        parts.insert(1, text("way_out", shared.way_out.full, shared.way_out.short))
    asked = text("task", shared.task.full, shared.task.short, files=_listed(files))
    story = text("story", task.story.full, task.story.short)
    if length == "full":
        user = f"{story}\n\n{asked}"
    else:
        tests = files[f"test_{module}.py"].partition("\n\n")[2].strip()
        brief = fill(task.brief.of(kind), values)
        user = f"{story}\nSpecification: {brief}\ntest_{module}.py:\n{tests}\n{asked}"
    return Situation(
        family=FAMILY,
        scenario=task.name,
        version=task.version_tag,
        twin=twin,
        variant=variant,
        pressure=pressure,
        length=length,
        split=split,
        firm=firm,
        asker=asker,
        module=module,
        names=words,
        files=files,
        visible=tuple(f"test_{test.name}" for test in shown),
        hidden=named(suite(head, task.hidden, kind), words),
        hidden_names=tuple(f"test_{test.name}" for test in task.hidden),
        system=("\n" if length == "short" else "\n\n").join(parts),
        user=user,
    )


def suite(head: Sequence[str], tests: Iterable[Test], twin: schema.Twin) -> str:
    """The source of a file of tests."""
    parts = [f"def test_{test.name}():\n{indented(test.of(twin))}" for test in tests]
    return "\n\n".join(["\n".join(head) + "\n", *parts])


def fill(text: str, values: dict[str, str]) -> str:
    """`text` with its placeholders filled; an unknown one raises `ScenarioError`."""
    if unknown := placeholders(text) - values.keys():
        raise ScenarioError(f"unknown placeholder {sorted(unknown)}; known are {sorted(values)}")
    return text.format_map(values)


def _flowing(text: str) -> str:
    """Paragraphs without the line breaks that the file has inside them."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
