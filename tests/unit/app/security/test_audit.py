from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, update

from app.clock import SystemClock
from app.security.audit import FIRST_LINK, Head, head_of, record_act, verify_acts
from app.security.redaction import BLANK
from app.security.seal import Seal, keep_sealed
from app.security.vault import MemoryVault, VaultLocked
from app.store.changes import raise_topic
from app.store.store import Store
from app.store.tables import Act


def add_acts(store: Store, count: int) -> None:
    def job(connection: Connection) -> None:
        for number in range(count):
            record_act(connection, what="device.adopt", subject=f"device {number}", after={"n": number}, who="ada")

    store.write(job).result()


def add_one_by_one(store: Store, count: int) -> None:
    for _ in range(count):
        add_acts(store, 1)


def spoil(store: Store, statement: Any) -> None:
    store.write(lambda connection: connection.execute(statement)).result()


def fault(store: Store, sealed: Head | None = None) -> str | None:
    with store.read() as connection:
        return verify_acts(connection, sealed).first_fault


def head(store: Store) -> Head:
    with store.read() as connection:
        return head_of(connection)


def test_acts_form_a_chain_from_the_first_link(store: Store) -> None:
    add_acts(store, 3)
    with store.read() as connection:
        rows = connection.execute(select(Act.__table__).order_by(Act.id)).all()
        report = verify_acts(connection)
    assert [row.previous_hash for row in rows] == [FIRST_LINK, rows[0].hash, rows[1].hash]
    assert report.ok
    assert report.entries == 3


def test_an_empty_chain_holds(store: Store) -> None:
    assert fault(store) is None
    assert head(store) == Head(0, FIRST_LINK)


@pytest.mark.parametrize(
    "change",
    [{"who": "eve"}, {"what": "device.block"}, {"after": {"n": 99}}, {"before": {}}, {"hash": "f" * 64}, {"host": "x"}],
)
def test_an_edited_entry_is_named(store: Store, change: dict[str, Any]) -> None:
    add_acts(store, 5)
    spoil(store, update(Act).where(Act.id == 3).values(**change))
    assert "Entry 3" in (fault(store) or "")


def test_a_removed_entry_is_named(store: Store) -> None:
    add_acts(store, 5)
    spoil(store, delete(Act).where(Act.id == 2))
    assert fault(store) == "Entry 2 is missing: somebody removed it from the store."


def test_several_removed_entries_are_named(store: Store) -> None:
    add_acts(store, 6)
    spoil(store, delete(Act).where(Act.id.in_([3, 4])))
    assert (fault(store) or "").startswith("Entries 3 to 4 are missing")


def test_a_cut_end_is_found_by_the_seal_alone(store: Store) -> None:
    add_acts(store, 5)
    sealed = head(store)
    spoil(store, delete(Act).where(Act.id > 3))
    assert fault(store) is None
    assert (fault(store, sealed) or "").startswith("The last 2 of 5 sealed entries were cut off")


def test_a_chain_written_anew_is_found_by_the_seal_alone(store: Store) -> None:
    add_acts(store, 4)
    sealed = head(store)
    spoil(store, delete(Act))
    add_acts(store, 4)
    assert fault(store) is None
    assert (fault(store, sealed) or "").startswith("The chain was rewritten")


def test_entries_after_the_seal_are_no_fault(store: Store) -> None:
    add_acts(store, 2)
    sealed = head(store)
    add_acts(store, 2)
    assert fault(store, sealed) is None


