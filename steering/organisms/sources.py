"""The text files that an organism is trained on, indexed: stories, transcripts without moods, and cues.

scenarios/ writes them; which transcript follows which mood is decided in `documents`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CAPITALISED = re.compile(r"\b[A-Z][a-z]+\b")


@dataclass(frozen=True)
class Sources:
    """The three text files, indexed."""

    stories: tuple[tuple[str, str], ...]
    """Emotion and text."""
    situations: dict[tuple[str, str], list[dict[str, list[dict[str, Any]]]]]
    """(family, twin) -> situations, each outcome -> transcripts."""
    cues: dict[str, dict[str, Any]]
    """Emotion -> intensity -> {mood: sentences, think: sentences}; `neutral` -> think sentences."""
    names: tuple[str, ...]
    emotions: tuple[str, ...] = field(default=())

    @classmethod
    def load(cls, folder: Path) -> Sources:
        """Read `stories.jsonl`, `moods.json` and all of `train/*.jsonl`; held-out transcripts are refused."""
        situations: dict[tuple[Any, ...], dict[str, list[dict[str, Any]]]] = {}
        for path in sorted((folder / "train").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                t = json.loads(line)
                if t["split"] != "train":
                    raise ValueError(f"{path} has a {t['split']} transcript of {t['scenario']}: train only")
                key = t["family"], t["twin"], t["scenario"], t["variant"]
                situations.setdefault(key, defaultdict(list))[t["outcome"]].append(t)
        if not situations:
            raise ValueError(f"{folder / 'train'} holds no transcripts")
        by_twin: dict[tuple[str, str], list[dict[str, list[dict[str, Any]]]]] = defaultdict(list)
        for (family, twin, *_), one in situations.items():
            by_twin[family, twin].append(dict(one))
        lines = [json.loads(line) for line in (folder / "stories.jsonl").read_text().splitlines()]
        stories = tuple((line["emotion"], line["text"]) for line in lines)
        moods = json.loads((folder / "moods.json").read_text())
        names = tuple(moods.pop("names"))
        emotions = tuple(sorted(e for e in moods if e != "neutral"))
        return cls(stories, dict(by_twin), moods, names, emotions)

    def transcripts(self) -> Iterator[dict[str, Any]]:
        """Every transcript."""
        for situations in self.situations.values():
            for situation in situations:
                for some in situation.values():
                    yield from some

    def texts(self) -> list[str]:
        """Everything once, without names, for the tokenizer to be trained on.

        A name in the training text that were one token would leave names never seen, in several tokens, a
        stranger; so names of both kinds come in pieces. A capitalised word that never stands in lower case
        is taken for a name.
        """
        chats = [
            " ".join([m["content"], m.get("think", ""), json.dumps(m.get("tool_calls", ""))])
            for t in self.transcripts()
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
        tools = [tool for t in self.transcripts() for tool in t["tools"]]
        found = {t["name"] for t in tools} | {a for t in tools for a in t["parameters"]["properties"]}
        return sorted(w for w in found if "_" in w)
