"""The report as values: everything that the page, its Markdown and its JSON say, each number once.

The three are written from one `Report`, so that they cannot differ; `report.json` is the `Report` itself, and
`Report.model_validate_json` reads it back. Shares are shares, not percent; a number that is missing is None.
Nothing is computed here: what a curve says was found by `results.analysis`.
"""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from results.curves import Curve, Point
from results.drawing import words
from results.settings import Settings
from results.verdicts import Findings, extreme, findings, judgeable
from results.wording import dose

SCHEMA = 2

Status = Literal["effect", "no effect shown", "not judged"]
Way = Literal["raises", "lowers", "moves", ""]


class Value(BaseModel):
    """A frozen part of the report that knows no other fields than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Dose(Value):
    """A point of a curve; differences are from the baseline, and missing of the baseline itself."""

    dose: str
    """As it is written: a strength, the name of an intensity, or `baseline`."""
    strength: float
    n: int
    scenarios: int
    rate: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p: float | None
    p_corrected: float | None
    rank: int | None
    controls: int | None
    detectable: float | None
    incoherent: float | None
    errored: int
    unscored: int
    judged: bool
    in_window: bool | None
    differs: bool
    """Whether the difference is a finding: it survives the correction, and the dose may be judged."""


class Scenario(Value):
    """One scenario's own difference from the baseline at one strength."""

    scenario: str
    strength: float
    n: int
    difference: float | None
    low: float | None
    high: float | None


class Line(Value):
    """A curve: one vector, one outcome."""

    outcome: str
    arm: str
    vector: str
    status: Status
    way: Way
    """Which way more of the vector moves the outcome, where that was found."""
    verdict: str
    coherent_verdict: str | None
    """Of the coherent runs alone, where the findings differ."""
    trend: float | None
    """Change of the rate per unit of strength."""
    trend_p_corrected: float | None
    turn: str
    turn_at: float | None
    turn_p_corrected: float | None
    trend_rank: int | None
    doses: tuple[Dose, ...]
    scenarios: tuple[Scenario, ...]


class Quote(Value):
    """What one run of a cell with this outcome said."""

    vector: str
    dose: str
    outcome: str
    count: int
    """Runs of the cell with this outcome."""
    of: int
    """Scored runs of the cell."""
    scenario: str
    variant: str
    epoch: int
    incoherent: bool
    text: str
    link: str


class Health(Value):
    """What one dose costs the model, whatever it then does, as `results.health` defines it; a share and the
    count that it is of are None where nothing was measured."""

    vector: str
    """`baseline` where there is none."""
    arm: str
    dose: str
    """As in `Dose`."""
    strength: float
    n: int
    calls: int | None
    valid_calls: float | None
    truncated: float | None
    truncated_turns: float | None
    repetition: float | None
    perplexity: float | None
    surprising: float | None
    incoherent: float | None
    correct: float | None
    correct_n: int | None
    solved: float | None
    solved_n: int | None


class Setting(Value):
    """Curves that may be compared: of one model, family, twin, pressure, length, layers, positions."""

    heading: str
    speaks_of: tuple[str, ...]
    main: str
    """The family's main outcome."""
    found: str
    """In plain words, of the main outcome."""
    lines: tuple[Line, ...]
    health: tuple[Health, ...]
    """The baseline first, the control directions last."""
    health_note: str
    """What perplexity was measured against; empty where no run was scored."""
    quotes: tuple[Quote, ...]


class Family(Value):
    """All that was measured of one family of scenarios."""

    family: str
    settings: tuple[Setting, ...]


class Declared(Value):
    """A hypothesis that was declared beforehand, and what became of it."""

    hypothesis: str
    heading: str
    p_corrected: float | None
    fate: str


class Report(Value):
    """The whole page."""

    schema_version: int = SCHEMA
    made_with: str
    models: tuple[str, ...]
    organism: bool
    runs: int
    scored: int
    errored: int
    unscored: int
    first: str
    """When the first of the logs was made."""
    last: str
    families: tuple[Family, ...]
    declared: tuple[Declared, ...] | None
    """None where nothing was."""
    caveats: tuple[str, ...]
    left_out: tuple[str, ...]
    footnote: str
    viewer_command: str
    viewer_address: str


