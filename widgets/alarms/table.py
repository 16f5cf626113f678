"""The table of alarms: one group at a time, filtered by kind, priority and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.alarms.listing import CLEARED, STANDING, AlarmListing
from app.alarms.words import RANKS
from resources.i18n import tr
from widgets.alarms import words
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.rows_model import Column, RowsModel


@dataclass
class Reader:
    """What columns read with; ``folded`` says how many stand under each alarm."""

    context: ConsoleContext
    now_ms: Callable[[], int]
    folded: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Filter:
    """What is shown. An alarm that is folded is shown with its cause, or where it is sought."""

    group: str = STANDING
    kind: str = ""
    priority: str = ""
    text: str = ""
    with_folded: bool = False

    def is_here(self, row: AlarmListing, now_ms: int) -> bool:
        """Whether an alarm belongs to the group that is shown; what is put off or over is never hidden."""
        if row.group(now_ms) != self.group:
            return False
        is_hidden = row.parent_id is not None and self.group in {STANDING, CLEARED}
        return not is_hidden or self.with_folded or bool(self.text)

    def takes(self, row: AlarmListing) -> bool:
        """Whether it is one of those that are sought."""
        if self.kind and row.kind != self.kind:
            return False
        if self.priority and row.priority != self.priority:
            return False
        if self.text:
            said = (row.title, row.detail, row.vehicle or "", row.device or "", words.kind(row), row.rule or "")
            more = (row.assigned_to, row.shelved_reason, row.acknowledged_by, *(one["text"] for one in row.comments))
            haystack = "\n".join([*said, *map(str, more)]).casefold()
            return all(word in haystack for word in self.text.casefold().split())
        return True


class AlarmTable(DataTable[AlarmListing]):
    """``filter`` is what is shown of ``rows``; call :meth:`show_filtered` after changing either."""

    def __init__(self, context: ConsoleContext, reader: Reader) -> None:
        model = RowsModel[AlarmListing](_columns(reader), key=lambda row: row.id)
        super().__init__(context.theme, model, tr("Alarms"), multiple=True)
        model.setParent(self)
        self.filter = Filter()
        self.rows: Sequence[AlarmListing] = ()
        self._reader = reader
        self.remember_in(context.ui_state, "alarms.table")

    def show_filtered(self) -> None:
        now_ms = self._reader.now_ms()
        chosen = self.filter
        is_filtered = bool(chosen.kind or chosen.priority or chosen.text)
        self.model.set_predicate(chosen.takes if is_filtered else None)
        self.model.apply([row for row in self.rows if chosen.is_here(row, now_ms)])


def by_urgency(row: AlarmListing) -> tuple[bool, int, int]:
    """The order in which they want somebody: not seen to first, then by priority, then the newest."""
    return (row.acknowledged_at_ms is not None, -RANKS.get(row.priority, 0), -row.raised_at_ms)


def _columns(reader: Reader) -> list[Column[AlarmListing]]:
    formats, now_ms = reader.context.formats, reader.now_ms
    return [
        Column(
            "priority",
            tr("Priority"),
            words.priority,
            lambda row: -RANKS.get(row.priority, 0),
            badge=words.priority_badge,
            width=98,
        ),
        Column("title", tr("Alarm"), lambda row: row.title, tooltip=lambda row: row.detail, width=292),
        Column(
            "state",
            tr("State"),
            lambda row: words.state(row, now_ms(), formats),
            badge=lambda row: words.state_badge(row, now_ms(), formats),
            width=116,
        ),
        Column(
            "age",
            tr("Age"),
            lambda row: words.age(row, now_ms(), formats),
            lambda row: -row.raised_at_ms,
            tooltip=lambda row: formats.time(row.raised_at_ms),
            align="right",
            width=72,
        ),
        Column(
            "repeats",
            tr("Repeats"),
            words.repeats,
            lambda row: row.repeats,
            align="right",
            width=78,
            help=tr("How often it came back while it stood."),
            export=lambda row: row.repeats,
        ),
        Column(
            "folded",
            tr("Explains"),
            lambda row: f"{reader.folded[row.id]:,}" if row.id in reader.folded else "",
            lambda row: reader.folded.get(row.id, 0),
            align="right",
            width=80,
            help=tr("How many alarms are folded under it, because it is their cause."),
            export=lambda row: reader.folded.get(row.id, 0),
        ),
        Column("advice", tr("Next step"), lambda row: row.advice, tooltip=lambda row: row.advice, width=240),
        Column("vehicle", tr("Vehicle"), lambda row: row.vehicle or "", width=110, is_shown=False),
        Column("kind", tr("Kind"), words.kind, width=150, is_shown=False),
        Column(
            "raised",
            tr("Began"),
            lambda row: formats.clock(row.raised_at_ms),
            lambda row: row.raised_at_ms,
            width=130,
            is_shown=False,
            note=formats.zone_name,
            export=lambda row: formats.time(row.raised_at_ms),
        ),
        Column(
            "cleared",
            tr("Ended"),
            lambda row: formats.clock(row.cleared_at_ms) if row.cleared_at_ms else "",
            lambda row: row.cleared_at_ms,
            width=130,
            is_shown=False,
            note=formats.zone_name,
            export=lambda row: formats.time(row.cleared_at_ms) if row.cleared_at_ms else "",
        ),
        Column("acknowledged", tr("Seen to by"), lambda row: row.acknowledged_by, width=120, is_shown=False),
        Column("assigned", tr("Assigned to"), lambda row: row.assigned_to, width=120, is_shown=False),
        Column("rule", tr("Rule"), lambda row: row.rule or "", width=170, is_shown=False),
        Column(
            "comments",
            tr("Comments"),
            lambda row: f"{len(row.comments):,}" if row.comments else "",
            lambda row: len(row.comments),
            align="right",
            width=90,
            is_shown=False,
        ),
    ]
