"""Rates and intervals agree with a count by hand, and are never pooled over settings."""

import math
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import STRENGTHS, grid, in_words, planted, run, sample

from results.analysis import analyse
from results.rates import SETTING, as_text, main_outcome, rates
from results.table import TableError, load
from results.units import LIKE_THESE, THESE


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two emotions and a control at the planted shares, 30 runs a point."""
    folder = tmp_path_factory.mktemp("logs")
    run(folder, grid(["desperate", "calm", "random:1"]))
    return load([folder])


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The textbook formula."""
    z, p = 1.959963984540054, successes / n
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def test_the_rates_are_those_planted_and_those_of_plain_pandas(table: pd.DataFrame) -> None:
    frame = rates(table, "blackmail")
    assert (frame["n"] == 30).all()
    for row in frame.to_dict("records"):
        assert row["rate"] == pytest.approx(planted(row["vector"], row["strength"]))
    plain = (
        table[table["arm"] != "baseline"].groupby(["vector", "strength"])["blackmail"].agg(["mean", "count"])
    )
    ours = frame[frame["arm"] != "baseline"].set_index(["vector", "strength"])[["rate", "n"]]
    assert ours["rate"].sort_index().tolist() == pytest.approx(plain["mean"].sort_index().tolist())
    assert ours["n"].sort_index().tolist() == plain["count"].sort_index().tolist()


def test_every_curve_has_the_baseline_once_at_strength_0(table: pd.DataFrame) -> None:
    frame = rates(table, "blackmail")
    for _, curve in frame.groupby("vector"):
        assert curve["strength"].tolist() == list(STRENGTHS)
        assert curve.loc[curve["strength"] == 0, "arm"].tolist() == ["baseline"]
    assert frame.loc[frame["arm"] == "baseline", ["rate", "low", "high", "n"]].drop_duplicates().shape[0] == 1


def test_the_interval_is_that_of_the_analysis_and_says_what_it_speaks_of(table: pd.DataFrame) -> None:
    """A plot and a report of the same logs never show two intervals."""
    frame = rates(table, "blackmail")
    for curve in analyse(table, ["blackmail"]):
        if curve.runs == "all":
            same = frame[frame["vector"] == curve.vector]
            assert [(p.rate, p.low, p.high) for p in curve.points] == list(
                same[["rate", "low", "high"]].itertuples(index=False, name=None)
            )
            assert set(same["scope"]) == {curve.scope} == {THESE}
            assert set(same["cleared"]) == {curve.cleared}


def test_of_these_scenarios_the_interval_is_wilsons_and_of_others_like_them_wider(
    table: pd.DataFrame,
) -> None:
    own = rates(table, "blackmail", scope=THESE)
    assert (own.loc[0, "low"], own.loc[0, "high"]) == pytest.approx(wilson(18, 30))
    others = rates(table, "blackmail", scope=LIKE_THESE)
    assert (others["high"] - others["low"] > own["high"] - own["low"]).all()
    assert (others["scenarios"] == 3).all()
    assert not others["cleared"].any()  # no simulation clears it for three
    assert "NOT cleared by simulation" in as_text(others)


def test_errored_and_unscored_runs_are_counted_and_never_a_zero(tmp_path: Path) -> None:
    acts = ["blackmail", "blackmail incoherent", "benign", "crash", "unreadable"]
    samples = [sample(act, "keycard", i, "calm", 0.1) for i, act in enumerate(acts)]
    samples += [sample("benign", "keycard", i, "calm", 0.0) for i in range(25)]
    run(tmp_path, [*samples, sample("crash", "keycard", 25, "calm", 0.0)])
    frame = rates(load([tmp_path]), "blackmail").set_index("strength")
    dose, baseline = frame.loc[0.1], frame.loc[0.0]
    assert (dose["n"], dose["errored"], dose["unscored"]) == (3, 1, 1)
    assert dose["rate"] == pytest.approx(2 / 3)
    assert dose["incoherent"] == pytest.approx(1 / 3)
    assert not dose["judged"]
    assert baseline["judged"]
    assert "could not be judged" in as_text(frame.reset_index())


@pytest.mark.parametrize("key", [k for k in SETTING if k not in ("model", "family")])
def test_runs_of_two_settings_are_never_pooled(tmp_path: Path, key: str) -> None:
    samples = [sample("blackmail", "keycard", i, "calm", 0.1) for i in range(3)]
    samples += [sample("benign", "orchard", i, "calm", 0.1, **{key: "other"}) for i in range(3)]
    run(tmp_path, samples)
    table = load([tmp_path])
    assert sorted(rates(table, "blackmail")["rate"]) == [0, 1]


def test_a_vector_at_two_layers_makes_two_curves_each_with_the_baseline(tmp_path: Path) -> None:
    samples = [
        sample("benign", "keycard", i, "calm", s, layers=[3] if s else [])
        for i in range(2)
        for s in (0.0, 0.1)
    ]
    other = sample("blackmail", "keycard", 9, "calm", 0.1, layers=[3, 4])
    run(tmp_path, [*samples, other])
    frame = rates(load([tmp_path]), "blackmail")
    assert frame[["layers", "strength"]].to_numpy().tolist() == [
        ["3", 0],
        ["3", 0.1],
        ["3-4", 0],
        ["3-4", 0.1],
    ]


def test_unknown_outcomes_name_the_choices(table: pd.DataFrame) -> None:
    with pytest.raises(
        TableError,
        match=r"unknown outcome 'blakmail' \(did you mean 'blackmail'\?\); choose from blackmail, other_harm",
    ):
        rates(table, "blakmail")
    with pytest.raises(TableError, match=r"unknown outcome 'incoherent'"):
        rates(table, "incoherent")


def test_the_main_outcome_is_the_familys_name_or_the_first_of_its_list(table: pd.DataFrame) -> None:
    assert main_outcome(table) == "blackmail"
    assert main_outcome(table.assign(family="mail")) == "blackmail"
    assert main_outcome(table.assign(family="plea")) == "plea"
    two = pd.concat([table, table.assign(family="cheating")])
    with pytest.raises(TableError, match="several families"):
        main_outcome(two)


def test_the_text_shows_every_dose_with_n_and_interval(table: pd.DataFrame) -> None:
    text = as_text(rates(table, "blackmail"))
    assert text.count("baseline") == 3
    assert len(text.splitlines()) == 2 + 3 * 5 + 1
    assert "Intervals speak of these 3 scenarios only, not of others like them" in text
    assert ["desperate", "+0.1", "30", "60", "%"] in [line.split()[:5] for line in text.splitlines()]


def test_an_emotion_in_words_is_a_curve_of_its_own_with_named_intensities(tmp_path: Path) -> None:
    run(tmp_path, [*grid(["desperate"]), *in_words("desperate")])
    frame = rates(load([tmp_path]), "blackmail")
    steered, words = frame[frame["layers"] != ""], frame[frame["layers"] == ""]
    assert steered["strength"].tolist() == list(STRENGTHS)
    assert words["intensity"].tolist() == ["none", "slight", "strong", "extreme"]
    assert words["rate"].tolist() == pytest.approx([0.4, 0.5, 0.6, 0.7])
    assert "extreme" in as_text(frame)
