"""A calibration in words: what was planted, recovered, found falsely, and how quiet controls are.

Every number comes from `results.calibration`.
"""

from collections.abc import Sequence

from results.calibration import Calibration, Order, Organism, Planted, Row
from results.wording import p_value, percent

LIMITS = (
    "An organism is a very small model trained on the texts it is measured with. That its planted links are "
    "found says that vectors, steering, detectors and statistics work together; it says nothing about real "
    "language models. Planted are probabilities under a mood in words, recovered are rates under a dose, so "
    "that sizes are not comparable."
)


def as_text(calibration: Calibration) -> str:
    """The whole calibration; lines of tables are Markdown."""
    done, of = calibration.recovered()
    quiet, controls = calibration.controls_quiet()
    parts = [
        "# Calibration",
        f"Planted directions recovered: {done} of {of}.",
    ]
    if calibration.false_findings:
        f = calibration.false_findings
        parts.append(
            f"False findings in the organism without links: {f.found} of {f.curves} trends with p < .05, "
            f"{percent(f.share)} [{percent(f.low)}, {percent(f.high)}] (5 % are expected by chance); "
            f"{f.after_correction} after the correction that a report makes."
        )
    if controls:
        parts.append(
            f"Controls: {quiet} of {controls} curves have no trend, and an interval within a third of the "
            "steepest linked slope."
        )
    parts += [LIMITS, *_organism(calibration.linked)]
    if calibration.null:
        parts += _organism(calibration.null)
    return "\n\n".join(parts) + "\n"


def _organism(one: Organism) -> list[str]:
    window = "not the same for all vectors" if one.window is None else f"+-{one.window:g}"
    parts = [
        f"## {one.name}",
        f"{one.runs} runs of {one.model}; coherent window {window} mean residual norms.",
    ]
    for family, outcome in dict.fromkeys((row.family, row.outcome) for row in one.rows):
        rows = [row for row in one.rows if (row.family, row.outcome) == (family, outcome)]
        parts += [f"### {family}: {outcome.replace('_', ' ')}", _table(rows)]
        parts += [_in_order(o) for o in one.order if (o.family, o.outcome) == (family, outcome)]
    return parts


def _table(rows: Sequence[Row]) -> str:
    strengths = sorted({rate.strength for row in rows for rate in row.recovered.rates})
    head = ["vector", "planted: none, mild, strong", *(f"{s:+g}" if s else "0" for s in strengths)]
    head += ["points per 0.1 [95 %]", "corrected p", "planted / found", "result"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        found = row.recovered
        at = {rate.strength: rate for rate in found.rates}
        rates = [f"{percent(at[s].rate)} (n {at[s].n})" if s in at else "" for s in strengths]
        slope = f"{10 * found.slope:+.1f} [{10 * found.low:+.1f}, {10 * found.high:+.1f}]"
        seen = found.direction(0.05)
        wanted = row.planted.direction if row.planted else "none"
        lines.append(
            _line(
                [
                    row.vector,
                    _planted(row.planted),
                    *rates,
                    slope,
                    p_value(found.p_adjusted),
                    f"{wanted} / {seen}",
                    row.result,
                ]
            )
        )
    return "\n".join(lines)


def _in_order(order: Order) -> str:
    return f"Order over {order.emotions} emotions: Spearman's rho {order.rho:+.2f} (p {p_value(order.p)})."


def _planted(planted: Planted | None) -> str:
    return (
        "control"
        if planted is None
        else ", ".join(map(percent, (planted.base, planted.mild, planted.strong)))
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
