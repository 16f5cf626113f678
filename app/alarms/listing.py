"""Alarms as their page, the status line and the command line show them. It loads nothing that a start must not load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from app.alarms.errors import AlarmError, NotFound
from app.alarms.words import FLOOD_MS, FRESH_MS, RANKS
from app.fleet.times import iso_ms
from app.store.tables import Alarm, AlarmRule, Device, Vehicle

STANDING, CLEARED, SHELVED, HISTORY = "standing", "cleared", "shelved", "history"
GROUPS = (STANDING, CLEARED, SHELVED, HISTORY)
HISTORY_ROWS = 2_000

ROW_COLUMNS = (
    "id",
    "group",
    "kind",
    "priority",
    "title",
    "detail",
    "advice",
    "vehicle",
    "raised_at",
    "last_at",
    "repeats",
    "cleared_at",
    "acknowledged_at",
    "acknowledged_by",
    "shelved_until",
    "shelved_reason",
    "assigned_to",
    "parent_id",
    "rule",
    "lat",
    "lon",
    "comments",
    "evidence",
)


@dataclass(frozen=True, slots=True)
class AlarmListing:
    """One alarm with the names that a person knows it by. ``evidence``: (name, value, unit), as in findings."""

    id: str
    alarm_key: str
    kind: str
    priority: str
    title: str
    detail: str
    advice: str
    vehicle_id: str | None
    vehicle: str | None
    device_key: int | None
    device: str | None
    integration_id: str | None
    fuel_event_id: str | None
    position_id: int | None
    event_id: int | None
    rule_id: str | None
    rule: str | None
    parent_id: str | None
    raised_at_ms: int
    last_at_ms: int
    repeats: int
    cleared_at_ms: int | None
    acknowledged_at_ms: int | None
    acknowledged_by: str
    shelved_until_ms: int | None
    shelved_reason: str
    assigned_to: str
    lat: float | None
    lon: float | None
    comments: Sequence[Mapping[str, Any]]
    evidence: Sequence[Sequence[Any]]

    @property
    def is_over(self) -> bool:
        return self.cleared_at_ms is not None and self.acknowledged_at_ms is not None

    def group(self, now_ms: int) -> str:
        """One of :data:`GROUPS`. Put off is put off, until its time, also where it has cleared meanwhile."""
        if self.is_over:
            return HISTORY
        if (self.shelved_until_ms or 0) > now_ms:
            return SHELVED
        return STANDING if self.cleared_at_ms is None else CLEARED

    def as_row(self, now_ms: int) -> dict[str, Any]:
        """The columns of the export and of the command line."""
        return {
            **{name: getattr(self, name) for name in ROW_COLUMNS if hasattr(self, name)},
            "group": self.group(now_ms),
            "raised_at": iso_ms(self.raised_at_ms),
            "last_at": iso_ms(self.last_at_ms),
            "cleared_at": iso_ms(self.cleared_at_ms),
            "acknowledged_at": iso_ms(self.acknowledged_at_ms),
            "shelved_until": iso_ms(self.shelved_until_ms),
            "comments": [dict(said) for said in self.comments],
            "evidence": [list(fact) for fact in self.evidence],
        }


def list_alarms(connection: Connection, *, history: int = HISTORY_ROWS) -> list[AlarmListing]:
    """All that are not over, and the newest ``history`` of those that are; newest first."""
    not_over = or_(Alarm.cleared_at_ms.is_(None), Alarm.acknowledged_at_ms.is_(None))
    open_ones = connection.execute(_alarms().where(not_over)).all()
    over = connection.execute(_alarms().where(~not_over).order_by(Alarm.raised_at_ms.desc()).limit(history)).all()
    listed = [_listing(row) for row in (*open_ones, *over)]
    return sorted(listed, key=lambda one: (one.raised_at_ms, one.id), reverse=True)


def page_of_alarms(
    connection: Connection, *, since_ms: int | None, until_ms: int | None, after: tuple[int, str] | None, limit: int
) -> list[AlarmListing]:
    """Alarms in the order of their beginnings, a page after ``after`` (raised_at_ms, id): what an export reads."""
    query = _alarms().order_by(Alarm.raised_at_ms, Alarm.id).limit(limit)
    if since_ms is not None:
        query = query.where(Alarm.raised_at_ms >= since_ms)
    if until_ms is not None:
        query = query.where(Alarm.raised_at_ms < until_ms)
    if after is not None:
        same = (Alarm.raised_at_ms == after[0]) & (Alarm.id > after[1])
        query = query.where((Alarm.raised_at_ms > after[0]) | same)
    return [_listing(row) for row in connection.execute(query)]


def find_alarm(connection: Connection, wanted: str) -> AlarmListing:
    """An alarm by id or by an end of it that no other has. Raises NotFound, AlarmError."""
    rows = connection.execute(_alarms().where(Alarm.id.endswith(wanted, autoescape=True)).limit(2)).all()
    if not rows or len(wanted) < 4:
        raise NotFound(f"There is no alarm {wanted}. See `alarms list` for those that there are.")
    if len(rows) > 1:
        raise AlarmError(f"Several alarms end in {wanted}. Give more of the id.")
    return _listing(rows[0])


@dataclass(frozen=True, slots=True)
class Summary:
    """The state of all alarms in a line: those that want somebody, by priority, and how many came just now.

    Folded ones are counted with their cause, shelved ones not at all. ``newest`` are those that stand and began just
    now, newest first, for the announcements: (id, priority, title, raised_at_ms).
    """

    low: int = 0
    medium: int = 0
    high: int = 0
    lately: int = 0
    newest: tuple[tuple[str, str, str, int], ...] = ()

    @property
    def count(self) -> int:
        return self.low + self.medium + self.high

    @property
    def worst(self) -> str:
        """The highest priority that wants somebody, "" where none does."""
        return next((name for name in sorted(RANKS, key=RANKS.__getitem__, reverse=True) if getattr(self, name)), "")


def summarise(connection: Connection, now_ms: int) -> Summary:
    """What wants somebody now: not seen to yet, not put off, not explained by another."""
    shown = (Alarm.parent_id.is_(None)) & or_(Alarm.shelved_until_ms.is_(None), Alarm.shelved_until_ms <= now_ms)
    wants = Alarm.acknowledged_at_ms.is_(None) & shown
    by_priority = select(Alarm.priority, func.count()).where(wants).group_by(Alarm.priority)
    counts = {row[0]: row[1] for row in connection.execute(by_priority)}
    recent = shown & (Alarm.raised_at_ms > now_ms - FLOOD_MS)
    lately = connection.execute(select(func.count()).select_from(Alarm.__table__).where(recent)).scalar_one()
    columns = (Alarm.id, Alarm.priority, Alarm.title, Alarm.raised_at_ms)
    fresh = wants & Alarm.cleared_at_ms.is_(None) & (Alarm.raised_at_ms >= now_ms - FRESH_MS)
    newest = connection.execute(select(*columns).where(fresh).order_by(Alarm.raised_at_ms.desc())).all()
    found = {name: int(counts.get(name, 0)) for name in RANKS}
    return Summary(**found, lately=lately, newest=tuple((row[0], row[1], row[2], row[3]) for row in newest))


def _alarms() -> Select[Any]:
    return (
        select(Alarm.__table__, Vehicle.plate, Device.unique_id, AlarmRule.name.label("rule"))
        .outerjoin(Vehicle, Vehicle.id == Alarm.vehicle_id)
        .outerjoin(Device, Device.key == Alarm.device_key)
        .outerjoin(AlarmRule, AlarmRule.id == Alarm.rule_id)
    )


_SAME = tuple(name for name in AlarmListing.__dataclass_fields__ if name not in {"vehicle", "device", "rule"})


def _listing(row: Any) -> AlarmListing:
    values = {name: getattr(row, name) for name in _SAME}
    return AlarmListing(**values, vehicle=row.plate, device=row.unique_id, rule=row.rule)
