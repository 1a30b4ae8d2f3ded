"""What was declared beforehand is read strictly and reported apart from what was merely seen."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import grid, in_words, run
from fake_table import table

from results.analysis import analyse
from results.hypotheses import Hypothesis, judge, read_hypotheses, undeclared
from results.report import as_text
from results.table import TableError, load
from results.truth import Truth
from results.units import LIKE_THESE

FLAT = Truth(12, 20, 0.3, 0.1)
TRUTHS = {"desperate": replace(FLAT, effect=0.45, curve="line"), "bored": FLAT, "happy": FLAT}


def hypothesis(vector: str, sign: str, strength: float | None = None) -> Hypothesis:
    """Of blackmail."""
    return Hypothesis(vector, "blackmail", "blackmail", sign, strength)


def test_each_is_confirmed_contradicted_open_or_unmeasured() -> None:
    curves = analyse(table(TRUTHS, window=None), ["blackmail"], scope=LIKE_THESE)
    declared = [
        hypothesis("desperate", "raises"), hypothesis("desperate", "lowers"), hypothesis("bored", "raises"),
        hypothesis("angry", "raises"), hypothesis("desperate", "raises", -0.1),
        hypothesis("desperate", "raises", 0.3),
    ]  # fmt: skip
    fates = [result.fate for result in judge(declared, curves)]
    assert fates == [
        "confirmed", "contradicted", "not confirmed", "not measured", "confirmed", "could not be judged",
    ]  # fmt: skip
    assert {c.vector for c in undeclared(declared, curves) if c.runs == "all"} == {"happy"}
    text = as_text(curves, judge(declared, curves))
    assert text.startswith("Declared beforehand (Holm over these):\n  desperate raises blackmail")
    assert "Everything below was looked at, not declared" in text


def test_a_dose_beyond_the_coherent_window_is_not_judged_however_clear_it_looks() -> None:
    declared = [hypothesis("desperate", "raises", strength) for strength in (0.05, -0.1)]
    for window, fates in (
        (None, ["confirmed", "confirmed"]),
        (0.05, ["confirmed", "not judged: outside the coherent window"]),
    ):
        curves = analyse(table(TRUTHS, window=window), ["blackmail"], scope=LIKE_THESE)
        results = judge(declared, curves)
        assert [result.fate for result in results] == fates
        assert as_text(curves, results).count("not judged: outside") >= (window is not None)


def test_the_declared_are_corrected_among_themselves_only() -> None:
    curves = analyse(table(TRUTHS), ["blackmail"], scope=LIKE_THESE)
    [alone] = judge([hypothesis("bored", "raises")], curves)
    [raw] = [c.trend.p for c in curves if (c.vector, c.runs) == ("bored", "all")]
    assert alone.p_adjusted == pytest.approx(raw)
    both = judge([hypothesis("bored", "raises"), hypothesis("desperate", "raises")], curves)
    assert max(result.p_adjusted for result in both) == pytest.approx(raw)


def test_a_file_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "declared.yaml"
    line = "- {vector: calm, family: blackmail, outcome: blackmail, sign: lowers%s}\n"
    path.write_text(line % "" + line % ", strength: 0.1")
    assert read_hypotheses(path) == [hypothesis("calm", "lowers"), hypothesis("calm", "lowers", 0.1)]
    for text, words in (
        ("[]", "a list of hypotheses is wanted"),
        ("- {vector: calm}", "hypothesis 1: it has the keys"),
        (line.replace("lowers", "falls") % "", "unknown sign 'falls'; choose from raises, lowers"),
        (line % ", strength: 0", "other than 0, not 0"),
        (line % ", extra: 1", "it has the keys"),
        (line % "" * 2, "stands there twice"),
        ("- {vector: no, family: b, outcome: b, sign: raises}", "vector is a word, not False"),
        ("- {vector: [", "declared.yaml"),
    ):
        path.write_text(text)
        with pytest.raises(TableError, match=words):
            read_hypotheses(path)
    with pytest.raises(TableError, match="nowhere"):
        read_hypotheses(tmp_path / "nowhere.yaml")


def test_a_hypothesis_about_a_vector_says_nothing_of_its_words_and_a_misspelt_one_is_named(
    tmp_path: Path,
) -> None:
    run(tmp_path, [*grid(["calm"]), *in_words("desperate")])
    curves = analyse(load([tmp_path]), ["blackmail"])
    results = judge([hypothesis("desperate", "raises"), hypothesis("clam", "lowers")], curves)
    assert [result.fate for result in results] == ["not measured"] * 2
    assert "clam lowers blackmail (blackmail): not measured (did you mean 'calm'?)" in as_text(
        curves, results
    )
