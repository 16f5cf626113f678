"""Mapping foreign records: any JSON is read or set aside, packs and units agree, unknown words stay readable."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import RecordRejected
from adapters.msupply import fields, mapping
from adapters.msupply.mapping import Store
from adapters.supply import RequisitionStage, ShipmentStage

PLACE = Store("store-1", "SCMS", "Central", "name-1")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
REQUISITION: dict[str, Any] = {
    "id": "r1", "requisitionNumber": 7, "type": "RESPONSE", "status": "NEW", "approvalStatus": "NONE",
    "isEmergency": False, "otherPartyId": "name-2", "createdDatetime": "2026-11-01T08:00:00Z", "programName": "Malaria",
    "lines": {"totalCount": 1, "nodes": [{"id": "l1", "itemId": "i1", "requestedQuantity": 100, "supplyQuantity": 20}]},
    "shipments": {"totalCount": 0}, "linkedRequisition": None, "period": None,
}  # fmt: skip
SHIPMENT: dict[str, Any] = {
    "id": "s1", "invoiceNumber": 42, "type": "OUTBOUND_SHIPMENT", "status": "SHIPPED", "onHold": False,
    "otherPartyId": "name-2", "createdDatetime": "2026-11-01T08:00:00Z", "expectedDeliveryDate": "2026-11-05",
    "lines": {"nodes": [{"id": "l1", "type": "STOCK_OUT", "itemId": "i1", "packSize": 30, "numberOfPacks": 4}]},
}  # fmt: skip
STOCK: dict[str, Any] = {
    "id": "k1", "itemId": "i1", "batch": "B1", "expiryDate": "2028-01-31", "packSize": 30, "totalNumberOfPacks": 12,
    "availableNumberOfPacks": 10, "onHold": False, "program": {"id": "p1"},
}  # fmt: skip
ITEM: dict[str, Any] = {"id": "i1", "code": "NG1", "name": "Paracetamol", "unitName": "tablet", "defaultPackSize": 1000}
NAME: dict[str, Any] = {"id": "n1", "code": "NGS1", "name": "PHC Lapai", "type": "FACILITY", "isCustomer": True}

MAKERS: list[tuple[Any, dict[str, Any]]] = [
    (lambda raw: mapping.requisition(raw, PLACE, {"Malaria": "p1"}), REQUISITION),
    (lambda raw: mapping.shipment(raw, PLACE), SHIPMENT),
    (lambda raw: mapping.stock_line(raw, PLACE, {"i1": 40.0}), STOCK),
    (mapping.item, ITEM),
    (mapping.facility, NAME),
    (mapping.program, {"id": "p1", "name": "Malaria", "elmisCode": "MAL"}),
    (mapping.store, {"id": "s1", "code": "SCMS", "name": "Central", "nameId": "n1", "isDisabled": False}),
    (mapping.period, REQUISITION),
    (mapping.monthly_units, {"id": "i1", "stats": {"averageMonthlyConsumption": 4}}),
]


def made(make: Any, raw: object) -> tuple[Any, str]:
    """The record, or why it was set aside."""
    try:
        return make(raw), ""
    except RecordRejected as err:
        return None, err.why


@pytest.mark.parametrize("maker", range(len(MAKERS)))
@given(raw=JSON)
def test_any_json_is_read_or_set_aside(maker: int, raw: object) -> None:
    make, _ = MAKERS[maker]
    _, why = made(make, raw)
    assert not why or why.endswith(".")


@pytest.mark.parametrize("maker", range(len(MAKERS)))
@given(data=st.data())
def test_a_good_record_with_any_field_spoiled_is_read_or_set_aside(maker: int, data: st.DataObject) -> None:
    make, good = MAKERS[maker]
    name = data.draw(st.sampled_from(sorted(good)))
    record, why = made(make, {**good, name: data.draw(JSON)})
    assert not why or (record is None and why.endswith("."))
    str(record).encode()  # no lone surrogate is left for a database to refuse


@given(packs=st.floats(0, 1e6), size=st.floats(0.001, 1e4))
def test_packs_and_units_go_there_and_back(packs: float, size: float) -> None:
    amount = mapping.units(packs, size)
    assert mapping.packs(amount, size) == pytest.approx(packs, rel=1e-12, abs=1e-6 / size)


@given(packs=st.integers(0, 100_000), size=st.sampled_from([0.5, 1, 3, 10, 28, 30, 144, 672, 1000]))
def test_whole_packs_are_whole_units_exactly(packs: int, size: float) -> None:
    raw = {**STOCK, "packSize": size, "totalNumberOfPacks": packs, "availableNumberOfPacks": packs}
    line = mapping.stock_line(raw, PLACE, {})
    assert line.units == line.available_units == packs * size
    assert mapping.packs(line.units, line.pack_size) == packs


@given(word=st.text(max_size=60))
def test_unknown_words_of_status_are_the_stage_unknown_and_stay_readable(word: str) -> None:
    shipment = mapping.shipment({**SHIPMENT, "status": word}, PLACE)
    assert shipment.stage in get_args(ShipmentStage)
    for kind in ("REQUEST", "RESPONSE"):
        paper = mapping.requisition({**REQUISITION, "type": kind, "status": word}, PLACE, {})
        assert paper.stage in get_args(RequisitionStage)
        if word not in ("NEW", "DRAFT", "SENT", "FINALISED"):
            assert paper.stage == "unknown"
            assert paper.status == fields.clean(word)[:40].strip()
    if word not in mapping.SHIPMENT_STAGES:
        assert shipment.stage == "unknown"


@pytest.mark.parametrize(
    ("side", "status", "approval", "shipments", "stage"),
    [
        ("REQUEST", "DRAFT", "NONE", 0, "draft"),
        ("REQUEST", "SENT", "NONE", 0, "submitted"),
        ("REQUEST", "FINALISED", "NONE", 0, "closed"),
        ("RESPONSE", "NEW", "NONE", 0, "submitted"),
        ("RESPONSE", "NEW", "PENDING", 0, "in_approval"),
        ("RESPONSE", "NEW", "DENIED", 0, "rejected"),
        ("RESPONSE", "NEW", "APPROVED", 0, "approved"),
        ("RESPONSE", "NEW", "NONE", 2, "ordered"),
        ("RESPONSE", "FINALISED", "DENIED", 2, "closed"),
        ("RESPONSE", "SENT", "NONE", 0, "unknown"),
    ],
)
def test_stages_of_requisitions(side: str, status: str, approval: str, shipments: int, stage: str) -> None:
    raw = {**REQUISITION, "type": side, "status": status, "approvalStatus": approval}
    raw["shipments"] = {"totalCount": shipments}
    assert mapping.requisition(raw, PLACE, {}).stage == stage


def test_sides_and_quantities() -> None:
    response = mapping.requisition(REQUISITION, PLACE, {"Malaria": "p1"})
    assert (response.facility, response.supplier, response.program) == ("name-2", "name-1", "p1")
    assert response.lines is not None
    assert (response.lines[0].requested_units, response.lines[0].supply_units) == (100, 20)
    request = mapping.requisition({**REQUISITION, "type": "REQUEST", "status": "SENT"}, PLACE, {})
    assert (request.facility, request.supplier) == ("name-1", "name-2")
    assert request.lines is not None
    assert request.lines[0].supply_units is None, "what is supplied stands in the supplier's paper"
    shipment = mapping.shipment(SHIPMENT, PLACE)
    assert shipment.lines is not None
    assert (shipment.sender, shipment.receiver, shipment.lines[0].units) == ("name-1", "name-2", 120)
    inbound = mapping.shipment({**SHIPMENT, "type": "INBOUND_SHIPMENT"}, PLACE)
    assert (inbound.sender, inbound.receiver) == ("name-2", "name-1")


@pytest.mark.parametrize("kind", ["PATIENT", "INVAD", "REPACK", "BUILD"])
def test_patients_and_names_of_bookings_never_come(kind: str) -> None:
    assert mapping.facility({**NAME, "type": kind}) is None


def test_a_number_that_is_not_assigned_yet_is_none() -> None:
    assert mapping.shipment({**SHIPMENT, "invoiceNumber": -1}, PLACE).number == ""


def test_a_placeholder_is_marked_and_freight_is_no_line() -> None:
    line = {"id": "l2", "type": "UNALLOCATED_STOCK", "itemId": "i1", "packSize": 30, "numberOfPacks": 1}
    freight = {**line, "id": "l3", "type": "SERVICE"}
    lines = mapping.shipment({**SHIPMENT, "lines": {"nodes": [line, freight]}}, PLACE).lines
    assert lines is not None
    assert [(found.peer_id, found.is_placeholder) for found in lines] == [("l2", True)]


def test_an_absurd_quantity_in_a_requisition_is_named_and_the_rest_stays() -> None:
    line = {
        "id": "l1",
        "itemId": "i1",
        "requestedQuantity": -5,
        "supplyQuantity": 1e300,
        "daysOutOfStock": 3,
    }
    found = mapping.requisition({**REQUISITION, "lines": {"nodes": [line]}}, PLACE, {}).lines
    assert found is not None
    assert (found[0].requested_units, found[0].supply_units, found[0].stockout_days) == (None, None, 3)
    assert (found[0].attributes or {})["unreadable"] == "requestedQuantity, supplyQuantity"


@pytest.mark.parametrize(
    ("text", "day"), [("2026-02-30", None), ("0001-01-01", None), ("9999-12-31", None), ("2026-02-28", "2026-02-28")]
)
def test_dates_out_of_range_are_left_out(text: str, day: str | None) -> None:
    assert mapping.stock_line({**STOCK, "expiryDate": text}, PLACE, {}).expires_on == day
