"""All read-outs of a folder of vectors, the layer they recommend, and a verdict per emotion.

The layer is chosen on held-out stories, scenarios and intensities, never on the behaviour under test. What
the thresholds are: `settings`. Nothing is drawn or printed here; the report is plain JSON.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from steering.descriptions import Readouts, describe
from steering.extraction import read_ratings
from steering.layers import default_layer
from steering.readouts.geometry import components, cosines, refusal_direction, valence_by_layer
from steering.readouts.lens import Lens, logit_lens
from steering.readouts.prompts import has_template
from steering.readouts.scenarios import (
    Curve,
    ImplicitReadout,
    read_out_implicit,
    read_out_intensity,
    signed_rho,
)
from steering.readouts.settings import DEFAULT, Settings
from steering.readouts.stories import StoryReadout, held_out_stories, read_out_stories
from steering.readouts.texts import Implicit, Intensity, Requests, Texts, read_texts
from steering.readouts.verdict import Evidence, judge
from steering.vectors import VectorLibrary

REPORT_VERSION = 1


class Checked(NamedTuple):
    readouts: dict[str, Readouts]
    report: dict[str, Any]
    """Everything, as plain JSON values."""


def check(
    model: Any, tokenizer: Any, library: VectorLibrary, texts: Texts, settings: Settings = DEFAULT
) -> Checked:
    """Read out every vector of the folder. Changes no file: `store` does."""
    names = library.names()
    from_token = library.controls.meta.from_token if library.controls else 50
    stories = None
    if texts.stories is not None:
        held_out = held_out_stories(model, tokenizer, library, texts.stories, from_token)
        stories = read_out_stories(model, held_out, library, settings)
    scenarios, templates = read_texts(texts.implicit, Implicit), read_texts(texts.intensity, Intensity)
    requests = read_texts(texts.requests, Requests)
    implicit = read_out_implicit(model, tokenizer, scenarios, library, settings) if scenarios else None
    curves = read_out_intensity(model, tokenizer, templates, library) if templates else []
    ratings = read_ratings(texts.ratings)[1] if texts.ratings else None
    halves = library.controls.meta.halves if library.controls else {}
    profile = _profile(len(library.mean_norm), stories, implicit, curves)
    layer = recommended_layer(profile, len(library.mean_norm), settings)
    lens = logit_lens(model, tokenizer, library, layer)
    evidence = {
        name: _evidence(name, layer, stories, implicit, curves, halves, lens, settings) for name in names
    }
    readouts = {
        name: judge(evidence[name], layer, library.metas[name].tensor_hash, settings) for name in names
    }
    refusal = refusal_direction(model, tokenizer, requests) if requests else None
    report = {
        "report_version": REPORT_VERSION,
        "model_id": library.metas[names[0]].model_id,
        "fingerprint": library.metas[names[0]].fingerprint,
        "corpus": library.metas[names[0]].corpus,
        "texts": texts.name,
        "layers": len(library.mean_norm),
        "layer": layer,
        "emotions": list(names),
        "chat_template": has_template(tokenizer),
        "settings": asdict(settings),
        "verdicts": {
            name: found.model_dump(mode="json", exclude={"tensor_hash"}) for name, found in readouts.items()
        },
        "profile": {**profile, "halves": _mean(halves), "valence": valence_by_layer(library, ratings)},
        "stories": _stories_told(stories, layer),
        "implicit": _implicit_told(implicit, layer),
        "intensity": [{**curve._asdict(), "rho": curve.rho[layer]} for curve in curves] or None,
        "lens": lens._asdict(),
        "components": [found._asdict() for found in components(library, layer, ratings)],
        "ratings": {name: list(ratings[name]) for name in names if name in ratings} if ratings else None,
        "cosines": cosines(library, layer),
        "refusal": None
        if refusal is None
        else {name: round(float(library.get(name).unit[layer] @ refusal[layer]), 4) for name in names},
        "notes": list(library.controls.meta.notes) if library.controls else [],
    }
    return Checked(readouts, report)


def store(folder: Path, checked: Checked) -> None:
    """Write the verdicts into the vectors' descriptions."""
    for name, found in checked.readouts.items():
        describe(folder, name, readouts=found)


