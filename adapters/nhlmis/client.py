"""Calls to NHLMIS: exactly the requests of :mod:`adapters.nhlmis.requests`, and what their answers mean."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
from aiolimiter import AsyncLimiter

from adapters.base import Kit
from adapters.connect import capital, parse_address
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady, SettingsInvalid
from adapters.exchange import Reply, exchange, server_clock_ms, status_error
from adapters.nhlmis import fields, paths
from adapters.nhlmis.profile import Profile, approval_code
from adapters.nhlmis.profile_files import load_profile
from adapters.nhlmis.requests import Wire
from adapters.nhlmis.settings import NhlmisSettings
from adapters.reporting import BLANK, ExactRequest

MOST_BYTES = 64_000_000
SHORTEST_BLANKED = 8
"""A shorter key may be part of any word of an answer."""
_LIST_NAMES = ("orders", "results", "items", "data", "content", "records", "customers", "facilities")
_OTHER_SERVICE = (
    "Check that the address leads to NHLMIS itself, and that no sign-in page or proxy answers in its place."
)


def load_wire(settings: NhlmisSettings) -> Wire:
    """Address and profile of these settings. Raises SettingsInvalid."""
    address = parse_address(settings.url)
    profile = load_profile(settings.profile)
    signed_off = profile.base_url.strip().rstrip("/")
    if signed_off and signed_off != address.url and parse_address(signed_off, "profile") != address:
        raise SettingsInvalid(
            "url",
            f"The profile “{profile.name}” was signed off for {signed_off[:200]}, not for this address. Enter that "
            "address, or choose a profile for this one.",
        )
    return Wire(address, profile)


def code_of(wire: Wire) -> str:
    """The code by which an operator approves this way of sending."""
    return approval_code(wire.profile, wire.address.url)


def is_approved(settings: NhlmisSettings, wire: Wire) -> bool:
    return settings.profile_approved and settings.approved_code.strip().upper() == code_of(wire)


def require_approval(settings: NhlmisSettings, wire: Wire) -> None:
    """Raises NotReady, with the setting that ends it, while nothing may be sent."""
    if is_approved(settings, wire):
        return
    if settings.profile_approved:
        raise NotReady(
            "Nothing is sent to NHLMIS: the profile or the address was changed after it was approved, or the code of "
            "the dry run is missing. Make a dry run, look at it, and enter its code.",
            field="approved_code",
        )
    raise NotReady(
        "Nothing is sent to NHLMIS before somebody has approved how. Make a dry run, look at it, then switch on "
        "“Send to NHLMIS” and enter its code.",
        field="profile_approved",
    )


class NhlmisClient:
    """One organisation's key on one server, within the profile's limits."""

    def __init__(self, settings: NhlmisSettings, kit: Kit) -> None:
        self.wire = load_wire(settings)
        self.settings = settings
        self.kit = kit
        self.peer = f"the NHLMIS server {self.wire.address.authority}"
        self.skew_ms = 0
        """The server's clock minus ours, from its last answer."""
        self.pack_sizes: dict[str, float] = {}
        """Units in a pack by the item's code, from the list of items where the profile has one."""
        limits = self.profile.limits
        self._turn = asyncio.Semaphore(limits.in_flight)
        self._budget = AsyncLimiter(limits.per_minute, 60)
        self._timeout_s = float(settings.answer_within_s or limits.timeout_s)

    @property
    def profile(self) -> Profile:
        return self.wire.profile

    def now_ms(self) -> int:
        """The time as the server sees it."""
        return self.kit.clock.now_ms() + self.skew_ms

    async def send(self, request: ExactRequest) -> Reply:
        """Send exactly this and return what was answered about it, of any status.

        Raises what :meth:`fault` makes of answers that are not the server's own word.
        """
        reply = await self._exchange(request)
        if (fault := self.fault(reply, request)) is not None:
            raise fault
        return reply

    async def read(self, request: ExactRequest, key: str) -> Any:
        """The JSON of a reading call; ``key`` is the profile's, named where the path is wrong. Raises BadReply too."""
        reply = await self.send(request)
        if reply.status == 404:
            raise Missing(
                f"{capital(self.peer)} does not know what was asked for. Check “{key}” in the profile, and the path in "
                "the address.",
                reply.sample,
            )
        if reply.status >= 400 or reply.status == 204:
            raise BadReply(
                f"{capital(self.peer)} refused the request ({reply.status}). Check “{key}” and the parameters in the "
                "profile.",
                reply.sample,
            )
        try:
            return json.loads(reply.body.decode("utf-8-sig"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as err:
            raise BadReply(
                f"The answer of {self.peer} breaks off or is not JSON, so none of it is used. It is asked for again; "
                "if this lasts, ask the NHLMIS team.",
                reply.sample,
            ) from err

    def list_of(self, data: object, list_path: str, key: str) -> list[Any]:
        """The records of an answer: at the profile's place, else the answer itself or its one list. Raises BadReply."""
        found = paths.read(data, list_path) if list_path else _only_list(data)
        if not isinstance(found, list) or (found and not any(isinstance(one, dict) for one in found)):
            raise BadReply(
                f"{capital(self.peer)} sent something else than a list of records. Check “{key}” in the profile. "
                f"{_OTHER_SERVICE}",
                fields.sample(data),
            )
        return found

    def fault(self, reply: Reply, request: ExactRequest) -> AdapterError | None:
        """The error for an answer that says nothing about the request's content; None for one that does.

        A call that changes something and met a fault of the server may have been carried out: it is doubtful.
        """
        writes = request.method != "GET"
        found = self._fault(reply, writes)
        if found is not None:
            found.is_doubtful = writes and reply.status not in (401, 403, 407, 429)
        return found

    def _fault(self, reply: Reply, writes: bool) -> AdapterError | None:
        status, name = reply.status, capital(self.peer)
        if status == 401 or (status == 403 and not writes and not reply.is_html):
            reason = "refused the API key" if status == 401 else "forbids this API key the request"
            return (AuthFailed if status == 401 else Forbidden)(
                f"{name} {reason}. Ask the NHLMIS team whether it is still valid and bound to your stores, and check "
                "“auth.header” and “auth.scheme” in the profile."
            )
        if status in (408, 425):
            return NotReady(f"{name} gave up waiting for the request. It is tried again by itself; check the line.")
        if status >= 500 or status in (407, 429) or 300 <= status < 400:
            return status_error(status, reply.headers, reply.sample, peer=self.peer, now_ms=self.kit.clock.now_ms())
        if reply.is_html:
            return BadReply(
                f"{name} answered with a web page ({status}) instead of data. {_OTHER_SERVICE}", reply.sample
            )
        return None

    async def _exchange(self, request: ExactRequest) -> Reply:
        key = self._key()
        signed = request.signed(key)
        made = httpx.Request(signed.method, signed.url, headers=list(signed.headers), content=signed.body or None)
        async with self._turn:
            await self._budget.acquire()
            reply = await exchange(self.kit.http, made, peer=self.peer, timeout_s=self._timeout_s, max_bytes=MOST_BYTES)
        if (server_ms := server_clock_ms(reply.headers)) is not None:
            skew_ms = server_ms - self.kit.clock.now_ms()
            self.skew_ms = skew_ms if abs(skew_ms) > 2000 else 0  # the header counts whole seconds
        if len(key) < SHORTEST_BLANKED:
            return reply
        # A server that repeats the key must not bring it into a log or a sample.
        return replace(reply, body=reply.body.replace(key.encode(), BLANK.encode()))

    def _key(self) -> str:
        stored = self.settings.api_key
        key = stored.get_secret_value().strip() if stored else ""
        if not key:
            raise AuthFailed(f"No API key is stored for {self.peer}. Enter it in the settings.")
        if not (key.isascii() and key.isprintable()):
            raise AuthFailed("The API key holds characters that no header takes. Copy it again from the NHLMIS team.")
        return key


class Forbidden(AuthFailed):
    """Answer 403 to a reading call: the key is known, but not for this."""


class Missing(BadReply):
    """Answer 404: the path is wrong, or there is no such record."""


def _only_list(data: object) -> object:
    if not isinstance(data, dict):
        return data
    lists = {str(key).lower(): value for key, value in data.items() if isinstance(value, list)}
    for name in _LIST_NAMES:
        if name in lists:
            return lists[name]
    if len(lists) == 1:
        return next(iter(lists.values()))
    inner = [value for value in data.values() if isinstance(value, dict)]
    return _only_list(inner[0]) if not lists and len(inner) == 1 else None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
