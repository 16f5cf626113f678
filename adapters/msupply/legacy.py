"""The older mSupply (4D) by its REST interface ``api/v4``, read only (msupply.md, section 10).

What is public of it is incomplete: paths are settings, and a field is looked for under each name that is known for it.
One account acts for one customer, so there are two facilities: that customer and the store that supplies it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from adapters.base import CheckStep, Identity, Kit, Layer
from adapters.connect import Address, capital, parse_address, walk
from adapters.cursors import dump, load
from adapters.errors import AuthFailed, BadReply, RecordRejected
from adapters.exchange import Reply, exchange, status_error
from adapters.msupply import fields
from adapters.msupply.mapping import units
from adapters.msupply.settings import MSupplySettings
from adapters.records import Batch, Record, Rejected
from adapters.supply import Facility, FullRead, Item, Shipment, ShipmentLine, ShipmentStage, StockLine, StreamRead

MOST_BYTES = 64_000_000
TOKEN_LIFE_S = 2 * 3600 - 300
MINUTE_MS = 60_000
CUSTOMER, SUPPLIER = "customer", "supplier"

NAMES: Mapping[str, tuple[str, ...]] = {
    "token": ("token", "jwt", "accessToken", "access_token"),
    "code": ("itemCode", "code", "item_code"),
    "name": ("itemName", "name", "item_name"),
    "batch": ("batch", "batchNumber"),
    "expiry": ("expiryDate", "expiry", "expiry_date"),
    "pack_size": ("packSize", "pack_size", "packsize"),
    "packs": ("numberOfPacks", "quantity", "packs", "quan"),
    "number": ("invoiceNumber", "number", "serialNumber"),
    "lines": ("lines", "items", "invoiceLines"),
}
"""Under which names sites are known to send a field; the first that is there counts."""


class Legacy:
    """One account on one older server."""

    def __init__(self, settings: MSupplySettings, kit: Kit) -> None:
        self.address = v4_address(settings.url)
        self.peer = f"the mSupply server {self.address.authority}"
        self._settings = settings
        self._kit = kit
        self._turn = asyncio.Lock()
        self._token = ""
        self._ends_at = 0.0

    @property
    def _name(self) -> str:
        return capital(self.peer)

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk the layers that this interface has; it tells neither version nor permissions."""
        await walk(self.address, self._kit.tls, step, peer=self.peer, fingerprint=self._settings.fingerprint)
        async with self._turn:
            await self._sign_in()
        step(CheckStep(Layer.SIGN_IN, ok=True, detail=f"Signed in as {self._settings.username}."))
        lines = await self._list(self._settings.stock_path)
        step(
            CheckStep(Layer.PERMISSION, ok=True, detail=f"{len(lines)} lines of stock are visible; nothing is written.")
        )
        where = f"{self.address.host}:{self.address.port}{self.address.path}"
        account = self._settings.username
        return Identity(f"msupply:{where}#{account.casefold()}", f"mSupply {self.address.authority} ({account})")

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """Stock with its items, and the customer invoices on their way; each at its own interval."""
        settings = self._settings
        if self._is_due(cursors.get("facilities"), settings.catalogue_every_h * 60):
            places = (
                Facility(CUSTOMER, "", f"Customer of {settings.username}", "facility", is_ours=True),
                Facility(SUPPLIER, "", f"Store that supplies {settings.username}", "supplier"),
            )
            now_ms = self._kit.clock.now_ms()
            yield Batch((*places, StreamRead("facilities")), {"facilities": dump(read_ms=now_ms)})
        if self._is_due(cursors.get("stock"), settings.stock_every_min):
            began_ms = self._kit.clock.now_ms()
            raw = await self._list(settings.stock_path)
            records: list[Record] = [FullRead("stock_line", SUPPLIER, "begins")]
            records += _read(raw, "stock line", _stock, {})
            records.append(FullRead("stock_line", SUPPLIER, "ends"))
            yield Batch((*records, StreamRead("stock")), {"stock": dump(read_ms=began_ms)})
        if self._is_due(cursors.get("shipments"), settings.shipments_every_min):
            began_ms = self._kit.clock.now_ms()
            invoices = _read(await self._list(settings.invoices_path), "customer invoice", _invoice, {})
            yield Batch((*invoices, StreamRead("shipments")), {"shipments": dump(read_ms=began_ms)})

    def _is_due(self, cursor: str | None, every_min: int) -> bool:
        read_ms = fields.integer(load(cursor), "read_ms")
        if read_ms is None:
            return True
        since_ms = self._kit.clock.now_ms() - read_ms
        return since_ms < -MINUTE_MS or since_ms >= every_min * MINUTE_MS - MINUTE_MS // 2

    # -- requests

    async def _sign_in(self) -> None:
        secret = self._settings.password.get_secret_value() if self._settings.password else ""
        if not secret:
            raise AuthFailed(f"No password is stored for {self.peer}. Enter it in the settings.")
        self._token = ""
        self._kit.http.cookies.clear()
        body = {"username": self._settings.username, "password": secret, "loginType": self._settings.login_type}
        reply = await self._send("POST", "/login", body)
        if reply.status in (400, 401, 403):
            raise AuthFailed(f"{self._name} refused the sign-in. Check user name, password and the kind of account.")
        answer = self._json(reply)
        token = _first(answer, "token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token.strip():
            cookies = [cookie.value for cookie in self._kit.http.cookies.jar if (cookie.value or "").count(".") == 2]
            token = cookies[0] if cookies else None
        if not token:
            raise BadReply(f"{self._name} signed in without giving a token. Check the address and the path.", "")
        self._token = token.strip()
        self._ends_at = self._kit.clock.monotonic() + TOKEN_LIFE_S

    async def _list(self, path: str) -> list[object]:
        async with self._turn:
            if not self._token or self._kit.clock.monotonic() >= self._ends_at:
                await self._sign_in()
            reply = await self._send("GET", path)
            if reply.status == 401:
                await self._sign_in()
                reply = await self._send("GET", path)
        answer = self._json(reply)
        if isinstance(answer, dict):  # some answers wrap their array
            answer = next((value for value in answer.values() if isinstance(value, list)), answer)
        if not isinstance(answer, list):
            raise BadReply(f"{self._name} sent something else than a list. Check the path {path} in the settings.", "")
        return answer

    async def _send(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Reply:
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = self._kit.http.build_request(method, f"{self.address.url}{path}", headers=headers, json=body)
        return await exchange(
            self._kit.http,
            request,
            peer=self.peer,
            timeout_s=self._settings.answer_within_s,
            max_bytes=MOST_BYTES,
        )

    def _json(self, reply: Reply) -> Any:
        if reply.is_html and reply.status == 200:
            raise BadReply(f"{self._name} answered with a web page. Check that no sign-in page answers.", reply.sample)
        if reply.status != 200:
            now_ms = self._kit.clock.now_ms()
            raise status_error(reply.status, reply.headers, reply.sample, peer=self.peer, now_ms=now_ms)
        try:
            return json.loads(reply.body.decode("utf-8-sig"))
        except (ValueError, RecursionError) as err:
            raise BadReply(
                f"The answer of {self.peer} breaks off or is no JSON, so none of it is used. It is asked for again.",
                reply.sample,
            ) from err


def v4_address(url: str) -> Address:
    """The address below which ``api/v4`` lies. Raises SettingsInvalid."""
    address = parse_address(url)
    path = address.path if address.path.endswith("/api/v4") else f"{address.path}/api/v4"
    return Address(address.host, address.port, address.secure, path)


def _first(record: fields.Json, what: str) -> Any:
    return next((record[name] for name in NAMES[what] if name in record), None)


def _plain(record: fields.Json) -> dict[str, Any]:
    """A record under our names for its fields."""
    return {**record, **{what: _first(record, what) for what in NAMES}}


def _read(
    raw: list[object], what: str, make: Callable[[fields.Json, dict[str, Item]], Record], items: dict[str, Item]
) -> list[Record]:
    """Records of a list, after the items that they name."""
    records: list[Record] = []
    seen: set[str] = set()
    for entry in raw:
        try:
            record = make(_plain(fields.as_object(entry, what)), items)
        except RecordRejected as err:
            records.append(Rejected(err.key, err.why))
            continue
        found = getattr(record, "peer_id", "")
        if found in seen:
            records.append(Rejected(f"{what} {found}"[:100], "mSupply sent it twice in one list; the first is kept."))
            continue
        seen.add(found)
        records.append(record)
    return [*items.values(), *records]


def _item_of(record: fields.Json, what: str, items: dict[str, Item]) -> str:
    """The code by which an item is known here; notes the item."""
    code = fields.identity(record, "code", what)
    size = fields.number(record, "pack_size")
    items.setdefault(code, Item(code, code[:100], fields.text(record, "name", 300) or code, pack_size=size or 1.0))
    return code


def _amount(record: fields.Json, what: str) -> tuple[float, float]:
    """Units and pack size of a line that counts packs."""
    size = fields.number(record, "pack_size")
    if size is None or size <= 0:
        raise RecordRejected(what, "Its pack size is missing or not above zero. Correct it in mSupply.")
    return units(fields.quantity(record, "packs", what), size), size


def _stock(record: fields.Json, items: dict[str, Item]) -> StockLine:
    code = _item_of(record, "stock line", items)
    batch, expiry = fields.text(record, "batch", 100), fields.day(record, "expiry")
    held, size = _amount(record, f"stock of {code}")
    # The interface names no lines; batch, expiry and pack size are what keeps them apart.
    found = f"{code}|{batch}|{expiry or ''}|{size:g}"[: fields.LONGEST_ID]
    return StockLine(found, SUPPLIER, code, held, batch=batch, expires_on=expiry, pack_size=size)


def _invoice(record: fields.Json, items: dict[str, Item]) -> Shipment:
    number = _first(record, "number")
    found = (
        str(number) if isinstance(number, int) and not isinstance(number, bool) else fields.text(record, "number", 60)
    )
    what = f"customer invoice {found or '?'}"
    if not found:
        raise RecordRejected(what, "It has no number. Look at it in mSupply.")
    moments = {name: fields.time_ms(record, f"{name}Date") for name in ("confirmed", "acknowledged", "received")}
    cancelled = fields.time_ms(record, "cancelledDate")
    status, stage = _state(moments, is_cancelled=cancelled is not None)
    lines = record.get("lines")
    return Shipment(
        peer_id=found,
        number=found,
        side="inbound",
        status=status,
        stage=stage,
        sender=SUPPLIER,
        receiver=CUSTOMER,
        picked_ms=moments["confirmed"],
        shipped_ms=moments["acknowledged"],
        received_ms=moments["received"],
        reference=fields.text(record, "invoiceReference", 300),
        lines=[_line(n, raw, items) for n, raw in enumerate(lines)] if isinstance(lines, list) else None,
    )


def _state(moments: Mapping[str, int | None], *, is_cancelled: bool) -> tuple[str, ShipmentStage]:
    """Status and stage by the dates that are filled in; blank means “not yet”."""
    if is_cancelled:
        return "cancelled", "cancelled"
    if moments["received"] is not None:
        return "received", "received"
    if moments["acknowledged"] is not None:
        return "acknowledged", "shipped"
    return ("confirmed", "picked") if moments["confirmed"] is not None else ("", "unknown")


def _line(place: int, raw: object, items: dict[str, Item]) -> ShipmentLine:
    record = _plain(fields.as_object(raw, "invoice line"))
    code = _item_of(record, "invoice line", items)
    amount, size = _amount(record, f"invoice line of {code}")
    batch = fields.text(record, "batch", 100)
    found = f"{place}|{code}|{batch}"[: fields.LONGEST_ID]
    return ShipmentLine(found, code, amount, batch, fields.day(record, "expiry"), size)
