"""Who may do what on the simulated server: OAuth clients, users, tokens, keys, rights (auth service 4.5)."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.requests import Request

from adapters.openlmis import simulator_data as data
from adapters.openlmis.simulator_world import Json, RefusedError, World

TOKEN_LIFE_MS = 1_800_000
"""Of inactivity; every use moves the end forward."""


class TokenError(Exception):
    """A refusal in the form of OAuth: ``{error, error_description}``."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.error = error


@dataclass(slots=True)
class Token:
    """A signed-in user, or with user "" a client alone."""

    user: str
    used_ms: int


@dataclass(slots=True)
class Accounts:
    """One user, one client, one API key. ``rights`` are those of the user, everywhere; tests take some away."""

    world: World
    client_id: str = "console-client"
    client_secret: str = "client-secret-of-the-demo"  # noqa: S105 - the simulator's own, on loopback
    username: str = "depot"
    password: str = "password-of-the-demo"  # noqa: S105 - as above
    api_key: str = field(default_factory=lambda: str(uuid.uuid4()))
    rights: set[str] = field(default_factory=lambda: {*data.RIGHTS, *data.STORE_RIGHTS})
    lock_after: int = 0
    """Failed sign-ins until the account is locked; 0 for never (the default of the service)."""
    lock_ms: int = 600_000
    token_life_ms: int = TOKEN_LIFE_MS
    failures: int = 0
    locked_until_ms: int = 0
    sign_ins: int = 0
    """How often a token was asked for, rightly or wrongly."""
    tokens: dict[str, Token] = field(default_factory=dict)

    @property
    def user_id(self) -> str:
        return self.world.users["console"]

    # -- tokens

    def grant(self, authorization: str, grant_type: str, username: str, password: str) -> Json:
        """``POST /oauth/token``. Raises TokenError."""
        self.sign_ins += 1
        self._check_client(authorization)
        if grant_type == "client_credentials":
            return self._new_token("")
        if grant_type != "password":
            raise TokenError(400, "unsupported_grant_type", f"Unsupported grant type: {grant_type}")
        if self.world.now_ms < self.locked_until_ms:
            raise TokenError(400, "invalid_grant", "User account is locked")
        if username != self.username or password != self.password:
            self.failures += 1
            if self.lock_after and self.failures >= self.lock_after:
                self.locked_until_ms = self.world.now_ms + self.lock_ms
            raise TokenError(400, "invalid_grant", "Bad credentials")
        self.failures = 0
        return self._new_token(self.user_id)

    def _check_client(self, authorization: str) -> None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            name = secret = ""
        if scheme.lower() != "basic" or name != self.client_id or secret != self.client_secret:
            raise TokenError(401, "invalid_client", "Bad client credentials")

    def _new_token(self, user: str) -> Json:
        text = secrets.token_urlsafe(24)
        self.tokens[text] = Token(user, self.world.now_ms)
        said: Json = {
            "access_token": text,
            "token_type": "bearer",
            "expires_in": self.token_life_ms // 1000 - 1,
            "scope": "read write",
        }
        if user:
            said |= {"referenceDataUserId": user, "username": self.username}
        return said

    def identify(self, request: Request) -> Token:
        """Whose request it is; raises TokenError."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        text = text if scheme.lower() == "bearer" else request.query_params.get("access_token", "")
        if text and secrets.compare_digest(text.encode(), self.api_key.encode()):
            return Token("", self.world.now_ms)
        token = self.tokens.get(text)
        if token is None or self.world.now_ms - token.used_ms > self.token_life_ms:
            self.tokens.pop(text, None)
            raise TokenError(401, "invalid_token", f"Invalid access token: {text}")
        token.used_ms = self.world.now_ms
        return token

    # -- rights

    def need(self, token: Token, right: str, *, key_may: bool = True) -> None:
        """Refuse without ``right``; ``key_may`` False where the service wants a user behind the token."""
        if (token.user and right in self.rights) or (not token.user and key_may):
            return
        raise RefusedError(
            403,
            "requisition.error.authorization.noFollowingPermission",
            f"You do not have following permission to perform this action: {right}.",
        )

    def permission_strings(self) -> Iterator[str]:
        """``RIGHT|facility|programme``, or ``RIGHT|facility`` for those of orders."""
        for right in data.RIGHTS:
            if right in self.rights:
                yield from (f"{right}|{f}|{p}" for f in self.world.facilities for p in self.world.programs)
        for right in data.STORE_RIGHTS:
            if right in self.rights:
                yield from (f"{right}|{facility}" for facility in self.world.facilities)
