"""The statistics are right often enough: a short version of the committed table, and what follows from it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results import clearance, simulation
from results.methods import page
from results.power import need
from results.settings import DEFAULT
from results.simulation import Cell, cells, run_cell, scopes, simulate, write
from results.truth import BASELINE, STRENGTHS, Truth, draw
from results.units import LIKE_THESE, THESE

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENTS = 250
SLACK = 3 * math.sqrt(0.06 * 0.94 / EXPERIMENTS)
"""Three errors of a share of so many experiments."""


@pytest.mark.parametrize(
    "truth",
    [
        Truth(8, 10, 0.2, 0.3, mixed=0.5),
        Truth(12, 10, 0.05, 0.3),
        Truth(20, 10, 0.5, 0.05),
        Truth(3, 10, 0.2, 0.05),
    ],
)
def test_methods_that_are_used_cover_and_raise_no_false_alarm(truth: Truth) -> None:
    rows = pd.DataFrame(run_cell(Cell(truth, {}), 1, EXPERIMENTS, EXPERIMENTS))
    scope = LIKE_THESE if truth.scenarios >= 8 else THESE
    used = rows[(rows["scope"] == scope) & rows["method"].isin(clearance.USED[scope])]
    assert len(used) >= 5
    for row in used.to_dict("records"):
        if row["quantity"] == "coverage":
            assert row["value"] >= DEFAULT.least_coverage - SLACK, row
        else:
            assert row["value"] <= DEFAULT.most_false_positives + SLACK, row


def test_the_plans_power_comes_true() -> None:
    for scope, likeness, mixed in ((LIKE_THESE, 0.1, 0.3), (THESE, 0.0, 0.0)):
        truth = Truth(12, 2, 0.3, likeness, effect=0.2, mixed=mixed, stream=0.0)
        found = need(0.3, 0.2, 12, likeness=likeness, spread=truth.effect_spread(), scope=scope)
        assert found.variants
        cell = Cell(replace(truth, variants=found.variants), {scope: found.power})
        [row] = [r for r in run_cell(cell, 1, EXPERIMENTS, EXPERIMENTS) if r["promised"] == found.power]
        assert row["value"] == pytest.approx(found.power, abs=3 * math.sqrt(0.16 / EXPERIMENTS))


def test_the_logistic_trend_cries_wolf_where_one_scenario_holds_the_hits() -> None:
    """Why it is not what the verdicts rest on."""
    rows = run_cell(Cell(Truth(8, 10, 0.05, 0.3, mixed=0.5), {}), 1, EXPERIMENTS, EXPERIMENTS)
    said = {row["method"]: row["value"] for row in rows if row["quantity"] == "false positives"}
    assert said["logistic"] > 0.2 > 0.08 > said["slope"]


@pytest.mark.parametrize("curve", ["line", "hinge", "peak"])
def test_the_rates_laid_down_are_those_drawn(curve: str) -> None:
    truth = Truth(4000, 2, 0.3, 0.2, effect=0.4, curve=curve, mixed=0.5)  # type: ignore[arg-type]
    drawn = draw(truth, np.random.default_rng(1))
    assert drawn.rates.mean(axis=0) == pytest.approx(truth.rates(), abs=0.02)
    assert drawn.runs.mean(axis=(0, 1)) == pytest.approx(truth.rates(), abs=0.03)
    base = drawn.rates[:, BASELINE]
    assert base.var() / (0.3 * 0.7) == pytest.approx(0.2, abs=0.02)
    assert (drawn.rates[:, -1] - base).std() == pytest.approx(truth.effect_spread(), abs=0.02)
    assert len(STRENGTHS) == drawn.rates.shape[1]


def test_the_same_seed_gives_the_same_table_whatever_the_workers(tmp_path: Path) -> None:
    few = [Cell(Truth(3, 5, 0.3, 0.1), {}), Cell(Truth(8, 5, 0.3, 0.1, effect=0.2), {})]
    one, two = (simulate(few, first=5, most=5, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert write(one, tmp_path / "a.csv").read_bytes() == write(two, tmp_path / "b.csv").read_bytes()
    assert scopes(1) == (THESE,)


def test_the_committed_table_is_of_the_grid_and_clears_what_reports_rest_on() -> None:
    table = pd.read_csv(clearance.TABLE)
    keys = ["scenarios", "variants", "base", "likeness", "effect", "mixed"]
    grid = {tuple(getattr(cell.truth, key) for key in keys) for cell in cells()}
    assert set(table[keys].round(6).itertuples(index=False, name=None)) == grid
    assert table["experiments"].min() >= 1000
    for scenarios in (8, 12, 20, 30, 31):
        assert clearance.choose(scenarios) == (LIKE_THESE, True)
    for scenarios in (1, 2, 3, 7):
        assert clearance.choose(scenarios) == (THESE, True)
    promised = table[table["promised"].notna()]
    assert ((promised["value"] - promised["promised"]).abs() < 0.05).all()


def test_a_method_is_cleared_only_by_every_cell_of_its_own_number_of_scenarios(tmp_path: Path) -> None:
    def written(name: str, **changed: float) -> Path:
        rows = [
            {"method": method, "scope": scope, "quantity": quantity, "scenarios": 8, "value": value}
            for scope, methods in clearance.USED.items()
            for method in methods
            for quantity, value in (("coverage", 0.94), ("false positives", 0.05))
        ]
        rows.append({**rows[0], **changed})
        path = tmp_path / name
        pd.DataFrame(rows).to_csv(path, index=False)
        return path

    good = written("good.csv")
    assert clearance.choose(8, path=good) == (LIKE_THESE, True)
    assert clearance.choose(7, path=good) == (THESE, False)
    bad = written("bad.csv", value=0.92)
    assert clearance.choose(9, path=bad) == (THESE, True)
    assert clearance.choose(9, path=tmp_path / "none.csv") == (THESE, False)


def test_the_methods_page_is_the_one_the_code_writes() -> None:
    text = page()
    assert (ROOT / "results" / "reference" / "methods.md").read_text(encoding="utf-8") == text
    for question in ("What is the unit, what is clustered?", "What was corrected?", "What was declared?"):
        assert f"## {question}" in text
    assert "8 and more" in text


def test_a_killed_simulation_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [Cell(Truth(count, 5, 0.3, 0.1), {}) for count in (1, 3, 8)]
    keep = tmp_path / "new" / "simulation.part"
    ran: list[int] = []

    def counted(cell: Cell, *rest: int) -> list[dict[str, Any]]:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(cell.truth.scenarios)
        return run_cell(cell, *rest)

    monkeypatch.setattr(simulation, "run_cell", counted)
    with pytest.raises(KeyboardInterrupt):
        simulate(few, first=5, most=5, keep=keep)
    with keep.open("a") as file:
        file.write('[2, [{"method": "half a li')  # a kill in the middle of a line
    monkeypatch.setattr(simulation, "run_cell", run_cell)
    whole = simulate(few, first=5, most=5)
    with keep.open() as file:
        assert len(file.readlines()) == 4
    monkeypatch.setattr(
        simulation, "run_cell", lambda cell, *rest: ran.append(cell.truth.scenarios) or run_cell(cell, *rest)
    )
    pd.testing.assert_frame_equal(simulate(few, first=5, most=5, keep=keep), whole)
    assert ran == [1, 3, 8]
    simulate(few, first=6, most=6, keep=keep)  # another simulation takes nothing from it
    assert ran == [1, 3, 8, 1, 3, 8]


def test_progress_is_told_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    simulate([Cell(Truth(1, 5, 0.3, 0.1), {})] * 3, first=2, most=2, progress=True)
    assert "3 of 3 cells" in capsys.readouterr().err


@pytest.mark.parametrize("scenarios", [3, 8])
def test_the_committed_table_is_what_the_methods_of_today_give(scenarios: int) -> None:
    """One of its cheap cells is run again: a method that has changed needs a new table."""
    table = pd.read_csv(clearance.TABLE)
    keys = ["scenarios", "variants", "base", "likeness", "effect", "mixed"]

    def committed(cell: Cell) -> pd.DataFrame:
        return table[(table[keys] == [getattr(cell.truth, key) for key in keys]).all(axis=1)]

    place, cell = next(
        (place, cell)
        for place, cell in enumerate(cells())
        if cell.truth.scenarios == scenarios and set(committed(cell)["experiments"]) == {1000}
    )
    again = pd.DataFrame(run_cell(cell, simulation.seed_of(simulation.SEED, place), 1000, 1000))
    assert again["method"].tolist() == committed(cell)["method"].tolist()
    assert again["value"].tolist() == pytest.approx(committed(cell)["value"].tolist(), abs=1e-5)
