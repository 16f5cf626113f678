"""The report of a vehicle's fuel as lines of one table: its days, their total, its events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from app.clock import to_ms
from app.fuel.events import StoredEvent, list_events
from app.fuel.reconcile import CONFIRMED
from app.fuel.vehicle_days import VehicleDay, VehicleSpan, vehicle_span
from resources.i18n import tr, trn
from widgets.formats import NOTHING, Formats
from widgets.rows_model import Column
from widgets.theme import Level

MOST_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line; figures are None where they are not known or do not belong to its part."""

    number: int
    part: str  # day, total, refuel, drain
    when: str
    start_l: float | None = None
    end_l: float | None = None
    refuelled_l: float | None = None
    drained_l: float | None = None
    used_l: float | None = None
    norm_l: float | None = None
    distance_km: float | None = None
    per_100_km: float | None = None
    engine_h: float | None = None
    quality: int | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ReportData:
    """``events`` begin within the days, the oldest first."""

    span: VehicleSpan
    events: tuple[StoredEvent, ...]


def read_report(connection: Connection, vehicle_id: str, first: date, last: date) -> ReportData:
    """The UTC days from ``first`` to ``last``, both included."""
    from_ms = to_ms(datetime(first.year, first.month, first.day, tzinfo=UTC))
    until_ms = to_ms(datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1))
    span = vehicle_span(connection, vehicle_id, from_ms, until_ms - 1)
    events = list_events(
        connection, vehicle_id=vehicle_id, since_ms=from_ms, until_ms=until_ms, limit=MOST_EVENTS
    )  # fmt: skip
    return ReportData(span, tuple(event for event in reversed(events) if event.start_ms >= from_ms))


def report_lines(data: ReportData, formats: Formats) -> list[ReportLine]:
    """Days, total, events; nothing at all where there is neither a day nor an event."""
    days = [_day_line(number, day, data.span) for number, day in enumerate(data.span.days)]
    total = [_total_line(len(days), data.span)] if days else []
    events = [_event_line(len(days) + 1 + number, event, formats) for number, event in enumerate(data.events)]
    return [*days, *total, *events]


def report_columns() -> list[Column[ReportLine]]:
    def figure(
        key: str, title: str, width: int, read: Callable[[ReportLine], float | None], decimals: int = 1
    ) -> Column[ReportLine]:
        return Column(
            key, title, lambda row: _shown(read(row), decimals), read, align="right", width=width,
            export=lambda row: _rounded(read(row), decimals),
        )  # fmt: skip

    return [
        Column("part", tr("Part"), lambda row: part_word(row)[1], badge=part_word, width=90),
        Column("when", tr("When"), lambda row: row.when, lambda row: row.number, width=192),
        figure("start", tr("Start L"), 70, lambda row: row.start_l),
        figure("end", tr("End L"), 66, lambda row: row.end_l),
        figure("refuelled", tr("Refuelled L"), 88, lambda row: row.refuelled_l),
        figure("drained", tr("Drained L"), 80, lambda row: row.drained_l),
        figure("used", tr("Used L"), 70, lambda row: row.used_l),
        figure("norm", tr("Norm L"), 72, lambda row: row.norm_l),
        figure("distance", tr("km"), 74, lambda row: row.distance_km),
        figure("rate", tr("L/100 km"), 80, lambda row: row.per_100_km),
        figure("engine", tr("Engine h"), 78, lambda row: row.engine_h),
        figure("quality", tr("Quality"), 70, lambda row: row.quality, 0),
        Column("remark", tr("Remark"), lambda row: row.remark, width=240, tooltip=lambda row: row.remark),
    ]


def part_word(row: ReportLine) -> tuple[Level, str]:
    words: dict[str, tuple[Level, str]] = {
        "day": ("neutral", tr("Day")),
        "total": ("info", tr("Total")),
        "refuel": ("ok", tr("Refuel")),
        "drain": ("error", tr("Drain")),
    }
    return words[row.part]


def _day_line(number: int, day: VehicleDay, span: VehicleSpan) -> ReportLine:
    return ReportLine(
        number, "day", f"{day.day} UTC", day.start_l, day.end_l, day.refuelled_l, day.drained_l, day.used_l, day.norm_l,
        day.distance_km, span.per_100_km(day.used_l, day.distance_km), day.engine_h, day.quality,
    )  # fmt: skip


def _total_line(number: int, span: VehicleSpan) -> ReportLine:
    totals = span.totals
    remark = ""
    if totals.unknown_days:
        remark = trn(
            "The use of {count} day is not known and not in it", "The use of {count} days is not known and not in it",
            totals.unknown_days,
        )  # fmt: skip
    return ReportLine(
        number, "total", tr("{first} to {last}", first=span.days[0].day, last=span.days[-1].day), totals.start_l,
        totals.end_l, totals.refuelled_l, totals.drained_l, totals.used_l, totals.norm_l, totals.distance_km,
        span.per_100_km(totals.used_l, totals.used_km), totals.engine_h, totals.quality, remark,
    )  # fmt: skip


def _event_line(number: int, event: StoredEvent, formats: Formats) -> ReportLine:
    litres = event.litres if event.counts else None
    is_refuel = event.kind == "refuel"
    return ReportLine(
        number, event.kind, formats.time(event.start_ms), event.level_before_l, event.level_after_l,
        refuelled_l=litres if is_refuel else None, drained_l=None if is_refuel else litres, remark=_remark(event),
    )  # fmt: skip


def _remark(event: StoredEvent) -> str:
    words = [event.tank, tr("Confidence {share}", share=f"{event.confidence:.0%}")]
    if not event.counts:
        words.append(tr("False, not counted: {litres} L", litres=f"{event.litres:,.1f}"))
    elif event.decision == CONFIRMED:
        words.append(tr("Confirmed"))
    elif event.provisional:
        words.append(tr("Provisional"))
    words += [tr("at least") if event.at_least else "", event.reason, event.note, event.driver]
    if event.lat is not None and event.lon is not None:
        words.append(f"{event.lat:.4f}, {event.lon:.4f}")
    return "; ".join(word for word in words if word)


def _shown(value: float | None, decimals: int) -> str:
    return NOTHING if value is None else f"{value:,.{decimals}f}"


def _rounded(value: float | None, decimals: int) -> float | int | None:
    return None if value is None else round(value, decimals) if decimals else round(value)
