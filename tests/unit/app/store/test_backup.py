"""Backups from and to both databases."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from app.store import migrate
from app.store.backup import create_backup, verify_backup
from app.store.columns import Base
from app.store.connect import parse_url, sqlite_path
from app.store.errors import StoreLocked, StoreNotMigrated, StoreRefused, StoreTooNew
from app.store.facts import get_fact, set_fact
from app.store.locks import EngineLock
from app.store.logs import LogFilter, append_log, search_logs
from app.store.restore import restore_backup
from app.store.revision import HEAD
from app.store.store import Store, raise_topic, topic_versions
from app.store.tables import Device, DeviceState, Integration, PositionRow, RawFrameRow, Vehicle
from tests.helpers.stores import make_migrated_postgresql_url, make_postgresql_url, make_store_url, start_postgresql

MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC)


def _fill(connection: Connection) -> None:
    """Rows of every kind of column: text, JSON, null JSON, times, floats, bytes, booleans, references."""
    integration = {
        "id": "01a00000-0000-7000-8000-00000000000a",
        "type": "traccar",
        "name": "Kano ✓",
        "status": "active",
        "config": {"url": "https://traccar.example.org", "interval_s": 30, "nested": {"a": [1, None, "é"]}},
        "last_sync": MOMENT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "enabled": True,
        "secrets_version": 4,
        "changed_version": 12,
    }
    connection.execute(insert(Integration).values(integration))
    connection.execute(insert(Vehicle).values(id="v1", plate="KJA-1", created_at=MOMENT))
    device = {"id": "d1", "integration_id": "i", "unique_id": "8634", "state": "known", "vehicle_id": "v1"}
    connection.execute(insert(Device).values(**device, key=7, first_seen_ms=1, attributes={}))
    connection.execute(
        insert(DeviceState).values(device_key=7, last_seen_ms=2, lat=9.0765, battery_v=3.7, charging=False)
    )
    frame = {"integration_key": 1, "received_at_ms": 3, "protocol": "gt02", "peer": "", "verdict": "ok"}
    data = bytes(range(256))
    frames = [{**frame, "id": n, "data": data, "reply": b""} for n in range(1, 2_501)]
    connection.execute(insert(RawFrameRow), frames)
    position = {"device_key": 7, "received_at_ms": 3, "lon": 7.4, "located": True, "marks": 0, "clock_offset_s": 0}
    for number, attributes in enumerate([None, {"sat": 7, "text": "it's"}], start=1):
        row = {**position, "fixed_at_ms": number, "lat": 0.1 + 0.2, "source": "x", "key_extra": ""}
        connection.execute(insert(PositionRow).values(**row, attributes=attributes))
    append_log(connection, event_type="sync", text="Kano: 2 positions stored", payload={"n": 1}, created_at=MOMENT)
    raise_topic(connection, "positions")
    set_fact(connection, "kept", {"n": 1})


def _content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table as Python sees it, whatever the database."""
    store = Store.open(url)
    with store.read() as connection:
        content = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }
    store.close()
    return content


def _add_pair(number: int, connection: Connection) -> None:
    set_fact(connection, f"a{number}", {})
    set_fact(connection, f"b{number}", {})


