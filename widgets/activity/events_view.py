"""What devices and their servers reported: alarms, fences, ignition."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from app.clock import to_ms
from app.fleet.alarms import ALARM_KINDS
from app.fleet.plausibility import mark_names
from app.fleet.queries import EventListing, find_events
from resources.i18n import tr
from widgets.activity.view import Batch, Detail, View
from widgets.activity.wanted import Wanted
from widgets.activity.words import humanised, moment
from widgets.formats import NOTHING
from widgets.rows_model import Column
from widgets.theme import Level

GROUPS: Mapping[str, Collection[str]] = {
    "": (),
    "alarms": ALARM_KINDS,
    "fences": ("geofence_enter", "geofence_exit"),
    "driving": ("ignition_on", "ignition_off", "overspeed", "harsh_braking", "moving", "stopped"),
}


class EventsView(View[EventListing]):
    key = "events"
    title = tr("Events")
    topics = frozenset({"events"})
    kinds = (
        ("", tr("Every kind")),
        ("alarms", tr("Alarms")),
        ("fences", tr("Geofences")),
        ("driving", tr("Driving")),
    )
    empty = (
        "siren",
        tr("No events yet"),
        tr("Alarms of trackers and events of their servers appear here as they arrive."),
    )

    def columns(self) -> Sequence[Column[EventListing]]:
        formats = self.formats
        return (
            Column(
                "time",
                tr("Time"),
                lambda event: moment(formats, event.occurred_at_ms),
                lambda event: (event.occurred_at_ms, event.id),
                tooltip=lambda event: formats.time(event.occurred_at_ms),
                export=lambda event: formats.time(event.occurred_at_ms),
                width=132,
                note=formats.zone_name,
            ),
            Column("kind", tr("What"), lambda event: humanised(event.kind), badge=_badge, width=156),
            Column("vehicle", tr("Vehicle"), lambda event: event.vehicle or NOTHING, width=124),
            Column("device", tr("Tracker"), lambda event: event.device, is_mono=True, width=138),
            Column("text", tr("Text"), lambda event: event.text, tooltip=lambda event: event.text, width=210),
            Column("place", tr("Place"), _place, width=150),
            Column(
                "received",
                tr("Arrived"),
                lambda event: moment(formats, event.received_at_ms),
                tooltip=lambda event: formats.time(event.received_at_ms),
                export=lambda event: formats.time(event.received_at_ms),
                is_shown=False,
                width=132,
            ),
            Column("code", tr("Code"), lambda event: event.code, is_mono=True, is_shown=False, width=110),
            Column("marks", tr("Marks"), _marks, is_shown=False, width=120),
            Column("source", tr("Source"), lambda event: self.names.integration(event.integration_id), width=120),
        )

    def key_of(self, row: EventListing) -> int:
        return row.id

    def older_than(self, row: EventListing) -> tuple[int, int]:
        return row.occurred_at_ms, row.id

    def read(
        self,
        connection: Connection,
        wanted: Wanted,
        *,
        limit: int,
        older: Any = None,
        newest: EventListing | None = None,  # noqa: ARG002 - a late event may be older than the newest
    ) -> Batch[EventListing]:
        if wanted.number is not None or wanted.integration_id == "":
            return Batch(())  # numbers are those of log lines, and the console itself has no events
        rows = find_events(
            connection,
            text=" ".join(wanted.words),
            kinds=GROUPS[wanted.kind],
            integration_id=wanted.integration_id,
            from_ms=None if wanted.since is None else to_ms(wanted.since),
            to_ms=None if wanted.until is None else to_ms(wanted.until),
            before=older,
            limit=limit,
        )
        return Batch(rows, self.older_than(rows[-1]) if len(rows) == limit else None)

    def detail(self, row: EventListing) -> Detail:
        level, word = _badge(row)
        acts = [("frame", tr("Raw frame"), "file-text")] if row.raw_frame_id is not None else []
        acts += [("map", tr("On the map"), "map-pin")] if row.lat is not None else []
        acts.append(("tracker", tr("Tracker"), "satellite-dish"))
        return Detail(
            heading=row.text or word,
            subtitle=row.vehicle or row.device,
            level=level,
            word=word,
            facts=(
                (tr("Happened"), self.formats.time(row.occurred_at_ms)),
                (tr("Arrived"), self.formats.time(row.received_at_ms)),
                (tr("Vehicle"), row.vehicle or tr("none")),
                (tr("Tracker"), row.device),
                (tr("Place"), _place(row) if row.lat is not None else tr("not told")),
                (tr("Code"), row.code),
                (tr("Kind"), row.kind),
                (tr("Marks"), _marks(row) or tr("none")),
                (tr("Source"), self.names.integration(row.integration_id)),
            ),
            acts=tuple(acts),
        )


def _badge(event: EventListing) -> tuple[Level, str]:
    return "error" if event.kind in ALARM_KINDS else "neutral", tr(humanised(event.kind))


def _place(event: EventListing) -> str:
    return NOTHING if event.lat is None or event.lon is None else f"{event.lat:.5f}, {event.lon:.5f}"


def _marks(event: EventListing) -> str:
    return ", ".join(name.replace("_", " ") for name in mark_names(event.marks))
