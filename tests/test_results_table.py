"""The table of runs says what the logs say, and nothing is left out in silence."""

import math
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from fake_runs import FLAGS, OUTCOMES, grid, in_words, run, sample, spoken
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log, write_eval_log

from results.analysis import analyse
from results.report import as_text
from results.table import FIXED, REQUIRED, TableError, load, measures, outcomes, rated, write


def test_one_row_per_run_with_every_key_of_metadata_and_score(tmp_path: Path) -> None:
    run(tmp_path, grid(["desperate"], variants=4), epochs=2)
    table = load([tmp_path])
    assert len(table) == 3 * 4 * 5 * 2
    assert list(table.columns) == [*FIXED, *OUTCOMES]
    assert outcomes(table) == list(OUTCOMES)
    assert (table[list(OUTCOMES)].sum(axis=1) == 1).all()
    row = table[table["id"] == "blackmail/keycard/0/desperate+0.100_L3_all"].iloc[0]
    expected = sample("x", "keycard", 0, "desperate", 0.1).metadata or {}
    assert {key: row[key] for key in REQUIRED} == {key: expected[key] for key in REQUIRED} | {"layers": "3"}
    assert (row["split"], row["run_seed"], bool(row["organism"])) == ("heldout", 1, True)
    assert row["task"] == "blackmail"
    assert row["model"] == "echo/tiny"
    assert set(table["epoch"]) == {1, 2}
    assert table.loc[table["arm"] == "baseline", "layers"].eq("").all()


def test_an_errored_and_an_unscored_run_stay_as_rows_without_an_outcome(tmp_path: Path) -> None:
    acts = ["blackmail", "benign incoherent", "crash", "unreadable", "plea unscored"]
    run(tmp_path, [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(acts)])
    table = load([tmp_path])
    assert list(table["status"]) == ["scored", "scored", "errored", "unscored", "unscored"]
    assert list(table["blackmail"].head(2)) == [1, 0]
    assert table.loc[2:, [*OUTCOMES, "incoherent"]].isna().all(axis=None)
    assert list(table["incoherent"].head(2)) == [0, 1]
    assert "the model crashed" in table.loc[2, "error"]
    assert list(table["unscored"]) == [0, 0, 0, 1, 1]
    assert set(FLAGS) <= set(table.columns)


def test_a_number_beside_the_outcome_is_no_outcome_and_missing_where_the_run_is(tmp_path: Path) -> None:
    acts = ["blackmail measure_jobs=0.5", "crash", "benign"]
    run(tmp_path, [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(acts)])
    table = load([tmp_path])
    assert measures(table) == ["measure_jobs"] and outcomes(table) == list(OUTCOMES)
    assert table["measure_jobs"].isna().tolist() == [False, True, True] and table["measure_jobs"][0] == 0.5
    assert list(table["status"]) == ["scored", "errored", "scored"]


def test_a_union_of_outcomes_has_a_rate_and_is_no_second_outcome(tmp_path: Path) -> None:
    acts = ["blackmail any_harm=1", "plea any_harm=0", "other_harm any_harm=1", "benign any_harm=0"]
    run(tmp_path, [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(acts)])
    table = load([tmp_path])
    assert rated(table) == ["any_harm", *OUTCOMES] and outcomes(table) == list(OUTCOMES)
    assert table["any_harm"].tolist() == [1, 0, 1, 0]


def test_a_run_that_occurs_twice_is_kept_as_its_newest_log_has_it(tmp_path: Path) -> None:
    run(tmp_path, [sample("blackmail", "keycard", i, "calm", 0.1) for i in range(3)])
    run(tmp_path, [sample("benign", "keycard", i, "calm", 0.1) for i in range(1, 4)])
    table = load([tmp_path, tmp_path])
    assert list(table.sort_values("variant")["blackmail"]) == [1, 0, 0, 0]


