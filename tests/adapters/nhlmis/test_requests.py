"""From rows to bytes: the mapping of names, groups, sizes and units, whatever the profile says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.connect import parse_address
from adapters.nhlmis import paths
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.profile_files import read_profile
from adapters.nhlmis.requests import (
    Wire,
    batch_requests,
    count_requests,
    order_request,
    orders_request,
    outgoing,
    shipment_request,
)
from adapters.reporting import BLANK, Shipped, ShippedLine, StockRow

AT_MS = 1_790_000_000_000  # 2026-09-21T14:13:20Z
ROW = StockRow(
    key="line-1",
    store_code="KN-CMS",
    item_code="AL-20-120",
    packs=12,
    pack_size=30,
    counted_ms=AT_MS,
    batch="NG2406A",
    expires_on="2027-08-31",
    program="Malaria",
    funder="Global Fund",
)


def wire(**profile: Any) -> Wire:
    return Wire(parse_address("https://nhlmis.example.org/v1"), read_profile(json.dumps(profile)))


def test_batches_are_told_as_the_default_profile_says() -> None:
    (request,) = batch_requests(wire(), "KN-CMS", [ROW])
    assert (request.method, request.url) == ("POST", "https://nhlmis.example.org/v1/batches")
    assert request.headers == (
        ("Host", "nhlmis.example.org"),
        ("User-Agent", "biko-console"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip"),
        ("X-API-Key", BLANK),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(request.body))),
    )
    assert request.body_text == (
        '[{"itemCode":"AL-20-120","packSize":30,"batchNumber":"NG2406A","expiryDate":"2027-08-31",'
        '"program":"Malaria","funder":"Global Fund"}]'
    )
    assert [record.rows for record in request.records] == [("line-1",)]


def test_counts_are_told_as_the_default_profile_says() -> None:
    (request,) = count_requests(wire(), "KN-CMS", [ROW])
    assert json.loads(request.body) == [
        {
            "storeCode": "KN-CMS",
            "itemCode": "AL-20-120",
            "batchNumber": "NG2406A",
            "packSize": 30,
            "quantity": 12,
            "countedAt": "2026-09-21T14:13:20Z",
            "program": "Malaria",
            "funder": "Global Fund",
        }
    ]


def test_a_batch_in_two_places_is_told_once_and_counted_together() -> None:
    rows = [
        ROW,
        replace(ROW, key="line-2", packs=0.5, counted_ms=AT_MS + 60_000),
        replace(ROW, key="line-3", batch="B"),
    ]
    (batches,) = batch_requests(wire(), "KN-CMS", rows)
    assert [record.rows for record in batches.records] == [("line-1", "line-2"), ("line-3",)]
    (counts,) = count_requests(wire(), "KN-CMS", rows)
    told = json.loads(counts.body)
    assert [(one["batchNumber"], one["quantity"], one["countedAt"]) for one in told] == [
        ("NG2406A", 12.5, "2026-09-21T14:14:20Z"),
        ("B", 12, "2026-09-21T14:13:20Z"),
    ]


def test_another_profile_gives_other_names_places_verbs_and_units() -> None:
    other = wire(
        auth={"header": "Authorization", "scheme": "Bearer"},
        methods={"stock_counts": "PUT"},
        paths={"stock_counts": "/inventory/counts"},
        fields={
            "stock_count": {"item_code": "product.code", "pack_size": "product.pack", "store_code": "", "funder": ""}
        },
        constants={"stock_count": {"product.system": "NHLMIS", "source": "depot"}},
        bodies={"stock_counts": {"shape": "object", "list_path": "data.rows", "store_path": "data.facility"}},
        formats={"time": "epoch_ms"},
        units={"stock_counts": "units"},
    )
    (request,) = count_requests(other, "KN-CMS", [ROW])
    assert (request.method, request.url) == ("PUT", "https://nhlmis.example.org/v1/inventory/counts")
    assert ("Authorization", f"Bearer {BLANK}") in request.headers
    assert json.loads(request.body) == {
        "data": {
            "facility": "KN-CMS",
            "rows": [
                {
                    "product": {"system": "NHLMIS", "code": "AL-20-120", "pack": 30},
                    "source": "depot",
                    "batchNumber": "NG2406A",
                    "quantity": 360,
                    "countedAt": AT_MS,
                    "program": "Malaria",
                }
            ],
        }
    }


@pytest.mark.parametrize(
    ("formats", "day"),
    [("compact", "20270831"), ("day_first", "31/08/2027"), ("time", "2027-08-31T00:00:00Z"), ("iso", "2027-08-31")],
)
def test_days_are_written_as_the_profile_says(formats: str, day: str) -> None:
    (request,) = batch_requests(wire(formats={"day": formats}), "KN-CMS", [ROW])
    assert json.loads(request.body)[0]["expiryDate"] == day


def test_what_is_empty_is_left_out_or_null_as_the_profile_says() -> None:
    row = replace(ROW, expires_on=None)
    (request,) = batch_requests(wire(omit_when_empty={"batch": ["gtin"]}), "KN-CMS", [row])
    told = json.loads(request.body)[0]
    assert told["expiryDate"] is None
    assert told["manufacturer"] is None
    assert "gtin" not in told


def test_another_pack_size_goes_under_its_childs_code() -> None:
    children = {"children": {"AL-20-120": {"30": "AL-30", "60.5": "AL-60"}}}
    for size, code in ((30, "AL-30"), (60.5, "AL-60"), (10, "AL-20-120")):
        (request,) = count_requests(wire(stock=children), "KN-CMS", [replace(ROW, pack_size=size)])
        assert json.loads(request.body)[0]["itemCode"] == code


def test_one_record_in_each_call_where_the_profile_says_so() -> None:
    single = wire(bodies={"batches": {"shape": "single"}})
    requests = batch_requests(single, "KN-CMS", [ROW, replace(ROW, key="line-2", batch="B")])
    assert [json.loads(request.body)["batchNumber"] for request in requests] == ["NG2406A", "B"]


def test_orders_are_asked_for_page_by_page() -> None:
    base = "https://nhlmis.example.org/v1/orders?genericParent=True"
    assert orders_request(wire(), "", 0).url == f"{base}&page=1&pageSize=50"
    since = orders_request(wire(), "2026-09-21T14:13:20Z", 2)
    assert since.url == f"{base}&since=2026-09-21T14%3A13%3A20Z&page=3&pageSize=50"
    assert not since.body
    offset = wire(orders={"paging": "offset", "page_param": "skip", "size_param": "take", "params": {}})
    assert orders_request(offset, "", 2).url == "https://nhlmis.example.org/v1/orders?skip=100&take=50"
    assert orders_request(wire(orders={"paging": "none", "params": {}}), "", 0).url.endswith("/v1/orders")


def test_one_order_is_asked_for_with_the_same_parameters() -> None:
    request = order_request(wire(), "a/b?c#d é")
    assert request.url == "https://nhlmis.example.org/v1/orders/a%2Fb%3Fc%23d%20%C3%A9?genericParent=True"


@pytest.mark.parametrize("order_id", ["", " ", ".", "..", "a\nb", "\x00"])
def test_an_id_that_no_path_can_hold_is_refused(order_id: str) -> None:
    with pytest.raises(ValueError, match="cannot be an order's id"):
        order_request(wire(), order_id)


def test_a_shipment_is_told_on_its_order() -> None:
    shipped = Shipped("ORD-7", "SH-1042", AT_MS, None, (ShippedLine("AL-20-120", 5, 30, "NG2406A", "2027-08-31"),))
    request = shipment_request(wire(shipments={"key_header": "Idempotency-Key"}), shipped, "0189-key")
    assert (request.method, request.url) == ("PATCH", "https://nhlmis.example.org/v1/orders/ORD-7")
    assert ("Idempotency-Key", "0189-key") in request.headers
    assert json.loads(request.body) == {
        "shipmentNumber": "SH-1042",
        "dispatchedAt": "2026-09-21T14:13:20Z",
        "lines": [
            {
                "itemCode": "AL-20-120",
                "batchNumber": "NG2406A",
                "expiryDate": "2027-08-31",
                "packSize": 30,
                "quantity": 5,
            }
        ],
    }
    assert Shipped.from_text(shipped.as_text()) == shipped
    assert shipped.key == Shipped("ORD-7", "SH-1042", 0).key != Shipped("ORD-7", "SH-1043", 0).key


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"lines": [7]}', '{"lines": [], "colour": 1}', "[" * 100_000])
def test_what_is_no_shipment_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Shipped.from_text(text)


def test_the_secret_goes_into_its_header_alone() -> None:
    request = batch_requests(wire(), "KN-CMS", [replace(ROW, batch=BLANK)])[0]
    signed = request.signed("top-secret")
    assert ("X-API-Key", "top-secret") in signed.headers
    assert signed.body == request.body
    assert "top-secret" not in repr(request)
    assert signed.digest == request.digest


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ROWS = st.builds(
    StockRow,
    key=st.uuids().map(str),
    store_code=st.just("KN-CMS"),
    item_code=st.sampled_from(["AL", "RDT", "ACT"]),
    packs=st.integers(0, 10_000).map(lambda count: count / 4),
    pack_size=st.sampled_from([1.0, 10.0, 25.0, 0.5]),
    counted_ms=st.integers(AT_MS, AT_MS + 86_400_000),
    batch=st.sampled_from(["", "A", "B"]) | TEXTS,
    expires_on=st.none() | st.dates().map(str),
    program=TEXTS,
    funder=TEXTS,
)


@given(st.lists(ROWS, max_size=30), st.integers(1, 7), st.sampled_from(["packs", "units"]))
def test_every_row_is_told_once_and_no_pack_is_lost(rows: list[StockRow], size: int, unit: str) -> None:
    made = wire(batching={"max_records": size}, units={"stock_counts": unit})
    for requests in (batch_requests(made, "KN-CMS", rows), count_requests(made, "KN-CMS", rows)):
        told = [key for request in requests for record in request.records for key in record.rows]
        assert sorted(told) == sorted(row.key for row in rows)
        assert all(len(json.loads(request.body)) == len(request.records) <= size for request in requests)
    counts = [one for request in count_requests(made, "KN-CMS", rows) for one in json.loads(request.body)]
    total = sum(row.packs * (row.pack_size if unit == "units" else 1) for row in rows)
    assert sum(one["quantity"] for one in counts) == pytest.approx(total)


FIELD_NAMES = sorted(Profile().outgoing("batch"))
PLACES = st.lists(st.text(st.sampled_from("abc"), min_size=1, max_size=2), min_size=1, max_size=3).map(".".join)


@given(
    st.dictionaries(st.sampled_from(FIELD_NAMES), PLACES, min_size=1),
    st.dictionaries(st.sampled_from(FIELD_NAMES), st.none() | TEXTS | st.integers(), min_size=1),
    st.lists(st.sampled_from(FIELD_NAMES), max_size=3),
)
def test_every_value_stands_at_its_place(places: dict[str, str], values: dict[str, Any], omitted: list[str]) -> None:
    if paths.clash(places.items()) is not None:
        return
    fields = {name: places.get(name, "") for name in FIELD_NAMES}
    profile = read_profile(json.dumps({"fields": {"batch": fields}, "omit_when_empty": {"batch": omitted}}))
    record = outgoing(profile, "batch", values)
    for name, path in places.items():
        empty = values.get(name) in (None, "")
        assert paths.read(record, path) == (None if empty else values[name])
    expected = [n for n, p in places.items() if n in values and not (values[n] in (None, "") and n in omitted)]
    assert len(paths.flatten(record)) == max(len(expected), 1)
