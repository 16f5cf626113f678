"""Matching 100,000 items of one system with 100,000 of another: thinking alone, and with the store. Target ≤ 30 s.

The baseline is reading the names of both sides once and splitting them into words.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from sqlalchemy import Connection

from adapters.records import Record
from adapters.supply import Item
from app.clock import utc_now
from app.identity.kinds import load_current
from app.identity.listing import list_suggestions
from app.identity.look import look
from app.identity.suggest import find_suggestions
from app.store.store import Store
from app.supply.merge import SupplyMerge
from tests.bench.common import built_store, report
from tests.helpers.fleet import T0_MS, add_integration
from tests.helpers.stores import make_store

ITEMS = 100_000
PER_COMMIT = 5_000
_PARTS = "ba ce do fi gu ha je ki lo mu na pe ro su ta vi xo za thi phe dro cil mox zol pril stat"
_FORMS = (("tablet", "tab"), ("capsule", "caps"), ("injection", "inj"), ("cream", "cream"))
_STRENGTHS = (5, 10, 20, 25, 50, 100, 200, 250, 400, 500)
TARGET = "≤ 30"


def run() -> None:
    store = Store.open(built_store("identity", build))
    try:
        with store.read() as connection:
            began = time.perf_counter()
            records = load_current(connection, "item")
            words = sum(len(record.name.lower().split()) for record in records)
        report("bare: reading and splitting the names", [time.perf_counter() - began], "s")
        began, processor = time.perf_counter(), time.process_time()
        found = find_suggestions("item", records)
        report(f"matching {ITEMS:,} × {ITEMS:,} items", [time.perf_counter() - began], "s", target=TARGET)
        report("the same, processor time", [time.process_time() - processor], "s")
        right = sum(one.low.peer_id[1:] == one.high.peer_id[1:] for one in found)
        report("right among those found", [100 * right / len(found)], "%")
        report("found of those that are there", [100 * right / ITEMS], "%")
        report("words read", [words], "")
        looked = look(store, "item", utc_now())
        report("a look, with what changed written", [looked.seconds], "s")
        with store.read() as connection:
            began = time.perf_counter()
            list_suggestions(connection, "item", limit=1_000)
            report("the first 1,000 suggestions for the window", [(time.perf_counter() - began) * 1_000], "ms")
    finally:
        store.close()


def build(folder: Path) -> None:
    store = make_store(folder)
    for name in ("a", "b"):
        add_integration(store, name, "msupply")
        merge = SupplyMerge(store.engine.dialect)
        batch: list[Record] = []
        for record in _items(name):
            batch.append(record)
            if len(batch) == PER_COMMIT:
                store.write(partial(_merge, merge, name, batch), rows=PER_COMMIT).result()
                batch = []
    store.close()


def _merge(merge: SupplyMerge, name: str, batch: list[Record], connection: Connection) -> object:
    return merge.merge(connection, name, batch, T0_MS)


def _items(name: str) -> Iterator[Record]:
    """The same medicines in both, in the second with other codes and forms of writing, one in twenty with a slip."""
    rng = Random(3)
    parts = _PARTS.split()
    names = sorted({"".join(rng.choices(parts, k=rng.randint(3, 5))) for _ in range(9_000)})
    wanted = [(word, form, strength) for word in names for form in _FORMS for strength in _STRENGTHS]
    rng.shuffle(wanted)
    for n, (word, (form, short), strength) in enumerate(wanted[:ITEMS]):
        if name == "a":
            yield Item(f"a{n}", f"M{n:06}", f"{word.capitalize()} {strength} mg {form}", form)
        else:
            slip = word[:2] + word[3:] if n % 20 == 1 and len(word) > 7 else word
            code = f"M-{n}" if n % 3 == 0 else f"N{rng.randrange(10**7):07}"
            yield Item(f"b{n}", code, f"{short} {slip.upper()} {strength}mg")
