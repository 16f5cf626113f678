"""Requests to the platform's web service: signing in, one request at a time, and what each refusal means.

The service is Supabase's: sign-in under ``auth/v1`` (its Auth documentation: passwords and sessions), tables and
functions under ``rest/v1`` (PostgREST's documentation: tables, functions, errors), edge functions under
``functions/v1`` (biko.md 2.3). Every request carries the publishable key and the account's access token.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.base import Kit
from adapters.connect import capital, parse_address
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.exchange import Reply, exchange, server_clock_ms, status_error
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.words import WEB_GRANT, Refused, lost, one_line

MOST_BYTES = 64_000_000
TOKEN_LIFE_S = 3600.0
"""Where the sign-in names no other."""
RENEW_BEFORE_S = 300.0

_CODE = re.compile(r"PGRST\d{3}|[0-9A-Z]{5}")
"""Of PostgREST, or an SQLSTATE."""

Params = Sequence[tuple[str, str]]


class WebClient:
    """One account at one service. Signs in when needed and renews in time; never signs out, which ends all sessions."""

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        self.address = parse_address(settings.url)
        self.peer = settings.peer
        self.user_id = ""
        """The signed-in account's."""
        self.version = ""
        """What the service calls itself, "" for nothing."""
        self._settings = settings
        self._kit = kit
        self._turn = asyncio.Lock()
        self._token = ""
        self._refresh = ""
        self._renew_at = 0.0
        self._skew_ms = 0

    @property
    def name(self) -> str:
        return capital(self.peer)

    def now_ms(self) -> int:
        """The service's clock, by its last answer, to the second."""
        return self._kit.clock.now_ms() + self._skew_ms

    # -- requests

    async def request(
        self, method: str, path: str, *, params: Params = (), body: Any = None, prefer: str = ""
    ) -> Reply:
        """One signed request; the answer, whatever its status but 401. A session that has ended is opened anew once.

        Raises AuthFailed, NotReady and BadReply.
        """
        token = await self._signed()
        reply = await self._send(method, path, params, body, prefer, token)
        if reply.status != 401:
            return reply
        token = await self._signed(not_with=token)
        reply = await self._send(method, path, params, body, prefer, token)
        if reply.status == 401:
            raise self._unknown_key(reply) or AuthFailed(
                f"{self.name} signs {self._settings.account} in and then does not know the account: “{_said(reply)}”. "
                "Ask the platform's administrator whether the account is being changed, then sign in again."
            )
        return reply

    def answer(self, reply: Reply, *, changes: bool = False) -> Any:
        """What an answer holds. Raises Refused for a refusal, NotReady and BadReply for everything else.

        ``changes``: the request may have changed something, and its answer may hold a secret, so that no sample of it
        is kept.
        """
        found = self._failure(reply) if not 200 <= reply.status < 300 else None
        if found is None:
            if not reply.body.strip():
                return None
            try:
                return json.loads(reply.body)
            except (ValueError, RecursionError):
                found = self._no_data(reply)
        if isinstance(found, AdapterError):
            found.is_doubtful = changes  # it took the request; whether it did it is not known
            if changes and isinstance(found, BadReply):
                found.sample = ""
        raise found

    async def _send(
        self, method: str, path: str, params: Params, body: Any, prefer: str, token: str, *, timeout_s: float = 0
    ) -> Reply:
        headers = {"Accept": "application/json", "apikey": self._secret("anon_key").strip()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if prefer:
            headers["Prefer"] = prefer
        request = self._kit.http.build_request(
            method, f"{self.address.url}/{path}", params=list(params), headers=headers, json=body
        )
        reply = await exchange(
            self._kit.http,
            request,
            peer=self.peer,
            timeout_s=timeout_s or self._settings.answer_within_s,
            max_bytes=MOST_BYTES,
        )
        if (server_ms := server_clock_ms(reply.headers)) is not None:
            skew_ms = server_ms - self._kit.clock.now_ms()
            self._skew_ms = skew_ms if abs(skew_ms) > 2000 else 0  # the header counts whole seconds
        if reply.headers.get("server", "").startswith("postgrest/"):
            self.version = f"PostgREST {reply.headers['server'].partition('/')[2].split()[0][:20]}"
        return reply

    # -- the session

    async def sign_in(self) -> None:
        """Prove the key, the address and the password. Raises AuthFailed."""
        async with self._turn:
            await self._sign_in()

    async def _signed(self, not_with: str = "") -> str:
        """An access token that is good for some time; another than ``not_with``, which was refused."""
        async with self._turn:
            is_old = self._token == not_with or self._kit.clock.monotonic() >= self._renew_at
            if is_old and not (self._refresh and await self._renew()):
                await self._sign_in()
            return self._token

    async def _renew(self) -> bool:
        """A new pair of tokens for the refresh token, which is good once; whether it was taken."""
        refresh, self._refresh = self._refresh, ""
        reply = await self._ask_for_token("refresh_token", {"refresh_token": refresh})
        if reply.status in (400, 401, 403):
            return False
        self._take(reply)
        return True

    async def _sign_in(self) -> None:
        self._token = self._refresh = ""
        secret = self._secret("account_password")
        reply = await self._ask_for_token("password", {"email": self._settings.account, "password": secret})
        if reply.status in (400, 401, 403, 422) and not reply.is_html:
            raise self._unknown_key(reply) or self._refused(reply)
        self._take(reply)

    async def _ask_for_token(self, grant: str, body: Mapping[str, str]) -> Reply:
        try:
            return await self._send("POST", "auth/v1/token", [("grant_type", grant)], body, "", "")
        except (NotReady, BadReply) as err:
            err.is_doubtful = False  # a sign-in changes nothing
            raise

    def _take(self, reply: Reply) -> None:
        try:
            told = self.answer(reply, changes=True)  # it holds the tokens: no sample of it
        except Refused as err:
            raise BadReply(f"{self.name} answers the sign-in with “{err.words}”. {_OTHER_SERVICE}") from err
        except AdapterError as err:
            err.is_doubtful = False
            raise
        user = told.get("user") if isinstance(told, dict) else None
        token = told.get("access_token") if isinstance(told, dict) else None
        if not (isinstance(token, str) and token and isinstance(user, dict) and isinstance(user.get("id"), str)):
            raise BadReply(f"{self.name} answers the sign-in with something else than a token. {_OTHER_SERVICE}")
        life_s = told.get("expires_in")
        life_s = float(life_s) if isinstance(life_s, int | float) and 0 < life_s < 1e7 else TOKEN_LIFE_S
        self._token, self.user_id = token, user["id"]
        self._refresh = str(told.get("refresh_token") or "")
        self._renew_at = self._kit.clock.monotonic() + life_s - min(RENEW_BEFORE_S, life_s / 2)

    def _refused(self, reply: Reply) -> AuthFailed:
        told, account = _object(reply), self._settings.account
        found = AuthFailed(f"{self.name} does not sign {account} in: “{_said(reply)}”. Ask its administrator.")
        if told.get("error_code") == "invalid_credentials" or told.get("error") == "invalid_grant":
            found = AuthFailed(
                f"{self.name} refused the e-mail address {account} or its password. Enter them again; the password may "
                "have been changed."
            )
        found.field = "account_password"
        return found

    def _unknown_key(self, reply: Reply) -> AuthFailed | None:
        """Whether it is the key that is refused: the gateway before the service says so (Supabase: API keys)."""
        if "api key" not in _said(reply).lower():
            return None
        found = AuthFailed(
            f"{self.name} does not know the publishable key. Copy it again from the platform's settings."
        )
        found.field = "anon_key"
        return found

    # -- what a refusal means

    def _failure(self, reply: Reply) -> Exception:
        """An answer that is no success (PostgREST's documentation: errors)."""
        told = _object(reply)
        code, words = str(told.get("code") or ""), _said(reply)
        if not told or reply.is_html:
            return self._status(reply) if reply.status >= 429 or not reply.is_html else self._no_data(reply)
        if code.startswith("PGRST00"):
            return NotReady(f"{self.name} does not reach its database (“{words}”). It is tried again by itself.")
        if not _CODE.fullmatch(code):  # a gateway's, a proxy's or an edge function's
            return self._status(reply)
        return lost(code, words, self.peer, self._settings.answer_within_s) or Refused(code, words, WEB_GRANT)

    def _no_data(self, reply: Reply) -> BadReply:
        if reply.is_html:
            return BadReply(
                f"{self.name} answered with a web page ({reply.status}) instead of data. {_OTHER_SERVICE}", reply.sample
            )
        return BadReply(
            f"{self.name} sent an answer that breaks off or is no JSON, so none of it is used. It is asked for again.",
            reply.sample,
        )

    def _status(self, reply: Reply) -> AdapterError:
        now_ms = self._kit.clock.now_ms()
        return status_error(reply.status, reply.headers, reply.sample, peer=self.peer, now_ms=now_ms)

    def _secret(self, name: str) -> str:
        secret = getattr(self._settings, name)
        return str(secret.get_secret_value()) if secret is not None else ""


_OTHER_SERVICE = (
    "Check that the address is the one of the platform's service, and that no sign-in page or proxy answers in its "
    "place."
)


def _object(reply: Reply) -> dict[str, Any]:
    try:
        told = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _said(reply: Reply) -> str:
    """The service's own words in one line."""
    told = _object(reply)
    for name in ("message", "msg", "error_description", "error"):
        if isinstance(told.get(name), str) and told[name]:
            return one_line(told[name]).rstrip(".")
    return f"status {reply.status}"
