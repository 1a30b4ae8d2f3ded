"""The report page: one self-contained HTML file that a browser opens without a network, and the same as
Markdown and JSON.

All three come from one `results.sheet.Report`; nothing is computed here. What a model wrote is hostile text:
it is made harmless (`results.evidence`), escaped by the template, and the page's own policy lets nothing run
but the one script whose hash it names and loads nothing from anywhere. Text and looks lie in
`page.template.html`, `page.css`, `page.js` and `page.template.md`.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from results.analysis import analyse
from results.contents import ALL, blocks, build
from results.curves import Curve
from results.drawing import ORGANISM_NOTE, words
from results.health import COLUMNS, Column, number_text
from results.hypotheses import Hypothesis
from results.logs import find_logs
from results.page_figures import Figure, figures
from results.settings import DEFAULT, Settings
from results.sheet import Health, Line, Quote, Report
from results.table import load
from results.viewer import ADDRESS, viewer_of
from results.wording import dose, p_value, percent, signed, whole

HERE = Path(__file__).parent


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


def as_html(found: Report, drawn: Sequence[Sequence[Sequence[Figure]]]) -> str:
    """The page; `drawn` are its figures by family and setting."""
    sheets = _sheets()
    bundle = (
        found.viewer_command.replace("inspect view", "inspect view bundle", 1) + " --output-dir PAGE/viewer"
    )
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


def _draw(
    found: Report, curves: Sequence[Curve], folder: Path, settings: Settings
) -> list[list[list[Figure]]]:
    """The figures by family and setting, in the order of the report."""
    drawn: list[list[list[Figure]]] = []
    for family in found.families:
        own = [c for c in curves if c.setting["family"] == family.family and c.runs == ALL]
        own_blocks = list(blocks(own).values())
        drawn.append(
            [
                figures(some, setting.main, folder / _name(family.family, place, len(own_blocks)), settings)
                for place, (setting, some) in enumerate(zip(family.settings, own_blocks, strict=True), 1)
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
        "per_tenth": lambda slope: "" if slope is None else signed(10 * slope, 1),
        "dose": lambda strength: "" if strength is None else dose(strength),
        "p": lambda value: "" if value is None else p_value(value),
        "health": lambda value, name: "" if value is None else number_text(name, value),
        "measured": _measured,
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
    """The lines of an outcome whose verdict is told: emotions, or controls where there is nothing else."""
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


def _measured(rows: Sequence[Health]) -> list[Column]:
    """The columns of health that have a number anywhere."""
    return [column for column in COLUMNS if any(getattr(row, column.name) is not None for row in rows)]


def _by_vector(quotes: Sequence[Quote]) -> dict[str, list[Quote]]:
    grouped: dict[str, list[Quote]] = {}
    for quote in quotes:
        grouped.setdefault(quote.vector, []).append(quote)
    return grouped


def _md(text: str) -> str:
    """Text that means nothing to Markdown, nor to HTML within it."""
    text = re.sub(r"([\\`*_{}\[\]()#+!|~@$])", r"\\\1", str(text))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
