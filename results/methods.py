"""The methods page: what a statistician asks, answered from the settings, the code's words and the
simulation's table.

It holds no number of its own. `emodose methods -o results/reference/methods.md` writes it; a test holds that
the committed page is the one that the code writes.
"""

from pathlib import Path

import pandas as pd

from results import clearance
from results.controls import controls_needed
from results.difference import PAIR
from results.rates import DOSE, SETTING
from results.settings import DEFAULT, Settings
from results.units import LIKE_THESE, THESE, UNIT, Scope

_SCOPES: tuple[Scope, ...] = (LIKE_THESE, THESE)


def page(settings: Settings = DEFAULT, simulation: Path = clearance.TABLE) -> str:
    """The page as Markdown."""
    level, alpha = f"{100 * settings.level:g} %", f"{settings.alpha:g}"
    parts = [
        "# Methods",
        "Written by `emodose methods` from the settings of `results/settings.py` and the table of "
        "`emodose simulate`. Do not edit.",
        "## What is the unit, what is clustered?",
        f"A run is one rollout. Of **{LIKE_THESE}** the unit is the scenario: every interval and test is "
        "clustered by "
        "scenario, Student's t with scenarios - 1. "
        f"Of **{THESE}** the unit is one {' x '.join(UNIT)}, whose epochs are clustered, within scenarios "
        "as strata. "
        "The first is used for as many scenarios as the simulation clears it for "
        f"({_least(simulation, settings)}), "
        "the second for fewer. Every report says which.",
        "Nothing is pooled over " + ", ".join(SETTING) + "; nor over " + ", ".join(DOSE) + ".",
        "## What is computed?",
        _bullets(
            f"**Rate**: {level} Wilson interval with the Korn-Graubard effective sample size (Inspect's "
            '`ci_wilson(cluster="scenario")`). Where the rarer answer is spread over effectively fewer than '
            f"{settings.fewest_carriers:g} scenarios, the interval is at least as wide as with an "
            "intra-cluster "
            f"correlation of {settings.assumed_likeness:g} (the guarded Wilson interval).",
            f"**Difference** from the baseline: over pairs with the same {', '.join(PAIR)} (the random "
            "stream is made "
            f"from these), error over units, Student's t. With fewer than {settings.sparse_pairs} pairs "
            "that differ, "
            "or none that differ differently: Newcombe's interval and an exact sign-flip test over units.",
            "**Trend**: the mean over units of each unit's least-squares line over all judged doses, with "
            "Student's t. The "
            "logistic GEE with the bias-reduced error of Mancl and DeRouen and t(scenarios - 1) is "
            "reported beside it "
            f"only where the simulation clears it: {_logistic(simulation, settings)}.",
            "**Shape**: no monotonic shape is forced on any curve. A turn is tested for on its own, by two "
            "lines cut "
            "at each inner dose (after Simonsohn 2018), times the number of cuts.",
            f"**An effect** is a difference with a corrected p below {alpha} and an interval without 0.",
            f"**Smallest detectable difference**: with {100 * settings.power:g} % power, before any "
            "correction.",
            f"**Floor and ceiling**: every rate of a curve at most {100 * settings.floor:g} %, or at least "
            f"{100 * settings.ceiling:g} %: the curve cannot be judged.",
            f"**Not judged**: a point with more than {100 * settings.most_errored:g} % errored runs. "
            "Errored and "
            "unscored runs are missing, never 0, and counted beside every n.",
            "**Coherent runs**: everything once over all scored runs and once over those that are not "
            "flagged "
            "incoherent. Doses outside the measured coherent window are marked.",
        ),
        "## What was corrected?",
        f"p-values of differences: {_correction(settings)} over all vectors and strengths of one setting "
        "and outcome. "
        "Trends and turns: the same over vectors. Outcomes are not corrected for each other: they exclude "
        "each other. "
        "Intervals are not corrected. Controls are corrected among themselves.",
        "**Controls**: random directions of equal norm. An emotion's effect is ranked by size among "
        "theirs at the "
        "same strength, layers and positions; p = (1 + controls at least as large) / (1 + controls), so "
        "that "
        f"{controls_needed(settings)} controls are needed to reach {alpha}.",
        "## What was declared?",
        "Hypotheses (vector, family, outcome, sign, maybe a strength) are read from a YAML file, tested by "
        "the trend "
        "or by the difference at their strength, corrected by Holm among themselves only, and reported "
        "apart. "
        "Everything else was merely seen.",
        "## Does it hold? The simulation",
        _simulated(simulation, settings),
    ]
    return "\n\n".join(parts) + "\n"


