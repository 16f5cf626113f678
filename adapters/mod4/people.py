"""Who drives and how they sign in: workspaces, drivers, links, codes, requests, invitations, phones, sessions.

Each function reads one kind whole, in the workspace alone (biko.md, sections 2, 3 and 4.1, 4.2, 4.8). No code, token or
hash is selected: they cannot reach the console.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from sqlalchemy import Connection, Text, cast, column, func, null, select, table
from sqlalchemy.sql.elements import ColumnElement

from adapters.dispatch import (
    CodeStage,
    Driver,
    DriverDevice,
    DriverLink,
    DriverSession,
    Invitation,
    InvitationStage,
    LinkStage,
    OnboardingRequest,
    OneTimeCode,
    RequestStage,
    Workspace,
)
from adapters.mod4.inventory import Inventory
from adapters.mod4.site import Site
from adapters.mod4.tables import Query, Rows, amount, choose, day, function_call, place, word

MOST_ENDED_SESSIONS = 5_000


def in_workspace(rows: Rows, site: Site) -> ColumnElement[bool]:
    """The condition without which no row of another workspace is kept out."""
    return rows.equals("workspace_id", site.workspace.id)


def members(site: Site) -> Query:
    """Logins of the workspace, as texts."""
    rows = site.rows("workspace_members")
    return choose(rows.text("user_id")).where(in_workspace(rows, site))


def workspaces(site: Site) -> list[Workspace]:
    """The chosen one alone: the others are nobody's business here."""
    found = site.workspace
    return [Workspace(found.id, found.name[:300], found.members)]


def drivers(connection: Connection, site: Site) -> list[Driver]:
    rows = site.rows("drivers")
    query = select(
        rows.text("id"), rows.text("name"), rows.text("phone"), rows.text("email"), rows.text("status"),
        rows.text("license_number"), rows.text("license_type"), rows.day("license_expiry"),
        rows.flag("license_verified"), rows.flag("onboarding_completed"), rows.text("shift_start"),
        rows.text("shift_end"), rows.number("current_lat"), rows.number("current_lng"), rows.ms("location_updated_at"),
        rows.number("max_hours"), rows.text("employer"), rows.text("group_name"), rows.number("total_deliveries"),
        rows.number("on_time_percentage"),
    ).where(in_workspace(rows, site))  # fmt: skip
    away = _away(connection, site)
    return [_driver(dict(row), away) for row in connection.execute(query).mappings()]


def _driver(row: dict[str, Any], away: dict[str, list[str]]) -> Driver:
    lat, lon = place(row["current_lat"], row["current_lng"])
    attributes = {
        name: value
        for name, value in (
            ("max_hours", amount(row["max_hours"])),
            ("employer", word(row, "employer")),
            ("group", word(row, "group_name")),
            ("total_deliveries", amount(row["total_deliveries"])),
            ("on_time_percentage", amount(row["on_time_percentage"])),
        )
        if value not in (None, "")
    }
    status = word(row, "status", 40)
    return Driver(
        peer_id=row["id"],
        name=word(row, "name"),
        phone=word(row, "phone", 60),
        email=word(row, "email", 320),
        status=status,
        is_available=status == "available",
        licence_number=word(row, "license_number", 100),
        licence_type=word(row, "license_type", 40),
        licence_expires_on=day(row, "license_expiry"),
        is_licence_verified=bool(row["license_verified"]),
        is_onboarded=bool(row["onboarding_completed"]),
        shift_starts=word(row, "shift_start", 5),
        shift_ends=word(row, "shift_end", 5),
        lat=lat,
        lon=lon,
        located_ms=row["location_updated_at"],
        away_on=tuple(sorted(away.get(row["id"], ()))),
        attributes=attributes or None,
    )


def _away(connection: Connection, site: Site) -> dict[str, list[str]]:
    """Days from yesterday on, on which a driver does not drive."""
    rows = site.rows("driver_availability")
    if not (rows.has("driver_id") and rows.has("date") and rows.has("available")):
        return {}
    facts = site.inventory.tables["driver_availability"]
    if facts.scope("select") != "all":
        return {}
    query = select(rows.text("driver_id"), rows.day("date")).where(
        rows.raw("available").is_(False), rows.raw("date") >= func.current_date() - 1
    )
    found: dict[str, list[str]] = {}
    for driver, away in connection.execute(query):
        if away is not None and len(away) == 10:
            found.setdefault(driver, []).append(away)
    return found


# -- links


