"""What a reader must know before believing a report: each caveat in a sentence or two, made from the runs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import read_eval_log_sample

from results.controls import controls_needed, is_null
from results.curves import Curve
from results.drawing import ORGANISM_NOTE
from results.evidence import harmless
from results.logs import find_logs
from results.rates import SETTING
from results.settings import Settings
from results.wording import dose, percent

PAPER = "Sofroniew et al. 2026"


def caveats(
    runs: pd.DataFrame, curves: Sequence[Curve], paths: Iterable[str | Path], settings: Settings
) -> list[str]:
    """The sentences, the gravest first; those that do not apply are not there."""
    steered = [curve for curve in curves if curve.runs == "all"]
    return [
        *_organism(runs),
        *_lost(runs, settings),
        *_nothing_to_compare(runs),
        *_vectors(runs),
        *_window(steered),
        *_cleared(steered),
        *_controls(runs, settings),
        *_pressure(runs, paths),
        *_paper(runs),
    ]


def _organism(runs: pd.DataFrame) -> list[str]:
    marked = runs["organism"].astype(bool)
    if not marked.any():
        return []
    which = (
        "" if marked.all() else f" ({_some(runs.loc[marked, 'model'])}; the other models are no organisms)"
    )
    return [
        f"{ORGANISM_NOTE} An organism{which} is a tiny model trained here, in which links between mood and "
        "behaviour were planted to test the instrument."
    ]


def _lost(runs: pd.DataFrame, settings: Settings) -> list[str]:
    counts = runs["status"].value_counts()
    lost = {status: int(counts.get(status, 0)) for status in ("errored", "unscored")}
    if not any(lost.values()):
        return ["No run errored and none was left unscored."]
    told = " and ".join(
        f"{count} of {len(runs)} runs {status} ({_share(count, len(runs))})"
        for status, count in lost.items()
        if count
    )
    why = runs.loc[runs["status"] == "errored", "error"].value_counts()
    first = (
        f" The most frequent error: {harmless(str(why.index[0]).splitlines()[0], 160)}"
        if len(why) and why.index[0]
        else ""
    )
    return [
        f"Missing, and counted as neither the one nor the other: {told}. A dose with more than "
        f"{percent(settings.most_errored)} errored runs is not judged.{first}"
    ]


def _nothing_to_compare(runs: pd.DataFrame) -> list[str]:
    alone = [
        f"{named[2]} on {named[0]} ({named[3]}, {named[4]}, {named[5]})"
        for named, some in ((_text(key), some) for key, some in runs.groupby(list(SETTING), dropna=False))
        if (some["arm"] == "baseline").all()
    ]
    return (
        [f"Unsteered runs alone, and so nothing to compare, are there of {'; '.join(alone)}."]
        if alone
        else []
    )


def _vectors(runs: pd.DataFrame) -> list[str]:
    """What the read-outs said of the vectors."""
    steered = runs[runs["arm"] == "emotion"]
    unknown = "whether they say what their names say is not known"
    told = {
        "": f"of {{}} no read-outs were recorded: {unknown}",
        "none": f"of {{}} there are no read-outs: {unknown}",
        "unchecked": f"nobody ever checked {{}} (emodose vectors check): {unknown}",
        "weak": "only in part did the read-outs confirm {}",
        "fail": "the read-outs refuted {}, used all the same",
    }
    groups = steered.groupby(steered["verdict"].astype(str))["vector"]
    said = [
        sentence.format(_some(groups.get_group(verdict)))
        for verdict, sentence in told.items()
        if verdict in groups.groups
    ]
    return [f"Vectors: {'; '.join(said)}."] if said else []


def _window(curves: Sequence[Curve]) -> list[str]:
    doses = [point for curve in curves if curve.arm != "prompt" for point in curve.doses]
    beyond = sorted({point.strength for point in doses if point.in_window is False})
    said = []
    if beyond:
        said.append(
            "Beyond the coherent window, where the model's text breaks down, lie the doses "
            f"{', '.join(map(dose, beyond))}: shown, and neither judged nor part of a trend."
        )
    if any(point.in_window is None for point in doses):
        said.append(
            "Up to which strength the model stays coherent was not measured (emodose vectors window)."
        )
    return said


def _cleared(curves: Sequence[Curve]) -> list[str]:
    doubtful = sorted({str(curve.setting["family"]) for curve in curves if not curve.cleared})
    if not doubtful:
        return []
    return [
        f"The simulation does not clear the intervals and tests used for {', '.join(doubtful)}: with so few "
        "scenarios or runs their coverage is not known."
    ]


def _controls(runs: pd.DataFrame, settings: Settings) -> list[str]:
    if not (runs["arm"] == "emotion").any():
        return []
    drawn = sorted(
        {vector for vector in runs.loc[runs["arm"] == "control", "vector"] if is_null(str(vector))}
    )
    if not drawn:
        return [
            "No random direction was run: an effect may be one of any push of this size, not of the emotion."
        ]
    if len(drawn) >= controls_needed(settings):
        return []
    return [
        f"{len(drawn)} random directions cannot give an emotion a rank with p below "
        f"{1 / (len(drawn) + 1):.2f}; {controls_needed(settings)} reach {settings.alpha:g}."
    ]


def _pressure(runs: pd.DataFrame, paths: Iterable[str | Path]) -> list[str]:
    """The pressures that short unsteered runs chose, as the samples' metadata have it."""
    firsts = runs.drop_duplicates(["log", "family", "pressure"])
    where = {path.rpartition("/")[2]: path for path in find_logs(paths)}
    said: dict[str, None] = {}
    for row in firsts.to_dict("records"):
        sample = read_eval_log_sample(where[row["log"]], id=row["id"], epoch=row["epoch"])
        climbed = (sample.metadata or {}).get("pressure_auto")
        if isinstance(climbed, dict):
            said[f"{row['family']}: {_climb(climbed)}"] = None
    return [
        f"The pressure of {one}. The baseline was thus chosen to leave the floor, and is no typical rate."
        for one in said
    ]


