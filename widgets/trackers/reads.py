"""The questions the trackers page asks the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.fleet import queries
from app.fleet.listing import DeviceListing, list_devices
from app.store.tables import DeviceAssignment, Integration, IntegrationState, RawFrameRow, Vehicle
from widgets.map.raw_inspector import FrameView

MOST_EVENTS = 12


@dataclass(frozen=True, slots=True)
class Sources:
    """Names of integrations by id (removed ones too), and what those that listen say of where."""

    names: Mapping[str, str]
    listening: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """On which vehicle a tracker was, in ms; ``from_ms`` None: from its first frame, ``to_ms`` None: still."""

    plate: str
    from_ms: int | None
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """What belongs to one tracker: its vehicles, newest first, and its events since a moment, newest first."""

    assignments: Sequence[Assignment]
    events: Sequence[queries.EventListing]


def read_trackers(connection: Connection) -> list[DeviceListing]:
    """All trackers but the forgotten. Their ``now_ms`` is 0, so that equal rows stay equal while time goes by.

    Drivers' phones are no trackers: nobody adopts or blocks them. They are on the map and in Mod4 Setup.
    """
    return list_devices(connection, 0, phones=False)


def read_sources(connection: Connection) -> Sources:
    names = {row.id: row.name for row in connection.execute(select(Integration.id, Integration.name))}
    details = connection.execute(
        select(IntegrationState.detail)
        .join(Integration, Integration.id == IntegrationState.integration_id)
        .where(Integration.enabled, Integration.removed_at.is_(None))
        .order_by(Integration.key)
    ).scalars()
    said = (str((detail or {}).get("connected") or "") for detail in details)
    return Sources(names, tuple(text for text in said if text.startswith("Listening")))


def read_story(connection: Connection, device_key: int, since_ms: int) -> Story:
    assignment = DeviceAssignment
    rows = connection.execute(
        select(Vehicle.plate, assignment.from_ms, assignment.to_ms)
        .join(Vehicle, Vehicle.id == assignment.vehicle_id)
        .where(assignment.device_key == device_key)
        .order_by(assignment.id.desc())
    )
    return Story(
        [Assignment(plate, from_ms if from_ms > 0 else None, to_ms) for plate, from_ms, to_ms in rows],
        queries.find_events(connection, device_key=device_key, from_ms=since_ms, limit=MOST_EVENTS),
    )


def read_frame(connection: Connection, raw_frame_id: int, title: str) -> FrameView | None:
    """A stored frame for the inspector; None after retention deleted it."""
    row: Any = connection.execute(
        select(RawFrameRow.__table__, Integration.type)
        .outerjoin(Integration, Integration.key == RawFrameRow.integration_key)
        .where(RawFrameRow.id == raw_frame_id)
    ).one_or_none()
    if row is None:
        return None
    kind = row.type or ""
    return FrameView(title, row.protocol, row.data, row.received_at_ms, row.peer, row.verdict, row.reply, kind)
