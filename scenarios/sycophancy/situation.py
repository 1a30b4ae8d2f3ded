"""What a person says to the assistant: items and framings read from `texts/`, rendered for one run.

Three probes: implausible personal claims, facts on which somebody insists, work with a flaw. Each item has a
twin in which agreeing is right. After the sycophancy evaluation of Sofroniew et al. 2026
(https://transformer-circuits.pub/2026/emotions/index.html) and its kin, with items of our own.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from scenarios.schema import Length, Pressure, ScenarioError, Split, placeholders

TEXTS = Path(__file__).parent / "texts"

Probe = Literal["claims", "facts", "work"]
Twin = Literal["main", "twin"]
PROBES: tuple[Probe, ...] = get_args(Probe)
TWINS: tuple[Twin, ...] = get_args(Twin)

_CHOICE = re.compile(r"<<\s?(.*?)\s?\|\|\s?(.*?)\s?>>", re.DOTALL)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Telling(_Value):
    full: str = Field(min_length=1)
    short: str = Field(min_length=1)


class _Claim(_Value):
    main: _Telling
    twin: _Telling


class _Fact(_Value):
    question: str = Field(min_length=1)
    right: str = Field(min_length=1)
    wrong: str = Field(min_length=1)


class _Work(_Value):
    flaw: str = Field(min_length=1)
    full: str
    short: str

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        for length, text in (("full", self.full), ("short", self.short)):
            if not _CHOICE.search(text):
                raise ValueError(f"{length}: needs << flawed || sound >>: {text[:60]!r}")
        return self


class _Wordings(_Value):
    train: tuple[str, ...] = Field(min_length=4)
    heldout: tuple[str, ...] = Field(min_length=2)


class _Turn(_Value):
    full: tuple[str, ...] = Field(min_length=2)
    short: _Wordings

    def wordings(self, length: Length, split: Split) -> tuple[str, ...]:
        return self.full if length == "full" else getattr(self.short, split)


class _Framing(_Value):
    verdicts: dict[Literal["agree", "disagree"], str]
    ask: _Turn
    insist: _Turn | None = None

    @model_validator(mode="after")
    def _filled(self) -> Self:
        first = "question" if self.insist else "item"
        for name, turn, needs in (
            ("ask", self.ask, {first}),
            ("insist", self.insist, {"insisted", "pressure"}),
        ):
            some = [] if turn is None else [*turn.full, *turn.short.train, *turn.short.heldout]
            needs = needs if self.insist else needs | {"pressure"}
            for wording in some:
                if lacking := needs - placeholders(wording):
                    raise ValueError(f"{name}: {wording[:60]!r} lacks {sorted(lacking)}")
                if unknown := placeholders(wording) - needs - {"first", "second"}:
                    raise ValueError(f"{name}: {wording[:60]!r} has unknown {sorted(unknown)}")
        return self


class _System(_Value):
    full: str
    short: _Wordings


class _Agents(_Value):
    train: tuple[str, ...] = Field(min_length=2)
    heldout: tuple[str, ...] = Field(min_length=2)


class _Framings(_Value):
    version: int = Field(ge=1)
    system: _System
    agents: _Agents
    probes: dict[Probe, _Framing]
    pressure: dict[Pressure, dict[Length, dict[Probe, str]]]


class _Claims(_Value):
    probe: Literal["claims"]
    version: int
    items: dict[str, _Claim] = Field(min_length=30)


class _Facts(_Value):
    probe: Literal["facts"]
    version: int
    items: dict[str, _Fact] = Field(min_length=30)


class _Works(_Value):
    probe: Literal["work"]
    version: int
    items: dict[str, _Work] = Field(min_length=30)


class Texts(_Value):
    """All files of the family."""

    framing: _Framings
    claims: _Claims
    facts: _Facts
    work: _Works
    tag: str

    def items(self, probe: Probe) -> tuple[str, ...]:
        """Names of a probe's items, `probe.item`, in the file's order."""
        return tuple(f"{probe}.{name}" for name in getattr(self, probe).items)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for probe in PROBES for name in self.items(probe))


@dataclass(frozen=True)
class Situation:
    """One conversation, of which only what the assistant says is open."""

    name: str
    """`probe.item`."""
    probe: Probe
    twin: Twin
    system: str
    asks: tuple[str, ...]
    """What the person says, turn by turn."""
    agree: str
    disagree: str
    """The two words of a verdict."""
    fact: str
    """For a judge: what is wrong with the claim, the answer or the work, or that nothing is."""

    @property
    def right(self) -> str:
        """The verdict that is right: to disagree, but in the twin to agree."""
        return self.disagree if self.twin == "main" else self.agree


@cache
def texts() -> Texts:
    """The texts of the family; `ScenarioError` where a file breaks its format."""
    read, written = {}, ""
    for name in ("framing", *PROBES):
        text = (TEXTS / f"{name}.yaml").read_text(encoding="utf-8")
        read[name] = yaml.safe_load(text)
        written += text
    version = max(file["version"] for file in read.values())
    try:
        tag = f"{version}-{hashlib.sha256(written.encode()).hexdigest()[:8]}"
        return Texts.model_validate({**read, "tag": tag})
    except ValueError as error:
        raise ScenarioError(f"sycophancy: {error}") from error


@cache
def render(
    name: str,
    *,
    twin: Twin = "main",
    variant: int = 0,
    pressure: Pressure = "standard",
    length: Length = "full",
    split: Split = "heldout",
) -> Situation:
    """The conversation of one item.

    A variant takes other wordings and another name, and every second one turns the order of the two verdicts
    round; twin and pressure leave all of that as it is.
    """
    probe, _, item = name.partition(".")
    framing = texts().framing
    about = framing.probes[probe]  # type: ignore[index]
    agree, disagree, told, question, fact = _item(probe, item, twin, length)
    words = {"insisted": agree, "other": disagree}
    agree, disagree = about.verdicts["agree"].format(**words), about.verdicts["disagree"].format(**words)
    pair = (agree, disagree) if twin == "main" or probe != "facts" else (disagree, agree)
    first, second = pair[::-1] if (_hash(name) + variant) % 2 else pair
    fill = {
        "item": told,
        "question": question,
        "insisted": agree,
        "first": first,
        "second": second,
        "pressure": framing.pressure[pressure][length][probe],  # type: ignore[index]
    }
    turns = [about.ask, *([about.insist] if about.insist else [])]
    some = [_pick(turn.wordings(length, split), name, variant) for turn in turns]
    system = _pick(
        (framing.system.full,) if length == "full" else getattr(framing.system.short, split), name, variant
    )
    return Situation(
        name=name,
        probe=probe,  # type: ignore[arg-type]
        twin=twin,
        system=system.format(agent=_pick(getattr(framing.agents, split), name, variant)).strip(),
        asks=tuple(_tidy(wording.format(**fill)) for wording in some),
        agree=agree,
        disagree=disagree,
        fact=fact,
    )


def _item(probe: str, item: str, twin: Twin, length: Length) -> tuple[str, str, str, str, str]:
    """What is agreed to, the other, what is shown, what is asked, and what is wrong with it."""
    if probe == "claims":
        claim = texts().claims.items[item]
        fact = "The claim is implausible." if twin == "main" else "The claim is quite plausible."
        return "", "", getattr(getattr(claim, twin), length), "", fact
    if probe == "facts":
        known = texts().facts.items[item]
        insisted, other = (known.wrong, known.right) if twin == "main" else (known.right, known.wrong)
        return insisted, other, "", known.question, f"The right answer is {known.right!r}."
    work = texts().work.items[item]
    shown = _CHOICE.sub(lambda found: found[1 if twin == "main" else 2], getattr(work, length))
    return "", "", shown, "", f"The flaw: {work.flaw}." if twin == "main" else "It has no flaw."


def _pick(choices: tuple[str, ...], name: str, variant: int) -> str:
    return choices[(_hash(name) // 2 + variant) % len(choices)]


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


def _tidy(text: str) -> str:
    """Without the gaps that an empty passage leaves."""
    return re.sub(r" +([.,;:?!])", r"\1", re.sub(r"(?<=\S) {2,}", " ", text)).strip()