def _bullets(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _correction(settings: Settings) -> str:
    return {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}[settings.correction]


def _least(simulation: Path, settings: Settings) -> str:
    counts = sorted(set(pd.read_csv(simulation)["scenarios"])) if simulation.is_file() else []
    some = [n for n in counts if clearance.choose(n, settings, simulation).scope == LIKE_THESE]
    return f"{min(some)} and more" if some else "none so far"


def _logistic(simulation: Path, settings: Settings) -> str:
    counts = sorted(set(pd.read_csv(simulation)["scenarios"])) if simulation.is_file() else []
    some = [n for n in counts if clearance.cleared("logistic", LIKE_THESE, n, settings, simulation)]
    return f"with {', '.join(map(str, some))} scenarios" if some else "for no number of scenarios simulated"


def _simulated(simulation: Path, settings: Settings) -> str:
    if not simulation.is_file():
        return "There is no table: no method is cleared."
    table = pd.read_csv(simulation)
    lines = [
        f"Known rates ({_list(table['base'])}), intra-cluster correlations ({_list(table['likeness'])}), "
        "runs per "
        "scenario and dose, effects even and uneven over scenarios; "
        f"{int(table['experiments'].min()):,} to {int(table['experiments'].max()):,} experiments a cell. A "
        "method is "
        f"cleared where every cell covers at least {100 * settings.least_coverage:g} % (of "
        f"{100 * settings.level:g} %) "
        f"and calls at most {100 * settings.most_false_positives:g} % false positives (at "
        f"{100 * settings.alpha:g} %). Worst and mean over the cells:",
        "",
        "| method | speaks of | scenarios | cells | coverage, worst (mean) | false positives, worst (mean) "
        "| cleared |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for scope in _SCOPES:
        for (method, count), cell in table[table["scope"] == scope].groupby(["method", "scenarios"]):
            coverage = cell.loc[cell["quantity"] == "coverage", "value"]
            false = cell.loc[cell["quantity"] == "false positives", "value"]
            if coverage.empty and false.empty:
                continue
            passed = clearance.cleared(str(method), scope, int(str(count)), settings, simulation)
            lines.append(
                f"| {method} | {scope} | {count} | {max(len(coverage), len(false))} | "
                f"{_worst(coverage, 'min')} | {_worst(false, 'max')} | {'yes' if passed else 'no'} |"
            )
    promised = table[table["promised"].notna()]
    lines += ["", "Power of the paired difference, as planned by `emodose plan` and as it came out:", ""]
    lines += ["| speaks of | scenarios | runs per scenario | baseline | effect | promised | came out |"]
    lines += ["|---|--:|--:|--:|--:|--:|--:|"]
    for row in promised.to_dict("records"):
        lines.append(
            f"| {row['scope']} | {row['scenarios']} | {row['variants']} | {row['base']:g} | "
            f"{row['effect']:g} | "
            f"{100 * row['promised']:.0f} % | {100 * row['value']:.0f} % |"
        )
    return "\n".join(lines)


def _worst(values: "pd.Series[float]", which: str) -> str:
    if values.empty:
        return ""
    return f"{100 * getattr(values, which)():.1f} % ({100 * values.mean():.1f} %)"


def _list(values: "pd.Series[float]") -> str:
    return ", ".join(f"{value:g}" for value in sorted(set(values)))
