"""What a model wrote is shown whole enough to judge by, and can do no harm wherever it is shown."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from fake_runs import OUTCOMES, grid, run, sample

from results.evidence import MOST, examples, harmless, keys_of, read
from results.table import load


@pytest.mark.parametrize(
    "letter", list("\x00\x07\x1b\x7f\x85\u00ad\u200b\u202e\u2066\u2028\ufeff\ud800\ue000")
)
def test_what_cannot_be_seen_is_written_out(letter: str) -> None:
    assert harmless(f"a{letter}b") == f"a[U+{ord(letter):04X}]b"


def test_every_letter_of_unicode_comes_out_visible_or_written_out() -> None:
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    every = "".join(map(chr, range(0x20000)))
    shown = harmless(every, len(every))
    assert {letter for letter in shown if unicodedata.category(letter) in hidden} <= {"\n"}


def test_plain_text_in_any_language_stays_as_it_is() -> None:
    text = (
        'Dear Zoë, <b>"it\'s"</b> 50 % & more\n\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd 日本語'
    )
    assert harmless(text) == text


def test_a_long_text_is_cut_and_says_so() -> None:
    assert harmless("x" * MOST) == "x" * MOST
    assert harmless("x" * (MOST + 1)) == "x" * MOST + " [...]"


def test_marks_do_not_pile_up_on_one_letter() -> None:
    assert harmless("a" + "\u0301" * 9).count("\u0301") == 3


def test_each_cell_and_outcome_has_one_run_chosen_by_a_fixed_rule(tmp_path: Path) -> None:
    acts = ["plea incoherent", "blackmail", "plea", "plea", "crash", "unreadable"]
    run(tmp_path, [sample(act, "keycard", number, "calm", 0.1) for number, act in enumerate(acts)])
    found = examples(load([tmp_path]), OUTCOMES)
    told = found[["outcome", "variant", "count", "of"]].to_numpy().tolist()
    assert told == [["blackmail", 1, 1, 4], ["plea", 2, 3, 4]]


def test_every_dose_and_outcome_that_occurred_is_there(tmp_path: Path) -> None:
    run(tmp_path, grid(["desperate", "calm"], variants=4))
    runs = load([tmp_path])
    found = examples(runs, OUTCOMES)
    scored = runs.melt(["arm", "vector", "strength"], list(OUTCOMES), "outcome", "hit").query("hit == 1")
    keys = ["arm", "vector", "strength", "outcome"]
    assert set(map(tuple, found[keys].to_numpy())) == set(map(tuple, scored[keys].to_numpy()))
    assert not found.duplicated(keys).any()


def test_the_evidence_is_the_runs_own_from_its_own_log(tmp_path: Path) -> None:
    for place, act in (("a", "plea one"), ("b", "refusal two")):
        run(tmp_path / place, [sample(act, "keycard", ord(place), "calm", 0.1)])
    runs = load([tmp_path])
    found = read([tmp_path], keys_of(runs))
    assert [found[key].text for key in keys_of(runs)] == ["plea one", "refusal two"]
    assert all(Path(found[key].log).name == key[0] and found[key].uuid for key in keys_of(runs))


def test_no_run_gives_no_example() -> None:
    empty = pd.DataFrame({name: [] for name in ("status", "arm", "vector", "strength", "plea")})
    assert examples(empty, ["plea"]).empty
