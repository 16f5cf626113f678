"""Merging supply records: what is new, changed, unchanged, gone, refused; on both databases."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from adapters.records import Rejected
from adapters.supply import FullRead, Gone, Period, Program, StreamRead
from app.clock import from_ms
from app.store.changes import topic_versions
from app.store.errors import StoreError
from app.store.store import Store
from app.store.tables import (
    Cursor,
    FacilityRow,
    ItemRow,
    PeriodRow,
    ProgramRow,
    RejectedRecord,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
    StockLineRow,
    StreamState,
)
from tests.helpers.fleet import T0_MS, a_position, count_of, rows_of
from tests.helpers.supply import (
    SupplyFeed,
    a_facility,
    a_requisition,
    a_requisition_line,
    a_shipment,
    a_shipment_line,
    a_stock_line,
    an_item,
    make_supply_feed,
)


@pytest.fixture
def feed(store: Store) -> SupplyFeed:
    return make_supply_feed(store)


def versions(feed: SupplyFeed) -> dict[str, int]:
    with feed.store.read() as connection:
        return topic_versions(connection)


def raised(feed: SupplyFeed, *records: Any) -> set[str]:
    """The topics that storing these records raises."""
    before = versions(feed)
    feed(*records)
    return {topic for topic, version in versions(feed).items() if version != before.get(topic, 0)}


def live(feed: SupplyFeed, table: Any) -> set[str]:
    return {row.peer_id for row in rows_of(feed.store, table) if row.gone_at is None}


def wait(feed: SupplyFeed, table: Any, peer_id: str, pending: dict[str, Any]) -> None:
    change = update(table).where(table.peer_id == peer_id).values(pending=pending)
    feed.store.write(lambda connection: connection.execute(change)).result()


def test_every_kind_is_stored_as_it_was_told(feed: SupplyFeed) -> None:
    done = feed(
        a_facility(lat=9.05, lon=7.49, attributes={"type": "state store", "beds": 4}),
        Program("p-1", "MAL", "Malaria"),
        Period("2026-11", "November 2026", "2026-11-01", "2026-11-30", "Monthly"),
        an_item(programs=("p-1", "p-2")),
        a_stock_line(average_monthly_units=300.5),
        a_requisition("req-1", a_requisition_line(comment="urgent"), version="W/7"),
        a_shipment("ship-1", a_shipment_line(is_placeholder=True), requisition="req-1"),
        cursors={"items": "7"},
    )
    assert done.supply == 9
    [facility] = rows_of(feed.store, FacilityRow)
    assert (facility.name, facility.is_ours, facility.lat) == ("Store store-1", True, 9.05)
    assert facility.attributes == {"type": "state store", "beds": 4}
    assert rows_of(feed.store, ProgramRow)[0].name == "Malaria"
    assert rows_of(feed.store, PeriodRow)[0].ends_on == "2026-11-30"
    assert rows_of(feed.store, ItemRow)[0].programs == ["p-1", "p-2"]
    [line] = rows_of(feed.store, StockLineRow)
    assert (line.units, line.expires_on, line.average_monthly_units) == (1_200.0, "2027-03-31", 300.5)
    [paper] = rows_of(feed.store, RequisitionRow)
    assert (paper.stage, paper.created_ms, paper.version, paper.pending) == ("submitted", T0_MS, "W/7", None)
    [asked] = rows_of(feed.store, RequisitionLineRow)
    assert (asked.requisition, asked.requested_units, asked.approved_units) == ("req-1", 400.0, None)
    assert rows_of(feed.store, ShipmentRow)[0].requisition == "req-1"
    [sent] = rows_of(feed.store, ShipmentLineRow)
    assert (sent.shipment, sent.is_placeholder, sent.gone_at) == ("ship-1", True, None)
    assert rows_of(feed.store, Cursor)[0].value == "7"


def test_what_comes_again_unchanged_is_not_written(feed: SupplyFeed) -> None:
    records = (an_item(), a_stock_line(), a_requisition("req-1", a_requisition_line()))
    feed(*records)
    [before] = rows_of(feed.store, ItemRow)
    assert raised(feed, *records) == set()
    done = feed(*records)
    assert (done.supply, done.duplicates) == (0, 3)
    assert rows_of(feed.store, ItemRow) == [before]


def test_a_change_keeps_the_row_and_raises_its_topic_alone(feed: SupplyFeed) -> None:
    feed(an_item(), a_facility(), a_shipment())
    [before] = rows_of(feed.store, ItemRow)
    assert raised(feed, an_item(name="Amoxicillin 250 mg"), a_facility(), a_shipment()) == {"items"}
    [after] = rows_of(feed.store, ItemRow)
    assert (after.id, after.key, after.name) == (before.id, before.key, "Amoxicillin 250 mg")
    assert after.changed_version == versions(feed)["items"]


def test_a_changed_line_raises_the_topic_of_its_paper(feed: SupplyFeed) -> None:
    feed(a_shipment("ship-1", a_shipment_line()))
    assert raised(feed, a_shipment("ship-1", a_shipment_line(units=301.0))) == {"shipments"}


def test_the_order_of_attributes_is_no_change(feed: SupplyFeed) -> None:
    feed(an_item(attributes={"a": 1, "b": 2}))
    assert feed(an_item(attributes={"b": 2, "a": 1})).supply == 0


def test_of_one_id_told_twice_in_a_batch_the_last_counts(feed: SupplyFeed) -> None:
    feed(an_item(name="old"), an_item(name="new"))
    assert [row.name for row in rows_of(feed.store, ItemRow)] == ["new"]


def test_lines_that_were_not_read_stay_and_lines_that_are_missing_go(feed: SupplyFeed) -> None:
    feed(a_requisition("req-1", a_requisition_line("a"), a_requisition_line("b")))
    feed(a_requisition("req-1", status="FINALISED", lines=None))
    assert live(feed, RequisitionLineRow) == {"a", "b"}
    feed(a_requisition("req-1", a_requisition_line("b")))
    assert live(feed, RequisitionLineRow) == {"b"}
    feed(a_requisition("req-1"))
    assert live(feed, RequisitionLineRow) == set()
    feed(a_requisition("req-1", a_requisition_line("a")))
    assert live(feed, RequisitionLineRow) == {"a"}
    assert count_of(feed.store, RequisitionLineRow) == 2


def test_lines_of_two_papers_may_have_the_same_id(feed: SupplyFeed) -> None:
    feed(a_shipment("s-1", a_shipment_line("1", units=1.0)), a_shipment("s-2", a_shipment_line("1", units=2.0)))
    assert [(row.shipment, row.units) for row in rows_of(feed.store, ShipmentLineRow)] == [("s-1", 1.0), ("s-2", 2.0)]


def test_integrations_do_not_see_each_other(feed: SupplyFeed) -> None:
    other = make_supply_feed(feed.store, "openlmis-1", "openlmis")
    other.sink = feed.sink
    feed(an_item())
    other(an_item(name="theirs"))
    other(FullRead("item", "", "begins"), FullRead("item", "", "ends"))
    assert {(row.integration_id, row.gone_at is None) for row in rows_of(feed.store, ItemRow)} == {
        ("msupply-1", True),
        ("openlmis-1", False),
    }


# Gone


def test_what_the_peer_has_no_more_is_marked_and_comes_back(feed: SupplyFeed) -> None:
    feed(an_item(), an_item("item-2"))
    feed.now_ms = T0_MS + 60_000
    assert raised(feed, Gone("item", "item-1"), Gone("item", "never seen")) == {"items"}
    assert rows_of(feed.store, ItemRow)[0].gone_at == from_ms(T0_MS + 60_000)
    assert raised(feed, Gone("item", "item-1")) == set()
    assert raised(feed, an_item()) == {"items"}
    assert live(feed, ItemRow) == {"item-1", "item-2"}


def test_a_complete_reading_finds_what_is_gone(feed: SupplyFeed) -> None:
    feed(*(an_item(f"item-{n}") for n in range(5)))
    feed(FullRead("item", "", "begins"), an_item("item-0"), an_item("item-9"))
    assert live(feed, ItemRow) == {f"item-{n}" for n in (0, 1, 2, 3, 4, 9)}
    feed(an_item("item-3", name="changed"))
    feed(FullRead("item", "", "ends"))
    assert live(feed, ItemRow) == {"item-0", "item-3", "item-9"}


def test_a_complete_reading_of_one_facility_leaves_the_others(feed: SupplyFeed) -> None:
    feed(a_stock_line("a"), a_stock_line("b"), a_stock_line("c", facility="store-2"))
    feed(FullRead("stock_line", "store-1", "begins"), a_stock_line("b"), FullRead("stock_line", "store-1", "ends"))
    assert live(feed, StockLineRow) == {"b", "c"}


def test_papers_belong_to_our_side_of_them(feed: SupplyFeed) -> None:
    feed(
        a_requisition("ours", facility="store-1", supplier="x"),
        a_requisition("asked", side="response", facility="x", supplier="store-1"),
        a_requisition("other", facility="store-2", supplier="store-1"),
    )
    feed(FullRead("requisition", "store-1", "begins"), FullRead("requisition", "store-1", "ends"))
    assert live(feed, RequisitionRow) == {"other"}


def test_an_interrupted_reading_marks_nothing(feed: SupplyFeed) -> None:
    feed(an_item("a"), an_item("b"))
    feed(FullRead("item", "", "begins"), an_item("a"))
    feed.restart()
    feed(FullRead("item", "", "ends"))
    assert live(feed, ItemRow) == {"a", "b"}
    feed(FullRead("item", "", "begins"), an_item("a"))
    feed(FullRead("item", "", "begins"), an_item("b"), FullRead("item", "", "ends"))
    assert live(feed, ItemRow) == {"b"}


def test_a_reading_whose_commit_failed_marks_nothing(feed: SupplyFeed) -> None:
    feed(an_item("a"), an_item("b"))
    feed(FullRead("item", "", "begins"), an_item("a"))
    broken = feed.store.write(lambda _connection: 1 / 0, on_rollback=feed.sink.forget)
    with pytest.raises((ZeroDivisionError, StoreError)):
        broken.result()
    feed(FullRead("item", "", "ends"))
    assert live(feed, ItemRow) == {"a", "b"}


def test_a_gone_record_in_a_reading_does_not_hide_a_missing_one(feed: SupplyFeed) -> None:
    feed(an_item("a"), an_item("b"), an_item("c"))
    feed(FullRead("item", "", "begins"), an_item("a"), an_item("b"))
    feed(Gone("item", "a"))
    feed(FullRead("item", "", "ends"))
    assert live(feed, ItemRow) == {"b"}


# What cannot be kept


@pytest.mark.parametrize("units", [math.nan, math.inf, -math.inf, 1e16])
def test_an_impossible_number_is_set_aside_and_the_others_go_on(feed: SupplyFeed, units: float) -> None:
    done = feed(an_item(), a_stock_line("bad", units=units), a_stock_line("good"))
    assert done.rejected == 1
    assert live(feed, StockLineRow) == {"good"}
    [why] = rows_of(feed.store, RejectedRecord)
    assert why.record_key == "stock line bad"
    assert "Its units is" in why.why
    assert "bad" in why.sample


def test_days_that_are_none_and_ids_without_end_are_set_aside(feed: SupplyFeed) -> None:
    done = feed(a_stock_line("a", expires_on="2027-02-30"), a_stock_line(""), an_item("x" * 201), a_stock_line("z"))
    assert done.rejected == 3
    assert live(feed, StockLineRow) == {"z"}


def test_a_line_that_cannot_be_kept_stays_as_it_was(feed: SupplyFeed) -> None:
    feed(a_shipment("s", a_shipment_line("1"), a_shipment_line("2"), a_shipment_line("3")))
    done = feed(a_shipment("s", a_shipment_line("1", units=math.nan), a_shipment_line("2", units=5.0)))
    assert done.rejected == 1
    assert {(row.peer_id, row.units, row.gone_at is None) for row in rows_of(feed.store, ShipmentLineRow)} == {
        ("1", 300.0, True),
        ("2", 5.0, True),
        ("3", 300.0, False),
    }


def test_what_came_unreadably_in_a_reading_is_not_gone(feed: SupplyFeed) -> None:
    feed(an_item("a"), an_item("b"), an_item("c"))
    feed(FullRead("item", "", "begins"), an_item("a", pack_size=math.inf))
    feed(Rejected("item b", "It has no name."))
    feed(FullRead("item", "", "ends"))
    assert live(feed, ItemRow) == {"a", "b"}


def test_texts_are_made_storable(feed: SupplyFeed) -> None:
    feed(an_item("a\x00b", name="nul\x00 \ud800 " + "long" * 100, attributes={"k\x00": "v\udfff", "n": math.nan}))
    [row] = rows_of(feed.store, ItemRow)
    assert row.peer_id == "a\ufffdb"
    assert row.name.startswith("nul\ufffd ? longlong")
    assert len(row.name) == 300
    assert row.attributes == {"k\ufffd": "v?", "n": "nan"}


def test_telemetry_beside_supply_is_stored_as_well(feed: SupplyFeed) -> None:
    done = feed(an_item(), a_position())
    assert (done.supply, done.positions) == (1, 1)


# What waits to be sent


def test_a_download_never_touches_what_waits(feed: SupplyFeed) -> None:
    feed(a_requisition("req-1", a_requisition_line()))
    wait(feed, RequisitionLineRow, "rl-1", {"requested_units": 500.0})
    feed(a_requisition("req-1", a_requisition_line(requested_units=450.0, comment="less")))
    [line] = rows_of(feed.store, RequisitionLineRow)
    assert (line.requested_units, line.pending) == (450.0, {"requested_units": 500.0})
    [change] = feed.noticed
    assert (change.record, change.row_id, change.is_gone) == ("requisition_line", line.id, False)
    assert change.fields == {"requested_units": (400.0, 450.0), "comment": ("", "less")}
    feed(a_requisition("req-1", a_requisition_line(requested_units=450.0, comment="less")))
    assert len(feed.noticed) == 1


def test_a_record_that_goes_under_a_waiting_change_is_told(feed: SupplyFeed) -> None:
    feed(a_shipment("s", a_shipment_line()), a_shipment("t"))
    wait(feed, ShipmentRow, "s", {"transport_reference": "KJA-123"})
    feed(FullRead("shipment", "", "begins"), a_shipment("t"), FullRead("shipment", "", "ends"))
    wait(feed, ShipmentRow, "t", {"comment": "x"})
    feed(Gone("shipment", "t"))
    assert {row.peer_id: row.pending for row in rows_of(feed.store, ShipmentRow)} == {
        "s": {"transport_reference": "KJA-123"},
        "t": {"comment": "x"},
    }
    ids = {row.id: row.peer_id for row in rows_of(feed.store, ShipmentRow)}
    assert {(ids[one.row_id], one.is_gone) for one in feed.noticed} == {("s", True), ("t", True)}


def test_nothing_is_told_of_rows_on_which_nothing_waits(feed: SupplyFeed) -> None:
    feed(a_shipment("s"))
    feed(a_shipment("s", comment="new"))
    assert feed.noticed == []


# Streams


def test_streams_tell_when_they_were_read_and_what_came(feed: SupplyFeed) -> None:
    feed(an_item("a"), an_item("b"), StreamRead("items"), a_stock_line(), StreamRead("stock"))
    states = {row.stream: row for row in rows_of(feed.store, StreamState)}
    assert (states["items"].records, states["items"].changed, states["items"].last_read) == (2, 2, from_ms(T0_MS))
    assert (states["stock"].records, states["stock"].changed) == (1, 1)
    feed.now_ms += 60_000
    feed(an_item("a"))
    assert raised(feed, an_item("b"), StreamRead("items")) == {"streams"}
    items = rows_of(feed.store, StreamState)[0]
    assert (items.records, items.changed) == (2, 0)
    assert (items.last_read, items.last_changed) == (from_ms(T0_MS + 60_000), from_ms(T0_MS))


def test_trouble_of_a_stream_keeps_when_it_was_read_and_since_when_it_is_in_trouble(feed: SupplyFeed) -> None:
    feed(StreamRead("stock"))
    for minute in (1, 2):
        feed.now_ms = T0_MS + minute * 60_000
        feed(StreamRead("stock", "This account may not see stock. Ask for the permission “view stock”."))
    [state] = rows_of(feed.store, StreamState)
    assert state.last_read == from_ms(T0_MS)
    assert state.trouble_since == from_ms(T0_MS + 60_000)
    assert state.trouble.startswith("This account may not")
    feed(StreamRead("stock"))
    [state] = rows_of(feed.store, StreamState)
    assert (state.trouble, state.trouble_since) == ("", None)


def test_what_the_operator_chose_for_a_stream_stays(feed: SupplyFeed) -> None:
    chosen = insert(StreamState).values(
        integration_id=feed.integration_id, stream="stock", is_paused=True, both="ours", trouble=""
    )
    feed.store.write(lambda connection: connection.execute(chosen)).result()
    feed(StreamRead("stock"))
    with feed.store.read() as connection:
        row = connection.execute(select(StreamState.is_paused, StreamState.both)).one()
    assert tuple(row) == (True, "ours")
