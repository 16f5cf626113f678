"""The platform's own functions over HTTPS, for what the database alone cannot do (biko.md 2.3).

Optional: a site gives their address and a token of the account that is acted for.
"""

from __future__ import annotations

import json

import httpx

from adapters.base import Kit
from adapters.connect import capital
from adapters.errors import BadReply, RecordRejected
from adapters.exchange import exchange, status_error
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.words import one_line

_TIMEOUT_S = 20.0
_MOST_BYTES = 100_000


class Functions:
    """Calls of one integration."""

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        self._base = settings.functions_url.rstrip("/")
        self._token = settings.functions_token
        self._kit = kit

    @property
    def is_set(self) -> bool:
        return bool(self._base) and self._token is not None and bool(self._token.get_secret_value())

    @property
    def peer(self) -> str:
        return f"the platform's functions at {httpx.URL(self._base).host}"

    async def generate(self, email: str, workspace_id: str) -> str:
        """``generate-driver-otp``: makes an account where none has the address, then a code; returns the code.

        Raises RecordRejected for a refusal with the platform's reason, AuthFailed, NotReady and BadReply.
        """
        token = self._token.get_secret_value() if self._token is not None else ""
        request = self._kit.http.build_request(
            "POST",
            f"{self._base}/generate-driver-otp",
            json={"email": email, "workspaceId": workspace_id},
            headers={"Authorization": f"Bearer {token}"},
        )
        reply = await exchange(self._kit.http, request, peer=self.peer, timeout_s=_TIMEOUT_S, max_bytes=_MOST_BYTES)
        try:
            told = json.loads(reply.body)
        except ValueError:
            told = {}
        if reply.status == 400:
            reason = told.get("error") if isinstance(told, dict) else ""
            raise RecordRejected(email, f"The platform makes no code: “{one_line(str(reason or 'no reason given'))}”.")
        if reply.status != 200:
            # The body may hold a code even so: it is not kept as a sample.
            raise status_error(reply.status, reply.headers, "", peer=self.peer, now_ms=self._kit.clock.now_ms())
        code = told.get("otp") if isinstance(told, dict) else None
        if not isinstance(code, str):
            raise BadReply(f"{capital(self.peer)} answered without a code. Check their address.")
        return code
