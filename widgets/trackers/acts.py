"""What the operator does with trackers: asked about first where something is lost, done in the store, and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from app.errors import OperatorError
from app.fleet import devices
from app.fleet.listing import DeviceListing
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext

AT_ONCE = 100  # trackers per transaction: what arrives meanwhile must not wait for ten thousand acts
SILENT_MS = 24 * 3_600_000
_NAMED = 8

Job = Callable[[Connection], Any]


class TrackerActs(QObject):
    """``progress`` carries (done, all) of an act on many trackers; (0, 0) when it is over."""

    progress = Signal(int, int)

    def __init__(self, context: ConsoleContext, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._is_stopped = False

    async def adopt(self, row: DeviceListing) -> None:
        """Put a tracker on a vehicle, for the first time or another one."""
        plate = await self._context.doors.dialogs["adopt_tracker"](self._context, self._page, row)
        if plate is not None:
            self._context.notify("ok", tr("Tracker {device} is on {plate}.", device=row.unique_id, plate=plate))

    async def settings(self, row: DeviceListing) -> None:
        if await self._context.doors.dialogs["tracker_settings"](self._context, self._page, row):
            self._context.notify("ok", tr("The settings of tracker {device} are saved.", device=row.unique_id))

    async def release(self, row: DeviceListing) -> None:
        if await self._confirm(
            tr("Take the tracker off {plate}?", plate=row.vehicle),
            tr("What it sent so far stays with the vehicle. What it sends from now on belongs to no vehicle."),
            act=tr("Take off"),
        ):
            said = tr("Tracker {device} is off {plate}.", device=row.unique_id, plate=row.vehicle)
            await self._do(partial(devices.release, device=row.unique_id), said)

    async def block(self, rows: Sequence[DeviceListing]) -> None:
        count = len(rows)
        if await self._confirm(
            trn("Block {count} tracker?", "Block {count} trackers?", count),
            tr("What they send from now on is counted and not stored, and cannot be had later. What is stored stays."),
            act=trn("Block {count} tracker", "Block {count} trackers", count),
            detail="\n".join([*_plates(rows), _names(rows)]),
            destructive=True,
        ):
            said = trn("{count} tracker is blocked.", "{count} trackers are blocked.", count)
            await self._do_each(devices.block, rows, said)

    async def unblock(self, rows: Sequence[DeviceListing]) -> None:
        """Nothing is lost by it, so it is not asked about."""
        said = trn("{count} tracker is let in again.", "{count} trackers are let in again.", len(rows))
        await self._do_each(devices.unblock, rows, said)

    async def forget(self, rows: Sequence[DeviceListing]) -> None:
        count = len(rows)
        if await self._confirm(
            trn("Forget {count} waiting tracker?", "Forget {count} waiting trackers?", count),
            tr("They leave this list until they report again. What they sent stays stored as long as other positions."),
            act=trn("Forget {count} tracker", "Forget {count} trackers", count),
            detail=_names(rows),
            destructive=True,
        ):
            said = trn("{count} tracker is forgotten.", "{count} trackers are forgotten.", count)
            await self._do_each(devices.forget, rows, said)

    async def forget_silent(self, count: int, now_ms: int) -> None:
        """All that waited without a word for a day, as one act."""
        if await self._confirm(
            trn("Forget {count} silent tracker?", "Forget {count} silent trackers?", count),
            tr("These wait and were not heard for a day. They come back into the list when they report again."),
            act=trn("Forget {count} tracker", "Forget {count} trackers", count),
            destructive=True,
        ):
            said = tr("The silent trackers are forgotten.")
            await self._do(partial(devices.forget_silent, before_ms=now_ms - SILENT_MS), said)

    def stop(self) -> None:
        """End an act on many trackers after the part that is being written."""
        self._is_stopped = True

    async def _confirm(self, title: str, text: str, *, act: str, detail: str = "", destructive: bool = False) -> bool:
        theme = self._context.theme
        return await ask.confirm(self._page, theme, title, text, act=act, detail=detail, destructive=destructive)

    async def _do(self, job: Job, said: str) -> bool:
        """One transaction; a refusal is told as it stands."""
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self._context.notify("error", err.why)
            return False
        if said:
            self._context.notify("ok", said)
        return True

    async def _do_each(self, act: Callable[..., Any], rows: Sequence[DeviceListing], said: str) -> None:
        """The same act on each tracker, each recorded, in parts that are written whole or not at all."""
        names = list(dict.fromkeys(row.unique_id for row in rows))  # one thing, however many integrations name it
        self._is_stopped = False
        done = 0
        try:
            while done < len(names) and not self._is_stopped:
                part = names[done : done + AT_ONCE]
                if len(names) > AT_ONCE:
                    self.progress.emit(done, len(names))
                is_last = done + len(part) == len(names)
                if not await self._do(partial(_each, act=act, names=part), said if is_last else ""):
                    return
                done += len(part)
        finally:
            self.progress.emit(0, 0)
        if done < len(names):
            text = tr("Stopped: {done} of {all} trackers were changed.", done=f"{done:,}", all=f"{len(names):,}")
            self._context.notify("warn", text)


def _each(connection: Connection, act: Callable[..., Any], names: Sequence[str]) -> None:
    for name in names:
        act(connection, name)


def _names(rows: Sequence[DeviceListing]) -> str:
    shown = ", ".join(row.unique_id for row in rows[:_NAMED])
    return shown if len(rows) <= _NAMED else tr("{shown} and {n} more", shown=shown, n=f"{len(rows) - _NAMED:,}")


def _plates(rows: Sequence[DeviceListing]) -> list[str]:
    plates = sorted({row.vehicle for row in rows if row.vehicle})
    return [tr("Taken off their vehicles: {plates}.", plates=", ".join(plates[:_NAMED]))] if plates else []
