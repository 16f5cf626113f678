"""The page Sync with a filled store behind it: changes in every state, conflicts, streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from PySide6.QtWidgets import QDialog
from sqlalchemy import insert, update

from app.catalogue import Catalogue
from app.clock import utc_now
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.changes import raise_topic
from app.store.tables import Cursor, OutboxItem, StreamState
from app.sync.conflicts import judge_download
from app.sync.listing import OutboxRow, outbox_row
from app.sync.outbox import queue_change
from dialogs.supply.change import change_record
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.supply_desk import supply_rows
from tests.helpers.supply_peer import peer_catalogue
from widgets.sync.page import SyncPage

D = TypeVar("D", bound=QDialog)
CATALOGUE = peer_catalogue()


@dataclass
class SyncDesk:
    console: Console
    page: SyncPage
    integration_id: str

    def write(self, job: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self.console.store.write(lambda connection: job(connection, *arguments, **named)).result(10)

    def change(self, record: str, record_id: str, *, who: str = "ada", **values: Any) -> str:
        return str(self.write(queue_change, CATALOGUE, record, record_id, values, now=utc_now(), who=who))

    def set_state(self, item_id: str, **values: Any) -> None:
        def job(connection: Any) -> None:
            version = raise_topic(connection, "outbox")
            statement = update(OutboxItem).where(OutboxItem.id == item_id)
            connection.execute(statement.values(**values, changed_version=version))

        self.write(job)

    def item(self, item_id: str) -> OutboxRow:
        with self.console.store.read() as connection:
            return outbox_row(connection, item_id)

    def download(self, kind: str, record_id: str, **changes: tuple[Any, Any]) -> list[str]:
        found: list[str] = self.write(judge_download, CATALOGUE, kind, record_id, changes, now=utc_now())
        return found

    async def dialog(self, kind: type[D]) -> D:
        await until(lambda: isinstance(open_dialog(), kind))
        found = open_dialog()
        assert isinstance(found, kind)
        return found


@asynccontextmanager
async def sync_desk(console: Console, *, papers: int = 3, catalogue: Catalogue = CATALOGUE) -> AsyncIterator[SyncDesk]:
    """The page, shown, on a store with supply records and an empty outbox."""
    services: Any = console.context.services
    services.__dict__["_catalogue"] = catalogue
    console.context.doors.dialogs = {"change_record": change_record}
    integration_id = await asyncio.to_thread(
        add, Desk(console.store, catalogue, MemoryVault()), "small_peer", "Zonal mSupply", {"url": "http://127.0.0.1:1"}
    )
    fill = partial(supply_rows, integration_id=integration_id, papers=papers)
    await asyncio.to_thread(lambda: console.store.write(fill).result())
    page = SyncPage(console.context)
    page.resize(1300, 800)
    page.show()
    await until(lambda: page.is_ready)
    yield SyncDesk(console, page, integration_id)
    page.close_page()
    page.hide()
    page.deleteLater()


def fill_everything(desk: SyncDesk) -> dict[str, str]:
    """A change in every state, two conflicts, and streams; ids of the items by state."""
    now = utc_now()
    made: dict[str, str] = {
        "waiting": desk.change("requisition_line", "line-0-0", supply_units=30),
        "doubtful": desk.change("requisition_line", "line-1-0", supply_units=45, comment="half now, half in January"),
        "refused": desk.change("shipment", "ship-0", stage="picked"),
        "set_aside": desk.change("shipment", "ship-1", transport_reference="ABC-123, trip 77", who="bola"),
        "paused": desk.change("requisition_line", "line-2-1", supply_units=12),
        "accepted": desk.change("requisition_line", "line-2-0", supply_units=18),
        "conflict": desk.change("shipment", "ship-2", comment="Two boxes, keep cold"),
        "conflict2": desk.change("requisition_line", "line-1-1", supply_units=60, approved_units=55, who="bola"),
    }

    def ago(minutes: float) -> datetime:
        return now - timedelta(minutes=minutes)

    desk.set_state(made["waiting"], created_at=ago(12))
    desk.set_state(
        made["doubtful"],
        state="doubtful",
        is_doubtful=True,
        tries=2,
        created_at=ago(190),
        last_try=ago(3),
        next_try=now + timedelta(minutes=4),
        last_answer="The line to Zonal mSupply broke after the change had been handed over. The next try asks first.",
    )
    desk.set_state(
        made["refused"],
        state="refused",
        tries=1,
        created_at=ago(75),
        last_try=ago(70),
        last_answer=(
            "Zonal mSupply refused: 2 lines of the shipment have no stock allocated to them. Allocate stock there, "
            "then send it again."
        ),
    )
    desk.set_state(made["set_aside"], state="set_aside", created_at=ago(2_900), ended_at=ago(60))
    desk.set_state(made["paused"], is_paused=True, created_at=ago(40))
    desk.set_state(
        made["accepted"],
        state="accepted",
        tries=1,
        created_at=ago(55),
        last_try=ago(54),
        ended_at=ago(54),
        last_answer="Saved.",
    )
    desk.download("shipment", "ship-2", comment=("", "Call the nurse first"))
    desk.download("requisition_line", "line-1-1", supply_units=(10.0, 48.0), approved_units=(None, 48.0))

    def streams(connection: Any) -> None:
        for stream, minutes, records, trouble in (
            ("items", 34, 2_413, ""),
            ("requisitions", 4, 812, ""),
            ("shipments", 4, 390, ""),
            ("stock_lines", 260, 9_120, "This account may not see stock: ask for the permission “query stock line”."),
        ):
            connection.execute(
                insert(Cursor).values(
                    integration_id=desk.integration_id,
                    stream=stream,
                    value="2026-11-25T07:00:00Z",
                    saved_at=ago(minutes),
                )
            )
            connection.execute(
                insert(StreamState).values(
                    integration_id=desk.integration_id,
                    stream=stream,
                    last_read=ago(minutes),
                    records=records,
                    changed=records // 40,
                    trouble=trouble,
                    trouble_since=ago(minutes) if trouble else None,
                    both="theirs" if stream == "shipments" else "",
                    changed_version=0,
                )
            )
        raise_topic(connection, "streams")

    desk.write(streams)
    return made
