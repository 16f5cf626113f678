"""One-time codes that are pending, never the codes (biko.md 2.7, 3.2), and requests for access (2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from app.deliveries.rows import integration_names, of_integrations, shown_in
from app.deliveries.waiting import with_refusals
from app.fleet.times import iso_ms
from app.store.tables import DriverLinkRow, OnboardingRequestRow, OneTimeCodeRow

MOST = 2_000
KEPT_MS = 24 * 3_600_000
"""A code that ended is listed so long, with why."""


@dataclass(frozen=True, slots=True)
class CodeListing:
    """One code's existence. ``state``: ``pending``, ``expired`` (time is over), ``no_tries``, ``used``, ``ended``.

    ``left_ms`` is how long it still counts, 0 for not at all.
    """

    id: str
    integration_id: str
    source: str
    peer_id: str
    email: str
    state: str
    tries: int
    most_tries: int
    created_ms: int
    expires_ms: int
    left_ms: int

    @property
    def tries_left(self) -> int:
        return max(self.most_tries - self.tries, 0)

    @property
    def minutes_left(self) -> int:
        """Begun minutes, so that the last one counts."""
        return -(-self.left_ms // 60_000)

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "email": self.email,
            "state": self.state,
            "tries": self.tries,
            "tries_left": self.tries_left,
            "minutes_left": self.minutes_left,
            "created_at": iso_ms(self.created_ms),
            "expires_at": iso_ms(self.expires_ms),
        }


def list_codes(
    connection: Connection, now_ms: int, integration_id: str | None = None, *, only_pending: bool = True
) -> list[CodeListing]:
    """Newest first. Without ``only_pending`` also those that ended within a day."""
    code = OneTimeCodeRow
    query = select(code.__table__).where(of_integrations(code, integration_id))
    if only_pending:
        query = query.where(code.stage == "pending", code.expires_ms > now_ms, code.tries < code.most_tries)
    else:
        query = query.where(code.expires_ms > now_ms - KEPT_MS)
    sources = integration_names(connection)
    rows = connection.execute(query.order_by(code.created_ms.desc(), code.key.desc()).limit(MOST))
    return [_code(row, sources.get(row.integration_id, ""), now_ms) for row in rows]


def _code(row: Any, source: str, now_ms: int) -> CodeListing:
    state = {"pending": "pending", "used": "used"}.get(row.stage, "ended")
    if state == "pending":
        if row.expires_ms <= now_ms:
            state = "expired"
        elif row.tries >= row.most_tries:
            state = "no_tries"
    left_ms = max(row.expires_ms - now_ms, 0) if state == "pending" else 0
    return CodeListing(
        row.id, row.integration_id, source, row.peer_id, row.email, state, row.tries, row.most_tries,
        row.created_ms, row.expires_ms, left_ms,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RequestListing:
    """Somebody asks for access. ``stage`` is what it will be once what waits was accepted.

    ``is_linked``: the address belongs to a linked user already. ``refusal`` says why what waits goes no further, ""
    where it may.
    """

    id: str
    integration_id: str
    source: str
    peer_id: str
    name: str
    phone: str
    email: str
    organisation: str
    device: str
    status: str
    stage: str
    submitted_ms: int
    reviewed_ms: int | None
    reviewed_by: str
    notes: str
    pending: Mapping[str, Any]
    is_linked: bool
    refusal: str = ""

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "name": self.name,
            "phone": self.phone,
            "email": self.email,
            "organisation": self.organisation,
            "status": self.status,
            "stage": self.stage,
            "submitted_at": iso_ms(self.submitted_ms),
            "reviewed_at": iso_ms(self.reviewed_ms),
            "reviewed_by": self.reviewed_by,
            "notes": self.notes,
            "is_linked": self.is_linked,
            "pending": dict(self.pending),
            "refusal": self.refusal,
        }


def list_requests(
    connection: Connection, integration_id: str | None = None, *, stage: str = "", text: str = ""
) -> list[RequestListing]:
    """Those that wait first, then newest first; ``stage`` is compared with what is shown."""
    request = OnboardingRequestRow
    query = (
        select(request.__table__)
        .where(of_integrations(request, integration_id))
        .order_by((request.stage != "pending"), request.submitted_ms.desc(), request.key.desc())
        .limit(MOST)
    )
    for word in text.split():
        columns = (request.name, request.phone, request.email, request.organisation)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    sources = integration_names(connection)
    linked = _linked(connection, integration_id)
    found = [_request(row, sources.get(row.integration_id, ""), linked) for row in connection.execute(query)]
    return with_refusals(connection, [one for one in found if not stage or one.stage == stage])


def _linked(connection: Connection, integration_id: str | None) -> set[tuple[str, str]]:
    """(integration, address in lower case) of every linked user."""
    link = DriverLinkRow
    query = select(link.integration_id, link.email).where(of_integrations(link, integration_id), link.email != "")
    return {(row.integration_id, row.email.casefold()) for row in connection.execute(query)}


def _request(row: Any, source: str, linked: set[tuple[str, str]]) -> RequestListing:
    return RequestListing(
        row.id, row.integration_id, source, row.peer_id, row.name, row.phone, row.email, row.organisation, row.device,
        row.status, str(shown_in(row, "stage")), row.submitted_ms, row.reviewed_ms, row.reviewed_by,
        str(shown_in(row, "notes")), row.pending or {}, (row.integration_id, row.email.casefold()) in linked,
    )  # fmt: skip
