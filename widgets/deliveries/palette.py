"""What the command palette finds among deliveries: batches by name, drivers by name with their batches and places."""

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
Found = tuple[list[tuple[str, str, str]], list[tuple[str, str]]]


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
    for driver_id, name in drivers:
        batches_of = partial(context.open_page, "deliveries", text=name)
        found.append(Command(name, batches_of, "truck", tr("Batches of this driver"), words=typed))
        on_map = partial(context.open_page, "map", driver=driver_id)
        found.append(Command(name, on_map, "map-pin", tr("Driver on the map"), words=typed))
    return found


def _find(connection: Connection, typed: str) -> Found:
    rows, _after = page_of_batches(connection, BatchFilter(words=tuple(typed.split())), limit=MOST)
    batches = [(row.id, row.name, " · ".join(filter(None, (stage_pill(row)[1], row.scheduled_on)))) for row in rows]
    driver = DriverRow
    named = of_integrations(driver, None), driver.name.icontains(typed, autoescape=True)
    query = select(driver.id, driver.name).where(*named).order_by(driver.name, driver.key).limit(MOST)
    return batches, [(row.id, row.name) for row in connection.execute(query)]
