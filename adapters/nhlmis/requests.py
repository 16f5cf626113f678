"""From rows to the exact requests, and nothing else: no network, no clock, no state.

A dry run shows what these functions give, and :mod:`adapters.nhlmis.client` sends what they give (nhlmis.md, A2, A3,
C2). All headers are listed, those that HTTP itself needs among them, so that nothing is added on the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

from adapters.connect import Address
from adapters.nhlmis import paths
from adapters.nhlmis.profile import Body, Payload, Profile
from adapters.reporting import BLANK, ExactRequest, SentRecord, Shipped, Step, StockRow, json_text
from adapters.vocabulary import JsonScalar

USER_AGENT = "biko-console"
Values = Mapping[str, JsonScalar]


@dataclass(frozen=True, slots=True)
class Wire:
    """What every request needs: where to, and how it is signed."""

    address: Address
    profile: Profile

    def get(self, path: str, params: Sequence[tuple[str, str]] = (), *, step: str) -> ExactRequest:
        """A reading call."""
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        return ExactRequest(step, "GET", f"{self.address.url}{path}{query}", self._headers())

    def call(
        self,
        method: str,
        path: str,
        body: object,
        *,
        step: str,
        store: str = "",
        records: Sequence[SentRecord] = (),
        extra: Sequence[tuple[str, str]] = (),
    ) -> ExactRequest:
        """A call with a JSON body."""
        data = json_text(body).encode()
        about = (("Content-Type", "application/json"), ("Content-Length", str(len(data))))
        url = f"{self.address.url}{path}"
        return ExactRequest(step, method, url, (*self._headers(), *extra, *about), data, store, tuple(records))

    def _headers(self) -> tuple[tuple[str, str], ...]:
        auth = self.profile.auth
        return (
            ("Host", self.address.authority),
            ("User-Agent", USER_AGENT),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip"),
            (auth.header, f"{auth.scheme} {BLANK}".strip()),
        )


# --- stock ------------------------------------------------------------------------------------------------------------


def batch_requests(wire: Wire, store: str, rows: Sequence[StockRow]) -> list[ExactRequest]:
    """The calls that tell of one store's batches; a batch that lies in several places is told once."""
    grouped: dict[tuple[JsonScalar, ...], list[StockRow]] = defaultdict(list)
    for row in rows:
        grouped[tuple(_batch_values(wire.profile, row).values())].append(row)
    records = [
        (_sent(wire.profile, group), outgoing(wire.profile, "batch", _batch_values(wire.profile, group[0])))
        for group in grouped.values()
    ]
    body = wire.profile.bodies.batches
    return _split(wire, "batches", wire.profile.methods.batches, wire.profile.paths.batches, store, body, records)


def count_requests(wire: Wire, store: str, rows: Sequence[StockRow]) -> list[ExactRequest]:
    """The calls that tell of one store's quantities; rows that count the same batch are added up."""
    grouped: dict[tuple[JsonScalar, ...], list[StockRow]] = defaultdict(list)
    for row in rows:
        values = _count_values(wire.profile, [row])
        grouped[tuple(value for name, value in values.items() if name not in ("quantity", "counted_at"))].append(row)
    records = [
        (_sent(wire.profile, group), outgoing(wire.profile, "stock_count", _count_values(wire.profile, group)))
        for group in grouped.values()
    ]
    profile = wire.profile
    method, path = profile.methods.stock_counts, profile.paths.stock_counts
    return _split(wire, "stock_counts", method, path, store, profile.bodies.stock_counts, records)


def sent_code(profile: Profile, row: StockRow) -> str:
    """The code under which a row is told: that of its pack size where the item has children (nhlmis.md, A3)."""
    children = profile.stock.children.get(row.item_code, {})
    return next((code for size, code in children.items() if float(size) == row.pack_size), row.item_code)


def _batch_values(profile: Profile, row: StockRow) -> Values:
    return {
        "item_code": sent_code(profile, row),
        "pack_size": number(row.pack_size),
        "batch": row.batch,
        "expires_on": day_text(profile, row.expires_on),
        "manufacturer": row.manufacturer,
        "program": row.program,
        "funder": row.funder,
        "gtin": row.gtin,
        "store_code": row.store_code,
    }


def _count_values(profile: Profile, rows: Sequence[StockRow]) -> Values:
    row = rows[0]
    packs = sum(one.packs for one in rows)
    return {
        "store_code": row.store_code,
        "item_code": sent_code(profile, row),
        "batch": row.batch,
        "expires_on": day_text(profile, row.expires_on),
        "pack_size": number(row.pack_size),
        "quantity": _quantity(packs, row.pack_size, profile.units.stock_counts),
        "counted_at": time_value(profile, max(one.counted_ms for one in rows)),
        "program": row.program,
        "funder": row.funder,
    }


def _sent(profile: Profile, rows: Sequence[StockRow]) -> SentRecord:
    return SentRecord(tuple(row.key for row in rows), sent_code(profile, rows[0]), rows[0].batch)


def _split(
    wire: Wire,
    step: Step,
    method: str,
    path: str,
    store: str,
    body: Body,
    records: Sequence[tuple[SentRecord, dict[str, Any]]],
) -> list[ExactRequest]:
    size = 1 if body.shape == "single" else wire.profile.batching.max_records
    made = []
    for at in range(0, len(records), size):
        page = records[at : at + size]
        content = _wrapped(body, store, [record for _, record in page])
        sent = [sent for sent, _ in page]
        made.append(wire.call(method, path, content, step=step, store=store, records=sent))
    return made


