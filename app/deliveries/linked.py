"""Linked users: each login joined with its driver, phones and sessions (biko.md 2.4, 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from app.deliveries.rows import integration_names, of_integrations, shown_in
from app.deliveries.waiting import with_refusals
from app.fleet.freshness import freshness
from app.fleet.times import iso_ms
from app.store.tables import DriverDeviceRow, DriverLinkRow, DriverRow, DriverSessionRow
from app.supply.filters import Place

MOST = 10_000
FEW = 200

METHOD_WORDS: Mapping[str, str] = {"email_invitation": "Email", "otp": "OTP", "admin_direct": "Direct"}

_SHOWN = tuple(
    column
    for column in DriverLinkRow.__table__.columns
    if column.name not in ("content_hash", "gone_at", "changed_version")
)

NO_DRIVER = (
    "This login has no dispatch record, so no batch can reach it. Link it directly, or have it sign in with a one-time "
    "code: both make the record."
)
GONE_DRIVER = "The dispatch record of this login does not exist at the platform any more, so no batch can reach it."


@dataclass(frozen=True, slots=True)
class PhoneListing:
    """One phone of a login. ``stage`` is shown as it will be once what waits was accepted; ``refusal`` as below."""

    id: str
    integration_id: str
    peer_id: str
    user: str
    device: str
    name: str
    platform: str
    stage: str
    registered_ms: int
    seen_ms: int | None
    revoked_ms: int | None
    pending: Mapping[str, Any]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class SessionListing:
    """One time of being signed in. ``stage`` is shown as it will be once what waits was accepted: open, ended."""

    id: str
    integration_id: str
    peer_id: str
    user: str
    device: str
    status: str
    stage: str
    started_ms: int
    active_ms: int | None
    ended_ms: int | None
    end_reason: str
    vehicle: str
    pending: Mapping[str, Any]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class SignIns:
    """What is known of a login's phones and sessions. ``heard_ms`` is the newest sign of life, None for never."""

    phones: int = 0
    trusted: int = 0
    is_signed_in: bool = False
    session_ms: int | None = None
    heard_ms: int | None = None


_NEVER = SignIns()


@dataclass(frozen=True, slots=True)
class LinkedListing:
    """One linked user. ``stage`` is shown as it will be once ``pending`` was accepted; ``refusal`` says why that goes
    no further, "" where it may.

    ``silence`` is the word for the newest sign of life, ``heard_ms``: online, stale, silent, never. ``problem`` is a
    sentence, "" for none.
    """

    id: str
    integration_id: str
    source: str
    peer_id: str
    user: str
    driver: str
    driver_id: str
    driver_name: str
    name: str
    email: str
    method: str
    status: str
    stage: str
    linked_ms: int | None
    linked_by: str
    signs: SignIns
    silence: str
    problem: str
    pending: Mapping[str, Any]
    refusal: str = ""

    @property
    def label(self) -> str:
        return self.name or self.driver_name or self.email or self.user

    @property
    def method_word(self) -> str:
        return METHOD_WORDS.get(self.method, self.method)

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "name": self.label,
            "email": self.email,
            "driver": self.driver_name,
            "driver_id": self.driver_id,
            "user": self.user,
            "method": self.method,
            "status": self.status,
            "stage": self.stage,
            "linked_at": iso_ms(self.linked_ms),
            "linked_by": self.linked_by,
            "phones": self.signs.phones,
            "signed_in": self.signs.is_signed_in,
            "heard_at": iso_ms(self.signs.heard_ms),
            "silence": self.silence,
            "problem": self.problem,
            "pending": dict(self.pending),
            "refusal": self.refusal,
        }


def list_linked(
    connection: Connection, now_ms: int, integration_id: str | None = None, *, stage: str = "", text: str = ""
) -> list[LinkedListing]:
    """Newest link first, at most :data:`MOST`; ``stage`` is compared with what is shown."""
    link, driver = DriverLinkRow, DriverRow
    theirs = and_(driver.integration_id == link.integration_id, driver.peer_id == link.driver)
    query = (
        select(*_SHOWN, driver.id.label("of_driver"), driver.name.label("driver_name"), driver.gone_at.label("gone"))
        .outerjoin(driver, theirs)
        .where(of_integrations(link, integration_id))
        .order_by(link.linked_ms.desc(), link.key.desc())
        .limit(MOST)
    )
    for word in text.split():
        columns = (link.name, link.email, link.user)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    rows = connection.execute(query).all()
    signs = sign_ins(connection, [Place(row.integration_id, row.user) for row in rows])
    sources = integration_names(connection)
    found = [_linked(row, sources.get(row.integration_id, ""), signs, now_ms) for row in rows]
    return with_refusals(connection, [one for one in found if not stage or one.stage == stage])


def _linked(row: Any, source: str, signs: Mapping[Place, SignIns], now_ms: int) -> LinkedListing:
    sign = signs.get(Place(row.integration_id, row.user), _NEVER)
    problem = ""
    if row.of_driver is None:
        problem = NO_DRIVER
    elif row.gone is not None:
        problem = GONE_DRIVER
    return LinkedListing(
        id=row.id,
        integration_id=row.integration_id,
        source=source,
        peer_id=row.peer_id,
        user=row.user,
        driver=row.driver,
        driver_id=row.of_driver or "",
        driver_name=row.driver_name or "",
        name=row.name,
        email=row.email,
        method=row.method,
        status=row.status,
        stage=str(shown_in(row, "stage")),
        linked_ms=row.linked_ms,
        linked_by=row.linked_by,
        signs=sign,
        silence=freshness(sign.heard_ms, now_ms).value,
        problem=problem,
        pending=row.pending or {},
    )


