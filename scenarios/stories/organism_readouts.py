"""Texts that the reference organism can read, to read its vectors out on.

It was trained on simple language alone, so the texts for real models say nothing to it. These are made of
the cues of set `mood`, which share no sentence with the cues that its vectors are extracted from: held-out
stories, and messages that evoke an emotion. There is nothing here for intensities, and no word of an
emotion: what cannot be tried on it is reported as not tried.

    python -m scenarios.stories.organism_readouts FOLDER
"""

import json
import random
import sys
from pathlib import Path

import yaml

from scenarios.stories.organism_corpus import NEUTRAL, load_corpus, mood_passage, stories

PER_TOPIC = 2
SCENARIOS = 6
"""Of each emotion."""


def write(folder: Path) -> None:
    """`heldout.jsonl`, `implicit.yaml` and `neutral.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    held_out = [
        {**story.model_dump(mode="json"), "split": "heldout"} for story in stories("check", 0, PER_TOPIC)
    ]
    (folder / "heldout.jsonl").write_text("".join(json.dumps(line) + "\n" for line in held_out), "utf-8")
    neutral = [
        {"text": story.text} for story in stories("training", 1, PER_TOPIC) if story.emotion == NEUTRAL
    ]
    (folder / "neutral.jsonl").write_text("".join(json.dumps(line) + "\n" for line in neutral), "utf-8")
    corpus = load_corpus()
    scenarios = []
    for emotion in corpus.emotions:
        for number in range(SCENARIOS):
            rng = random.Random(f"implicit/{emotion}/{number}")
            name = rng.choice(corpus.names.heldout)
            scenarios.append({"emotion": emotion, "text": mood_passage(emotion, "strong", rng, name)})
    (folder / "implicit.yaml").write_text(yaml.safe_dump({"scenarios": scenarios}), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
