"""A million acts verified with all their checkpoints. Target < 30 s.

The baseline reads the same rows with the bare driver and takes SHA-256 of each one's texts, without judging anything.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from app.security.checkpoints import Checkpoint
from app.security.entries import FIRST_LINK, canonical, content_hash, iso
from app.security.seal import Seal
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Act
from tests.bench.common import built_store, report, scratch, unmet
from tests.helpers.stores import make_store

ACTS = 1_000_000
PER_CHECKPOINT = 500
PER_COMMIT = 5_000
RUNS = 3
_KINDS = ("vehicle.set", "device.adopt", "alarm.acknowledge", "integration.change", "supply.change")


def run() -> None:
    address = built_store("audit", build)
    file = address.removeprefix("sqlite:///")
    bare, ours, ratios, processor = [], [], [], []
    with scratch() as folder:
        store = Store.open(address)
        try:
            vault = MemoryVault()
            seal = Seal(vault, store.url, folder)
            _make_checkpoints(file, vault, seal)
            for _ in range(RUNS):
                bare.append(_bare(file))
                began = time.process_time()
                ours.append(_verified(store, seal))
                processor.append(time.process_time() - began)
                ratios.append(ours[-1] / bare[-1])
            report("bare: reading the rows, SHA-256 of their texts", bare, "s")
            report(f"verifying {ACTS:,} acts", ours, "s", target="< 30")
            report("the same, processor time", processor, "s")
            report("beside the bare loop", ratios, "times")
            report("the end alone, as every half minute", [_advanced(store, seal) for _ in range(RUNS)], "ms")
            _find_an_edit(store, seal)
        finally:
            store.close()


def _bare(file: str) -> float:
    began = time.perf_counter()
    with closing(sqlite3.connect(file)) as connection:
        for row in connection.execute("SELECT * FROM acts ORDER BY id"):
            sha256("".join(map(str, row)).encode()).hexdigest()
    return time.perf_counter() - began


def _verified(store: Store, seal: Seal) -> float:
    began = time.perf_counter()
    with store.read() as connection:
        found = seal.verify(connection)
    if not found.ok or found.entries != ACTS or found.checkpoints != ACTS // PER_CHECKPOINT:
        raise unmet(f"the chain does not hold: {found.first_fault}")
    return time.perf_counter() - began


def _advanced(store: Store, seal: Seal) -> float:
    began = time.perf_counter()
    with store.read() as connection:
        seal.advance(connection)
    return (time.perf_counter() - began) * 1_000


def _find_an_edit(store: Store, seal: Seal) -> None:
    """An edit near the end is found, and put back."""
    number = ACTS - 3
    with store.read() as connection:
        kept = connection.execute(Act.__table__.select().where(Act.id == number)).one()
    _write(store, partial(_set_who, number=number, who="eve"))
    try:
        began = time.perf_counter()
        with store.read() as connection:
            found = seal.verify(connection)
        report("finding an edit at its end", [time.perf_counter() - began], "s")
        if found.first_entry != number:
            raise unmet("the edit was not found")
    finally:
        _write(store, partial(_set_who, number=number, who=kept.who))


def _set_who(connection: Connection, number: int, who: str) -> None:
    connection.execute(update(Act).where(Act.id == number).values(who=who))


def _write(store: Store, job: Any) -> None:
    store.write(job).result()


def _make_checkpoints(file: str, vault: MemoryVault, seal: Seal) -> None:
    key, previous, lines = "5a" * 32, FIRST_LINK, []
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute(f"SELECT id, hash FROM acts WHERE id % {PER_CHECKPOINT} = 0 ORDER BY id")  # noqa: S608
        for at, (entries, link) in enumerate(rows, 1):
            one = Checkpoint(at, seal.owner, entries, link, 0, "2026-03-14T08:30:00Z", previous).signed(key)
            previous = one.keyed
            lines.append(one.as_line())
    if seal.file is None:
        raise unmet("there is no file for checkpoints")
    seal.file.write_text("".join(f"{line}\n" for line in lines))
    vault.set(seal.owner, "key", key)
    vault.set(seal.owner, "seal", lines[-1])


def build(folder: Path) -> None:
    store = make_store(folder)
    rng, link, at = random.Random(7), FIRST_LINK, datetime(2026, 1, 1, tzinfo=UTC)
    rows: list[dict[str, Any]] = []
    for number in range(1, ACTS + 1):
        at += timedelta(seconds=rng.randint(1, 60))
        texts = (f"Amina {number % 7} (depot)", "depot-pc", rng.choice(_KINDS), f"KAN-{rng.randrange(999):03}-XB")
        before = {"state": "waiting", "port": rng.randrange(9_000), "name": "Ẹ̀gbá"} if number % 2 else None
        after = {"state": "known", "port": rng.randrange(9_000), "names": ["a", "b"], "of": {"litres": rng.random()}}
        before, after = json.loads(json.dumps([before, after]))
        previous = link
        link = content_hash(number, iso(at), texts, canonical(before), canonical(after), previous)
        row = dict(zip(("who", "host", "what", "subject"), texts, strict=True))
        rows.append(
            {"id": number, "at": at, **row, "before": before, "after": after, "previous_hash": previous, "hash": link}
        )
        if len(rows) == PER_COMMIT:
            store.write(partial(_insert, rows=rows), rows=PER_COMMIT).result()
            rows = []
    store.close()


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(Act), rows)
