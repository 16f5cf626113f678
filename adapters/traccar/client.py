"""Calls to a Traccar server: signing in, one request at a time, lists that are whole or an error.

Reference: traccar-api.md, sections 1 and 2, and the server's API description (OpenAPI, 6.14).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.base import Kit
from adapters.connect import Address, capital, parse_address
from adapters.errors import AuthFailed, BadReply, SettingsInvalid
from adapters.exchange import Reply, exchange, server_clock_ms, status_error
from adapters.traccar import fields
from adapters.traccar.settings import TraccarSettings

PAGE = 1000
MOST_PAGES = 1000
MOST_BYTES = 256_000_000
COOKIE = "JSESSIONID"

Params = Sequence[tuple[str, str | int]]


class Refused(BadReply):
    """Answer 400: the server's word for “no permission”, “no such object” and every fault of its own."""


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token says about itself; nobody verified it."""

    user_id: int
    ends_at_ms: int | None


def token_facts(token: str) -> TokenFacts | None:
    """Read user and end of a token: base64url of length byte, signature and a JSON object with ``u`` and ``e``.

    Layout: the server's TokenManager and CryptoManager, 5.x to 6.14. None for tokens of another kind.
    """
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        said = json.loads(data[1 + data[0] :])
    except (ValueError, IndexError, RecursionError):
        return None
    if not isinstance(said, dict) or (user_id := fields.integer(said, "u")) is None:
        return None
    return TokenFacts(user_id, fields.integer(said, "e") or fields.time_ms(said, "e"))


class TraccarClient:
    """One account on one server. Signs in when needed; a session that the server forgot is renewed once, silently."""

    def __init__(self, settings: TraccarSettings, kit: Kit) -> None:
        self.address = api_address(settings.url)
        self.peer = f"the Traccar server {self.address.authority}"
        self.skew_ms = 0
        """The server's clock minus ours, from its last answer."""
        self._settings = settings
        self._kit = kit
        self._turn = asyncio.Lock()
        self._signed_in = False

    def now_ms(self) -> int:
        """The time as the server sees it."""
        return self._kit.clock.now_ms() + self.skew_ms

    async def all_items(self, path: str, *params: tuple[str, str | int]) -> list[object]:
        """A whole list, page by page where the server knows pages (6.13+); older ones return everything at once."""
        found: list[object] = []
        seen: set[object] = set()
        for page in range(MOST_PAGES):
            items = await self.items(path, *params, ("limit", PAGE), ("offset", page * PAGE))
            ids = {item.get("id") for item in items if isinstance(item, dict)}
            if seen & ids:  # a server that ignores “offset” repeats itself
                break
            seen |= ids
            found += items
            if len(items) != PAGE:
                break
        return found

    async def items(self, path: str, *params: tuple[str, str | int]) -> list[object]:
        """One list. Raises BadReply for one that was cut off: never a shorter list."""
        reply = await self._call(path, params)
        found: list[object] = []
        for item in read_list(reply, self.peer):
            found.append(item)
            if len(found) % 500 == 0:
                await asyncio.sleep(0)  # a long list must not hold up the sockets of this process
        return found

    async def item(self, path: str, *, signed: bool = True) -> dict[str, Any]:
        reply = await self._call(path, (), signed=signed)
        return read_object(reply, self.peer)

    async def sign_in(self) -> str:
        """Prove the credentials with one call and name the account in a way that stays the same.

        Raises AuthFailed, and what any call raises.
        """
        if self._settings.auth == "session":
            await self._open_session()
        if self._settings.auth == "token":
            # “GET /session” knows no bearer token, and a token in a URL would end up in logs.
            await self._call("/devices", (("limit", 1),))
            facts = token_facts(self._secret("token"))
            return f"user {facts.user_id}" if facts else "service account"
        user = await self._session_user()
        return f"user {user['id']}"

    async def _session_user(self) -> dict[str, Any]:
        """The user behind the credentials. Basic sign-in has no session to ask for, so it opens one."""
        if self._settings.auth == "basic":
            await self._call("/devices", (("limit", 1),))
            await self._open_session()
        user = await self.item("/session")
        if fields.integer(user, "id") is None:
            raise BadReply(f"The Traccar server did not say who is signed in. {_OTHER_SERVICE}", repr(user))
        return user

    async def sign_out(self) -> None:
        """End the session that a check opened; one that is not there is no fault."""
        if COOKIE in {cookie.name for cookie in self._kit.http.cookies.jar}:
            await self._send("DELETE", "/session", ())
        self._forget_session()

    async def socket_access(self) -> tuple[str, dict[str, str]]:
        """URL and headers with which the live socket opens. The URL may hold the token: never log it."""
        url = f"{self.address.websocket_url}/socket"
        if self._settings.auth == "token":
            return str(httpx.URL(url, params={"token": self._secret("token")})), {}
        if not self._signed_in:
            await self._open_session()
        return url, self._cookie_header()

    def forget_session(self) -> None:
        """The server refused the session: the next call signs in anew."""
        self._forget_session()

    # -- below: one request

    async def _call(self, path: str, params: Params, *, signed: bool = True) -> Reply:
        if signed and self._settings.auth == "session" and not self._signed_in:
            await self._open_session()
        reply = await self._send("GET", path, params, signed=signed)
        if signed and self._session_ended(path, reply):
            # Sessions live in the server's memory: a restart ends them all. Once, and not again if that fails.
            await self._open_session()
            reply = await self._send("GET", path, params)
        if reply.status == 200:
            return reply
        if signed and reply.status in (400, 500) and await self._credentials_break_everything():
            raise AuthFailed(
                f"{self._name} cannot read these credentials: the token is damaged, or was made by another server. "
                "Enter a token of this server."
            )
        raise self._error(reply)

    def _session_ended(self, path: str, reply: Reply) -> bool:
        by_session = self._settings.auth == "session" or path == "/session"
        return by_session and (reply.status == 401 or (reply.status == 404 and path == "/session"))

    async def _credentials_break_everything(self) -> bool:
        """Whether a call that needs no sign-in fails only because credentials come with it."""
        if self._settings.auth == "session":
            return False
        with_them = await self._send("GET", "/server", ())
        return with_them.status in (400, 500) and (await self._send("GET", "/server", (), signed=False)).status == 200

    def _error(self, reply: Reply) -> Exception:
        if reply.is_html:
            return BadReply(
                f"{self._name} answered with a web page ({reply.status}) instead of data. {_OTHER_SERVICE}",
                reply.sample,
            )
        if reply.status == 401:
            if "totp" in reply.headers.get("www-authenticate", "").lower():
                return AuthFailed(
                    "This Traccar account needs a second factor. Sign in with a token instead: Traccar makes one under "
                    "Settings, Preferences."
                )
            return AuthFailed(f"{self._name} refused the sign-in. {self._what_to_enter}")
        if reply.status == 400:
            first_line = fields.clean(reply.sample.strip().split("\n", 1)[0])[:200] or "no reason given"
            return Refused(
                f"{self._name} refused the request ({first_line}). Check that the account may see these devices and "
                "reports.",
                reply.sample,
            )
        now_ms = self._kit.clock.now_ms()
        return status_error(reply.status, reply.headers, reply.sample, peer=self.peer, now_ms=now_ms)

    @property
    def _name(self) -> str:
        return capital(self.peer)

    @property
    def _what_to_enter(self) -> str:
        if self._settings.auth == "token":
            facts = token_facts(self._secret("token"))
            if facts and facts.ends_at_ms is not None and facts.ends_at_ms < self.now_ms():
                return f"The token ended on {fields.iso_time(facts.ends_at_ms)[:10]}. Make a new one in Traccar."
            return "The token has ended or was revoked, or the user is disabled. Enter a new token."
        return "Check user name and password, and that the user is not disabled."

    async def _open_session(self) -> None:
        """Sign in by form. Raises AuthFailed when refused."""
        self._forget_session()
        form = {"email": self._username(), "password": self._secret("password")}
        reply = await self._send("POST", "/session", (), signed=False, form=form)
        if reply.status != 200:
            raise self._error(reply)
        if not self._cookie_header():
            raise BadReply(f"{self._name} signed in without opening a session. {_OTHER_SERVICE}", reply.sample)
        self._signed_in = True

    def _forget_session(self) -> None:
        self._signed_in = False
        self._kit.http.cookies.clear()

    def _cookie_header(self) -> dict[str, str]:
        request = httpx.Request("GET", self.address.url)
        self._kit.http.cookies.set_cookie_header(request)
        cookie = request.headers.get("cookie", "")
        return {"Cookie": cookie} if COOKIE in cookie else {}

    async def _send(
        self, method: str, path: str, params: Params, *, signed: bool = True, form: dict[str, str] | None = None
    ) -> Reply:
        headers = {"Accept": "application/json", **(self._authorization() if signed and path != "/session" else {})}
        # No “Origin” header: servers from 6.12 on tie sessions to it.
        url = httpx.URL(f"{self.address.url}{path}", params=list(params) or None)
        async with self._turn:
            request = self._kit.http.build_request(method, url, headers=headers, data=form)
            reply = await exchange(
                self._kit.http,
                request,
                peer=self.peer,
                timeout_s=self._settings.answer_within_s,
                max_bytes=MOST_BYTES,
            )
        if (server_ms := server_clock_ms(reply.headers)) is not None:
            skew_ms = server_ms - self._kit.clock.now_ms()
            self.skew_ms = skew_ms if abs(skew_ms) > 2000 else 0  # the header counts whole seconds
        return reply

    def _authorization(self) -> dict[str, str]:
        if self._settings.auth == "token":
            return {"Authorization": f"Bearer {self._secret('token')}"}
        if self._settings.auth == "basic":
            pair = f"{self._username()}:{self._secret('password')}".encode("ascii")
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    def _username(self) -> str:
        name = self._settings.username
        if self._settings.auth == "basic" and not name.isascii():
            raise SettingsInvalid("username", f"This way to sign in takes plain ASCII letters only. {_USE_SESSION}")
        return name

    def _secret(self, name: str) -> str:
        stored: SecretStr | None = getattr(self._settings, name)
        value = stored.get_secret_value().strip() if stored else ""
        if not value:
            raise AuthFailed(f"No {name} is stored for {self.peer}. Enter it in the settings.")
        if name == "token" and not (value.isascii() and value.isprintable() and " " not in value):
            raise AuthFailed("The token holds characters that no Traccar token has. Copy it again from Traccar.")
        if name == "password" and self._settings.auth == "basic" and not value.isascii():
            raise AuthFailed(f"This way to sign in takes plain ASCII passwords only. {_USE_SESSION}")
        return value


