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


def as_markdown(lines: Sequence[Line], load: str) -> str:
    """The table, under what it was measured on."""
    rows = ["| subject | what | value | against | ratio | aim |", "|---|---|---|---|---|---|"]
    for line in lines:
        value = "" if line.value is None else f"{_figures(line.value)} {line.unit}"
        ratio = "" if line.ratio is None else _figures(line.ratio)
        aim = "" if line.aim is None else f"{line.aim:g}"
        rows.append(f"| {line.subject} | {line.what} | {value} | {line.against} | {ratio} | {aim} |")
    return "\n".join([_ABOUT, "", where(load), "", *rows, ""])


_ABOUT = """# Benchmark

Written by `make bench`. Only ratios are to be compared: what stands in one table was measured in turns, in
one run, on one machine. Tokens are real ones: neither padding nor what follows a row's end counts. Tokens per
second are per second of computing; the workload through Inspect is on the wall clock."""


def where(load: str) -> str:
    """The machine and its load, in one line."""
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return (
        f"{os.cpu_count()} CPU cores ({platform.machine()}), {torch.get_num_threads()} thread, {versions}; "
        f"load average before and after: {load}."
    )


def write(lines: Sequence[Line], load: str, stem: Path) -> list[Path]:
    """`stem`.md and `stem`.csv."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    markdown, table = stem.with_suffix(".md"), stem.with_suffix(".csv")
    markdown.write_text(as_markdown(lines, load), "utf-8")
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Line)])
        writer.writerows(
            ["" if value is None else _figures(value) if isinstance(value, float) else value for value in row]
            for row in map(astuple, lines)
        )
    return [markdown, table]


def _figures(number: float) -> str:
    """Three significant figures, and no fewer than the whole part."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
