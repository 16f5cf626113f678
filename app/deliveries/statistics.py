"""The four figures and the badge of the setup page (biko.md 1.2, 1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from app.deliveries.rows import of_integrations
from app.store.tables import DriverLinkRow, Integration, InvitationRow, OnboardingRequestRow, OneTimeCodeRow, OutboxItem
from app.sync.words import UNSENT

_OF_PEOPLE = ("driver_link", "invitation", "onboarding_request", "driver_device", "driver_session")


@dataclass(frozen=True, slots=True)
class SetupStatistics:
    """``connected``: links that are active. ``pending_codes``: pending, in their time and with tries left.

    ``pending_invites`` counts those past their time as well, as the platform's page does; ``expired_invites`` says
    how many of them these are. ``waiting`` are changes of all this that the platform does not have yet.
    """

    active_integrations: int
    connected: int
    pending_codes: int
    pending_invites: int
    expired_invites: int
    pending_requests: int
    waiting: int

    @property
    def badge(self) -> int:
        """Requests, codes and invitations that wait for somebody."""
        return self.pending_requests + self.pending_codes + self.pending_invites


def setup_statistics(connection: Connection, now_ms: int, integration_id: str | None = None) -> SetupStatistics:
    """Of one integration, or of all."""
    code, invitation = OneTimeCodeRow, InvitationRow
    is_open = (code.stage == "pending", code.expires_ms > now_ms, code.tries < code.most_tries)
    pending = invitation.stage == "pending"
    return SetupStatistics(
        _count(connection, Integration, Integration.removed_at.is_(None)),
        _count(
            connection, DriverLinkRow, of_integrations(DriverLinkRow, integration_id), DriverLinkRow.stage == "active"
        ),
        _count(connection, code, of_integrations(code, integration_id), *is_open),
        _count(connection, invitation, of_integrations(invitation, integration_id), pending),
        _count(
            connection,
            invitation,
            of_integrations(invitation, integration_id),
            pending,
            invitation.expires_ms <= now_ms,
        ),
        _count(
            connection,
            OnboardingRequestRow,
            of_integrations(OnboardingRequestRow, integration_id),
            OnboardingRequestRow.stage == "pending",
        ),
        _count(
            connection,
            OutboxItem,
            OutboxItem.record.in_(_OF_PEOPLE),
            OutboxItem.state.in_(UNSENT),
            *(() if integration_id is None else (OutboxItem.integration_id == integration_id,)),
        ),
    )


def _count(connection: Connection, table: Any, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
