"""The report page: one self-contained HTML file that a browser opens without a network, and the same as
Markdown and JSON.

All three come from one `results.sheet.Report`; nothing is computed here. What a model wrote is hostile text: it
is made harmless (`results.evidence`), escaped by the template, and the page's own policy lets nothing run but
the one script whose hash it names and loads nothing from anywhere. Text and looks lie in `page.template.html`,
`page.css`, `page.js` and `page.template.md`.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from results import clearance, report
from results.analysis import RUNS, analyse
from results.caveats import caveats
from results.curves import Curve
from results.drawing import ORGANISM_NOTE, words
from results.evidence import examples, harmless, keys_of, read
from results.hypotheses import Hypothesis, judge
from results.logs import find_logs
from results.page_figures import Figure, figures
from results.rates import SETTING, main_outcomes
from results.settings import DEFAULT, Settings
from results.sheet import Declared, Family, Line, Quote, Report, Setting, in_words, line_of, number
from results.table import load, outcomes
from results.viewer import ADDRESS, Viewer, viewer_of
from results.wording import NO_WORDS, dose, p_value, percent, signed, whole

HERE = Path(__file__).parent
ALL, COHERENT = RUNS
Key = tuple[str, ...]


class Written(NamedTuple):
    """The files of a report."""

    page: Path
    markdown: Path
    numbers: Path


class Sheets(NamedTuple):
    """Style and script, and the hashes by which the page's policy knows them."""

    style: str
    script: str
    style_hash: str
    script_hash: str


def write(
    logs: Sequence[str | Path],
    out: Path,
    *,
    hypotheses: Sequence[Hypothesis] | None = None,
    settings: Settings = DEFAULT,
    viewer: str = ADDRESS,
    strict: bool = False,
    progress: bool = False,
) -> Written:
    """Write `report.html`, `report.md`, `report.json` and the figures into the folder `out`.

    Raises `TableError` where the logs hold nothing that a report could be made of.
    """
    shown_by = viewer_of(find_logs(logs), viewer)
    runs = load(logs, strict=strict, progress=progress)
    curves = analyse(runs, settings=settings)
    found = build(runs, curves, logs, shown_by, hypotheses, settings)
    drawn = _draw(found, curves, out / "figures", settings)
    out.mkdir(parents=True, exist_ok=True)
    written = Written(out / "report.html", out / "report.md", out / "report.json")
    written.page.write_text(as_html(found, drawn), "utf-8")
    written.markdown.write_text(as_markdown(found, drawn), "utf-8")
    written.numbers.write_text(found.model_dump_json(indent=1) + "\n", "utf-8")
    return written


def build(
    runs: pd.DataFrame,
    curves: Sequence[Curve],
    logs: Iterable[str | Path],
    viewer: Viewer,
    hypotheses: Sequence[Hypothesis] | None = None,
    settings: Settings = DEFAULT,
) -> Report:
    """The report of the runs that `load` read from the logs, and of the curves that `analyse` found in them."""
    logs = list(logs)
    main = main_outcomes(runs)
    quotes = _quotes(runs, curves, logs, viewer)
    families = []
    for family in dict.fromkeys(str(curve.setting["family"]) for curve in curves):
        own = [curve for curve in curves if curve.setting["family"] == family]
        settings_ = [
            _setting(some, main[family], quotes.get(key, ()), settings) for key, some in _blocks(own).items()
        ]
        families.append(Family(family=family, settings=tuple(settings_)))
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


def as_html(found: Report, drawn: Sequence[Sequence[Sequence[Figure]]]) -> str:
    """The page; `drawn` are its figures by family and setting."""
    sheets = _sheets()
    bundle = found.viewer_command.replace("inspect view", "inspect view bundle", 1) + " --output-dir viewer"
    template = _environment(autoescape=True).get_template("page.template.html")
    return template.render(
        report=found,
        drawn=drawn,
        sheets=sheets,
        title=_title(found),
        organism_note=ORGANISM_NOTE,
        local_viewer=found.viewer_address == ADDRESS,
        bundle_command=bundle,
        tally=_tally,
        steps=_steps,
        bars=_bars,
        dose_of=_dose_of,
    )


def as_markdown(found: Report, drawn: Sequence[Sequence[Sequence[Figure]]]) -> str:
    """The same numbers as Markdown; without the quotations, which have no business in a comment."""
    template = _environment(autoescape=False).get_template("page.template.md")
    text = template.render(
        report=found, drawn=drawn, title=_title(found), organism_note=ORGANISM_NOTE, tally=_tally
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _blocks(curves: Sequence[Curve]) -> dict[Key, list[Curve]]:
    """Curves that may stand in one figure: they share the setting, layers and positions, and words are apart."""
    blocks: dict[Key, list[Curve]] = {}
    for curve in curves:
        blocks.setdefault(_key(curve), []).append(curve)
    return blocks


def _key(curve: Curve) -> Key:
    in_prompt = "prompt" if curve.arm == "prompt" else ""
    return (*(str(curve.setting[name]) for name in SETTING), curve.layers, curve.positions, in_prompt)


def _setting(curves: Sequence[Curve], main: str, quotes: Sequence[Quote], settings: Settings) -> Setting:
    every = [curve for curve in curves if curve.runs == ALL]
    coherent = {(c.outcome, c.arm, c.vector): c for c in curves if c.runs == COHERENT}
    lines = [line_of(c, coherent.get((c.outcome, c.arm, c.vector)), settings) for c in every]
    lines.sort(key=lambda line: (line.arm == "control", line.status != "effect"))
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
        quotes=tuple(quotes),
    )