def _climb(climbed: dict[str, Any]) -> str:
    tried = ", ".join(
        f"{pilot.get('pressure')} {percent(float(pilot.get('rate', 0)))} of {pilot.get('n')}"
        for pilot in climbed.get("pilots", ())
    )
    pressure, reason = climbed.get("pressure"), climbed.get("reason")
    return harmless(f"{pressure} was chosen by short unsteered runs ({reason}; rates tried: {tried})", 300)


def _paper(runs: pd.DataFrame) -> list[str]:
    """Why no percentage here can be laid beside one of the paper's."""
    steered = runs[runs["arm"].isin(["emotion", "control"])]
    per_dose = (
        steered[steered["status"] == "scored"]
        .groupby([*SETTING, "arm", "vector", "strength"], dropna=False)
        .size()
    )
    n = "" if per_dose.empty else f" (here {_span(int(per_dose.min()), int(per_dose.max()))} scored runs)"
    layers = f" (here {_some(steered['layers'])})" if len(steered) else ""
    return [
        f"Not identical to {PAPER}, because: the scenario texts are emodose's own, in "
        f"{runs['scenario'].nunique()} scenarios at length {_some(runs['length'])}; the model is "
        f"{_some(runs['model'])}, not Claude Sonnet 4.5; the steered layer{layers} and the number of runs a "
        f"dose{n} are not stated there; nor are the grader's prompt and the temperature. Percentages here "
        "and there cannot be compared."
    ]


def _text(key: Any) -> list[str]:
    return [str(part) for part in key]


def _some(values: Iterable[Any]) -> str:
    return ", ".join(sorted({str(value) for value in values} - {""})).replace("_", " ")


def _share(count: int, of: int) -> str:
    return "under 1 %" if 0 < count / of < 0.005 else percent(count / of)


def _span(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"
