"""Shipments out: told once, whatever the line does, and refused with the reason where they are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.base import SHIPMENT_FIELD, Outgoing, Receipt
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady, RecordRejected
from adapters.nhlmis import NhlmisAdapter
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.report import REPORTER
from adapters.nhlmis.shipments import has_shipment
from adapters.nhlmis.simulator import KEY, NhlmisServer, running
from adapters.nhlmis.simulator_faults import Cut, breaking_line
from adapters.reporting import BLANK, Shipped, ShippedLine
from adapters.supply import Requisition
from tests.adapters.nhlmis.support import (
    adapter_for,
    kit_for,
    outgoing_for,
    profile,
    profile_file,
    settings_for,
    shipped_for,
    world,
)


async def until_accepted(adapter: NhlmisAdapter, shipped: Shipped) -> tuple[Receipt, list[AdapterError]]:
    """Send as the outbox does: again after a failure, doubtful ever after a doubtful one."""
    doubtful = False
    failures: list[AdapterError] = []
    for tries in range(6):
        try:
            return await adapter.send(outgoing_for(shipped, tries=tries, is_doubtful=doubtful)), failures
        except (NotReady, BadReply) as err:
            doubtful = doubtful or err.is_doubtful
            failures.append(err)
    raise AssertionError(f"never accepted: {failures}")


async def test_a_shipment_is_told_and_the_order_read_back() -> None:
    made = world(3)
    order = next(iter(made.orders.values()))
    async with running(made) as server, adapter_for(server) as adapter:
        receipt = await adapter.send(outgoing_for(shipped_for(order)))
    assert [one["shipmentNumber"] for one in order.shipments] == ["SH-1042"]
    assert receipt.answer.endswith(f"accepted shipment SH-1042 for order {order.id}.")
    assert not receipt.was_applied_before
    (back,) = receipt.records
    assert isinstance(back, Requisition)
    assert (back.status, back.stage) == ("SHIPPED", "ordered")
    assert len(server.api.seen) == 1


async def test_what_is_shown_is_what_arrives_to_the_byte(tmp_path: Path) -> None:
    own = profile(
        methods={"shipment": "PUT"},
        paths={"shipment": "/orders/{id}/shipments"},
        fields={"shipment": {"number": "waybill.no", "order_id": "order"}},
        constants={"shipment": {"state": "DISPATCHED"}},
        shipments={"key_header": "Idempotency-Key"},
    )
    made = world(1)
    (order,) = made.orders.values()
    shipped = shipped_for(order)
    async with running(made, own) as server:
        with profile_file(server, tmp_path) as file:
            outgoing = outgoing_for(shipped)
            shown = REPORTER.plan_shipment(settings_for(server, profile=file), shipped, outgoing.key)
            async with adapter_for(server, profile=file) as adapter:
                await adapter.send(outgoing)
    (seen,) = server.api.seen
    headers = tuple((key.lower(), value.replace(BLANK, KEY)) for key, value in shown.headers)
    assert headers == seen.headers
    assert ("idempotency-key", outgoing.key) in headers
    assert (shown.method, shown.body) == (seen.method, seen.body)
    assert shown.url == f"http://127.0.0.1:{server.port}{seen.target}"
    assert json.loads(seen.body)["waybill"] == {"no": "SH-1042"}


async def lengths(server: NhlmisServer, shipped: Shipped) -> tuple[int, int]:
    """Bytes of a whole request and of its answer, counted on the wire."""
    request = REPORTER.plan_shipment(settings_for(server, port=65_000), shipped, outgoing_for(shipped).key).signed(KEY)
    head = f"{request.method} /v1/orders/{shipped.order_id} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers) + "\r\n"
    order = server.world.orders[shipped.order_id]
    order.shipments.append(json.loads(request.body))
    order.status = "SHIPPED"
    answer = len(json.dumps(server.api.order_json(order), ensure_ascii=False, separators=(",", ":")).encode())
    order.shipments.clear()
    order.status = "NEW"
    return len(head) + len(request.body), answer + 150  # its head is shorter than that


@pytest.mark.parametrize("part", ["request", "answer"])
async def test_a_line_cut_at_any_byte_applies_a_shipment_exactly_once(part: str) -> None:
    """The server knows no repeats: a second call would be a second shipment."""
    made = world(1)
    (order,) = made.orders.values()
    order.lines = order.lines[:1]
    order.comment = ""
    shipped = shipped_for(order)
    applied_by_first = failed = 0
    async with running(made) as server:
        server.rules.knows_repeats = False
        whole_request, whole_answer = await lengths(server, shipped)
        last = whole_request + 3 if part == "request" else whole_answer
        cut = Cut()
        async with breaking_line(server.port, cut) as port:
            for at in range(1, last):
                order.shipments.clear()
                order.status, cut.left = "NEW", 1
                cut.request_at, cut.answer_at = (at, None) if part == "request" else (None, at)
                async with adapter_for(server, port=port) as adapter:
                    receipt, failures = await until_accepted(adapter, shipped)
                assert len(order.shipments) == 1, f"cut at byte {at} of the {part}: {failures}"
                assert receipt.was_applied_before == bool(part == "answer" and failures) or part == "request"
                failed += bool(failures)
                applied_by_first += receipt.was_applied_before
    assert failed >= (whole_request if part == "request" else whole_answer // 2) - 5
    assert part == "request" or applied_by_first == failed


FAULTS: dict[str, tuple[type[AdapterError], bool]] = {
    "html": (BadReply, True),
    "html_502": (NotReady, True),
    "lost_answer": (NotReady, True),
    "half_json": (BadReply, True),
    "stall": (NotReady, True),
    "301": (BadReply, True),
    "408": (NotReady, True),
    "429": (NotReady, False),
    "500": (NotReady, True),
    "503": (NotReady, True),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_fault_is_retried_and_applies_a_shipment_once(kind: Any) -> None:
    made = world(2)
    order = next(iter(made.orders.values()))
    async with running(made) as server, adapter_for(server, answer_within_s=1) as adapter:
        server.rules.knows_repeats = False
        server.faults.kind, server.faults.method, server.faults.left = kind, "PATCH", 1
        receipt, failures = await until_accepted(adapter, shipped_for(order))
        if kind == "half_json":  # a good status is an acceptance; what it says of the order is read again
            assert failures == []
        else:
            error, doubtful = FAULTS[kind]
            (failure,) = failures
            assert type(failure) is error
            assert failure.is_doubtful == doubtful
            assert failure.why.endswith(".")
            assert KEY not in failure.why
        assert receipt.was_applied_before == (kind == "lost_answer")
    assert len(order.shipments) == 1


async def test_a_refused_key_asks_to_sign_in_and_is_not_doubtful() -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server) as adapter:
        server.revoke_key()
        with pytest.raises(AuthFailed) as found:
            await adapter.send(outgoing_for(shipped_for(order)))
        assert not found.value.is_doubtful
    assert order.shipments == []


@pytest.mark.parametrize("kind", ["empty", "text"])
async def test_an_answer_without_the_order_is_an_acceptance_and_the_order_is_read(kind: Any) -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server) as adapter:
        server.rules.empty_answers = True
        receipt = await adapter.send(outgoing_for(shipped_for(order)))
        assert [seen.method for seen in server.api.seen] == ["PATCH", "GET"]
        assert [record.status for record in receipt.records if isinstance(record, Requisition)] == ["SHIPPED"]
        server.faults.kind, server.faults.method = kind, "PATCH"  # not NHLMIS answers, and nothing was done
        with pytest.raises(BadReply, match="the order does not show it") as lost:
            await adapter.send(outgoing_for(shipped_for(order, "SH-2")))
        assert lost.value.is_doubtful
        server.rules.empty_answers = False
        server.faults.kind, server.faults.method = "503", "GET"
        assert (await adapter.send(outgoing_for(shipped_for(order, "SH-3")))).answer


async def test_a_success_that_the_order_does_not_show_is_none_where_the_profile_says_so(tmp_path: Path) -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made, profile(shipments={"accepted_when": "shown"})) as server:
        with profile_file(server, tmp_path) as file:
            async with adapter_for(server, profile=file) as adapter:
                server.faults.kind, server.faults.method, server.faults.left = "text", "PATCH", 1
                receipt, failures = await until_accepted(adapter, shipped_for(order))
        assert [(type(one), one.is_doubtful) for one in failures] == [(BadReply, True)]
        assert "the order does not show it" in failures[0].why
        assert receipt.answer.endswith(f"accepted shipment SH-1042 for order {order.id}.")
    assert len(order.shipments) == 1


async def test_a_success_that_the_order_does_not_show_is_said() -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server) as adapter:
        server.rules.shows_shipments = False
        receipt = await adapter.send(outgoing_for(shipped_for(order)))
    assert receipt.answer.endswith("The order does not show it yet.")


def spoil_item(order: Any, server: NhlmisServer) -> Shipped:
    lines = (ShippedLine("AL-XX", 3, 6, "B"), *shipped_for(order).lines)
    return Shipped(order.id, "SH-1", 1_790_000_000_000, None, lines)


def close(order: Any, server: NhlmisServer) -> Shipped:
    server.rules.closed_orders.add(order.id)
    return shipped_for(order)


def forget(order: Any, server: NhlmisServer) -> Shipped:
    server.world.orders.clear()
    return shipped_for(order)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_item, "AL-XX: Item AL-XX is not on order"),
        (close, "(409): Order NH-2026-00001 is closed"),
        (forget, "(404): No such order"),
    ],
)
@pytest.mark.parametrize("tries", [0, 1])
async def test_a_refusal_is_told_and_trying_again_changes_nothing(
    spoil: Callable[[Any, NhlmisServer], Shipped], words: str, tries: int
) -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server) as adapter:
        shipped = spoil(order, server)
        with pytest.raises(RecordRejected) as found:
            await adapter.send(outgoing_for(shipped, tries=tries))
    if not (spoil is forget and tries):  # then the reading before it says so
        assert words in found.value.why
    assert "order" in found.value.why
    assert found.value.why.endswith(".")
    assert order.shipments == []


async def test_nothing_is_sent_before_it_is_approved() -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server, profile_approved=False) as adapter:
        with pytest.raises(NotReady) as found:
            await adapter.send(outgoing_for(shipped_for(order)))
        assert found.value.field == "profile_approved"
        assert server.api.seen == []


@pytest.mark.parametrize("value", [None, "", "[]", "x", 7])
async def test_what_is_no_shipment_is_rejected(value: Any) -> None:
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server) as adapter:
        outgoing = outgoing_for(shipped_for(order), values={SHIPMENT_FIELD: value})
        with pytest.raises(RecordRejected, match="is no shipment"):
            await adapter.send(outgoing)
        other = outgoing_for(shipped_for(order), peer_id="another")
        with pytest.raises(RecordRejected, match="for another order"):
            await adapter.send(other)
        assert server.api.seen == []


@pytest.mark.parametrize(
    ("own", "raw", "found"),
    [
        ({}, {"shipments": [{"shipmentNumber": "SH-7"}]}, True),
        ({}, {"shipments": [{"shipmentNumber": "SH-70"}]}, False),
        ({}, {"comment": "SH-7"}, False),
        ({}, {"delivery": {"ShipmentNumber": "SH-7"}}, True),
        ({"fields": {"order": {"shipments": "sent"}}}, {"sent": ["SH-7"]}, True),
        ({"fields": {"order": {"shipments": "sent"}}}, {"shipmentNumber": "SH-7"}, False),
        ({"fields": {"shipment": {"number": ""}}}, {"shipmentNumber": "SH-7"}, False),
    ],
)
def test_a_shipment_is_found_where_the_order_tells_of_it(own: dict[str, Any], raw: dict[str, Any], found: bool) -> None:
    assert has_shipment(profile(**own) if own else Profile(), raw, "SH-7") is found


async def test_an_outgoing_item_is_made_of_a_shipment_alone() -> None:
    made = world(1)
    (order,) = made.orders.values()
    outgoing = outgoing_for(shipped_for(order))
    assert isinstance(outgoing, Outgoing)
    assert Shipped.from_text(str(outgoing.values[SHIPMENT_FIELD])) == shipped_for(order)
    async with kit_for() as kit:
        assert kit.clock.now_ms() > 0


async def test_an_empty_success_that_carried_nothing_out_is_none() -> None:
    """A proxy answers 200 without a word, and the request never arrived: the order is what tells."""
    made = world(1)
    (order,) = made.orders.values()
    async with running(made) as server, adapter_for(server) as adapter:
        server.faults.kind, server.faults.left, server.faults.method = "empty", 1, "PATCH"
        receipt, failures = await until_accepted(adapter, shipped_for(order))
    assert [one["shipmentNumber"] for one in order.shipments] == ["SH-1042"]
    assert [failure.is_doubtful for failure in failures] == [True]
    assert "the order does not show it" in failures[0].why
    assert receipt.answer.endswith(f"accepted shipment SH-1042 for order {order.id}.")