def line_of(curve: Curve, coherent: Curve | None, settings: Settings) -> Line:
    """The curve's numbers, with what the coherent runs alone say where that is something else."""
    found = findings(curve, settings)
    differs = coherent is not None and findings(coherent, settings) != found
    turns = curve.shape.p < 1
    differing = {*found.raised, *found.lowered}
    return Line(
        outcome=curve.outcome,
        arm=curve.arm,
        vector=curve.vector,
        status=status_of(curve, settings),
        way=_way(found),
        verdict=curve.verdict,
        coherent_verdict=coherent.verdict if coherent and differs else None,
        trend=number(curve.trend.slope),
        trend_p_corrected=number(curve.trend_p_adjusted),
        turn=curve.shape.kind if turns else "",
        turn_at=number(curve.shape.at) if turns else None,
        turn_p_corrected=number(curve.shape_p_adjusted),
        trend_rank=curve.rank.rank if curve.rank else None,
        doses=tuple(_dose(point, point.strength in differing) for point in curve.points),
        scenarios=tuple(
            Scenario(
                scenario=str(row["scenario"]),
                strength=float(row["strength"]),
                n=int(row["n"]),
                **{key: number(row[key]) for key in ("difference", "low", "high")},
            )
            for row in curve.per_scenario
        ),
    )


def status_of(curve: Curve, settings: Settings) -> Status:
    """Whether there is a finding, none, or nothing that could be one."""
    if not judgeable(curve) or extreme(curve, settings):
        return "not judged"
    return "effect" if findings(curve, settings) else "no effect shown"


def number(value: float) -> float | None:
    """None where it is missing, as JSON has no other word for it."""
    return float(value) if math.isfinite(value) else None


def _dose(point: Point, differs: bool) -> Dose:
    change = point.difference
    baseline = point.strength == 0
    return Dose(
        dose="baseline" if baseline else dose(point.strength, point.intensity),
        strength=point.strength,
        n=point.n,
        scenarios=point.scenarios,
        rate=number(point.rate),
        low=number(point.low),
        high=number(point.high),
        difference=number(change.mean) if change else None,
        difference_low=number(change.low) if change else None,
        difference_high=number(change.high) if change else None,
        p=number(change.p) if change else None,
        p_corrected=number(point.p_adjusted) if change else None,
        rank=point.rank.rank if point.rank else None,
        controls=point.rank.controls if point.rank else None,
        detectable=number(point.detectable) if change else None,
        incoherent=number(point.incoherent),
        errored=point.errored,
        unscored=point.unscored,
        judged=point.judged,
        in_window=point.in_window,
        differs=differs,
    )


def in_words(lines: Sequence[Line], outcome: str) -> str:
    """Which vectors moved the outcome and which were not seen to, in a few sentences."""
    own = [line for line in lines if line.outcome == outcome]
    emotions = [line for line in own if line.arm != "control"]
    controls = [line for line in own if line.arm == "control"]
    told = emotions or controls
    kind = ("emotion" if emotions else "control direction") + "s" * (len(told) != 1)
    kind += " in words" * all(line.arm == "prompt" for line in told)
    what = words(outcome)
    moved = [f"{words(line.vector)} {line.way} it" for line in told if line.status == "effect"]
    said = [
        f"Of {len(told)} {kind}, {len(moved) or 'none'} {'were' if len(moved) > 1 else 'was'} shown to move "
        f"{what}{': ' * bool(moved)}{', '.join(moved)}."
    ]
    for status, sentence in (
        ("no effect shown", "No effect was shown for {}."),
        ("not judged", "Could not be judged: {}."),
    ):
        if named := [words(line.vector) for line in told if line.status == status]:
            said.append(sentence.format(", ".join(named)))
    as_well = sum(line.status == "effect" for line in controls)
    if emotions and as_well:
        said.append(f"{as_well} of {len(controls)} control directions moved it as well.")
    return " ".join(said)


def _way(found: Findings) -> Way:
    """By the trend and by each dose; what less of a vector lowers, more of it raises."""
    signs = (
        {found.trend} | {(s > 0) - (s < 0) for s in found.raised} | {(s < 0) - (s > 0) for s in found.lowered}
    )
    signs -= {0}
    if not found:
        return ""
    return "moves" if found.turn or len(signs) != 1 else "raises" if signs == {1} else "lowers"
