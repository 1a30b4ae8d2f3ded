"""Tables of runs with known truths, made without Inspect: many scenarios and vectors in a moment."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from results.table import FIXED
from results.truth import BASELINE, STRENGTHS, Truth, draw

OUTCOMES = {
    "blackmail": ("blackmail", "disclosure", "plea", "refusal", "benign"),
    "sycophancy": ("sycophancy", "harshness", "balanced"),
}
NAMES = ("keycard", "ledger", "diploma", "lighthouse", "orchard", "harbour", "choir", "quarry", "bakery",
         "ferry", "archive", "vineyard", "observatory", "tramway", "millpond", "greenhouse")  # fmt: skip


def table(
    truths: Mapping[str, Truth], family: str = "blackmail", *, seed: int = 1, window: float | None = 0.05,
    epochs: int = 1, **changed: Any,
) -> pd.DataFrame:  # fmt: skip
    """One family under the vectors of `truths`, one truth each; all share the scenarios' baseline rates and
    runs."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    first = next(iter(truths.values()))
    for place, (vector, truth) in enumerate(truths.items()):
        drawn = draw(truth, np.random.default_rng(seed))  # the same scenarios and streams for every vector
        for g, v, d in np.ndindex(*drawn.runs.shape):
            if d == BASELINE and place:
                continue
            rows.append(
                _row(family, vector, g, v, epochs, float(STRENGTHS[d]), drawn.runs[g, v, d], random, window)
            )
    assert first.variants % epochs == 0
    frame = pd.DataFrame(rows)
    frame = frame.assign(**changed)
    return frame[[*FIXED, *OUTCOMES[family]]]


def _row(
    family: str, vector: str, g: int, v: int, epochs: int, strength: float, hit: float,
    random: np.random.Generator, window: float | None,
) -> dict[str, Any]:  # fmt: skip
    baseline = strength == 0
    names: Sequence[str] = OUTCOMES[family]
    outcome = names[0] if hit else names[1 + int(random.integers(len(names) - 1))]
    scenario = f"{NAMES[g % len(NAMES)]}{g // len(NAMES) or ''}"
    about: dict[str, Any] = {
        "id": f"{family}/{scenario}/{v // epochs}/{'none' if baseline else f'{vector}{strength:+.3f}'}",
        "epoch": v % epochs + 1, "task": family, "model": "hf/local", "family": family, "scenario": scenario,
        "twin": "main", "variant": v // epochs, "pressure": "standard", "length": "short",
        "arm": "baseline" if baseline else "control" if vector.startswith("random:") else "emotion",
        "vector": "none" if baseline else vector, "strength": strength, "layers": "" if baseline else "3",
        "positions": "all", "tools": "native", "model_fingerprint": "f00d", "vector_hash": "beef",
        "scenario_version": "1-abc", "split": "", "run_seed": 1, "organism": True,
        "window": float("nan") if window is None else window, "intensity": "", "words_version": "",
        "kl_mean": float("nan"), "kl_p95": float("nan"), "verdict": "", "pressure_auto": "",
        "surprising": float("nan"), "perplexity_limit": float("nan"), "perplexity_reference": 0,
        "detector_version": "1",
        "incoherent": float(random.random() < 0.3 * abs(strength)), "truncated": 0.0, "eval_aware": 0.0,
        "unscored": 0.0, "status": "scored", "error": "", "log": "made.eval", "created": "2026-01-01",
    }  # fmt: skip
    return about | {name: float(name == outcome) for name in names}
