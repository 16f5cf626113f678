"""Orders in: every one of them, once, whatever paging the server has; the marker moves only after the last page."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import AuthFailed, BadReply, NotReady, RecordRejected, SettingsInvalid
from adapters.nhlmis.client import NhlmisClient
from adapters.nhlmis.orders import read_order
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.simulator import KEY, running
from adapters.nhlmis.simulator_api import Paging
from adapters.nhlmis.simulator_world import HOUR_MS
from adapters.supply import Facility, Item, Program, StreamRead
from tests.adapters.nhlmis.support import (
    START_MS,
    LentClock,
    Memory,
    adapter_for,
    profile,
    profile_file,
    pull,
    settings_for,
    world,
)


async def test_an_order_becomes_a_requisition_that_we_supply() -> None:
    made = world(1)
    (order,) = made.orders.values()
    memory = Memory()
    async with running(made) as server, adapter_for(server) as adapter:
        await pull(adapter, memory)
    found = memory.orders[order.id]
    assert (found.side, found.status, found.stage) == ("response", "NEW", "submitted")
    assert (found.facility, found.supplier, found.program) == (order.customer[0], order.store, order.program)
    assert (found.number, found.created_ms) == (order.number, order.created_ms)
    assert found.attributes == {"funder": order.funder, "customer_name": order.customer[1]}
    assert found.lines is not None
    for line, told in zip(found.lines, order.lines, strict=True):
        assert line.item == told.product.code
        assert line.requested_units == told.packs * told.product.pack_size
        assert line.attributes == {"ordered_packs": told.packs, "pack_size": told.product.pack_size}
    assert memory.records[Facility, order.customer[0]] == Facility(
        order.customer[0], order.customer[0], order.customer[1]
    )
    assert memory.records[Program, order.program] == Program(order.program, order.program, order.program)
    product = order.lines[0].product
    assert memory.records[Item, product.code] == Item(product.code, product.code, product.name, "", product.pack_size)
    assert memory.records[StreamRead, "orders"] == StreamRead("orders")


PAGINGS: list[tuple[Paging, int]] = [("pages", 1000), ("not_found", 1000), ("clamped", 1000), ("pages", 7)]
NOBODY_KNOWS = "its first page of orders again"


@pytest.mark.parametrize("orders", [0, 1, 49, 50, 51, 100, 137])
@pytest.mark.parametrize(("paging", "cap"), PAGINGS)
async def test_every_order_comes_whatever_paging_the_server_has(paging: Paging, cap: int, orders: int) -> None:
    made = world(orders)
    memory = Memory()
    async with running(made) as server, adapter_for(server) as adapter:
        server.rules.paging, server.rules.page_cap = paging, cap
        if paging == "clamped" and 0 < orders <= 50:
            with pytest.raises(BadReply, match=NOBODY_KNOWS):  # it may as well know no pages and hold back the rest
                await pull(adapter, memory)
            assert memory.cursors == {}
        else:
            await pull(adapter, memory)
    assert memory.orders.keys() == made.orders.keys()
    assert memory.rejected == []


@pytest.mark.parametrize(
    ("paging", "rule", "orders"),
    [
        ("all_at_once", {"paging": "none"}, 137),
        ("clamped", {"short_page_is_last": True}, 49),
        ("pages", {"short_page_is_last": True}, 137),
        ("pages", {"paging": "offset", "page_param": "skip"}, 137),
    ],
)
async def test_the_profile_says_how_a_list_ends(
    paging: Paging, rule: dict[str, Any], orders: int, tmp_path: Path
) -> None:
    made = world(orders)
    memory = Memory()
    async with running(made, profile(orders=rule)) as server:
        server.rules.paging = paging
        with profile_file(server, tmp_path) as file:
            async with adapter_for(server, profile=file) as adapter:
                await pull(adapter, memory)
    assert memory.orders.keys() == made.orders.keys()
    assert memory.cursors


async def test_a_server_that_ignores_the_page_is_told_and_moves_no_marker() -> None:
    memory = Memory()
    async with running(world(60)) as server, adapter_for(server) as adapter:
        server.rules.paging = "ignored"
        with pytest.raises(BadReply, match=r"orders\.page_param"):
            await pull(adapter, memory)
    assert memory.cursors == {}


async def test_orders_that_come_twice_are_taken_once() -> None:
    made = world(120)
    memory = Memory()
    async with running(made) as server, adapter_for(server) as adapter:
        server.rules.repeats_orders = True
        await pull(adapter, memory)
        server.rules.repeats_orders = False
        first = dict(memory.records)
        await pull(adapter, memory)
    assert memory.orders.keys() == made.orders.keys()
    assert memory.records == first


@pytest.mark.parametrize("page", [1, 2])
async def test_the_marker_moves_only_after_the_last_page(page: int) -> None:
    made = world(120)
    memory = Memory()
    async with running(made) as server, adapter_for(server) as adapter:

        async def run() -> None:
            async for batch in adapter.fetch({}):
                memory.take(batch)
                if memory.batches == page:
                    server.faults.kind = "503"

        with pytest.raises(NotReady):
            await run()
        assert len(memory.orders) == 50 * page
        assert memory.cursors == {}
        server.faults.clear()
        await pull(adapter, memory)
    assert memory.orders.keys() == made.orders.keys()
    assert memory.cursors


async def test_new_and_changed_orders_come_by_the_servers_clock() -> None:
    """This computer's clock is five hours behind, the server's time counts."""
    made = world(5)
    memory = Memory()
    clock = LentClock(START_MS - 5 * HOUR_MS)
    async with running(made) as server, adapter_for(server, clock) as adapter:
        await pull(adapter, memory)
        assert abs(int(memory.cursors["orders"][2:]) - START_MS) < 5 * 60_000
        for step in range(1, 4):
            made.advance(START_MS + step * 6 * HOUR_MS)
            clock.at_ms = START_MS + (step * 6 - 5) * HOUR_MS
            new = made.add_order()
            before = len(server.api.seen)
            await pull(adapter, memory)
            assert new.id in memory.orders
            assert "since=2026-09-2" in server.api.seen[before].target
    assert memory.orders.keys() == made.orders.keys()


async def test_a_marker_of_the_server_is_given_back_as_it_came(tmp_path: Path) -> None:
    own = profile(orders={"list_path": "data.orders", "marker_path": "data.next", "since_format": "epoch_ms"})
    memory = Memory()
    async with running(world(3), own) as server:
        with profile_file(server, tmp_path) as file:
            async with adapter_for(server, profile=file) as adapter:
                await pull(adapter, memory)
                assert memory.cursors["orders"] == f"m:{START_MS}"
                await pull(adapter, memory)
        assert f"since={START_MS}&" in server.api.seen[-1].target
    assert len(memory.orders) == 3


async def test_only_the_chosen_stores_take_orders() -> None:
    made = world(20)
    memory = Memory()
    async with running(made) as server, adapter_for(server, stores="KN-DMCSA-01, FC-CMS-01") as adapter:
        await pull(adapter, memory)
    wanted = {order.id for order in made.orders.values() if order.store != "KD-CMS-01"}
    assert memory.orders.keys() == wanted
    assert 0 < len(wanted) < 20


async def test_items_and_customers_are_read_once_a_day_where_the_profile_has_them(tmp_path: Path) -> None:
    own = profile(paths={"items": "/items", "customers": "/customers"}, fields={"order_line": {"pack_size": ""}})
    made = world(3)
    memory = Memory()
    clock = LentClock()
    async with running(made, own) as server:
        with profile_file(server, tmp_path) as file:
            async with adapter_for(server, clock, profile=file) as adapter:
                await pull(adapter, memory)
                await pull(adapter, memory)
                asked = [seen.target for seen in server.api.seen]
                assert [asked.count("/v1/items"), asked.count("/v1/customers")] == [1, 1]
                clock.at_ms += 25 * HOUR_MS
                made.advance(clock.at_ms)
                server.faults.kind, server.faults.path = "404", "/v1/customers"
                await pull(adapter, memory)
    assert [seen.target for seen in server.api.seen].count("/v1/items") == 2
    trouble = memory.records[StreamRead, "customers"]
    assert isinstance(trouble, StreamRead)
    assert "paths.customers" in trouble.trouble
    assert len([record for record in memory.records.values() if isinstance(record, Item)]) == 12
    order = next(iter(made.orders.values()))
    lines = memory.orders[order.id].lines
    assert lines is not None
    assert lines[0].requested_units == order.lines[0].packs * order.lines[0].product.pack_size


@pytest.mark.parametrize("kind", ["403", "404", "500", "html"])
async def test_a_list_that_this_key_may_not_read_stops_no_orders(kind: Any, tmp_path: Path) -> None:
    memory = Memory()
    async with running(world(3), profile(paths={"items": "/items"})) as server:
        server.faults.kind, server.faults.path = kind, "/v1/items"
        with profile_file(server, tmp_path) as file:
            async with adapter_for(server, profile=file) as adapter:
                await pull(adapter, memory)
    trouble = memory.records[StreamRead, "items"]
    assert isinstance(trouble, StreamRead)
    assert trouble.trouble.endswith(".")
    assert "items" not in memory.cursors
    assert len(memory.orders) == 3


async def test_renamed_fields_are_told_record_by_record() -> None:
    memory = Memory()
    async with running(world(3)) as server, adapter_for(server) as adapter:
        server.rules.renamed = {"customerCode": "facility_code"}
        await pull(adapter, memory)
    assert memory.orders == {}
    assert len(memory.rejected) == 3
    assert all("fields.order.customer_code" in one.why for one in memory.rejected)


async def test_more_bad_orders_than_can_be_asked_for_one_by_one_move_no_marker() -> None:
    made = world(60)
    memory = Memory()
    async with running(made) as server, adapter_for(server) as adapter:
        for order in list(made.orders.values())[:21]:
            order.lines[0].packs *= -1
        await pull(adapter, memory)
        assert len(memory.orders) == 39
        assert memory.cursors == {}
        trouble = memory.records[StreamRead, "orders"]
        assert isinstance(trouble, StreamRead)
        assert "21 of 60 orders could not be read" in trouble.trouble
        for order in made.orders.values():
            order.lines[0].packs = abs(order.lines[0].packs)
        await pull(adapter, memory)
    assert memory.orders.keys() == made.orders.keys()


async def test_garbage_instead_of_orders_moves_no_marker() -> None:
    memory = Memory()
    async with running(world(3)) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.left = "garbage", 1
        await pull(adapter, memory)
        assert len(memory.rejected) == 6
        assert memory.cursors == {}
        trouble = memory.records[StreamRead, "orders"]
        assert isinstance(trouble, StreamRead)
        assert "None of 6 orders could be read" in trouble.trouble
        await pull(adapter, memory)
    assert len(memory.orders) == 3
    assert memory.records[StreamRead, "orders"] == StreamRead("orders")


async def test_one_bad_order_holds_up_nobody_and_comes_when_it_is_right() -> None:
    made = world(3)
    bad = list(made.orders.values())[1]
    memory = Memory()
    clock = LentClock()
    async with running(made) as server, adapter_for(server, clock) as adapter:
        right, bad.lines[0].packs = bad.lines[0].packs, -4
        await pull(adapter, memory)
        assert [one.key for one in memory.rejected] == [f"order {bad.id}"]
        assert made.orders.keys() - memory.orders.keys() == {bad.id}
        for _ in range(3):  # it is far behind the marker by now, and nobody is told again
            clock.at_ms += 24 * HOUR_MS
            made.advance(clock.at_ms)
            made.add_order()
            await pull(adapter, memory)
        assert len(memory.rejected) == 1
        bad.lines[0].packs = right
        await pull(adapter, memory)
        assert memory.orders.keys() == made.orders.keys()
        asked = len(server.api.seen)
        await pull(adapter, memory)
        assert [seen.target for seen in server.api.seen[asked:] if bad.id in seen.target] == []


ABSURD = rb'[{"id": "o-1", "customerCode": "C\ud800", "lines": [{"itemCode": "AL", "quantity": 1e999}]}, {"id": 1e999}]'


async def test_numbers_and_characters_beyond_every_reason_are_set_aside(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(ABSURD) + ABSURD)
        await writer.drain()
        writer.close()

    file = tmp_path / "profile.json"
    file.write_text('{"orders": {"paging": "none"}}', encoding="utf-8")
    memory = Memory()
    served = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with served, running(world(0)) as server:
        port = served.sockets[0].getsockname()[1]
        async with adapter_for(server, port=port, profile=str(file)) as adapter:
            await pull(adapter, memory)
    assert [one.key for one in memory.rejected] == ["order o-1", "an order"]
    for one in memory.rejected:
        assert one.sample.encode()


FAULTS: dict[str, tuple[type[Exception], str]] = {
    "html": (BadReply, "a web page (200) instead of data"),
    "html_502": (NotReady, "the server behind it does not"),
    "half_json": (BadReply, "breaks off or is not JSON"),
    "stall": (NotReady, "stopped answering"),
    "empty": (BadReply, "breaks off or is not JSON"),
    "text": (BadReply, "breaks off or is not JSON"),
    "301": (BadReply, "sends us to another address"),
    "401": (AuthFailed, "refused the API key"),
    "403": (AuthFailed, "forbids this API key"),
    "404": (BadReply, "“paths.orders” in the profile"),
    "408": (NotReady, "gave up waiting"),
    "429": (NotReady, "asked too often"),
    "500": (NotReady, "fault of its own (500)"),
    "503": (NotReady, "not available at the moment"),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_fault_has_its_sentence_and_passes_without_loss(kind: Any) -> None:
    error, words = FAULTS[kind]
    made = world(60)
    memory = Memory()
    async with running(made) as server, adapter_for(server, answer_within_s=1) as adapter:
        server.faults.kind = kind
        with pytest.raises(error) as found:
            await pull(adapter, memory)
        why = str(found.value)
        assert words in why
        assert f"127.0.0.1:{server.port}" in why
        assert why.endswith(".")
        assert KEY not in why
        assert not getattr(found.value, "is_doubtful", False)
        if kind in ("429", "503"):
            assert isinstance(found.value, NotReady)
            assert found.value.retry_after_s == 7
        server.faults.clear()
        await pull(adapter, memory)
    assert memory.orders.keys() == made.orders.keys()


async def test_a_slow_server_is_waited_for() -> None:
    memory = Memory()
    async with running(world(3)) as server, adapter_for(server) as adapter:
        server.faults.kind = "slow"
        await pull(adapter, memory)
    assert len(memory.orders) == 3


async def test_a_revoked_key_asks_to_sign_in() -> None:
    async with running(world(3)) as server, adapter_for(server) as adapter:
        await pull(adapter, Memory())
        server.revoke_key()
        with pytest.raises(AuthFailed):
            await pull(adapter, Memory())


async def test_a_key_that_the_server_repeats_gets_into_no_sample() -> None:
    async with running(world(1)) as server, adapter_for(server) as adapter:
        server.rules.renamed = {"lines": KEY, "comment": "lines"}
        memory = Memory()
        await pull(adapter, memory)
    assert memory.rejected
    assert KEY not in repr(memory.rejected)


async def test_a_profile_for_another_address_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('{"base_url": "https://nhlmis.example.org/v1"}', encoding="utf-8")
    async with running(world(0)) as server:
        with pytest.raises(SettingsInvalid, match="signed off for https://nhlmis") as found:
            async with adapter_for(server, profile=str(file)):
                pass
    assert found.value.field == "url"


async def test_the_profiles_own_limit_of_requests_in_flight_holds() -> None:
    async with running(world(0)) as server, adapter_for(server) as adapter:
        client: NhlmisClient = adapter._client
        assert client._turn._value == Profile().limits.in_flight
        assert client._budget.max_rate == Profile().limits.per_minute
    assert settings_for(server).store_codes == ()


# --- single orders ----------------------------------------------------------------------------------------------------

ORDER: dict[str, Any] = {
    "id": "o-1",
    "orderNumber": "NH-7",
    "customerCode": "FC-GWA-003",
    "createdAt": "2026-09-20T08:00:00+01:00",
    "status": "approved",
    "program": "Malaria",
    "comment": "Routine.\nFunder:  Global Fund ; urgent",
    "lines": [{"itemCode": "AL", "quantity": 4}],
}


def read(changes: dict[str, Any], own: Profile | None = None, sizes: dict[str, float] | None = None) -> Any:
    return read_order(own or Profile(), {**ORDER, **changes}, sizes or {})


def test_the_funder_stands_in_the_comment_where_no_field_has_it() -> None:
    assert read({}).attributes == {"funder": "Global Fund"}
    assert read({"funder": "PMI"}).attributes == {"funder": "PMI"}
    assert read({"comment": "none"}).attributes is None
    other = profile(funder={"path": "", "text_path": "note.text", "pattern": r"donor=(?P<funder>\w+)"})
    assert read({"note": {"text": "donor=GAVI"}}, other).attributes == {"funder": "GAVI"}


def test_packs_become_units_only_where_their_size_is_known() -> None:
    (line,) = read({}).lines
    assert (line.requested_units, line.attributes) == (None, {"ordered_packs": 4})
    (line,) = read({}, sizes={"AL": 24}).lines
    assert (line.requested_units, line.attributes) == (96, {"ordered_packs": 4, "pack_size": 24})
    (line,) = read({}, profile(units={"orders": "units"})).lines
    assert (line.requested_units, line.attributes) == (4, None)


def test_times_without_a_zone_are_read_in_the_profiles() -> None:
    assert read({"createdAt": "2026-09-20T08:00:00"}).created_ms - read({}).created_ms == HOUR_MS
    assert (
        read({"createdAt": "2026-09-20T08:00:00"}, profile(formats={"read_zone_min": 60})).created_ms
        == read({}).created_ms
    )
    assert read({"createdAt": read({}).created_ms}).created_ms == read({}).created_ms
    assert read({"createdAt": "1001-01-01"}).created_ms is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": None}, "fields.order.id"),
        ({"id": "x" * 201}, "fields.order.id"),
        ({"customerCode": " "}, "fields.order.customer_code"),
        ({"lines": None}, "fields.order.lines"),
        ({"lines": {"AL": 4}}, "fields.order.lines"),
        ({"lines": [{"itemCode": "AL"}]}, "line 1 (AL) asks for no possible quantity"),
        ({"lines": [{"itemCode": "AL", "quantity": -1}]}, "line 1 (AL) asks for no possible quantity"),
        ({"lines": [{"itemCode": "AL", "quantity": 1e300}]}, "line 1 (AL) asks for no possible quantity"),
        ({"lines": [{"itemCode": "AL", "quantity": 1}, {"quantity": 1}]}, "line 2 names no item"),
        ({"lines": [7]}, "line 1 names no item"),
    ],
)
def test_an_order_that_cannot_be_supplied_as_it_stands_is_rejected_whole(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordRejected) as found:
        read(changes)
    assert words in found.value.why


def test_lines_with_the_same_id_stay_apart() -> None:
    lines = [{"id": "1", "itemCode": "AL", "quantity": 1}, {"id": "1", "itemCode": "MRDT", "quantity": 2}]
    assert [line.peer_id for line in read({"lines": lines}).lines] == ["1", "1#2"]


NAMES = st.sampled_from([*ORDER, "itemCode", "quantity"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(ORDER)), JSON, max_size=3) | JSON)
def test_any_order_is_read_or_rejected(said: Any) -> None:
    raw = json.loads(json.dumps({**ORDER, **said} if isinstance(said, dict) else said))
    try:
        order = read_order(Profile(), raw, {"AL": 24})
    except RecordRejected:
        return
    assert order.peer_id
    assert len({line.peer_id for line in order.lines or ()}) == len(order.lines or ())
    assert all(line.requested_units is None or line.requested_units >= 0 for line in order.lines or ())
    replace(order)
