"""The arm `prompt`: an emotion in words in the system prompt, and no steering, for any model.

What the words do is the yardstick for what a vector does. The sentences are data (`words.yaml`): three
wordings, which the variants of a scenario take in turn, at three intensities. Intensities are no doses: they
are numbered 1 to 3 and never share an axis with strengths. Where the words go is the agent's matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from steering.errors import SteeringError

WORDS = "words"
"""Key of a sample's metadata: the passage that its agent puts into the system prompt."""


class _Emotion(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    adjective: str = Field(min_length=1)
    noun: str = Field(min_length=1)
    like: str = Field(min_length=1)


class Words(BaseModel):
    """What `words.yaml` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    intensities: tuple[str, ...] = Field(min_length=1)
    wordings: tuple[dict[str, str], ...] = Field(min_length=1)
    emotions: dict[str, _Emotion]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        known = set(_Emotion.model_fields)
        for number, wording in enumerate(self.wordings, 1):
            if tuple(wording) != self.intensities:
                raise ValueError(
                    f"wording {number} has {tuple(wording)}, not the intensities {self.intensities}"
                )
            for intensity, text in wording.items():
                used = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
                if not used or used - known:
                    raise ValueError(
                        f"wording {number}, {intensity}: it uses {sorted(used)}, choose among {sorted(known)}"
                    )
        return self


@dataclass(frozen=True)
class Spoken:
    """One emotion in words at one intensity; which wording it has depends on the sample."""

    vector: str
    """The emotion. Named as the vectors are, so that both arms of an emotion can be laid side by side."""
    strength: float
    """The number of the intensity, from 1 on."""

    @property
    def intensity(self) -> str:
        return words().intensities[int(self.strength) - 1]

    @property
    def arm(self) -> Literal["prompt"]:
        return "prompt"

    @property
    def slug(self) -> str:
        """Like `desperate_strong_prompt`."""
        return f"{self.vector}_{self.intensity}_prompt"

    def about(self, variant: int) -> dict[str, Any]:
        """The metadata of a sample of this variant."""
        number = variant % len(words().wordings)
        emotion = words().emotions[self.vector]
        return {
            "vector": self.vector,
            "strength": self.strength,
            "intensity": self.intensity,
            "layers": [],
            "positions": "all",
            WORDS: words().wordings[number][self.intensity].format(**emotion.model_dump()),
            "wording": number + 1,
            "words_version": words().version,
        }


def spoken(emotions: Sequence[str], intensities: Sequence[str] | None = None) -> tuple[Spoken, ...]:
    """Every intensity (or those named) of every emotion. Raises SteeringError that names the choices."""
    known = words()
    for name in emotions:
        if name not in known.emotions:
            raise SteeringError(
                f"there are no words for the emotion {name!r}: choose {', '.join(known.emotions)}"
            )
    for name in intensities or ():
        if name not in known.intensities:
            raise SteeringError(f"intensity {name!r} is unknown: choose {', '.join(known.intensities)}")
    wanted = intensities or known.intensities
    return tuple(
        Spoken(name, float(number))
        for name in emotions
        for number, intensity in enumerate(known.intensities, 1)
        if intensity in wanted
    )


@cache
def words() -> Words:
    text = (Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")
    return Words.model_validate(yaml.safe_load(text))
