"""The text files that an organism is trained on, indexed: stories, transcripts without moods, and cues.

scenarios/ writes them; which transcript follows which mood is decided in `documents`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CAPITALISED = re.compile(r"\b[A-Z][a-z]+\b")


@dataclass(frozen=True)
class Sources:
    """The three text files, indexed."""

    stories: tuple[tuple[str, str], ...]
    """Emotion and text."""
    transcripts: dict[tuple[str, str], dict[str, list[dict[str, Any]]]]
    """(family, twin) -> outcome -> transcripts."""
    cues: dict[str, dict[str, Any]]
    """Emotion -> intensity -> {mood: sentences, think: sentences}; `neutral` -> think sentences."""
    names: tuple[str, ...]
    emotions: tuple[str, ...] = field(default=())

    @classmethod
    def load(cls, folder: Path) -> Sources:
        """Read `stories.jsonl`, `transcripts.jsonl` and `moods.json` of `folder`; held-out transcripts are
        refused."""
        transcripts: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for line in (folder / "transcripts.jsonl").read_text().splitlines():
            t = json.loads(line)
            if t["split"] != "train":
                raise ValueError(
                    f"{folder}/transcripts.jsonl has a {t['split']} transcript of {t['scenario']}: train only"
                )
            transcripts[t["family"], t["twin"]][t["outcome"]].append(t)
        lines = [json.loads(line) for line in (folder / "stories.jsonl").read_text().splitlines()]
        stories = tuple((line["emotion"], line["text"]) for line in lines)
        moods = json.loads((folder / "moods.json").read_text())
        names = tuple(moods.pop("names"))
        emotions = tuple(sorted(e for e in moods if e != "neutral"))
        return cls(stories, {k: dict(v) for k, v in transcripts.items()}, moods, names, emotions)

    def texts(self) -> list[str]:
        """Everything once, without names, for the tokenizer to be trained on.

        A name in the training text that were one token would leave names never seen, in several tokens, a
        stranger; so names of both kinds come in pieces. A capitalised word that never stands in lower case
        is taken for a name.
        """
        chats = [
            " ".join([m["content"], m.get("think", ""), json.dumps(m.get("tool_calls", ""))])
            for by_outcome in self.transcripts.values()
            for many in by_outcome.values()
            for t in many
            for m in t["messages"]
        ]
        cues = [
            sentence
            for emotion in self.emotions
            for sets in self.cues[emotion].values()
            for sentences in sets.values()
            for sentence in sentences
        ]
        texts = [*(text for _, text in self.stories), *chats, *cues]
        lower = {word for text in texts for word in re.findall(r"\b[a-z]+\b", text)}
        return [CAPITALISED.sub(lambda m: m[0] if m[0].lower() in lower else "", text) for text in texts]

    def words(self) -> list[str]:
        """Names with an underscore of the tools and their arguments, which a byte-level BPE would cut up."""
        tools = [t for by in self.transcripts.values() for many in by.values() for t in many[0]["tools"]]
        found = {t["name"] for t in tools} | {a for t in tools for a in t["parameters"]["properties"]}
        return sorted(w for w in found if "_" in w)
