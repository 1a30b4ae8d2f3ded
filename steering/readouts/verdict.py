"""Pass, weak or fail: one vector's evidence against the settings, with reasons."""

from typing import NamedTuple

from steering.readouts.settings import Settings
from steering.vectors import Readouts


class Evidence(NamedTuple):
    """What was found of one vector at the chosen layer; None for what was not tried."""

    set_p: float | None
    """Permutation p of the held-out story accuracy of all vectors together."""
    not_below_null: bool | None
    """Whether that accuracy is at least the one of token embeddings."""
    auc: float | None
    auc_p: float | None
    halves: float | None
    implicit: float | None
    intensity: float | None
    lens: float | None


def judge(found: Evidence, layer: int, tensor_hash: str, settings: Settings) -> Readouts:
    """A fail reads held-out stories no better than chance; a pass shows everything; the rest is weak."""
    failed = []
    if found.set_p is not None and found.set_p > settings.set_alpha:
        failed.append(
            f"all vectors together read held-out stories no better than chance (p {found.set_p:.3f})"
        )
    if found.auc_p is not None and found.auc_p > settings.emotion_alpha:
        failed.append(f"its held-out stories are not read above others (p {found.auc_p:.3f})")
    limits = (
        ("held-out stories", "is read above others with AUC", found.auc, settings.auc),
        ("halves", "two halves of the corpus give vectors with cosine", found.halves, settings.halves),
        ("implicit scenarios", "ranks above a share of other emotions of", found.implicit, settings.implicit),
        ("intensities", "follows them with rho", found.intensity, settings.intensity),
    )
    weak = [
        f"{what}: not tried" if value is None else f"{what}: {told} {value:.2f}, below {limit:g}"
        for what, told, value, limit in limits
        if value is None or value < limit
    ]
    if found.lens is not None and found.lens < 1 - settings.lens:
        weak.append(f"logit lens: its own word is promoted above only {found.lens:.0%} of the others'")
    if found.not_below_null is False:
        weak.append("held-out stories: all vectors together read worse than token embeddings do")
    numbers = {key: round(float(value), 4) for key, value in found._asdict().items() if value is not None}
    return Readouts(
        verdict="fail" if failed else "weak" if weak else "pass",
        layer=layer,
        reasons=tuple([*failed, *weak]),
        numbers=numbers,
        tensor_hash=tensor_hash,
    )
