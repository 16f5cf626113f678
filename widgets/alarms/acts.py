"""What the operator does with alarms: asked where it must be, written, and told once it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from app.alarms import acts
from app.alarms.listing import AlarmListing
from app.errors import OperatorError
from resources.i18n import tr, trn
from widgets import ask
from widgets.alarms import words
from widgets.context import ConsoleContext

Job = Callable[[Connection], int]


class AlarmActs(QObject):
    """One object of the page; every act takes the chosen alarms, one or many."""

    def __init__(self, context: ConsoleContext, page: QWidget, now_ms: Callable[[], int]) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self._now_ms = now_ms

    async def acknowledge(self, rows: Sequence[AlarmListing]) -> None:
        """One at once; many only after their number was seen."""
        count = len(rows)
        if count > 1 and not await ask.confirm(
            self._page,
            self._context.theme,
            trn("Acknowledge {count} alarm?", "Acknowledge {count} alarms?", count),
            tr("You say that somebody has seen to each of them, and to what is folded under them."),
            act=trn("Acknowledge {count} alarm", "Acknowledge {count} alarms", count),
            detail=words.names(rows),
        ):
            return
        job = partial(acts.acknowledge, alarm_ids=_ids(rows), now_ms=self._now_ms())
        done = await self._do(job)
        if done is not None:
            self._context.notify("ok", trn("{count} alarm is seen to.", "{count} alarms are seen to.", done))

    async def end(self, rows: Sequence[AlarmListing]) -> None:
        """Power cuts whose trackers do not tell that power is back."""
        done = await self._do(partial(acts.end, alarm_ids=_ids(rows), now_ms=self._now_ms()))
        if done is not None:
            self._context.notify("ok", trn("{count} power cut is over.", "{count} power cuts are over.", done))

    async def shelve(self, rows: Sequence[AlarmListing]) -> None:
        """The dialog asks for time and reason and writes; it stays open with the words of a refusal."""
        until_ms = await self._context.doors.dialogs["shelve_alarms"](self._context, self._page, rows)
        if until_ms is not None:
            until = self._context.formats.time(until_ms)
            said = trn(
                "{count} alarm is shelved until {until}.",
                "{count} alarms are shelved until {until}.",
                len(rows),
                until=until,
            )
            self._context.notify("ok", said)

    async def unshelve(self, rows: Sequence[AlarmListing]) -> None:
        done = await self._do(partial(acts.unshelve, alarm_ids=_ids(rows)))
        if done is not None:
            self._context.notify("ok", trn("{count} alarm is back.", "{count} alarms are back.", done))

    async def assign(self, rows: Sequence[AlarmListing]) -> None:
        count = len(rows)
        to = await ask.text(
            self._page,
            self._context.theme,
            trn("Assign {count} alarm", "Assign {count} alarms", count),
            tr("Who takes care? Leave it empty for nobody."),
            value=rows[0].assigned_to,
            act=tr("Assign"),
        )
        if to is None:
            return
        done = await self._do(partial(acts.assign, alarm_ids=_ids(rows), to=to))
        if done:
            said = tr("Assigned to {name}.", name=to.strip()) if to.strip() else tr("Assigned to nobody.")
            self._context.notify("ok", said)

    async def comment(self, rows: Sequence[AlarmListing]) -> None:
        text = await ask.text(
            self._page,
            self._context.theme,
            trn("Comment on {count} alarm", "Comment on {count} alarms", len(rows)),
            tr("What should whoever comes next know?"),
            act=tr("Add the comment"),
        )
        if text is not None:
            await self.say(rows, text)

    async def say(self, rows: Sequence[AlarmListing], text: str) -> bool:
        """Write a comment that was typed already; whether it is written."""
        job = partial(acts.comment, alarm_ids=_ids(rows), text=text, now_ms=self._now_ms())
        return await self._do(job) is not None

    async def _do(self, job: Job) -> Any:
        """One transaction for all of them; a refusal is told as it stands and gives None."""
        try:
            return await self._context.bridge.write(job)
        except OperatorError as err:
            self._context.notify("error", err.why)
            return None


def _ids(rows: Sequence[AlarmListing]) -> list[str]:
    return [row.id for row in rows]
