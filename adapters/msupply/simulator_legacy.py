"""A small older mSupply (4D) on loopback: sign-in, stock, customer invoices of ``api/v4`` (msupply.md, section 10)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.msupply.simulator import MSupplyServer, make_world
from adapters.msupply.simulator_catalogue import Node
from adapters.msupply.simulator_world import World

TOKEN_MS = 2 * 3_600_000


class LegacyServer(MSupplyServer):
    """The same world behind the older interface: what the central store supplies to one facility."""

    def __init__(self, world: World, **options: Any) -> None:
        super().__init__(world, **options)
        self.customer = "NGS003"
        self._tokens: dict[str, int] = {}

    def settings(self, **more: Any) -> dict[str, Any]:
        account = self.account
        return {"url": self.url, "api": "4d", "username": account.username, "password": account.password, **more}

    def revoke(self) -> None:
        self._tokens.clear()

    def routes(self) -> list[Route]:
        return [
            Route("/api/v4/login", self._login, methods=["POST"]),
            Route("/api/v4/stock", self._stock, methods=["GET"]),
            Route("/api/v4/customerInvoice", self._invoices, methods=["GET"]),
        ]

    async def _login(self, request: Request) -> Response:
        entered = await request.json()
        account = self.account
        account.sign_ins += 1
        if (entered.get("username"), entered.get("password")) != (account.username, account.password):
            return JSONResponse({"error": "Invalid username or password"}, status_code=401)
        if entered.get("loginType") != "invoice":
            return JSONResponse({"error": "User is not allowed this login type"}, status_code=401)
        token = f"{secrets.token_urlsafe(12)}.{secrets.token_urlsafe(30)}.{secrets.token_urlsafe(20)}"
        self._tokens[token] = self.world.now_ms + TOKEN_MS
        return JSONResponse({"token": token})

    def _refused(self, request: Request) -> Response | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0) > self.world.now_ms:
            return None
        return JSONResponse({"error": "JWT token/user ID/store ID not found"}, status_code=401)

    async def _stock(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        code, name = request.query_params.get("code", ""), request.query_params.get("name", "")
        lines = [line for line in self.world.stock[self.world.central["id"]].values() if line["totalNumberOfPacks"] > 0]
        chosen = [line for line in lines if line["item"]["code"].startswith(code) and name in line["itemName"]]
        return JSONResponse([_stock_line(line) for line in chosen])

    async def _invoices(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        customer = next(name["id"] for name in self.world.names.values() if name["code"] == self.customer)
        found = [
            invoice
            for invoice in self.world.invoices.values()
            if invoice["type"] == "OUTBOUND_SHIPMENT" and invoice["otherPartyId"] == customer
        ]
        return JSONResponse([_invoice(invoice) for invoice in found if invoice["status"] in ("PICKED", "SHIPPED")])


def _stock_line(line: Node) -> Node:
    return {
        "itemCode": line["item"]["code"],
        "itemName": line["itemName"],
        "batch": line["batch"],
        "expiryDate": f"{line['expiryDate']}T00:00:00Z",
        "packSize": line["packSize"],
        "numberOfPacks": line["totalNumberOfPacks"],
    }


def _invoice(invoice: Node) -> Node:
    return {
        "invoiceNumber": invoice["invoiceNumber"],
        "confirmedDate": invoice["pickedDatetime"] or "",
        "acknowledgedDate": "",
        "receivedDate": invoice["receivedDatetime"] or "",
        "cancelledDate": "",
        "invoiceReference": invoice["theirReference"] or "",
        "lines": [
            {
                "itemCode": line["itemCode"],
                "itemName": line["itemName"],
                "batch": line["batch"],
                "expiryDate": line["expiryDate"],
                "packSize": line["packSize"],
                "numberOfPacks": line["numberOfPacks"],
            }
            for line in invoice["_lines"].values()
        ],
    }


async def simulate_legacy(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run an older server until cancelled; options as :func:`adapters.msupply.simulator.simulate`."""
    server = LegacyServer(await asyncio.to_thread(make_world, options), port=int(options.get("port", 0)))
    await server.start()
    try:
        ready(server.settings())
        await asyncio.Event().wait()
    finally:
        await server.stop()
