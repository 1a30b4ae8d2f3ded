"""A calibration in words: what was planted, recovered, found falsely, and how quiet controls are.

Every number comes from `results.calibration`.
"""

import math
from collections.abc import Sequence

from results.calibration import LOUD, Calibration, Order, Organism, Planted, Row
from results.settings import DEFAULT
from results.unsteered import Share
from results.wording import p_value, percent, signed, whole

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
    if calibration.linked.not_measured:
        parts.append(
            f"**Not measured: {', '.join(calibration.linked.not_measured)}**, where links are planted too."
        )
    if calibration.false_findings is None:
        parts.append("**False findings were not measured**: there are no runs of an organism without links.")
    else:
        f = calibration.false_findings
        parts.append(
            f"False findings in the organism without links: {f.found} of {f.curves} trends with p < .05, "
            f"{percent(f.share)} [{percent(f.low)}, {percent(f.high)}] (5 % are expected by chance); "
            f"{f.after_correction} after the correction that a report makes; {f.not_tested} curves could not "
            "be tested."
        )
    if controls:
        loud = sum(row.result == LOUD for row in calibration.rows("control"))
        parts.append(
            f"Controls: {loud} of {controls} curves have a trend after correction. The interval of {quiet} "
            "lies within a third of the steepest linked slope; the others are too wide to be called quiet."
        )
    parts += [LIMITS, *_organism(calibration.linked)]
    if calibration.null:
        parts += _organism(calibration.null)
    return "\n\n".join(parts) + "\n"


def _organism(one: Organism) -> list[str]:
    parts = [
        f"## {one.name}",
        f"{one.runs} runs of {one.model}. Doses are in mean residual norms, to the ends of each vector's "
        "coherent window.",
    ]
    for family, outcome in dict.fromkeys((row.family, row.outcome) for row in one.rows):
        rows = [row for row in one.rows if (row.family, row.outcome) == (family, outcome)]
        parts += [f"### {family}: {outcome.replace('_', ' ')}", _table(rows)]
        parts += [_in_order(o) for o in one.order if (o.family, o.outcome) == (family, outcome)]
    if one.unsteered:
        parts += ["### Without steering", _shares(one.unsteered)]
    return parts


def _shares(some: Sequence[Share]) -> str:
    lines = [_line(["family", "runs in which", "count", "share [95 %]"]), _line(["---"] * 4)]
    for share in some:
        rate = f"{percent(share.count / share.n)} [{percent(share.low)}, {percent(share.high)}]"
        lines.append(_line([share.family, share.what, f"{share.count} of {share.n}", rate]))
    return "\n".join(lines)


def _table(rows: Sequence[Row]) -> str:
    head = ["vector", "planted: none, mild, strong", "doses to", "rates from the lowest to the highest dose"]
    head += ["n", "points per 0.1 [95 %]", "corrected p", "planted", "found", "result"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        found = row.recovered
        shown = [f"**{whole(100 * r.rate)}**" if not r.strength else whole(100 * r.rate) for r in found.rates]
        slope = (
            f"{signed(10 * found.slope, 1)} [{signed(10 * found.low, 1)}, {signed(10 * found.high, 1)}]"
            if math.isfinite(found.slope)
            else "-"
        )
        cells = [row.vector, _planted(row.planted), f"{max(r.strength for r in found.rates):g}"]
        cells += [f"{' '.join(shown)} %", "/".join(sorted({str(rate.n) for rate in found.rates})), slope]
        wanted = row.planted.direction if row.planted else "-"
        lines.append(
            _line([*cells, p_value(found.p_adjusted), wanted, found.direction(DEFAULT.alpha), row.result])
        )
    return "\n".join([*lines, "", "The unsteered rate stands in bold."])


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
