"""What is sent: every operation holds against the interface, for each version of the server."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate

from adapters.errors import NotReady
from adapters.msupply import MSupplyAdapter, operations
from adapters.msupply.compare import compare
from adapters.msupply.operations import SENT, Dialect, Unlike
from adapters.msupply.simulator import MSupplyServer, running
from adapters.msupply.simulator_api import VERSIONS, lacking, make_schema
from tests.adapters.msupply.support import START_MS, adapter_for, small_world

CONTRACT = Path(__file__).parents[4] / "shared" / "contracts" / "msupply-operations.graphql"
"""The description that is kept beside the project; where it is not, that test is skipped."""


@pytest.mark.parametrize("name", operations.names())
def test_every_operation_holds_against_the_simulators_schema(name: str) -> None:
    assert validate(make_schema(()), operations.document(name)) == []


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != "2.8"])
@pytest.mark.parametrize("name", SENT)
def test_what_is_sent_to_an_older_server_holds_there(name: str, version: str) -> None:
    used = {use for sent in SENT for use in operations.uses(sent)}
    dialect = Dialect(frozenset(lacking(version) & used))
    assert validate(make_schema(lacking(version)), parse(operations.text(name, dialect))) == []


KNOWN: Any = operations.interface().type_map
SELECTED = [kind for kind in operations.types_in_use() if not hasattr(KNOWN[kind], "types")]


@pytest.mark.parametrize("kind", [kind for kind in SELECTED if not getattr(KNOWN[kind], "interfaces", True)])
def test_any_field_that_is_not_essential_can_go(kind: str) -> None:
    """A server that lost a field costs that field: no operation is sent that it would refuse."""
    used = {use for name in SENT for use in operations.uses(name) if use.startswith(f"{kind}.") and "(" not in use}
    gone = sorted(used - operations.ESSENTIAL)
    if len(gone) == len(KNOWN[kind].fields):
        gone = gone[1:]  # no type is without a field
    schema = make_schema(gone)
    for name in SENT:
        if set(gone) & operations.uses(name):
            assert validate(schema, parse(operations.text(name, Dialect(frozenset(gone))))) == [], name


def test_an_essential_field_stops_the_operation_that_needs_it_and_no_other() -> None:
    dialect = Dialect(frozenset({"StockLineNode.packSize"}))
    with pytest.raises(Unlike, match=r"StockLineNode\.packSize.*integrations compare"):
        operations.text("StockLines", dialect)
    assert "shippedDatetime" in operations.text("ShipmentsWithLines", dialect)


@pytest.mark.parametrize("declared", ["InvoiceTypeInput", "[InvoiceTypeInput!]", "InvoiceTypeInput!"])
def test_one_invoice_is_asked_for_with_its_type_as_the_server_declares_it(declared: str) -> None:
    text = operations.text("ShipmentDetail", Dialect(shipment_type=declared))
    assert f"$type: {declared}" in text
    assert "type: $type" in text


async def test_a_server_of_today_shows_no_difference() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        assert await compare(adapter) == []
        assert server.account.sign_ins == 0, "introspection is open"


async def test_an_older_server_shows_named_differences() -> None:
    async with running(small_world(), version="2.12") as server, adapter_for(server) as adapter:
        found = {
            (difference.operation, difference.what): difference.consequence for difference in await compare(adapter)
        }
    key = ("ShipmentsWithLines", "Unknown argument 'type' on field 'Queries.invoices'")
    assert found[key] == "Sent without it to this server."
    assert {operation for operation, _ in found} == {"ShipmentsWithLines", "ShipmentsByType", "RecordHistory"}


async def test_a_lost_field_is_named_with_what_follows() -> None:
    removed = ["ItemNode.venCategory", "StockLineNode.packSize", "Queries.requisitions"]
    async with running(small_world(), removed=removed) as server, adapter_for(server) as adapter:
        found = {(d.operation, re.sub(r"\W+", " ", d.what).split()[3]): d.consequence for d in await compare(adapter)}
    assert found["Items", "venCategory"] == "Left out when it is sent to this server."
    assert found["StockLines", "packSize"] == "This operation is not sent to this server."
    assert found["RequisitionsWithLines", "requisitions"] == "This operation is not sent to this server."
    assert found["Requisitions", "requisitions"] == "Not sent by this console at present."


async def test_the_dialect_is_learned_once_per_start() -> None:
    async with running(small_world(), version="2.12") as server, adapter_for(server) as adapter:
        await adapter.check(lambda _: None)
        async for _ in adapter.fetch({}):
            pass
        asked = [request for request in server.seen if "__schema" in request["query"]]
        assert len(asked) == 1
        sent = [request["query"] for request in server.seen if "ShipmentsWithLines" in request["query"]]
        assert sent
        assert not any("type: $type" in query for query in sent)


@pytest.mark.skipif(not CONTRACT.exists(), reason="the checked operation file is not beside this repository")
def test_our_copy_holds_the_checked_operations_unchanged() -> None:
    checked = parse(CONTRACT.read_text(encoding="utf-8"), no_location=True).definitions
    ours = parse(operations.operations_text(), no_location=True).definitions
    assert [node for node in checked if node not in ours] == []


@pytest.mark.skipif("BIKO_MSUPPLY_URL" not in os.environ, reason="no live mSupply is configured (BIKO_MSUPPLY_URL)")
async def test_a_live_server_offers_what_is_sent() -> None:
    url = os.environ["BIKO_MSUPPLY_URL"]
    server = MSupplyServer(small_world(now_ms=START_MS))
    settings: dict[str, Any] = {"url": url, "fingerprint": os.environ.get("BIKO_MSUPPLY_FINGERPRINT", "")}
    from app.kit import tls_context

    async with adapter_for(server, tls=tls_context(settings["fingerprint"]), **settings) as adapter:
        assert isinstance(adapter, MSupplyAdapter)
        try:
            found = await compare(adapter)
        except NotReady as err:
            pytest.fail(err.why)
    for difference in found:
        print(f"{difference.operation}: {difference.what}. {difference.consequence}")
    assert [difference for difference in found if "not sent" in difference.consequence.lower()] == []
