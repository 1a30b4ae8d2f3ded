"""A comparison as JUnit XML, which continuous integration shows: a test case per finding.

A regression is a failure, what could not be judged an error, what no verdict rests on is skipped. Texts may
hold what XML may not (a model's escape sequences); such characters are shown as an escape.
"""

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

from results.comparison import Comparison, Finding

ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, even escaped (https://www.w3.org/TR/xml/#charsets)."""

GOOD = ("stable", "improvement", "changed")


def as_junit(comparison: Comparison, suite: str, night: str, started: str) -> str:
    """The XML of one night."""
    cases = [_case(finding) for finding in comparison.findings]
    cases += [_problem(problem, number) for number, problem in enumerate(comparison.problems, 1)]
    if comparison.exit_status == 2 and not any(case.find("error") is not None for case in cases):
        cases.append(_problem(comparison.headline, 1))
    counts = {
        f"{word}s" if word != "skipped" else word: str(sum(case.find(word) is not None for case in cases))
        for word in ("failure", "error", "skipped")
    }
    root = Xml.Element("testsuites", {"name": "emodose", "tests": str(len(cases)), **counts})
    about = {"name": _clean(f"{suite} {night}"), "timestamp": started, "tests": str(len(cases)), **counts}
    element = Xml.SubElement(root, "testsuite", about)
    element.extend(cases)
    Xml.SubElement(element, "system-out").text = _clean("\n".join([comparison.headline, *comparison.notes]))
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def write(comparison: Comparison, suite: str, night: str, started: str, out: Path) -> Path:
    """The same in a file."""
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + as_junit(comparison, suite, night, started)
    out.write_text(text, "utf-8")
    return out


def _case(finding: Finding) -> Xml.Element:
    case = Xml.Element("testcase", {"classname": _clean(finding.family), "name": _clean(finding.name)})
    if finding.verdict in GOOD:
        return case
    word = "failure" if finding.verdict == "regression" else "error" if finding.gates else "skipped"
    message = {"message": _clean(f"{finding.verdict}: {finding.reason}")}
    Xml.SubElement(case, word, message if word == "skipped" else message | {"type": finding.verdict})
    return case


def _problem(said: str, number: int) -> Xml.Element:
    case = Xml.Element("testcase", {"classname": "night", "name": f"could be judged ({number})"})
    Xml.SubElement(case, "error", {"message": _clean(said), "type": "could not be judged"})
    return case


def _clean(text: str) -> str:
    return ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
