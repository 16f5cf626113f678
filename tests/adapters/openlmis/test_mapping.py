"""Objects of the server as records: units, stages, days, and whatever else foreign JSON may hold."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any, get_args

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import RecordRejected
from adapters.exchange import Reply
from adapters.openlmis import fields, mapping
from adapters.openlmis.client import refusal
from adapters.openlmis.outgoing import WRITES, differing, same, units
from adapters.openlmis.papers import OPEN_ORDERS
from adapters.openlmis.rights import read_rights, what_will_not_work
from adapters.supply import Requisition, RequisitionLine, RequisitionStage, Shipment, ShipmentLine, ShipmentStage

KEY = "0e4a3c9b-33b1-4dd0-9e4c-c2ae8f1f2e10"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def a_line(**changes: Any) -> dict[str, Any]:
    return {"id": "line-1", "orderable": {"id": "item-1", "versionNumber": 2}, "requestedQuantity": 10, **changes}


def a_requisition(**changes: Any) -> dict[str, Any]:
    raw = {
        "id": KEY,
        "status": "INITIATED",
        "facility": {"id": "f1"},
        "supplyingFacility": "store",
        "program": {"id": "p1"},
        "processingPeriod": {"id": "period-1"},
        "createdDate": "2026-11-25T10:00:00Z",
        "modifiedDate": "2026-11-25T10:00:00.123+01:00",
        "requisitionLineItems": [a_line()],
    }
    return {**raw, **changes}


def an_order(**changes: Any) -> dict[str, Any]:
    orderable = {"id": "item-1", "netContent": 30, "meta": {"versionNumber": 3}}
    raw = {
        "id": KEY,
        "status": "SHIPPED",
        "orderCode": "ORDER-1",
        "supplyingFacility": {"id": "store"},
        "receivingFacility": {"id": "f1"},
        "orderLineItems": [{"id": "ol", "orderable": orderable, "orderedQuantity": 2}],
    }
    return {**raw, **changes}


def mapped(order: Any, sent: Any = None, proof: Any = None) -> Shipment:
    return mapping.shipment(order, sent, proof, ours=("store",), lots={}, reasons={})


# --- stages ----------------------------------------------------------------------------------------------------------


def test_stages_are_words_of_the_vocabulary() -> None:
    assert set(mapping.REQUISITION_STAGES.values()) <= set(get_args(RequisitionStage))
    assert set(mapping.ORDER_STAGES.values()) <= set(get_args(ShipmentStage))
    assert set(OPEN_ORDERS) == set(mapping.ORDER_STAGES) - {"RECEIVED"}
    stages = {"requisition": get_args(RequisitionStage), "shipment": get_args(ShipmentStage)}
    records = {
        "requisition": Requisition,
        "requisition_line": RequisitionLine,
        "shipment": Shipment,
        "shipment_line": ShipmentLine,
    }
    for write in WRITES:
        assert set(write.stages) <= set(stages[write.record.removesuffix("_line")])
        assert set(write.values.get("stage", ())) <= set(stages[write.record.removesuffix("_line")])
        assert set(write.fields) <= set(records[write.record].__annotations__)
        assert write.effect == "" or write.effect.endswith(".")


@given(st.text(max_size=60).filter(lambda text: text.strip() not in mapping.REQUISITION_STAGES))
def test_an_unknown_status_of_a_requisition_is_kept_and_its_stage_unknown(status: str) -> None:
    found = mapping.requisition(a_requisition(status=status), ())
    assert found.stage == "unknown"
    assert found.status


@given(st.text(max_size=60).filter(lambda text: text.strip() not in mapping.ORDER_STAGES))
def test_an_unknown_status_of_an_order_is_kept_and_its_stage_unknown(status: str) -> None:
    found = mapped(an_order(status=status))
    assert found.stage == "unknown"
    assert found.status


@pytest.mark.parametrize(
    ("proof", "stage"),
    [
        ({"receivedBy": "A", "receivedDate": "2026-11-25"}, "delivered"),
        ({"receivedBy": "A"}, "shipped"),
        ({"receivedDate": [2026, 11, 25]}, "shipped"),
        ({"receivedBy": "A", "receivedDate": [2026, 11, 25]}, "delivered"),
    ],
)
def test_a_filled_proof_makes_a_delivery(proof: dict[str, Any], stage: str) -> None:
    assert mapped(an_order(), {"id": "s", "lineItems": []}, {"id": "p", **proof}).stage == stage
    assert mapped(an_order(status="RECEIVED"), {"id": "s", "lineItems": []}, {"id": "p", **proof}).stage == "received"


# --- quantities, times, sides ----------------------------------------------------------------------------------------


def test_packs_of_an_order_become_units() -> None:
    line = (mapped(an_order(status="ORDERED")).lines or ())[0]
    assert (line.units, line.pack_size, line.is_placeholder) == (60.0, 30.0, True)
    order = an_order(status="ORDERED")
    order["orderLineItems"][0]["totalDispensingUnits"] = 55
    assert (mapped(order).lines or ())[0].units == 55.0


def test_the_comment_of_a_line_follows_the_side_that_writes() -> None:
    raw = a_line(requestedQuantityExplanation="why", remarks="because")
    assert mapping.requisition_line(raw, "INITIATED").comment == "why"
    assert mapping.requisition_line(raw, "IN_APPROVAL").comment == "because"


def test_times_carry_their_zone() -> None:
    found = mapping.requisition(a_requisition(), ())
    assert found.created_ms == 1_795_600_800_000
    assert found.changed_ms == 1_795_600_800_000 - 3_600_000 + 123


@pytest.mark.parametrize(
    ("ours", "side"), [((), "response"), (("store",), "response"), (("f1",), "request"), (("f1", "store"), "response")]
)
def test_the_side_is_ours(ours: tuple[str, ...], side: str) -> None:
    assert mapping.requisition(a_requisition(), ours).side == side


def test_a_version_of_an_item_and_its_pack() -> None:
    found = mapping.item(
        {
            "id": "i",
            "productCode": "C1",
            "netContent": 30,
            "meta": {"versionNumber": 4},
            "programs": [{"programId": "p"}],
        }
    )
    assert (found.version, found.pack_size, found.programs, found.name) == ("4", 30.0, ("p",), "C1")
    assert not mapping.item({"id": "i", "programs": [{"programId": "p", "active": False}]}).is_active
    assert mapping.item({"id": "i", "netContent": 0}).pack_size == 1.0


@pytest.mark.parametrize("value", [-5, 1e15, float("inf"), float("nan"), True, "12", None, 10**400])
def test_absurd_quantities_are_kept_where_possible_and_else_not_told(value: Any) -> None:
    found = mapping.requisition_line(a_line(stockOnHand=value), "INITIATED").stock_units
    assert found == (-5.0 if value == -5 else None)


@pytest.mark.parametrize("value", ["2026-02-30", "9999-99-99", [2026, 13, 1], [1], "x", 7, None, {"a": 1}])
def test_days_that_are_none_are_not_told(value: Any) -> None:
    assert fields.day({"d": value}, "d") is None


# --- anything at all -------------------------------------------------------------------------------------------------

MAKERS: dict[str, Any] = {
    "facility": lambda raw: mapping.facility(raw, ()),
    "program": mapping.program,
    "period": mapping.period,
    "item": mapping.item,
    "stock": lambda raw: mapping.stock_lines(raw, "f", "p", {}),
    "requisition": lambda raw: mapping.requisition(raw, ()),
    "shipment": mapped,
}
NAMES = st.sampled_from(
    ["id", "code", "name", "status", "type", "location", "coordinates", "programs", "meta", "netContent", "lineItems",
     "startDate", "endDate", "canFulfillForMe", "stockCard", "orderable", "lot", "stockOnHand", "requisitionLineItems",
     "statusHistory", "facility", "orderLineItems", "extraData", "identifiers", "createdDate", "modifiedDate"]
)  # fmt: skip
RECORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=15,
)


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=150)
@given(raw=RECORDS | JSON)
def test_no_object_breaks_a_mapper_and_what_it_makes_fits_the_store(kind: str, raw: Any) -> None:
    with contextlib.suppress(RecordRejected):
        made = MAKERS[kind](raw)
        for record in made if isinstance(made, list) else [made]:
            assert record.peer_id
            assert len(record.peer_id) <= 200
            for name in record.__slots__:
                value = getattr(record, name)
                if isinstance(value, float):
                    assert math.isfinite(value)
                if isinstance(value, str):
                    assert "\x00" not in value
                    value.encode("utf-8")


@settings(max_examples=100)
@given(st.data())
def test_any_missing_or_strange_field_leaves_a_record_or_a_reason(data: st.DataObject) -> None:
    raw = a_requisition()
    name = data.draw(st.sampled_from(sorted(raw)))
    raw[name] = data.draw(JSON)
    with contextlib.suppress(RecordRejected):
        found = mapping.requisition(raw, ())
        assert found.peer_id
        assert found.stage in get_args(RequisitionStage)


# --- refusals, comparisons, rights -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messageKey": "a.b", "message": "No."}, ("a.b", "No.")),
        ({"lines": {"messageKey": "a.b", "message": "No."}, "x": {"message": "Twice."}}, ("a.b", "No. Twice.")),
        ({"error": "invalid_token", "error_description": "Old"}, ("invalid_token", "Old")),
        ([], ("", "")),
        ({}, ("", "")),
        ({"messageKey": 7, "message": None}, ("7", "")),
    ],
)
def test_refusals_are_read_in_every_form(body: Any, expected: tuple[str, str]) -> None:
    assert refusal(Reply(400, httpx.Headers(), json.dumps(body).encode())) == expected


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value, allow_nan=True).encode()))
def test_no_refusal_breaks_the_reader(body: bytes) -> None:
    key, said = refusal(Reply(400, httpx.Headers(), body))
    assert isinstance(key, str)
    assert len(said) <= 500


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", " a ", "b"])


@given(SCALARS, SCALARS)
def test_sameness_is_symmetric(one: Any, other: Any) -> None:
    assert same(one, other) == same(other, one)
    assert same(one, one)


@given(st.integers(0, 2**31 - 1))
def test_whole_quantities_pass_as_they_are(value: int) -> None:
    assert units("k", value) == value
    assert units("k", float(value)) == value


def test_what_is_there_already_needs_no_change_and_no_conflict() -> None:
    assert differing("k", {"comment": "x"}, {"comment": "old"}, {"comment": "x"}) == {}
    assert differing("k", {"comment": "x"}, {}, {"comment": "other"}) == {"comment": "x"}


@given(st.lists(JSON, max_size=6))
def test_any_list_of_permissions_is_read(strings: list[Any]) -> None:
    rights = read_rights(strings)
    assert len(what_will_not_work(rights, ships=True)) <= 10
