"""What the read-outs of a folder of vectors showed: in words, as a page, as a figure.

Made from the report that `emodose vectors check` writes as JSON; nothing is read out or judged here.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.drawing import GREY, INK, ORGANISM_NOTE, STYLE, save, words

ORGANISM = "organism"
"""Name of the texts that only the reference organism is read out on."""
COLOURS = {"pass": INK, "weak": "#c98a1b", "fail": "#b03a2e"}
PROFILE = (
    ("stories", "held-out stories", "-o"),
    ("implicit", "implicit scenarios", "-s"),
    ("intensity", "intensities (rho)", "-^"),
    ("halves", "two halves (cosine)", ":d"),
    ("valence", "first component and valence (|r|)", ":v"),
)
MARKS = (("auc", "held-out stories (AUC)", "o"), ("implicit", "implicit scenarios", "s"),
         ("intensity", "intensities (rho)", "^"), ("halves", "two halves (cosine)", "d"))  # fmt: skip


def as_text(report: dict[str, Any]) -> str:
    """The verdicts and the numbers behind them, for a terminal."""
    emotions = report["emotions"]
    width = max(len(emotion) for emotion in emotions)
    lines = [
        f"{report['model_id']}: {len(emotions)} vectors from {report['corpus']}, read out on "
        f"{report['texts']} at layer {report['layer']} of {report['layers']}, the one recommended",
        "",
        *_told(report),
        "",
        f"{'':{width}}  verdict  stories  implicit  intensity  halves",
    ]
    for emotion in emotions:
        verdict = report["verdicts"][emotion]
        numbers = verdict["numbers"]
        cells = [_cell(numbers.get(key)) for key in ("auc", "implicit", "intensity", "halves")]
        lines.append(
            f"{emotion:{width}}  {verdict['verdict']:7}  {cells[0]:>7}  {cells[1]:>8}  {cells[2]:>9}  "
            f"{cells[3]:>6}"
        )
    return "\n".join([*lines, "", *_reasons(report)])


def as_page(report: dict[str, Any], figure: str) -> str:
    """The vector card, in Markdown; `figure` is the picture's path as the page names it."""
    rows = ["| vector | verdict | stories (AUC) | implicit | intensity | halves | refusal | up | down |",
            "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for emotion in report["emotions"]:
        verdict = report["verdicts"][emotion]
        cells = [_cell(verdict["numbers"].get(key)) for key in ("auc", "implicit", "intensity", "halves")]
        refusal = _cell((report["refusal"] or {}).get(emotion))
        up, down = (
            ", ".join(_code(word) for word in report["lens"][way][emotion][:5]) for way in ("up", "down")
        )
        rows.append(f"| {emotion} | {verdict['verdict']} | {' | '.join(cells)} | {refusal} | {up} | {down} |")
    reasons = [f"- {line}." for line in _reasons(report)]
    notes = [f"- {note}." for note in report["notes"]]
    return "\n".join(
        [
            f"# Vectors of {report['model_id']}",
            "",
            f"From `{report['corpus']}`, read out on the texts `{report['texts']}`, none of which they "
            f"were made from. Layer {report['layer']} of {report['layers']} is recommended for steering; it "
            "was chosen on these read-outs, never on behaviour. AUC: how often a held-out story of the "
            "emotion is read above another's. Up and down: what the vector promotes and suppresses most.",
            "",
            f"![Read-outs by vector and by layer]({figure})",
            "",
            *([ORGANISM_NOTE, ""] if report["texts"] == ORGANISM else []),
            *[f"- {line}" for line in _told(report)],
            "",
            *rows,
            "",
            *(["## Why not all of them pass", "", *reasons, ""] if reasons else []),
            *(["## What extraction warned of", "", *notes, ""] if notes else []),
            f"Thresholds: {json.dumps(report['settings'])}. A vector that passes says what its name says on "
            "these texts; it is no evidence that a model feels anything.",
            "",
        ]
    )


def write(report: dict[str, Any], folder: Path) -> Path:
    """The page, its figure and the report itself, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draw(report, folder / "card")
    page = folder / "README.md"
    page.write_text(as_page(report, "card.png"), encoding="utf-8")
    return page


def draw(report: dict[str, Any], out: Path) -> tuple[Path, Path]:
    """Verdicts and numbers per vector, the profile over layers, and the plane of the first two components."""
    with matplotlib.rc_context(STYLE):
        height = max(3.6, 1.2 + 0.24 * len(report["emotions"]))
        figure = Figure(figsize=(11, height), layout="constrained")
        vectors, profile, plane = figure.subplots(1, 3)
        _draw_vectors(vectors, report)
        _draw_profile(profile, report)
        _draw_plane(plane, report)
        note = f"\n{ORGANISM_NOTE}" if report["texts"] == ORGANISM else ""
        figure.suptitle(
            f"Read-outs of {report['model_id']}, layer {report['layer']}, on {report['texts']}{note}",
            x=0.01, ha="left", fontsize=10.5, fontweight="bold",
        )  # fmt: skip
        return save(figure, out)


def _draw_vectors(axes: Axes, report: dict[str, Any]) -> None:
    emotions = report["emotions"][::-1]
    for key, label, mark in MARKS:
        found = [(report["verdicts"][e]["numbers"].get(key), row) for row, e in enumerate(emotions)]
        found = [(value, row) for value, row in found if value is not None]
        if found:
            values, rows = zip(*found, strict=True)
            axes.plot(values, rows, mark, label=label, color=INK, markerfacecolor="none", markersize=5)
    axes.set_yticks(range(len(emotions)), [words(e) for e in emotions])
    for tick, emotion in zip(axes.get_yticklabels(), emotions, strict=True):
        tick.set_color(COLOURS[report["verdicts"][emotion]["verdict"]])
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlim(min(-0.05, axes.get_xlim()[0]), 1.05)
    counts = [
        f"{sum(v['verdict'] == verdict for v in report['verdicts'].values())} {verdict}"
        for verdict in COLOURS
    ]
    axes.set_title(f"{', '.join(counts)} (blue, amber, red)", fontsize=9, loc="left")
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.08))


def _draw_profile(axes: Axes, report: dict[str, Any]) -> None:
    for key, label, style in PROFILE:
        values = report["profile"][key]
        if values:
            axes.plot(range(len(values)), values, style, label=label, markersize=4, linewidth=1.2)
    axes.axvline(report["layer"], color=GREY, linewidth=5, alpha=0.35, zorder=0)
    axes.set_ylim(min(-0.05, axes.get_ylim()[0]), 1.05)
    axes.set_xlabel("layer")
    axes.set_title("0 is chance, 1 perfect; grey: recommended", fontsize=9, loc="left")
    axes.set_xticks(range(0, report["layers"], max(1, report["layers"] // 8)))
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.12))


def _draw_plane(axes: Axes, report: dict[str, Any]) -> None:
    across, *rest = report["components"]
    up = rest[0] if rest else None
    for emotion in report["emotions"]:
        x, y = across["scores"][emotion], up["scores"][emotion] if up else 0.0
        axes.plot(x, y, "o", color=INK, markersize=3)
        axes.annotate(words(emotion), (x, y), fontsize=7, xytext=(3, 2), textcoords="offset points")
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.axvline(0, color=GREY, linewidth=0.5)
    axes.margins(0.2)
    for component, label in ((across, axes.set_xlabel), (up, axes.set_ylabel)):
        if component:
            r = ", ".join(f"{what} |r| {value:.2f}" for what, value in component["r"].items())
            told = f"{component['explained']:.0%} of variance"
            label(f"{told}\n{r}" if r else told, fontsize=8)
    axes.set_title("principal components of the unit vectors", fontsize=9, loc="left")


def _told(report: dict[str, Any]) -> list[str]:
    """The read-outs of all vectors together, in sentences; what was not tried is said."""
    lines = [_accuracy("held-out stories", report["stories"])]
    null = (report["stories"] or {}).get("null")
    if null:
        lines.append(
            f"token embeddings alone tell {null['accuracy']:.0%} of them "
            f"({null['interval'][0]:.0%} to {null['interval'][1]:.0%})"
        )
    lines.append(_accuracy("implicit scenarios", report["implicit"]))
    curves = report["intensity"]
    if curves:
        right = sum(curve["expected"] * curve["rho"] > 0 for curve in curves)
        mean = sum(curve["expected"] * curve["rho"] for curve in curves) / len(curves)
        lines.append(
            f"intensities: {right} of {len(curves)} curves go the expected way, mean rho {mean:+.2f}"
        )
    else:
        lines.append("intensities: not tried")
    first, *_ = report["components"]
    rated = (
        ", ".join(f"|r| with {what} {value:.2f}" for what, value in first["r"].items())
        or "too few rated words"
    )
    lines.append(f"first component of the unit vectors: {first['explained']:.0%} of variance, {rated}")
    if len(report["emotions"]) > 2:
        lines.append(_closest(report))
    if not report["lens"]["rank"]:
        lines.append("logit lens: no emotion's name is one token here, so no rank of its own word")
    if not report["chat_template"]:
        lines.append("read without a chat template, as plain Human and Assistant turns")
    return lines


def _reasons(report: dict[str, Any]) -> list[str]:
    """Why vectors are weak or fail; those with the same reasons together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for emotion, verdict in report["verdicts"].items():
        if verdict["reasons"]:
            groups.setdefault((verdict["verdict"], *verdict["reasons"]), []).append(emotion)
    return [f"{', '.join(names)}: {why[0]} ({'; '.join(why[1:])})" for why, names in groups.items()]


def _closest(report: dict[str, Any]) -> str:
    """The vectors that are most and least alike."""
    names, cosines = report["emotions"], report["cosines"]
    pairs = sorted((cosines[i][j], names[i], names[j]) for i in range(len(names)) for j in range(i))
    told = [f"{one} and {other} {value:+.2f}" for value, one, other in (pairs[-1], pairs[0])]
    return f"cosines between vectors: from {told[1]} to {told[0]}"


def _accuracy(what: str, found: dict[str, Any] | None) -> str:
    if found is None:
        return f"{what}: not tried"
    low, high = found["interval"]
    return (
        f"{what}: {found['accuracy']:.0%} of {found['n']} told right ({low:.0%} to {high:.0%}; chance "
        f"{found['chance']:.0%}, permutation p {found['p']:.3f})"
    )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _code(word: str) -> str:
    return f"`{word.replace('|', '¦').replace('`', chr(39))}`"
