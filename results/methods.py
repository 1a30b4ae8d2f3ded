"""The methods page: what a statistician asks, answered from the settings, the code's words and the
simulation's table.

It holds no number of its own. `emodose methods -o results/reference/methods.md` writes it; a test holds that
the committed page is the one that the code writes.
"""

from pathlib import Path

import pandas as pd

from results import clearance, simulation
from results.controls import controls_needed
from results.difference import PAIR
from results.rates import CURVE, SETTING
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, THESE, UNIT, Scope
from results.wording import percent

_SCOPES: tuple[Scope, ...] = (LIKE_THESE, THESE)


def page(settings: Settings = DEFAULT, table: Path = clearance.TABLE) -> str:
    """The page as Markdown."""
    parts = [
        "# Methods",
        "Written by `emodose methods` from the settings of `results/settings.py` and the table of "
        "`emodose simulate`. Do not edit.",
        "## What is the unit, what is clustered?",
        _units(settings, table),
        "## What is computed?",
        _computed(settings, table),
        "## What was corrected?",
        _corrected(settings),
        "## What was declared?",
        "Hypotheses (vector, family, outcome, sign, maybe a strength) are read from a YAML file "
        "(`emodose analyse --hypotheses`), tested by the trend or by the difference at their strength, "
        "corrected "
        "by Holm among themselves only, and reported apart. Everything else was merely seen.",
        "## Does it hold? The simulation",
        _simulated(table, settings),
    ]
    return "\n\n".join(parts) + "\n"


def _units(settings: Settings, table: Path) -> str:
    return (
        f"A run is one rollout. Of **{LIKE_THESE}** the unit is the scenario: every interval and test is "
        "clustered by scenario. "
        f"Of **{THESE}** the unit is one {' x '.join(UNIT)}, whose epochs are clustered, within scenarios as "
        "strata. The first is used for as many scenarios as the simulation clears it for "
        f"({_least(table, settings)})"
        ", the second for fewer: what it finds holds for the scenarios that were played and says nothing of "
        "others. "
        "Every report and figure says which, and whether the simulation cleared it.\n\n"
        f"Nothing is pooled over {', '.join(SETTING)}; nor over {', '.join(CURVE)}, strength."
    )


def _computed(settings: Settings, table: Path) -> str:
    level, alpha, spare = f"{100 * settings.level:g} %", f"{settings.alpha:g}", settings.spare_df
    return _bullets(
        f"**Rate**: {level} Wilson interval. Of {THESE}: over runs, or clustered by {' x '.join(UNIT)} "
        "where there "
        f"are epochs. Of {LIKE_THESE}: with the Korn-Graubard effective sample size and t(scenarios - 1) "
        '(Inspect\'s `ci_wilson(cluster="scenario")`); where the rarer answer is spread over effectively '
        "fewer than "
        f"{settings.fewest_carriers:g} scenarios, at least as wide as with an intra-cluster correlation of "
        f"{settings.assumed_likeness:g} (the guarded Wilson interval).",
        f"**Difference** from the baseline: over pairs with the same {', '.join(PAIR)} (the random stream "
        "is made "
        "from these, so that a dose and its baseline share it), error over units, Student's t. With fewer "
        "than "
        f"{settings.sparse_pairs} pairs that differ, or none that differ differently: Newcombe's interval "
        "and an "
        "exact sign-flip test over units.",
        f"**Student's t** has {spare} degrees of freedom fewer than the means leave: units - strata - "
        f"{spare}, so "
        f"t(scenarios - {1 + spare}) of {LIKE_THESE}. Scenarios' effects are not normal: where they fall "
        "into two "
        "camps or end at 0 or 1, t(scenarios - 1) covers too seldom (91 % with 8 scenarios of many runs, in "
        "the "
        "exploration that settled this number; the table below was made with other random numbers).",
        "**Trend**: the mean over units of each unit's least-squares line over all judged doses, with "
        "Student's t. "
        "The logistic GEE with the bias-reduced error of Mancl and DeRouen and t(scenarios - 1) is reported "
        "beside "
        f"it only where the simulation clears it: {_logistic(table, settings)}.",
        "**Shape**: no monotonic shape is forced on any curve. A turn is tested for on its own, by two "
        "lines cut at "
        "each inner dose (after Simonsohn 2018), times the number of cuts.",
        f"**An effect** is a difference with a corrected p below {alpha} and an interval without 0, or a "
        "trend with a "
        f"corrected p below {alpha}.",
        f"**Smallest detectable difference**: with {100 * settings.power:g} % power, at {alpha} divided by "
        "all the "
        "differences that are corrected together. A verdict without an effect that could have missed "
        f"{100 * settings.worthwhile:g} points says how many more runs would find them.",
        f"**Floor and ceiling**: every rate of a curve at most {100 * settings.floor:g} %, or at least "
        f"{100 * settings.ceiling:g} %: the curve cannot be judged.",
        f"**Not judged**: a point with more than {100 * settings.most_errored:g} % errored runs. Errored and "
        "unscored runs are missing, never 0, and counted beside every n.",
        "**Coherent runs**: everything once over all scored runs and once over those that are not flagged "
        "incoherent. Doses outside the measured coherent window are marked.",
        "**The emotion in words** (arm `prompt`): differences from the baseline at each intensity, "
        "corrected among "
        "themselves, on axes of their own. Intensities have an order but no distances: no trend, no turn, "
        "and never "
        "pooled with strengths.",
    )


