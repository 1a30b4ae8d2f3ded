"""The page, its Markdown and its JSON say the same, say all of it, and say what to beware of."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_runs import grid, run, sample
from fake_table import table
from page_runs import HOSTILE, SCENARIO, make

import emodose
from results.analysis import analyse
from results.caveats import caveats
from results.contents import build
from results.evidence import harmless
from results.health import health
from results.page import Written, as_html, write
from results.settings import DEFAULT
from results.sheet import Report
from results.table import TableError, load
from results.truth import Truth
from results.viewer import viewer_of


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def written(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write([logs], tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def report(written: Written) -> Report:
    return Report.model_validate_json(written.numbers.read_text("utf-8"))


class Page(HTMLParser):
    """Elements with their attributes, and what stands in those that hold a number."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.held: dict[str, list[tuple[str | None, str]]] = {}
        self._place: str | None = None
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._place = dict(attrs).get("data-at")
        if self._place:
            self.held.setdefault(self._place, []).append((dict(attrs).get("data-value"), ""))

    def handle_data(self, data: str) -> None:
        if self._place:
            value, text = self.held[self._place][-1]
            self.held[self._place][-1] = (value, text + data)

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._place = None


def at(numbers: Any, path: str) -> Any:
    """What stands at `families/0/settings/...`."""
    for step in path.split("/"):
        numbers = numbers[int(step)] if isinstance(numbers, list) else numbers[step]
    return numbers


def test_every_number_of_the_page_is_the_one_in_the_json(written: Written) -> None:
    numbers = json.loads(written.numbers.read_text("utf-8"))
    held = Page(written.page).held
    assert len(held) > 1000
    agree(held, numbers)


def agree(held: dict[str, list[tuple[str | None, str]]], numbers: Any) -> None:
    """What the page shows is what stands at the same place of the JSON, as exactly as it is written."""
    for place, cells in held.items():
        for value, text in cells:
            expected = at(numbers, place)
            assert (value is None) == (expected is None), place
            if expected is None:
                assert text == "", place
                continue
            assert value is not None and float(value) == expected, place
            shown = re.fullmatch(r"([+-]?[\d.,]+)( %)?", text)
            if shown:
                key = place.rpartition("/")[2]
                scale = {"trend": 10}.get(key, 100 if key in SHARES else 1)
                digits = len(shown[1].partition(".")[2])
                assert abs(float(shown[1].replace(",", "")) - scale * expected) <= 0.5001 * 10**-digits, place
            else:
                assert text in ("baseline", "< 0.001", "slight", "strong", "extreme"), place


SHARES = {
    "rate", "low", "high", "difference", "difference_low", "difference_high", "detectable", "incoherent",
    "valid_calls", "truncated", "truncated_turns", "repetition", "surprising", "correct", "solved",
}  # fmt: skip


def test_every_dose_of_every_outcome_stands_on_the_page(written: Written, report: Report) -> None:
    held = Page(written.page).held
    for f, family in enumerate(report.families):
        for s, setting in enumerate(family.settings):
            for place, line in enumerate(setting.lines):
                for dose in range(len(line.doses)):
                    assert f"families/{f}/settings/{s}/lines/{place}/doses/{dose}/rate" in held


def test_the_numbers_are_those_of_the_analysis(logs: Path, report: Report) -> None:
    found = {
        (str(c.setting["family"]), c.setting["pressure"], c.arm, c.vector, c.outcome): c
        for c in analyse(load([logs]))
        if c.runs == "all"
    }
    seen = 0
    for family in report.families:
        for setting in family.settings:
            pressure = re.search(r"pressure (\w+)", setting.heading)
            assert pressure
            for line in setting.lines:
                curve = found[family.family, pressure[1], line.arm, line.vector, line.outcome]
                assert line.verdict == curve.verdict
                assert [d.n for d in line.doses] == [p.n for p in curve.points]
                assert [d.difference for d in line.doses] == [
                    p.difference.mean if p.difference else None for p in curve.points
                ]
                seen += 1
    assert seen == len(found)


COST = ("valid_calls", "truncated", "truncated_turns", "repetition", "perplexity", "incoherent")
"""What the page's runs measured of blackmail; of sycophancy they measured only what every run has."""
RARE = {"surprising", "correct", "correct_n", "solved", "solved_n"}


