"""The simulated server's HTTP interface: paths, filters, paging and headers of OpenLMIS v3 (openlmis.md, 1 to 6)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.openlmis.simulator_accounts import Accounts, Token, TokenError
from adapters.openlmis.simulator_goods import Goods
from adapters.openlmis.simulator_requisitions import Requisitions
from adapters.openlmis.simulator_world import Json, RefusedError, World

Handler = Callable[[Request, Token], Awaitable[Response]]


class Api:
    """Answers for one world."""

    def __init__(self, world: World, accounts: Accounts, requisitions: Requisitions, goods: Goods) -> None:
        self.world = world
        self.accounts = accounts
        self.requisitions = requisitions
        self.goods = goods
        self.version = "15.6.1"
        self.largest_page: int | None = None
        """The most that a page brings, whatever was asked for; set before the server starts."""
        self._listed: tuple[tuple[int, int], list[Json], str] = ((-1, -1), [], "")
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        """Method, path with query, headers of every request."""
        self.bodies: list[tuple[str, str, Any]] = []
        """Method, path and JSON of every request that brought a body."""

    def app(self) -> Starlette:
        get, post, put = ("GET",), ("POST",), ("PUT",)
        table: list[tuple[str, tuple[str, ...], Handler]] = [
            ("/facilities", get, self._facilities),
            ("/facilities/{key}", get, self._facility),
            ("/programs", get, self._programs),
            ("/orderables", get, self._orderables),
            ("/orderables/search", post, self._orderables_by_search),
            ("/orderables/{key}", get, self._orderable),
            ("/lots", get, self._lots),
            ("/processingPeriods", get, self._periods),
            ("/users/{key}", get, self._user),
            ("/users/{key}/permissionStrings", get, self._permission_strings),
            ("/v2/stockCardSummaries", get, self._summaries),
            ("/stockEvents", post, self._stock_event),
            ("/stockEvents", get, self._stock_events),
            ("/requisitions/search", get, self._search),
            ("/v2/requisitions/{key}", get, self._requisition),
            ("/v2/requisitions/{key}", put, self._update_requisition),
            ("/requisitions/{key}", ("DELETE",), self._delete_requisition),
            ("/requisitions/{key}/{step}", ("POST", "PUT"), self._step),
            ("/orders", get, self._orders),
            ("/orders/{key}", get, self._order),
            ("/shipments", get, self._shipments),
            ("/shipments", post, self._ship),
            ("/shipmentDrafts", get, self._drafts),
            ("/proofsOfDelivery", get, self._proofs),
            ("/proofsOfDelivery/{key}", get, self._proof),
            ("/proofsOfDelivery/{key}", put, self._update_proof),
            ("/validReasons", get, self._valid_reasons),
        ]
        routes: list[BaseRoute] = [
            Route("/api/oauth/token", self._token, methods=["POST"]),
            Route("/api/referencedata", self._version, methods=["GET"]),
            *(Route(f"/api{path}", self._guarded(handler), methods=list(methods)) for path, methods, handler in table),
        ]
        app = Starlette(routes=routes)
        app.state.largest_page = self.largest_page
        return app

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            await self._note(request)
            try:
                return await handler(request, self.accounts.identify(request))
            except RefusedError as err:
                return JSONResponse(err.body, err.status, err.headers)
            except TokenError as err:
                return _token_refusal(err)
            except (KeyError, TypeError, ValueError, AttributeError) as err:
                said = {"messageKey": "error.badRequest", "message": f"The request cannot be read: {err!r}."}
                return JSONResponse(said, 400)

        return answer

    async def _note(self, request: Request) -> None:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self.seen.append((request.method, path, dict(request.headers)))
        if request.method in ("POST", "PUT") and "oauth" not in path and await request.body():
            self.bodies.append((request.method, request.url.path, await request.json()))

    # -- signing in

    async def _token(self, request: Request) -> Response:
        await self._note(request)
        form = await _form(request)
        asked = {**form, **request.query_params}
        try:
            said = self.accounts.grant(
                request.headers.get("authorization", ""),
                asked.get("grant_type", ""),
                asked.get("username", ""),
                asked.get("password", ""),
            )
        except TokenError as err:
            return _token_refusal(err)
        return JSONResponse(said)

    async def _version(self, request: Request) -> Response:
        await self._note(request)
        return JSONResponse({"service": "service", "build": "1", "branch": "master", "version": self.version})

    async def _user(self, request: Request, token: Token) -> Response:
        key = request.path_params["key"]
        if token.user != key:
            raise RefusedError(403, "referenceData.error.unauthorized", "Only the user may read this.")
        name = self.accounts.username
        return JSONResponse({"id": key, "username": name, "homeFacilityId": self.world.store["id"], "active": True})

    async def _permission_strings(self, request: Request, token: Token) -> Response:
        if not token.user or token.user != request.path_params["key"]:
            raise RefusedError(403, "referenceData.error.unauthorized", "This needs a user.")
        return JSONResponse(list(self.accounts.permission_strings()))

    # -- reference data

    async def _facilities(self, request: Request, _token: Token) -> Response:
        query = request.query_params
        wanted = set(query.getlist("id"))
        code, name = query.get("code", "").lower(), query.get("name", "").lower()
        found = [
            {key: value for key, value in facility.items() if key != "location"}
            for facility in self.world.facilities.values()
            if (not wanted or facility["id"] in wanted)
            and code in facility["code"].lower()
            and name in facility["name"].lower()
        ]
        return page(request, found)

    async def _facility(self, request: Request, _token: Token) -> Response:
        found = self.world.facilities.get(request.path_params["key"])
        if found is None:
            raise RefusedError(404, "referenceData.error.facility.notFound", "The facility does not exist.")
        programs = [{**program, "supportActive": True} for program in self.world.programs.values()]
        return JSONResponse({**found, "supportedPrograms": programs})

    async def _programs(self, request: Request, _token: Token) -> Response:
        codes = set(request.query_params.getlist("code"))
        return JSONResponse([p for p in self.world.programs.values() if not codes or p["code"] in codes])

    async def _orderables(self, request: Request, _token: Token) -> Response:
        query = request.query_params
        if not set(query) - {"page", "size"}:  # the whole catalogue, which may be long
            found = self._catalogue()
            return self._if_modified(request, found, lambda: page(request, found))
        code, exact, program = query.get("code", "").lower(), query.get("exactCode"), query.get("program")
        programs = {p["id"] for p in self.world.programs.values() if program in (None, p["code"])}
        wanted = set(query.getlist("id"))
        chosen = [
            item
            for item in self.world.newest()
            if code in item["productCode"].lower()
            and exact in (None, item["productCode"])
            and (not wanted or item["id"] in wanted)
            and (program is None or any(entry["programId"] in programs for entry in item["programs"]))
        ]
        return self._if_modified(request, chosen, lambda: page(request, chosen))

    def _catalogue(self) -> list[Json]:
        """The newest versions, made once for all pages of a reading."""
        state = (self.world.catalogue_changes, len(self.world.orderables))
        if self._listed[0] != state:
            items = self.world.newest()
            self._listed = (state, items, max((item["meta"]["lastUpdated"] for item in items), default=""))
        return self._listed[1]

    async def _orderables_by_search(self, request: Request, _token: Token) -> Response:
        asked = await request.json()
        identities = [(one["id"], one["versionNumber"]) for one in asked.get("identities") or ()]
        found = [
            version
            for key, number in identities
            for version in self.world.orderables.get(key, ())
            if version["meta"]["versionNumber"] == number
        ]
        return self._if_modified(request, found, lambda: page(request, found, asked))

    async def _orderable(self, request: Request, _token: Token) -> Response:
        versions = self.world.orderables.get(request.path_params["key"], [])
        number = request.query_params.get("versionNumber")
        found = [v for v in versions if number in (None, str(v["meta"]["versionNumber"]))]
        if not found:
            raise RefusedError(404, "referenceData.error.orderable.notFound", "The orderable does not exist.")
        return self._if_modified(request, found[-1:], lambda: JSONResponse(found[-1]))

    def _if_modified(self, request: Request, items: Sequence[Json], answer: Callable[[], Response]) -> Response:
        """304 where nothing of the whole query changed since; the header counts whole seconds."""
        latest = (
            max((item["meta"]["lastUpdated"] for item in items), default="")
            if items is not self._listed[1]
            else (self._listed[2])
        )
        newest = datetime.fromisoformat(latest) if latest else datetime(1970, 1, 1, tzinfo=UTC)
        newest = newest.replace(microsecond=0)
        since = request.headers.get("if-modified-since")
        headers = {"Last-Modified": format_datetime(newest, usegmt=True)}
        if since and newest <= parsedate_to_datetime(since):
            return Response(status_code=304, headers=headers)
        response = answer()
        response.headers.update(headers)
        return response

    async def _lots(self, request: Request, _token: Token) -> Response:
        query = request.query_params
        wanted, exact = set(query.getlist("id")), query.get("exactCode")
        found = [
            lot
            for lot in self.world.lots.values()
            if (not wanted or lot["id"] in wanted) and exact in (None, lot["lotCode"])
        ]
        return page(request, found)

    async def _periods(self, request: Request, _token: Token) -> Response:
        return page(request, list(self.world.periods.values()))

    async def _valid_reasons(self, request: Request, _token: Token) -> Response:
        """Reasons of a programme and a facility type; those for refused goods carry the tag."""
        program, kind = request.query_params["program"], request.query_params["facilityType"]
        return JSONResponse(
            [
                {
                    "id": reason["id"],
                    "programId": program,
                    "facilityType": {"id": kind},
                    "reason": reason,
                    "hidden": False,
                }
                for reason in self.world.rejection_reasons
            ]
        )

    # -- stock

    async def _summaries(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "STOCK_CARDS_VIEW")
        facility, program = request.query_params["facilityId"], request.query_params["programId"]
        by_item: dict[str, list[Json]] = {}
        for (item, lot), card in self.world.cards.get((facility, program), {}).items():
            by_item.setdefault(item, []).append(
                {
                    "stockCard": {"id": card["id"], "href": f"/api/stockCards/{card['id']}"},
                    "orderable": self.world.reference(item),
                    "lot": None if lot is None else {"id": lot, "href": f"/api/lots/{lot}"},
                    "stockOnHand": card["units"],
                    "occurredDate": card["occurred"],
                    "processedDate": card["processed"],
                }
            )
        found = [
            {
                "orderable": self.world.reference(item),
                "stockOnHand": sum(card["stockOnHand"] for card in cards),
                "canFulfillForMe": cards,
            }
            for item, cards in by_item.items()
        ]
        return page(request, found)

    async def _stock_event(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "STOCK_ADJUST")
        return JSONResponse(self.goods.post_event(await request.json()), 201)

    async def _stock_events(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "STOCK_CARDS_VIEW")
        number = request.query_params.get("documentNumber")
        found = [event for event in self.world.stock_events if number in (None, event["documentNumber"])]
        return page(request, found)

    # -- requisitions

    async def _search(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "REQUISITION_VIEW")
        query = request.query_params
        found = self.requisitions.search(
            facility=query.get("facility"),
            program=query.get("program"),
            period=query.get("processingPeriod"),
            supplier=query.get("supplyingFacility"),
            statuses=query.getlist("requisitionStatus"),
            changed_from=_utc(query.get("modifiedDateFrom")),
            changed_to=_utc(query.get("modifiedDateTo")),
        )
        return page(request, found)

    async def _requisition(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "REQUISITION_VIEW")
        return self._with_etag(self.requisitions.get(request.path_params["key"]))

    def _with_etag(self, requisition: Json) -> Response:
        return JSONResponse(requisition, headers={"ETag": self.requisitions.etag(requisition["id"])})

    async def _update_requisition(self, request: Request, token: Token) -> Response:
        stored = self.requisitions.get(request.path_params["key"])
        right = {"SUBMITTED": "REQUISITION_AUTHORIZE", "AUTHORIZED": "REQUISITION_APPROVE"}
        self.accounts.need(token, right.get(stored["status"], "REQUISITION_CREATE"), key_may=False)
        if_match = request.headers.get("if-match")
        return self._with_etag(self.requisitions.update(stored["id"], await request.json(), if_match))

    async def _delete_requisition(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "REQUISITION_DELETE", key_may=False)
        self.requisitions.delete(request.path_params["key"])
        return Response(status_code=204)

    async def _step(self, request: Request, token: Token) -> Response:
        key, step = request.path_params["key"], request.path_params["step"]
        table = {
            "submit": ("POST", "REQUISITION_CREATE", self.requisitions.submit),
            "authorize": ("POST", "REQUISITION_AUTHORIZE", self.requisitions.authorize),
            "approve": ("POST", "REQUISITION_APPROVE", self.requisitions.approve),
            "reject": ("PUT", "REQUISITION_APPROVE", self.requisitions.reject),
            "skip": ("PUT", "REQUISITION_CREATE", self.requisitions.skip),
        }
        if step not in table or table[step][0] != request.method:
            return Response(status_code=405)
        _, right, do = table[step]
        self.requisitions.use_key(request.headers.get("idempotency-key"))
        self.accounts.need(token, right, key_may=False)
        return self._with_etag(do(key, token.user))

    # -- orders, shipments, proofs

    async def _orders(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "ORDERS_VIEW")
        query = request.query_params
        found = self.goods.search(
            query.getlist("status"),
            query.get("supplyingFacilityId"),
            query.get("requestingFacilityId"),
            query.get("programId"),
        )
        return page(request, found)

    async def _order(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "ORDERS_VIEW")
        return JSONResponse(self.goods.order(request.path_params["key"]))

    async def _shipments(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "SHIPMENTS_VIEW")
        wanted = set(request.query_params.getlist("orderId"))
        return page(request, [s for s in self.world.shipments.values() if not wanted or s["order"]["id"] in wanted])

    async def _ship(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "SHIPMENTS_EDIT")
        return JSONResponse(self.goods.ship(await request.json(), token.user or self.accounts.user_id), 201)

    async def _drafts(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "SHIPMENTS_VIEW")
        order = request.query_params["orderId"]
        return page(request, [draft for draft in self.world.drafts.values() if draft["order"]["id"] == order])

    async def _proofs(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "PODS_VIEW")
        query = request.query_params
        return page(request, self.goods.proofs_of(query.get("orderId"), query.get("shipmentId")))

    async def _proof(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "PODS_VIEW")
        return JSONResponse(self.goods.proof(request.path_params["key"]))

    async def _update_proof(self, request: Request, token: Token) -> Response:
        self.accounts.need(token, "PODS_MANAGE")
        user = token.user or self.accounts.user_id
        return JSONResponse(self.goods.update_proof(request.path_params["key"], await request.json(), user))


def page(request: Request, items: Sequence[Json], asked: Json | None = None) -> Response:
    """A page as the services cut it; size zero, missing or negative brings everything."""
    source = request.query_params if asked is None else asked
    size, number = int(source.get("size") or 0), int(source.get("page") or 0)
    largest = request.app.state.largest_page
    size = size if largest is None else min(size, largest)
    if size <= 0:
        size, number = max(len(items), 1), 0
    part = list(items[number * size : (number + 1) * size])
    pages = -(-len(items) // size)
    return JSONResponse(
        {
            "content": part,
            "totalPages": pages,
            "totalElements": len(items),
            "size": size,
            "number": number,
            "numberOfElements": len(part),
            "first": number == 0,
            "last": number >= pages - 1,
            "sort": [],
        }
    )


def _token_refusal(err: TokenError) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if err.status == 401 else None
    return JSONResponse({"error": err.error, "error_description": str(err)}, err.status, headers)


def _utc(text: str | None) -> str | None:
    """A moment of a query in the form of the stored ones; without a zone it is refused."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise RefusedError(400, "requisition.error.dateFormat", "The date has no zone.")
    return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _form(request: Request) -> dict[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl((await request.body()).decode()))


def basic(name: str, secret: str) -> str:
    """The value of an ``Authorization`` header for HTTP Basic."""
    return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"
