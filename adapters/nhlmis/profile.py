"""The profile: everything about the interface that its public description leaves open (nhlmis.md, C1).

A profile is data of the customer's, versioned and signed off: header, paths, verbs, names of fields, paging, limits.
Every default is a guess that the reference names, none a fact. A path of an outgoing field is where it is written in
the body, "" leaves it out; a path of an incoming one is where it is read, "" for nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapters.nhlmis.paths import Path, check_path, clash, flatten
from adapters.nhlmis.patterns import check_pattern
from adapters.reporting import json_text
from adapters.supply import RequisitionStage
from adapters.vocabulary import JsonScalar

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")
_FRAMING = {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept", "accept-encoding"}


def _header(name: str) -> str:
    if name and not _TOKEN.fullmatch(name):
        raise ValueError("a header's name is made of letters, digits and hyphens")
    if name.lower() in _FRAMING:
        raise ValueError(f"“{name}” is a header that every request has; the key needs one of its own")
    return name


def _scheme(word: str) -> str:
    if word and not _TOKEN.fullmatch(word):
        raise ValueError("a scheme is one word, such as “Bearer”, or empty")
    return word


def _url_path(path: str) -> str:
    if not path:
        return path
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or set(path) & set(' ?#\\"<>'):
        raise ValueError("a path begins with “/” and holds no spaces, “?” or “#”, such as “/stock-counts”")
    if any(part in (".", "..") for part in path.split("/")):
        raise ValueError("a path must not lead upwards with “.” or “..”")
    if re.sub(r"\{id\}", "", path).count("{") or path.count("{id}") > 1:
        raise ValueError("the only placeholder is {id}, once")
    return path


def _with_id(path: str) -> str:
    if "{id}" not in path:
        raise ValueError("this path needs the placeholder {id}, where the order's id goes")
    return path


def _without_id(path: str) -> str:
    if "{id}" in path:
        raise ValueError("this path takes no placeholder")
    return path


UrlPath = Annotated[str, Field(max_length=300), AfterValidator(_url_path)]
ListPath = Annotated[UrlPath, AfterValidator(_without_id)]
OrderPath = Annotated[UrlPath, AfterValidator(_with_id)]
HeaderName = Annotated[str, AfterValidator(_header)]
Method = Literal["POST", "PUT", "PATCH"]
ParamName = Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_.\[\]-]*$")]
Text = Annotated[str, Field(max_length=300)]
PlaceInBody = Annotated[str, Field(min_length=1), AfterValidator(check_path)]
Constants = Annotated[dict[PlaceInBody, JsonScalar], Field(max_length=50)]


class Part(BaseModel):
    """A group of keys: typed strictly, unknown ones refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Auth(Part):
    """How the API key is sent: header name and, before the key, a scheme word or nothing."""

    header: Annotated[HeaderName, Field(min_length=1)] = "X-API-Key"
    scheme: Annotated[str, AfterValidator(_scheme)] = ""


class Paths(Part):
    """Below the address. Empty ``items`` and ``customers`` leave these readings off."""

    batches: Annotated[ListPath, Field(min_length=1)] = "/batches"
    stock_counts: Annotated[ListPath, Field(min_length=1)] = "/stock-counts"
    orders: Annotated[ListPath, Field(min_length=1)] = "/orders"
    order: OrderPath = "/orders/{id}"
    shipment: OrderPath = "/orders/{id}"
    items: ListPath = ""
    customers: ListPath = ""


class Methods(Part):
    batches: Method = "POST"
    stock_counts: Method = "POST"
    shipment: Method = "PATCH"


