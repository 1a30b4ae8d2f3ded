"""A comparison as text for the terminal and as Markdown for a pull request; nothing is computed here.

The first line says what was found. Names of cells come from logs, which others may have written: in Markdown
what could be markup is escaped.
"""

import html
import re
from collections.abc import Iterator

from results.comparison import Comparison, Finding
from results.wording import p_value, percent, points, signed

ORDER = ("regression", "unreliable", "unreliable baseline", "missing", "not comparable", "insufficient data",
         "improvement", "changed", "outside window", "stable")  # fmt: skip
"""The gravest first."""

MOST = 60
"""Findings listed in Markdown; a comment holds no more than some tens of thousands of characters."""

ALIKE = 3
"""Findings listed one by one in the terminal where all have the same reason."""


def as_text(comparison: Comparison, *, every: bool = False) -> str:
    """The headline, every finding that is not stable, and what the numbers rest on; with `every`, all.

    Of many with one reason the first is named and the others counted.
    """
    lines = [comparison.headline, ""]
    for verdict, some in _by_verdict(comparison):
        lines.append(f"{verdict} ({len(some)})")
        if verdict == "stable" and not every:
            lines[-1] += ", not listed; --all lists them"
            continue
        by_reason: dict[str, list[str]] = {}
        for one in some:
            by_reason.setdefault(_reason(one), []).append(_label(one, comparison))
        for reason, names in by_reason.items():
            if len(names) > ALIKE and not every:
                names = [f"{names[0]} and {len(names) - 1} more (--all lists them)"]
            lines += [f"  {name}: {reason}" for name in names]
    lines += ["", *(f"problem: {problem}" for problem in comparison.problems)]
    lines += [f"note: {note}" for note in comparison.notes]
    return "\n".join([*lines, *_footnote(comparison)]).replace("\n\n\n", "\n\n")


def as_markdown(comparison: Comparison) -> str:
    """The same for a pull request: what is not stable as a table, the rest counted."""
    mark = {"stable": "✅", "regression": "❌", "could not be judged": "⚠️"}[comparison.verdict]
    lines = [f"### {mark} emodose: {_escaped(comparison.headline)}", ""]
    lines += [f"- **problem**: {_escaped(problem)}" for problem in comparison.problems]
    listed = [one for verdict, some in _by_verdict(comparison) if verdict != "stable" for one in some]
    if listed:
        lines += [
            "",
            "| finding | verdict | old | new | change (95 %) | corrected p |",
            "|---|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(map(_escaped, _cells(one, comparison)))} |" for one in listed[:MOST]]
    if len(listed) > MOST:
        lines.append(f"\n... and {len(listed) - MOST} more, in the JSON.")
    counts = ", ".join(f"{len(some)} {verdict}" for verdict, some in _by_verdict(comparison))
    lines += ["", f"<sub>{counts or 'no findings'}.</sub>", ""]
    lines += [
        f"<sub>{_escaped(line)}</sub>  " for line in (*comparison.notes, *_footnote(comparison)) if line
    ]
    return "\n".join(lines) + "\n"


def _by_verdict(comparison: Comparison) -> Iterator[tuple[str, list[Finding]]]:
    """Findings with a direction of harm before those without."""
    for verdict in ORDER:
        some = [one for one in comparison.findings if one.verdict == verdict]
        if some:
            yield verdict, sorted(some, key=lambda one: not one.gates)


def _label(one: Finding, comparison: Comparison) -> str:
    """The short name, where all findings share a setting; else with the setting."""
    settings = {other.name.removesuffix(other.label) for other in comparison.findings}
    return one.label if len(settings) == 1 else one.name


def _reason(one: Finding) -> str:
    return (
        one.reason if one.gates or one.verdict == "outside window" else f"{one.reason} (neither way is harm)"
    )


def _cells(one: Finding, comparison: Comparison) -> tuple[str, ...]:
    sides = [percent(side.value) if side and side.value is not None else "-" for side in (one.old, one.new)]
    if one.kind == "curve":
        sides = ["", ""]
    change, p = one.reason, ""
    if one.difference is not None and one.low is not None and one.high is not None:
        ends = ", ".join(signed(100 * end) for end in (one.low, one.high))
        change = f"{signed(100 * one.difference)} points [{ends}]"
        p = p_value(one.p_adjusted) if one.p_adjusted is not None else ""
    return _label(one, comparison), one.verdict, *sides, change, p


def _footnote(comparison: Comparison) -> Iterator[str]:
    limits = comparison.limits
    yield ""
    if comparison.new and comparison.old:
        sides = (
            f"{which} {side.model} {side.fingerprint[:8]}, {side.runs} runs, {side.created}"
            for which, side in (("new:", comparison.new), ("old:", comparison.old))
        )
        yield "; ".join(sides)
    scopes = sorted({one.scope for one in comparison.findings if one.scope})
    left_out = f"{percent(limits.most_errored)} errored or {percent(limits.most_unscored)} unscored"
    yield (
        f"A regression: corrected p below {comparison.alpha:g} (over {comparison.tests} tests) and at least "
        f"{points(limits.threshold)} for the worse. Stable: the {percent(comparison.level)} interval "
        f"excludes {points(limits.margin)} for the worse. Not judged: more than {left_out}, fewer than "
        f"{limits.fewest_runs} runs."
    )
    if scopes:
        yield f"Intervals speak of {', '.join(scopes)}, and are not corrected. Differences are new minus old."


def _escaped(text: str) -> str:
    """Without what Markdown or HTML would take for markup, or what ends a cell."""
    plain = html.escape("".join(c for c in " ".join(text.split()) if c.isprintable()), quote=False)
    return re.sub(r"([\\`*_|\[\]#!@~])", r"\\\1", plain)