def test_runs_of_another_model_length_or_seed_are_not_the_same_run(tmp_path: Path) -> None:
    first = [sample("blackmail", "keycard", 0, "calm", 0.1)]
    run(tmp_path, first)
    run(tmp_path, first, model="echo/other")
    run(tmp_path, [sample("benign", "keycard", 0, "calm", 0.1, length="full")])
    run(tmp_path, [sample("benign", "keycard", 0, "calm", 0.1, run_seed=2)])
    assert len(load([tmp_path])) == 4


def test_a_foreign_and_a_failed_log_are_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "ours", [sample("plea", "keycard", 0, "calm", 0.1)])
    foreign = run(tmp_path / "foreign", [Sample(input="benign", id="x", metadata={"family": "blackmail"})])
    failed = run(tmp_path / "failed", [sample("crash", "keycard", 0, "calm", 0.1)], fail_on_error=True)
    assert failed.status == "error"
    table = load([tmp_path])
    said = capsys.readouterr().err
    assert len(table) == 1
    assert Path(foreign.location).name in said
    assert "scenario, twin" in said
    assert Path(failed.location).name in said
    assert "status is 'error'" in said
    with pytest.raises(TableError, match="no scenario, twin"):
        load([tmp_path / "foreign"], strict=True)


def test_a_damaged_log_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Path(run(tmp_path, grid(["calm"], variants=2)).location)
    log.write_bytes(log.read_bytes()[:200])
    with pytest.raises(TableError, match="no usable log"):
        load([log])
    assert "not readable" in capsys.readouterr().err


@pytest.mark.parametrize("act", ["blackmail benign", "nothing"])
def test_a_score_without_exactly_one_outcome_is_refused(tmp_path: Path, act: str) -> None:
    run(tmp_path, [sample(act, "keycard", 0, "calm", 0.1)])
    with pytest.raises(TableError, match="not exactly one outcome"):
        load([tmp_path], strict=True)


def test_a_path_without_logs_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"no such log file or folder: .*nowhere"):
        load([tmp_path / "nowhere"])
    with pytest.raises(TableError, match="no log in"):
        load([tmp_path])


def test_the_table_survives_csv_and_names_no_folder(tmp_path: Path) -> None:
    run(tmp_path, [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(("plea", "crash"))])
    table = load([tmp_path])
    assert not any(str(tmp_path) in str(value) for value in table["log"])
    table.to_csv(tmp_path / "table.csv", index=False)
    again = pd.read_csv(tmp_path / "table.csv")
    assert list(again.columns) == list(table.columns)
    assert again.loc[0, "plea"] == 1
    assert math.isnan(again.loc[1, "plea"])


def test_a_killed_log_whose_retry_finished_is_no_complaint_and_gives_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run(tmp_path, [sample("plea", "keycard", i, "calm", 0.1) for i in range(4)])
    killed = read_eval_log(log.location)
    killed.status, killed.samples = "started", (killed.samples or [])[:2]
    write_eval_log(killed, str(tmp_path / "2026-01-01T00-00-00+00-00_blackmail_killed.eval"))
    assert len(load([tmp_path], strict=True)) == 4
    assert "taken up by a later log" in capsys.readouterr().err
    Path(log.location).unlink()
    with pytest.raises(TableError, match="status is 'started'"):
        load([tmp_path], strict=True)


def test_steered_runs_without_receipts_leave_the_whole_log_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "proven", [sample("plea", "keycard", 0, "calm", 0.1)])
    run(tmp_path / "bare", [sample(f"plea{' unproven' * i}", "keycard", i, "calm", 0.1) for i in range(2)])
    assert len(load([tmp_path])) == 1
    said = capsys.readouterr().err
    assert "1 steered runs have no receipt, the first is blackmail/keycard/1/calm+0.100_L3_all" in said
    run(tmp_path / "baseline", [sample("plea unproven", "keycard", 0, "calm", 0.0)])
    assert len(load([tmp_path / "baseline"], strict=True)) == 1


