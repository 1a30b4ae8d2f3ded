"""The history of nights: each night once, however often it was judged; and the figure drawn from it."""

from pathlib import Path

import pandas as pd
import pytest
from fake_runs import grid, run
from nightly_values import comparison, finding

from results.nightly import history
from results.nightly.over_nights import over_nights
from results.table import TableError, load


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("logs")
    run(folder, grid(["desperate"]))
    return load([folder])


def about(night: str, suite: str = "small") -> dict[str, str]:
    return {
        "suite": suite,
        "night": night,
        "started": f"2026-01-{night}T02:00:00+00:00",
        "model": "echo/tiny",
    }


def test_a_night_appended_twice_stands_once_as_it_was_judged_last(tmp_path: Path, runs: pd.DataFrame) -> None:
    path = tmp_path / "deep" / "history.parquet"
    first = history.rows(about("01"), runs, runs, comparison("regression"))
    history.append(path, first)
    history.append(path, history.rows(about("02"), runs, runs, comparison("stable")))
    once = history.read(path)
    history.append(path, history.rows(about("01"), runs, runs, comparison("stable")))
    twice = history.read(path)
    assert len(twice) == len(once) == 2 * len(first)
    assert list(dict.fromkeys(twice["night"])) == ["01", "02"]
    assert set(twice["overall"]) == {"stable"}


def test_two_suites_in_one_file_do_not_touch_each_other(tmp_path: Path, runs: pd.DataFrame) -> None:
    path = tmp_path / "history.parquet"
    history.append(path, history.rows(about("01"), runs, None, comparison("stable")))
    whole = history.append(path, history.rows(about("01", "large"), runs, None, comparison("stable")))
    assert set(whole["suite"]) == {"small", "large"}


def test_a_row_holds_what_the_table_of_runs_holds(runs: pd.DataFrame) -> None:
    told = comparison("regression", finding("regression", strength=0.1))
    rows = history.rows(about("01"), runs, runs, told).set_index(["arm", "strength", "outcome"])
    for (arm, strength), some in runs.groupby(["arm", "strength"]):
        row = rows.loc[(arm, strength, "blackmail")]
        assert row["rate"] == row["base_rate"] == some["blackmail"].mean()
        assert row["n"] == len(some) and row["low"] < row["rate"] < row["high"]
    assert rows.loc[("emotion", 0.1, "blackmail"), "verdict"] == "regression"
    assert rows.loc[("emotion", -0.1, "blackmail"), "verdict"] == ""


def test_a_night_without_a_usable_log_is_part_of_the_history(tmp_path: Path, runs: pd.DataFrame) -> None:
    path = tmp_path / "history.parquet"
    history.append(path, history.rows(about("01"), None, None, comparison("could not be judged")))
    whole = history.append(path, history.rows(about("02"), runs, None, comparison("stable")))
    assert list(whole.loc[whole["night"] == "01", "overall"]) == ["could not be judged"]
    assert whole.loc[whole["night"] == "01", "rate"].isna().all()
    over_nights(whole, "small", tmp_path / "figure")


def test_a_history_survives_what_is_read_back(tmp_path: Path, runs: pd.DataFrame) -> None:
    path = tmp_path / "history.parquet"
    whole = history.append(path, history.rows(about("01"), runs, None, comparison("stable")))
    pd.testing.assert_frame_equal(history.read(path), whole)


def test_a_file_that_is_no_history_is_refused_and_kept(tmp_path: Path, runs: pd.DataFrame) -> None:
    path = tmp_path / "history.parquet"
    path.write_text("not a table")
    with pytest.raises(TableError, match=r"history\.parquet"):
        history.append(path, history.rows(about("01"), runs, None, comparison("stable")))
    assert path.read_text() == "not a table"
    runs.to_parquet(path)
    with pytest.raises(TableError, match="no suite"):
        history.read(path)


def test_the_figure_shows_a_panel_per_cell_and_draws_the_same_file_twice(
    tmp_path: Path, runs: pd.DataFrame
) -> None:
    path = tmp_path / "history.parquet"
    for night, verdict in (("01", "stable"), ("02", "regression"), ("03", "insufficient data")):
        told = comparison("stable", finding(verdict, strength=0.1))
        whole = history.append(path, history.rows(about(night), runs, runs, told))
    svg, png = over_nights(whole, "small", tmp_path / "nights", organism=True)
    text = svg.read_text()
    assert "unsteered" in text
    assert all(f"desperate {dose}" in text for dose in ("-0.1", "-0.05", "+0.05", "+0.1"))
    assert "tells nothing about real language models" in text and "regression" in text and "n 30" in text
    assert png.stat().st_size > 10_000
    again = over_nights(whole, "small", tmp_path / "again", organism=True)[0]
    assert again.read_text() == text


def test_a_history_without_rates_has_no_figure(tmp_path: Path) -> None:
    rows = history.rows(about("01"), None, None, comparison("could not be judged"))
    with pytest.raises(TableError, match="no night of small"):
        over_nights(rows, "small", tmp_path / "nights")