_OTHER_SERVICE = (
    "Check that the address leads to Traccar itself, and that no sign-in page or proxy answers in its place."
)
_USE_SESSION = "Choose “User name and password” or a token."


def api_address(url: str) -> Address:
    """The address below which the API lies. Raises SettingsInvalid."""
    address = parse_address(url)
    path = address.path if address.path.endswith("/api") else f"{address.path}/api"
    return Address(address.host, address.port, address.secure, path)


# --- bodies ----------------------------------------------------------------------------------------------------------


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_constant=_no_constant).raw_decode


def read_object(reply: Reply, peer: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises BadReply."""
    text = _text(reply, peer)
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as err:
        raise _broken(reply, peer) from err
    if not isinstance(value, dict):
        raise BadReply(f"{capital(peer)} sent something else than was asked for. {_OTHER_SERVICE}", reply.sample)
    return value


def read_list(reply: Reply, peer: str) -> Iterator[object]:
    """The elements of a JSON array, one by one.

    The server streams lists and may break off after status 200 (traccar-api.md, section 2): BadReply is raised at
    the place where the list breaks, so a caller must not use the elements before it has had them all.
    """
    text = _text(reply, peer)
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        broken = text[at : at + 1] not in ("{", '"')
        raise (
            _broken(reply, peer)
            if broken
            else BadReply(f"{capital(peer)} sent something else than a list. {_OTHER_SERVICE}", reply.sample)
        )
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        yield from _end(text, at, reply, peer)
        return
    while True:
        try:
            value, at = _decode(text, at)
        except (ValueError, RecursionError) as err:
            raise _broken(reply, peer) from err
        yield value
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            yield from _end(text, at, reply, peer)
            return
        if text[at : at + 1] != ",":
            raise _broken(reply, peer)
        at = _skip(text, at + 1)


def _end(text: str, at: int, reply: Reply, peer: str) -> Iterator[object]:
    if _skip(text, at + 1) != len(text):
        raise _broken(reply, peer)
    return iter(())


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _text(reply: Reply, peer: str) -> str:
    if reply.is_html:
        raise BadReply(f"{capital(peer)} answered with a web page instead of data. {_OTHER_SERVICE}", reply.sample)
    try:
        return reply.body.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise BadReply(f"The answer of {peer} is not text in UTF-8. {_OTHER_SERVICE}", reply.sample) from err


def _broken(reply: Reply, peer: str) -> BadReply:
    if not reply.body.strip():
        return BadReply(f"{capital(peer)} sent an empty answer. {_OTHER_SERVICE}", "")
    return BadReply(
        f"The answer of {peer} breaks off or is not JSON, so none of it is used. It is asked for again; if this lasts, "
        "look at the server's log.",
        reply.sample,
    )
