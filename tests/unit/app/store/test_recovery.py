"""Damaged store files: the program starts, keeps the damaged file, and loses only what cannot be read."""

from __future__ import annotations

import queue
import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from app.store import recovery
from app.store.connect import damage_marker
from app.store.errors import StoreDamaged, StoreError, StoreLocked, StoreTooNew
from app.store.facts import DEVICE_STATES_UPTO, get_fact, set_fact
from app.store.logs import LogFilter, append_log, search_logs
from app.store.prepare import Prepared, prepare_store
from app.store.recovery import FACT, finish_swap, is_damaged, recover
from app.store.revision import alembic_version
from app.store.store import Store, raise_topic, topic_versions
from app.store.tables import Device, DeviceState, Integration, PositionRow, Problem, RawFrameRow, Vehicle
from app.store.watch import ChangeWatcher
from tests.helpers.stores import make_store_url

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 4_096
FRAMES = 6_000


def _fill(connection: Connection) -> None:
    version = raise_topic(connection, "vehicles")
    common = {"created_at": NOW, "updated_at": NOW, "enabled": True, "config": {}, "type": "gt02", "status": "active"}
    connection.execute(insert(Integration).values(id="i1", name="Trackers", changed_version=40, **common))
    for number in range(1, 21):
        connection.execute(
            insert(Vehicle).values(id=f"v{number}", plate=f"KJA-{number}", created_at=NOW, changed_version=version)
        )
        device = {"id": f"d{number}", "integration_id": "i1", "unique_id": f"{number:015}", "state": "known"}
        connection.execute(
            insert(Device).values(key=number, vehicle_id=f"v{number}", first_seen_ms=1, attributes={}, **device)
        )
        connection.execute(insert(DeviceState).values(device_key=number, last_seen_ms=1))
    frames = [
        {"id": n, "integration_key": 1, "received_at_ms": n, "protocol": "gt02", "peer": "", "verdict": "ok"}
        for n in range(1, FRAMES + 1)
    ]
    connection.execute(
        insert(RawFrameRow), [{**frame, "data": _data(n), "reply": b""} for n, frame in enumerate(frames, 1)]
    )
    positions = [
        {
            "id": n,
            "device_key": n % 20 + 1,
            "fixed_at_ms": n,
            "received_at_ms": n,
            "lat": 9.0,
            "lon": 7.0,
            "located": True,
        }
        for n in range(1, FRAMES + 1)
    ]
    more = {"marks": 0, "clock_offset_s": 0, "source": "gt02", "key_extra": ""}
    connection.execute(insert(PositionRow), [{**position, **more} for position in positions])
    for number in range(300):
        append_log(connection, event_type="sync", text=f"Line {number} of the log", payload={"n": number})
    set_fact(connection, "kept", {"n": 1})


