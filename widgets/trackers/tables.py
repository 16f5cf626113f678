"""The three tables of the trackers page: known, waiting, blocked; each with its own columns, remembered apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.fleet.listing import DeviceListing
from app.fleet.registry import BLOCKED, KNOWN, WAITING
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.formats import NOTHING
from widgets.map.words import POWER_WORDS, mark_sentences
from widgets.rows_model import Column, RowsModel
from widgets.trackers import words

TABS = (KNOWN, WAITING, BLOCKED)
_KNOWN = ("vehicle", "device", "state", "frame", "fix", "speed", "signal", "battery", "clock", "marks", "source")
_WAITING = ("device", "state", "frame", "fix", "speed", "battery", "first_seen", "frames", "source", "clock")
_BLOCKED = ("device", "state", "frame", "blocked_frames", "frames", "first_seen", "source", "name")
SHOWN: Mapping[str, Sequence[str]] = {KNOWN: _KNOWN, WAITING: _WAITING, BLOCKED: _BLOCKED}


@dataclass(frozen=True)
class Reader:
    """What columns read with: the clock, the formats and the names of integrations."""

    context: ConsoleContext
    now_ms: Callable[[], int]
    names: Mapping[str, str]

    def source(self, row: DeviceListing) -> str:
        return self.names.get(row.integration_id) or row.source or NOTHING


class TrackerTable(DataTable[DeviceListing]):
    """One state's trackers; ``reader.names`` may be filled later."""

    def __init__(self, context: ConsoleContext, state: str, reader: Reader) -> None:
        model = RowsModel[DeviceListing](columns_of(state, reader), key=lambda row: row.id)
        names = {KNOWN: tr("Known trackers"), WAITING: tr("Waiting trackers"), BLOCKED: tr("Blocked trackers")}
        super().__init__(context.theme, model, names[state], multiple=True)
        model.setParent(self)
        self.state_shown = state
        self._reader = reader
        self._words: list[str] = []
        if state == KNOWN:
            self.sort_by("vehicle")
        else:
            self.sort_by("frame", descending=True)
        self.remember_in(context.ui_state, f"trackers.{state}")

    def search(self, text: str) -> None:
        """Show those whose names and numbers hold every word. Ages and levels are not searched: they change."""
        words = text.casefold().split()
        if words != self._words:
            self._words = words
            self.model.set_predicate(self._is_found if words else None)

    def _is_found(self, row: DeviceListing) -> bool:
        names = (row.vehicle or "", row.name, row.unique_id, row.model, row.phone, row.group, self._reader.source(row))
        text = "\n".join(names).casefold()
        return all(word in text for word in self._words)


def columns_of(state: str, reader: Reader) -> list[Column[DeviceListing]]:
    """All columns in the order of this state's, those that are not shown at first behind them."""
    known = {column.key: column for part in _PARTS for column in part(reader)}
    shown = SHOWN[state]
    rest = [key for key in known if key not in shown]
    return [known[key] for key in shown] + [replace(known[key], is_shown=False) for key in rest]


def _identity(reader: Reader) -> list[Column[DeviceListing]]:
    formats, now_ms = reader.context.formats, reader.now_ms
    return [
        Column("vehicle", tr("Vehicle or name"), _called, _called_order, width=122),
        Column("device", tr("IMEI or id"), lambda row: row.unique_id, is_mono=True, width=138),
        Column(
            "state",
            tr("State"),
            lambda row: words.state_pill(row, now_ms(), formats)[1],
            lambda row: row.last_seen_ms,
            tooltip=lambda row: words.state_tip(row, now_ms(), formats),
            badge=lambda row: words.state_pill(row, now_ms(), formats),
            width=126,
            help=tr("From the age of what was received, never from an open connection."),
        ),
        Column("source", tr("Source"), reader.source, width=120),
    ]


