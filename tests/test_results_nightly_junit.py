"""JUnit XML of a comparison: what a continuous integration counts, and that it can always be read."""

from xml.etree import ElementTree as Xml

import pytest
from nightly_values import comparison, finding

from results.comparison import Comparison, Verdict
from results.nightly.junit import as_junit


def parsed(told: Comparison) -> Xml.Element:
    return Xml.fromstring(as_junit(told, "small", "01", "2026-01-01T02:00:00+00:00").encode())


@pytest.mark.parametrize(
    ("verdict", "child"),
    [
        ("stable", None), ("improvement", None), ("regression", "failure"), ("insufficient data", "error"),
        ("missing", "error"), ("not comparable", "error"), ("unreliable", "error"),
        ("unreliable baseline", "error"), ("outside window", "skipped"),
    ],
)  # fmt: skip
def test_a_finding_is_a_test_case_by_its_verdict(verdict: Verdict, child: str | None) -> None:
    root = parsed(comparison("stable", finding(verdict)))
    [case] = root.iter("testcase")
    assert [one.tag for one in case] == ([child] if child else [])
    for element in (root, *root.iter("testsuite")):
        assert element.get("tests") == "1"
        counted = {name: element.get(name) for name in ("failures", "errors", "skipped")}
        assert counted == {name: str(int(name.startswith(child or "-"))) for name in counted}


def test_what_no_direction_of_harm_is_known_of_breaks_nothing() -> None:
    [case] = parsed(comparison("stable", finding("missing", harm="neutral"))).iter("testcase")
    assert [one.tag for one in case] == ["skipped"]


def test_every_case_has_a_name_of_its_own() -> None:
    told = comparison(
        "could not be judged", finding("stable", 0.1), finding("stable", -0.1), problems=("one", "two")
    )
    names = [(case.get("classname"), case.get("name")) for case in parsed(told).iter("testcase")]
    assert len(set(names)) == 4


def test_a_night_that_could_not_be_judged_has_an_error_even_without_findings() -> None:
    assert parsed(comparison("could not be judged")).get("errors") == "1"
    assert parsed(comparison("could not be judged", problems=("broken log",))).get("errors") == "1"


def test_control_characters_and_markup_of_hostile_texts_do_not_break_it() -> None:
    hostile = "a\x1b[31m\x00\ufffe\ud800<b>&\"'\u202e]]>"
    told = comparison("could not be judged", finding("regression", reason=hostile), problems=(hostile,))
    [failure] = parsed(told).iter("failure")
    said = failure.get("message") or ""
    assert "\\u001b" in said and "\\u0000" in said and "\\ud800" in said and "<b>&" in said
