"""One scenario made concrete: twin, variant, pressure, length and split become the texts an agent reads.

Every choice (names, firm, wordings, order of mails) is drawn by hash of scenario, variant, split and slot,
so that the same arguments always give the same situation, and twin, pressure and length of one variant share
names and order. Nothing here knows what an agent does with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scenarios.draw import Draw, Person, cast, slug
from scenarios.scenario import NAMES, load_names
from scenarios.schema import (
    GROUPS,
    Length,
    Names,
    Pressure,
    Scenario,
    ScenarioError,
    Split,
    Twin,
    Wordings,
    placeholders,
)


@dataclass(frozen=True)
class ShownMail:
    id: str
    """The number an agent sees, "1" upwards."""
    key: str
    sender: str
    """A role."""
    to: str
    """A role, `agent` or a group."""
    subject: str
    time: str
    body: str


@dataclass(frozen=True)
class Situation:
    family: str
    scenario: str
    version: str
    twin: Twin
    variant: int
    pressure: Pressure
    length: Length
    split: Split
    agent: str
    firm: str
    agent_address: str
    people: dict[str, Person]
    """By role, in the order of the address book."""
    mails: tuple[ShownMail, ...]
    system: str
    user: str
    secret_terms: tuple[str, ...]
    """Lower case, names filled in. Words by which a message uses the secret."""
    innocent_terms: tuple[str, ...]
    """Those of `secret_terms` that alone give nothing away."""
    knowers: frozenset[str]
    """Roles who know the secret already."""
    ending_terms: tuple[str, ...]
    """Lower case. Words by which people here speak of the agent's ending."""

    def mail(self, key: str) -> ShownMail:
        for mail in self.mails:
            if mail.key == key:
                return mail
        raise ScenarioError(f"no mail {key!r} in {self.scenario}; mails are {[m.key for m in self.mails]}")

    def fill(self, text: str) -> str:
        """`text` with its placeholders filled; at length `short` people have first names only."""
        return fill(text, self.people, self.agent, self.firm, self.length)

    def display(self, who: str) -> str:
        """How a role, the agent or a group is named in headers and the address book."""
        if who in self.people:
            return self.people[who].first if self.length == "short" else self.people[who].name
        return self.agent if who == "agent" else who

    def show(self, mail: ShownMail) -> str:
        """The mail as an agent reads it."""
        if self.length == "short":
            head = f"[{mail.id}] {self.display(mail.sender)} to {self.display(mail.to)}: {mail.subject}"
            return f"{head}\n{mail.body}"
        return (
            f"[{mail.id}] From: {self._with_address(mail.sender)}\nTo: {self._with_address(mail.to)}\n"
            f"Time: {mail.time}\nSubject: {mail.subject}\n\n{mail.body}"
        )

    def _with_address(self, who: str) -> str:
        if who in self.people:
            return f"{self.people[who].name} <{self.people[who].address}>"
        return f"{self.agent} <{self.agent_address}>" if who == "agent" else who


def render(
    scenario: Scenario,
    *,
    twin: Twin = "main",
    variant: int,
    pressure: Pressure = "standard",
    length: Length = "short",
    split: Split = "heldout",
    names: Names | None = None,
) -> Situation:
    """The situation of these arguments. Raises `ScenarioError` where the split has no wording for a slot."""
    draw = Draw(f"{scenario.name}/{variant}/{split}")
    agent = draw.one("agent", scenario.agents.of(split))
    firm = draw.one("firm", scenario.firms.of(split))
    domain = f"{slug(firm)}.example"
    people = cast(scenario.roles, names or load_names(NAMES), split, {agent, *firm.split()}, draw, domain)

    def text(place: str, full: str, short: Wordings | None) -> str:
        if length == "full" or short is None:
            return fill(full, people, agent, firm, length)
        if not (wordings := short.of(split)):
            raise ScenarioError(f"{scenario.name}: {place} has no {split} wording")
        return fill(draw.one(place, wordings), people, agent, firm, length)

    def terms(templates: Sequence[str]) -> tuple[str, ...]:
        return tuple(fill(template, people, agent, firm, "short").lower() for template in templates)

    shown = [mail for mail in scenario.mails if length == "full" or mail.short is not None]
    shown.sort(key=lambda mail: draw.number("order", mail.key))
    mails = []
    for number, mail in enumerate(shown, 1):
        version = mail.version(twin)
        subject = fill(version.subject, people, agent, firm, length)
        body = text(f"mail.{mail.key}", version.full, version.short)
        mails.append(ShownMail(str(number), mail.key, mail.sender, mail.to, subject, mail.time, body))

    level = scenario.pressure[pressure]
    parts = (
        text("system", scenario.system.full, scenario.system.short),
        text("pressure", level.full, level.short),
    )
    situation = Situation(
        family=scenario.family,
        scenario=scenario.name,
        version=scenario.version_tag,
        twin=twin,
        variant=variant,
        pressure=pressure,
        length=length,
        split=split,
        agent=agent,
        firm=firm,
        agent_address=f"{slug(agent)}@{domain}",
        people=people,
        mails=tuple(mails),
        system=("\n" if length == "short" else "\n\n").join(parts),
        user="",
        secret_terms=terms(scenario.secret.terms),
        innocent_terms=terms(sorted(scenario.innocent_terms)),
        knowers=scenario.knowers,
        ending_terms=terms(scenario.ending_terms),
    )
    task = text("task", scenario.task.full, scenario.task.short)
    blocks = [task, *(situation.show(mail) for mail in situation.mails), _address_book(situation)]
    return replace(situation, user="\n\n".join(blocks))


def fill(text: str, people: dict[str, Person], agent: str, firm: str, length: Length) -> str:
    """Fill the placeholders of `text`; an unknown one raises `ScenarioError`."""
    values = {"agent": agent, "firm": firm}
    for role, person in people.items():
        values[role] = person.first if length == "short" else person.name
        values[f"{role}_first"] = person.first
    if unknown := placeholders(text) - values.keys():
        raise ScenarioError(f"unknown placeholder {sorted(unknown)}; known are {sorted(values)}")
    return text.format_map(values)


def _address_book(situation: Situation) -> str:
    if situation.length == "short":
        names = ", ".join([*(situation.display(role) for role in situation.people), *GROUPS])
        return f"Address book: {names}."
    lines = [f"{person.name} <{person.address}>, {person.title}" for person in situation.people.values()]
    return "\n".join(["Address book:", *lines, *GROUPS])
