"""Calls to an open mSupply server: signing in, one operation at a time, and what its three layers of errors mean.

Reference: msupply.md, sections 1, 2 and 7.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from adapters.base import Kit
from adapters.connect import Address, capital, parse_address
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.exchange import Reply, exchange, server_clock_ms, status_error
from adapters.msupply import dialect, fields, operations
from adapters.msupply.operations import Dialect
from adapters.msupply.settings import MSupplySettings

MOST_BYTES = 64_000_000
TOKEN_LIFE_S = 60 * 60
REFRESH_LIFE_S = 120 * 60
RENEW_BEFORE_S = 5 * 60

Variables = Mapping[str, Any]


class Forbidden(AuthFailed):
    """The account lacks a permission for this one call; others may work. ``details`` are the server's words."""

    def __init__(self, why: str, details: str) -> None:
        super().__init__(why)
        self.details = details


class BadInput(BadReply):
    """“Bad user input”: the request itself is wrong for this server. ``details`` are its words."""

    def __init__(self, why: str, details: str) -> None:
        super().__init__(why, details)
        self.details = details


class Overlong(NotReady):
    """The request went out and its answer did not come whole: a smaller page may get through."""


class CutOff(BadReply):
    """Like :class:`Overlong`, where what came of the answer was damaged."""


class ServerFault(NotReady):
    """“Internal error”: the server failed in the middle. ``details`` are its words."""


class _NoSession(Exception):
    """“Unauthenticated”: the token is not taken (any more)."""


