"""The benchmark's table, as Markdown and CSV."""

import csv
import os
import platform
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import torch
import transformers


@dataclass(frozen=True)
class Line:
    """One comparison."""

    subject: str
    what: str
    value: float | None
    unit: str
    against: str = ""
    ratio: float | None = None
    aim: float | None = None
    """The ratio that was aimed at."""
    load: str = ""
    """Load average of the machine before and after the part of the benchmark that this belongs to."""


def as_table(lines: Sequence[Line]) -> str:
    """A Markdown table."""
    rows = ["| subject | what | value | against | ratio | aim | load |", "|---|---|---|---|---|---|---|"]
    for line in lines:
        value = "" if line.value is None else f"{_figures(line.value)} {line.unit}"
        ratio = "" if line.ratio is None else _figures(line.ratio)
        aim = "" if line.aim is None else f"{line.aim:g}"
        cells = (line.subject, line.what, value, line.against, ratio, aim, line.load)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


_ABOUT = """# Benchmark

Written by `make bench`. Only ratios are to be compared: what has one load in the table was measured in
turns, in one run, on one machine. Tokens are real ones: neither padding nor what follows a row's end counts.
Tokens per second are per second of computing; the workload through Inspect is on the wall clock. Load is the
machine's load average before and after: above the number of cores, other programs ran as well."""


def _where() -> str:
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    threads = torch.get_num_threads()
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), threads used: {threads}; {versions}."


def write(lines: Sequence[Line], stem: Path) -> list[Path]:
    """`stem`.md and `stem`.csv. Lines of an older table that were not measured again stay."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    markdown, table = stem.with_suffix(".md"), stem.with_suffix(".csv")
    new = {_key(line) for line in lines}
    old = [line for line in _read(table) if _key(line) not in new] if table.is_file() else []
    lines = [*lines, *old]
    markdown.write_text("\n\n".join([_ABOUT, _where(), as_table(lines)]), "utf-8")
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Line)])
        writer.writerows(
            ["" if value is None else _figures(value) if isinstance(value, float) else value for value in row]
            for row in map(astuple, lines)
        )
    return [markdown, table]


def _key(line: Line) -> tuple[str, str, str]:
    return line.subject, line.what, line.against


def _read(table: Path) -> list[Line]:
    with table.open(newline="", encoding="utf-8") as file:
        return [
            Line(
                row["subject"],
                row["what"],
                _number(row["value"]),
                row["unit"],
                row["against"],
                _number(row["ratio"]),
                _number(row["aim"]),
                row["load"],
            )
            for row in csv.DictReader(file)
        ]


def _number(text: str) -> float | None:
    return float(text) if text else None


def _figures(number: float) -> str:
    """Three significant figures, and no fewer than the whole part."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
