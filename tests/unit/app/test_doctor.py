from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from app.catalogue import BUILT_IN, Catalogue
from app.clock import SystemClock
from app.doctor import Finding, examine
from app.engine.held import HeldStore
from app.integrations import Desk, add
from app.paths import Paths
from app.security.vault import MemoryVault, VaultLocked
from app.store.store import Store
from app.store.tables import PositionRow
from tests.helpers.fleet import a_position, make_feed
from tests.helpers.stores import make_migrated_postgresql_url, postgresql_server

__all__ = ["postgresql_server"]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path / "data")
    HeldStore.take(paths, SystemClock(), started_by="service").close()
    return paths


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def findings(paths: Paths, database: str = "", catalogue: Catalogue | None = None) -> dict[str, Finding]:
    found = examine(paths, database or paths.store_url, MemoryVault, catalogue or Catalogue.load())
    return {finding.check: finding for finding in found}


def test_a_sound_machine_needs_no_advice(paths: Paths) -> None:
    found = findings(paths)
    for check in ("libraries", "key store", "clock", "disk", "engine", "store"):
        assert found[check].ok, found[check]
        assert found[check].fix == ""
    assert "structure sound" in found["store"].detail


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    found = findings(Paths(tmp_path / "data"))
    assert "does not exist yet" in found["store"].detail
    assert list(tmp_path.iterdir()) == []


def test_a_locked_key_store_is_told_with_its_own_advice(paths: Paths) -> None:
    def locked() -> MemoryVault:
        raise VaultLocked("Unlock the key store, then try again.")

    found = {finding.check: finding for finding in examine(paths, paths.store_url, locked, Catalogue.load())}
    assert (found["key store"].ok, found["key store"].fix) == (False, "Unlock the key store, then try again.")
    assert found["store"].ok


def test_a_damaged_file_is_told(paths: Paths) -> None:
    data = bytearray(paths.store_file.read_bytes())
    data[4096 : 4096 * 20] = bytes(4096 * 19)
    paths.store_file.write_bytes(data)
    assert findings(paths)["store"].ok is False


def test_a_full_disk_is_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.doctor.LEAST_FREE_BYTES", 1 << 60)
    assert findings(paths)["disk"].ok is False


def test_a_clock_behind_the_store_is_told(paths: Paths) -> None:
    with closing(Store.open(paths.store_url)) as store:
        make_feed(store)(a_position())
        far = SystemClock().now_ms() + 86_400_000
        store.write(lambda connection: connection.execute(update(PositionRow).values(received_at_ms=far))).result()
    assert findings(paths)["clock and store"].ok is False


def test_a_port_that_another_program_holds_is_named(paths: Paths, taken_port: int) -> None:
    with closing(Store.open(paths.store_url)) as store:
        desk = Desk(store, Catalogue.load(), MemoryVault())
        add(desk, "gt02_tracker", "Yard", {"host": "127.0.0.1", "port": taken_port})
        add(desk, "gt02_tracker", "Gate", {"host": "127.0.0.1", "port": 0})
    found = findings(paths)
    assert found["port of Yard"].ok is False
    assert str(taken_port) in found["port of Yard"].detail
    assert found["port of Gate"].ok


def test_the_engine_that_runs_is_named_and_keeps_its_ports(paths: Paths, taken_port: int) -> None:
    held = HeldStore.take(paths, SystemClock(), started_by="service")
    try:
        add(Desk(held.store, Catalogue.load(), MemoryVault()), "gt02_tracker", "Yard", {"port": taken_port})
        found = findings(paths)
        assert "started by a service" in found["engine"].detail
        assert found["port of Yard"].ok
    finally:
        held.close()


def test_a_package_that_cannot_be_loaded_is_named(paths: Paths) -> None:
    catalogue = Catalogue.load({**BUILT_IN, "broken": "no.such.module:Adapter"}, list)
    assert findings(paths, catalogue=catalogue)["integration package broken"].ok is False


def test_a_password_in_the_address_is_a_finding_without_the_password(paths: Paths) -> None:
    found = findings(paths, "postgresql://depot:hush-hush@127.0.0.1/depot")
    assert found["store"].ok is False
    assert "hush-hush" not in str(found)


def test_a_server_is_examined_like_a_file(paths: Paths, postgresql_server: str) -> None:
    found = findings(paths, make_migrated_postgresql_url(postgresql_server))
    assert found["store"].ok, found["store"]
    assert findings(paths, "postgresql://nobody@127.0.0.1:1/none")["store"].ok is False
