"""Drivers of several platforms: found by address, phone, licence and name, joined, listed and split like the others."""

from __future__ import annotations

import pytest

from app.identity.acts import merge, split
from app.identity.kinds import Known, find_records
from app.identity.listing import count_sources, list_identities, list_suggestions, list_unmatched
from app.identity.look import look
from app.identity.lookup import same_as
from app.identity.people import email_key, parse_person, phone_key
from app.identity.suggest import Suggestion, find_suggestions
from app.store.store import Store
from tests.helpers.dispatch import a_driver
from tests.helpers.fleet import add_integration
from tests.helpers.identity import NOW, ask, do, ids
from tests.helpers.supply import SupplyFeed


def driver(key: str, name: str, *, source: str = "", licence: str = "", email: str = "", phone: str = "") -> Known:
    source = source or key
    return Known(key, source, source, key, licence, name, email or phone, email=email, phone=phone)


def pair(one: Known, other: Known) -> Suggestion | None:
    found = find_suggestions("driver", [one, other])
    return found[0] if found else None


@pytest.mark.parametrize(
    ("one", "other", "least", "how"),
    [
        ({"email": "Musa@Example.org"}, {"email": "musa@example.org "}, 85, "email"),
        ({"phone": "0803 555 0101"}, {"phone": "+234-803-555-0101"}, 85, "phone"),
        ({"licence": "KAN-0012 A"}, {"licence": "kan12a"}, 85, "code"),
        ({}, {}, 40, "name"),
    ],
)
def test_what_one_person_has_in_both_is_the_reason(
    one: dict[str, str], other: dict[str, str], least: int, how: str
) -> None:
    found = pair(driver("a", "Musa Bello", **one), driver("b", "BELLO, Alhaji Musa", **other))
    assert found is not None
    assert (found.score >= least, found.evidence.how) == (True, how)
    assert found.evidence.reasons[-1] == "The name is the same."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (driver("a", "Musa"), driver("b", "Musa")),  # a first name
        (driver("a", "Musa Bello", phone="08035550101"), driver("b", "Ada Obi", phone="08035550101")),  # lent
        (driver("a", "Musa Bello"), driver("b", "Musa Danladi")),
        (driver("a", "Musa Bello", licence="K1"), driver("b", "Musa Bello", licence="K2")),
        (driver("a", "Musa Bello", phone="0803"), driver("b", "Ada Obi", phone="0803")),  # no number
        (driver("a", "", email="none"), driver("b", "", email="none")),
        (driver("a", "Musa Bello", email="depot@x.ng"), driver("b", "Ada Obi", email="depot@x.ng")),  # shared mailbox
    ],
)
def test_too_little_is_no_suggestion(one: Known, other: Known) -> None:
    assert pair(one, other) is None


def test_by_the_rule_only_who_has_the_same_address_and_name() -> None:
    same = pair(driver("a", "Musa Bello", email="m@x.ng"), driver("b", "Bello Musa", email="m@x.ng"))
    assert same is not None
    assert same.is_certain
    by_phone = pair(driver("a", "Musa Bello", phone="08035550101"), driver("b", "Bello Musa", phone="08035550101"))
    assert by_phone is not None
    assert not by_phone.is_certain


def test_two_records_on_one_platform_are_suggested_too() -> None:
    one, other = (driver(key, "Musa Bello", source="mod4", phone="08035550101") for key in "ab")
    assert pair(one, other) is not None


def test_names_and_contacts_are_compared_as_people_write_them() -> None:
    assert parse_person("Alh. Músa  BELLO-Sani") == parse_person("bello sani musa")
    assert (email_key(" A@B.ng "), email_key("none")) == ("a@b.ng", "")
    assert (phone_key("+234 (0) 803 555 0101"), phone_key("12")) == ("8035550101", "")


def test_drivers_of_two_platforms_are_matched_joined_and_split_in_the_store(store: Store) -> None:
    north = SupplyFeed(store, add_integration(store, "North", "mod4"))
    south = SupplyFeed(store, add_integration(store, "South", "mod4"))
    north(a_driver("n1", name="Musa Bello", email="musa@x.ng"), a_driver("n2", name="Ada Obi"))
    south(a_driver("s1", name="Bello Musa", email="musa@x.ng", licence_number="KAN-77"))
    assert look(store, "driver", NOW).suggested == 1
    (found,) = ask(store, list_suggestions, "driver", text="kan-77")
    assert {found.low.source, found.high.source} == {"North", "South"}
    assert found.word == "sure"
    assert [one.label for one in ask(store, list_unmatched, "driver")] == ["Ada Obi"]
    assert [one.peer_id for one in ask(store, find_records, "driver", "KAN-77")] == ["s1"]
    known = ids(store, "driver")
    do(store, merge, "driver", [known["n1"], known["s1"]], now=NOW)
    assert ask(store, same_as, "driver", known["n1"]) == sorted([known["n1"], known["s1"]])
    assert [one.name for one in ask(store, list_identities, "driver", text="77")]
    assert {one.source: one.joined for one in ask(store, count_sources, "driver")} == {"North": 1, "South": 1}
    do(store, split, "driver", [known["s1"]], now=NOW)
    assert ask(store, same_as, "driver", known["n1"]) == [known["n1"]]