def _data(number: int) -> bytes:
    return number.to_bytes(4, "big") * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A filled store file, closed, everything in the file itself."""
    store = Store.open(make_store_url(tmp_path))
    store.write(_fill).result()
    store.close()
    assert not Path(f"{tmp_path / 'store.db'}-wal").exists()
    return tmp_path / "store.db"


def _start(path: Path) -> tuple[Store, Prepared]:
    prepared = prepare_store(f"sqlite:///{path}", path.parent / "copies")
    return Store.open(f"sqlite:///{path}"), prepared


def _count(store: Store, table: type[object]) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(offset)
        file.write(data)


def _pages_of(path: Path, table: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno"
        try:
            return [row[0] for row in connection.execute(query, [table])]
        except sqlite3.OperationalError:
            pytest.skip("this SQLite was built without dbstat")


def _sane(store: Store, prepared: Prepared) -> None:
    """The program works on what was recovered, says so, and every row that is there is right."""
    assert prepared.recovered is not None
    with store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        for number, data in connection.execute(select(RawFrameRow.id, RawFrameRow.data)):
            assert data == _data(number)
        fact = get_fact(connection, FACT)
        assert fact is not None
        assert fact["damaged"] == str(prepared.recovered.damaged)
        problem = connection.execute(select(Problem.title, Problem.detail)).one()
        assert "recovered" in problem.title
        assert str(prepared.recovered.damaged) in problem.detail
        assert search_logs(connection, LogFilter(event_types=["store_recovered"])).lines
    store.write(lambda c: append_log(c, event_type="x", text="goes on")).result()


def test_a_sound_file_is_left_alone(path: Path) -> None:
    before = path.read_bytes()
    store, prepared = _start(path)
    store.close()
    assert prepared.recovered is None
    assert path.read_bytes() == before


def test_a_missing_file_is_created(tmp_path: Path) -> None:
    store, prepared = _start(tmp_path / "deep" / "store.db")
    store.close()
    assert prepared.recovered is None
    assert prepared.upgraded.before is None


@pytest.mark.parametrize("length", [16, 100, PAGE])
def test_garbage_over_the_header_costs_nothing(path: Path, length: int) -> None:
    _overwrite(path, 0, random.Random(1).randbytes(length))
    damaged_bytes = path.read_bytes()
    store, prepared = _start(path)
    assert _count(store, RawFrameRow) == FRAMES
    assert _count(store, PositionRow) == FRAMES
    assert _count(store, Vehicle) == 20
    assert prepared.recovered is not None
    assert prepared.recovered.damaged.read_bytes() == damaged_bytes, "the damaged file is kept as it was"
    assert prepared.recovered.damaged.name.startswith("store.damaged-")
    _sane(store, prepared)
    store.close()


def test_one_lost_page_costs_the_rows_on_it_and_no_others(path: Path) -> None:
    lost = _pages_of(path, "raw_frames")[20]
    _overwrite(path, (lost - 1) * PAGE, bytes(PAGE))
    store, prepared = _start(path)
    kept = _count(store, RawFrameRow)
    assert FRAMES - 40 <= kept < FRAMES
    assert _count(store, PositionRow) == FRAMES
    assert prepared.recovered is not None
    assert prepared.recovered.incomplete == ("raw_frames",)
    assert prepared.recovered.rows["raw_frames"] == kept
    _sane(store, prepared)
    store.close()


def test_lost_pages_everywhere_in_a_table_cost_their_rows(path: Path) -> None:
    pages = _pages_of(path, "raw_frames")
    for page in [pages[0], pages[-1], *pages[10:14], *pages[30:60:2]]:
        _overwrite(path, (page - 1) * PAGE, random.Random(page).randbytes(PAGE))
    store, prepared = _start(path)
    lost_pages = 2 + 4 + 15
    assert FRAMES - 40 * lost_pages <= _count(store, RawFrameRow) < FRAMES
    _sane(store, prepared)
    store.close()


def test_a_file_cut_in_the_middle_of_its_frames_gives_what_stands_before(path: Path) -> None:
    frames = sorted(_pages_of(path, "raw_frames"))
    with path.open("rb+") as file:
        file.truncate(frames[len(frames) // 2] * PAGE + 17)
    store, prepared = _start(path)
    assert _count(store, Vehicle) == 20
    assert _count(store, RawFrameRow) > FRAMES // 4
    _sane(store, prepared)
    store.close()


def test_a_file_of_garbage_gives_an_empty_store_and_is_kept(path: Path) -> None:
    garbage = random.Random(5).randbytes(100_000)
    path.write_bytes(garbage)
    store, prepared = _start(path)
    assert _count(store, RawFrameRow) == 0
    assert prepared.recovered is not None
    assert prepared.recovered.damaged.read_bytes() == garbage
    _sane(store, prepared)
    store.close()


@pytest.mark.parametrize("seed", range(8))
def test_torn_pages_anywhere_never_keep_the_program_from_starting(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    pages = path.stat().st_size // PAGE
    for _ in range(chance.choice([1, 3, 10, 40])):
        page, start = chance.randrange(pages), chance.randrange(PAGE)
        _overwrite(path, page * PAGE + start, chance.randbytes(min(512, PAGE - start)))
    store, prepared = _start(path)
    if prepared.recovered is not None:
        with store.read() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            connection.execute(select(RawFrameRow)).all()
            connection.execute(select(Integration)).all()
    store.write(lambda c: append_log(c, event_type="x", text="goes on")).result()
    store.close()


def test_what_stood_only_in_the_log_is_recovered_too(path: Path) -> None:
    store = Store.open(f"sqlite:///{path}")
    store.write(lambda c: set_fact(c, "in the log", {})).result()
    log = Path(f"{path}-wal").read_bytes()
    store.close()
    lost = _pages_of(path, "positions")[5]
    Path(f"{path}-wal").write_bytes(log)
    _overwrite(path, (lost - 1) * PAGE, bytes(PAGE))
    store, prepared = _start(path)
    with store.read() as connection:
        assert get_fact(connection, "in the log") == {}
    _sane(store, prepared)
    store.close()


def test_topics_move_on_beyond_every_recovered_row(path: Path) -> None:
    _overwrite(path, 0, bytes(100))
    store, _prepared = _start(path)
    with store.read() as connection:
        assert min(topic_versions(connection).values()) > 40
    store.close()


def test_rows_whose_reference_was_lost_are_kept_without_it_or_go(path: Path) -> None:
    for page in _pages_of(path, "vehicles"):
        _overwrite(path, (page - 1) * PAGE, bytes(PAGE))
    store, prepared = _start(path)
    assert _count(store, Vehicle) == 0
    assert _count(store, Device) == 20
    with store.read() as connection:
        assert set(connection.execute(select(Device.vehicle_id)).scalars()) == {None}
    _sane(store, prepared)
    store.close()


def test_values_that_no_column_can_hold_are_left_out(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE positions SET lat = 'north' WHERE id = 7")
        raw.execute("UPDATE integration_logs SET payload = '{half' WHERE id = 9")
        raw.execute("UPDATE vehicles SET created_at = 'yesterday' WHERE id = 'v3'")
    _overwrite(path, 0, bytes(16))
    store, prepared = _start(path)
    assert _count(store, PositionRow) == FRAMES - 1
    assert _count(store, Vehicle) == 19
    assert prepared.recovered is not None
    assert set(prepared.recovered.incomplete) == {"positions", "integration_logs", "vehicles"}
    _sane(store, prepared)
    store.close()


def test_damage_met_in_use_is_recovered_at_the_next_start(path: Path) -> None:
    lost = _pages_of(path, "raw_frames")[20]
    store, prepared = _start(path)
    assert prepared.recovered is None
    _overwrite(path, (lost - 1) * PAGE, bytes(PAGE))
    with pytest.raises(StoreDamaged, match="start again"), store.read() as connection:
        connection.execute(select(RawFrameRow)).all()
    store.close()
    assert damage_marker(path).exists()
    store, prepared = _start(path)
    _sane(store, prepared)
    store.close()
    assert not damage_marker(path).exists()


class _TimeIsUp(threading.Thread):
    """A timer whose time is always up: it interrupts again and again, so that no check of any length escapes."""

    def __init__(self, _budget_s: float, interrupt: Callable[[], None]) -> None:
        super().__init__()
        self._interrupt = interrupt
        self._cancelled = threading.Event()

    def run(self) -> None:
        while not self._cancelled.is_set():
            self._interrupt()

    def cancel(self) -> None:
        self._cancelled.set()


def test_the_look_at_a_large_file_ends_after_its_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.recovery.threading.Timer", _TimeIsUp)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN")
        for _ in range(5):
            raw.execute(
                "INSERT INTO raw_frames (integration_key, received_at_ms, protocol, peer, verdict, data, reply) "
                "SELECT integration_key, received_at_ms, protocol, peer, verdict, data, reply FROM raw_frames"
            )
        raw.execute("COMMIT")
    pages = _pages_of(path, "raw_frames")
    _overwrite(path, (pages[len(pages) // 2] - 1) * PAGE, bytes(PAGE))
    assert not is_damaged(path)
    damage_marker(path).touch()
    assert is_damaged(path)


def test_a_false_alarm_is_forgotten(path: Path) -> None:
    damage_marker(path).touch()
    assert not is_damaged(path)
    assert not damage_marker(path).exists()


def test_reading_ends_when_the_time_is_up_and_says_so(path: Path) -> None:
    _overwrite(path, 0, bytes(16))
    recovery = recover(path, budget_s=0)
    assert not recovery.in_time
    assert recovery.rows["raw_frames"] < FRAMES
    store = Store.open(f"sqlite:///{path}")
    with store.read() as connection:
        assert "oldest telemetry" in connection.execute(select(Problem.detail)).scalar_one()
    store.close()


def test_a_newer_programs_damaged_store_is_left_alone(path: Path) -> None:
    store = Store.open(f"sqlite:///{path}")
    store.write(lambda c: c.execute(update(alembic_version).values(version_num="0999"))).result()
    store.close()
    _overwrite(path, 0, bytes(16))
    before = path.read_bytes()
    with pytest.raises(StoreTooNew):
        prepare_store(f"sqlite:///{path}", path.parent)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["store.db"]


def test_a_recovery_cut_between_its_last_steps_is_completed(path: Path) -> None:
    content = path.read_bytes()
    recovered = path.with_name("store.db.recovered")
    path.rename(recovered)
    finish_swap(path)
    assert path.read_bytes() == content
    recovered.write_bytes(b"half")
    finish_swap(path)
    assert path.read_bytes() == content
    assert not recovered.exists()


def test_a_store_that_is_open_elsewhere_goes_on_with_the_recovered_file(path: Path) -> None:
    window = Store.open(f"sqlite:///{path}")
    told: queue.SimpleQueue[frozenset[str]] = queue.SimpleQueue()
    watcher = ChangeWatcher(window, told.put)
    watcher.start()
    window.write(lambda c: raise_topic(c, "acts")).result(10)
    while "acts" not in told.get(timeout=10):
        pass
    recovery = recover(path)
    gateway = Store.open(f"sqlite:///{path}")
    while "problems" not in told.get(timeout=10):  # the window is told without any commit of its own
        pass
    assert _count(window, Problem) == 1
    window.write(lambda c: set_fact(c, "of the window", {"n": 1})).result(10)
    with gateway.read() as connection:
        assert get_fact(connection, "of the window") == {"n": 1}
    gateway.write(lambda c: raise_topic(c, "vehicles")).result(10)
    while "vehicles" not in told.get(timeout=10):
        pass
    watcher.stop()
    window.close()
    assert _count(gateway, RawFrameRow) == FRAMES
    gateway.close()
    with closing(sqlite3.connect(path)) as connection_after:
        assert connection_after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert recovery.damaged.exists()


def test_what_a_window_saves_while_the_file_is_read_is_carried_over_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Store.open(f"sqlite:///{path}")
    carry_over, calls = recovery._carry_over, []

    def meanwhile(damaged: Any, target: sqlite3.Connection) -> Any:
        done = carry_over(damaged, target)
        calls.append(done)
        if len(calls) == 1:
            window.write(lambda c: set_fact(c, "act of the window", {"n": 1})).result(10)
        return done

    monkeypatch.setattr(recovery, "_carry_over", meanwhile)
    recover(path)
    assert len(calls) == 2
    with window.read() as connection:
        assert get_fact(connection, "act of the window") == {"n": 1}
    window.close()


def test_a_file_that_others_write_without_end_is_left_in_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = Store.open(f"sqlite:///{path}")
    carry_over = recovery._carry_over

    def meanwhile(damaged: Any, target: sqlite3.Connection) -> Any:
        window.write(lambda c: raise_topic(c, "facts")).result(10)
        return carry_over(damaged, target)

    monkeypatch.setattr(recovery, "_carry_over", meanwhile)
    with pytest.raises(StoreLocked, match="Close"):
        recover(path)
    assert sorted(file.name for file in path.parent.iterdir() if "damaged" in file.name) == []
    window.close()


def test_a_write_that_ends_in_the_file_set_aside_is_not_called_saved(path: Path) -> None:
    window = Store.open(f"sqlite:///{path}")
    undone: list[str] = []

    def late(connection: Connection) -> None:
        set_fact(connection, "late", {"n": 1})
        recover(path)

    with pytest.raises(StoreError, match="again"):
        window.write(late, on_rollback=lambda: undone.append("late")).result(60)
    assert undone == ["late"]
    window.write(lambda c: set_fact(c, "next", {"n": 2})).result(10)
    with window.read() as connection:
        assert (get_fact(connection, "late"), get_fact(connection, "next")) == (None, {"n": 2})
    window.close()


def test_no_row_leads_to_evidence_of_another_after_the_newest_were_lost(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        (last_frame,) = connection.execute("SELECT max(id) FROM raw_frames").fetchone()
        (last_position,) = connection.execute("SELECT max(id) FROM positions").fetchone()
        connection.execute("UPDATE positions SET raw_frame_id = ? WHERE id = ?", [last_frame, last_position])
        connection.execute("UPDATE positions SET raw_frame_id = ? WHERE id = ?", [last_frame - 1, last_position - 1])
        connection.execute(
            "UPDATE device_states SET position_id = ?, raw_frame_id = ?", [last_position + 1, last_frame]
        )
        connection.execute("DELETE FROM raw_frames WHERE id = ?", [last_frame])
        connection.execute(
            "INSERT OR REPLACE INTO store_facts (name, value) VALUES (?, ?)",
            [DEVICE_STATES_UPTO, '{"position_id": 1, "frame_id": 1}'],
        )
    recover(path)
    store = Store.open(f"sqlite:///{path}")
    with store.read() as reading:
        links = {row.id: row.raw_frame_id for row in reading.execute(select(PositionRow.id, PositionRow.raw_frame_id))}
        states = reading.execute(select(DeviceState.position_id, DeviceState.raw_frame_id)).all()
        assert get_fact(reading, DEVICE_STATES_UPTO) is None  # states are looked up anew
    assert (links[last_position], links[last_position - 1]) == (None, last_frame - 1)
    assert states
    assert set(states) == {(None, None)}
    store.close()