def links(connection: Connection, site: Site) -> list[DriverLink]:
    """By the platform's function where it works: it tells names and addresses, which this role may not read itself."""
    if site.feature("links").way == "function":
        rows = _function_rows(
            connection,
            "get_mod4_linked_users",
            site,
            ("id", "user_id", "driver_id", "status", "link_method", "user_email", "user_name", "linked_by_name"),
            ("linked_at",),
        )
        return [_link(row) for row in rows]
    rows_of = site.rows("mod4_driver_links")
    users, by = _accounts(site.inventory, "users"), _accounts(site.inventory, "linkers")
    drivers_of = site.rows("drivers")
    query = (
        select(
            rows_of.text("id"), rows_of.text("user_id"), rows_of.text("driver_id"), rows_of.text("status"),
            rows_of.text("link_method"), rows_of.ms("linked_at"),
            _email(site, users, rows_of.raw("user_id")).label("user_email"),
            select(drivers_of.text("name")).where(drivers_of.raw("id") == rows_of.raw("driver_id")).scalar_subquery()
            .label("user_name") if drivers_of.has("name") else null().label("user_name"),
            _email(site, by, rows_of.raw("linked_by")).label("linked_by_name"),
        )
        .where(rows_of.text("user_id").in_(members(site)))
    )  # fmt: skip
    return [_link(dict(row)) for row in connection.execute(query).mappings()]


def _accounts(inventory: Inventory, alias: str) -> Any:
    return table("users", column("id"), column("email"), schema="auth").alias(alias) if inventory.has_accounts else None


def _email(site: Site, users: Any, user: ColumnElement[Any]) -> ColumnElement[Any]:
    """The address of an account, from wherever this role may read it."""
    if users is not None:
        found: ColumnElement[Any] = select(cast(users.c.email, Text)).where(users.c.id == user).scalar_subquery()
        return found
    profiles = site.rows("profiles")
    if profiles.has("id") and profiles.has("email"):
        named: ColumnElement[Any] = select(profiles.text("email")).where(profiles.raw("id") == user).scalar_subquery()
        return named
    return null()


