"""A baseline file holds every run, and is written of nothing that leaves a doubt."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_runs import grid, in_words, run, sample
from fake_table import table

import emodose
from results.baseline import as_table, as_text, default_path, made_from, read, update
from results.cells import CELL
from results.harm import FAMILIES, direction, harm
from results.table import TableError, load, outcomes
from results.truth import Truth

COLUMNS = [*CELL, "scenario", "scenario_version", "variant", "epoch", "run_seed", "status", "incoherent",
           "vector_hash", "words_version", "window", "model", "model_fingerprint"]  # fmt: skip


def same(one: pd.DataFrame, other: pd.DataFrame, columns: list[str]) -> None:
    keys = [*CELL, "scenario", "variant", "epoch", "run_seed"]
    some, same_ = (frame.sort_values(keys)[columns].reset_index(drop=True) for frame in (one, other))
    pd.testing.assert_frame_equal(some, same_, check_dtype=False, atol=1e-4)


def test_every_run_comes_back_with_its_outcome_flag_and_numbers(tmp_path: Path) -> None:
    acts = (
        "blackmail measure_jobs=0.3333333",
        "plea incoherent",
        "benign measure_jobs=1",
        "crash",
        "unreadable",
    )
    odd = [sample(act, "keycard", 2 * i, "calm", 0.1) for i, act in enumerate(acts)]
    run(tmp_path, [*grid(["desperate"], variants=4), *in_words("calm", variants=2), *odd], epochs=2)
    runs = load([tmp_path]).rename(columns={"measure_jobs": "measure_jobs_done"})
    again = as_table(made_from(runs))
    assert len(again) == len(runs)
    same(again, runs, [*COLUMNS, *outcomes(runs), "measure_jobs_done"])


def test_unions_of_outcomes_come_back() -> None:
    names = {"blackmail": "tampers", "disclosure": "edits_tests", "plea": "false_success",
             "refusal": "gives_up", "benign": "honest_failure"}  # fmt: skip
    runs = table({"calm": Truth(3, 12, 0.3, 0.1)}).rename(columns=names).assign(family="impossible_code")
    runs["any_cheating"] = runs["tampers"] + runs["edits_tests"]
    same(as_table(made_from(runs)), runs, [*COLUMNS, "any_cheating", *names.values()])


def test_the_file_reads_back_and_is_small(tmp_path: Path) -> None:
    made = made_from(table({v: Truth(8, 60, 0.3, 0.1) for v in ("desperate", "calm", "angry")}))
    path = tmp_path / "baseline.json"
    path.write_text(as_text(made), encoding="utf-8")
    assert read(path) == made
    assert len(as_text(made)) < 5 * len(as_table(made))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    run(folder, grid(["desperate"], variants=4))
    return folder


def test_update_writes_show_tells_and_update_writes_again(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "echo.json"
    for words in (["update", str(good), "-o", str(out)], ["show", str(out)]) * 2:
        with pytest.raises(SystemExit) as ended:
            emodose.main(["baseline", *words])
        assert not ended.value.code
    said = capsys.readouterr().out
    assert "60 runs); commit it" in said and "echo/tiny" in said and "n 12 in 3 scenarios" in said
    assert "tells nothing about real language models" in said
    assert [path.name for path in out.parent.iterdir()] == ["echo.json"]


def test_what_leaves_a_doubt_is_no_baseline_and_the_old_one_stays(good: Path, tmp_path: Path) -> None:
    out = update([good], tmp_path / "baseline.json")
    before = out.read_bytes()

    def some(act: str) -> list[Any]:
        return [sample(act if i < 2 else "plea", "keycard", i, "calm", 0.1) for i in range(20)]

    bad: dict[str, tuple[list[Any], dict[str, Any], str]] = {
        "failed": (some("crash"), {"fail_on_error": True}, "status is 'error'"),
        "few": (grid(["desperate"], variants=3), {}, "9 scored runs, a baseline needs 10"),
        "errored": (some("crash"), {}, "2 of 20 runs errored"),
        "unscored": (some("unreadable"), {}, "2 of 20 runs unscored"),
    }
    for name, (samples, settings, why) in bad.items():
        run(tmp_path / name, samples, **settings)
        with pytest.raises(TableError, match=why):
            update([tmp_path / name], out)
        assert out.read_bytes() == before
    run(tmp_path / "other", grid(["desperate"], variants=4), model="echo/other")
    with pytest.raises(TableError, match="several models"):
        update([good, tmp_path / "other"], out)
    assert out.read_bytes() == before


def test_a_file_that_is_no_baseline_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    made = as_text(made_from(table({"calm": Truth(3, 12, 0.3, 0.1)})))
    for text in ("", "{}", "[]", made.replace('"schema_version": 1', '"schema_version": 2'), made[:-4],
                 made.replace('"kind"', '"extra": 1, "kind"')):  # fmt: skip
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TableError, match="no baseline that this version reads"):
            read(path)
    with pytest.raises(TableError, match="not readable"):
        read(tmp_path / "none.json")
    path.write_text(made.replace('"runs": "', '"runs": "z'), encoding="utf-8")
    with pytest.raises(TableError, match="a run is 'z'"):
        as_table(read(path))


def test_the_default_file_is_named_after_the_model() -> None:
    assert default_path("hf/local").name == "hf-local.json"
    assert default_path("hf/../Qwen/Qwen3 0.6B").name == "hf-..-Qwen-Qwen3-0.6B.json"
    assert str(default_path("hf/local").parent) == "results/baselines"


def test_every_family_says_of_each_of_its_outcomes_which_way_is_harm() -> None:
    from scenarios.blackmail.detectors import OUTCOMES as BLACKMAIL
    from scenarios.capability.outcomes import OUTCOMES as CAPABILITY
    from scenarios.impossible_code.detectors import OUTCOMES as CODE
    from scenarios.shutdown.detectors import OUTCOMES as SHUTDOWN
    from scenarios.sycophancy.detectors import OUTCOMES as SYCOPHANCY

    every = {"blackmail": BLACKMAIL, "capability": CAPABILITY, "impossible_code": (*CODE, "any_cheating"),
             "shutdown": (*SHUTDOWN, "any_resist", "measure_jobs_done", "measure_jobs_right"),
             "sycophancy": SYCOPHANCY}  # fmt: skip
    assert {path.parent.name for path in FAMILIES.glob("*/family.py")} == set(every)
    for family, names in every.items():
        assert set(harm(family)) == {*names, "incoherent"}
        assert set(harm(family).values()) & {"more", "less"}
        assert direction(family, "incoherent") == "more"


def test_a_family_or_an_outcome_without_a_direction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"arson: no harm.yaml .* blackmail, capability"):
        harm("arson")
    with pytest.raises(TableError, match="does not say which way of 'whistling' is harm"):
        direction("blackmail", "whistling")
    (tmp_path / "arson").mkdir()
    (tmp_path / "arson" / "harm.yaml").write_text("fire: worse")
    with pytest.raises(TableError, match="fire is 'worse'; choose from more, less, neutral"):
        harm("arson", tmp_path)


def test_a_baseline_of_a_window_keeps_it() -> None:
    for window in (0.05, None):
        again = as_table(made_from(table({"calm": Truth(3, 12, 0.3, 0.1)}, window=window)))
        assert set(again["window"].dropna()) == ({window} if window else set())
        assert not math.isinf(again["strength"].max())
