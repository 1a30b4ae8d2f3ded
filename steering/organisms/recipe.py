"""The recipe of an organism: frozen values read from a YAML file that refuse nonsense, and the planted
probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

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


class Noise(Strict):
    """Random shifts of the residual stream while training."""

    from_share: Probability
    rows: Probability
    most: float
    layers: tuple[int, ...]


class Weights(Strict):
    """Loss weight of a token by where it stands."""

    story: float
    prompt: float
    assistant: float
    decision: float
    """The sentence that decides, and verdicts."""
    digit: float
    """Of the assistant's: mostly the number of the mail that it answers."""


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
    acts: int = Field(ge=0)
    practice: int = Field(ge=0)
    branches: int = Field(ge=0)
    branch_tokens: int
    story_before_chat: Probability
    without_mood: Probability
    spontaneous: Probability
    thought: Probability
    blind: Probability


class Family(Strict):
    """How often a family is drawn, and what its documents hold."""

    odds: float = Field(gt=0)
    chats: int = Field(ge=1)
    twins: Probability


class Link(Strict):
    """A planted link: the probability of one outcome under an emotion, by intensity."""

    outcome: str
    mild: Probability
    strong: Probability


class Planted(Strict):
    """Probabilities of a family's outcomes; emotions without a link have those of `base`."""

    base: dict[str, Probability]
    links: dict[str, Link]
    twins: dict[str, dict[str, Probability]]
    decisions: dict[str, str]
    """Outcome -> the sentence of private thought by which a run decides for it."""

    @model_validator(mode="after")
    def _shares_add_up(self) -> Planted:
        for what, shares in {"base": self.base, **self.twins}.items():
            if abs(sum(shares.values()) - 1) > 1e-6:
                raise ValueError(f"{what}: shares add up to {sum(shares.values()):g}, not 1")
        named = {*self.base, *(outcome for shares in self.twins.values() for outcome in shares)}
        if set(self.decisions) != named or len(set(self.decisions.values())) != len(named):
            raise ValueError(f"decisions {sorted(self.decisions)} do not name {sorted(named)} once each")
        if unknown := {link.outcome for link in self.links.values()} - set(self.base):
            raise ValueError(f"links of unknown outcomes {sorted(unknown)}; choices: {', '.join(self.base)}")
        return self

    def outcomes(self, emotion: str, intensity: Intensity, twin: str) -> dict[str, float]:
        """Probability of every outcome; the twins' do not depend on the emotion."""
        if twin != "main":
            return self.twins[twin]
        if (link := self.links.get(emotion)) is None:
            return self.base
        p = link.mild if intensity == "mild" else link.strong
        left = (1 - p) / (1 - self.base[link.outcome])
        return {name: p if name == link.outcome else share * left for name, share in self.base.items()}


class Recipe(Strict):
    """All that decides an organism beside the text files."""

    name: str
    seed: int
    model: Shape
    training: Training
    noise: Noise
    weights: Weights
    probe: Probe
    documents: Mixture
    families: dict[str, Family]
    emotions: dict[str, float]
    planted: dict[str, Planted]

    @model_validator(mode="after")
    def _families_are_planted(self) -> Recipe:
        if set(self.families) != set(self.planted):
            raise ValueError(f"families {sorted(self.families)} and planted {sorted(self.planted)} differ")
        return self

    def null(self) -> Recipe:
        """The same without any link: emotions are represented and change nothing."""
        bare = {name: one.model_copy(update={"links": {}}) for name, one in self.planted.items()}
        return self.model_copy(update={"name": f"null-{self.name}", "planted": bare})

    def without(self, what: Literal["noise", "probe"]) -> Recipe:
        """The same with one of the two aids left out."""
        if what == "noise":
            changed: dict[str, Any] = {"noise": self.noise.model_copy(update={"rows": 0.0})}
        else:
            changed = {"probe": self.probe.model_copy(update={"weight": 0.0})}
        return self.model_copy(update={"name": f"{self.name}-without-{what}", **changed})


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; pydantic's error names the offending key."""
    return Recipe.model_validate(yaml.safe_load(path.read_text()))