class Orders(Part):
    """How new orders are asked for. ``paging`` "none": one answer brings all.

    ``list_path``: where the list stands in an answer; empty: the answer itself, or its only list. ``marker_path``:
    where an answer gives the marker for the next time; empty: the server's clock. ``short_page_is_last``: a page that
    is not full ends the list; else pages are asked for until one is empty. ``overlap_min`` is read again each time;
    orders that came before are known by their id. ``stages`` maps the system's words for a state to ours.
    """

    params: Annotated[dict[ParamName, Text], Field(max_length=20)] = {"genericParent": "True"}
    since_param: ParamName = "since"
    since_format: Literal["iso", "date", "epoch_ms", "epoch_s"] = "iso"
    paging: Literal["page", "offset", "none"] = "page"
    page_param: ParamName = "page"
    first_page: Annotated[int, Field(ge=0, le=1)] = 1
    size_param: ParamName = "pageSize"
    page_size: Annotated[int, Field(ge=1, le=1000)] = 50
    list_path: Path = ""
    marker_path: Path = ""
    short_page_is_last: bool = False
    overlap_min: Annotated[int, Field(ge=0, le=60 * 24 * 60)] = 120
    stages: dict[Text, RequisitionStage] = {
        "new": "submitted",
        "submitted": "submitted",
        "approved": "approved",
        "rejected": "rejected",
        "shipped": "ordered",
        "fulfilled": "closed",
        "closed": "closed",
        "cancelled": "closed",
    }

    @model_validator(mode="after")
    def _pages_need_a_name(self) -> Self:
        if self.paging != "none" and not self.page_param:
            raise ValueError("“page_param” must name the page parameter, or “paging” be “none”")
        return self


class BatchFields(Part):
    item_code: Path = "itemCode"
    pack_size: Path = "packSize"
    batch: Path = "batchNumber"
    expires_on: Path = "expiryDate"
    manufacturer: Path = "manufacturer"
    program: Path = "program"
    funder: Path = "funder"
    gtin: Path = "gtin"
    store_code: Path = ""


class StockCountFields(Part):
    store_code: Path = "storeCode"
    item_code: Path = "itemCode"
    batch: Path = "batchNumber"
    expires_on: Path = ""
    pack_size: Path = "packSize"
    quantity: Path = "quantity"
    counted_at: Path = "countedAt"
    program: Path = "program"
    funder: Path = "funder"


class ShipmentFields(Part):
    order_id: Path = ""
    number: Path = "shipmentNumber"
    dispatched_at: Path = "dispatchedAt"
    delivered_at: Path = "deliveredAt"
    lines: Annotated[Path, Field(min_length=1)] = "lines"


class ShipmentLineFields(Part):
    item_code: Path = "itemCode"
    batch: Path = "batchNumber"
    expires_on: Path = "expiryDate"
    pack_size: Path = "packSize"
    quantity: Path = "quantity"


class OrderFields(Part):
    """Where an order tells these. ``shipments``: where it lists what was shipped for it; empty: anywhere in it."""

    id: Annotated[Path, Field(min_length=1)] = "id"
    number: Path = "orderNumber"
    customer_code: Annotated[Path, Field(min_length=1)] = "customerCode"
    customer_name: Path = "customerName"
    store_code: Path = "storeCode"
    created: Path = "createdAt"
    changed: Path = "updatedAt"
    status: Path = "status"
    program: Path = "program"
    comment: Path = "comment"
    lines: Annotated[Path, Field(min_length=1)] = "lines"
    shipments: Path = ""


class OrderLineFields(Part):
    id: Path = "id"
    item_code: Annotated[Path, Field(min_length=1)] = "itemCode"
    item_name: Path = "itemName"
    quantity: Annotated[Path, Field(min_length=1)] = "quantity"
    pack_size: Path = "packSize"
    comment: Path = "comment"


class ItemFields(Part):
    code: Annotated[Path, Field(min_length=1)] = "code"
    name: Path = "name"
    unit: Path = "unit"
    pack_size: Path = "packSize"


class CustomerFields(Part):
    code: Annotated[Path, Field(min_length=1)] = "code"
    name: Path = "name"
    zone: Path = "state"


