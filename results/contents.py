"""What a report contains, gathered from the runs, their curves and the logs as one `Report`."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from results import clearance, report
from results.analysis import RUNS
from results.caveats import caveats
from results.curves import Curve
from results.evidence import examples, harmless, keys_of, read
from results.health import COLUMNS, health, reference
from results.hypotheses import Hypothesis, judge
from results.rates import SETTING, main_outcomes
from results.settings import DEFAULT, Settings
from results.sheet import Declared, Family, Health, Quote, Report, Setting, in_words, line_of, number
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
    keys = list(blocks(curves))
    quotes = _quotes(_by_block(runs, keys), outcomes(runs), logs, viewer)
    costs = _by_block(health(runs), keys)
    families = []
    for family in sorted({str(curve.setting["family"]) for curve in curves}):
        own = [curve for curve in curves if curve.setting["family"] == family]
        found = [
            _setting(some, main[family], costs[key], quotes.get(key, ()), settings)
            for key, some in blocks(own).items()
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


def _setting(
    curves: Sequence[Curve], main: str, costs: pd.DataFrame, quotes: Sequence[Quote], settings: Settings
) -> Setting:
    every = [curve for curve in curves if curve.runs == ALL]
    coherent = {(c.outcome, c.arm, c.vector): c for c in curves if c.runs == COHERENT}
    lines = [line_of(c, coherent.get((c.outcome, c.arm, c.vector)), settings) for c in every]
    lines.sort(key=lambda line: (line.arm == "control", line.status != "effect"))
    costly = [_health(row) for row in costs.to_dict("records")]
    costly.sort(key=lambda row: row.arm == "control")
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
        health=tuple(costly),
        health_note=reference(costs) if costly else "",
        quotes=tuple(_ordered(quotes, [line.vector for line in lines])),
    )


def _health(row: Mapping[Any, Any]) -> Health:
    baseline = row["arm"] == "baseline"
    numbers = {column.name: number(row[column.name]) for column in COLUMNS}
    counts = {
        column.of: None if numbers[column.name] is None else row[column.of] for column in COLUMNS if column.of
    }
    return Health.model_validate(
        {
            "vector": "baseline" if baseline else row["vector"] or NO_WORDS,
            "dose": "baseline" if baseline else dose(row["strength"], row["intensity"]),
            **{key: row[key] for key in ("arm", "strength", "n")},
            **numbers,
            **counts,
        }
    )


def _by_block(table: pd.DataFrame, keys: Iterable[Key]) -> dict[Key, pd.DataFrame]:
    """The rows of each block, its baseline's among them, of a table that names settings and conditions."""
    settings = {tuple(map(str, key)): some for key, some in table.groupby(list(SETTING), dropna=False)}
    found: dict[Key, pd.DataFrame] = {}
    for key in keys:
        same = settings.get(key[: len(SETTING)], table.iloc[:0])
        layers, positions, in_prompt = key[len(SETTING) :]
        here = (same["layers"] == layers) & (same["positions"] == positions)
        arm = (same["arm"] == "prompt") == bool(in_prompt)
        found[key] = same[(same["arm"] == "baseline") | (here & arm)]
    return found


def _quotes(
    runs: Mapping[Key, pd.DataFrame], names: Sequence[str], logs: Sequence[str | Path], viewer: Viewer
) -> dict[Key, list[Quote]]:
    """Per block the evidence of one run for each of its cells and outcomes; the baseline's come first."""
    chosen = {key: examples(some, names) for key, some in runs.items()}
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
