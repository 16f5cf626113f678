"""What the command palette finds among deliveries: batches by name, drivers by name with their batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, select

from app.deliveries.batches import BatchFilter, page_of_batches
from app.deliveries.rows import of_integrations
from app.store.tables import DriverRow
from resources.i18n import tr
from widgets.command_palette import Command
from widgets.context import ConsoleContext
from widgets.deliveries.words import stage_pill

MOST = 5
"""Of each kind."""
Found = tuple[list[tuple[str, str, str]], list[str]]


async def delivery_entries(context: ConsoleContext, typed: str) -> Sequence[Command]:
    """Batches whose name holds what was typed, or whose driver or plate does; none for less than two characters."""
    typed = typed.strip()
    if len(typed) < 2:
        return []
    batches, drivers = await context.bridge.read(partial(_find, typed=typed))
    found = [
        Command(name, partial(context.open_page, "deliveries", batch_id=batch_id), "truck", detail, words=typed)
        for batch_id, name, detail in batches
    ]
    found += [
        Command(name, partial(context.open_page, "deliveries", text=name), "truck", tr("Batches of this driver"),
                words=typed)
        for name in drivers
    ]  # fmt: skip
    return found


def _find(connection: Connection, typed: str) -> Found:
    rows, _after = page_of_batches(connection, BatchFilter(words=tuple(typed.split())), limit=MOST)
    batches = [(row.id, row.name, " · ".join(filter(None, (stage_pill(row)[1], row.scheduled_on)))) for row in rows]
    driver = DriverRow
    query = select(driver.name).where(of_integrations(driver, None), driver.name.icontains(typed, autoescape=True))
    return batches, list(connection.execute(query.order_by(driver.name, driver.key).limit(MOST)).scalars())