@pytest.fixture
def filled(database: str) -> str:
    store = Store.open(database)
    store.write(_fill).result()
    store.close()
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of another store, on each database in turn, with content of its own."""
    url = (
        make_store_url(tmp_path / "t")
        if request.param == "sqlite"
        else make_migrated_postgresql_url(start_postgresql())
    )
    store = Store.open(url)
    store.write(lambda c: set_fact(c, "of the target", {})).result()
    store.write(lambda c: [raise_topic(c, "acts") for _ in range(20)]).result()
    store.close()
    return url


def _restore(file: Path, url: str, tmp_path: Path) -> Path | None:
    return restore_backup(file, url, lock_file=tmp_path / "engine.lock", copies=tmp_path / "copies").replaced


def test_a_backup_holds_every_row_and_a_restore_brings_each_back_on_either_database(
    filled: str, target: str, tmp_path: Path
) -> None:
    file = tmp_path / "depot.backup"
    manifest = create_backup(filled, file)
    assert manifest == verify_backup(file)
    assert manifest.revision == HEAD
    assert {name: table.rows for name, table in manifest.tables.items() if table.rows} == {
        "alembic_version": 1,
        "changes": 2,
        "device_states": 1,
        "devices": 1,
        "integration_logs": 1,
        "integrations": 1,
        "positions": 2,
        "raw_frames": 2_500,
        "store_facts": 1,
        "vehicles": 1,
    }
    before = _content(filled)
    replaced = _restore(file, target, tmp_path)
    after = _content(target)
    facts = dict(after.pop("store_facts"))
    versions = dict(after.pop("changes"))
    assert facts.pop("restored")["sign_in"] == ["01a00000-0000-7000-8000-00000000000a"]
    assert facts == dict(before.pop("store_facts"))
    told = after["problems"].pop()
    assert "sign in again to each of these that asks for it: Kano ✓." in " ".join(map(str, told))
    assert after == {name: rows for name, rows in before.items() if name != "changes"}
    assert versions["acts"] == 21, "open windows must see that every topic moved"
    assert versions["positions"] == 2
    assert replaced is not None
    assert verify_backup(replaced).tables["store_facts"].rows == 1


def test_a_restored_store_is_written_on_with_new_keys_and_its_log_is_searchable(
    filled: str, target: str, tmp_path: Path
) -> None:
    create_backup(filled, tmp_path / "depot.backup")
    _restore(tmp_path / "depot.backup", target, tmp_path)
    store = Store.open(target)
    number = store.write(lambda c: append_log(c, event_type="x", text="after the restore")).result()
    assert number == 2
    with store.read() as connection:
        assert [line.id for line in search_logs(connection, LogFilter(text="positions stored")).lines] == [1]
    store.close()


def test_a_program_that_has_the_store_open_sees_the_restored_one(tmp_path: Path) -> None:
    url = make_store_url(tmp_path / "one")
    window = Store.open(url)
    window.write(lambda c: set_fact(c, "old", {})).result()
    other = make_store_url(tmp_path / "two")
    store = Store.open(other)
    store.write(lambda c: set_fact(c, "new", {})).result()
    store.close()
    create_backup(other, tmp_path / "other.backup")
    _restore(tmp_path / "other.backup", url, tmp_path)
    with window.read() as connection:
        assert get_fact(connection, "new") == {}
        assert get_fact(connection, "old") is None
        assert topic_versions(connection)["facts"] == 1
    window.write(lambda c: set_fact(c, "later", {})).result()
    window.close()


def test_a_backup_of_a_store_in_use_is_one_moment_of_it(database: str, tmp_path: Path) -> None:
    """A writer adds pairs; a backup never holds half a pair."""
    store = Store.open(database)
    stop = threading.Event()

    def write_pairs() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.write(partial(_add_pair, number)).result()

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        for number in range(3):
            manifest = create_backup(database, tmp_path / f"{number}.backup")
            assert manifest.tables["store_facts"].rows % 2 == 0
    finally:
        stop.set()
        writer.join()
        store.close()


def test_a_backup_never_replaces_a_file_and_leaves_nothing_half_done(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "out" / "depot.backup"
    create_backup(filled, file)
    with pytest.raises(StoreRefused, match="exists already"):
        create_backup(filled, file)
    assert [path.name for path in file.parent.iterdir()] == ["depot.backup"]


def test_an_empty_database_gives_no_backup(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path / 'empty.db'}", make_postgresql_url(start_postgresql())):
        with pytest.raises(StoreNotMigrated, match="nothing to back up"):
            create_backup(url, tmp_path / "none.backup")
    assert not list(tmp_path.glob("none*"))


def test_every_changed_byte_of_content_is_found(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "depot.backup"
    create_backup(filled, file)
    original = file.read_bytes()
    places = [original.index(b"Kano \xe2\x9c\x93"), original.index(b"8634"), original.index(bytes(range(200, 256)))]
    for place in [*places, 3, 20, 28, original.index(b"CREATE TABLE"), original.index(b'"sha256"') + 14]:
        broken = bytearray(original)
        broken[place] ^= 0x01
        file.write_bytes(broken)
        with pytest.raises(StoreRefused):
            verify_backup(file)
    for length in (0, 100, len(original) // 2, len(original) - 4_096):
        file.write_bytes(original[:length])
        with pytest.raises(StoreRefused):
            verify_backup(file)
    file.write_bytes(original)
    verify_backup(file)


def test_what_is_no_backup_is_refused_in_words(filled: str, tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="does not exist"):
        verify_backup(tmp_path / "absent")
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    with pytest.raises(StoreRefused, match="no readable backup"):
        verify_backup(tmp_path / "text")
    with closing(sqlite3.connect(tmp_path / "plain.db")) as plain:
        plain.execute("CREATE TABLE t (a)")
    with pytest.raises(StoreRefused, match="no backup of this console"):
        verify_backup(tmp_path / "plain.db")


def test_a_refused_restore_changes_nothing(filled: str, target: str, tmp_path: Path) -> None:
    file = tmp_path / "depot.backup"
    create_backup(filled, file)
    before = _content(target)
    lock = EngineLock(target, tmp_path / "engine.lock")
    assert lock.acquire()
    with pytest.raises(StoreLocked, match="engine is running"):
        _restore(file, target, tmp_path)
    lock.release()
    file.write_bytes(file.read_bytes()[:-5_000])
    with pytest.raises(StoreRefused):
        _restore(file, target, tmp_path)
    assert _content(target) == before


def test_a_backup_of_a_newer_program_is_refused(
    filled: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_backup(filled, tmp_path / "depot.backup")
    before = _content(target)
    with monkeypatch.context() as patched:
        patched.setattr("app.store.restore.HEAD", "0000")
        with pytest.raises(StoreTooNew, match="newer program"):
            _restore(tmp_path / "depot.backup", target, tmp_path)
    assert _content(target) == before


def test_a_restore_creates_a_missing_store_and_keeps_a_damaged_one(tmp_path: Path) -> None:
    source = make_store_url(tmp_path / "source")
    create_backup(source, tmp_path / "depot.backup")
    url = f"sqlite:///{tmp_path / 'new' / 'store.db'}"
    assert _restore(tmp_path / "depot.backup", url, tmp_path) is None
    Store.open(url).close()
    path = sqlite_path(parse_url(url))
    assert path is not None
    path.write_bytes(b"garbage" * 1_000)
    kept = _restore(tmp_path / "depot.backup", url, tmp_path)
    Store.open(url).close()
    assert kept is not None
    assert kept.read_bytes() == b"garbage" * 1_000


def test_a_restore_onto_an_empty_server_prepares_it(tmp_path: Path) -> None:
    source = make_store_url(tmp_path / "source")
    create_backup(source, tmp_path / "depot.backup")
    url = make_postgresql_url(start_postgresql())
    assert _restore(tmp_path / "depot.backup", url, tmp_path) is None
    assert migrate.upgrade(url, tmp_path).before == HEAD