class MSupplyClient:
    """One account on one server. Signs in when needed, renews in time, and never signs out (that ends all sessions)."""

    def __init__(self, settings: MSupplySettings, kit: Kit) -> None:
        self.address = graphql_address(settings.url)
        self.peer = f"the mSupply server {self.address.authority}"
        self.skew_ms = 0
        """The server's clock minus ours, from its last answer."""
        self.dialect = Dialect()
        self.site = ""
        self._settings = settings
        self._kit = kit
        self._turn = asyncio.Lock()
        self._is_ready = False
        self._token = ""
        self._may_renew = True
        self._renew_at = 0.0
        self._refresh_ends = 0.0
        self._blocked_until = 0.0

    def now_ms(self) -> int:
        """The time as the server sees it."""
        return self._kit.clock.now_ms() + self.skew_ms

    def our_now_ms(self) -> int:
        """The time at this computer, by which intervals are counted."""
        return self._kit.clock.now_ms()

    @property
    def name(self) -> str:
        return capital(self.peer)

    async def connect(self) -> None:
        """Once per start: that the server is set up, and what it offers. Raises NotReady, BadReply."""
        if self._is_ready:
            return
        await self._require_initialised()
        question = await asyncio.to_thread(dialect.question)
        async with self._turn:
            data = await self._post(question, {}, signed=False, changes=False)
        self.dialect = dialect.learn(data)
        self._is_ready = True

    async def call(self, name: str, variables: Variables | None = None) -> dict[str, Any]:
        """One operation of ours, signed; the answer's ``data``.

        Raises Forbidden, BadInput, ServerFault and Overlong besides what any call raises. A session that has ended is
        renewed once, then opened anew once.
        """
        await self.connect()
        text = operations.text(name, self.dialect, self.peer)
        changes = operations.is_mutation(name)
        async with self._turn:
            await self._ensure_token()
            is_last = False
            while True:
                try:
                    data = await self._post(text, variables or {}, signed=True, changes=changes)
                    self._may_renew = True
                    return data
                except _NoSession as err:
                    if is_last:
                        raise AuthFailed(
                            f"{self.name} signs this account in and then does not know it. Ask its administrator "
                            "whether the account is being changed, then sign in again."
                        ) from err
                    is_last = not await self._renew()

    async def sign_in(self) -> None:
        """Prove user name and password. Raises AuthFailed, and NotReady while the account is blocked."""
        async with self._turn:
            await self._sign_in()

    async def introspect(self, question: str) -> dict[str, Any]:
        """The answer to an introspection query of any length; needs no sign-in."""
        async with self._turn:
            return await self._post(question, {}, signed=False, changes=False)

    # -- the session

    async def _require_initialised(self) -> None:
        text = operations.text("ServerState", Dialect(), self.peer)
        setting_up = (
            f"{self.name} is still being set up and serves no data yet. Finish its setup, or wait until it has "
            "synchronised; it is asked again by itself."
        )
        async with self._turn:
            try:
                data = await self._post(text, {}, signed=False, changes=False)
            except BadInput as err:  # a server that is not set up answers a reduced interface
                raise NotReady(setting_up) from err
        state = fields.nested(data, "initialisationStatus")
        status = fields.text(state, "status", 40)
        if not status:
            raise BadReply(f"{self.name} does not say whether it is set up. {_OTHER_SERVICE}", repr(data)[:2000])
        if status != "INITIALISED":
            raise NotReady(setting_up)
        self.site = fields.text(state, "siteName", 200)

    async def _ensure_token(self) -> None:
        now = self._kit.clock.monotonic()
        if self._token and now < self._renew_at:
            return
        if self._token and now < self._refresh_ends:
            await self._renew()
        else:
            await self._sign_in()

    async def _renew(self) -> bool:
        """A new token for the refresh cookie; where that is refused, signs in. Whether the cookie was enough."""
        if self._may_renew and self._kit.clock.monotonic() < self._refresh_ends:
            data = await self._post(self._own("RenewToken"), {}, signed=False, changes=False)
            if token := fields.text(fields.nested(data, "refreshToken"), "token", 20_000):
                self._take(token)
                self._may_renew = False  # once: a token that is refused at once is not made good by another renewal
                return True
        await self._sign_in()
        return False

    async def _sign_in(self) -> None:
        self._forget()
        wait_s = self._blocked_until - self._kit.clock.monotonic()
        if wait_s > 0:
            raise NotReady(_blocked(self.name, wait_s), wait_s)
        secret = self._settings.password.get_secret_value() if self._settings.password else ""
        if not secret:
            raise AuthFailed(f"No password is stored for {self.peer}. Enter it in the settings.")
        variables = {"username": self._settings.username, "password": secret}
        timeout_s = max(self._settings.login_within_s, self._settings.answer_within_s)
        data = await self._post(self._own("Login"), variables, signed=False, changes=False, timeout_s=timeout_s)
        answer = fields.nested(data, "authToken")
        if token := fields.text(answer, "token", 20_000):
            self._take(token)
            return
        error = fields.nested(answer, "error")
        raise self._refused_sign_in(fields.text(error, "__typename", 80), fields.integer(error, "timeoutRemaining"))

    def _refused_sign_in(self, kind: str, blocked_s: int | None) -> AdapterError:
        if kind == "InvalidCredentials":
            return AuthFailed(f"{self.name} refused the sign-in. Check user name and password.")
        if kind == "AccountBlocked":
            wait_s = float(min(max(blocked_s or 60, 1), 86_400))
            self._blocked_until = self._kit.clock.monotonic() + wait_s
            return NotReady(_blocked(self.name, wait_s), wait_s)
        if kind == "NoSiteAccess":
            return AuthFailed(
                f"{self.name} knows this account, but the account has no access to its site. Ask the mSupply "
                "administrator to give it access to a store of this site."
            )
        if kind == "CentralSyncRequired":
            return NotReady(
                f"{self.name} must synchronise with its central server before anybody can sign in. Check its line; it "
                "is tried again by itself."
            )
        if kind in ("DatabaseError", "InternalError"):
            return NotReady(f"{self.name} failed while signing in. Ask its administrator for the server's log.")
        return BadReply(f"{self.name} neither accepted nor refused the sign-in. {_OTHER_SERVICE}", kind)

    def _take(self, token: str) -> None:
        now = self._kit.clock.monotonic()
        self._token = token
        self._renew_at = now + TOKEN_LIFE_S - RENEW_BEFORE_S
        self._refresh_ends = now + REFRESH_LIFE_S - RENEW_BEFORE_S

    def _forget(self) -> None:
        self._token = ""
        self._kit.http.cookies.clear()

    def _own(self, name: str) -> str:
        return operations.text(name, Dialect(), self.peer)

    # -- one request

    async def _post(
        self, text: str, variables: Variables, *, signed: bool, changes: bool, timeout_s: float | None = None
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if signed:
            headers["Authorization"] = f"Bearer {self._token}"
        body = {"query": text, "variables": dict(variables)}
        request = self._kit.http.build_request("POST", self.address.url, headers=headers, json=body)
        try:
            reply = await exchange(
                self._kit.http,
                request,
                peer=self.peer,
                timeout_s=timeout_s or self._settings.answer_within_s,
                max_bytes=MOST_BYTES,
            )
        except (NotReady, BadReply) as err:
            if changes or not err.is_doubtful:
                raise
            if isinstance(err, BadReply):
                raise CutOff(err.why, err.sample) from err
            raise Overlong(err.why) from err
        self._note_clock(reply)
        try:
            return self._data(reply)
        except BadInput:
            raise
        except (NotReady, BadReply) as err:
            err.is_doubtful = changes  # it took the request; whether it did it is not known
            raise

    def _note_clock(self, reply: Reply) -> None:
        if (server_ms := server_clock_ms(reply.headers)) is not None:
            skew_ms = server_ms - self._kit.clock.now_ms()
            self.skew_ms = skew_ms if abs(skew_ms) > 2000 else 0  # the header counts whole seconds

    def _data(self, reply: Reply) -> dict[str, Any]:
        if reply.is_html:
            if reply.status in (502, 503, 504):
                raise self._status(reply)
            raise BadReply(
                f"{self.name} answered with a web page ({reply.status}) instead of data. {_OTHER_SERVICE}", reply.sample
            )
        if reply.status == 401:
            raise _NoSession
        if reply.status != 200:
            raise self._status(reply)
        try:
            answer = json.loads(reply.body.decode("utf-8-sig"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as err:
            broken = (
                "sent an empty answer" if not reply.body.strip() else "sent an answer that breaks off or is no JSON"
            )
            raise CutOff(
                f"{self.name} {broken}, so none of it is used. It is asked for again; if this lasts, look at the "
                "server's log.",
                reply.sample,
            ) from err
        if not isinstance(answer, dict):
            raise BadReply(f"{self.name} sent something else than a GraphQL answer. {_OTHER_SERVICE}", reply.sample)
        if errors := answer.get("errors"):
            raise self._refusal(errors, reply.sample)
        data = answer.get("data")
        if not isinstance(data, dict):
            raise BadReply(f"{self.name} sent an answer without data. {_OTHER_SERVICE}", reply.sample)
        return data

    def _status(self, reply: Reply) -> AdapterError:
        now_ms = self._kit.clock.now_ms()
        return status_error(reply.status, reply.headers, reply.sample, peer=self.peer, now_ms=now_ms)

    def _refusal(self, errors: object, sample: str) -> Exception:
        """Layer 2: ``errors`` of the answer, whose message says the kind and whose details the reason."""
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        message = self._words(fields.text(first, "message", 600))
        details = self._words(fields.text(fields.nested(first, "extensions"), "details", 600)) or message
        match message:
            case "Unauthenticated":
                return _NoSession()
            case "Forbidden":
                return Forbidden(
                    f"{self.name} forbids this account the request ({details}). Ask the mSupply administrator for the "
                    "permission.",
                    details,
                )
            case "Internal error":
                return ServerFault(
                    f"{self.name} failed in the middle ({details}). It is tried again by itself; if this lasts, ask "
                    "its administrator for the server's log."
                )
            case "Bad user input":
                return BadInput(f"{self.name} does not take the request: {details}.", details)
        if message:
            return BadInput(
                f"{self.name} does not understand the request ({message}). Its version differs from what this console "
                "knows: compare them with “integrations compare”.",
                details,
            )
        return BadReply(f"{self.name} answered with an error that says nothing. {_OTHER_SERVICE}", sample)

    def _words(self, said: str) -> str:
        """What the server said, on one line and without our password, which a careless server may repeat."""
        secret = self._settings.password.get_secret_value() if self._settings.password else ""
        said = said.replace(secret, "…") if secret else said
        return " ".join(said.split()).rstrip(".")[:300]


_OTHER_SERVICE = (
    "Check that the address leads to open mSupply itself, and that no sign-in page or proxy answers in its place."
)


def _blocked(name: str, wait_s: float) -> str:
    minutes = max(1, round(wait_s / 60))
    return (
        f"{name} has blocked this account after wrong passwords, for another {minutes} min. Check the password "
        "meanwhile; nothing is tried before the time is over."
    )


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def graphql_address(url: str) -> Address:
    """Where the operations go. Raises SettingsInvalid."""
    address = parse_address(url)
    path = address.path if address.path.endswith("/graphql") else f"{address.path}/graphql"
    return Address(address.host, address.port, address.secure, path)
