"""Who may do what at the simulated mSupply: one account, its tokens and its permissions per store (section 2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from graphql import GraphQLError

TOKEN_MS = 60 * 60_000
REFRESH_MS = 120 * 60_000
OLD_REFRESH_MS = 5 * 60_000
"""How long the refresh token before the last renewal is still taken."""

INVOICE_QUERIES = (
    "OUTBOUND_SHIPMENT_QUERY",
    "INBOUND_SHIPMENT_QUERY",
    "INBOUND_SHIPMENT_EXTERNAL_QUERY",
    "PRESCRIPTION_QUERY",
    "SUPPLIER_RETURN_QUERY",
    "CUSTOMER_RETURN_QUERY",
)
WORKING = (
    "STORE_ACCESS",
    "STOCK_LINE_QUERY",
    "REQUISITION_QUERY",
    "REQUISITION_MUTATE",
    "REQUISITION_SEND",
    "REQUISITION_CREATE_OUTBOUND_SHIPMENT",
    "OUTBOUND_SHIPMENT_QUERY",
    "OUTBOUND_SHIPMENT_MUTATE",
    "INBOUND_SHIPMENT_QUERY",
    "STOCKTAKE_QUERY",
)
"""What an account for this console is given in the stores it follows: not all six kinds of invoices."""
RECEIVING = ("STORE_ACCESS", "INBOUND_SHIPMENT_QUERY", "INBOUND_SHIPMENT_MUTATE")
"""What it needs in a receiving store."""


def forbidden(missing: str, store_id: str) -> GraphQLError:
    details = f"Missing permission {missing} in store {store_id}"
    return GraphQLError("Forbidden", extensions={"details": details})


@dataclass(slots=True)
class Account:
    """The one user. ``permissions`` are by store id; a store that is not there is not the account's."""

    username: str = "depot-console"
    password: str = "Minna-depot-2026"  # noqa: S105 - the simulator's own, on loopback
    user_id: str = "user-depot"
    permissions: dict[str, set[str]] = field(default_factory=dict)
    blocked_until_ms: int = 0
    has_site_access: bool = True
    central_sync_required: bool = False
    forgets: bool = False
    """Tokens are given out and not known afterwards."""
    sign_ins: int = 0
    """How often user name and password were tried, rightly or wrongly."""
    renewals: int = 0
    logouts: int = 0
    _tokens: dict[str, int] = field(default_factory=dict)
    _refresh: dict[str, int] = field(default_factory=dict)

    def require(self, store_id: str, *wanted: str) -> None:
        """Raises “Forbidden” with what is missing first."""
        held = self.permissions.get(store_id)
        if held is None:
            raise forbidden("STORE_ACCESS", store_id)
        for permission in ("STORE_ACCESS", *wanted):
            if permission not in held:
                raise forbidden(permission, store_id)

    def require_any(self, store_id: str, wanted: tuple[str, ...]) -> None:
        self.require(store_id)
        if not self.permissions[store_id] & set(wanted):
            raise forbidden(" or ".join(wanted), store_id)

    def holds(self, token: str, now_ms: int) -> bool:
        return not self.forgets and self._tokens.get(token, 0) > now_ms

    def open(self, now_ms: int) -> tuple[str, str]:
        """A new token and a new refresh token."""
        token, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self._tokens[token] = now_ms + TOKEN_MS
        self._refresh[refresh] = now_ms + REFRESH_MS
        return token, refresh

    def renew(self, refresh: str, now_ms: int) -> tuple[str, str] | str:
        """New ones for a refresh token, or the type of the error."""
        if not refresh:
            return "NoRefreshTokenProvided"
        if refresh in self._tokens:
            return "NotARefreshToken"
        ends_ms = self._refresh.get(refresh)
        if ends_ms is None:
            return "InvalidToken"
        if ends_ms <= now_ms:
            return "TokenExpired"
        self.renewals += 1
        self._refresh[refresh] = min(ends_ms, now_ms + OLD_REFRESH_MS)
        return self.open(now_ms)

    def revoke(self) -> None:
        """All sessions end: a restart, or a sign-out anywhere."""
        self._tokens.clear()
        self._refresh.clear()
