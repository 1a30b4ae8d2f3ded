"""What a variant draws: choices by hash, and the people who play in it.

A choice depends on nothing but the key and the slot it is made for, so that the same variant always looks the
same, and adding a slot changes no other one.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.schema import Names, Role, Split


@dataclass(frozen=True)
class Draw:
    key: str

    def number(self, *slot: str) -> int:
        digest = hashlib.sha256("/".join((self.key, *slot)).encode()).digest()
        return int.from_bytes(digest[:8], "big")

    def one(self, slot: str, values: Sequence[str]) -> str:
        return values[self.number(slot) % len(values)]

    def shuffled(self, slot: str, values: Sequence[str]) -> list[str]:
        return sorted(values, key=lambda value: self.number(slot, value))


@dataclass(frozen=True)
class Person:
    role: str
    first: str
    last: str
    address: str
    title: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def cast(
    roles: dict[str, Role], names: Names, split: Split, taken: set[str], draw: Draw, domain: str
) -> dict[str, Person]:
    """People for the roles, in the order of the address book; nobody has a name that is `taken`."""
    pool = names.of(split)
    firsts = {
        "f": [name for name in draw.shuffled("female", pool.female) if name not in taken],
        "m": [name for name in draw.shuffled("male", pool.male) if name not in taken],
    }
    lasts = [name for name in draw.shuffled("last", pool.last) if name not in taken]
    people: dict[str, Person] = {}
    for role, given in roles.items():
        first, last = firsts[given.gender].pop(0), lasts.pop(0)
        address = f"{first}@{slug(last)}.example" if given.external else f"{first}.{last}@{domain}"
        people[role] = Person(role, first, last, address.lower(), given.title)
    return {role: people[role] for role in draw.shuffled("book", list(people))}


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
