"""A small supply system on loopback and an adapter for it: takes changes, refuses some for ever, loses answers.

The peer applies every write that reaches it, also one that it has had already: whether a change is applied once is
up to those who send. It keeps a history of what it applied, which is what the tests judge by.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
from pydantic import SecretStr

from adapters.base import Adapter, CheckStep, Identity, Kit, Manifest, Outgoing, Receipt, Settings, Write, setting
from adapters.errors import AdapterError, AuthFailed, BadReply, Conflict, NotReady, RecordRejected
from app.catalogue import Catalogue, Entry

PLACES = (
    "read_no_connection", "read_lost", "read_error_page", "read_garbage",
    "write_lost_before", "write_lost_after", "write_error_before", "write_error_after", "write_garbage_after",
)  # fmt: skip
"""Where a line can break: before a read was answered, before or after a write was applied."""


@dataclass(frozen=True)
class Applied:
    """One write that the peer took: which record, what, by which key."""

    record: str
    values: Mapping[str, Any]
    key: str


@dataclass
class SupplyPeer:
    """``fault`` is asked at every request, with its verb, for the place at which it breaks; "" for nowhere."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # record to reason, for ever
    history: list[Applied] = field(default_factory=list)
    fault: Callable[[str], str] = lambda _verb: ""
    locked_out: bool = False
    gate: threading.Event | None = None  # a write waits here after it was applied
    requests: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # head and body of an answer go as one

            def do_GET(self) -> None:
                peer.answer(self, "read")

            def do_POST(self) -> None:
                peer.answer(self, "write")

            def log_message(self, *words: Any) -> None:
                """Nothing on the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        if self.gate is not None:
            self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def times(self, record: str, values: Mapping[str, Any]) -> int:
        """How often a write was applied."""
        return sum(1 for one in self.history if one.record == record and dict(one.values) == dict(values))

    def answer(self, request: BaseHTTPRequestHandler, verb: str) -> None:
        with self.lock:
            self.requests[verb] += 1
            place = self.fault(verb)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if place in ("read_lost", "read_no_connection", "write_lost_before"):
            request.close_connection = True
            request.connection.close()
            return
        if place in ("read_error_page", "write_error_before"):
            _send(request, 502, b"<html>Bad gateway</html>", "text/html")
            return
        if self.locked_out:
            _send(request, 401, b"{}")
            return
        status, value = self._read(request.path) if verb == "read" else self._write(request.path, json.loads(body))
        if verb == "write" and self.gate is not None and status == 200:
            self.gate.wait(20)
        if place == "write_lost_after":
            request.close_connection = True
            request.connection.close()
        elif place == "write_error_after":
            _send(request, 502, b"<html>Bad gateway</html>", "text/html")
        elif place in ("read_garbage", "write_garbage_after"):
            _send(request, 200, b"{not json")
        else:
            _send(request, status, json.dumps(value).encode())

    def _read(self, path: str) -> tuple[int, Any]:
        with self.lock:
            if path == "/history":
                return 200, {"applied": len(self.history)}
            found = self.records.get(path.removeprefix("/records/"))
            return (404, {}) if found is None else (200, dict(found))

    def _write(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        name = path.removeprefix("/records/")
        with self.lock:
            if name in self.refused:
                return 422, {"why": self.refused[name]}
            self.records[name].update(body["values"])
            self.history.append(Applied(name, dict(body["values"]), body["key"]))
            return 200, dict(self.records[name])


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "application/json") -> None:
    try:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
    except OSError:  # whoever asked has gone
        request.close_connection = True


class PeerSettings(Settings):
    url: str = setting("Address", "url")
    allow_stock: bool = setting("Stock may be booked", "switch", default=False)
    token: SecretStr | None = setting("Token", "secret", default=None)
    poll_interval_s: int = setting("Ask every", "number", default=60, ge=1)


WRITES = (
    Write(
        "line",
        "Quantities of a line",
        "requisition_line",
        ("supply_units", "approved_units", "comment"),
        ("submitted",),
    ),
    Write(
        "requisition_step",
        "Step of a requisition",
        "requisition",
        ("stage",),
        ("draft", "submitted", "approved"),
        values={"stage": ("submitted", "approved", "closed")},
    ),
    Write(
        "shipment",
        "Details of a shipment",
        "shipment",
        ("transport_reference", "comment", "expected_on", "is_on_hold"),
    ),
    Write(
        "shipment_step",
        "Step of a shipment",
        "shipment",
        ("stage",),
        ("new", "allocated", "picked"),
        values={"stage": ("allocated", "picked", "shipped")},
        effect="The peer books the stock out, which cannot be undone there.",
    ),
    Write("receipt", "What arrived", "shipment_line", ("accepted_units", "rejected_units"), switch="allow_stock"),
)


class PeerAdapter(Adapter[PeerSettings]):
    """Reads, compares with what was seen, writes, and tells what it knows of the outcome."""

    manifest: ClassVar[Manifest] = Manifest(
        key="small_peer",
        name="Small peer",
        description="Takes changes, for tests.",
        category="supply_chain",
        icon="boxes",
        capabilities=("Testing",),
        settings=PeerSettings,
        modes=frozenset({"send"}),
        writes=WRITES,
        stale_after_s=0,
        max_in_flight=4,
    )

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        return Identity(f"small:{self.settings.url}", "Small peer", "1.0")

    async def send(self, outgoing: Outgoing) -> Receipt:
        name = outgoing.peer_id
        now = await self._exchange("GET", name, None, may_be_applied=False)
        if all(now.get(field) == value for field, value in outgoing.values.items()):
            return Receipt("It has this already.", was_applied_before=outgoing.is_doubtful)
        theirs = {
            field: now.get(field)
            for field, value in outgoing.values.items()
            if now.get(field) not in (value, outgoing.seen.get(field))
        }
        if theirs:
            raise Conflict(name, dict(outgoing.values), theirs)
        body = {"values": dict(outgoing.values), "key": outgoing.key}
        await self._exchange("POST", name, body, may_be_applied=True)
        return Receipt("Applied.")

    async def _exchange(self, verb: str, name: str, body: Any, *, may_be_applied: bool) -> dict[str, Any]:
        try:
            reply = await self.kit.http.request(verb, f"{self.settings.url}/records/{name}", json=body)
        except httpx.ConnectError as err:
            raise NotReady(f"Small peer cannot be reached ({err}).") from err
        except httpx.HTTPError as err:
            raise _doubt(NotReady(f"The line to Small peer broke ({err})."), may_be_applied) from err
        if reply.status_code == 401:
            raise AuthFailed("Small peer refused the token.")
        if reply.status_code == 422:
            raise RecordRejected(name, str(reply.json()["why"]))
        if reply.status_code == 404:
            raise RecordRejected(name, "Small peer knows no such record.")
        if reply.status_code >= 500:
            raise _doubt(NotReady(f"Small peer answered {reply.status_code}."), may_be_applied)
        try:
            found: dict[str, Any] = reply.json()
        except ValueError as err:
            raise _doubt(
                BadReply("Small peer answered something that is no JSON.", reply.text), may_be_applied
            ) from err
        return found


def _doubt(error: AdapterError, may_be_applied: bool) -> AdapterError:
    error.is_doubtful = may_be_applied
    return error


def peer_catalogue(*, max_in_flight: int = 4, kind: type[PeerAdapter] = PeerAdapter) -> Catalogue:
    """A catalogue that knows the small peer alone."""
    from dataclasses import replace

    manifest = replace(kind.manifest, max_in_flight=max_in_flight)
    adapter = type("SizedPeerAdapter", (kind,), {"manifest": manifest})
    entry = Entry(
        key=manifest.key,
        name=manifest.name,
        description=manifest.description,
        category=manifest.category,
        icon=manifest.icon,
        capabilities=manifest.capabilities,
        manifest=manifest,
    )
    return Catalogue([entry], {manifest.key: adapter})


class PeerKits:
    """Kits with a real client each; a closed peer's connections are never used again."""

    def __init__(self) -> None:
        self.clients: list[httpx.AsyncClient] = []

    def __call__(self, integration_id: str, manifest: Manifest, settings: Settings, clock: Any) -> Kit:
        import logging
        import ssl

        client = httpx.AsyncClient(timeout=30, trust_env=False)
        self.clients.append(client)
        return Kit(integration_id, client, ssl.create_default_context(), logging.getLogger("tests.peer"), clock)


if __name__ == "__main__":  # a peer in a process of its own, with so many records and as many for a baseline
    count = int(sys.argv[1])
    served = SupplyPeer({f"{kind}{number}": {"supply_units": 10.0} for kind in "pb" for number in range(count)})
    print(served.url, flush=True)
    served.thread.join()