class Fields(Part):
    """Our names to theirs (nhlmis.md, C2)."""

    batch: BatchFields = BatchFields()
    stock_count: StockCountFields = StockCountFields()
    shipment: ShipmentFields = ShipmentFields()
    shipment_line: ShipmentLineFields = ShipmentLineFields()
    order: OrderFields = OrderFields()
    order_line: OrderLineFields = OrderLineFields()
    item: ItemFields = ItemFields()
    customer: CustomerFields = CustomerFields()


Payload = Literal["batch", "stock_count", "shipment", "shipment_line"]
PAYLOADS: tuple[Payload, ...] = ("batch", "stock_count", "shipment", "shipment_line")


class ConstantParts(Part):
    """Values that stand in every record of a payload, by their path."""

    batch: Constants = {}
    stock_count: Constants = {}
    shipment: Constants = {}
    shipment_line: Constants = {}


Names = Annotated[tuple[str, ...], Field(max_length=20)]


class OmitParts(Part):
    """Our names of fields that are left out where they are empty; others are sent as null."""

    batch: Names = ("expires_on", "manufacturer", "gtin")
    stock_count: Names = ()
    shipment: Names = ("delivered_at",)
    shipment_line: Names = ("batch", "expires_on")


class Body(Part):
    """The body of a call with records: ``list`` is them alone; ``object`` holds them at ``list_path``.

    ``single`` sends one record in each request. ``store_path`` is where the store's code stands beside the list.
    """

    shape: Literal["list", "object", "single"] = "list"
    list_path: Path = ""
    store_path: Path = ""
    constants: Constants = {}

    @model_validator(mode="after")
    def _an_object_needs_a_place_for_the_list(self) -> Self:
        if self.shape == "object":
            if not self.list_path:
                raise ValueError("“list_path” must say where the list stands in the object")
            places = [("list_path", self.list_path), ("store_path", self.store_path)]
            if found := clash([*places, *(("constants", path) for path in self.constants)]):
                raise ValueError(f"“{found[0]}” and “{found[1]}” would write over each other")
        elif self.list_path or self.store_path or self.constants:
            raise ValueError("only the shape “object” has places beside the records")
        return self


class Bodies(Part):
    batches: Body = Body()
    stock_counts: Body = Body()


class Formats(Part):
    """How times and days are written, and how a time without a zone is read (minutes east of UTC)."""

    time: Literal["iso", "iso_ms", "date", "epoch_ms", "epoch_s"] = "iso"
    day: Literal["iso", "compact", "day_first", "time"] = "iso"
    read_zone_min: Annotated[int, Field(ge=-840, le=840)] = 0


Unit = Literal["packs", "units"]


class Units(Part):
    """What a quantity counts in each payload."""

    stock_counts: Unit = "packs"
    shipments: Unit = "packs"
    orders: Unit = "packs"


class Stock(Part):
    """What is reportable. ``children``: for an item's code, pack size to the code of that pack (nhlmis.md, A3)."""

    needs_program: bool = True
    needs_funder: bool = True
    children: dict[Text, dict[Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,6})?$")], Text]] = {}


class Shipments(Part):
    """``key_header``: a header that carries the change's own UUID, so that a repeated call is known; empty: none.

    ``accepted_when``: "answered" takes a success in JSON, 201 or 204 for an acceptance; "shown" only an order that
    shows the shipment. A 200 without JSON may be a proxy's, so that the order must show it either way.
    """

    key_header: HeaderName = ""
    accepted_when: Literal["answered", "shown"] = "answered"


class Answers(Part):
    """Where an answer lists what it refuses; empty: found by its look. ``first_index`` is the first record's number.

    ``empty_is_accepted``: a 200 without JSON is how this server takes batches and stock counts. Else it is no word of
    the server's, as a proxy that lost the request answers so, too, and nothing can be read that would tell.
    """

    refusals_path: Path = ""
    index_path: Path = ""
    why_path: Path = ""
    first_index: Annotated[int, Field(ge=0, le=1)] = 0
    empty_is_accepted: bool = False


