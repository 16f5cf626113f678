"""What speaks for two records being the same, as a score of 100 and in sentences.

Points: the code 40 (35 where it only means the same), the trade item number 40, the name 60 (45 with a slip, 15 where
half of it is shared), the place up to 35; off go what one side leaves open, another zone, and a rival that fits as
well.
A strength, form, number or kind of house that differs forbids the pair whatever else agrees.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.fleet.geo import distance_m
from app.identity.kinds import Known
from app.identity.medicines import Comparison, Medicine, compare_medicines, parse_medicine
from app.identity.people import PersonName, compare_people, email_key, parse_person, phone_key
from app.identity.places import PlaceName, compare_places, parse_place
from app.identity.words import NEARLY, normal_code

SHOWN = 40
"""From here on a pair is suggested."""
LIKELY = 60
SURE = 85
RIVAL_COSTS = 15
FAR_M = 25_000.0
"""Two houses this far apart are not one, however they are called: both systems would have to be wrong."""
DEFAULT_WITHIN_M = 300.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A record with its parts, made once: ``name`` by its kind, ``code`` normalised. ``at`` numbers it."""

    at: int
    known: Known
    code: str
    name: Medicine | PlaceName | PersonName


@dataclass(frozen=True, slots=True)
class Evidence:
    """``how`` is the strongest of code, gtin, email, phone, name and place.

    ``names_agree``: equal words and nothing left open.
    """

    score: int
    how: str
    reasons: tuple[str, ...]
    codes_equal: bool = False
    names_agree: bool = False


def subject(kind: str, at: int, record: Known) -> Subject:
    """The parts of a record. Vehicles are compared by plate alone: their names are nicknames."""
    if kind == "item":
        name = parse_medicine(record.name)
        if not name.forms and record.detail:  # the unit that is counted names the form as well
            name = replace(name, forms=parse_medicine(record.detail).forms)
        return Subject(at, record, normal_code(record.code), name)
    if kind == "driver":
        return Subject(at, record, normal_code(record.code), parse_person(record.name))
    return Subject(at, record, normal_code(record.code), parse_place("" if kind == "vehicle" else record.name))


def compare(kind: str, one: Subject, other: Subject, within_m: float) -> Evidence | None:
    """The evidence, None where something forbids the pair or nothing speaks for it."""
    if isinstance(one.name, PersonName) and isinstance(other.name, PersonName):
        return _people(one, other, one.name, other.name)
    a, b = one.known, other.known
    points, how, reasons = 0, "", []
    codes = bool(one.code) and one.code == other.code
    codes_equal = codes and a.code.strip().casefold() == b.code.strip().casefold()
    if codes:
        points, how = (40, "code") if codes_equal else (35, "code")
        reasons.append(
            f"The code is the same: {a.code}." if codes_equal else f"The codes mean the same: {a.code} and {b.code}."
        )
    if kind == "vehicle":
        return Evidence(95, "code", tuple(reasons), codes_equal, True) if codes else None
    if a.gtin and a.gtin == b.gtin:
        points, how = points + 40, how or "gtin"
        reasons.append(f"The trade item number (GTIN) is the same: {a.gtin}.")
    names = _names(one, other)
    if names.against:
        return None
    for_name, words = _name_points(a, b, names)
    if points and not for_name and a.name and b.name:
        return None  # small codes are given out everywhere: alone they say nothing against two other names
    lost = sum(cost for _why, cost in names.gaps)
    if for_name:
        points, how = points + for_name, how or "name"
        reasons.append(words)
    apart = _apart(a, b)
    if apart is not None:
        if apart > FAR_M:
            return None
        if apart <= within_m and for_name:
            points, how = points + round(35 - 15 * apart / within_m), how or "place"
            reasons.append(f"They are {_metres(apart)} apart.")
        elif apart > max(2_000.0, within_m):
            points -= 20
            reasons.append(f"Against it: they are {_metres(apart)} apart.")
    if not how:
        return None
    if a.zone and b.zone:
        same_zone = parse_place(a.zone).words & parse_place(b.zone).words
        points += 5 if same_zone else -8
        reasons.append(f"Both lie in {a.zone}." if same_zone else f"Against it: {a.zone} is not {b.zone}.")
    if names.gaps and for_name:
        points -= lost
        reasons.append(f"Left open: {'; '.join(why for why, _cost in names.gaps)}.")
    agree = names.same == 1.0 and bool(a.name and b.name) and lost <= 5
    return Evidence(max(0, min(100, points)), how, tuple(reasons), codes_equal, agree)


def strength_word(score: int) -> str:
    """``sure``, ``likely`` or ``possible``."""
    return "sure" if score >= SURE else "likely" if score >= LIKELY else "possible"


def _people(one: Subject, other: Subject, name: PersonName, other_name: PersonName) -> Evidence | None:
    a, b = one.known, other.known
    found = compare_people(
        (name, other_name),
        (email_key(a.email), email_key(b.email)),
        (phone_key(a.phone), phone_key(b.phone)),
        (one.code, other.code),
    )
    if found is None:
        return None
    return Evidence(found.points, found.how, found.reasons, found.is_same, found.names_agree)


def _names(one: Subject, other: Subject) -> Comparison:
    if isinstance(one.name, Medicine) and isinstance(other.name, Medicine):
        return compare_medicines(one.name, other.name)
    if isinstance(one.name, PlaceName) and isinstance(other.name, PlaceName):
        return compare_places(one.name, other.name)
    raise TypeError("subjects of different kinds")


def _name_points(a: Known, b: Known, names: Comparison) -> tuple[int, str]:
    if not a.name or not b.name:
        return (5, "Only one has a name.") if names.same == 0 else (0, "")
    if names.same == 1.0:
        if a.name.casefold() == b.name.casefold():
            return 60, "The name is the same."
        return 60, "The names mean the same."
    if names.same >= NEARLY:
        return 45, "The names are the same but for a slip of the pen."
    if names.same >= 0.5:
        return 15, "The names share most of their words."
    return 0, ""


def _apart(a: Known, b: Known) -> float | None:
    if a.lat is None or a.lon is None or b.lat is None or b.lon is None:
        return None
    return distance_m(a.lat, a.lon, b.lat, b.lon)


def _metres(metres: float) -> str:
    return f"{metres:.0f} m" if metres < 1_000 else f"{metres / 1_000:.1f} km"
