"""Pass, weak or fail: one vector's evidence against the settings, with reasons."""

from typing import NamedTuple

from steering.descriptions import Readouts
from steering.readouts.settings import Settings


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
    no_texts: tuple[str, ...] = ()
    """Read-outs that were made of other emotions, and had no text for this one."""


def judge(found: Evidence, layer: int, tensor_hash: str, settings: Settings) -> Readouts:
    """A fail reads held-out stories no better than chance; a pass shows all there are texts for; the rest is
    weak."""
    failed = []
    if found.set_p is not None and found.set_p > settings.set_alpha:
        failed.append(
            f"all vectors together read held-out stories no better than chance (p {found.set_p:.3f})"
        )
    if found.auc_p is not None and found.auc_p > settings.emotion_alpha:
        failed.append(f"its held-out stories are not read above others (p {found.auc_p:.3f})")
    limits = (
        ("held-out stories", "AUC", found.auc, settings.auc),
        ("halves", "cosine", found.halves, settings.halves),
        ("implicit scenarios", "rank", found.implicit, settings.implicit),
        ("intensities", "rho", found.intensity, settings.intensity),
    )
    weak = [
        f"{what}: not tried" if value is None else f"{what}: {unit} {value:.2f}, below {limit:g}"
        for what, unit, value, limit in limits
        if (value is None and what not in found.no_texts) or (value is not None and value < limit)
    ]
    noted = [f"{what}: no text for it" for what in found.no_texts]
    if found.lens is not None and found.lens < 1 - settings.lens:
        weak.append(f"logit lens: its own word is above only {found.lens:.0%} of the others'")
    if found.not_below_null is False:
        weak.append("held-out stories: read worse than by token embeddings")
    values = {key: value for key, value in found._asdict().items() if key != "no_texts"}
    numbers = {key: round(float(value), 4) for key, value in values.items() if value is not None}
    return Readouts(
        verdict="fail" if failed else "weak" if weak else "pass",
        layer=layer,
        reasons=(*failed, *weak, *noted),
        numbers=numbers,
        tensor_hash=tensor_hash,
    )
