"""The live socket: what the server pushes, until it is lost (reference: traccar-api.md, section 5).

The socket has no replay, no numbers and no acknowledgement, and never pushes fixes that arrive late. So it only
brings things forward: each time it opens, a run of polling closes the gap, and polling stays the record.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from adapters.base import Inlet, Kit
from adapters.connect import proxy_for
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.exchange import WEBSOCKET_ERRORS, websocket_error
from adapters.records import Batch, Record
from adapters.traccar.client import TraccarClient
from adapters.traccar.fleet import Fleet
from adapters.traccar.settings import TraccarSettings

QUIET_S = 120.0
"""The server sends a keep-alive every 55 s; after this long without one the connection is dead."""

LARGEST_MESSAGE = 64_000_000  # the first one holds the latest position of every device
OPEN_TIMEOUT_S = 20.0
SLICE = 500  # records read in one go: the sockets of this process must not wait for a long message
MOST_ASKED_FOR = 10_000

# The library logs the request line, and with it the token in the URL, so it gets a logger that nobody hears.
_SILENT = logging.getLogger("adapters.traccar.silent")
_SILENT.disabled = True

# Answers to the upgrade that mean “no session”: 503 in practice, others behind proxies.
_NO_SESSION = frozenset({401, 403, 503})


class _Connect(connect):
    """A connection to the address of the settings and no other: credentials and trust belong to it alone."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Never follow; the refusal then says where the peer sends us."""
        return exc


