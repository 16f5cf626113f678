"""Lists over a million stock lines and a million items: a page, a page far in, a search, filters. Target ≤ 300 ms each.

The baseline is the same number of rows of the same table read by its key, with nothing joined and nothing asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from adapters.records import Record
from adapters.supply import Facility, Item, StockLine, StreamRead
from app.store.store import Store
from app.store.tables import StockLineRow
from app.supply.filters import Horizon, Levels, Place, SupplyFilter
from app.supply.merge import SupplyMerge
from app.supply.queries_items import count_items, page_of_items
from app.supply.queries_stock import count_stock, page_of_stock
from tests.bench.common import built_store, report, timed_ms
from tests.helpers.fleet import T0_MS, add_integration
from tests.helpers.stores import make_store

ROWS = 1_000_000
FACILITIES = 200
PER_COMMIT = 5_000
PAGE = 300
RUNS = 5
HORIZON, LEVELS = Horizon(date(2026, 11, 25)), Levels()
TARGET = "≤ 300"


def run() -> None:
    store = Store.open(built_store("supply", build))
    try:
        with store.read() as connection:
            measure(connection)
    finally:
        store.close()


def measure(connection: Connection) -> None:
    bare = select(StockLineRow.__table__).order_by(StockLineRow.key).limit(PAGE)
    _report("bare: 300 stock lines by key", lambda: connection.execute(bare).all(), target="")
    stock = partial(page_of_stock, connection, horizon=HORIZON, limit=PAGE)
    items = partial(page_of_items, connection, horizon=HORIZON, levels=LEVELS, limit=PAGE)
    everything = SupplyFilter()
    middle = _middle(connection)
    _report("stock by expiry: first page", lambda: stock(everything))
    _report("stock by expiry: a page in the middle", lambda: stock(everything, after=middle))
    _report("stock of one facility", lambda: stock(SupplyFilter(facility=Place("msupply-1", "st-7"))))
    _report("stock that expires soon", lambda: stock(SupplyFilter(expiry="soon")))
    _report("stock, a word that many hold", lambda: stock(SupplyFilter(words=("amoxicillin",))))
    _report("items by name: first page with sums", lambda: items(everything))
    _, after = items(everything)
    _report("items by name: the next page", lambda: items(everything, after=after))
    _report("items, a word that many hold", lambda: items(SupplyFilter(words=("amoxicillin",))))
    _report("items of one facility", lambda: items(SupplyFilter(facility=Place("msupply-1", "st-7"))))
    _report("counting stock lines", lambda: count_stock(connection, everything, HORIZON))
    _report("counting items", lambda: count_items(connection, everything, HORIZON, LEVELS))
    _report("items, a word that none holds", lambda: items(SupplyFilter(words=("xyzzy",))))
    _report("items by months of stock, all summed up", lambda: items(everything, sort="months"), target="")


def _middle(connection: Connection) -> Any:
    """Where a page about half a million rows in would begin."""
    found, after = page_of_stock(connection, SupplyFilter(), HORIZON, limit=1)
    if not found or after is None:
        raise AssertionError("the store is empty")
    day = (HORIZON.today + timedelta(days=600)).isoformat()
    return type(after)(day, 0)


def _report(what: str, call: Callable[[], object], *, target: str = TARGET) -> None:
    call()
    report(what, [timed_ms(call) for _ in range(RUNS)], "ms", target=target)


def build(folder: Path) -> None:
    store = make_store(folder)
    add_integration(store, "msupply-1", "msupply")
    merge = SupplyMerge(store.engine.dialect)
    batch: list[Record] = []
    for record in _records():
        batch.append(record)
        if len(batch) == PER_COMMIT:
            store.write(partial(_merge, merge, batch), rows=PER_COMMIT).result()
            batch = []
    store.write(partial(_merge, merge, batch)).result()
    store.close()


def _merge(merge: SupplyMerge, batch: list[Record], connection: Connection) -> object:
    return merge.merge(connection, "msupply-1", batch, T0_MS)


def _records() -> Iterator[Record]:
    chance = random.Random(7)
    names = ("Amoxicillin", "Artemether", "Zinc sulphate", "Oxytocin", "Dolutegravir", "Gloves", "Quinine", "ORS")
    for n in range(FACILITIES):
        yield Facility(f"st-{n}", f"S{n:03}", f"Store {n:03}", "store", is_ours=True)
    for n in range(ROWS):
        yield Item(f"it-{n}", f"C{n:07}", f"{names[n % len(names)]} {n} mg", "tablet", 100.0)
    for n in range(ROWS):
        expires = (HORIZON.today + timedelta(days=chance.randrange(-100, 1_400))).isoformat()
        yield StockLine(
            f"sl-{n}", f"st-{n % FACILITIES}", f"it-{chance.randrange(ROWS)}", float(chance.randrange(10_000)), None,
            f"B{n % 977}", expires, 100.0, average_monthly_units=float(chance.randrange(1, 3_000)),
        )  # fmt: skip
    yield StreamRead("items")
    yield StreamRead("stock")