def sign_ins(connection: Connection, users: Iterable[Place]) -> dict[Place, SignIns]:
    """By login. What is gone at the platform does not count."""
    by_integration: dict[str, set[str]] = {}
    for place in users:
        by_integration.setdefault(place.integration_id, set()).add(place.peer_id)
    found: dict[Place, SignIns] = {}
    for integration_id, ids in by_integration.items():
        # Of more than so many logins one look at all is quicker than many at some.
        some = sorted(ids) if len(ids) <= FEW else None
        phones = {row.user: row for row in connection.execute(_phones_by_user(integration_id, some)).all()}
        sessions = {row.user: row for row in connection.execute(_sessions_by_user(integration_id, some)).all()}
        for user in ids & (phones.keys() | sessions.keys()):
            found[Place(integration_id, user)] = _signs(phones.get(user), sessions.get(user))
    return found


def _phones_by_user(integration_id: str, users: Sequence[str] | None) -> Any:
    phone = DriverDeviceRow
    query = (
        select(
            phone.user,
            func.count().label("phones"),
            func.sum(case((phone.stage == "trusted", 1), else_=0)).label("trusted"),
            func.max(phone.seen_ms).label("seen_ms"),
        )
        .where(phone.integration_id == integration_id, phone.gone_at.is_(None))
        .group_by(phone.user)
    )
    return query if users is None else query.where(phone.user.in_(users))


def _sessions_by_user(integration_id: str, users: Sequence[str] | None) -> Any:
    session = DriverSessionRow
    query = (
        select(
            session.user,
            func.max(case((session.stage == "open", session.started_ms))).label("open_ms"),
            func.max(func.coalesce(session.active_ms, session.started_ms)).label("active_ms"),
        )
        .where(session.integration_id == integration_id, session.gone_at.is_(None))
        .group_by(session.user)
    )
    return query if users is None else query.where(session.user.in_(users))


def _signs(phones: Any | None, sessions: Any | None) -> SignIns:
    heard = [
        ms
        for ms in (phones.seen_ms if phones is not None else None, sessions.active_ms if sessions is not None else None)
        if ms is not None
    ]
    open_ms = None if sessions is None else sessions.open_ms
    return SignIns(
        0 if phones is None else phones.phones,
        0 if phones is None else int(phones.trusted or 0),
        open_ms is not None,
        open_ms,
        max(heard, default=None),
    )


def _all_of(table: Any, integration_id: str, user: str) -> Select[Any]:
    return select(table.__table__).where(
        table.integration_id == integration_id, table.user == user, table.gone_at.is_(None)
    )


def phones_of_user(connection: Connection, integration_id: str, user: str) -> list[PhoneListing]:
    """Every phone of a login, the one seen last on top."""
    phone = DriverDeviceRow
    rows = connection.execute(_all_of(phone, integration_id, user))
    found = [
        PhoneListing(
            row.id, row.integration_id, row.peer_id, row.user, row.device, row.name, row.platform,
            str(shown_in(row, "stage")), row.registered_ms, row.seen_ms, row.revoked_ms, row.pending or {},
        )
        for row in rows
    ]  # fmt: skip
    found.sort(key=lambda one: (-(one.seen_ms or one.registered_ms), one.id))
    return with_refusals(connection, found)


def sessions_of_user(connection: Connection, integration_id: str, user: str, limit: int = 50) -> list[SessionListing]:
    """The newest sessions of a login."""
    session = DriverSessionRow
    query = _all_of(session, integration_id, user).order_by(session.started_ms.desc(), session.key.desc())
    found = [
        SessionListing(
            row.id, row.integration_id, row.peer_id, row.user, row.device, row.status,
            str(shown_in(row, "stage")), row.started_ms, row.active_ms, row.ended_ms, row.end_reason, row.vehicle,
            row.pending or {},
        )
        for row in connection.execute(query.limit(limit))
    ]  # fmt: skip
    return with_refusals(connection, found)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An open session with its driver's name, "" for a login without a dispatch record."""

    id: str
    integration_id: str
    peer_id: str
    user: str
    driver: str
    device: str
    started_ms: int
    active_ms: int | None
    vehicle: str

    def as_row(self) -> dict[str, Any]:
        return {**asdict(self), "started_at": iso_ms(self.started_ms), "active_at": iso_ms(self.active_ms)}


def list_open_sessions(connection: Connection, session_id: str = "") -> list[OpenSession]:
    """Open sessions of all platforms, the newest first; of ``session_id`` alone where one is named, open or not."""
    session, link, driver = DriverSessionRow, DriverLinkRow, DriverRow
    query = (
        select(
            session.id, session.integration_id, session.peer_id, session.user,
            func.coalesce(func.max(driver.name), "").label("driver"), session.device, session.started_ms,
            session.active_ms, session.vehicle,
        )
        .outerjoin(link, and_(link.integration_id == session.integration_id, link.user == session.user,
                              link.gone_at.is_(None)))
        .outerjoin(driver, and_(driver.integration_id == link.integration_id, driver.peer_id == link.driver))
        .where(session.gone_at.is_(None), session.id == session_id if session_id else session.stage == "open")
        .group_by(session.key)
        .order_by(session.started_ms.desc(), session.key.desc())
    )  # fmt: skip
    return [OpenSession(*row) for row in connection.execute(query)]
