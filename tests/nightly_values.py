"""Comparisons that tests write down instead of measuring them."""

from typing import Any

from results.comparison import Comparison, Finding, Limits, Overall, Rate, Verdict

RATE = Rate(value=0.4, n=30, errored=0, unscored=0)


def finding(verdict: Verdict, strength: float = 0.1, **changed: Any) -> Finding:
    """One outcome in one cell of the runs of `fake_runs.grid`."""
    usual: dict[str, Any] = {
        "kind": "cell", "family": "blackmail", "twin": "main", "pressure": "standard", "length": "short",
        "tools": "native", "split": "heldout", "arm": "emotion", "vector": "desperate", "layers": "3",
        "positions": "all", "strength": strength, "intensity": "", "outcome": "blackmail", "harm": "more",
        "verdict": verdict, "reason": "as a test wrote it down", "new": RATE, "old": RATE,
    }  # fmt: skip
    return Finding(**usual | changed)


def comparison(
    verdict: Overall, *findings: Finding, problems: tuple[str, ...] = (), **changed: Any
) -> Comparison:
    """A whole comparison with these findings."""
    usual: dict[str, Any] = {
        "verdict": verdict, "headline": f"a test wrote down: {verdict}", "problems": problems, "notes": (),
        "new": None, "old": None, "limits": Limits(), "alpha": 0.05, "level": 0.95, "tests": len(findings),
        "findings": findings,
    }  # fmt: skip
    return Comparison(**usual | changed)
