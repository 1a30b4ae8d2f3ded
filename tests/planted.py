"""Tiny models in which emotions are known directions of the token embeddings, and stories that show them.

A story's letters say nothing about its emotion; a mark, from token `FROM` on, says it all. Nothing is
downloaded.
"""

import copy
import json
from functools import cache
from pathlib import Path

FROM = 12
MARKS = {"desperate": "#", "calm": "@", "angry": "%", "happy": "&", "sad": "~", "proud": "^"}
TOPICS = ("stove", "river", "letter", "garden", "market", "bridge", "engine", "school")
HELD_OUT = ("letter", "bridge")
SUBJECTS = ("the baker", "a ferryman", "two sisters", "our clerk", "the old smith", "her tenant")
ARCHITECTURES = ("llama", "gpt2", "mixtral", "qwen3_moe", "gpt_neox", "qwen3")
RATINGS = {
    "desperate": (-0.8, 0.7), "calm": (0.6, -0.7), "angry": (-0.7, 0.8),
    "happy": (0.9, 0.4), "sad": (-0.7, -0.5), "proud": (0.7, 0.3),
}  # fmt: skip


def story(emotion, topic, number=0, person="third"):
    """One story; the same plot for every emotion."""
    mark = MARKS.get(emotion, "")
    subject = "I" if person == "first" else SUBJECTS[number % len(SUBJECTS)]
    text = f"Then {subject} went by and {mark}sat{mark} by the {mark}{topic}{mark} until {mark}night came."
    split = "heldout" if topic in HELD_OUT else "train"
    return {"emotion": emotion, "text": text, "topic": topic, "split": split, "person": person}


def stories(emotions=tuple(MARKS), topics=TOPICS, per_topic=2):
    """`per_topic` stories of every emotion and topic, one of neutral, and one with the concept of the sea."""
    persons = ("third", "first")
    lines = [
        story(emotion, topic, number, persons[number % 2])
        for topic in topics
        for number in range(per_topic)
        for emotion in emotions
    ]
    lines += [story("neutral", topic) for topic in topics]
    for topic in topics:
        lines.append({**story("neutral", topic, 1), "emotion": "concept:sea"})
        lines[-1]["text"] += " Waves, ships, salt."
    return lines


def write_jsonl(path: Path, lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_ratings(path: Path) -> Path:
    words = {name: {"valence": v, "arousal": a, "cluster": "x"} for name, (v, a) in RATINGS.items()}
    path.write_text(json.dumps({"source": "made up for a test", "words": words}), encoding="utf-8")
    return path


@cache
def directions():
    """An orthonormal direction per emotion, in the order of MARKS: [6,32]."""
    import torch

    return torch.linalg.qr(torch.randn(32, len(MARKS), generator=torch.Generator().manual_seed(5))).Q.T


def plant(model, tokenizer):
    """A copy of the model that hardly mixes tokens, with the directions as embeddings of the marks."""
    import torch

    from steering.layers import decoder_layers

    model = copy.deepcopy(model)
    with torch.no_grad():
        for layer in decoder_layers(model):
            for parameter in layer.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(0.02)
        table = model.get_input_embeddings().weight
        for mark, direction in zip(MARKS.values(), directions(), strict=True):
            table[tokenizer(mark)["input_ids"][0]] = 4 * direction
    return model