def _heard(reader: Reader) -> list[Column[DeviceListing]]:
    formats, now_ms = reader.context.formats, reader.now_ms
    return [
        Column(
            "frame",
            tr("Last frame"),
            lambda row: words.last_frame(row, now_ms(), formats),
            lambda row: row.last_seen_ms,
            tooltip=lambda row: formats.time(row.last_seen_ms),
            width=158,
        ),
        Column(
            "fix",
            tr("Last fix"),
            lambda row: words.age(row.fixed_at_ms, now_ms(), formats),
            lambda row: row.fixed_at_ms,
            tooltip=lambda row: formats.time(row.fixed_at_ms),
            width=96,
        ),
        Column(
            "clock",
            tr("Clock"),
            words.clock,
            lambda row: words.clock(row) or None,
            tooltip=words.clock_tip,
            badge=words.clock_badge,
            width=120,
            help=tr("Warns when a tracker's times and their arrival differ by whole quarters of an hour."),
        ),
        Column(
            "first_seen",
            tr("First seen"),
            lambda row: formats.clock(row.first_seen_ms),
            lambda row: row.first_seen_ms,
            tooltip=lambda row: formats.time(row.first_seen_ms),
            export=lambda row: formats.time(row.first_seen_ms),
            width=128,
        ),
        Column(
            "frames",
            tr("Frames"),
            lambda row: formats.number(row.frames),
            lambda row: row.frames,
            align="right",
            export=lambda row: row.frames,
            width=84,
        ),
        Column(
            "blocked_frames",
            tr("Refused"),
            lambda row: formats.number(row.blocked_frames),
            lambda row: row.blocked_frames,
            align="right",
            export=lambda row: row.blocked_frames,
            width=88,
            help=tr("Frames that came while it was blocked: counted, not stored."),
        ),
    ]


def _measured(reader: Reader) -> list[Column[DeviceListing]]:
    formats = reader.context.formats
    return [
        Column(
            "speed",
            tr("Speed"),
            lambda row: formats.speed(row.speed_km_h),
            lambda row: row.speed_km_h,
            align="right",
            width=84,
        ),
        Column(
            "signal",
            tr("Signal"),
            words.signal,
            lambda row: row.gsm_level,
            tooltip=words.signal_tip,
            width=104,
        ),
        Column(
            "battery",
            tr("Battery"),
            words.battery,
            _power,
            tooltip=words.battery_tip,
            width=152,
        ),
        Column(
            "satellites",
            tr("Satellites"),
            lambda row: formats.number(row.satellites),
            lambda row: row.satellites,
            align="right",
            width=88,
        ),
        Column("ignition", tr("Ignition"), _ignition, width=84),
        Column(
            "marks",
            tr("Marks"),
            words.marks,
            lambda row: words.marks(row) or None,
            tooltip=lambda row: " ".join(mark_sentences(row.marks)),
            width=100,
            help=tr("What can be said against the newest fix."),
        ),
    ]


def _served(_reader: Reader) -> list[Column[DeviceListing]]:
    return [
        Column("name", tr("Name"), lambda row: row.name, width=140),
        Column("model", tr("Model"), lambda row: row.model, width=110),
        Column("phone", tr("Phone"), lambda row: row.phone, width=130),
        Column("group", tr("Group"), lambda row: row.group, width=120),
        Column("protocol", tr("Protocol"), lambda row: row.source, width=90),
    ]


def _called(row: DeviceListing) -> str:
    return row.vehicle or row.name or NOTHING


def _called_order(row: DeviceListing) -> tuple[bool, str] | None:
    """Those on vehicles first, by plate; then by name."""
    name = row.vehicle or row.name
    return (row.vehicle is None, name.casefold()) if name else None


def _power(row: DeviceListing) -> float | None:
    """By how full it is, in steps of the level's scale; volts where nothing else is known."""
    if row.power_level is not None:
        return float(row.power_level)
    if row.battery_percent is not None:
        return row.battery_percent * (len(POWER_WORDS) - 1) / 100
    return row.battery_v


def _ignition(row: DeviceListing) -> str:
    return NOTHING if row.ignition is None else tr("on") if row.ignition else tr("off")


_PARTS = (_identity, _heard, _measured, _served)