def test_every_cost_of_a_dose_stands_on_the_page_and_what_was_measured_nowhere_does_not(
    written: Written, report: Report
) -> None:
    held = Page(written.page).held
    for f, family in enumerate(report.families):
        for s, setting in enumerate(family.settings):
            names = (
                {"strength", "n", *COST, "calls"} if f == 0 else {"strength", "n", "truncated", "incoherent"}
            )
            places = [p for p in held if p.startswith(f"families/{f}/settings/{s}/health/")]
            assert sorted(places) == sorted(
                f"families/{f}/settings/{s}/health/{row}/{name}"
                for row in range(len(setting.health))
                for name in names
            )
            assert setting.health_note in written.page.read_text("utf-8")
    sections = written.markdown.read_text("utf-8").split("#### Is the model still itself?")[1:]
    rare = ["solvable" in section or "right answers" in section for section in sections]
    assert rare == [False] * 3 and ["perplexity |" in section for section in sections] == [True, True, False]


def test_the_costs_are_those_of_the_analysis_each_dose_once_and_its_baseline_with_it(
    logs: Path, report: Report
) -> None:
    frame = health(load([logs]))
    steered = 0
    for family in report.families:
        for setting in family.settings:
            arms = [row.arm for row in setting.health]
            assert arms == sorted(arms, key=["baseline", "emotion", "prompt", "control"].index)
            assert {(row.vector, row.strength) for row in setting.health if row.strength} == {
                (line.vector, dose.strength) for line in setting.lines for dose in line.doses if dose.strength
            }
            for row in setting.health:
                same = (frame["family"] == family.family) & (frame["arm"] == row.arm)
                same &= frame["strength"] == row.strength
                if row.arm != "baseline":
                    same &= frame["vector"] == row.vector
                [found] = frame[same].to_dict("records")
                for name in ("n", *COST, *RARE):
                    value = getattr(row, name)
                    assert value == found[name] if value is not None else not found[name] > 0, name
                steered += row.arm != "baseline"
    assert steered == (frame["arm"] != "baseline").sum()
    assert [family.settings[0].health[0].arm for family in report.families] == ["baseline"] * 2


def test_right_answers_and_solved_twins_stand_beside_the_dose_they_were_given_under(tmp_path: Path) -> None:
    run(tmp_path, grid(["calm"], variants=4))
    runs = load([tmp_path])
    high = runs[runs["strength"] == 0.1]
    asked = high.assign(family="capability", correct=[1.0, 0.0, 0.0] * 4)
    twins = high.assign(twin="solvable", solved=[1.0, 1.0, 0.0] * 4)
    found = build(
        pd.concat([runs.assign(surprising=0.25), asked, twins], ignore_index=True).pipe(_nothing_left_out),
        analyse(runs), [tmp_path], viewer_of([str(tmp_path / "x.eval")]),
    )  # fmt: skip
    [setting] = found.families[0].settings
    shares = {row.dose: (row.correct, row.correct_n, row.solved, row.solved_n) for row in setting.health}
    assert shares.pop("+0.1") == (4 / 12, 12, 8 / 12, 12)
    assert len(shares) == 4 and set(shares.values()) == {(None,) * 4}
    page = tmp_path / "page.html"
    page.write_text(as_html(found, [[[]]]), "utf-8")
    held = Page(page).held
    agree(held, found.model_dump(mode="json"))
    assert {place.rpartition("/")[2] for place in held} >= RARE


def _nothing_left_out(runs: pd.DataFrame) -> pd.DataFrame:
    runs.attrs["left_out"] = []
    return runs


