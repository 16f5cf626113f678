"""Drivers with both their ids joined: dispatch record and login (biko.md 4.1, 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select

from app.clock import from_ms
from app.deliveries.linked import FEW, SignIns, sign_ins
from app.deliveries.phones import PhonePlace, phones_of
from app.deliveries.rows import integration_names, of_integrations, shown_in
from app.fleet.freshness import freshness
from app.fleet.times import iso_ms
from app.identity.kinds import in_chunks
from app.store.tables import DriverLinkRow, DriverRow
from app.supply.filters import Place

MOST = 10_000
LICENCE_SOON_DAYS = 30

ROW_COLUMNS = (
    "id", "integration_id", "peer_id", "name", "phone", "email", "status", "availability", "licence_number",
    "licence_type", "licence_expires_on", "licence", "is_licence_verified", "is_onboarded", "shift_starts",
    "shift_ends", "user", "link", "signed_in", "phones", "heard_at", "silence", "lat", "lon", "located_at", "problems",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DriverListing:
    """One driver. ``availability``: available, unavailable, away (one of ``away_on`` is today).

    ``licence``: valid, soon (within 30 days), expired, unknown. ``link`` is the stage of the login's link, "" for no
    login; ``heard_ms`` the newest sign of life of any kind. ``problems`` are sentences.
    """

    id: str
    integration_id: str
    source: str
    peer_id: str
    name: str
    phone: str
    email: str
    status: str
    availability: str
    away_on: Sequence[str]
    licence_number: str
    licence_type: str
    licence_expires_on: str | None
    licence: str
    is_licence_verified: bool
    is_onboarded: bool
    shift_starts: str
    shift_ends: str
    user: str
    link_id: str
    link: str
    signs: SignIns
    heard_ms: int | None
    silence: str
    place: PhonePlace | None
    problems: Sequence[str]

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        place = self.place
        return {
            "id": self.id, "integration_id": self.integration_id, "peer_id": self.peer_id, "name": self.name,
            "phone": self.phone, "email": self.email, "status": self.status, "availability": self.availability,
            "licence_number": self.licence_number, "licence_type": self.licence_type,
            "licence_expires_on": self.licence_expires_on, "licence": self.licence,
            "is_licence_verified": self.is_licence_verified, "is_onboarded": self.is_onboarded,
            "shift_starts": self.shift_starts, "shift_ends": self.shift_ends, "user": self.user, "link": self.link,
            "signed_in": self.signs.is_signed_in, "phones": self.signs.phones, "heard_at": iso_ms(self.heard_ms),
            "silence": self.silence, "lat": None if place is None else place.lat,
            "lon": None if place is None else place.lon,
            "located_at": None if place is None else iso_ms(place.fixed_ms), "problems": list(self.problems),
        }  # fmt: skip


def list_drivers(
    connection: Connection, now_ms: int, integration_id: str | None = None, *, text: str = "", only: Sequence[str] = ()
) -> list[DriverListing]:
    """By name, at most :data:`MOST`. ``only``: ids of rows."""
    driver = DriverRow
    query = select(driver.__table__).where(of_integrations(driver, integration_id))
    for word in text.split():
        columns = (driver.name, driver.phone, driver.email, driver.licence_number)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    if only:
        query = query.where(driver.id.in_(only))
    rows = connection.execute(query.order_by(driver.name, driver.key).limit(MOST)).all()
    places = [Place(row.integration_id, row.peer_id) for row in rows]
    links = links_of(connection, places)
    signs = sign_ins(connection, [Place(place.integration_id, link.user) for place, link in links.items()])
    phones = phones_of(connection, places)
    sources = integration_names(connection)
    return [
        _driver(
            row,
            sources.get(row.integration_id, ""),
            links.get(place),
            signs,
            phones.get(place),
            now_ms,
        )
        for row, place in zip(rows, places, strict=True)
    ]


def links_of(connection: Connection, drivers: Sequence[Place]) -> dict[Place, Any]:
    """The link of each driver's login: where there are several, an active one, the newest of them."""
    link = DriverLinkRow
    by_integration: dict[str, list[str]] = {}
    for place in drivers:
        if place.peer_id:
            by_integration.setdefault(place.integration_id, []).append(place.peer_id)
    found: dict[Place, Any] = {}
    columns = (link.id, link.driver, link.user, link.stage, link.pending)
    for integration_id, ids in by_integration.items():
        for some in in_chunks(sorted(set(ids))) if len(ids) <= FEW else ((),):
            query = select(*columns).where(link.integration_id == integration_id, link.gone_at.is_(None))
            if len(ids) <= FEW:
                query = query.where(link.driver.in_(some))
            for row in connection.execute(query.order_by(link.linked_ms, link.key)).all():
                place = Place(integration_id, row.driver)
                before = found.get(place)
                if before is None or shown_in(row, "stage") == "active" or shown_in(before, "stage") != "active":
                    found[place] = row
    return found


def licence_word(expires_on: str | None, now_ms: int, days: int = LICENCE_SOON_DAYS) -> str:
    """``valid``, ``soon``, ``expired`` or ``unknown``. A licence is good until the end of its day."""
    if not expires_on:
        return "unknown"
    today = from_ms(now_ms).date()
    if expires_on < today.isoformat():
        return "expired"
    return "soon" if expires_on <= from_ms(now_ms + days * 86_400_000).date().isoformat() else "valid"


def _driver(
    row: Any, source: str, link: Any, signs: Mapping[Place, SignIns], phone: PhonePlace | None, now_ms: int
) -> DriverListing:
    user = "" if link is None else link.user
    sign = signs.get(Place(row.integration_id, user), SignIns()) if user else SignIns()
    known = [ms for ms in (sign.heard_ms, None if phone is None else phone.seen_ms) if ms is not None]
    heard_ms = max(known, default=None)
    away = tuple(row.away_on or ())
    is_away = from_ms(now_ms).date().isoformat() in away
    stage = "" if link is None else str(shown_in(link, "stage"))
    licence = licence_word(row.licence_expires_on, now_ms)
    return DriverListing(
        id=row.id,
        integration_id=row.integration_id,
        source=source,
        peer_id=row.peer_id,
        name=row.name,
        phone=row.phone,
        email=row.email,
        status=row.status,
        availability="away" if is_away else ("available" if row.is_available else "unavailable"),
        away_on=away,
        licence_number=row.licence_number,
        licence_type=row.licence_type,
        licence_expires_on=row.licence_expires_on,
        licence=licence,
        is_licence_verified=row.is_licence_verified,
        is_onboarded=row.is_onboarded,
        shift_starts=row.shift_starts,
        shift_ends=row.shift_ends,
        user=user,
        link_id="" if link is None else link.id,
        link=stage,
        signs=sign,
        heard_ms=heard_ms,
        silence=freshness(heard_ms, now_ms).value,
        place=phone,
        problems=tuple(_problems(row, stage, sign, licence)),
    )


def _problems(row: Any, link: str, sign: SignIns, licence: str) -> list[str]:
    found = []
    if not link:
        found.append(
            "No login belongs to this driver, so the driver app shows them no batch. Link them by e-mail, or with a "
            "one-time code."
        )
    elif link != "active":
        found.append(f"Their link is {link}, so the driver app shows them no batch. Activate it again.")
    elif sign.phones and not sign.trusted:
        found.append("All their phones are revoked. Have them activate one with a new one-time code.")
    if licence == "expired":
        found.append(f"Their licence expired on {row.licence_expires_on}.")
    elif licence == "soon":
        found.append(f"Their licence expires on {row.licence_expires_on}.")
    return found
