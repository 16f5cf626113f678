"""Lists of items, stock and papers: what they add up, what they find, and that pages neither skip nor repeat."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from adapters.supply import Gone, Period, Program, StreamRead
from app.clock import from_ms
from app.store.store import Store
from app.store.tables import Integration, RequisitionLineRow, RequisitionRow, ShipmentRow, StreamState
from app.supply import paging, queries_items, queries_papers, queries_stock
from app.supply.ages import data_ages
from app.supply.filters import Expiry, Horizon, Levels, Place, StockClass, SupplyFilter, stock_class
from app.supply.queries import list_choices
from app.supply.queries_items import count_items, find_item, page_of_items
from app.supply.queries_lines import requisition_lines, shipment_lines
from app.supply.queries_papers import (
    count_requisitions,
    count_shipments,
    find_requisition,
    find_shipment,
    page_of_requisitions,
    page_of_shipments,
)
from app.supply.queries_stock import count_stock, page_of_stock
from tests.helpers.fleet import T0_MS
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

HORIZON = Horizon(date(2026, 11, 25), 90)
LEVELS = Levels()
ALL = SupplyFilter()


@pytest.fixture
def feed(store: Store) -> SupplyFeed:
    return make_supply_feed(store)


def ask(feed: SupplyFeed, question: Any, *arguments: Any, **named: Any) -> Any:
    with feed.store.read() as connection:
        return question(connection, *arguments, **named)


def items(feed: SupplyFeed, wanted: SupplyFilter = ALL, **named: Any) -> list[queries_items.ItemListing]:
    found: list[queries_items.ItemListing] = ask(feed, page_of_items, wanted, HORIZON, LEVELS, **named)[0]
    assert ask(feed, count_items, wanted, HORIZON, LEVELS) == len(found)
    return found


def stock(feed: SupplyFeed, wanted: SupplyFilter = ALL, **named: Any) -> list[queries_stock.StockListing]:
    found: list[queries_stock.StockListing] = ask(feed, page_of_stock, wanted, HORIZON, **named)[0]
    return found


def a_site(feed: SupplyFeed) -> None:
    """Two stores; amoxicillin for 3 months, zinc stocked out, quinine expired, gloves nobody counts."""
    feed(
        a_facility("store-1", name="Kubwa Store"),
        a_facility("store-2", name="Gwagwalada Store"),
        Program("mal", "MAL", "Malaria"),
        an_item("amox", name="Amoxicillin 250 mg", code="AMX250", programs=("mal",)),
        an_item("zinc", name="Zinc 20 mg", code="ZNC020"),
        an_item("quin", name="Quinine 300 mg", code="QNN300", programs=("malaria-2",)),
        an_item("glove", name="Gloves", code="GLV001"),
        a_stock_line(
            "1", facility="store-1", item="amox", units=200.0, average_monthly_units=100.0, expires_on="2028-01-31"
        ),
        a_stock_line(
            "2", facility="store-1", item="amox", units=100.0, average_monthly_units=100.0, expires_on="2027-01-31"
        ),
        a_stock_line(
            "3",
            facility="store-2",
            item="amox",
            units=150.0,
            average_monthly_units=50.0,
            expires_on=None,
            program="mal",
        ),
        a_stock_line("4", facility="store-1", item="zinc", units=0.0, expires_on="2020-01-31"),
        a_stock_line("5", facility="store-2", item="quin", units=40.0, batch="Q-1", expires_on="2026-11-24"),
        a_stock_line("6", facility="store-2", item="quin", units=10.0, batch="Q-2", expires_on="2026-11-25"),
        StreamRead("items"),
        StreamRead("stock"),
    )


def in_malaria(feed: SupplyFeed) -> None:
    """One stock line belongs to the programme."""
    line = a_stock_line("3", facility="store-2", item="amox", units=150.0, average_monthly_units=50.0, expires_on=None)
    feed(replace(line, program="mal"))


def test_an_item_knows_its_stock_its_months_and_its_first_expiry(feed: SupplyFeed) -> None:
    a_site(feed)
    by_name = {item.name: item for item in items(feed)}
    assert list(by_name) == ["Amoxicillin 250 mg", "Gloves", "Quinine 300 mg", "Zinc 20 mg"]
    amox = by_name["Amoxicillin 250 mg"]
    assert (amox.units, amox.average_monthly_units, amox.months, amox.facilities) == (450.0, 150.0, 3.0, 2)
    assert (amox.earliest_expiry, amox.expiring_units, amox.expired_units) == ("2027-01-31", 100.0, 0.0)
    assert (amox.programs, amox.source, amox.age.last_read_ms) == (["Malaria"], "msupply-1", T0_MS)
    assert amox.stock_class(LEVELS) is StockClass.ADEQUATE
    quinine = by_name["Quinine 300 mg"]
    assert (quinine.units, quinine.usable_units, quinine.expired_units, quinine.expiring_units) == (50, 10, 40, 10)
    assert quinine.expiry(HORIZON) is Expiry.EXPIRED
    assert quinine.stock_class(LEVELS) is StockClass.UNKNOWN
    zinc = by_name["Zinc 20 mg"]
    assert (zinc.stock_class(LEVELS), zinc.earliest_expiry) == (StockClass.STOCKED_OUT, None)
    assert (by_name["Gloves"].units, by_name["Gloves"].stock_class(LEVELS)) == (None, StockClass.UNKNOWN)
    assert ask(feed, find_item, amox.id, HORIZON) == amox


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (SupplyFilter(words=("MG", "zin")), ["Zinc 20 mg"]),
        (SupplyFilter(words=("qnn300",)), ["Quinine 300 mg"]),
        (SupplyFilter(words=("%",)), []),
        (SupplyFilter(integration_id="other"), []),
        (SupplyFilter(facility=Place("msupply-1", "store-2")), ["Amoxicillin 250 mg", "Quinine 300 mg"]),
        (SupplyFilter(program=Place("msupply-1", "mal")), ["Amoxicillin 250 mg"]),
        (SupplyFilter(expiry="expired"), ["Quinine 300 mg"]),
        (SupplyFilter(expiry="soon"), ["Amoxicillin 250 mg", "Quinine 300 mg"]),
        (SupplyFilter(stock_class=StockClass.STOCKED_OUT), ["Zinc 20 mg"]),
        (SupplyFilter(stock_class=StockClass.ADEQUATE), ["Amoxicillin 250 mg"]),
        (SupplyFilter(stock_class=StockClass.UNKNOWN), ["Gloves", "Quinine 300 mg"]),
        (SupplyFilter(stock_class=StockClass.OVER), []),
    ],
)
def test_items_are_found_by(feed: SupplyFeed, wanted: SupplyFilter, names: list[str]) -> None:
    a_site(feed)
    assert [item.name for item in items(feed, wanted)] == names


def test_the_stock_of_one_facility_is_summed_alone(feed: SupplyFeed) -> None:
    a_site(feed)
    [amox, _] = items(feed, SupplyFilter(facility=Place("msupply-1", "store-2")))
    assert (amox.units, amox.months) == (150.0, 3.0)


@given(
    units=st.one_of(st.none(), st.floats(0, 1e6)),
    consumed=st.one_of(st.none(), st.floats(0, 1e5)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_filter_and_word_agree_on_every_class(store: Store, units: float | None, consumed: float | None) -> None:
    """The class that a row shows is the class that the filter finds it by."""
    feed = SupplyFeed(store, "msupply-1")
    if not ask(feed, list_choices, ("msupply",)).integrations:
        feed = make_supply_feed(store)
    feed(an_item("one"))
    if units is None:
        feed(Gone("stock_line", "line"))
    else:
        feed(a_stock_line("line", item="one", units=units, expires_on=None, average_monthly_units=consumed))
    [item] = items(feed)
    shown = item.stock_class(LEVELS)
    assert shown is stock_class(item.usable_units, item.months, LEVELS)
    for wanted in StockClass:
        assert bool(items(feed, SupplyFilter(stock_class=wanted))) == (wanted is shown)


def test_gone_records_are_left_out_unless_wanted(feed: SupplyFeed) -> None:
    a_site(feed)
    feed(Gone("item", "glove"), Gone("stock_line", "1"))
    assert [item.units for item in items(feed)] == [250.0, 50.0, 0.0]
    assert len(items(feed, SupplyFilter(includes_gone=True))) == 4
    assert len(stock(feed)) == 5


def test_records_of_a_removed_integration_are_not_shown(feed: SupplyFeed) -> None:
    a_site(feed)
    papers(feed)
    removed = update(Integration).where(Integration.id == "msupply-1").values(removed_at=from_ms(T0_MS))
    feed.store.write(lambda connection: connection.execute(removed)).result()
    assert items(feed) == []
    assert stock(feed) == []
    assert ask(feed, page_of_requisitions, ALL)[0] == []
    assert ask(feed, page_of_shipments, ALL)[0] == []
    choices = ask(feed, list_choices, ("msupply",))
    assert (choices.facilities, choices.integrations) == ([], [])


@pytest.mark.parametrize(
    ("sort", "first"),
    [("units", "Amoxicillin 250 mg"), ("months", "Amoxicillin 250 mg"), ("expired_units", "Quinine 300 mg")],
)
def test_items_are_ordered_by_their_stock_with_the_unknown_last(feed: SupplyFeed, sort: str, first: str) -> None:
    a_site(feed)
    found = items(feed, sort=sort, descending=True)
    assert found[0].name == first
    assert items(feed, sort="units")[-1].name == "Gloves"


def test_stock_lines_carry_the_names_of_what_they_point_at(feed: SupplyFeed) -> None:
    a_site(feed)
    in_malaria(feed)
    feed(a_stock_line("9", facility="nowhere", item="nothing", expires_on=None))
    lines = stock(feed)
    assert [line.expires_on for line in lines[:5]] == [
        "2020-01-31",
        "2026-11-24",
        "2026-11-25",
        "2027-01-31",
        "2028-01-31",
    ]
    third = next(line for line in lines if line.peer_id == "3")
    assert (third.item_name, third.item_code) == ("Amoxicillin 250 mg", "AMX250")
    assert (third.facility_name, third.program) == ("Gwagwalada Store", "Malaria")
    stray = next(line for line in lines if line.peer_id == "9")
    assert (stray.item_name, stray.facility_name) == ("nothing", "nowhere")


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (SupplyFilter(words=("q-1",)), {"5"}),
        (SupplyFilter(words=("kubwa", "amox")), {"1", "2"}),
        (SupplyFilter(expiry="expired"), {"5"}),
        (SupplyFilter(expiry="soon"), {"2", "6"}),
        (SupplyFilter(facility=Place("msupply-1", "store-1")), {"1", "2", "4"}),
        (SupplyFilter(program=Place("msupply-1", "mal")), {"3"}),
    ],
)
def test_stock_is_found_by(feed: SupplyFeed, wanted: SupplyFilter, ids: set[str]) -> None:
    a_site(feed)
    in_malaria(feed)
    assert {line.peer_id for line in stock(feed, wanted)} == ids
    assert ask(feed, count_stock, wanted, HORIZON) == len(ids)


def test_stock_of_one_item(feed: SupplyFeed) -> None:
    a_site(feed)
    assert {line.peer_id for line in stock(feed, item=Place("msupply-1", "amox"))} == {"1", "2", "3"}


# Papers


def papers(feed: SupplyFeed) -> None:
    feed(
        a_facility("store-1", name="Kubwa Store"),
        a_facility("clinic-1", name="Bwari Clinic", is_ours=False),
        Program("mal", "MAL", "Malaria"),
        Period("p-11", "November 2026", "2026-11-01", "2026-11-30"),
        an_item("amox", name="Amoxicillin 250 mg", code="AMX250"),
        a_requisition("r-1", a_requisition_line("a", item="amox"), a_requisition_line("b"), number="7", program="mal"),
        a_requisition(
            "r-2", number="8", side="response", facility="clinic-1", supplier="store-1", stage="approved",
            period="p-11", created_ms=T0_MS + 1,
        ),
        a_shipment("s-1", a_shipment_line("c", item="amox"), requisition="r-2", number="9"),
        a_shipment("s-2", number="10", stage="shipped", created_ms=None),
    )  # fmt: skip


def test_papers_carry_names_lines_and_newest_first(feed: SupplyFeed) -> None:
    papers(feed)
    second, first = ask(feed, page_of_requisitions, ALL)[0]
    assert (first.number, first.facility, first.supplier, first.program, first.lines) == (
        "7",
        "Kubwa Store",
        "store-2",
        "Malaria",
        2,
    )
    assert (second.facility, second.supplier, second.period) == ("Bwari Clinic", "Kubwa Store", "November 2026")
    shipments = ask(feed, page_of_shipments, ALL)[0]
    assert [one.number for one in shipments] == ["9", "10"]
    assert (shipments[0].sender, shipments[0].receiver) == ("Kubwa Store", "Bwari Clinic")
    assert (shipments[0].requisition_number, shipments[0].lines) == ("8", 1)
    assert ask(feed, find_requisition, first.id) == first
    assert ask(feed, find_shipment, shipments[1].id) == shipments[1]
    [line] = ask(feed, shipment_lines, "msupply-1", "s-1")
    assert (line.item_name, line.units, line.batch) == ("Amoxicillin 250 mg", 300.0, "B-17")
    assert [one.item_name for one in ask(feed, requisition_lines, "msupply-1", "r-1")] in (
        ["Amoxicillin 250 mg", "item-1"],
        ["item-1", "Amoxicillin 250 mg"],
    )


@pytest.mark.parametrize(
    ("wanted", "requisitions", "shipments"),
    [
        (SupplyFilter(words=("bwari",)), {"8"}, {"9", "10"}),
        (SupplyFilter(stage="approved"), {"8"}, set()),
        (SupplyFilter(stage="shipped"), set(), {"10"}),
        (SupplyFilter(facility=Place("msupply-1", "store-1")), {"7", "8"}, {"9", "10"}),
        (SupplyFilter(facility=Place("msupply-1", "clinic-1")), {"8"}, {"9", "10"}),
        (SupplyFilter(program=Place("msupply-1", "mal")), {"7"}, set()),
        (SupplyFilter(integration_id="other"), set(), set()),
    ],
)
def test_papers_are_found_by(
    feed: SupplyFeed, wanted: SupplyFilter, requisitions: set[str], shipments: set[str]
) -> None:
    papers(feed)
    assert {one.number for one in ask(feed, page_of_requisitions, wanted)[0]} == requisitions
    assert {one.number for one in ask(feed, page_of_shipments, wanted)[0]} == shipments
    assert ask(feed, count_requisitions, wanted) == len(requisitions)
    assert ask(feed, count_shipments, wanted) == len(shipments)


def test_what_waits_is_seen_on_papers_and_on_lines(feed: SupplyFeed) -> None:
    papers(feed)

    def wait(connection: Connection) -> None:
        line, paper = RequisitionLineRow, ShipmentRow
        connection.execute(update(line).where(line.peer_id == "a").values(pending={"requested_units": 5.0}))
        connection.execute(update(line).where(line.peer_id == "b").values(pending={}))
        connection.execute(update(paper).where(paper.peer_id == "s-1").values(pending={"stage": "shipped"}))
        connection.execute(update(RequisitionRow).values(pending=None))

    feed.store.write(wait).result()
    only = SupplyFilter(is_waiting=True)
    [requisition] = ask(feed, page_of_requisitions, only)[0]
    assert (requisition.number, requisition.waits, requisition.waiting_lines, requisition.pending) == ("7", True, 1, {})
    [shipment] = ask(feed, page_of_shipments, only)[0]
    assert (shipment.number, shipment.pending) == ("9", {"stage": "shipped"})
    assert {line.peer_id: line.pending for line in ask(feed, requisition_lines, "msupply-1", "r-1")} == {
        "a": {"requested_units": 5.0},
        "b": {},
    }


# Pages


@given(
    rows=st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 3)), st.integers(0, 2)), max_size=12),
    limit=st.integers(1, 5),
    descending=st.booleans(),
    sort=st.sampled_from(queries_stock.SORTS),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_neither_skip_nor_repeat(
    store: Store, rows: list[tuple[int | None, int]], limit: int, descending: bool, sort: str
) -> None:
    feed = SupplyFeed(store, "msupply-1")
    if not ask(feed, list_choices, ("msupply",)).integrations:
        feed = make_supply_feed(store)
    feed(*(Gone("stock_line", str(number)) for number in range(12)))
    feed(
        *(
            a_stock_line(str(n), units=float(units), expires_on=None if day is None else f"2027-01-0{day}")
            for n, (day, units) in enumerate(rows)
        )
    )
    seen: list[queries_stock.StockListing] = []
    after = None
    while True:
        page, after = ask(feed, page_of_stock, ALL, HORIZON, sort=sort, descending=descending, after=after, limit=limit)
        seen += page
        if after is None:
            break
    assert sorted(int(line.peer_id) for line in seen) == list(range(len(rows)))
    if sort in ("expires_on", "units"):
        told = [getattr(line, sort) for line in seen if getattr(line, sort) is not None]
        assert told == sorted(told, reverse=descending)
        assert [getattr(line, sort) for line in seen[: len(told)]] == told


@pytest.mark.parametrize("sort", queries_items.SORTS)
def test_items_can_be_paged_by_every_column(feed: SupplyFeed, sort: str) -> None:
    a_site(feed)
    for descending in (False, True):
        whole = items(feed, sort=sort, descending=descending)
        first, after = ask(feed, page_of_items, ALL, HORIZON, LEVELS, sort=sort, descending=descending, limit=3)
        rest, end = ask(
            feed, page_of_items, ALL, HORIZON, LEVELS, sort=sort, descending=descending, after=after, limit=3
        )
        assert (first + rest, end) == (whole, None)


@pytest.mark.parametrize("few", [0, 1, 2_000])
def test_a_word_finds_the_same_items_whether_few_or_many_hold_it(
    feed: SupplyFeed, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_site(feed)
    everything = items(feed)
    monkeypatch.setattr(paging, "FEW", few)
    for words in (("ZIN",), ("mg",), ("mg", "zin"), ("zin", "mg"), ("qnn300",), ("xyzzy",), ("mg", "xyzzy"), ("%",)):
        expected = [
            one.code for one in everything if all(word.lower() in f"{one.name}\n{one.code}".lower() for word in words)
        ]
        assert [one.code for one in items(feed, SupplyFilter(words=words))] == expected


def test_papers_can_be_paged_by_every_column(feed: SupplyFeed) -> None:
    papers(feed)
    for question, sorts in (
        (page_of_requisitions, queries_papers.REQUISITION_SORTS),
        (page_of_shipments, queries_papers.SHIPMENT_SORTS),
    ):
        for sort in sorts:
            for descending in (False, True):
                whole = ask(feed, question, ALL, sort=sort, descending=descending)[0]
                first, after = ask(feed, question, ALL, sort=sort, descending=descending, limit=1)
                rest, _ = ask(feed, question, ALL, sort=sort, descending=descending, after=after, limit=1)
                assert first + rest == whole


# Ages and choices


def test_the_age_is_that_of_the_oldest_stream_that_brings_the_records(feed: SupplyFeed) -> None:
    feed(StreamRead("stock:store-1"), StreamRead("items"))
    feed.now_ms = T0_MS + 60_000
    feed(StreamRead("stock:store-2"), StreamRead("Requisitions", "No permission."))
    assert ask(feed, data_ages, "stock")["msupply-1"].last_read_ms == T0_MS
    requisitions = ask(feed, data_ages, "requisitions")["msupply-1"]
    assert (requisitions.last_read_ms, requisitions.trouble) == (None, "No permission.")
    never = update(StreamState).where(StreamState.stream == "Requisitions").values(last_read=from_ms(T0_MS - 1))
    feed.store.write(lambda connection: connection.execute(never)).result()
    assert ask(feed, data_ages, "shipments")["msupply-1"].last_read_ms == T0_MS - 1


def test_choices_are_our_facilities_and_the_programs(feed: SupplyFeed) -> None:
    papers(feed)
    make_supply_feed(feed.store, "traccar-1", "traccar")
    choices = ask(feed, list_choices, ("msupply", "openlmis"))
    assert [one.name for one in choices.facilities] == ["Kubwa Store"]
    assert [one.name for one in choices.programs] == ["Malaria"]
    assert choices.integrations == [("msupply-1", "msupply-1")]