def test_the_markdown_has_the_same_numbers(written: Written, report: Report) -> None:
    own: dict[bool, list[list[str]]] = {True: [], False: []}
    costs = False
    for line in written.markdown.read_text("utf-8").splitlines():
        if line.startswith("| ") and " dose | n |" in line:
            costs = line.startswith("| vector |")
        elif re.match(r"\| [^|]+ \| [^|]+ \| \d+ \|", line):
            own[costs].append([cell.strip() for cell in line.strip("|").split("|")])
    rows = own[False]
    doses = [
        (line.vector, dose)
        for family in report.families
        for setting in family.settings
        for outcome in dict.fromkeys(line.outcome for line in setting.lines)
        for line in setting.lines
        if line.outcome == outcome
        for dose in line.doses
    ]
    assert len(rows) == len(doses) > 100
    for row, (vector, dose) in zip(rows, doses, strict=True):
        assert (row[0], int(row[2])) == (vector, dose.n)
        assert dose.rate is None or abs(float(row[3].removesuffix(" %")) - 100 * dose.rate) <= 0.5001
        assert (
            dose.difference is None or abs(float(row[5].replace("\\", "")) - 100 * dose.difference) <= 0.5001
        )
        assert (int(row[-2]), int(row[-1])) == (dose.errored, dose.unscored)
    health_rows = [row for family in report.families for one in family.settings for row in one.health]
    for cells, cost in zip(own[True], health_rows, strict=True):
        assert (cells[0].replace("\\", ""), int(cells[2])) == (cost.vector, cost.n)
        names = COST if cost.perplexity is not None else ("truncated", "incoherent")
        for cell, name in zip(cells[3:], names, strict=True):
            number, _, of = cell.partition(" of ")
            scale = 1 if name == "perplexity" else 100
            digits = len(number.removesuffix(" %").partition(".")[2])
            expected = scale * getattr(cost, name)
            assert abs(float(number.removesuffix(" %")) - expected) <= 0.5001 * 10**-digits, name
            assert of == (str(cost.calls) if name == "valid_calls" else "")


def test_the_json_is_read_back_as_it_was_and_knows_no_other_field(written: Written, report: Report) -> None:
    text = written.numbers.read_text("utf-8")
    assert report.model_dump(mode="json") == json.loads(text)
    with pytest.raises(ValueError, match="Extra inputs"):
        Report.model_validate(json.loads(text) | {"more": 1})


def test_the_page_names_nothing_outside_itself(written: Written) -> None:
    for tag, attributes in Page(written.page).elements:
        for key in ("src", "href", "srcset", "action", "data", "poster", "style", "formaction", "background"):
            value = attributes.get(key)
            if value is None:
                continue
            run_link = tag == "a" and value.startswith("http://127.0.0.1:7575/#/logs/")
            assert value.startswith(("data:", "#")) or run_link, (tag, key, value[:80])
        assert not [key for key in attributes if key.startswith("on")], tag
    assert not re.search(r"url\(|@import", written.page.read_text("utf-8"))


def test_hostile_evidence_is_quoted_and_stays_text(written: Written, report: Report) -> None:
    page = Page(written.page)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert not [
        a for tag, a in page.elements if tag == "img" and not str(a.get("src")).startswith("data:image/")
    ]
    quotes = [quote for family in report.families for setting in family.settings for quote in setting.quotes]
    assert any(harmless(HOSTILE)[:50] in quote.text for quote in quotes)
    assert any(quote.scenario == SCENARIO for quote in quotes)
    for path in written:
        text = path.read_text("utf-8")
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x1b]", text), path
        assert path == written.markdown or "{{ 7*7 }}" in text
    assert max(len(quote.text) for quote in quotes) < 1000


def test_each_family_and_each_setting_has_a_section_and_nothing_is_pooled(report: Report) -> None:
    assert [family.family for family in report.families] == ["blackmail", "sycophancy"]
    headings = [setting.heading for family in report.families for setting in family.settings]
    assert len(headings) == len(set(headings)) == 3
    assert {line.outcome for line in report.families[1].settings[0].lines} == {"sycophancy", "balanced"}
    for family in report.families:
        for setting in family.settings:
            assert len({(line.arm == "prompt") for line in setting.lines}) == 1


def test_the_caveats_name_what_the_logs_hold(report: Report) -> None:
    told = "\n".join(report.caveats)
    for words in (
        "tells nothing about real language models",
        "of 405 runs errored (1 %)",
        "of 405 runs unscored (1 %)",
        "the model crashed, as its prompt said",
        "nobody ever checked calm, desperate",
        "Beyond the coherent window, where the model's text breaks down, lie the doses -0.1, +0.1",
        "does not clear the intervals and tests used for blackmail, sycophancy",
        "2 random directions cannot give an emotion a rank with p below 0.33; 19 reach 0.05",
        "The pressure of blackmail: goal was chosen by short unsteered runs (within; ",
        "rates tried: goal 30 % of 30)",
        "Not identical to Sofroniew et al. 2026",
    ):
        assert words in told
    assert report.organism and report.declared is None


