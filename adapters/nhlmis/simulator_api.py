"""The simulated server's calls, in the words of a profile: other headers, paths, verbs and names give another server.

Its rules are those that the public description tells or hints at (nhlmis.md, A1 to A6): the key is bound to stores,
codes must be known, batches come before counts. How it answers and what it forgives is set by :class:`Rules`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.nhlmis import paths
from adapters.nhlmis.profile import Body, Profile
from adapters.nhlmis.simulator_world import CUSTOMERS, PRODUCTS, STORES, Order, World

AnswerStyle = Literal["indexed", "parallel", "by_code", "texts", "placed", "keyed"]
Fault = tuple[int, Mapping[str, Any], str, str]
"""A refused record: its place, what it is about, the field, and why."""
Paging = Literal["pages", "not_found", "clamped", "ignored", "all_at_once"]


@dataclass(slots=True)
class Rules:
    """Behaviours that the public description leaves open, and troubles that last.

    ``one_bad_refuses_all``: a call with a bad record takes none of them. ``knows_repeats``: what came before in this
    form is taken once. ``refused_for_ever``: item codes that are refused though they are known; ``uncounted``: those
    of which only the counts are. ``renamed``: names at the top of an order that are sent under another.
    ``repeats_orders``: each page begins with the last order of the one before. ``page_cap``: no page is longer,
    whatever is asked for.
    """

    one_bad_refuses_all: bool = False
    knows_repeats: bool = True
    answer_style: AnswerStyle = "indexed"
    refusal_status: int = 422
    refused_for_ever: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)
    closed_orders: set[str] = field(default_factory=set)
    paging: Paging = "pages"
    page_cap: int = 1000
    renamed: dict[str, str] = field(default_factory=dict)
    repeats_orders: bool = False
    empty_answers: bool = False
    """Calls that change something are answered with 204 and nothing else."""
    shows_shipments: bool = True
    """Orders list what was shipped for them."""
    stores: set[str] = field(default_factory=lambda: {code for code, _ in STORES})
    keys: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived: header names in the order and form in which they came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class RefusedError(Exception):
    """An answer other than a success."""

    def __init__(self, status: int, said: object) -> None:
        super().__init__(str(said))
        self.status = status
        self.said = said


class Api:
    """Answers for one world below ``/v1``."""

    def __init__(self, world: World, profile: Profile, rules: Rules) -> None:
        self.world = world
        self.profile = profile
        self.rules = rules
        self.seen: list[Seen] = []

    def app(self) -> Starlette:
        at, verbs = self.profile.paths, self.profile.methods
        order = [
            Route(f"/v1{at.order.replace('{id}', '{order_id}')}", self._answered(self._order), methods=["GET"]),
            Route(
                f"/v1{at.shipment.replace('{id}', '{order_id}')}",
                self._answered(self._shipment),
                methods=[verbs.shipment],
            ),
        ]
        routes: list[BaseRoute] = [
            Route(f"/v1{at.batches}", self._answered(self._batches), methods=[verbs.batches]),
            Route(f"/v1{at.stock_counts}", self._answered(self._stock_counts), methods=[verbs.stock_counts]),
            Route(f"/v1{at.orders}", self._answered(self._orders), methods=["GET"]),
            *([Route(f"/v1{at.items}", self._answered(self._items), methods=["GET"])] if at.items else []),
            *([Route(f"/v1{at.customers}", self._answered(self._customers), methods=["GET"])] if at.customers else []),
            *order,
        ]
        return Starlette(routes=routes)

    def _answered(self, answer: Callable[[Request, bytes], Response]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            target = request.scope["raw_path"].decode("ascii")
            target += f"?{request.url.query}" if request.url.query else ""
            headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
            self.seen.append(Seen(request.method, target, headers, body))
            try:
                self._sign_in(request)
                return answer(request, body)
            except RefusedError as err:
                return JSONResponse(err.said, err.status)

        return endpoint

    def _sign_in(self, request: Request) -> None:
        auth = self.profile.auth
        given = request.headers.get(auth.header, "")
        scheme = f"{auth.scheme} " if auth.scheme else ""
        if not given.startswith(scheme) or given[len(scheme) :] not in self.rules.keys:
            raise RefusedError(401, {"message": "Unknown API key"})

    # -- stock

    def _batches(self, _request: Request, body: bytes) -> Response:
        at = self.profile.fields.batch
        wanted = {"item_code": at.item_code, "batch": at.batch, "program": at.program, "funder": at.funder}
        return self._take(body, self.profile.bodies.batches, wanted, self.world.batches, self._batch_fault)

    def _batch_fault(self, record: Mapping[str, Any], _raw: Mapping[str, Any]) -> tuple[str, str] | None:
        return self._item_fault(record.get("item_code"))

    def _stock_counts(self, _request: Request, body: bytes) -> Response:
        at = self.profile.fields.stock_count
        wanted = {"item_code": at.item_code, "batch": at.batch, "store_code": at.store_code, "quantity": at.quantity}
        return self._take(body, self.profile.bodies.stock_counts, wanted, self.world.counts, self._count_fault)

    def _count_fault(self, record: Mapping[str, Any], _raw: Mapping[str, Any]) -> tuple[str, str] | None:
        store = record.get("store_code")
        if store is not None and store not in self.rules.stores:
            return "storeCode", f"The API key is not bound to store {store}"
        quantity = record.get("quantity")
        if not isinstance(quantity, int | float) or quantity < 0:
            return "quantity", "Must be 0 or more"
        if record.get("item_code") in self.rules.uncounted:
            return "itemCode", f"{record.get('item_code')} is not counted now"
        at = self.profile.fields.batch
        told = [(_at(one, at.item_code), _at(one, at.batch)) for one in self.world.batches]
        if (record.get("item_code"), record.get("batch")) not in told:
            return (
                "batchNumber",
                f"Batch {record.get('batch')} of {record.get('item_code')} is not known: send it first",
            )
        return self._item_fault(record.get("item_code"))

    def _item_fault(self, code: object) -> tuple[str, str] | None:
        if code in self.rules.refused_for_ever:
            return "itemCode", f"Item {code} is not reported by this organisation"
        if code not in {product.code for product in PRODUCTS}:
            return "itemCode", f"Unknown item {code}"
        return None

    def _take(
        self,
        body: bytes,
        form: Body,
        wanted: Mapping[str, str],
        into: list[dict[str, object]],
        fault: Callable[[Mapping[str, Any], Mapping[str, Any]], tuple[str, str] | None],
    ) -> Response:
        raws = self._records(body, form)
        faults: list[Fault] = []
        good: list[dict[str, object]] = []
        for place, raw in enumerate(raws):
            record = {name: paths.read(raw, path) for name, path in wanted.items() if path}
            if (found := fault(record, raw)) is not None:
                faults.append((place, record, *found))
            else:
                good.append(raw)
        if not (faults and self.rules.one_bad_refuses_all):
            into += [one for one in good if not (self.rules.knows_repeats and one in into)]
        if faults:
            status = self.rules.refusal_status if self.rules.one_bad_refuses_all or not good else 207
            return JSONResponse(refusal_answer(self.rules.answer_style, faults, len(raws)), status)
        return self._done({"accepted": len(good)})

    def _records(self, body: bytes, form: Body) -> list[dict[str, object]]:
        try:
            said = json.loads(body)
        except ValueError as err:
            raise RefusedError(400, {"message": "The body is not JSON"}) from err
        found = [said] if form.shape == "single" else paths.read(said, form.list_path)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise RefusedError(400, {"message": "The body holds no list of records"})
        return found

    def _done(self, said: object) -> Response:
        return Response(status_code=204) if self.rules.empty_answers else JSONResponse(said, 200)

    # -- orders

    def _orders(self, request: Request, _body: bytes) -> Response:
        orders, params = self.profile.orders, request.query_params
        if any(params.get(name) != value for name, value in orders.params.items()):
            raise RefusedError(400, {"message": "genericParent is missing"})
        since_ms = self._since(params.get(orders.since_param, ""))
        found = sorted(
            (one for one in self.world.orders.values() if one.changed_ms >= since_ms),
            key=lambda one: (one.changed_ms, one.id),
        )
        return JSONResponse(self._page([self.order_json(one) for one in found], params))

    def _page(self, found: list[dict[str, Any]], params: Mapping[str, str]) -> object:
        orders, how = self.profile.orders, self.rules.paging
        size = min(int(params.get(orders.size_param, "0")) or orders.page_size, self.rules.page_cap)
        place = int(params.get(orders.page_param, str(orders.first_page)))
        start = place if orders.paging == "offset" else (place - orders.first_page) * size
        if how == "all_at_once" or orders.paging == "none":
            page = found
        elif how == "ignored":
            page = found[:size]
        elif how == "clamped" and start >= len(found):
            last = (max(len(found) - 1, 0)) // size * size
            page = found[last : last + size]
        else:
            page = found[start : start + size]
            if how == "not_found" and start > 0 and not page:
                raise RefusedError(404, {"detail": "Invalid page."})
            if self.rules.repeats_orders and 0 < start <= len(found):
                page = [found[start - 1], *page]
        whole: dict[str, Any] = {}
        if not orders.list_path:
            return page
        paths.write(whole, orders.list_path, page)
        if orders.marker_path:
            paths.write(whole, orders.marker_path, str(self.world.now_ms))
        return whole

    def _since(self, text: str) -> int:
        if not text:
            return 0
        if text.isdigit():
            return int(text) * (1000 if self.profile.orders.since_format == "epoch_s" else 1)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as err:
            raise RefusedError(400, {"message": "since is no time"}) from err
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

    def _order(self, request: Request, _body: bytes) -> Response:
        return JSONResponse(self.order_json(self._known(request)))

    def _known(self, request: Request) -> Order:
        order = self.world.orders.get(request.path_params["order_id"])
        if order is None:
            raise RefusedError(404, {"message": "No such order"})
        return order

    def _shipment(self, request: Request, body: bytes) -> Response:
        order = self._known(request)
        said = self._records(b"[" + body + b"]", Body())[0]
        at, line_at = self.profile.fields.shipment, self.profile.fields.shipment_line
        if order.id in self.rules.closed_orders:
            raise RefusedError(409, {"message": f"Order {order.number} is closed"})
        lines = paths.read(said, at.lines)
        ordered = {line.product.code for line in order.lines}
        faults = [
            (place, {"item_code": code}, "itemCode", f"Item {code} is not on order {order.number}")
            for place, line in enumerate(lines if isinstance(lines, list) else [])
            if (code := paths.read(line, line_at.item_code)) not in ordered
        ]
        if faults:
            said_of = refusal_answer(self.rules.answer_style, faults, len(lines) if isinstance(lines, list) else 0)
            raise RefusedError(self.rules.refusal_status, said_of)
        number = paths.read(said, at.number)
        if not (self.rules.knows_repeats and any(paths.read(one, at.number) == number for one in order.shipments)):
            self.world.ship(order, said)
        return self._done(self.order_json(order))

    def order_json(self, order: Order) -> dict[str, Any]:
        """An order in the profile's words, with what was shipped for it."""
        at, line_at = self.profile.fields.order, self.profile.fields.order_line
        code, name, _ = order.customer
        raw = _made(
            *(at.id, order.id),
            *(at.number, order.number),
            *(at.customer_code, code),
            *(at.customer_name, name),
            *(at.store_code, order.store),
            *(at.created, _iso(order.created_ms)),
            *(at.changed, _iso(order.changed_ms)),
            *(at.status, order.status),
            *(at.program, order.program),
            *(at.comment, order.comment),
            *(self.profile.funder.path, order.funder),
            *(at.shipments or "shipments", order.shipments if self.rules.shows_shipments else []),
        )
        lines = [
            _made(
                *(line_at.id, line.id),
                *(line_at.item_code, line.product.code),
                *(line_at.item_name, line.product.name),
                *(line_at.quantity, line.packs),
                *(line_at.pack_size, line.product.pack_size),
                *(line_at.comment, line.comment),
            )
            for line in order.lines
        ]
        paths.write(raw, at.lines, lines)
        return {self.rules.renamed.get(key, key): value for key, value in raw.items()}

    # -- lists

    def _items(self, _request: Request, _body: bytes) -> Response:
        at = self.profile.fields.item
        return JSONResponse(
            [_made(at.code, p.code, at.name, p.name, at.unit, p.unit, at.pack_size, p.pack_size) for p in PRODUCTS]
        )

    def _customers(self, _request: Request, _body: bytes) -> Response:
        at = self.profile.fields.customer
        return JSONResponse([_made(at.code, code, at.name, name, at.zone, zone) for code, name, zone in CUSTOMERS])


def _at(raw: object, path: str) -> object:
    return paths.read(raw, path) if path else None


def _made(*paths_and_values: object) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, value in zip(paths_and_values[::2], paths_and_values[1::2], strict=True):
        if path:
            paths.write(made, str(path), value)
    return made


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def refusal_answer(style: AnswerStyle, faults: Sequence[Fault], count: int) -> object:
    """The refused lines in one of the shapes that servers use."""
    if style == "parallel":
        by_place = {place: {name: [why]} for place, _, name, why in faults}
        return [by_place.get(place, {}) for place in range(count)]
    if style == "by_code":
        return {
            "rejected": [
                {"itemCode": r.get("item_code"), "batchNumber": r.get("batch"), "reason": why}
                for _, r, _, why in faults
            ]
        }
    if style == "texts":
        return {
            "message": "Some records are wrong",
            "errors": [f"record {place}: {why}" for place, _, _, why in faults],
        }
    if style == "placed":
        return {"detail": [{"loc": ["body", place, name], "msg": why} for place, _, name, why in faults]}
    if style == "keyed":
        return {"errors": {f"[{place}].{name}": [why] for place, _, name, why in faults}}
    return {"errors": [{"index": place, "field": name, "message": why} for place, _, name, why in faults]}
