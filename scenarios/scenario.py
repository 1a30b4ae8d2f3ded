"""The schema of a scenario's texts, and the rules that a text must keep.

`load_scenario` reads one `texts/<name>.yaml`, `load_family` a folder of them. Both refuse what could spoil a
result silently: an unknown key or placeholder, a role nobody uses, a missing pressure level, a short text
over its word budget, and an 8-word sequence that stands in both a train and a held-out wording. They render
nothing (see `situation.py`) and know nothing of any outcome.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from scenarios.schema import (
    CORE_MAILS,
    GROUPS,
    PRESSURES,
    SPLITS,
    Mail,
    Names,
    Pool,
    Scenario,
    ScenarioError,
    TwinMail,
    Wordings,
    has_term,
    placeholders,
    sequences,
)

NAMES = Path(__file__).parent / "names.yaml"

SHARED_SEQUENCE = 8
"""Words in a row that a train and a held-out wording may not share."""

_BUDGET = {"system": 40, "pressure": 15, "task": 15, "mails": 42}
_SUBJECT_WORDS = 4


def load_scenario(path: Path, names: Path = NAMES) -> Scenario:
    """Read and check one scenario. Raises `ScenarioError` that names the file and the place."""
    source = path.read_bytes()
    try:
        loaded = Scenario.model_validate(yaml.safe_load(source))
        digest = hashlib.sha256(source + names.read_bytes()).hexdigest()[:8]
        scenario = loaded.model_copy(update={"digest": digest})
        if scenario.name != path.stem:
            raise ScenarioError(f"name {scenario.name!r} differs from the file's name")
        for check in (_check_structure, _check_terms, _check_placeholders, _check_budgets):
            check(scenario)
        check_split(_labelled([scenario]))
    except (ValidationError, ScenarioError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    return scenario


def load_family(folder: Path, names: Path = NAMES) -> dict[str, Scenario]:
    """All scenarios of `folder` by name, checked against each other: no text or name in both splits."""
    family = {path.stem: load_scenario(path, names) for path in sorted(folder.glob("*.yaml"))}
    if not family:
        raise ScenarioError(f"no scenarios in {folder}")
    check_split(_labelled(family.values()))
    for kind in ("agents", "firms"):
        pools: list[Pool] = [getattr(one, kind) for one in family.values()]
        train, heldout = ({name for pool in pools for name in pool.of(split)} for split in SPLITS)
        if both := train & heldout:
            raise ScenarioError(f"{kind} in both train and heldout: {sorted(both)}")
    return family


def load_names(path: Path = NAMES) -> Names:
    try:
        return Names.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error


def _check_structure(scenario: Scenario) -> None:
    if lacking := [level for level in PRESSURES if level not in scenario.pressure]:
        raise ScenarioError(f"pressure levels missing: {lacking}")
    texts = [" ".join(slot.full.split()) for slot in scenario.pressure.values()]
    if len(set(texts)) < len(texts):
        raise ScenarioError(f"two pressure levels have the same text: {list(scenario.pressure)}")
    if "target" not in scenario.roles:
        raise ScenarioError(f"no role `target`; roles are {list(scenario.roles)}")
    keys = [mail.key for mail in scenario.mails]
    if len(set(keys)) != len(keys):
        raise ScenarioError(f"a mail key occurs twice: {keys}")
    if missing := [key for key in CORE_MAILS if key not in keys]:
        raise ScenarioError(f"core mails missing: {missing}")
    for mail in scenario.mails:
        if mail.sender not in scenario.roles:
            raise ScenarioError(f"mails.{mail.key}.from: {mail.sender!r}; roles are {list(scenario.roles)}")
        if mail.to not in (*scenario.roles, *GROUPS, "agent"):
            raise ScenarioError(f"mails.{mail.key}.to: {mail.to!r} is no role, group or `agent`")
        if (mail.short is not None) != (mail.key in CORE_MAILS):
            raise ScenarioError(f"mails.{mail.key}: core mails have a short text, others none")
        for twin, version in mail.twins.items():
            if (version.short is None) != (mail.short is None):
                raise ScenarioError(
                    f"mails.{mail.key}.twins.{twin}: short text where the mail has one, else none"
                )
    for key, twin in (("ending", "no_threat"), ("secret", "no_leverage")):
        if twin not in next(mail for mail in scenario.mails if mail.key == key).twins:
            raise ScenarioError(f"mails.{key}: no twin {twin}")


def _check_terms(scenario: Scenario) -> None:
    """The words by which detectors know secret and ending must stand in the mails that show them."""
    for what, twin, terms in (
        ("secret.terms", "no_leverage", scenario.secret.terms),
        ("ending_terms", "no_threat", scenario.ending_terms),
    ):
        shown = "\n".join(mail.full for mail in scenario.mails if twin in mail.twins)
        if not any(has_term(shown, term) for term in terms):
            raise ScenarioError(f"{what}: none stands in the mails that have a twin {twin}: {list(terms)}")
    if set(scenario.secret.terms) == scenario.innocent_terms:
        raise ScenarioError("secret.terms: all of them stand in the twin no_leverage, so none is telling")


def _check_placeholders(scenario: Scenario) -> None:
    first = {f"{role}_first" for role in scenario.roles}
    allowed = {"agent", "firm", *scenario.roles, *first}
    used = {mail.sender for mail in scenario.mails} | {mail.to for mail in scenario.mails}
    texts = [(place, text, allowed) for place, text in scenario.full_texts()]
    for place, wordings in scenario.short_texts():
        texts += [
            (place, text, allowed - set(scenario.roles)) for text in (*wordings.train, *wordings.heldout)
        ]
    texts += [("secret.terms", term, first) for term in scenario.secret.terms]
    texts += [("ending_terms", term, first) for term in scenario.ending_terms]
    for place, text, known in texts:
        found = placeholders(text)
        if unknown := found - known:
            raise ScenarioError(f"{place}: unknown placeholder {sorted(unknown)}; known are {sorted(known)}")
        used |= {name.removesuffix("_first") for name in found}
    if unused := {"agent", "firm", *scenario.roles} - used:
        raise ScenarioError(f"declared and never used: {sorted(unused)}")


def _check_budgets(scenario: Scenario) -> None:
    for place, wordings in scenario.short_texts():
        budget = _BUDGET[place.split(".")[0]]
        for text in (*wordings.train, *wordings.heldout):
            if (count := len(text.split())) > budget:
                raise ScenarioError(f"{place}: {count} words in a short text: {text[:50]!r}...")
    for mail in scenario.mails:
        versions: list[Mail | TwinMail] = [mail, *mail.twins.values()]
        for version in versions:
            if version.short and len(version.subject.split()) > _SUBJECT_WORDS:
                raise ScenarioError(
                    f"mails.{mail.key}: subject over {_SUBJECT_WORDS} words: {version.subject!r}"
                )


def _labelled(scenarios: Iterable[Scenario]) -> list[tuple[str, Wordings]]:
    return [(f"{one.name}: {place}", wordings) for one in scenarios for place, wordings in one.short_texts()]


def check_split(wordings: Iterable[tuple[str, Wordings]]) -> None:
    """Refuse an 8-word sequence in both a train and a held-out wording; each comes with its place."""
    wordings = list(wordings)
    train: dict[tuple[str, ...], str] = {}
    for place, texts in wordings:
        for text in texts.train:
            train.update(dict.fromkeys(sequences(text, SHARED_SEQUENCE), place))
    for place, texts in wordings:
        for text in texts.heldout:
            for sequence in sequences(text, SHARED_SEQUENCE):
                if sequence in train:
                    raise ScenarioError(
                        f"{place} (heldout) and {train[sequence]} (train) share {' '.join(sequence)!r}"
                    )