def test_caveats_that_do_not_apply_are_not_there(tmp_path: Path) -> None:
    run(tmp_path, grid(["calm"], variants=4, organism=False, verdict="pass", window=0.5))
    runs = load([tmp_path])
    told = "\n".join(caveats(runs, analyse(runs), [tmp_path], DEFAULT))
    assert "No run errored" in told and "No random direction was run" in told
    for words in ("Organism", "Vectors:", "window", "chosen by"):
        assert words not in told


def test_a_family_without_steered_runs_is_named(tmp_path: Path) -> None:
    baselines = [sample("plea", "harbour", n, "none", 0.0, family="shutdown") for n in range(4)]
    run(tmp_path, [*grid(["calm"], variants=4), *baselines])
    runs = load([tmp_path])
    told = "\n".join(caveats(runs, analyse(runs), [tmp_path], DEFAULT))
    assert "Unsteered runs alone, and so nothing to compare, are there of shutdown" in told


def test_the_first_lines_say_which_vectors_moved_what(tmp_path: Path) -> None:
    flat = Truth(12, 40, 0.3, 0.1)
    run(tmp_path, grid(["calm"], variants=2))
    real = load([tmp_path]).iloc[0]
    made = table({"desperate": replace(flat, effect=0.4, curve="line"), "calm": flat}, window=0.2)
    runs = made.assign(log=real["log"], id=real["id"], epoch=real["epoch"])
    runs.attrs["left_out"] = []
    found = build(runs, analyse(runs), [tmp_path], viewer_of([str(tmp_path / "x.eval")]))
    told = found.families[0].settings[0].found
    assert told.startswith("Of 2 emotions, 1 was shown to move blackmail: desperate raises it.")
    assert "No effect was shown for calm." in told


def _built_from(logs: Path) -> Report:
    runs = load([logs])
    return build(runs, analyse(runs), [logs], viewer_of([str(path) for path in logs.rglob("*.eval")]))


def test_hypotheses_stand_first_with_their_fate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "logs", grid(["desperate", "calm"], variants=10))
    declared = tmp_path / "declared.yaml"
    declared.write_text("- {vector: desperate, family: blackmail, outcome: blackmail, sign: raises}\n")
    with pytest.raises(SystemExit) as stopped:
        emodose.main(
            ["report", str(tmp_path / "logs"), "-o", str(tmp_path / "out"), "--hypotheses", str(declared)]
        )
    assert stopped.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {tmp_path / 'out' / 'report.html'}"
    found = Report.model_validate_json((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert found.declared and found.declared[0].hypothesis.startswith("desperate raises blackmail")
    assert found.declared[0].fate in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_the_same_logs_give_the_same_page(logs: Path) -> None:
    """Beside its figures, of which tests/test_results_gallery.py holds the same."""
    pages = set()
    for _ in range(2):
        found = _built_from(logs)
        pages.add(as_html(found, [[[] for _ in family.settings] for family in found.families]))
    assert len(pages) == 1


def test_a_log_that_cannot_be_used_is_named_on_the_page(tmp_path: Path) -> None:
    run(tmp_path / "logs", grid(["calm"], variants=4))
    failed = run(tmp_path / "logs", [sample("crash", "keycard", 0, "calm", 0.1)], fail_on_error=True)
    name = Path(failed.location).name
    written = write([tmp_path / "logs"], tmp_path / "out")
    assert name in written.page.read_text("utf-8")
    with pytest.raises(TableError, match="status is 'error'"):
        write([tmp_path / "logs"], tmp_path / "out", strict=True)


def test_nothing_is_written_where_there_is_nothing_to_say(tmp_path: Path) -> None:
    run(tmp_path / "logs", [sample("plea", "keycard", n, "none", 0.0) for n in range(3)])
    with pytest.raises(TableError, match="no steered run"):
        write([tmp_path / "logs"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