def _corrected(settings: Settings) -> str:
    name = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}[settings.correction]
    return (
        f"p-values of differences: {name} over all vectors and strengths of one setting, outcome and arm "
        "(emotions, "
        "controls and words each among themselves). Trends and turns: the same over vectors. Outcomes are "
        "not "
        "corrected for each other: they exclude each other. Settings (models, families, twins) and the two "
        "readings "
        "over all and over coherent runs are not either. Intervals are not corrected, so that one may "
        "exclude 0 where "
        "the corrected p finds nothing; the verdict then says so.\n\n"
        "**Controls**: random directions of equal norm. An emotion's effect is ranked by size among theirs "
        "at the "
        "same strength, layers and positions, and so is its trend; p = (1 + controls at least as large) / "
        "(1 + "
        f"controls), so that {controls_needed(settings)} controls are needed to reach {settings.alpha:g}."
    )


def _bullets(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _counts(table: Path) -> list[int]:
    return sorted(set(pd.read_csv(table)["scenarios"])) if table.is_file() else []


def _least(table: Path, settings: Settings) -> str:
    some = [n for n in _counts(table) if clearance.choose(n, settings, table).scope == LIKE_THESE]
    return f"{min(some)} and more" if some else "none so far"


def _logistic(table: Path, settings: Settings) -> str:
    some = [n for n in _counts(table) if clearance.cleared("logistic", LIKE_THESE, n, settings, table)]
    return f"with {', '.join(map(str, some))} scenarios" if some else "for no number of scenarios simulated"


def _simulated(path: Path, settings: Settings) -> str:
    if not path.is_file():
        return "There is no table: no method is cleared."
    table = pd.read_csv(path)
    few, many = int(table["experiments"].min()), int(table["experiments"].max())
    limit = settings.least_coverage
    error = 100 * (limit * (1 - limit) / many) ** 0.5
    lines = [
        f"`emodose simulate` draws runs with known rates ({_list(table['base'])} at the baseline), "
        "intra-cluster "
        f"correlations ({_list(table['likeness'])}), runs per scenario and dose "
        f"({_list(simulation.VARIANTS)} and those "
        "of plans), no effect, an even one and one that differs between scenarios by half of itself, and "
        "puts them "
        f"through the code of `emodose analyse`. {few:,} experiments a cell, and up to {many:,} until every "
        "value that "
        f"reports rest on is {simulation.CLOSE} Monte Carlo errors from its limit (the error of a value "
        "near it is then "
        f"{error:.2f} points). A method is **cleared** for a number of scenarios where every cell covers at "
        "least "
        f"{100 * limit:g} % (of {100 * settings.level:g} %) and calls at most "
        f"{100 * settings.most_false_positives:g} % "
        f"false positives (at {100 * settings.alpha:g} %); for a number between two simulated ones the "
        "smaller of these "
        "counts. Covering more, as near rates of 0 and 1, is accepted. Worst and mean over the cells:",
        "",
        "| method | speaks of | scenarios | cells | coverage, worst (mean) | false positives, worst (mean) "
        "| cleared | used |",
        "|---|---|--:|--:|--:|--:|---|---|",
    ]
    for scope in _SCOPES:
        for (method, count), cell in table[table["scope"] == scope].groupby(["method", "scenarios"]):
            coverage = cell.loc[cell["quantity"] == "coverage", "value"]
            false = cell.loc[cell["quantity"] == "false positives", "value"]
            if coverage.empty and false.empty:
                continue
            passed = clearance.cleared(str(method), scope, int(str(count)), settings, path)
            used = "yes" if method in clearance.USED[scope] else ""
            lines.append(
                f"| {method} | {scope} | {count} | {max(len(coverage), len(false))} | "
                f"{_worst(coverage, 'min')} | {_worst(false, 'max')} | {'yes' if passed else 'no'} | {used} |"
            )
    promised = table[table["promised"].notna()]
    lines += [
        "",
        "Power of the paired difference, as planned by `emodose plan` and as it came out:",
        "",
        "| speaks of | scenarios | runs per scenario | baseline | effect | promised | came out |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in promised.to_dict("records"):
        lines.append(
            f"| {row['scope']} | {row['scenarios']} | {row['variants']} | {row['base']:g} | "
            f"{row['effect']:g} | "
            f"{percent(row['promised'])} | {percent(row['value'])} |"
        )
    lines += [
        "",
        "Not simulated: scenarios whose rates are spread more than by a correlation of "
        f"{table['likeness'].max():g}, fewer than {min(simulation.VARIANTS)} runs per scenario and dose, "
        "unequal numbers "
        f"of runs, more than one epoch, and scenarios like these with fewer than {_fewest(table)} of them.",
    ]
    return "\n".join(lines)


def _fewest(table: pd.DataFrame) -> int:
    return int(table.loc[table["scope"] == LIKE_THESE, "scenarios"].min())


def _worst(values: "pd.Series[float]", which: str) -> str:
    if values.empty:
        return ""
    return f"{100 * getattr(values, which)():.1f} % ({100 * values.mean():.1f} %)"


def _list(values: "pd.Series[float] | tuple[int, ...]") -> str:
    return ", ".join(f"{value:g}" for value in sorted(set(values)))
