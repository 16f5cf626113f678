"""Who drives and how they sign in: workspaces, drivers, links, codes, requests, invitations, phones, sessions.

Each function reads one kind whole, in the workspace alone (biko.md, sections 2, 3 and 4.1, 4.2, 4.8). No code, token or
hash is selected: they cannot reach the console.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

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
from adapters.mod4.readings import COLUMNS, Among, Equals, Member, Reading, Row, Since, Tables, kinds
from adapters.mod4.site import Site
from adapters.mod4.tables import amount, day, place, word

MOST_ENDED_SESSIONS = 5_000
DAY_MS = 86_400_000
_LINKED = kinds(text="id user_id driver_id status link_method user_email user_name linked_by_name", ms="linked_at")


def in_workspace(site: Site) -> Equals:
    """The condition without which no row of another workspace is kept out."""
    return Equals("workspace_id", site.workspace.id)


def is_member(column: str, site: Site) -> Member:
    """The login is one of the workspace."""
    return Member(column, site.workspace.id)


def workspaces(site: Site) -> list[Workspace]:
    """The chosen one alone: the others are nobody's business here."""
    found = site.workspace
    return [Workspace(found.id, found.name[:300], found.members)]


def drivers(tables: Tables, site: Site) -> list[Driver]:
    rows = tables.rows(Reading("drivers", (in_workspace(site),), is_whole=True))
    away = _away(tables, [row["id"] for row in rows])
    return [_driver(row, away) for row in rows]


def _driver(row: Row, away: dict[str, list[str]]) -> Driver:
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


def _away(tables: Tables, drivers: Sequence[str]) -> dict[str, list[str]]:
    """Days from yesterday on, on which a driver does not drive."""
    name, known = "driver_availability", tables.inventory
    if not drivers or not known.is_open(name):
        return {}
    if not (known.has(name, "driver_id") and known.has(name, "date") and known.has(name, "available")):
        return {}
    yesterday = Since("date", (tables.now_ms() // DAY_MS - 1) * DAY_MS)
    wanted = Reading(name, (Among("driver_id", tuple(drivers)), Equals("available", "false"), yesterday))
    found: dict[str, list[str]] = {}
    for row in tables.rows(wanted):
        if (away := day(row, "date")) is not None:
            found.setdefault(row["driver_id"], []).append(away)
    return found


# -- links


def links(tables: Tables, site: Site) -> list[DriverLink]:
    """By the platform's function where it works: it tells names and addresses, which this role may not read itself."""
    if site.feature("links").way == "function":
        return [_link(row) for row in tables.function_rows("get_mod4_linked_users", _mine(site), _LINKED)]
    rows = tables.rows(Reading("mod4_driver_links", (is_member("user_id", site),), is_whole=True))
    emails = tables.addresses({row[name] for row in rows for name in ("user_id", "linked_by") if row[name]})
    names: dict[str, str] = {}
    if tables.inventory.has("drivers", "name"):
        wanted = Reading("drivers", (in_workspace(site),), columns=("id", "name"))
        names = {row["id"]: word(row, "name") for row in tables.rows(wanted)}
    return [
        _link(
            {
                **row,
                "user_email": emails.get(row["user_id"]),
                "user_name": names.get(row["driver_id"]),
                "linked_by_name": emails.get(row["linked_by"]),
            }
        )
        for row in rows
    ]


def _mine(site: Site) -> Mapping[str, str]:
    return {"p_workspace_id": site.workspace.id}


def _link(row: Row) -> DriverLink:
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


def codes(tables: Tables, site: Site) -> list[OneTimeCode]:
    """Pending ones, and what became of those of the last week; the codes themselves are not selected."""
    recent = Since("created_at", tables.now_ms() - 7 * DAY_MS)
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
        for row in tables.rows(Reading("mod4_otp_codes", (in_workspace(site), recent), is_whole=True))
    ]


def requests(tables: Tables, site: Site, only: str = "") -> list[OnboardingRequest]:
    """All of them, or the one with an id: the platform keeps no workspace with a request (biko.md 2.5)."""
    del site
    where = (Equals("id", only),) if only else ()
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
        for row in tables.rows(Reading("onboarding_requests", where, is_whole=not only))
    ]


def invitations(tables: Tables, site: Site, only: str = "") -> list[Invitation]:
    """Invitations of the workspace; those that are pending past their time have expired, by the server's clock."""
    where = (in_workspace(site), *((Equals("id", only),) if only else ()))
    rows = tables.rows(Reading("user_invitations", where, is_whole=not only))
    inviters = tables.addresses({row["invited_by"] for row in rows if row["invited_by"]})
    now_ms = tables.now_ms()
    return [_invitation(row, inviters.get(row["invited_by"], ""), now_ms) for row in rows]


def _invitation(row: Row, inviter: str, now_ms: int) -> Invitation:
    status = word(row, "status", 40)
    stage = stage_of(status, InvitationStage)
    is_late = row["expires_at"] is not None and row["expires_at"] < now_ms
    return Invitation(
        peer_id=row["id"],
        email=word(row, "email", 320),
        role=word(row, "role_code", 60),
        status=status,
        stage="expired" if stage == "pending" and is_late else stage,
        invited_ms=row["invited_at"] or 0,
        expires_ms=row["expires_at"] or row["invited_at"] or 0,
        invited_by=inviter[:300],
        accepted_ms=row["accepted_at"],
        revoked_ms=row["revoked_at"],
    )


# -- phones and sessions


def devices(tables: Tables, site: Site) -> list[DriverDevice]:
    if site.feature("devices").way == "function":
        rows = tables.function_rows("get_driver_devices", _mine(site), COLUMNS["driver_devices"])
    else:
        rows = tables.rows(Reading("driver_devices", (is_member("user_id", site),), is_whole=True))
    return [_device(row) for row in rows]


def _device(row: Row) -> DriverDevice:
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


def sessions(tables: Tables, site: Site, only: str = "") -> list[DriverSession]:
    """Open sessions and the newest ended ones, or the one with an id; ``driver_id`` is the login (biko.md 4.1)."""
    where = (is_member("driver_id", site), *((Equals("id", only),) if only else ()))
    wanted = Reading("driver_sessions", where, newest="started_at", limit=MOST_ENDED_SESSIONS, is_whole=not only)
    return [_session(row) for row in tables.rows(wanted)]


def _session(row: Row) -> DriverSession:
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
