"""Calls to an OpenLMIS server: signing in, one request at a time, pages and lists that are whole or an error.

Reference: openlmis.md, sections 1 and 2.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.base import Kit
from adapters.connect import Address, capital, parse_address
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.exchange import Reply, exchange, server_clock_ms, status_error
from adapters.openlmis import fields
from adapters.openlmis.settings import OpenLmisSettings

MOST_BYTES = 256_000_000
SKEW_NOTICED_MS = 2000  # the Date header counts whole seconds

Params = Sequence[tuple[str, str | int]]


class Refused(BadReply):
    """A refusal with a reason (400, 403, 404, 409 …): ``key`` for rules, ``said`` for people, in the server's words."""

    def __init__(self, why: str, status: int, key: str, said: str, sample: str) -> None:
        super().__init__(why, sample)
        self.status = status
        self.key = key
        self.said = said


class ServiceDown(NotReady):
    """One service behind the proxy failed (5xx); the others may well answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. ``size`` is what the server cut it to, which may be less than was asked for."""

    items: Sequence[object]
    number: int
    size: int
    last: bool
    total: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class OpenLmisClient:
    """One account on one server. Signs in when needed; an expired token is renewed once, silently."""

    def __init__(self, settings: OpenLmisSettings, kit: Kit) -> None:
        self.address = api_address(settings.url)
        self.peer = f"the OpenLMIS server {self.address.authority}"
        self.skew_ms = 0
        """The server's clock minus ours, from its last answer."""
        self.user_id = ""
        """The id of the signed-in user in reference data; "" for a key."""
        self._settings = settings
        self._kit = kit
        self._token = ""
        self._signing_in = asyncio.Lock()

    @property
    def name(self) -> str:
        return capital(self.peer)

    def now_ms(self) -> int:
        """The time as the server sees it."""
        return self._kit.clock.now_ms() + self.skew_ms

    # -- reading

    async def item(self, path: str, *params: tuple[str, str | int], signed: bool = True) -> dict[str, Any]:
        """One object. Raises Refused, and what any call raises."""
        value = self._json(await self._call("GET", path, params, signed=signed))
        return self._object(value)

    async def item_with_etag(self, path: str) -> tuple[dict[str, Any], str]:
        reply = await self._call("GET", path, ())
        return self._object(self._json(reply)), reply.headers.get("etag", "")

    async def items(self, path: str, *params: tuple[str, str | int]) -> list[object]:
        """A whole short list, sent as an array or as the only page of a paged one."""
        page = self._page(await self._call("GET", path, params), 0, 0)
        if not page.last:
            raise BadReply(f"{self.name} cut a list that was asked for as a whole ({path}).", "")
        return list(page.items)

    async def page(self, path: str, params: Params, number: int, size: int, *, since: str = "") -> Page | None:
        """One page; None where nothing changed since ``since`` (the ``Last-Modified`` of an earlier answer)."""
        asked = (*params, ("page", number), ("size", size))
        headers = {"If-Modified-Since": since} if since else {}
        reply = await self._call("GET", path, asked, headers=headers)
        return None if reply.status == 304 else self._page(reply, number, size)

    # -- changing

    async def change(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request that changes something; doubtful errors where it may have been applied."""
        try:
            reply = await self._call(method, path, (), body=body, headers=headers or {})
            if reply.status != 204:
                self._json(reply)  # a hotspot's page with status 200 has accepted nothing
            return reply
        except (ServiceDown, BadReply) as err:
            if not isinstance(err, Refused):
                err.is_doubtful = True
            raise

    # -- signing in

    async def sign_in(self) -> str:
        """Prove the credentials with one call and name the account in a way that stays the same. Raises AuthFailed."""
        if self._settings.auth == "key":
            await self._call("GET", "/programs", ())
            return "API key"
        await self._renew(self._token)
        return f"user {self.user_id or self._settings.username}"

    async def ensure_signed_in(self) -> None:
        """Learn who we are, where that is not known yet."""
        if self._settings.auth == "user" and not self._token:
            await self._renew("")

    async def _renew(self, old: str) -> None:
        """Ask for a token, unless another request did so meanwhile. Never repeated: accounts may be locked."""
        async with self._signing_in:
            if self._token and self._token != old:
                return
            self._token = ""
            pair = f"{self._settings.client_id}:{self._secret('client_secret')}".encode()
            # In the body, because a query ends up in the logs of every proxy on the way.
            form = {"username": self._settings.username, "password": self._secret("password")}
            headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            params = (("grant_type", "password"),)
            try:
                reply = await self._send("POST", "/oauth/token", params, headers=headers, form=form)
            except AdapterError as err:
                err.is_doubtful = False  # nothing but a token was asked for
                raise
            if reply.status in (400, 401):
                raise self._no_token(reply)
            if reply.status != 200:
                raise self._error(reply)
            answer = self._object(self._json(reply))
            token = answer.get("access_token")
            if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
                raise BadReply(f"{self.name} signed in without giving a token. {_OTHER_SERVICE}", "")
            self.user_id = fields.text(answer, "referenceDataUserId", fields.LONGEST_ID)
            self._token = token

    def _no_token(self, reply: Reply) -> AdapterError:
        try:
            said = json.loads(reply.body)
            error, why = str(said["error"]), fields.text(said, "error_description", 200).lower()
        except (ValueError, KeyError, TypeError, RecursionError):
            return (
                self._error(reply)
                if reply.status != 401
                else AuthFailed(f"{self.name} refused the sign-in. {self._what_to_enter()}")
            )
        if error == "invalid_client" or "client" in why:
            return AuthFailed(
                f"{self.name} does not know the OAuth client “{self._settings.client_id}”, or its secret is wrong. "
                "Ask its administrator for client and secret, and enter both."
            )
        if "lock" in why:
            return AuthFailed(
                f"{self.name} has locked the user after failed sign-ins. Wait until its administrator opens the "
                "account, then sign in again."
            )
        return AuthFailed(f"{self.name} refused user name or password. Enter them again; nothing is tried until then.")

    def _secret(self, name: str) -> str:
        stored: SecretStr | None = getattr(self._settings, name)
        value = stored.get_secret_value().strip() if stored else ""
        if not value:
            raise AuthFailed(f"No {name.replace('_', ' ')} is stored for {self.peer}. Enter it in the settings.")
        if name == "api_key" and not (value.isascii() and value.isprintable() and " " not in value):
            raise AuthFailed("The API key holds characters that no key has. Copy it again from OpenLMIS.")
        return value

    # -- below: one request

    async def _call(
        self,
        method: str,
        path: str,
        params: Params,
        *,
        signed: bool = True,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request, signed; after 401 the sign-in is renewed once and the request repeated once."""
        extra = dict(headers or {})
        if signed:
            await self.ensure_signed_in()
        used = self._bearer()
        signature = {"Authorization": f"Bearer {used}"} if signed else {}
        reply = await self._send(method, path, params, headers={**extra, **signature}, body=body)
        if signed and reply.status == 401 and self._settings.auth == "user":
            await self._renew(used)
            signature = {"Authorization": f"Bearer {self._bearer()}"}
            reply = await self._send(method, path, params, headers={**extra, **signature}, body=body)
        if reply.status in (200, 201, 204) or (reply.status == 304 and "If-Modified-Since" in extra):
            return reply
        raise self._error(reply)

    def _bearer(self) -> str:
        return self._secret("api_key") if self._settings.auth == "key" else self._token

    async def _send(
        self,
        method: str,
        path: str,
        params: Params,
        *,
        headers: Mapping[str, str],
        body: object = None,
        form: dict[str, str] | None = None,
    ) -> Reply:
        url = httpx.URL(f"{self.address.url}{path}", params=list(params) or None)
        request = self._kit.http.build_request(
            method, url, headers={"Accept": "application/json", **headers}, json=body, data=form
        )
        limit = self._settings.answer_within_s
        reply = await exchange(self._kit.http, request, peer=self.peer, timeout_s=limit, max_bytes=MOST_BYTES)
        if (server_ms := server_clock_ms(reply.headers)) is not None:
            skew_ms = server_ms - self._kit.clock.now_ms()
            self.skew_ms = skew_ms if abs(skew_ms) > SKEW_NOTICED_MS else 0
        return reply

    def _error(self, reply: Reply) -> AdapterError:
        now_ms = self._kit.clock.now_ms()
        common = status_error(reply.status, reply.headers, reply.sample, peer=self.peer, now_ms=now_ms)
        if reply.status >= 500 and isinstance(common, NotReady):
            return ServiceDown(common.why, common.retry_after_s)
        if reply.is_html and reply.status not in (404, 413):
            return BadReply(
                f"{self.name} answered with a web page ({reply.status}) instead of data. {_OTHER_SERVICE}", reply.sample
            )
        if reply.status == 401:
            return AuthFailed(f"{self.name} refused the sign-in. {self._what_to_enter()}")
        if 400 <= reply.status < 500 and reply.status not in (407, 408, 429):
            key, said = refusal(reply)
            return Refused(_WORDS.get(reply.status, _REFUSED).format(peer=self.name, said=_reason(said)),
                           reply.status, key, said, reply.sample)  # fmt: skip
        return common

    def _what_to_enter(self) -> str:
        if self._settings.auth == "key":
            return "The API key was deleted or is wrong. Enter a key that its administrator made."
        return "The user may be disabled. Check user name and password."

    # -- bodies

    def _json(self, reply: Reply) -> Any:
        if reply.is_html:
            raise BadReply(f"{self.name} answered with a web page instead of data. {_OTHER_SERVICE}", reply.sample)
        try:
            return json.loads(reply.body.decode("utf-8-sig"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as err:
            if not reply.body.strip():
                raise BadReply(f"{self.name} sent an empty answer. {_OTHER_SERVICE}", "") from err
            raise BadReply(
                f"The answer of {self.peer} breaks off or is not JSON, so none of it is used. It is asked for again; "
                "if this lasts, look at the server's log.",
                reply.sample,
            ) from err

    def _object(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadReply(f"{self.name} sent something else than was asked for. {_OTHER_SERVICE}", repr(value))
        return value

    def _page(self, reply: Reply, number: int, size: int) -> Page:
        """A page answer or a plain array (openlmis.md, section 2: accept both)."""
        value = self._json(reply)
        headers = {name: reply.headers[name] for name in ("last-modified", "etag") if name in reply.headers}
        if isinstance(value, list):
            return Page(value, 0, len(value), last=True, total=len(value), headers=headers)
        value = self._object(value)
        content = value.get("content")
        if not isinstance(content, list):
            raise BadReply(f"{self.name} sent something else than a list. {_OTHER_SERVICE}", reply.sample)
        total, pages = fields.number(value, "totalElements"), fields.number(value, "totalPages")
        found = int(fields.number(value, "number") or number)
        cut = int(fields.number(value, "size") or 0) or size
        if isinstance(value.get("last"), bool):
            last = value["last"]
        else:
            last = found + 1 >= pages if pages is not None else len(content) < max(cut, 1)
        return Page(content, found, cut, last or not content, None if total is None else int(total), headers)


_OTHER_SERVICE = (
    "Check that the address leads to OpenLMIS itself, and that no sign-in page or proxy answers in its place."
)
_REFUSED = "{peer} refused the request{said}. Check its version and the address."
_WORDS = {
    403: "{peer} does not allow this account to do that{said}. Ask its administrator for the right.",
    404: "{peer} does not know what was asked for{said}. It may be gone, or this version has no such page.",
    413: "{peer}, or the proxy before it, does not take a request of this size{said}. Ask its administrator.",
    409: "{peer} refused because the record was changed meanwhile{said}. It is read again.",
}


def _reason(said: str) -> str:
    return f" ({said.rstrip('.')})" if said else ""


def refusal(reply: Reply) -> tuple[str, str]:
    """Key and sentence of a refusal, "" where it gives none.

    Forms: ``{messageKey, message}``, a map of fields to such, OAuth's ``{error, error_description}``.
    """
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return "", ""
    found = list(_messages(value, 0)) if isinstance(value, dict) else []
    keys = list(dict.fromkeys(key for key, _ in found if key))
    said = list(dict.fromkeys(message for _, message in found if message))
    return (keys[0] if keys else ""), " ".join(said)[:500]


def _messages(value: dict[str, Any], depth: int) -> list[tuple[str, str]]:
    key, message = fields.text(value, "messageKey", 200), fields.text(value, "message", 300)
    if key or message:
        return [(key, " ".join(message.split()))]
    if error := fields.text(value, "error", 100):
        return [(error, fields.text(value, "error_description", 300))]
    inner = [item for item in value.values() if isinstance(item, dict)] if depth < 5 else []
    return [pair for item in inner for pair in _messages(item, depth + 1)]


def api_address(url: str) -> Address:
    """The address below which the API lies. Raises SettingsInvalid."""
    address = parse_address(url)
    path = address.path if address.path.endswith("/api") else f"{address.path}/api"
    return Address(address.host, address.port, address.secure, path)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
