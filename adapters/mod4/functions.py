"""The platform's own functions over HTTPS, for what the database alone cannot do (biko.md 2.3).

Over the web service they are part of it. Over the database they are optional: a site gives their address and a token
of the account that is acted for.
"""

from __future__ import annotations

import json

import httpx

from adapters.connect import capital
from adapters.errors import BadReply, RecordRejected
from adapters.exchange import Reply, exchange, status_error
from adapters.mod4.site import Platform
from adapters.mod4.web_link import WebLink
from adapters.mod4.words import one_line

_TIMEOUT_S = 20.0
_MOST_BYTES = 100_000
_GENERATE = "generate-driver-otp"


class Functions:
    """Calls of one integration."""

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        self._service = platform.way.client if isinstance(platform.way, WebLink) else None
        self._base = settings.functions_url.rstrip("/")
        self._token = settings.functions_token.get_secret_value() if settings.functions_token is not None else ""
        self._kit = platform.kit

    @property
    def is_set(self) -> bool:
        return self._service is not None or bool(self._base and self._token)

    @property
    def peer(self) -> str:
        if self._service is not None:
            return self._service.peer
        return f"the platform's functions at {httpx.URL(self._base).host}"

    async def generate(self, email: str, workspace_id: str) -> str:
        """``generate-driver-otp``: makes an account where none has the address, then a code; returns the code.

        Raises RecordRejected for a refusal with the platform's reason, AuthFailed, NotReady and BadReply.
        """
        reply = await self._post({"email": email, "workspaceId": workspace_id})
        try:
            told = json.loads(reply.body)
        except (ValueError, RecursionError):
            told = {}
        if reply.status == 400:
            reason = told.get("error") if isinstance(told, dict) else ""
            raise RecordRejected(email, f"The platform makes no code: “{one_line(str(reason or 'no reason given'))}”.")
        if reply.status == 404 and self._service is not None:
            raise RecordRejected(
                email,
                f"The platform has no function {_GENERATE}, which makes an account where an address has none. Invite "
                f"{email} first, or have the platform's administrator put the function up.",
            )
        if reply.status != 200:
            # The body may hold a code even so: it is not kept as a sample.
            raise status_error(reply.status, reply.headers, "", peer=self.peer, now_ms=self._kit.clock.now_ms())
        code = told.get("otp") if isinstance(told, dict) else None
        if not isinstance(code, str):
            raise BadReply(f"{capital(self.peer)} answered without a code. Check their address.")
        return code

    async def _post(self, body: dict[str, str]) -> Reply:
        if self._service is not None:
            return await self._service.request("POST", f"functions/v1/{_GENERATE}", body=body)
        headers = {"Authorization": f"Bearer {self._token}"}
        request = self._kit.http.build_request("POST", f"{self._base}/{_GENERATE}", json=body, headers=headers)
        return await exchange(self._kit.http, request, peer=self.peer, timeout_s=_TIMEOUT_S, max_bytes=_MOST_BYTES)
