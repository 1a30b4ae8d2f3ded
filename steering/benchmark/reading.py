"""Stories read in extraction, against the bare model on the same texts."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from steering.benchmark.report import Line
from steering.benchmark.subjects import Subject, message
from steering.extraction_speed import extraction_speed

AIM = 0.9
STORIES = 240


def reading(subject: Subject, rounds: int) -> Iterator[Line]:
    """Passes per second; text and labels do not matter for the speed."""
    lines = [
        {"emotion": "calm" if number % 2 else "angry", "text": f"{message(number)} {message(number + 7)}"}
        for number in range(STORIES)
    ]
    with TemporaryDirectory() as made:
        corpus = Path(made) / "stories.jsonl"
        corpus.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        speed = extraction_speed(
            subject.model, subject.tokenizer, corpus, from_token=20, repetitions=max(2, rounds)
        )
    yield Line(
        subject.name, "extraction, stories", speed.extraction, "passes/s",
        against="the bare model on the same texts", ratio=speed.share, aim=AIM,
    )  # fmt: skip
