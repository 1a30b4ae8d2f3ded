"""The figure shows every dose with its interval and n, says what it is, and is the same each time."""

from pathlib import Path

import pandas as pd
import pytest
from fake_runs import grid, in_words, run, sample
from fake_table import table as table_of

from results.figure import ORGANISM_NOTE, _divergence, dose_response
from results.rates import rates
from results.table import TableError, load
from results.truth import Truth


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """One emotion and two controls."""
    folder = tmp_path_factory.mktemp("logs")
    run(folder, grid(["desperate", "random:1", "random:2"]))
    return load([folder])


def test_svg_and_png_are_written_beside_each_other_into_a_new_folder(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    svg, png = dose_response(table, tmp_path / "new" / "demo", "blackmail")
    assert (svg, png) == (tmp_path / "new" / "demo.svg", tmp_path / "new" / "demo.png")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert dose_response(table, tmp_path / "new" / "demo.png", "blackmail") == (svg, png)


def test_the_figure_says_what_it_shows(table: pd.DataFrame, tmp_path: Path) -> None:
    text = dose_response(table, tmp_path / "demo", "blackmail")[0].read_text()
    for words in (
        "Rate of blackmail by dose: echo/tiny, short, layer 3",
        "blackmail rate (%)",
        "strength (multiples of the mean residual norm)",
        "desperate",
        "2 random directions, of equal norm",
        "baseline 40 %",
        "95 % intervals, speaking of these 3 scenarios only, not of others like them",
        ORGANISM_NOTE,
    ):
        assert words in text
    assert text.count(">30<") == 5


def test_the_note_on_the_organism_is_only_on_the_organisms_figure(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    text = dose_response(table.assign(organism=False), tmp_path / "demo", "blackmail")[0].read_text()
    assert ORGANISM_NOTE not in text


def test_the_same_table_gives_the_same_bytes(table: pd.DataFrame, tmp_path: Path) -> None:
    first = dose_response(table, tmp_path / "a", "blackmail")
    second = dose_response(table, tmp_path / "b", "blackmail")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_errored_unscored_and_empty_points_are_drawn_and_named(tmp_path: Path) -> None:
    acts = ["blackmail", "crash", "unreadable"]
    samples = [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(acts)]
    samples += [sample("crash", "keycard", 0, "calm", -0.1), sample("benign", "keycard", 0, "calm", 0.0)]
    samples += [sample("crash", "keycard", 0, "angry", -0.1), sample("crash", "keycard", 1, "calm", 0.0)]
    run(tmp_path, samples)
    text = dose_response(load([tmp_path]), tmp_path / "demo", "blackmail")[0].read_text()
    assert "Not in n: 4 errored and 1 unscored runs." in text
    assert "over 5 % errored: not judged" in text
    assert ">0<" in text


def test_settings_get_panels_of_their_own(table: pd.DataFrame, tmp_path: Path) -> None:
    both = pd.concat([table, table.assign(twin="no_leverage", blackmail=0.0)])
    text = dose_response(both, tmp_path / "demo", "blackmail")[0].read_text()
    assert "desperate, main" in text
    assert "desperate, no_leverage" in text


@pytest.mark.parametrize("arm", ["baseline", "control"])
def test_a_log_without_an_emotion_still_gives_a_figure(table: pd.DataFrame, tmp_path: Path, arm: str) -> None:
    some = table[table["arm"].isin(["baseline", arm])]
    text = dose_response(some, tmp_path / "demo", "blackmail")[0].read_text()
    assert ("baseline only" if arm == "baseline" else "random:2") in text
    assert len(rates(some, "blackmail")) > 0


@pytest.mark.parametrize("rate", [0, 1])
def test_a_family_on_the_floor_or_the_ceiling_can_be_drawn(
    table: pd.DataFrame, tmp_path: Path, rate: int
) -> None:
    svg, _ = dose_response(table.assign(blackmail=rate, benign=1 - rate), tmp_path / "demo", "blackmail")
    assert f"baseline {100 * rate} %" in svg.read_text()


def test_words_have_a_panel_with_an_axis_of_their_own(tmp_path: Path) -> None:
    run(tmp_path, [*grid(["desperate"]), *in_words("desperate")])
    text = dose_response(load([tmp_path]), tmp_path / "demo", "blackmail")[0].read_text()
    assert "desperate, in words" in text
    assert "intensity of the emotion in words (no steering)" in text
    assert all(f">{name}<" in text for name in ("none", "slight", "strong", "extreme"))
    assert not any(f">+{number}<" in text for number in (1, 2, 3))


def test_with_enough_scenarios_the_bars_speak_of_scenarios_like_these(tmp_path: Path) -> None:
    many = table_of({"desperate": Truth(8, 10, 0.3, 0.1)})
    text = dose_response(many, tmp_path / "demo", "blackmail")[0].read_text()
    assert "scenarios like these 8 (cleared by simulation)" in text
    few = dose_response(table_of({"desperate": Truth(8, 5, 0.3, 0.1)}), tmp_path / "few", "blackmail")
    assert "NOT cleared by simulation" in few[0].read_text()
    assert "Thick: " in text


def test_a_dose_may_stand_where_its_divergence_puts_it(table: pd.DataFrame, tmp_path: Path) -> None:
    pushed = table["strength"].abs() * table["vector"].map(lambda name: 0.3 if name == "desperate" else 0.7)
    points = rates(table.assign(kl_mean=pushed), "blackmail")
    drawn = _divergence(points)
    assert (drawn[points["vector"] == "random:1"].abs().max()) == pytest.approx(0.07)
    assert sorted(drawn[points["vector"] == "desperate"]) == pytest.approx([-0.03, -0.015, 0, 0.015, 0.03])
    text = dose_response(table.assign(kl_mean=pushed), tmp_path / "kl", "blackmail", "kl")[0].read_text()
    assert "divergence from the unsteered model" in text and "mean residual norm" not in text


def test_a_divergence_that_was_not_measured_is_no_dose_of_zero(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"of desperate, random:1, random:2 was not measured: run emodose"):
        dose_response(table, tmp_path / "kl", "blackmail", "kl")


def test_what_lies_beyond_the_coherent_window_is_shaded_and_named(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    for window, shaded in ((0.06, True), (0.1, False)):
        text = dose_response(table.assign(window=window), tmp_path / "w", "blackmail")[0].read_text()
        assert ("beyond the coherent window" in text) == shaded