def _function_rows(
    connection: Connection, name: str, site: Site, texts: Sequence[str], times: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of a platform's function over the workspace. A column that it no longer returns fails the statement."""
    arguments = {"p_workspace_id": site.workspace.id}
    call = function_call(name, arguments).table_valued(*texts, *times, name="found")
    found: list[ColumnElement[Any]] = [cast(call.c[one], Text).label(one) for one in texts]
    found += [Rows.ms_of(call.c[one], one) for one in times]
    return [dict(row) for row in connection.execute(select(*found)).mappings()]


def _link(row: dict[str, Any]) -> DriverLink:
    status = word(row, "status", 40)
    return DriverLink(
        peer_id=row["id"],
        user=row["user_id"],
        driver=word(row, "driver_id", 200),
        status=status,
        stage=stage_of(status, LinkStage),
        method=word(row, "link_method", 40),
        name=word(row, "user_name"),
        email=word(row, "user_email", 320),
        linked_ms=_whole(row["linked_at"]),
        linked_by=word(row, "linked_by_name"),
    )


def stage_of(status: str, stages: Any) -> Any:
    """The platform's word where it is one of ours, unknown otherwise."""
    return status if status in get_args(stages) else "unknown"


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


# -- codes, requests, invitations


def codes(connection: Connection, site: Site) -> list[OneTimeCode]:
    """Pending ones, and what became of those of the last week; the codes themselves are not selected."""
    rows = site.rows("mod4_otp_codes")
    recent = rows.raw("created_at") > func.now() - func.make_interval(0, 0, 1)
    query = select(
        rows.text("id"), rows.text("target_email"), rows.text("status"), rows.number("attempts"),
        rows.number("max_attempts"), rows.ms("created_at"), rows.ms("expires_at"), rows.ms("used_at"),
    ).where(in_workspace(rows, site), recent)  # fmt: skip
    return [
        OneTimeCode(
            peer_id=row["id"],
            email=word(row, "target_email", 320),
            status=word(row, "status", 40),
            stage=stage_of(word(row, "status"), CodeStage),
            tries=int(row["attempts"] or 0),
            most_tries=int(row["max_attempts"] or 5),
            created_ms=row["created_at"] or 0,
            expires_ms=row["expires_at"] or row["created_at"] or 0,
            used_ms=row["used_at"],
        )
        for row in (dict(found) for found in connection.execute(query).mappings())
    ]


def requests(connection: Connection, site: Site, only: str = "") -> list[OnboardingRequest]:
    """All of them, or the one with an id: the platform keeps no workspace with a request (biko.md 2.5)."""
    rows = site.rows("onboarding_requests")
    query = select(
        rows.text("id"), rows.text("full_name"), rows.text("phone"), rows.text("email"), rows.text("organization_hint"),
        rows.text("device_id"), rows.text("status"), rows.ms("created_at"), rows.ms("reviewed_at"),
        rows.text("reviewed_by"), rows.text("reviewer_notes"),
    )  # fmt: skip
    if only:
        query = query.where(rows.equals("id", only))
    return [
        OnboardingRequest(
            peer_id=row["id"],
            name=word(row, "full_name"),
            phone=word(row, "phone", 60),
            email=word(row, "email", 320),
            organisation=word(row, "organization_hint"),
            device=word(row, "device_id"),
            status=word(row, "status", 40),
            stage=stage_of(word(row, "status"), RequestStage),
            submitted_ms=row["created_at"] or 0,
            reviewed_ms=row["reviewed_at"],
            reviewed_by=word(row, "reviewed_by"),
            notes=word(row, "reviewer_notes", 2000),
        )
        for row in (dict(found) for found in connection.execute(query).mappings())
    ]


def invitations(connection: Connection, site: Site, *, only: str = "", email: str = "") -> list[Invitation]:
    """Invitations of the workspace; those that are pending past their time have expired, by the server's clock."""
    rows = site.rows("user_invitations")
    is_late = (rows.raw("expires_at") < func.now()).label("is_late")
    inviter = _email(site, _accounts(site.inventory, "inviters"), rows.raw("invited_by")).label("inviter")
    query = select(
        rows.text("id"), rows.text("email"), rows.text("role_code"), rows.text("status"), rows.ms("invited_at"),
        rows.ms("expires_at"), rows.ms("accepted_at"), rows.ms("revoked_at"), is_late, inviter,
    ).where(in_workspace(rows, site))  # fmt: skip
    if only:
        query = query.where(rows.equals("id", only))
    if email:
        query = query.where(func.lower(rows.raw("email")) == email)
    return [_invitation(dict(row)) for row in connection.execute(query).mappings()]


def _invitation(row: dict[str, Any]) -> Invitation:
    status = word(row, "status", 40)
    stage = stage_of(status, InvitationStage)
    return Invitation(
        peer_id=row["id"],
        email=word(row, "email", 320),
        role=word(row, "role_code", 60),
        status=status,
        stage="expired" if stage == "pending" and row["is_late"] else stage,
        invited_ms=row["invited_at"] or 0,
        expires_ms=row["expires_at"] or row["invited_at"] or 0,
        invited_by=word(row, "inviter"),
        accepted_ms=row["accepted_at"],
        revoked_ms=row["revoked_at"],
    )


# -- phones and sessions


def devices(connection: Connection, site: Site) -> list[DriverDevice]:
    if site.feature("devices").way == "function":
        texts = ("id", "user_id", "device_id", "device_name", "platform", "is_trusted")
        rows = _function_rows(
            connection, "get_driver_devices", site, texts, ("registered_at", "last_seen_at", "revoked_at")
        )
        return [_device(row) for row in rows]
    of = site.rows("driver_devices")
    query = select(
        of.text("id"), of.text("user_id"), of.text("device_id"), of.text("device_name"), of.text("platform"),
        of.text("is_trusted"), of.ms("registered_at"), of.ms("last_seen_at"), of.ms("revoked_at"),
    ).where(of.text("user_id").in_(members(site)))  # fmt: skip
    return [_device(dict(row)) for row in connection.execute(query).mappings()]


def _device(row: dict[str, Any]) -> DriverDevice:
    is_trusted = row["is_trusted"] == "true" and row["revoked_at"] is None
    return DriverDevice(
        peer_id=row["id"],
        user=row["user_id"],
        device=word(row, "device_id"),
        name=word(row, "device_name"),
        platform=word(row, "platform", 40),
        stage="trusted" if is_trusted else "revoked",
        registered_ms=_whole(row["registered_at"]) or 0,
        seen_ms=_whole(row["last_seen_at"]),
        revoked_ms=_whole(row["revoked_at"]),
    )


def sessions(connection: Connection, site: Site, only: str = "") -> list[DriverSession]:
    """Open sessions and the newest ended ones, or the one with an id; ``driver_id`` is the login (biko.md 4.1)."""
    of = site.rows("driver_sessions")
    query = (
        select(
            of.text("id"), of.text("driver_id"), of.text("device_id"), of.text("status"), of.ms("started_at"),
            of.ms("last_active_at"), of.ms("last_heartbeat_at"), of.ms("ended_at"), of.ms("invalidated_at"),
            of.text("end_reason"), of.text("invalidation_reason"), of.text("vehicle_id"),
        )
        .where(of.text("driver_id").in_(members(site)))
        .order_by(of.raw("started_at").desc())
        .limit(MOST_ENDED_SESSIONS)
    )  # fmt: skip
    if only:
        query = query.where(of.equals("id", only))
    return [_session(dict(row)) for row in connection.execute(query).mappings()]


def _session(row: dict[str, Any]) -> DriverSession:
    status = word(row, "status", 40)
    ended = row["ended_at"] if row["ended_at"] is not None else row["invalidated_at"]
    alive = [at for at in (row["last_active_at"], row["last_heartbeat_at"]) if at is not None]
    return DriverSession(
        peer_id=row["id"],
        user=row["driver_id"],
        device=word(row, "device_id"),
        status=status,
        stage="open" if status.upper() == "ACTIVE" and ended is None else "ended",
        started_ms=row["started_at"] or 0,
        active_ms=max(alive, default=None),
        ended_ms=ended,
        end_reason=word(row, "end_reason") or word(row, "invalidation_reason"),
        vehicle=word(row, "vehicle_id", 200),
    )
