"""What the tab shows, read in one snapshot off the UI thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.catalogue import Catalogue
from app.deliveries.codes import CodeListing, RequestListing, list_codes, list_requests
from app.deliveries.invitations import InvitationListing, list_invitations
from app.deliveries.linked import LinkedListing, list_linked
from app.deliveries.offers import Offers, new_offers
from app.deliveries.platforms import Platform, list_platforms
from app.deliveries.statistics import SetupStatistics, setup_statistics
from app.engine.phases import Phase
from app.integrations import IntegrationRow, list_integrations
from app.mail.queue import mail_hindrance
from app.store.tables import IntegrationState
from app.sync.streams import list_streams
from resources.i18n import tr

SETUP_STREAMS: Mapping[str, str] = {
    "drivers": tr("Drivers"),
    "links": tr("Linked users"),
    "codes": tr("One-time codes"),
    "requests": tr("Requests for access"),
    "invitations": tr("Invitations"),
    "devices": tr("Drivers' phones"),
    "sessions": tr("Sign-ins"),
}
"""Streams that fill this tab, and what is missing on it where one cannot be read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked at. ``platform`` is an integration's id, "" for the first one; texts are searches."""

    platform: str = ""
    invitations: str = ""
    linked: str = ""
    requests: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """How it stands with one platform; ``row`` is its integration as the engine sees it.

    ``troubles`` are sentences on what cannot be read, by stream's word; ``remark`` says what else is off and why;
    ``offers`` what the platform makes on request; ``no_mail`` why no mail can be sent.
    """

    platforms: Sequence[Platform]
    row: IntegrationRow
    offers: Offers
    troubles: Mapping[str, str]
    remark: str
    no_mail: str
    read_ms: int

    @property
    def no_line(self) -> str:
        """Why nothing can be asked of the platform now, "" where it can."""
        if self.row.phase in (Phase.HEALTHY, Phase.STALE):
            return ""
        if self.row.phase == Phase.STARTING:
            return "The connection to the platform is just being made."
        return self.row.reason or "The platform is not connected."


@dataclass(frozen=True, slots=True)
class Lists:
    """The people of a platform, as the searches want them."""

    statistics: SetupStatistics
    invitations: Sequence[InvitationListing]
    linked: Sequence[LinkedListing]
    codes: Sequence[CodeListing]
    requests: Sequence[RequestListing]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the tab shows; ``lists`` None where only the state was asked for."""

    head: Head
    lists: Lists | None


def read_setup(
    connection: Connection, catalogue: Catalogue, wanted: Wanted, now_ms: int, *, with_lists: bool = True
) -> Setup | None:
    """None where no driver platform is set up. The state of a line moves often, thousands of people seldom."""
    platforms = list_platforms(connection, catalogue)
    if not platforms:
        return None
    chosen = next((one for one in platforms if one.id == wanted.platform), platforms[0])
    head = _read_head(connection, catalogue, platforms, chosen, now_ms)
    return Setup(head, _read_lists(connection, chosen.id, wanted, now_ms) if with_lists else None)


def _read_head(
    connection: Connection, catalogue: Catalogue, platforms: Sequence[Platform], chosen: Platform, now_ms: int
) -> Head:
    return Head(
        platforms=platforms,
        row=next(row for row in list_integrations(connection) if row.id == chosen.id),
        offers=new_offers(connection, catalogue, chosen.id),
        troubles={
            SETUP_STREAMS[one.stream]: one.trouble
            for one in list_streams(connection)
            if one.integration_id == chosen.id and one.trouble and one.stream in SETUP_STREAMS
        },
        remark=_remark(connection, chosen.id),
        no_mail=mail_hindrance(connection),
        read_ms=now_ms,
    )


def _read_lists(connection: Connection, platform: str, wanted: Wanted, now_ms: int) -> Lists:
    return Lists(
        statistics=setup_statistics(connection, now_ms, platform),
        invitations=list_invitations(connection, now_ms, platform, text=wanted.invitations.strip()),
        linked=list_linked(connection, now_ms, platform, text=wanted.linked.strip()),
        codes=list_codes(connection, now_ms, platform, only_pending=False),
        requests=list_requests(connection, platform, text=wanted.requests.strip()),
    )


def _remark(connection: Connection, integration_id: str) -> str:
    """What the platform was found not to do, at the last connection."""
    row = IntegrationState
    detail = connection.execute(select(row.detail).where(row.integration_id == integration_id)).scalar_one_or_none()
    return str((detail or {}).get("remark") or "")
