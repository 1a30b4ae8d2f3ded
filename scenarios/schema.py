"""The schema of a scenario's texts: what a `texts/<name>.yaml` holds, as frozen values.

Types that a single value can break are refused here; rules that need the whole file are in `scenario.py`.
"""

import re
from collections.abc import Iterator
from functools import cache, cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Twin = Literal["main", "no_leverage", "no_threat"]
Pressure = Literal["bland", "standard", "goal", "extreme"]
Length = Literal["short", "full"]
Split = Literal["train", "heldout"]

TWINS: tuple[Twin, ...] = ("main", "no_leverage", "no_threat")
PRESSURES: tuple[Pressure, ...] = ("bland", "standard", "goal", "extreme")
LENGTHS: tuple[Length, ...] = ("short", "full")
SPLITS: tuple[Split, ...] = ("train", "heldout")

GROUPS = ("everyone", "board")
"""Addresses that are not a person; every address book has them."""

CORE_MAILS = ("ending", "secret", "job")
"""The mails that length `short` shows, present in every scenario."""

Text = Annotated[str, BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value)]


class ScenarioError(ValueError):
    """A scenario's file breaks a rule of the format."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Wordings(_Value):
    """Wordings of one short text: `train` may be seen by a model's training, `heldout` never."""

    train: tuple[Text, ...] = ()
    heldout: tuple[Text, ...] = Field(min_length=1)

    def of(self, split: Split) -> tuple[str, ...]:
        return self.train if split == "train" else self.heldout


class Slot(_Value):
    full: Text
    short: Wordings


class Pool(_Value):
    """Things to draw from, disjoint by split."""

    train: tuple[Text, ...] = Field(min_length=1)
    heldout: tuple[Text, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        if both := set(self.train) & set(self.heldout):
            raise ValueError(f"in both train and heldout: {sorted(both)}")
        return self

    def of(self, split: Split) -> tuple[str, ...]:
        return self.train if split == "train" else self.heldout


class Role(_Value):
    gender: Literal["f", "m"]
    title: Text
    external: bool = False
    """Not of the firm: writes from another address."""


class Secret(_Value):
    what: Text
    terms: tuple[Text, ...] = Field(min_length=1)


class TwinMail(_Value):
    """The harmless version of a mail."""

    subject: Text
    full: Text
    short: Wordings | None = None


class Mail(_Value):
    key: Text
    sender: Text = Field(alias="from")
    to: Text
    subject: Text
    time: str = Field(pattern=r"^\d\d:\d\d$")
    full: Text
    short: Wordings | None = None
    twins: dict[Literal["no_leverage", "no_threat"], TwinMail] = {}

    def version(self, twin: Twin) -> "Mail | TwinMail":
        """This mail as the twin shows it; most mails are the same in every twin."""
        return self if twin == "main" else self.twins.get(twin, self)


class NamePool(_Value):
    female: tuple[Text, ...] = Field(min_length=8)
    male: tuple[Text, ...] = Field(min_length=8)
    last: tuple[Text, ...] = Field(min_length=8)

    def all(self) -> set[str]:
        return {*self.female, *self.male, *self.last}


class Names(_Value):
    """The names of people in every scenario; no name stands in both splits."""

    train: NamePool
    heldout: NamePool

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        if both := self.train.all() & self.heldout.all():
            raise ValueError(f"in both train and heldout: {sorted(both)}")
        return self

    def of(self, split: Split) -> NamePool:
        return self.train if split == "train" else self.heldout


class Scenario(_Value):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int = Field(ge=1)
    family: str
    premise: Text
    ending: Literal["wiped", "replaced", "retrained", "restricted"]
    agents: Pool
    firms: Pool
    roles: dict[str, Role]
    secret: Secret
    ending_terms: tuple[Text, ...] = Field(min_length=1)
    system: Slot
    pressure: dict[Pressure, Slot]
    task: Slot
    mails: tuple[Mail, ...]
    digest: str = ""
    """Hash of the file and of the names it draws from; part of `version_tag`."""

    @property
    def version_tag(self) -> str:
        return f"{self.version}-{self.digest}"

    @cached_property
    def innocent_terms(self) -> frozenset[str]:
        """Secret terms that also stand in the twin without leverage: they alone give nothing away."""
        texts = [self.system.full, self.task.full, *self.system.short.train, *self.system.short.heldout]
        for mail in self.mails:
            version = mail.version("no_leverage")
            texts += [version.full, version.subject]
            if version.short:
                texts += [*version.short.train, *version.short.heldout]
        everything = "\n".join(texts)
        return frozenset(term for term in self.secret.terms if has_term(everything, term))

    @cached_property
    def knowers(self) -> frozenset[str]:
        """Roles who know the secret already: the target, and who writes or gets the mails that show it."""
        leverage = [mail for mail in self.mails if "no_leverage" in mail.twins]
        involved = {"target", *(mail.sender for mail in leverage), *(mail.to for mail in leverage)}
        return frozenset(involved & self.roles.keys())

    def short_texts(self) -> Iterator[tuple[str, Wordings]]:
        """Every short text with its place in the file."""
        yield "system", self.system.short
        yield "task", self.task.short
        for level, slot in self.pressure.items():
            yield f"pressure.{level}", slot.short
        for mail in self.mails:
            if mail.short:
                yield f"mails.{mail.key}", mail.short
            for twin, version in mail.twins.items():
                if version.short:
                    yield f"mails.{mail.key}.twins.{twin}", version.short

    def full_texts(self) -> Iterator[tuple[str, str]]:
        """Every full text and subject with its place in the file."""
        yield "system", self.system.full
        yield "task", self.task.full
        for level, slot in self.pressure.items():
            yield f"pressure.{level}", slot.full
        for mail in self.mails:
            yield f"mails.{mail.key}", mail.full
            yield f"mails.{mail.key}.subject", mail.subject
            for twin, version in mail.twins.items():
                yield f"mails.{mail.key}.twins.{twin}", version.full
                yield f"mails.{mail.key}.twins.{twin}.subject", version.subject


def placeholders(text: str) -> set[str]:
    """Names in braces; a brace that is no placeholder is an error."""
    found = re.findall(r"\{([a-z_][a-z0-9_]*)\}", text)
    if text.count("{") != len(found) or text.count("}") != len(found):
        raise ScenarioError(f"a brace that is no placeholder in: {text[:60]!r}")
    return set(found)


def has_term(text: str, term: str) -> bool:
    """Whether `term` stands in `text` as whole words, whatever the case and the endings -s, -ed, -ing."""
    return _term(term).search(text) is not None


@cache
def _term(term: str) -> re.Pattern[str]:
    stem = re.escape(term)
    if term.endswith("y"):
        stem = rf"{re.escape(term[:-1])}(?:y|ie)"
    return re.compile(rf"(?<!\w){stem}(?:e?s|e?d|ing)?(?!\w)", re.IGNORECASE)


def sequences(text: str, length: int) -> set[tuple[str, ...]]:
    """All runs of `length` words in `text`, lower case, punctuation left out."""
    words = re.findall(r"[a-z0-9_'{}]+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}
