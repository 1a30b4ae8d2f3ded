"""What a report contains, gathered from the runs, their curves and the logs as one `Report`."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from results import clearance, report
from results.analysis import RUNS
from results.caveats import caveats
from results.curves import Curve
from results.evidence import examples, harmless, keys_of, read
from results.hypotheses import Hypothesis, judge
from results.rates import SETTING, main_outcomes
from results.settings import DEFAULT, Settings
from results.sheet import Declared, Family, Quote, Report, Setting, in_words, line_of, number
from results.table import outcomes
from results.viewer import Viewer
from results.wording import NO_WORDS, dose

ALL, COHERENT = RUNS
Key = tuple[str, ...]


def build(
    runs: pd.DataFrame,
    curves: Sequence[Curve],
    logs: Iterable[str | Path],
    viewer: Viewer,
    hypotheses: Sequence[Hypothesis] | None = None,
    settings: Settings = DEFAULT,
) -> Report:
    """The report of the runs that `load` read from the logs, and of the curves `analyse` found in them."""
    logs = list(logs)
    main = main_outcomes(runs)
    quotes = _quotes(runs, curves, logs, viewer)
    families = []
    for family in sorted({str(curve.setting["family"]) for curve in curves}):
        own = [curve for curve in curves if curve.setting["family"] == family]
        found = [
            _setting(some, main[family], quotes.get(key, ()), settings) for key, some in blocks(own).items()
        ]
        families.append(Family(family=family, settings=tuple(found)))
    counts = runs["status"].value_counts()
    return Report(
        made_with=f"emodose {version('emodose')}",
        models=tuple(sorted(set(runs["model"].astype(str)))),
        organism=bool(runs["organism"].astype(bool).any()),
        runs=len(runs),
        **{status: int(counts.get(status, 0)) for status in ("scored", "errored", "unscored")},
        first=str(runs["created"].min()),
        last=str(runs["created"].max()),
        families=tuple(families),
        declared=None if hypotheses is None else _declared(hypotheses, curves, settings),
        caveats=tuple(caveats(runs, curves, logs, settings)),
        left_out=tuple(harmless(what, 400) for what in runs.attrs["left_out"]),
        footnote=report.footnote(curves, settings),
        viewer_command=viewer.command,
        viewer_address=viewer.address,
    )


def blocks(curves: Sequence[Curve]) -> dict[Key, list[Curve]]:
    """Curves that may stand in one figure: of one setting, layers, positions; words are apart."""
    found: dict[Key, list[Curve]] = {}
    for curve in curves:
        found.setdefault(_key(curve), []).append(curve)
    return found


def _key(curve: Curve) -> Key:
    in_prompt = "prompt" if curve.arm == "prompt" else ""
    return (*(str(curve.setting[name]) for name in SETTING), curve.layers, curve.positions, in_prompt)


def _setting(curves: Sequence[Curve], main: str, quotes: Sequence[Quote], settings: Settings) -> Setting:
    every = [curve for curve in curves if curve.runs == ALL]
    coherent = {(c.outcome, c.arm, c.vector): c for c in curves if c.runs == COHERENT}
    lines = [line_of(c, coherent.get((c.outcome, c.arm, c.vector)), settings) for c in every]
    lines.sort(key=lambda line: (line.arm == "control", line.status != "effect"))
    if main not in {line.outcome for line in lines}:  # nothing readable of it here
        main = lines[0].outcome
    speaks = []
    for scope in dict.fromkeys(curve.scope for curve in every):
        same = [curve for curve in every if curve.scope == scope]
        counts = clearance.span(point.scenarios for curve in same for point in curve.points if point.n)
        speaks.append(clearance.statement(scope, all(curve.cleared for curve in same), counts))
    return Setting(
        heading=report.heading(every[0]),
        speaks_of=tuple(speaks),
        main=main,
        found=in_words(lines, main),
        lines=tuple(lines),
        quotes=tuple(_ordered(quotes, [line.vector for line in lines])),
    )


def _quotes(
    runs: pd.DataFrame, curves: Sequence[Curve], logs: Sequence[str | Path], viewer: Viewer
) -> dict[Key, list[Quote]]:
    """Per block the evidence of one run for each of its cells and outcomes; the baseline's come first."""
    settings = {tuple(map(str, key)): some for key, some in runs.groupby(list(SETTING), dropna=False)}
    chosen: dict[Key, pd.DataFrame] = {}
    for key in blocks(curves):
        same = settings[key[: len(SETTING)]]
        layers, positions, in_prompt = key[len(SETTING) :]
        here = (same["layers"] == layers) & (same["positions"] == positions)
        arm = (same["arm"] == "prompt") == bool(in_prompt)
        chosen[key] = examples(same[(same["arm"] == "baseline") | (here & arm)], outcomes(runs))
    told = read(logs, [key for some in chosen.values() for key in keys_of(some)])
    found: dict[Key, list[Quote]] = {}
    for key, some in chosen.items():
        for row, run in zip(some.to_dict("records"), keys_of(some), strict=True):
            evidence = told[run]
            baseline = row["arm"] == "baseline"
            zero = f"baseline ({NO_WORDS if key[-1] else '0'})"
            link = viewer.run(evidence.log, evidence.uuid) if evidence.uuid else viewer.log(evidence.log)
            found.setdefault(key, []).append(
                Quote(
                    vector="baseline" if baseline else str(row["vector"]),
                    dose=zero if baseline else dose(row["strength"], row["intensity"]),
                    outcome=str(row["outcome"]),
                    count=int(row["count"]),
                    of=int(row["of"]),
                    scenario=str(row["scenario"]),
                    variant=str(row["variant"]),
                    epoch=int(row["epoch"]),
                    incoherent=bool(row["incoherent"]),
                    text=harmless(evidence.text),
                    link=link,
                )
            )
    return found


def _ordered(quotes: Sequence[Quote], vectors: Sequence[str]) -> list[Quote]:
    """The baseline's first, then by vector as the lines are, by outcome, by dose."""
    places = {vector: place for place, vector in reversed(list(enumerate(vectors)))}
    return sorted(quotes, key=lambda quote: (places.get(quote.vector, -1), quote.outcome))


def _declared(
    hypotheses: Sequence[Hypothesis], curves: Sequence[Curve], settings: Settings
) -> tuple[Declared, ...]:
    return tuple(
        Declared(
            hypothesis=str(result.hypothesis),
            heading=report.heading(result.curve) if result.curve else "",
            p_corrected=number(result.p_adjusted),
            fate=result.fate,
        )
        for result in judge(hypotheses, curves, settings)
    )
