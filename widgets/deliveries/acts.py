"""What the operator does on the page of deliveries: the questions around the acts of ``app.deliveries``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtWidgets import QWidget

from app.catalogue import Catalogue
from app.deliveries import acts
from app.deliveries.acts import Saved
from app.deliveries.batch import RunListing
from app.deliveries.batch_desk import BatchDesk
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext

RUN_STAGES = {
    "dispatch_run": "dispatched",
    "depart_run": "in_transit",
    "complete_run": "completed",
    "cancel_run": "cancelled",
}


class DeliveryActs:
    """Every act is saved here and waits in the outbox; nothing is said to be done before the platform accepted it."""

    def __init__(self, context: ConsoleContext, page: QWidget) -> None:
        self._context = context
        self._page = page

    async def assign_batch(self, desk: BatchDesk) -> None:
        await self._ask("assign_batch", desk.batch.id)

    async def start_batch(self, desk: BatchDesk) -> None:
        """The departure check stands before it: what is not in order is overridden with a reason, or it stays."""
        await self._ask("check_departure", desk.batch.id, then_start=True)

    async def check(self, desk: BatchDesk) -> None:
        await self._ask("check_departure", desk.batch.id)

    async def complete_batch(self, desk: BatchDesk) -> None:
        offer = desk.offers.find("complete_batch")
        batch = desk.batch
        open_stops = batch.stops - batch.stops_done
        detail = "" if not open_stops else tr("Stops that nobody has told of: {n}", n=open_stops)
        if await ask.confirm(
            self._page,
            self._context.theme,
            tr("Complete batch {name}?", name=batch.name),
            "" if offer is None else offer.effect,
            act=tr("Complete"),
            detail=detail,
        ):
            await self._save(acts.complete_batch, batch_id=batch.id)

    async def cancel_batch(self, desk: BatchDesk) -> None:
        offer = desk.offers.find("cancel_batch")
        reason = await self._ask(
            "ask_reason",
            tr("Cancel batch {name}?", name=desk.batch.name),
            "" if offer is None else offer.effect,
            label=tr("Why (kept with the recorded acts)"),
            act=tr("Cancel the batch"),
        )
        if reason is not None:
            await self._save(acts.cancel_batch, batch_id=desk.batch.id, reason=reason)

    async def new_run(self, desk: BatchDesk) -> None:
        batch = desk.batch
        who = " · ".join(part for part in (batch.plate, batch.driver_name) if part)
        notes = await self._ask(
            "ask_reason",
            tr("New dispatch run of batch {name}", name=batch.name),
            tr("It is made for {who}.", who=who) if who else "",
            label=tr("Notes"),
            act=tr("Save here"),
            needed=False,
            destructive=False,
        )
        if notes is not None:
            await self._save(acts.new_run, batch_id=batch.id, notes=notes)

    async def move_run(self, run: RunListing, name: str) -> None:
        reason: str | None = ""
        if name == "cancel_run":
            reason = await self._ask(
                "ask_reason",
                tr("Cancel this dispatch run?"),
                "",
                label=tr("Why (sent with it)"),
                act=tr("Cancel the run"),
            )
        if reason is not None:
            await self._save(acts.move_run, run_id=run.id, stage=RUN_STAGES[name], reason=reason)

    async def _ask(self, dialog: str, *arguments: Any, **named: Any) -> Any:
        return await self._context.doors.dialogs[dialog](self._context, self._page, *arguments, **named)

    async def _save(self, act: Callable[..., Saved], **named: Any) -> None:
        catalogue: Catalogue = await asyncio.to_thread(lambda: self._context.services.catalogue)
        job = partial(act, catalogue=catalogue, now=self._context.now(), **named)
        saved = await self._context.write(job)
        if saved is not None:
            told = tr("{subject} is saved here and waits to be sent.", subject=saved.subject)
            self._context.notify("ok", f"{told} {saved.hint}".strip())
