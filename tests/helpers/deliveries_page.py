"""The page of deliveries over a store with batches in every state: a dispatcher's morning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtWidgets import QDialog

from app.store.tables import DeliveryBatchRow
from dialogs.doors import dialogs
from tests.helpers.deliveries_depot import fill_depot
from tests.helpers.dispatch import Depot
from tests.helpers.qt import Console, open_dialog, until
from widgets.deliveries.page import DeliveriesPage

D = TypeVar("D", bound=QDialog)


@dataclass
class DeliveriesDesk:
    console: Console
    page: DeliveriesPage
    depot: Depot | None = None

    def shown(self) -> list[str]:
        return [row.batch.name for row in self.page.board.model.rows]

    async def choose(self, batch_id: str) -> None:
        """Click the batch and wait until its panel shows it."""
        await until(lambda: self.page.board.table.select_key(batch_id))
        await until(lambda: self.page.panel.desk is not None and self.page.panel.desk.batch.id == batch_id)

    async def dialog(self, kind: type[D]) -> D:
        await until(lambda: isinstance(open_dialog(), kind))
        found = open_dialog()
        assert isinstance(found, kind)
        return found

    def told(self, text: str) -> bool:
        return any(text in said for _level, said in self.console.notes)


@asynccontextmanager
async def deliveries_page(console: Console) -> AsyncIterator[DeliveriesPage]:
    """The page, shown, over whatever the console's store holds."""
    console.context.doors.dialogs = dialogs()
    page = DeliveriesPage(console.context)
    page.resize(1_360, 860)
    page.show()
    await until(lambda: page.is_ready or console.failures)
    assert console.failures == []
    yield page
    for _name, error in console.failures:
        raise error
    page.hide()
    page.close_page()
    page.deleteLater()


@asynccontextmanager
async def deliveries_desk(console: Console) -> AsyncIterator[DeliveriesDesk]:
    """The page over a filled depot, with the catalogue of the real adapters."""
    depot = await asyncio.to_thread(Depot, console.store)
    services: Any = console.context.services
    services.__dict__["_catalogue"] = depot.catalogue
    await asyncio.to_thread(fill_depot, depot, services.clock.now_ms())
    async with deliveries_page(console) as page:
        yield DeliveriesDesk(console, page, depot)


def row_id(depot: Depot, peer_id: str) -> str:
    return depot.id_of(DeliveryBatchRow, peer_id)
