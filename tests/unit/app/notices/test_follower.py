"""One message for each change, none twice, none lost, none of what was before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from adapters.supply import Facility, Shipment
from app.catalogue import Catalogue
from app.integrations.changes import Desk, add, remove
from app.notices import follower
from app.notices.follower import NoticeFollower, queue_notices
from app.notices.kinds import KINDS
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import OutboxItem
from tests.helpers.fleet import T0_MS
from tests.helpers.supply import SupplyFeed, make_supply_feed

CATALOGUE = Catalogue.load()
SECRET = {"secret": "a secret of a receiver in a test"}


@pytest.fixture
def feed(store: Store) -> SupplyFeed:
    made = make_supply_feed(store)
    made(Facility("d", "SCMS", "Central store", "store", is_ours=True), Facility("c", "KUJ", "Kuje General Hospital"))
    return made


def receiver(store: Store, number: int = 1, **config: Any) -> str:
    values = {"url": f"http://127.0.0.1:{number}/hooks", **config}
    return add(Desk(store, CATALOGUE, MemoryVault()), "webhook_sender", f"ERP {number}", values, SECRET)


def ship(feed: SupplyFeed, number: str, stage: Any) -> None:
    feed(Shipment(number, number, "outbound", stage.upper(), stage, "d", "c", shipped_ms=T0_MS, lines=()))


def follow(store: Store) -> None:
    made = NoticeFollower()
    while made.step(store, T0_MS) == 0.0:
        pass


def messages(store: Store, integration_id: str = "") -> list[dict[str, Any]]:
    query = select(OutboxItem.values, OutboxItem.integration_id).order_by(OutboxItem.seq)
    with store.read() as connection:
        rows = connection.execute(query).all()
    return [json.loads(row[0]["body"]) for row in rows if integration_id in ("", row.integration_id)]


def test_each_change_is_told_once_from_the_beginning_of_the_receiver_on(store: Store, feed: SupplyFeed) -> None:
    ship(feed, "1", "picked")
    receiver(store)
    follow(store)
    assert messages(store) == [], "what was before it is not told"
    ship(feed, "1", "shipped")
    ship(feed, "2", "new")
    follow(store)
    follow(store)
    told = messages(store)
    assert [(one["type"], one["data"]["number"], one["data"]["stage"]) for one in told] == [
        ("shipment.changed", "1", "shipped"),
        ("shipment.changed", "2", "new"),
    ]
    assert told[0]["data"]["receiver"] == {"id": "c", "code": "KUJ", "name": "Kuje General Hospital"}
    assert told[0]["data"]["shipped_at"].endswith("Z")
    ship(feed, "2", "new")  # comes again unchanged
    follow(store)
    assert len(messages(store)) == 2


def test_receivers_have_cursors_of_their_own_and_what_is_switched_off_is_not_told(
    store: Store, feed: SupplyFeed
) -> None:
    first, second = receiver(store), receiver(store, 2, tells_shipments=False)
    follow(store)
    ship(feed, "1", "shipped")
    third = receiver(store, 3)
    follow(store)
    assert [len(messages(store, one)) for one in (first, second, third)] == [1, 0, 0]


def test_pages_leave_nothing_out_where_many_changed_at_once(
    store: Store, feed: SupplyFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PAGE", 7)
    receiver(store)
    follow(store)
    feed(*(Shipment(f"s{n}", f"{n}", "outbound", "NEW", "new", "d", "c", lines=()) for n in range(40)))
    follow(store)
    assert sorted(int(one["data"]["number"]) for one in messages(store)) == list(range(40))


def test_messages_and_cursor_are_one_commit(store: Store, feed: SupplyFeed) -> None:
    integration_id = receiver(store)
    follow(store)
    ship(feed, "1", "shipped")
    kind = KINDS[0]

    def cut_short(connection: Any) -> None:
        assert queue_notices(connection, integration_id, kind, T0_MS) == 1
        raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError):
        store.write(cut_short).result()
    assert messages(store) == []
    follow(store)
    assert len(messages(store)) == 1


def test_a_receiver_that_takes_nothing_does_not_fill_the_store(
    store: Store, feed: SupplyFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "MOST_WAITING", 5)
    receiver(store)
    follow(store)
    feed(*(Shipment(f"s{n}", f"{n}", "outbound", "NEW", "new", "d", "c", lines=()) for n in range(12)))
    NoticeFollower().step(store, T0_MS)
    NoticeFollower().step(store, T0_MS)
    assert len(messages(store)) == 5
    monkeypatch.setattr(follower, "MOST_WAITING", 50)
    follow(store)
    assert len({one["data"]["number"] for one in messages(store)}) == 12


def test_a_removed_receiver_is_told_nothing(store: Store, feed: SupplyFeed) -> None:
    integration_id = receiver(store)
    follow(store)
    remove(Desk(store, CATALOGUE, MemoryVault()), integration_id)
    ship(feed, "1", "shipped")
    follow(store)
    assert messages(store) == []