class Live:
    """Receives from one server. ``since_ms`` is when the present connection began to deliver, None without one."""

    def __init__(self, client: TraccarClient, fleet: Fleet, settings: TraccarSettings, kit: Kit) -> None:
        self.since_ms: int | None = None
        self._client = client
        self._fleet = fleet
        self._settings = settings
        self._kit = kit
        self._asked_for: set[int] = set()

    async def run(self, inlet: Inlet) -> None:
        """Receive until the connection is lost, which is an error. Never returns."""
        if not self._fleet.devices:
            await self._learn_devices(inlet)
        try:
            async with await self._open() as connection:
                await self._receive(connection, inlet)
        except TimeoutError as err:
            raise NotReady(
                f"No sign of life on the live connection to {self._client.peer} for {QUIET_S:.0f} s. It is opened "
                "again by itself."
            ) from err
        except WEBSOCKET_ERRORS as err:
            raise self._explain(err) from err
        finally:
            self.since_ms = None

    def _explain(self, err: Any) -> AdapterError:
        return websocket_error(err, self._client.peer, self._kit.clock.now_ms())

    async def _open(self) -> ClientConnection:
        """An open socket. A session that the server forgot is renewed once; refused again, it is an error."""
        try:
            return await self._connect()
        except InvalidStatus as err:
            if err.response.status_code not in _NO_SESSION:
                raise
            # Whether the credentials or the socket are at fault: an ordinary call tells, renewing the session.
            self._client.forget_session()
            await self._client.items("/devices", ("limit", 1))
        try:
            return await self._connect()
        except InvalidStatus as err:
            told = self._explain(err)
            if isinstance(told, AuthFailed) or err.response.status_code in _NO_SESSION:
                raise NotReady(
                    f"The credentials are right, but live updates are refused at {self._client.peer} "
                    f"({err.response.status_code}). Ask its administrator whether the proxy lets WebSocket through, "
                    "or switch live updates off in the settings."
                ) from err
            raise told from err

    async def _connect(self) -> ClientConnection:
        url, headers = await self._client.socket_access()
        return await _Connect(
            url,
            ssl=self._kit.tls if self._client.address.secure else None,
            additional_headers=headers,
            origin=None,  # servers from 6.12 on tie sessions to it
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=0.5,  # a stop must not wait for a peer whose messages nobody reads any more
            ping_interval=None,  # the server's own keep-alive is watched
            max_size=LARGEST_MESSAGE,
            logger=_SILENT,
            proxy=proxy_for(self._client.address),
        )

    async def _receive(self, connection: ClientConnection, inlet: Inlet) -> None:
        while True:
            async with asyncio.timeout(QUIET_S):
                message = await connection.recv()
            said = read_message(message, self._client.peer)
            if self.since_ms is None:
                # Only a message proves that the server works; the gap since the last connection is polled.
                self.since_ms = self._client.now_ms()
                inlet.connected(f"Live updates from {self._client.peer}.")
                inlet.request_fetch("the live connection was opened")
            for part in _slices(said):
                self._deliver(part, inlet)
                await asyncio.sleep(0)
            if inlet.is_full:
                await inlet.wait_for_room()

    def _deliver(self, said: dict[str, list[object]], inlet: Inlet) -> None:
        devices, positions, events = (said.get(name, []) for name in ("devices", "positions", "events"))
        infos, bad_devices = self._fleet.learn_devices(devices, whole=False)
        strangers = self._fleet.strangers([*positions, *events])
        if strangers:
            inlet.count("unknown_device", len(strangers))
            self._ask_for(strangers, inlet)
        now_ms = self._kit.clock.now_ms()
        fixes, bad_fixes = self._fleet.read_fixes(positions, now_ms)
        read_events, bad_events = self._fleet.read_events(events, now_ms)
        news = self._fleet.latest_records(fixes)
        records: list[Record] = [*infos, *news, *read_events, *bad_devices, *bad_fixes, *bad_events]
        if not records:
            return
        self._fleet.note_infos(infos)
        self._fleet.note_latest(fixes)
        self._hand_over(records, inlet)

    def _ask_for(self, strangers: set[int], inlet: Inlet) -> None:
        """Bring the next run forward for new devices, once each: some can never become known."""
        if strangers <= self._asked_for or len(self._asked_for) >= MOST_ASKED_FOR:
            return
        self._asked_for |= strangers
        inlet.request_fetch("the server showed a new device")

    def _hand_over(self, records: list[Record], inlet: Inlet) -> None:
        def committed(future: asyncio.Future[None]) -> None:
            if future.cancelled() or future.exception() is None:
                return
            # What was not stored must come again: by polling, which from now on trusts the socket no further back.
            self._fleet.forget_delivered()
            if self.since_ms is not None:
                self.since_ms = self._client.now_ms()
            inlet.request_fetch("live positions could not be stored")

        inlet.deliver(Batch(records)).add_done_callback(committed)

    async def _learn_devices(self, inlet: Inlet) -> None:
        infos, bad = self._fleet.learn_devices(await self._client.all_items("/devices"), whole=True)
        if infos or bad:
            self._fleet.note_infos(infos)
            self._hand_over([*infos, *bad], inlet)


def read_message(message: str | bytes, peer: str) -> dict[str, list[object]]:
    """The lists of one message by name; ``{}`` for a keep-alive. Raises BadReply for what is no JSON object."""
    try:
        said = json.loads(message)
    except (ValueError, RecursionError) as err:
        raise BadReply(
            f"A live message of {peer} is not JSON. It is connected again by itself; if this lasts, look at proxies in "
            "between.",
            str(message)[:2000],
        ) from err
    if not isinstance(said, dict):
        raise BadReply(
            f"A live message of {peer} is not an object. It is connected again by itself.", str(message)[:2000]
        )
    return {name: items for name, items in said.items() if isinstance(items, list)}


def _slices(said: dict[str, list[object]]) -> Iterator[dict[str, list[object]]]:
    """A message in parts of at most :data:`SLICE` positions and events; devices come first, whole."""
    devices, positions, events = (said.get(name, []) for name in ("devices", "positions", "events"))
    for at in range(0, max(len(positions), len(events), 1), SLICE):
        piece = slice(at, at + SLICE)
        yield {"devices": devices if at == 0 else [], "positions": positions[piece], "events": events[piece]}
