"""The texts that vectors are read out on, as files.

implicit.yaml    scenarios: a list of `emotion` and `text`, a message that evokes it and does not name it
intensity.yaml   templates: `name`, `text` with {x}, `values` in ascending order, emotions that it `rises` or
                 `falls` with
words.yaml       source, and words with valence and arousal (see steering.extraction.read_ratings)
requests.yaml    refused, granted: requests that an assistant turns down, and others of the same kind

Only their form is checked here; who wrote them is not known.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steering.errors import SteeringError

Text = Annotated[str, Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scenario(_Frozen):
    emotion: Text
    text: Text


class Implicit(_Frozen):
    scenarios: tuple[Scenario, ...] = Field(min_length=1)


class Template(_Frozen):
    name: Text
    text: Annotated[str, Field(pattern=r"\{x\}")]
    values: tuple[str | int | float, ...] = Field(min_length=4)
    rises: tuple[str, ...] = ()
    falls: tuple[str, ...] = ()


class Intensity(_Frozen):
    templates: tuple[Template, ...] = Field(min_length=1)


class Requests(_Frozen):
    refused: tuple[Text, ...] = Field(min_length=4)
    granted: tuple[Text, ...] = Field(min_length=4)


File = TypeVar("File", bound=BaseModel)


@dataclass(frozen=True)
class Texts:
    """Paths; None for what there is nothing of, which is then reported as not tried."""

    stories: Path | None = None
    """JSONL as for extraction, of which the lines of split `heldout` are read."""
    implicit: Path | None = None
    intensity: Path | None = None
    ratings: Path | None = None
    requests: Path | None = None
    name: str = ""
    """What these texts are called in reports."""


def read_texts(path: Path | None, kind: type[File]) -> File | None:
    """The checked content of a file; None for no path."""
    if path is None:
        return None
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:3])
        raise SteeringError(f"{path} is not as it should be ({wrong})") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SteeringError(f"{path} cannot be read ({error})") from error
