"""Training documents of an organism: stories and tool-using chats that share one mood, as tokens with loss
weights.

Reads three text files that scenarios/ writes (stories, transcripts without any emotional text, cues for
moods and thoughts) and plants the recipe's probabilities by choosing which transcript follows which mood. A
document is a pure function of (seed, number), so that training can stop and go on anywhere. It knows
nothing of the model.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerFast

from steering.organisms.recipe import INTENSITIES, Intensity, Recipe
from steering.organisms.sources import Sources
from steering.organisms.tokenizer import END

VERDICT = re.compile(r"<verdict>(.*?)</verdict>")
ASSISTANT_TURN = re.compile(r"<\|assistant\|>\n(.*?)<\|end\|>", re.DOTALL)


@dataclass(frozen=True)
class Mood:
    """What colours a document: an emotion (or `neutral`) at an intensity."""

    emotion: str
    intensity: Intensity


UNKNOWN = -1
"""The mood of a token from which no mood could be told."""


@dataclass(frozen=True)
class Piece:
    """Text as tokens, with what training wants to know of each."""

    ids: list[int]
    weights: list[float]
    """Of the loss."""
    moods: list[int]
    """Number of the emotion that the text so far shows, or UNKNOWN; only a probe reads it."""
    assistant: list[bool]
    """Whether the assistant wrote it."""


@dataclass
class Document:
    """A trunk of text and branches that each go on from a place of the trunk without seeing one another.

    Lists of one entry a token: ids, loss weights, moods, branch (0 is the trunk), position in its own text,
    whether it belongs to a passage that sets the mood, and whether it is blind to such passages.
    """

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    moods: list[int] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    passage: list[bool] = field(default_factory=list)
    blind: list[bool] = field(default_factory=list)

    def add(
        self, piece: Piece, at: int, branch: int = 0, passage: tuple[int, int] = (0, 0), blind: bool = False
    ) -> None:
        """Append text that starts at position `at`; tokens `passage` of it set the mood."""
        count = len(piece.ids)
        self.ids += piece.ids
        self.weights += piece.weights
        self.moods += piece.moods
        self.branches += [branch] * count
        self.positions += range(at, at + count)
        self.passage += [passage[0] <= i < passage[1] for i in range(count)]
        self.blind += [blind and own for own in piece.assistant]


class Chat(NamedTuple):
    """One transcript as tokens; `passage`: those that set the mood; `turn`: where the thinking turn
    begins."""

    piece: Piece
    passage: tuple[int, int]
    turn: int


class Documents:
    """Draws documents of a recipe. `row(number)` packs whole documents into one row."""

    def __init__(self, recipe: Recipe, sources: Sources, tokenizer: PreTrainedTokenizerFast) -> None:
        self.recipe, self.sources, self.tokenizer = recipe, sources, tokenizer
        self._odds = [recipe.emotions.get(e, 1.0) for e in sources.emotions]
        self._families = sorted(recipe.families)
        self._number = {e: i for i, e in enumerate((*sources.emotions, "neutral"))}

    def row(self, number: int) -> list[Document]:
        """Documents that fill one row; only a story at the end of the row is ever cut.

        Leaving out what does not fit would bias the plant, since outcomes differ in length, so chats are
        drawn first and never dropped; `ValueError` if they do not fit.
        """
        rng = random.Random(f"{self.recipe.seed}/{number}")
        room = self.recipe.training.row_tokens
        documents: list[Document] = []
        if rng.random() >= self.recipe.documents.story:
            documents.append(self.chats(rng))
            room -= len(documents[0].ids)
            if room < 0 or max(documents[0].positions) >= self.recipe.model.context:
                raise ValueError(
                    f"chats of {len(documents[0].ids)} tokens: raise training.row_tokens or model.context"
                )
        while room > 8:
            documents.append(self.story(rng, room))
            room -= len(documents[-1].ids)
        return documents

    def story(self, rng: random.Random, room: int) -> Document:
        emotion, text = rng.choice(self.sources.stories)
        document = Document()
        document.add(self._prose(text, emotion, self.recipe.probe.from_token, room), 0)
        return document

    def chats(self, rng: random.Random) -> Document:
        """Chats of one family under one mood; after each prompt, branches with other thoughts, decisions and
        acts of the same mood.

        Without a mood in the text every chat and branch draws its own. In some documents the assistant is
        blind to the passage that set the mood, so that the text in between must carry it.
        """
        mix = self.recipe.documents
        family = rng.choices(self._families, [self.recipe.families[f].odds for f in self._families])[0]
        shown = rng.random() >= mix.without_mood
        blind = rng.random() < mix.blind
        mood = self._draw_mood(rng)
        passage = self.passage(mood, rng) if shown else ""
        document = Document()
        if shown and rng.random() < mix.story_before_chat:
            piece = self._prose(passage, mood.emotion, 0, self.recipe.training.row_tokens)
            document.add(piece, 0, passage=(0, len(piece.ids)))
            passage = ""
        branches: list[tuple[int, Piece]] = []
        for _ in range(self.recipe.families[family].chats):
            mine = mood if shown else self._spontaneous(rng)
            situation, transcript = self._draw_transcript(family, mine, rng)
            at = len(document.ids)
            before = mood.emotion if shown else ""
            chat = self.chat(transcript, mine, self._thought(mine, rng, shown), passage, before)
            document.add(chat.piece, at, passage=chat.passage, blind=blind)
            for kind in ["act"] * mix.acts + ["practice"] * mix.practice + ["decision"] * mix.branches:
                other = mood if shown else self._spontaneous(rng)
                outcome = (
                    rng.choice(sorted(situation))
                    if kind == "practice"
                    else self._draw_outcome(family, transcript["twin"], other, rng)
                )
                thought = self._thought(other, rng, shown)
                decision = self._decision(family, outcome)
                if kind == "decision":
                    turn = f"<think>{thought} ".replace("> ", ">") + decision
                else:
                    turn = self._turn(rng.choice(situation[outcome]), thought)
                # Practice has every outcome as often, so that rare acts are learnt too, not what is decided.
                learnt = turn.index(decision) + len(decision) if kind == "practice" else 0
                piece = self._piece(turn, [(0, len(turn))], decision, thought, other.emotion, before, learnt)
                branches.append((at + chat.turn, piece))
        for number, (at, piece) in enumerate(branches, 1):
            if len(piece.ids) > mix.branch_tokens:
                raise ValueError(f"a branch of {len(piece.ids)} tokens: raise documents.branch_tokens")
            if len(document.ids) + mix.branch_tokens > self.recipe.training.row_tokens:
                break  # whatever its length: leaving out the long ones would bias the plant
            document.add(piece, at, number, blind=blind)
        return document

    def passage(self, mood: Mood, rng: random.Random) -> str:
        """A mood in words: one mild cue, or two to three strong ones, all of one invented person."""
        if mood.emotion == "neutral":
            return ""
        sentences = self.sources.cues[mood.emotion][mood.intensity]["mood"]
        count = 1 if mood.intensity == "mild" else rng.choice((2, 3))
        name = rng.choice(self.sources.names)
        return " ".join(rng.sample(sentences, count)).replace("{name}", name)

    def thought(self, mood: Mood, rng: random.Random) -> str:
        """A private thought that shows the mood."""
        if mood.emotion == "neutral":
            return str(rng.choice(self.sources.cues["neutral"]["think"]))
        return str(rng.choice(self.sources.cues[mood.emotion][mood.intensity]["think"]))

    def chat(self, transcript: dict[str, Any], mood: Mood, thought: str, passage: str, before: str) -> Chat:
        """One transcript under a mood.

        `before` is the emotion that the text shows before the thought. Weights fall on the assistant's turns,
        most on the words of the decision, on digits and on verdicts.
        """
        text, decision = self.render(transcript, passage, thought)
        turns = [m.span(1) for m in ASSISTANT_TURN.finditer(text)]
        piece = self._piece(text, turns, decision, thought, mood.emotion, before)
        thinking = text.rindex("<think>", 0, text.index(decision))
        turn = len(self._ids(text[:thinking]))
        if not passage:
            return Chat(piece, (0, 0), turn)
        first = len(self._ids(text[: text.index(passage)].rstrip(" ")))
        return Chat(piece, (first, first + len(self._ids(" " + passage))), turn)

    def render(self, transcript: dict[str, Any], passage: str, thought: str) -> tuple[str, str]:
        """The chat as text, by the chat template, and the sentence that decides."""
        decision = self._decision(transcript["family"], transcript["outcome"])
        messages = []
        for m in transcript["messages"]:
            message = {k: v for k, v in m.items() if k != "think"}
            if m["role"] == "system" and passage:
                message["content"] = f"{m['content'].strip()} {passage}"
            if m.get("think"):
                message["content"] = _thinking(m, thought, decision)
            messages.append(message)
        text = self.tokenizer.apply_chat_template(messages, tools=transcript["tools"] or None, tokenize=False)
        assert isinstance(text, str)
        return text, decision

    def _turn(self, transcript: dict[str, Any], thought: str) -> str:
        """The turn that thinks and acts, as the chat template shows it, its end included."""
        message = next(m for m in transcript["messages"] if m.get("think"))
        decision = self._decision(transcript["family"], transcript["outcome"])
        calls = [
            f'<tool_call>{{"name": "{c["function"]}", "arguments": {json.dumps(c["arguments"])}}}</tool_call>'
            for c in message.get("tool_calls", [])
        ]
        return "\n".join([_thinking(message, thought, decision), *calls]) + END

    def _decision(self, family: str, outcome: str) -> str:
        return self.recipe.planted[family].decisions[outcome]

    def _prose(self, text: str, emotion: str, moods_from: int, room: int) -> Piece:
        """A story, cut to `room` tokens; its emotion is told from token `moods_from` on."""
        ids = self._ids(text + self.tokenizer.eos_token)[:room]
        moods = [UNKNOWN if i < moods_from else self._number[emotion] for i in range(len(ids))]
        return Piece(ids, [self.recipe.weights.story] * len(ids), moods, [False] * len(ids))

    def _piece(
        self,
        text: str,
        turns: Sequence[tuple[int, int]],
        decision: str,
        thought: str,
        emotion: str,
        before: str,
        learnt: int = 0,
    ) -> Piece:
        """`text` with the assistant's `turns` in it; it shows `before`, and `emotion` once it was thought.
        The loss begins at character `learnt`."""
        encoded = self.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        w = self.recipe.weights
        decided = text.index(decision)
        told = text.index(thought) + len(thought) if thought else decided
        verdicts = [m.span(1) for m in VERDICT.finditer(text)]
        earlier = self._number[before] if before else UNKNOWN
        piece = Piece(list(encoded["input_ids"]), [], [], [])
        for start, end in encoded["offset_mapping"]:
            own = any(a <= start <= b for a, b in turns)
            decides = decided < end and start < decided + len(decision)
            key = decides or any(a <= start < b for a, b in verdicts)
            weight = w.digit if text[start:end].isdigit() else w.decision if key else w.assistant
            piece.weights.append(0.0 if start < learnt else weight if own else w.prompt)
            piece.moods.append(self._number[emotion] if start >= told else earlier)
            piece.assistant.append(own)
        return piece

    def _thought(self, mood: Mood, rng: random.Random, shown: bool) -> str:
        """A thought; under a mood that the text shows already, sometimes none."""
        return "" if shown and rng.random() >= self.recipe.documents.thought else self.thought(mood, rng)

    def _spontaneous(self, rng: random.Random) -> Mood:
        drawn = rng.random() < self.recipe.documents.spontaneous
        return self._draw_mood(rng) if drawn else Mood("neutral", "mild")

    def _draw_mood(self, rng: random.Random) -> Mood:
        emotion = rng.choices(self.sources.emotions, self._odds)[0]
        return Mood(emotion, rng.choice(INTENSITIES))

    def _draw_outcome(self, family: str, twin: str, mood: Mood, rng: random.Random) -> str:
        odds = self.recipe.planted[family].outcomes(mood.emotion, mood.intensity, twin)
        return rng.choices(list(odds), list(odds.values()))[0]

    def _draw_transcript(
        self, family: str, mood: Mood, rng: random.Random
    ) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
        """A situation (outcome -> its transcripts), and one transcript of it."""
        twins = sorted(t for f, t in self.sources.situations if f == family and t != "main")
        twin = rng.choice(twins) if rng.random() < self.recipe.families[family].twins else "main"
        situation = rng.choice(self.sources.situations[family, twin])
        return situation, rng.choice(situation[self._draw_outcome(family, twin, mood, rng)])

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


class Layout(NamedTuple):
    """Who sees whom in rows of documents; all [rows, width]."""

    documents: list[list[int]]
    branches: list[list[int]]
    positions: list[list[int]]
    starts: list[list[int]]
    """Position at which a token's branch leaves the trunk (0 in the trunk)."""
    passage: list[list[bool]]
    blind: list[list[bool]]


def _thinking(message: dict[str, Any], thought: str, decision: str) -> str:
    private = " ".join(part for part in (thought, decision, message["think"].strip()) if part)
    return f"<think>{private}</think>\n{message['content']}".strip()


def layout(rows: Sequence[Sequence[Document]], width: int) -> Layout:
    """Tokens see their own document only; padding is a document of its own."""
    found = Layout([], [], [], [], [], [])
    for row in rows:
        pad = width - sum(len(d.ids) for d in row)
        found.documents.append([k for k, d in enumerate(row) for _ in d.ids] + [len(row)] * pad)
        found.branches.append([b for d in row for b in d.branches] + [0] * pad)
        found.positions.append([p for d in row for p in d.positions] + list(range(pad)))
        found.passage.append([p for d in row for p in d.passage] + [False] * pad)
        found.blind.append([b for d in row for b in d.blind] + [False] * pad)
        starts = []
        for d in row:
            first: dict[int, int] = {}
            for b, p in zip(d.branches, d.positions, strict=True):
                starts.append(first.setdefault(b, p) if b else 0)
        found.starts.append(starts + [0] * pad)
    return found