class Batching(Part):
    max_records: Annotated[int, Field(ge=1, le=5000)] = 100


class Schedule(Part):
    """Defaults of the reference (C1): stock every day at 20:00 local time; items and customers once a day."""

    stock_every_days: Annotated[int, Field(ge=1, le=92)] = 1
    stock_at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "20:00"
    items_every_h: Annotated[int, Field(ge=1, le=24 * 31)] = 24


class Limits(Part):
    in_flight: Annotated[int, Field(ge=1, le=8)] = 2
    per_minute: Annotated[int, Field(ge=1, le=600)] = 60
    timeout_s: Annotated[int, Field(ge=1, le=600)] = 60
    attempts: Annotated[int, Field(ge=1, le=50)] = 5


class Funder(Part):
    """Where an order names its funder: a path, else a pattern over the text at ``text_path``."""

    path: Path = "funder"
    pattern: Annotated[str, AfterValidator(check_pattern)] = r"funder:\s*(?P<funder>[^;\n]+)"
    text_path: Path = "comment"


class Profile(Part):
    """One agreed way of talking to NHLMIS. ``base_url``: the address that it was signed off for; empty for any."""

    version: Literal[1] = 1
    name: Annotated[str, Field(max_length=100)] = "Default"
    note: Annotated[str, Field(max_length=2000)] = ""
    base_url: Annotated[str, Field(max_length=500)] = ""
    auth: Auth = Auth()
    paths: Paths = Paths()
    methods: Methods = Methods()
    orders: Orders = Orders()
    fields: Fields = Fields()
    constants: ConstantParts = ConstantParts()
    omit_when_empty: OmitParts = OmitParts()
    bodies: Bodies = Bodies()
    formats: Formats = Formats()
    units: Units = Units()
    stock: Stock = Stock()
    shipments: Shipments = Shipments()
    answers: Answers = Answers()
    batching: Batching = Batching()
    schedule: Schedule = Schedule()
    limits: Limits = Limits()
    funder: Funder = Funder()

    @model_validator(mode="after")
    def _every_field_has_room(self) -> Self:
        for payload in PAYLOADS:
            mapped = self.outgoing(payload)
            constants = ((f"constants.{payload}.{path}", path) for path in self.constants_of(payload))
            named = [(f"fields.{payload}.{name}", path) for name, path in mapped.items()]
            if found := clash([*named, *constants]):
                raise ValueError(f"“{found[0]}” and “{found[1]}” would write over each other")
            for name in getattr(self.omit_when_empty, payload):
                if name not in mapped:
                    raise ValueError(f"“omit_when_empty.{payload}” names “{name}”, which is no field of it")
        if self.auth.header.lower() == self.shipments.key_header.lower():
            raise ValueError("“shipments.key_header” is the header of the API key")
        return self

    def outgoing(self, payload: Payload) -> Mapping[str, str]:
        """Our names to paths of one payload."""
        part: Part = getattr(self.fields, payload)
        return dict(part)

    def constants_of(self, payload: Payload) -> Mapping[str, JsonScalar]:
        found: Mapping[str, JsonScalar] = getattr(self.constants, payload)
        return found

    def omitted(self, payload: Payload) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self.omit_when_empty, payload)
        return found


def approval_code(profile: Profile, url: str) -> str:
    """Names address and profile in force: two groups of four hexadecimal digits. Any change of either changes it."""
    digits = sha256(json_text([url, profile.model_dump(mode="json")]).encode()).hexdigest()[:8].upper()
    return f"{digits[:4]}-{digits[4:]}"


def keys(profile: Profile) -> Iterator[tuple[str, object]]:
    """Every key of a profile with its value, groups resolved into dotted names."""
    yield from flatten(profile.model_dump(mode="json")).items()