def _wrapped(body: Body, store: str, records: list[dict[str, Any]]) -> object:
    if body.shape == "single":
        return records[0]
    if body.shape == "list":
        return records
    whole: dict[str, Any] = {}
    for path, value in body.constants.items():
        paths.write(whole, path, value)
    if body.store_path:
        paths.write(whole, body.store_path, store)
    paths.write(whole, body.list_path, records)
    return whole


# --- orders -----------------------------------------------------------------------------------------------------------


def orders_request(wire: Wire, since: str, page: int, *, size: int | None = None) -> ExactRequest:
    """One page of new orders, counted from 0. ``since`` is the parameter's text, "" for all there are."""
    orders = wire.profile.orders
    size = size or orders.page_size
    params = list(orders.params.items())
    if since and orders.since_param:
        params.append((orders.since_param, since))
    if orders.paging != "none":
        place = page * size if orders.paging == "offset" else page + orders.first_page
        params.append((orders.page_param, str(place)))
        if orders.size_param:
            params.append((orders.size_param, str(size)))
    return wire.get(wire.profile.paths.orders, params, step="orders")


def order_request(wire: Wire, order_id: str) -> ExactRequest:
    """One order, with the same fixed parameters as the list. Raises ValueError for an id that no path can hold."""
    path = _with_id(wire.profile.paths.order, order_id)
    return wire.get(path, list(wire.profile.orders.params.items()), step="order")


def shipment_request(wire: Wire, shipped: Shipped, key: str = "") -> ExactRequest:
    """The call that tells of a shipment. Raises ValueError like :func:`order_request`."""
    profile = wire.profile
    body = outgoing(
        profile,
        "shipment",
        {
            "order_id": shipped.order_id,
            "number": shipped.number,
            "dispatched_at": time_value(profile, shipped.dispatched_ms),
            "delivered_at": time_value(profile, shipped.delivered_ms) if shipped.delivered_ms is not None else None,
        },
    )
    lines = [
        outgoing(
            profile,
            "shipment_line",
            {
                "item_code": line.item_code,
                "batch": line.batch,
                "expires_on": day_text(profile, line.expires_on),
                "pack_size": number(line.pack_size),
                "quantity": _quantity(line.packs, line.pack_size, profile.units.shipments),
            },
        )
        for line in shipped.lines
    ]
    paths.write(body, profile.fields.shipment.lines, lines)
    header = profile.shipments.key_header
    return wire.call(
        profile.methods.shipment,
        _with_id(profile.paths.shipment, shipped.order_id),
        body,
        step="shipment",
        records=[SentRecord((line.item_code,), line.item_code, line.batch) for line in shipped.lines],
        extra=((header, key),) if header and key else (),
    )


def _with_id(path: str, order_id: str) -> str:
    if not order_id.strip() or order_id in (".", "..") or not order_id.isprintable():
        raise ValueError(f"“{order_id[:100]}” cannot be an order's id.")
    return path.replace("{id}", quote(order_id, safe=""))


# --- values -----------------------------------------------------------------------------------------------------------


def outgoing(profile: Profile, payload: Payload, values: Values) -> dict[str, Any]:
    """One record in the profile's words: constants, then our fields at their places; empty ones left out or null."""
    record: dict[str, Any] = {}
    for path, constant in profile.constants_of(payload).items():
        paths.write(record, path, constant)
    left_out = profile.omitted(payload)
    for name, path in profile.outgoing(payload).items():
        if not path or name not in values:
            continue
        value = values[name]
        is_empty = value is None or value == ""
        if not (is_empty and name in left_out):
            paths.write(record, path, None if is_empty else value)
    return record


def number(value: float) -> int | float:
    """A whole number without its point: 12, not 12.0."""
    return int(value) if float(value).is_integer() else value


def _quantity(packs: float, pack_size: float, unit: Literal["packs", "units"]) -> int | float:
    return number(round(packs * (pack_size if unit == "units" else 1.0), 6))


def time_value(profile: Profile, at_ms: int) -> JsonScalar:
    """A moment as the profile writes it."""
    match profile.formats.time:
        case "epoch_ms":
            return at_ms
        case "epoch_s":
            return at_ms // 1000
        case "date":
            return iso(at_ms)[:10]
        case "iso_ms":
            return f"{iso(at_ms)[:-1]}.{at_ms % 1000:03d}Z"
        case _:
            return iso(at_ms)


def day_text(profile: Profile, day: str | None) -> JsonScalar:
    """An ISO day as the profile writes days."""
    if not day:
        return None
    match profile.formats.day:
        case "compact":
            return day.replace("-", "")
        case "day_first":
            return "/".join(reversed(day.split("-")))
        case "time":
            return f"{day}T00:00:00Z"
        case _:
            return day


def since_text(profile: Profile, at_ms: int) -> str:
    """A moment as the since parameter wants it."""
    match profile.orders.since_format:
        case "epoch_ms":
            return str(at_ms)
        case "epoch_s":
            return str(at_ms // 1000)
        case "date":
            return iso(at_ms)[:10]
        case _:
            return iso(at_ms)


def iso(at_ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
