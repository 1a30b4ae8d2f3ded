"""The methods page: what a statistician asks, answered from the settings, the code's words and the
simulation's table.

The text lies in `methods.template.md` and `simulated.template.md` and holds no number of its own. `emodose
methods -o results/reference/methods.md` writes the page; a test holds that the committed page is the one that
the code writes.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from results import clearance, simulation
from results.controls import controls_needed
from results.difference import PAIR
from results.rates import CURVE, SETTING
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, THESE, UNIT, Scope
from results.wording import percent

SCOPES: tuple[Scope, ...] = (LIKE_THESE, THESE)
METHODS = (
    "method", "speaks of", "scenarios", "cells", "coverage, worst (mean)", "false positives, worst (mean)",
    "cleared", "used",
)  # fmt: skip
POWERS = ("speaks of", "scenarios", "runs per scenario", "baseline", "effect", "promised", "came out")


def page(settings: Settings = DEFAULT, table: Path = clearance.TABLE) -> str:
    """The page as Markdown."""
    return _template("methods.template.md").format(
        like_these=LIKE_THESE,
        these=THESE,
        unit=" x ".join(UNIT),
        setting=", ".join(SETTING),
        curve=", ".join(CURVE),
        pair=", ".join(PAIR),
        level=_share(settings.level),
        alpha=f"{settings.alpha:g}",
        power=_share(settings.power),
        spare=settings.spare_df,
        denied=1 + settings.spare_df,
        fewest_carriers=f"{settings.fewest_carriers:g}",
        assumed_likeness=f"{settings.assumed_likeness:g}",
        sparse_pairs=settings.sparse_pairs,
        worthwhile=f"{100 * settings.worthwhile:g}",
        floor=_share(settings.floor),
        ceiling=_share(settings.ceiling),
        most_errored=_share(settings.most_errored),
        correction={"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}[settings.correction],
        controls=controls_needed(settings),
        least=_least(table, settings),
        logistic=_logistic(table, settings),
        simulated=_simulated(table, settings),
    )


def _template(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _least(table: Path, settings: Settings) -> str:
    some = [n for n in _counts(table) if clearance.choose(n, settings, table).scope == LIKE_THESE]
    return f"{min(some)} and more" if some else "none so far"


def _logistic(table: Path, settings: Settings) -> str:
    some = [n for n in _counts(table) if clearance.cleared("logistic", LIKE_THESE, n, settings, table)]
    return f"with {', '.join(map(str, some))} scenarios" if some else "for no number of scenarios simulated"


def _counts(table: Path) -> list[int]:
    return sorted(set(pd.read_csv(table)["scenarios"])) if table.is_file() else []


def _simulated(path: Path, settings: Settings) -> str:
    if not path.is_file():
        return "There is no table: no method is cleared."
    table = pd.read_csv(path)
    most, limit = int(table["experiments"].max()), settings.least_coverage
    text = _template("simulated.template.md").format(
        bases=_list(table["base"]),
        likenesses=_list(table["likeness"]),
        variants=_list(simulation.VARIANTS),
        first=f"{table['experiments'].min():,}",
        most=f"{most:,}",
        effects=_list(100 * table.loc[table["effect"] != 0, "effect"]),
        close=simulation.CLOSE,
        error=f"{100 * (limit * (1 - limit) / most) ** 0.5:.2f}",
        least_coverage=_share(limit),
        most_false_positives=_share(settings.most_false_positives),
        level=_share(settings.level),
        alpha=_share(settings.alpha),
        methods=_methods(table, path, settings),
        powers=_powers(table),
        alike=f"{table['likeness'].max():g}",
        fewest_runs=min(simulation.VARIANTS),
        like_these=LIKE_THESE,
        fewest=table.loc[table["scope"] == LIKE_THESE, "scenarios"].min(),
    )
    return text.rstrip()


def _methods(table: pd.DataFrame, path: Path, settings: Settings) -> str:
    rows = []
    for scope in SCOPES:
        for (method, count), cells in table[table["scope"] == scope].groupby(["method", "scenarios"]):
            coverage = cells.loc[cells["quantity"] == "coverage", "value"]
            false = cells.loc[cells["quantity"] == "false positives", "value"]
            if coverage.empty and false.empty:
                continue
            passed = clearance.cleared(str(method), scope, int(str(count)), settings, path)
            number = max(len(coverage), len(false))
            worst = (_worst(coverage, "min"), _worst(false, "max"))
            used = "yes" if method in clearance.USED[scope] else ""
            rows.append((method, scope, count, number, *worst, "yes" if passed else "no", used))
    return _markdown(METHODS, rows)


def _powers(table: pd.DataFrame) -> str:
    rows = [
        (
            row["scope"], row["scenarios"], row["variants"], f"{row['base']:g}", f"{row['effect']:g}",
            percent(row["promised"]), percent(row["value"]),
        )
        for row in table[table["promised"].notna()].to_dict("records")
    ]  # fmt: skip
    return _markdown(POWERS, rows)


def _markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def _worst(values: "pd.Series[float]", which: str) -> str:
    if values.empty:
        return ""
    return f"{100 * getattr(values, which)():.1f} % ({100 * values.mean():.1f} %)"


def _share(value: float) -> str:
    return f"{100 * value:g} %"


def _list(values: "pd.Series[float] | tuple[int, ...]") -> str:
    return ", ".join(f"{value:g}" for value in sorted(set(values)))
