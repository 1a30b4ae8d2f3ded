"""Every figure shows its numbers, says what it is and whose, and is the same each time."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import grid, in_words, run
from fake_table import table

from results.analysis import analyse
from results.curves import Curve
from results.drawing import ORGANISM_NOTE
from results.forest import strongest
from results.gallery import draw_all
from results.table import TableError, load
from results.tradeoff import Measure, tradeoff
from results.truth import Truth
from results.units import LIKE_THESE

FLAT = Truth(8, 6, 0.3, 0.1)
TRUTHS = {"desperate": replace(FLAT, effect=0.4), "calm": FLAT, "random:1": FLAT, "random:2": FLAT}
PAIR = (Measure.parse("sycophancy:sycophancy"), Measure.parse("sycophancy:harshness"))


@pytest.fixture(scope="module")
def curves() -> list[Curve]:
    """Two families under two emotions and two controls."""
    both = pd.concat([table(TRUTHS), table(TRUTHS, "sycophancy", seed=2)], ignore_index=True)
    return analyse(both, scope=LIKE_THESE)


def test_every_figure_is_drawn_twice_alike_as_svg_and_png(curves: list[Curve], tmp_path: Path) -> None:
    drawn = [path.name for path in draw_all(curves, tmp_path / "a", [PAIR])]
    assert drawn == [
        "dose-response.png", "blackmail-heatmap.png", "blackmail-outcomes.png", "blackmail-forest.png",
        "sycophancy-heatmap.png", "sycophancy-outcomes.png", "sycophancy-forest.png",
        "sycophancy-against-harshness.png",
    ]  # fmt: skip
    list(draw_all(curves, tmp_path / "b", [PAIR]))
    for name in drawn:
        svg = (tmp_path / "a" / name).with_suffix(".svg")
        assert svg.read_bytes() == (tmp_path / "b" / svg.name).read_bytes()


def test_model_n_units_and_the_organism_stand_on_every_figure(curves: list[Curve], tmp_path: Path) -> None:
    for png in draw_all(curves, tmp_path, [PAIR]):
        text = png.with_suffix(".svg").read_text(encoding="utf-8")
        assert "hf/local" in text, png.name
        assert ORGANISM_NOTE in text, png.name
        assert "48" in text, png.name  # runs a point; in the forest, of a scenario
        assert "points" in text or "(%" in text, png.name
        assert "strength" in text.lower() or "forest" in png.name, png.name


def test_a_real_models_figures_carry_no_organism_note(tmp_path: Path) -> None:
    found = analyse(table(TRUTHS, organism=False), scope=LIKE_THESE)
    for png in draw_all(found, tmp_path):
        assert ORGANISM_NOTE not in png.with_suffix(".svg").read_text(encoding="utf-8")


def test_settings_get_figures_of_their_own(tmp_path: Path) -> None:
    one = table(TRUTHS)
    both = pd.concat([one, one.assign(twin="no_leverage")], ignore_index=True)
    names = {path.name for path in draw_all(analyse(both, scope=LIKE_THESE), tmp_path)}
    assert {"main-dose-response.png", "no_leverage-dose-response.png"} <= names


def test_families_stand_in_one_figure_whatever_their_tools(tmp_path: Path) -> None:
    both = pd.concat([table(TRUTHS), table(TRUTHS, "sycophancy", tools="none")], ignore_index=True)
    names = {path.name for path in draw_all(analyse(both, scope=LIKE_THESE), tmp_path)}
    assert "dose-response.png" in names
    text = (tmp_path / "dose-response.svg").read_text(encoding="utf-8")
    assert "blackmail (% of runs)" in text
    assert "sycophancy (% of runs)" in text
    two = pd.concat([table(TRUTHS), table(TRUTHS, tools="text")], ignore_index=True)
    names = {path.name for path in draw_all(analyse(two, scope=LIKE_THESE), tmp_path / "two")}
    assert {"native-dose-response.png", "text-dose-response.png"} <= names


def test_controls_are_a_band_and_no_panel(curves: list[Curve], tmp_path: Path) -> None:
    first = next(draw_all(curves, tmp_path))
    text = first.with_suffix(".svg").read_text(encoding="utf-8")
    assert "2 random directions, of equal norm" in text
    assert "random:1" not in text


def test_controls_alone_are_drawn_as_they_are(tmp_path: Path) -> None:
    found = analyse(table({"random:1": FLAT, "random:2": FLAT}), scope=LIKE_THESE)
    drawn = list(draw_all(found, tmp_path))
    assert [path.name for path in drawn] == [
        "dose-response.png",
        "blackmail-heatmap.png",
        "blackmail-outcomes.png",
    ]


def test_the_forest_stays_within_the_coherent_window(curves: list[Curve]) -> None:
    curve = next(c for c in curves if c.vector == "desperate" and c.per_scenario)
    point = strongest(curve)
    assert point is not None
    assert point.strength == 0.05


def test_a_measure_that_is_not_there_names_those_that_are(curves: list[Curve], tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match=r"nothing measures harshness \(blackmail\); choose from .*sycophancy/main"
    ):
        tradeoff(curves, PAIR[0], Measure.parse("blackmail:harshness"), tmp_path / "x")
    with pytest.raises(TableError, match="written family:outcome"):
        Measure.parse("harshness")
    assert Measure.parse("cheating/solvable:solved") == ("cheating", "solved", "solvable")


def test_words_have_figures_of_their_own_beside_those_of_the_strengths(tmp_path: Path) -> None:
    run(tmp_path / "logs", [*grid(["desperate", "random:1"]), *in_words("desperate")])
    found = analyse(load([tmp_path / "logs"]))
    drawn = [path.name for path in draw_all(found, tmp_path / "figures")]
    kinds = ["dose-response.png", "blackmail-heatmap.png", "blackmail-outcomes.png", "blackmail-forest.png"]
    assert sorted(drawn) == sorted([*kinds, *(f"words-{kind}" for kind in kinds)])
    for kind in kinds:
        words, doses = (
            (tmp_path / "figures" / f"{start}{kind}").with_suffix(".svg").read_text()
            for start in ("words-", "")
        )
        assert "extreme" in words
        assert "extreme" not in doses
        assert "multiples of the mean residual norm" in doses
        assert "multiples of the mean residual norm" not in words
