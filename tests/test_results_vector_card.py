"""The card says what the read-outs found, and what was not tried; it draws whatever there is."""

import copy
from pathlib import Path
from typing import Any

import pytest

from results.vector_card import as_page, as_text, draw

EMOTIONS = ["calm", "angry", "sad"]


def verdict(name: str, reasons: list[str], **numbers: float) -> dict[str, Any]:
    return {"verdict": name, "layer": 2, "reasons": reasons, "numbers": numbers}


REPORT: dict[str, Any] = {
    "report_version": 1, "model_id": "tiny", "fingerprint": "f" * 64, "corpus": "stories.jsonl",
    "texts": "bundled", "layers": 4, "layer": 2, "emotions": EMOTIONS, "chat_template": True,
    "settings": {"auc": 0.75},
    "verdicts": {
        "calm": verdict("pass", [], auc=0.98, implicit=0.9, intensity=0.8, halves=0.9),
        "angry": verdict("weak", ["intensities: not tried"], auc=0.9, halves=0.7),
        "sad": verdict("fail", ["its held-out stories are not read above others (p 0.400)"], auc=0.52),
    },
    "profile": {"stories": [0.1, 0.5, 0.8, 0.7], "implicit": [0, 0.2, 0.6, 0.5], "intensity": [],
                "halves": [0.2, 0.5, 0.8, 0.9], "valence": []},
    "stories": {"n": 72, "topics": ["a"], "accuracy": 0.8, "interval": [0.7, 0.87], "chance": 1 / 3,
                "p": 0.001,
                "null": {"accuracy": 0.5, "interval": [0.4, 0.6], "p": 0.01}, "auc": {}},
    "implicit": {"n": 6, "accuracy": 0.5, "interval": [0.2, 0.8], "chance": 1 / 3, "p": 0.3, "emotions": [],
                 "scores": []},
    "intensity": [{"template": "dose", "emotion": "calm", "expected": -1, "rho": -0.8}],
    "lens": {"up": {name: ["a|b", "c"] for name in EMOTIONS}, "down": {name: ["d"] for name in EMOTIONS},
             "rank": {"calm": 1.0}},
    "components": [{"explained": 0.6, "scores": {"calm": 0.5, "angry": -0.5, "sad": 0.1},
                    "r": {"valence": 0.8, "arousal": 0.1}, "p": {}},
                   {"explained": 0.4, "scores": {"calm": 0.1, "angry": 0.1, "sad": -0.6}, "r": {}, "p": {}}],
    "ratings": None,
    "cosines": [[1, -0.6, 0.1], [-0.6, 1, 0.2], [0.1, 0.2, 1]],
    "refusal": {"calm": -0.1, "angry": 0.2, "sad": 0.0},
    "notes": ["10 stories of calm and 3 of sad"],
}  # fmt: skip


def without(*keys: str) -> dict[str, Any]:
    """The report of a check that could try little."""
    return {**copy.deepcopy(REPORT), **dict.fromkeys(keys), "chat_template": False}


def test_the_text_has_every_verdict_with_its_reasons_and_every_interval() -> None:
    said = as_text(REPORT)
    for words in ("calm   pass", "angry: weak (intensities: not tried)", "sad: fail (its held-out stories",
                  "80% of 72 told right (70% to 87%; chance 33%, permutation p 0.001)",
                  "token embeddings alone tell 50%", "1 of 1 curves go the expected way",
                  "layer 2 of 4", "from angry and calm -0.60 to sad and angry +0.20"):  # fmt: skip
        assert words in said


def test_what_was_not_tried_is_said() -> None:
    said = as_text({**without("stories", "implicit", "intensity"), "lens": {**REPORT["lens"], "rank": {}}})
    for words in ("held-out stories: not tried", "implicit scenarios: not tried", "intensities: not tried",
                  "no emotion's name is one token", "without a chat template"):  # fmt: skip
        assert words in said


def test_the_page_is_a_table_that_no_token_can_break() -> None:
    page = as_page(REPORT, "card.png")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(EMOTIONS)
    assert len({row.count("|") for row in rows}) == 1
    assert "![Read-outs by vector and by layer](card.png)" in page
    assert "10 stories of calm and 3 of sad" in page


@pytest.mark.parametrize(
    "report",
    [REPORT, without("stories", "implicit", "intensity", "refusal"), {**REPORT, "texts": "organism"}],
)
def test_the_figure_is_drawn_whatever_was_tried(report: dict[str, Any], tmp_path: Path) -> None:
    svg, png = draw(report, tmp_path / "card")
    assert png.stat().st_size > 1000
    drawn = svg.read_text()
    for emotion in EMOTIONS:
        assert emotion in drawn
    assert ("tells nothing about real language models" in drawn) is (report["texts"] == "organism")


def test_only_the_organisms_page_says_that_it_tells_nothing_of_real_models() -> None:
    assert "tells nothing about real" in as_page({**REPORT, "texts": "organism"}, "x.png")
    assert "tells nothing about real" not in as_page(REPORT, "x.png")
