"""Messages that evoke an emotion without naming it, and one number in a message that is turned up.

Both are read at the last token of the prompt. On scenarios the right vector should stand above the others;
along an intensity the expected vectors should rise or fall (Spearman's rho).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from steering.readouts.prompts import last_states, prompt_ids
from steering.readouts.ranking import Accuracy, accuracy, percentile, permutations, standardised
from steering.readouts.settings import Settings
from steering.readouts.texts import Implicit, Intensity, Template
from steering.vectors import VectorLibrary


class ImplicitReadout(NamedTuple):
    accuracy: Accuracy
    percentile: dict[str, list[float]]
    """Per emotion and layer, over its scenarios: the share of other emotions that are read lower."""
    counts: dict[str, int]
    scores: list[list[list[float]]]
    """[L][scenarios][emotions], standardised per emotion."""
    emotions: list[str]
    """Of each scenario."""


class Curve(NamedTuple):
    """One emotion along one template."""

    template: str
    emotion: str
    expected: int
    """1 to rise, -1 to fall."""
    rho: list[float]
    """Per layer."""


def read_out_implicit(
    model: Any, tokenizer: Any, texts: Implicit, library: VectorLibrary, settings: Settings
) -> ImplicitReadout | None:
    """None where fewer than two of the folder's emotions have scenarios."""
    names = library.names()
    scenarios = [scenario for scenario in texts.scenarios if scenario.emotion in names]
    if len({scenario.emotion for scenario in scenarios}) < 2:
        return None
    states = last_states(model, [prompt_ids(tokenizer, scenario.text) for scenario in scenarios])  # [n,L,d]
    scores = standardised(_projections(states, library).numpy())
    labels = np.array([names.index(scenario.emotion) for scenario in scenarios])
    orders = permutations([""] * len(labels), settings.permutations)
    shares = percentile(scores, labels)  # [L,n]
    own = {name: labels == index for index, name in enumerate(names) if (labels == index).any()}
    return ImplicitReadout(
        accuracy(scores, labels, orders),
        {name: shares[:, where].mean(axis=1).tolist() for name, where in own.items()},
        {name: int(where.sum()) for name, where in own.items()},
        scores.round(3).tolist(),
        [scenario.emotion for scenario in scenarios],
    )


def read_out_intensity(model: Any, tokenizer: Any, texts: Intensity, library: VectorLibrary) -> list[Curve]:
    """A curve per template and emotion that is expected to move; empty where the folder has none of them."""
    names = library.names()
    wanted = [template for template in texts.templates if {*template.rises, *template.falls} & set(names)]
    prompts = [prompt_ids(tokenizer, text) for template in wanted for text in _filled(template)]
    if not prompts:
        return []
    projections = _projections(last_states(model, prompts), library).numpy()  # [L,n,E]
    curves, start = [], 0
    for template in wanted:
        part = projections[:, start : start + len(template.values)]
        start += len(template.values)
        for expected, emotions in ((1, template.rises), (-1, template.falls)):
            curves += [
                Curve(template.name, emotion, expected, _rhos(part[:, :, names.index(emotion)]))
                for emotion in emotions
                if emotion in names
            ]
    return curves


def signed_rho(curves: Sequence[Curve]) -> dict[str, list[float]]:
    """Per emotion and layer, the mean rho in the expected direction."""
    by_emotion: dict[str, list[list[float]]] = defaultdict(list)
    for curve in curves:
        by_emotion[curve.emotion].append([curve.expected * rho for rho in curve.rho])
    return {emotion: np.mean(rhos, axis=0).tolist() for emotion, rhos in sorted(by_emotion.items())}


def _projections(states: Tensor, library: VectorLibrary) -> Tensor:
    """[n,L,d] -> [L,n,E] float64."""
    units = torch.stack([library.get(name).unit for name in library.names()])
    return torch.einsum("nld,eld->lne", states.double(), units.double())


def _filled(template: Template) -> list[str]:
    return [template.text.replace("{x}", str(value)) for value in template.values]


def _rhos(series: Any) -> list[float]:
    """[L,n] in ascending intensity -> Spearman's rho per layer; 0 where nothing moves."""
    ranks = rankdata(series, axis=1)
    order = np.arange(1, series.shape[1] + 1)
    return [float(np.corrcoef(order, row)[0, 1]) if row.std() > 0 else 0.0 for row in ranks]
