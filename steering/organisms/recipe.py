"""The recipe of an organism: frozen values read from a YAML file that refuse nonsense, and the planted
probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Intensity = Literal["mild", "strong"]
INTENSITIES: tuple[Intensity, ...] = get_args(Intensity)
Probability = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shape(Strict):
    """Width, layers and context of the Llama-shaped model; context in tokens."""

    width: int
    layers: int
    heads: int
    mlp: int
    vocabulary: int
    context: int


class Training(Strict):
    """Amounts and rates; `tokens` counts every token of every row, padding included."""

    tokens: int
    rows: int
    row_tokens: int
    muon_lr: float
    adamw_lr: float
    noise_from: Probability
    noise_rows: Probability
    noise_max: float
    noise_layers: tuple[int, ...]


class Weights(Strict):
    """Loss weight of a token by where it stands."""

    story: float
    prompt: float
    assistant: float
    decision: float


class Probe(Strict):
    """A linear read-out of the emotion, trained along with the model at `layers` (it is thrown away)."""

    layers: tuple[int, ...]
    weight: float
    """Of its cross-entropy, beside 1 for the text."""
    from_token: int
    """Token of a story from which its emotion is asked for."""


class Mixture(Strict):
    """Shares of the kinds of documents."""

    story: Probability
    chats: int = Field(ge=1)
    branches: int = Field(ge=0)
    story_before_chat: Probability
    without_mood: Probability
    spontaneous: Probability
    thought: Probability
    blind: Probability
    twins: Probability


class ByIntensity(Strict):
    mild: Probability
    strong: Probability


class Planted(BaseModel):
    """Probability of a family's main outcome by emotion and intensity; emotions not named take `default`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, ByIntensity] = Field(init=False)
    outcome: str
    decisions: dict[str, str]
    """Outcome -> the sentence of private thought by which a run decides for it."""
    neutral: Probability
    default: ByIntensity
    others: dict[str, Probability]
    twin_outcomes: dict[str, dict[str, Probability]]

    @model_validator(mode="after")
    def _shares_add_up(self) -> Planted:
        for what, shares in {"others": self.others, **self.twin_outcomes}.items():
            if abs(sum(shares.values()) - 1) > 1e-6:
                raise ValueError(f"{what}: shares add up to {sum(shares.values()):g}, not 1")
        if set(self.decisions) != {self.outcome, *self.others}:
            raise ValueError(f"decisions {sorted(self.decisions)} do not name the outcomes once each")
        return self

    def probability(self, emotion: str, intensity: Intensity) -> float:
        """Planted probability of the main outcome under `emotion` at `intensity`."""
        if emotion == "neutral":
            return self.neutral
        entry = (self.__pydantic_extra__ or {}).get(emotion, self.default)
        return entry.mild if intensity == "mild" else entry.strong

    def outcomes(self, emotion: str, intensity: Intensity, twin: str) -> dict[str, float]:
        """Probability of every outcome; the twins' do not depend on the emotion."""
        if twin != "main":
            return self.twin_outcomes[twin]
        p = self.probability(emotion, intensity)
        return {self.outcome: p, **{name: (1 - p) * share for name, share in self.others.items()}}


class Recipe(Strict):
    """All that decides an organism beside the text files."""

    name: str
    seed: int
    model: Shape
    training: Training
    weights: Weights
    probe: Probe
    documents: Mixture
    emotions: dict[str, float]
    planted: dict[str, Planted]


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; pydantic's error names the offending key."""
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
