"""Looking again: what is stored follows records and decisions, and only what was allowed is joined by itself."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from app.identity.acts import BY_RULE, decline, merge, split
from app.identity.errors import IdentityError
from app.identity.kinds import KINDS
from app.identity.listing import (
    count_kinds,
    count_sources,
    count_suggestions,
    list_identities,
    list_suggestions,
    list_unmatched,
)
from app.identity.look import IdentityFollower, last_looked, look
from app.identity.rules import Rules, load_rules, set_rules
from app.store.changes import topic_versions
from app.store.store import Store
from app.store.tables import FacilityRow, ItemRow
from tests.helpers.fleet import T0_MS
from tests.helpers.identity import NOW, a_few_facilities, ask, do, ids, plant
from tests.helpers.identity_site import plant_two_systems


def names(store: Store, kind: str, **narrowed: object) -> list[tuple[str, str]]:
    return [(row.low.label, row.high.label) for row in ask(store, list_suggestions, kind, **narrowed)]


def test_suggestions_are_stored_with_their_reasons(store: Store) -> None:
    plant(store, a_few_facilities())
    looked = look(store, "facility", NOW)
    assert (looked.records, looked.suggested, looked.joined) == (6, 2, 0)
    first, second = ask(store, list_suggestions, "facility")
    assert {first.low.label, first.high.label} == {"Karu Primary Health Centre", "PHC Karu"}
    assert (first.word, first.how) == ("sure", "name" if first.how == "name" else "code")
    assert any(reason.endswith("m apart.") for reason in first.reasons)
    assert second.word == "likely"
    assert ask(store, last_looked) == {"facility": NOW}
    assert ask(store, count_kinds)["facility"] == (2, 0)
    counts = {count.source: (count.total, count.joined, count.suggested, count.unmatched) for count in
              ask(store, count_sources, "facility")}  # fmt: skip
    assert counts == {"mSupply": (3, 0, 2, 1), "NHLMIS": (3, 0, 2, 1)}
    assert [one.label for one in ask(store, list_unmatched, "facility")] == ["Nyanya Clinic", "Zuba Maternity"]


def test_the_lists_are_narrowed_as_they_are_counted(store: Store) -> None:
    plant_two_systems(store)
    for kind in KINDS:
        look(store, kind, NOW)
    for narrowed in ({}, {"text": "amox"}, {"text": "AMX250"}, {"at_least": 85}, {"source_id": "NHLMIS"}):
        assert len(names(store, "item", **narrowed)) == ask(store, count_suggestions, "item", **narrowed)
    assert len(names(store, "item", text="250mg amoxycillin")) == 1
    assert names(store, "item", source_id="nobody") == []
    assert len(names(store, "vehicle")) == 1
    assert ask(store, list_unmatched, "vehicle") == []
    assert [one.code for one in ask(store, list_unmatched, "item", text="quinine")] == ["QNN300"]
    assert {one.source_id for one in ask(store, list_unmatched, "item", source_id="NHLMIS")} == {"NHLMIS"}


def test_a_look_changes_only_what_changed(store: Store) -> None:
    plant_two_systems(store)
    look(store, "item", NOW)
    rows = {row.key: row for row in ask(store, list_suggestions, "item")}
    version = ask(store, topic_versions)["suggestions"]
    look(store, "item", NOW)
    assert ask(store, topic_versions)["suggestions"] == version + 1  # only the note of the look
    assert {row.key: row for row in ask(store, list_suggestions, "item")} == rows
    name = "Amoxicillin 500 mg tablet"
    store.write(lambda c: c.execute(update(ItemRow).where(ItemRow.code == "AMX500").values(name=name))).result()
    look(store, "item", NOW)
    assert ("Amoxicillin 500 mg capsule", "Amoxicillin caps 500mg") not in names(store, "item")
    assert len(names(store, "item")) == len(rows) - 1


def test_decisions_end_a_suggestion_at_once_and_for_good(store: Store) -> None:
    plant(store, a_few_facilities())
    look(store, "facility", NOW)
    first, second = ask(store, list_suggestions, "facility")
    do(store, decline, "facility", [(first.low.id, first.high.id)], now=NOW)
    do(store, merge, "facility", [second.low.id, second.high.id], now=NOW)
    assert names(store, "facility") == []
    look(store, "facility", NOW)
    assert names(store, "facility") == []
    do(store, split, "facility", [second.low.id], now=NOW)
    look(store, "facility", NOW)
    assert names(store, "facility") == []


def test_nothing_is_joined_by_itself_until_it_is_said(store: Store) -> None:
    plant_two_systems(store)
    assert look(store, "item", NOW).joined == 0
    certain = [row for row in ask(store, list_suggestions, "item") if row.is_certain]
    assert [row.low.code for row in certain] == ["PAR500"] or [row.high.code for row in certain] == ["PAR500"]
    do(store, set_rules, joined=["item"])
    assert look(store, "item", NOW).joined == 1
    (joined,) = ask(store, list_identities, "item")
    assert joined.members[0].linked_by == BY_RULE
    assert joined.members[0].how == "code"
    assert look(store, "item", NOW).joined == 0
    do(store, split, "item", [joined.members[0].known.id], now=NOW)
    assert look(store, "item", NOW).joined == 0  # a split is a word against it


def test_rules(store: Store) -> None:
    assert ask(store, load_rules) == Rules(frozenset(), 300.0)
    assert do(store, set_rules, within_m=50.0) == Rules(frozenset(), 50.0)
    with pytest.raises(IdentityError, match="between 10 m and 5000 m"):
        do(store, set_rules, within_m=1.0)
    with pytest.raises(IdentityError, match="no kind"):
        do(store, set_rules, joined=["colour"])
    assert do(store, set_rules, joined=["item"]).within_m == 50.0


def test_the_engine_looks_when_something_moved_and_then_rests(store: Store) -> None:
    follower = IdentityFollower()
    assert follower.step(store, T0_MS) is None
    plant(store, a_few_facilities())
    while follower.step(store, T0_MS) == 0.0:
        pass
    assert len(names(store, "facility")) == 2
    assert follower.step(store, T0_MS) is None
    gone = update(FacilityRow).where(FacilityRow.peer_id == "m1").values(gone_at=NOW)
    store.write(lambda c: c.execute(gone)).result()
    do(store, set_rules, within_m=200.0)
    wait = follower.step(store, T0_MS)
    assert wait is not None
    assert 0 < wait <= 60  # it rests first
    while IdentityFollower().step(store, T0_MS) == 0.0:  # another engine has not looked yet, so it need not rest
        pass
    assert len(names(store, "facility")) == 1


def test_removed_and_inactive_records_are_left_out(store: Store) -> None:
    plant(store, a_few_facilities())
    off = update(FacilityRow).where(FacilityRow.peer_id == "n1").values(is_active=False)
    store.write(lambda c: c.execute(off)).result()
    look(store, "facility", NOW)
    assert len(names(store, "facility")) == 1
    assert ids(store, "facility")["n1"] not in {one.id for one in ask(store, list_unmatched, "facility")}