def recommended_layer(profile: Mapping[str, list[float]], layers: int, settings: Settings) -> int:
    """The layer whose read-outs are best; the one at two thirds where none is better by the margin."""
    usual = default_layer(layers)
    tried = [np.array(values) for values in profile.values() if values]
    if not tried:
        return usual
    score = np.mean(tried, axis=0)
    allowed = [
        layer for layer in range(layers)
        if settings.shallowest <= (layer + 1) / layers <= settings.deepest
    ] or [usual]  # fmt: skip
    best = max(allowed, key=lambda layer: score[layer])
    return best if score[best] > score[usual] + settings.margin else usual


def _profile(
    layers: int, stories: StoryReadout | None, implicit: ImplicitReadout | None, curves: list[Curve]
) -> dict[str, list[float]]:
    """Per read-out and layer, how far above chance: 0 is chance, 1 is perfect. Empty where not tried."""
    found: dict[str, list[float]] = {"stories": [], "implicit": [], "intensity": []}
    for what, read in (("stories", stories), ("implicit", implicit)):
        if read is not None:
            chance = read.accuracy.chance
            found[what] = [(rate - chance) / (1 - chance) for rate in read.accuracy.by_layer]
    if curves:
        found["intensity"] = [
            float(np.mean([curve.expected * curve.rho[layer] for curve in curves])) for layer in range(layers)
        ]
    return found


def _evidence(
    name: str, layer: int, stories: StoryReadout | None, implicit: ImplicitReadout | None,
    curves: list[Curve], halves: Mapping[str, tuple[float, ...]], lens: Lens, settings: Settings,
) -> Evidence:  # fmt: skip
    rhos = signed_rho(curves)
    return Evidence(
        set_p=stories.accuracy.p if stories else None,
        not_below_null=None if stories is None or stories.null is None
        else stories.accuracy.by_layer[layer] >= stories.null.by_layer[0],
        auc=stories.auc[name][layer] if stories and name in stories.auc else None,
        auc_p=stories.p[name][layer] if stories and name in stories.p else None,
        halves=halves[name][layer] if name in halves else None,
        implicit=implicit.percentile[name][layer]
        if implicit and implicit.counts.get(name, 0) >= settings.fewest else None,
        intensity=rhos[name][layer] if name in rhos else None,
        lens=lens.rank.get(name),
        no_texts=("intensities",) if curves and name not in rhos else (),
    )  # fmt: skip


def _stories_told(read: StoryReadout | None, layer: int) -> dict[str, Any] | None:
    if read is None:
        return None
    return {
        "n": read.accuracy.n,
        "topics": list(read.topics),
        "accuracy": read.accuracy.by_layer[layer],
        "interval": list(read.accuracy.interval(layer)),
        "chance": read.accuracy.chance,
        "p": read.accuracy.p,
        "null": None if read.null is None
        else {"accuracy": read.null.by_layer[0], "interval": list(read.null.interval(0)), "p": read.null.p},
        "auc": {name: values[layer] for name, values in read.auc.items()},
    }  # fmt: skip


def _implicit_told(read: ImplicitReadout | None, layer: int) -> dict[str, Any] | None:
    if read is None:
        return None
    return {
        "n": read.accuracy.n,
        "accuracy": read.accuracy.by_layer[layer],
        "interval": list(read.accuracy.interval(layer)),
        "chance": read.accuracy.chance,
        "p": read.accuracy.p,
        "emotions": read.emotions,
        "scores": read.scores[layer],
    }


def _mean(halves: Mapping[str, tuple[float, ...]]) -> list[float]:
    found: list[float] = np.mean(list(halves.values()), axis=0).tolist() if halves else []
    return found
