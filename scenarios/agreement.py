"""How far detectors and judge agree: Cohen's kappa, as a function and as an Inspect metric."""

from collections import Counter
from collections.abc import Sequence

from inspect_ai.scorer import Metric, SampleScore, Value, metric

Pair = tuple[str, str]


def cohens_kappa(pairs: Sequence[Pair]) -> float | None:
    """Agreement of two raters beyond chance, 1 at most; None where it is undefined.

    It is undefined without pairs, and where both raters always say the same one thing.
    Cohen 1960, A Coefficient of Agreement for Nominal Scales.
    """
    n = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(first[label] * second[label] for label in first)
    if by_chance == n * n:
        return None
    observed = sum(one == other for one, other in pairs)
    return (observed * n - by_chance) / (n * n - by_chance)


@metric(scores="unreduced")
def agreement() -> Metric:
    """Lines for the judged runs: share of equal verdicts, kappa, and how many verdicts could not be read."""

    def compute(scores: list[SampleScore]) -> Value:
        about = [score.score.metadata or {} for score in scores]
        asked = [one for one in about if "judged" in one]
        pairs = [(one["detected"], one["judged"]) for one in asked if one["judged"] is not None]
        lines: dict[str, float] = {}
        if pairs:
            name = f"detectors and judge (n {len(pairs)})"
            lines[f"{name} agree"] = sum(one == other for one, other in pairs) / len(pairs)
            kappa = cohens_kappa(pairs)
            if kappa is not None:
                lines[f"{name} kappa"] = kappa
        lines["judge without verdict"] = len(asked) - len(pairs)
        return lines

    return compute
