"""What the operator does with what waits: asked where it must be, written, and told once it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.errors import OperatorError
from app.sync import acts, conflicts, inbox
from app.sync.conflict_list import ConflictListing
from app.sync.listing import OutboxRow, Wanted
from app.sync.rules import choose_rule
from app.sync.seal import confirm_store
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.sync.words import KEPT_WORDS


class SyncActs(QObject):
    """One object of the page."""

    def __init__(self, context: ConsoleContext, page: QWidget) -> None:
        super().__init__(page)
        self._context = context
        self._page = page

    async def retry(self, rows: Sequence[OutboxRow]) -> None:
        await self._do(
            acts.retry,
            rows,
            "{count} change is sent as soon as possible.",
            "{count} changes are sent as soon as possible.",
        )

    async def set_aside(self, rows: Sequence[OutboxRow]) -> None:
        await self._do(
            acts.set_aside,
            rows,
            "{count} change is set aside; it can be restored.",
            "{count} changes are set aside; they can be restored.",
        )

    async def restore(self, rows: Sequence[OutboxRow]) -> None:
        await self._do(acts.restore, rows, "{count} change waits again.", "{count} changes wait again.")

    async def pause(self, rows: Sequence[OutboxRow]) -> None:
        await self._do(acts.pause, rows, "{count} change is paused.", "{count} changes are paused.")

    async def resume(self, rows: Sequence[OutboxRow]) -> None:
        await self._do(acts.resume, rows, "{count} change goes on.", "{count} changes go on.")

    async def cancel(self, rows: Sequence[OutboxRow]) -> None:
        """Gives work up, so it names what is lost first."""
        if await ask.confirm(
            self._page,
            self._context.theme,
            trn("Cancel {count} change?", "Cancel {count} changes?", len(rows)),
            tr(
                "What was entered here is given up, and the values of the other side stand again. To keep it for "
                "later, set it aside instead."
            ),
            act=trn("Cancel {count} change", "Cancel {count} changes", len(rows)),
            detail=ask.some_of([f"{row.subject}: {row.what}" for row in rows]),
            destructive=True,
        ):
            await self._do(acts.cancel, rows, "{count} change is cancelled.", "{count} changes are cancelled.")

    async def replay(self, wanted: Wanted) -> None:
        """Everything that the filter shows and that can be tried: the number comes first."""
        count = await self._context.bridge.read(partial(acts.count_replay, wanted=wanted))
        if not count:
            self._context.notify("info", tr("Nothing of what is shown waits for a time, is paused, or was refused."))
            return
        if not await ask.confirm(
            self._page,
            self._context.theme,
            trn("Send {count} change again?", "Send {count} changes again?", count),
            tr(
                "Those that wait for their time go at once, paused ones are resumed, refused ones are tried once "
                "more. Conflicts and what is set aside stay as they are."
            ),
            act=trn("Send {count} change", "Send {count} changes", count),
        ):
            return
        done = await self._context.write(partial(acts.replay, wanted=wanted, now=self._context.now()))
        if done is not None:
            self._context.notify("ok", trn("{count} change is sent again.", "{count} changes are sent again.", done))

    async def confirm_store(self, why: str) -> None:
        """The most far-reaching word of the page: what follows from it is said before."""
        if await ask.confirm(
            self._page,
            self._context.theme,
            tr("Is this the store that works?"),
            tr(
                "Say so only if no other copy of it sends any more: two that send would work against each other. "
                "What waits here may have been sent before, so each change asks the other side first."
            ),
            act=tr("This store is the one"),
            detail=why,
        ):
            done = await self._context.write(partial(confirm_store, now=self._context.now()))
            if done is not None:
                said = trn("{count} change asks first, then goes.", "{count} changes ask first, then go.", done)
                self._context.notify("ok", tr("This store sends again. {said}", said=said))

    async def resolve(self, row: ConflictListing, keep: conflicts.Keep, chosen: Mapping[str, str] | None = None) -> str:
        """Decide; returns why that was refused, "" where it is done."""
        catalogue = await asyncio.to_thread(lambda: self._context.services.catalogue)
        job = partial(
            conflicts.resolve,
            catalogue=catalogue,
            conflict_id=row.id,
            keep=keep,
            chosen=chosen,
            now=self._context.now(),
        )
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self._context.notify("error", err.why)
            return err.why
        self._context.notify("ok", tr("{subject}: {kept}.", subject=row.subject, kept=KEPT_WORDS[keep].lower()))
        return ""

    async def undo(self, row: ConflictListing) -> None:
        catalogue = await asyncio.to_thread(lambda: self._context.services.catalogue)
        job = partial(conflicts.undo, catalogue=catalogue, conflict_id=row.id, now=self._context.now())
        outcome = await self._context.write(job)
        if outcome == "reopened":
            self._context.notify("ok", tr("{subject} is to be decided again.", subject=row.subject))
        elif outcome == "sent_back":
            said = tr("{subject}: the other value is saved here and will be sent.", subject=row.subject)
            self._context.notify("ok", said)

    async def choose_rule(self, integration_id: str, stream: str, both: str) -> None:
        await self._context.write(partial(choose_rule, integration_id=integration_id, stream=stream, both=both))

    async def process_again(self, keys: Sequence[int]) -> None:
        done = await self._context.write(partial(inbox.process_again, keys=keys))
        if done is not None:
            self._context.notify("ok", trn("{count} message waits again.", "{count} messages wait again.", done))

    async def process_all_again(self, wanted: inbox.WantedMessages) -> None:
        """The number comes first."""
        counts = await self._context.bridge.read(partial(inbox.count_inbox, wanted=wanted))
        count = sum(number for state, number in counts.items() if state != inbox.InboxState.WAITING)
        if count and await ask.confirm(
            self._page,
            self._context.theme,
            trn("Process {count} message again?", "Process {count} messages again?", count),
            tr("What they brought is merged once more: where it was merged before, nothing changes."),
            act=trn("Process {count} message", "Process {count} messages", count),
        ):
            done = await self._context.write(partial(inbox.process_again_where, wanted=wanted))
            if done is not None:
                self._context.notify("ok", trn("{count} message waits again.", "{count} messages wait again.", done))

    async def _do(self, act: Callable[..., int], rows: Sequence[OutboxRow], one: str, many: str) -> None:
        done = await self._context.write(partial(act, item_ids=[row.id for row in rows], now=self._context.now()))
        if done is not None:
            self._context.notify("ok", trn(one, many, done))