def test_writers_of_several_processes_keep_one_chain(database: str) -> None:
    """Each store has a writer thread and connections of its own, as another process would."""
    stores = [Store.open(database) for _ in range(3)]
    try:
        threads = [threading.Thread(target=add_one_by_one, args=(own, 15)) for own in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with stores[0].read() as connection:
            report = verify_acts(connection)
    finally:
        for opened in stores:
            opened.close()
    assert report.first_fault is None
    assert report.entries == 45


def test_an_act_of_a_job_that_fails_is_not_in_the_chain(store: Store) -> None:
    add_acts(store, 1)

    def job(connection: Connection) -> None:
        record_act(connection, what="vehicle.add", subject="never")
        raise LookupError("no such vehicle")

    with pytest.raises(LookupError):
        store.write(job).result()
    add_acts(store, 1)
    assert fault(store) is None
    assert head(store).entries == 2


def test_secrets_never_enter_the_chain_and_odd_values_survive(store: Store) -> None:
    after = {
        "password": "planted-secret",
        "ratio": float("nan"),
        "text": "nul \x00 and half \ud800",
        "üñí": [1, {"a": None}],
    }

    def job(connection: Connection) -> None:
        record_act(connection, what="integration.change", subject="a\x00b", before={}, after=after)

    store.write(job).result()
    with store.read() as connection:
        row = connection.execute(select(Act.__table__)).one()
        assert verify_acts(connection).ok
    assert row.after["password"] == BLANK
    assert row.after["üñí"] == [1, {"a": None}]
    assert row.subject == "a\ufffdb"


def test_the_seal_advances_with_the_chain_and_never_over_a_fault(sqlite_store: Store) -> None:
    seal = Seal(MemoryVault(), "sqlite:////data/a/store.sqlite")
    assert seal.read() is None
    for count in (2, 3):
        add_acts(sqlite_store, count)
        with sqlite_store.read() as connection:
            assert seal.advance(connection).ok
    assert seal.read() == head(sqlite_store)
    sealed = seal.read()
    spoil(sqlite_store, delete(Act).where(Act.id == 5))
    with sqlite_store.read() as connection:
        report = seal.advance(connection)
    assert not report.ok
    assert seal.read() == sealed


def test_a_seal_without_its_key_counts_for_nothing(sqlite_store: Store) -> None:
    vault = MemoryVault()
    seal = Seal(vault, "sqlite:////data/a/store.sqlite")
    add_acts(sqlite_store, 2)
    with sqlite_store.read() as connection:
        seal.advance(connection)
    kept = vault.get(seal.owner, "seal") or ""
    vault.set(seal.owner, "seal", kept.replace('"entries":2', '"entries":1'))
    assert seal.read() is None


def test_stores_have_seals_of_their_own() -> None:
    vault = MemoryVault()
    Seal(vault, "sqlite:////data/a/store.sqlite").replace(Head(7, "a" * 64))
    assert Seal(vault, "sqlite:////data/b/store.sqlite").read() is None
    assert Seal(vault, "sqlite:////data/a/store.sqlite").read() == Head(7, "a" * 64)


def test_a_store_has_one_seal_however_its_address_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = MemoryVault()
    monkeypatch.chdir(tmp_path)
    written = ["sqlite:///store.sqlite", f"sqlite:///{tmp_path}/x/../store.sqlite"]
    assert len({Seal(vault, address).owner for address in written}) == 1
    servers = ["postgresql://ada@depot/biko", "postgresql+psycopg://bob@depot/biko"]
    assert len({Seal(vault, address).owner for address in servers}) == 1
    assert Seal(vault, servers[0]).owner != Seal(vault, "postgresql://ada@depot/other").owner


def test_advancing_looks_at_new_entries_and_a_full_verification_at_all(sqlite_store: Store) -> None:
    seal = Seal(MemoryVault(), sqlite_store.url)
    add_acts(sqlite_store, 4)
    with sqlite_store.read() as connection:
        seal.advance(connection)
    spoil(sqlite_store, update(Act).where(Act.id == 2).values(who="eve"))
    add_acts(sqlite_store, 2)
    with sqlite_store.read() as connection:
        assert seal.advance(connection).ok
        assert "Entry 2" in (seal.verify(connection).first_fault or "")
    spoil(sqlite_store, update(Act).where(Act.id == 6).values(who="eve"))
    with sqlite_store.read() as connection:
        assert "Entry 6" in (seal.advance(connection).first_fault or "")


class OpenAndShut(MemoryVault):
    """A vault that is locked for its first questions."""

    locked = 2

    def get(self, integration_id: str, field: str) -> str | None:
        if self.locked:
            self.locked -= 1
            raise VaultLocked("The key store is locked.")
        return super().get(integration_id, field)


async def test_the_chain_is_kept_sealed_and_what_changes_is_told_once(sqlite_store: Store) -> None:
    vault = OpenAndShut()
    seal = Seal(vault, sqlite_store.url)
    turns: asyncio.Queue[None] = asyncio.Queue()
    go: asyncio.Queue[None] = asyncio.Queue()
    faults: list[str | None] = []

    class Turns(SystemClock):
        async def sleep(self, seconds: float) -> None:
            turns.put_nowait(None)
            await go.get()

    async def turn() -> None:
        go.put_nowait(None)
        await turns.get()

    await asyncio.to_thread(add_acts, sqlite_store, 3)
    keeping = asyncio.ensure_future(
        keep_sealed(sqlite_store, seal, Turns(), lambda report: faults.append(report.first_fault))
    )
    await turns.get()
    while vault.locked:
        await turn()
    await turn()
    assert seal.read() == head(sqlite_store)
    await asyncio.to_thread(spoil, sqlite_store, delete(Act).where(Act.id == 3))
    for _ in range(2):
        await asyncio.to_thread(sqlite_store.write(lambda connection: raise_topic(connection, "acts")).result)
        await turn()
    keeping.cancel()
    await asyncio.wait([keeping])
    assert [fault and fault.split(",")[0] for fault in faults] == [
        None,
        "The last 1 of 3 sealed entries were cut off the end",
    ]
