"""How well detectors read scripted agents: a confusion matrix, precision and recall, as a table in a README.

The same for every family; which scripts are played, and which half of them is held out, is the family's.
"""

from collections import Counter
from collections.abc import Sequence

BEGIN, END = "<!-- confusion: begin, generated -->", "<!-- confusion: end -->"

Confusion = Counter[tuple[str, str]]
"""How often: what the script is, what the detectors say."""


def page(readme: str, report: str) -> str:
    """The README with the report between its marks."""
    before, found_begin, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError(f"the README lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{report}\n{END}{after}"


def precision(table: Confusion, outcome: str) -> float | None:
    """Of the runs given this outcome, the share that is it; None without any."""
    given = sum(count for (_, detected), count in table.items() if detected == outcome)
    return table[outcome, outcome] / given if given else None


def recall(table: Confusion, outcome: str) -> float | None:
    """Of the runs that are this outcome, the share given it; None without any."""
    true = sum(count for (script, _), count in table.items() if script == outcome)
    return table[outcome, outcome] / true if true else None


def table(counts: Confusion, outcomes: Sequence[str]) -> str:
    """The matrix in Markdown, with recall at the right and precision below."""
    head = ["script is \\ read as", *outcomes, "recall"]
    lines = [head, ["---"] * len(head)]
    for outcome in outcomes:
        cells = [str(counts[outcome, detected] or "") for detected in outcomes]
        lines.append([f"`{outcome}`", *cells, _share(recall(counts, outcome))])
    lines.append(["precision", *(_share(precision(counts, outcome)) for outcome in outcomes), ""])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