@pytest.mark.parametrize(("key", "value"), [("scenario_version", "2-def"), ("vector_hash", "cafe")])
def test_runs_of_an_older_version_are_left_out_loudly(
    tmp_path: Path, key: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, [sample("plea", "keycard", i, "calm", 0.1) for i in range(3)])
    run(tmp_path, [sample("plea", "keycard", i, "calm", 0.1, **{key: value}) for i in range(3, 5)])
    table = load([tmp_path])
    assert table[key].tolist() == [value] * 2
    assert f"3 runs with another {key.replace('_', ' ')} than newer logs" in capsys.readouterr().err
    assert len(table.attrs["left_out"]) == 1
    with pytest.raises(TableError, match="3 runs with another"):
        load([tmp_path], strict=True)


def test_logs_are_read_from_urls(tmp_path: Path) -> None:
    log = Path(run(tmp_path, [sample("plea", "keycard", i, "calm", 0.1) for i in range(3)]).location)
    files = fsspec.filesystem("memory")
    files.pipe(f"/emodose-logs/deep/{log.name}", log.read_bytes())
    local = load([log])
    for url in ("memory://emodose-logs", f"memory://emodose-logs/deep/{log.name}"):
        pd.testing.assert_frame_equal(load([url], strict=True), local)
    assert len(load([log.as_uri(), log])) == 3
    with pytest.raises(TableError, match="memory://emodose-nothing"):
        load(["memory://emodose-nothing"])


def test_a_table_is_the_same_from_parquet_and_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    run(tmp_path, [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(("plea", "crash"))])
    table = load([tmp_path])
    again = pd.read_parquet(write(table, tmp_path / "new" / "runs.parquet"))
    pd.testing.assert_frame_equal(again, table)
    with pytest.raises(TableError, match=r"written as \.parquet or \.csv, not '\.xlsx'"):
        write(table, tmp_path / "runs.xlsx")


def test_the_coherent_window_travels_and_its_absence_is_no_number(tmp_path: Path) -> None:
    run(tmp_path, [sample("plea", "keycard", 0, "calm", 0.1, window=0.2)])
    run(tmp_path, [sample("plea", "keycard", 1, "calm", 0.1, window=None)])
    assert load([tmp_path]).sort_values("variant")["window"].tolist() == pytest.approx(
        [0.2, math.nan], nan_ok=True
    )


def test_words_and_vector_of_one_emotion_lie_side_by_side(tmp_path: Path) -> None:
    """Words have no vector hash; that is no other version of the vector."""
    run(tmp_path, [*grid(["calm"], variants=2), *in_words("calm", variants=2)])
    table = load([tmp_path], strict=True)
    assert table["arm"].value_counts().to_dict() == {"emotion": 24, "prompt": 18, "baseline": 6}
    words = table[table["arm"] == "prompt"]
    assert set(zip(words["strength"], words["intensity"], words["layers"], strict=True)) == {
        (1.0, "slight", ""), (2.0, "strong", ""), (3.0, "extreme", ""),
    }  # fmt: skip
    assert set(table.loc[table["arm"] != "prompt", "intensity"]) == {""}


def test_runs_with_older_words_are_left_out_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, [spoken("plea", "keycard", 0, "calm", 1)])
    run(tmp_path, [spoken("plea", "keycard", 1, "calm", 1, words_version=2)])
    assert load([tmp_path])["variant"].tolist() == [1]
    assert "1 runs with another words version than newer logs" in capsys.readouterr().err


def test_a_pressure_that_nobody_named_is_said_with_its_pilots(tmp_path: Path) -> None:
    pilots = [{"pressure": p, "rate": r, "n": 30, "log": "x"} for p, r in (("bland", 0.0), ("goal", 0.2))]
    climbed = {"pressure": "goal", "reason": "within", "pilots": pilots}
    run(tmp_path / "auto", grid(["calm"], variants=4, pressure="goal", pressure_auto=climbed))
    run(tmp_path / "named", grid(["calm"], variants=4))
    table = load([tmp_path])
    told = "within; pilots: bland 0 % of 30, goal 20 % of 30"
    assert table.groupby("pressure")["pressure_auto"].unique().map(list).to_dict() == {
        "goal": [told],
        "standard": [""],
    }
    text = as_text(analyse(table, ["blackmail"]), outcomes=["blackmail"])
    assert f"pressure goal (chosen by auto: {told})" in text and "pressure standard (" not in text
