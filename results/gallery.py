"""All figures of an analysis, one set per setting; which curves go into which figure, and under what name."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from results.curves import Curve
from results.forest import forest, strongest
from results.heatmap import heatmap
from results.panels import panels
from results.settings import DEFAULT, Settings
from results.stack import stack
from results.tradeoff import Measure, tradeoff

Same = tuple[str, ...]
SHARED = ("model", "model_fingerprint", "twin", "pressure", "length")
"""What the figures of one set share; families stand side by side."""
OWN = ("tools", "split")
"""What families differ in by their nature: shared only where one family was run with several."""


def draw_all(
    curves: Sequence[Curve],
    folder: Path,
    tradeoffs: Sequence[tuple[Measure, Measure]] = (),
    settings: Settings = DEFAULT,
) -> Iterator[Path]:
    """Draw everything that the curves allow, and yield the paths of the PNGs."""
    everything = [curve for curve in curves if curve.runs == "all"]
    sets: dict[Same, list[Curve]] = {}
    names = [*SHARED, *(name for name in OWN if _several(everything, name))]
    for curve in everything:
        words = "words" if curve.arm == "prompt" else ""
        key = (words, *(str(curve.setting[name]) for name in names), curve.layers, curve.positions)
        sets.setdefault(key, []).append(curve)
    for key, some in sets.items():
        prefix = _prefix(key, [other for other in sets if other[0] == key[0]])
        main = [curve for curve in some if curve.outcome == _main(some, curve)]
        yield panels(main, folder / f"{prefix}dose-response")[1]
        for family in dict.fromkeys(str(curve.setting["family"]) for curve in some):
            own = [curve for curve in some if curve.setting["family"] == family]
            of_main = [curve for curve in own if curve in main]
            yield heatmap(of_main, folder / f"{prefix}{family}-heatmap", settings)[1]
            yield stack(own, folder / f"{prefix}{family}-outcomes")[1]
            emotions = [curve for curve in of_main if curve.arm != "control"]
            if any(strongest(curve) for curve in emotions):
                yield forest(emotions, folder / f"{prefix}{family}-forest")[1]
    for across, up in tradeoffs:
        name = f"{across.outcome}-against-{up.outcome}"
        yield tradeoff(everything, across, up, folder / name)[1]


def _several(curves: Sequence[Curve], name: str) -> bool:
    """Whether a family was run with more than one value of the setting."""
    pairs = {(curve.setting["family"], str(curve.setting[name])) for curve in curves}
    return len(pairs) > len({family for family, _ in pairs})


def _main(curves: Sequence[Curve], curve: Curve) -> str:
    """The main outcome of the curve's family, by the rule of `results.rates`."""
    own = [c.outcome for c in curves if c.setting["family"] == curve.setting["family"]]
    family = str(curve.setting["family"])
    return family if family in own else own[0]


def _prefix(key: Same, every: Sequence[Same]) -> str:
    """What tells this set from the others of its kind, as the beginning of a file's name."""
    varying = [place for place in range(len(key)) if len({other[place] for other in every}) > 1]
    text = "-".join([*key[:1], *(key[place][:20] or "none" for place in varying)]).strip("-")
    return re.sub(r"[^\w.-]+", "-", text) + "-" if text else ""
