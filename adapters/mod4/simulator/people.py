"""Who works at the simulated platform: names made up, one row per person, in every state that a link can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Standing = Literal["active", "direct", "suspended", "revoked", "unlinked", "invited"]
"""Linked by a code, linked by an administrator, suspended, revoked, a driver without an account, an account that took
an invitation and has no driver."""

STANDINGS: Final[Sequence[Standing]] = (
    "active", "active", "active", "active", "active", "active", "active", "direct", "suspended", "revoked", "unlinked",
    "invited",
)  # fmt: skip
"""Of the first twelve; further drivers are active."""

_GIVEN: Final = (
    "Musa", "Chinedu", "Aisha", "Tunde", "Emeka", "Hauwa", "Sani", "Ngozi", "Bashir", "Femi", "Zainab", "Ibrahim",
    "Kelechi", "Yakubu", "Amina", "Segun",
)  # fmt: skip
_FAMILY: Final = (
    "Abdullahi", "Okafor", "Bello", "Adeyemi", "Eze", "Danjuma", "Lawal", "Nwosu", "Garba", "Balogun", "Yusuf",
    "Okonkwo", "Shehu",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class User:
    """An account of the platform."""

    id: str
    email: str
    name: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A driver with both ids: ``driver_id`` of the dispatch record, ``user.id`` of the login; each may be missing."""

    name: str
    phone: str
    email: str
    standing: Standing
    driver_id: str | None
    user: User | None
    plate: str = ""

    @property
    def works(self) -> bool:
        """Whether this driver can take a batch in the app."""
        return self.standing in ("active", "direct")


@dataclass(frozen=True, slots=True)
class Crew:
    """Everybody of a workspace: ``staff`` are those who are no drivers, the first of them its owner."""

    staff: tuple[User, ...]
    drivers: tuple[Person, ...] = field(default=())


def name_of(number: int) -> str:
    """A person's name; no two of the first two hundred are the same."""
    return f"{_GIVEN[number % len(_GIVEN)]} {_FAMILY[(number * 5 + number // len(_GIVEN)) % len(_FAMILY)]}"


def phone_of(number: int) -> str:
    return f"+23480355{number:05d}"


def standing_of(number: int) -> Standing:
    return STANDINGS[number] if number < len(STANDINGS) else "active"