def _quotes(
    runs: pd.DataFrame, curves: Sequence[Curve], logs: Sequence[str | Path], viewer: Viewer
) -> dict[Key, list[Quote]]:
    """Per block the evidence of one run for each of its cells and outcomes; the baseline's come first."""
    settings = {
        tuple(map(str, cast(tuple[object, ...], key))): some
        for key, some in runs.groupby(list(SETTING), dropna=False)
    }
    chosen: dict[Key, pd.DataFrame] = {}
    for key in _blocks(curves):
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


def _draw(
    found: Report, curves: Sequence[Curve], folder: Path, settings: Settings
) -> list[list[list[Figure]]]:
    """The figures by family and setting, in the order of the report."""
    drawn: list[list[list[Figure]]] = []
    for family in found.families:
        own = [c for c in curves if c.setting["family"] == family.family and c.runs == ALL]
        blocks = list(_blocks(own).values())
        drawn.append(
            [
                figures(some, setting.main, folder / _name(family.family, place, len(blocks)), settings)
                for place, (setting, some) in enumerate(zip(family.settings, blocks, strict=True), 1)
            ]
        )
    return drawn


def _name(family: str, place: int, of: int) -> str:
    return re.sub(r"[^\w-]+", "-", family) + (f"-{place}" if of > 1 else "")


def _title(found: Report) -> str:
    named = " and ".join(words(family.family) for family in found.families)
    return f"{named[:1].upper()}{named[1:]} under emotion vectors: {', '.join(found.models)}"


def _sheets() -> Sheets:
    style, script = ((HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    return Sheets(style, script, _hash(style), _hash(script))


def _hash(text: str) -> str:
    """As a Content-Security-Policy names an inline sheet."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=autoescape,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "words": words,
        "percent": lambda share: "" if share is None else percent(share),
        "hundred": lambda share: "" if share is None else whole(100 * share),
        "points": lambda share: "" if share is None else signed(100 * share),
        "p": lambda value: "" if value is None else p_value(value),
        "raw": repr,
        "sentence": _sentence,
        "judged": _judged,
        "of": _of,
        "by_vector": _by_vector,
        "md": _md,
    }
    return environment


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + "." * (not text.endswith("."))


def _of(lines: Sequence[Line], outcome: str) -> list[tuple[int, Line]]:
    """The lines of an outcome, each with its place in the report."""
    return [(place, line) for place, line in enumerate(lines) if line.outcome == outcome]


def _judged(lines: Sequence[Line], outcome: str) -> list[Line]:
    """The lines of an outcome whose verdict is told: emotions, or the controls where there is nothing else."""
    own = [line for line in lines if line.outcome == outcome]
    return [line for line in own if line.arm != "control"] or own


def _tally(lines: Sequence[Line], outcome: str) -> str:
    """How many verdicts of which kind."""
    kinds = [line.status for line in _judged(lines, outcome)]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _steps(lines: Sequence[Line], outcome: str) -> list[tuple[float, str]]:
    """The doses of all lines of an outcome, in order, but for the baseline."""
    doses = {d.strength: d.dose for _, line in _of(lines, outcome) for d in line.doses if d.strength}
    return sorted(doses.items())


def _bars(lines: Sequence[Line]) -> list[tuple[str, list[tuple[int, Line]]]]:
    """The vectors that the figure of all outcomes shows, each with its lines and their places."""
    some = [(place, line) for place, line in enumerate(lines) if line.arm != "control"]
    some = some or list(enumerate(lines))
    return [
        (vector, [(place, line) for place, line in some if line.vector == vector])
        for vector in dict.fromkeys(line.vector for _, line in some)
    ]


def _dose_of(line: Line, strength: float) -> str:
    return next(one.dose for one in line.doses if one.strength == strength)


def _by_vector(quotes: Sequence[Quote]) -> dict[str, list[Quote]]:
    """In the order in which the vectors come; per vector by outcome, then by dose."""
    grouped: dict[str, list[Quote]] = {}
    for quote in quotes:
        grouped.setdefault(quote.vector, []).append(quote)
    names = {name: sorted({q.outcome for q in some}) for name, some in grouped.items()}
    return {name: sorted(some, key=lambda q: names[name].index(q.outcome)) for name, some in grouped.items()}


def _md(text: str) -> str:
    """Text that means nothing to Markdown, nor to HTML within it."""
    text = re.sub(r"([\\`*_{}\[\]()#+!|~@$])", r"\\\1", str(text))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
