"""People in several systems: their names in parts, and what speaks for two records being one person.

Points: the e-mail address 60, the licence number 60, the phone number 45, the name 45 (35 with a slip, 15 where half of
it is shared, only beside something else); off go two names that share nothing and two licence numbers. Addresses and
phones are lent, so that a phone beside two other names says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from app.identity.words import NEARLY, folded, overlap

_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "dr", "alh", "alhaji", "haj", "hajia", "mal", "mallam", "malam", "engr"}
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_DIGITS_OF_A_PHONE = 10
"""Of a Nigerian number, without the country's 234 or the 0 that stands for it."""
_FULL_NAME = 2
EMAIL_POINTS, LICENCE_POINTS, PHONE_POINTS = 60, 60, 45


@dataclass(frozen=True, slots=True)
class PersonName:
    """``words`` without titles, in no order: systems put the family name first or last."""

    words: frozenset[str]
    numbers: tuple[int, ...] = ()

    @property
    def key(self) -> frozenset[str]:
        return self.words


@dataclass(frozen=True, slots=True)
class Likeness:
    """``is_same`` in what only one person has: the address or the licence. ``names_agree``: every word is the same."""

    points: int
    how: str
    reasons: tuple[str, ...]
    is_same: bool = False
    names_agree: bool = False


@lru_cache(maxsize=4_096)
def parse_person(name: str) -> PersonName:
    return PersonName(frozenset(_WORD.findall(folded(name))) - _TITLES)


def email_key(email: str) -> str:
    """An address as it is compared; "" for what is none."""
    address = email.strip().casefold()
    return address if "@" in address else ""


def phone_key(phone: str) -> str:
    """The digits by which a phone is known whichever way it is written; "" for what is too short for one."""
    digits = "".join(char for char in phone if char.isascii() and char.isdigit())
    return digits[-_DIGITS_OF_A_PHONE:] if len(digits) >= _DIGITS_OF_A_PHONE else ""


def compare_people(
    names: tuple[PersonName, PersonName],
    emails: tuple[str, str],
    phones: tuple[str, str],
    licences: tuple[str, str],
) -> Likeness | None:
    """What speaks for one person behind two records, None where nothing does. All but the names are keys."""
    points, how, reasons = 0, "", []
    for what, both, worth, said in (
        ("email", emails, EMAIL_POINTS, "The e-mail address is the same"),
        ("code", licences, LICENCE_POINTS, "The licence number is the same"),
        ("phone", phones, PHONE_POINTS, "The phone number is the same"),
    ):
        if both[0] and both[0] == both[1]:
            points, how = points + worth, how or what
            reasons.append(f"{said}: {both[0]}." if what == "email" else f"{said}.")
    for_name, words = _name_points(*names)
    if for_name < 0 and how in ("phone", ""):
        return None
    if not points and (for_name < PHONE_POINTS or len(names[0].words) < _FULL_NAME):
        return None  # a first name alone, or half of a name, is shared by many
    points, how = points + for_name, how or "name"
    if words:
        reasons.append(words)
    if licences[0] and licences[1] and licences[0] != licences[1]:
        points -= 25
        reasons.append("Against it: the licence numbers differ.")
    is_same = any(one and one == other for one, other in (emails, licences))
    agree = bool(names[0].words) and names[0].words == names[1].words
    return Likeness(max(0, min(100, points)), how, tuple(reasons), is_same, agree)


def _name_points(one: PersonName, other: PersonName) -> tuple[int, str]:
    if not one.words or not other.words:
        return 0, "Only one has a name." if one.words or other.words else ""
    if one.words == other.words:
        return 45, "The name is the same."
    shared = overlap(one.words, other.words)
    if shared >= NEARLY:
        return 35, "The names are the same but for a slip of the pen."
    if shared >= 0.5 or one.words < other.words or other.words < one.words:
        return 15, "The names share most of their words."
    return (5, "The names share a word.") if shared else (-25, "Against it: the names share nothing.")
