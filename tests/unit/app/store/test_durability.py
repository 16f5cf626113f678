"""Nothing acknowledged is lost: full disk, locked file, power cut, kill -9, two processes. SQLite files."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select

from app.store import connect
from app.store.errors import StoreFull, StoreLocked, StoreReadOnly
from app.store.facts import set_fact
from app.store.store import Store, raise_topic
from app.store.tables import RawFrameRow
from tests.helpers.stores import make_store, make_store_url

ROOT = Path(__file__).resolve().parents[4]


def _frames(first: int, count: int) -> list[dict[str, object]]:
    common = {"integration_key": 1, "protocol": "gt02", "peer": "", "verdict": "ok", "reply": b""}
    return [
        {**common, "id": n, "received_at_ms": n, "data": n.to_bytes(4, "big") * 40} for n in range(first, first + count)
    ]


def _add_frames(first: int, count: int = 1) -> Callable[[Connection], int]:
    def job(connection: Connection) -> int:
        raise_topic(connection, "positions")
        connection.execute(insert(RawFrameRow), _frames(first, count))
        return first

    return job


def _ids(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT id, data FROM raw_frames ORDER BY id").fetchall()
    assert all(data == number.to_bytes(4, "big") * 40 for number, data in rows)
    return [number for number, _data in rows]


# Full disk


class _Disk:
    """Limits the pages of every connection that the writer opens, as a full disk does."""

    def __init__(self, store: Store) -> None:
        self.is_full = False
        event.listen(store._write_engine, "checkout", self._on_checkout)

    def _on_checkout(self, connection: sqlite3.Connection, *_rest: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        limit = pages if self.is_full else 1_000_000
        connection.execute(f"PRAGMA max_page_count={limit}")


def test_a_full_disk_fails_the_commit_and_writing_works_again_when_space_returns(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    disk = _Disk(store)
    store.write(_add_frames(1, 10)).result()
    disk.is_full = True
    told: list[bool] = []
    failed = store.write(_add_frames(1_000, 2_000), on_rollback=lambda: told.append(True))
    with pytest.raises(StoreFull, match="is full"):
        failed.result(timeout=30)
    assert told == [True]
    with store.read() as connection:
        assert len(connection.execute(select(RawFrameRow.id)).all()) == 10
    disk.is_full = False
    assert store.write(_add_frames(1_000, 2_000)).result() == 1_000
    store.close()
    assert _ids(tmp_path / "store.db") == [*range(1, 11), *range(1_000, 3_000)]


def test_a_full_disk_loses_only_what_it_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    disk = _Disk(store)
    disk.is_full = True
    futures = [store.write(_add_frames(1 + 50 * n, 50)) for n in range(40)]
    kept: list[int] = []
    for n, future in enumerate(futures):
        try:
            future.result(timeout=30)
        except StoreFull:
            continue
        kept += range(1 + 50 * n, 51 + 50 * n)
    store.close()
    assert _ids(tmp_path / "store.db") == kept
    assert len(kept) < 2_000


# Locked by another program, and read-only


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_MS", 50)


@pytest.mark.usefixtures("impatient")
def test_a_store_locked_by_another_program_is_named_and_works_again_afterwards(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told: list[bool] = []
        with pytest.raises(StoreLocked, match="Another program keeps"):
            store.write(_add_frames(1), on_rollback=lambda: told.append(True)).result(timeout=30)
        assert told == [True]
        other.execute("ROLLBACK")
        store.write(_add_frames(2)).result(timeout=30)
    store.close()
    assert _ids(tmp_path / "store.db") == [2]


def test_a_short_lock_is_waited_out(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        future = store.write(_add_frames(1))
        timer = threading.Timer(0.1, other.execute, ["COMMIT"])
        timer.start()
        assert future.result(timeout=30) == 1
        timer.join()
    store.close()


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path)

    def make_read_only(connection: sqlite3.Connection, *_rest: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    event.listen(store._write_engine, "checkout", make_read_only)
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        store.write(_add_frames(1)).result(timeout=30)
    store.close()


# Power cut


def test_every_acknowledged_row_survives_a_power_cut_at_any_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk certainly has at an acknowledgement is the log up to its size then; the rest may be torn."""
    monkeypatch.setattr("app.store.store._CHECKPOINT_S", 3_600)  # so that the log only grows
    chance = random.Random(20260101)
    store = make_store(tmp_path / "live")
    path = tmp_path / "live" / "store.db"
    wal = Path(f"{path}-wal")
    acknowledged: list[tuple[int, int]] = []  # id, bytes of the log that were there before the reply
    for number in range(1, 41):
        store.write(_add_frames(number)).result()
        acknowledged.append((number, wal.stat().st_size))
    log, main = wal.read_bytes(), path.read_bytes()
    store.close()

    for trial in range(60):
        count = chance.randrange(len(acknowledged))
        _number, durable_bytes = acknowledged[count]
        cut = chance.randrange(durable_bytes, len(log) + 1)
        torn = bytearray(log[:cut])
        for _ in range(chance.randrange(4)):  # sectors behind the last fsync may hold anything
            if len(torn) > durable_bytes:
                torn[chance.randrange(durable_bytes, len(torn))] ^= 0xFF
        folder = tmp_path / f"cut-{trial}"
        folder.mkdir()
        (folder / "store.db").write_bytes(main)
        (folder / "store.db-wal").write_bytes(torn)
        reopened = Store.open(f"sqlite:///{folder / 'store.db'}")
        reopened.write(lambda c: set_fact(c, "after", {})).result()
        reopened.close()
        ids = _ids(folder / "store.db")
        assert ids == list(range(1, len(ids) + 1)), "a prefix, each row once"
        assert len(ids) >= count + 1, f"{count + 1} rows were acknowledged"
        shutil.rmtree(folder)


def test_the_log_is_forced_to_disk_before_the_reply(tmp_path: Path) -> None:
    """synchronous=FULL is what makes SQLite sync at each commit; nothing may have turned it down on the writer."""
    store = make_store(tmp_path)

    def level(connection: Connection) -> object:
        return connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert {store.write(level).result() for _ in range(3)} == {2}
    store.close()


# kill -9 and two processes

_CHILD = """
    import sys
    from pathlib import Path
    from sqlalchemy import insert
    from app.store.store import Store, raise_topic
    from app.store.tables import RawFrameRow

    store = Store.open(sys.argv[1])
    first, step, count = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

    def add(number):
        def job(connection):
            raise_topic(connection, "positions")
            row = dict(id=number, integration_key=1, received_at_ms=number, protocol="gt02", peer="", verdict="ok",
                       data=number.to_bytes(4, "big") * 40, reply=b"")
            connection.execute(insert(RawFrameRow), [row])
        return job

    def told(number):
        def say(future):
            future.result()
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()
        return say

    futures = []
    for number in range(first, first + count * step, step):
        future = store.write(add(number))
        future.add_done_callback(told(number))
        futures.append(future)
        if len(futures) % 20 == 0:
            future.result()
    for future in futures:
        future.result()
    store.close()
"""


def _child(url: str, first: int, step: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(_CHILD), url, str(first), str(step), str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_nothing_acknowledged_is_lost_or_doubled_at_kill_9(tmp_path: Path) -> None:
    chance = random.Random(7)
    url = make_store_url(tmp_path)
    acknowledged: set[int] = set()
    for trial in range(5):
        child = _child(url, 1 + trial * 100_000, 1, 100_000)
        assert child.stdout is not None
        wanted = chance.randrange(1, 400)
        lines = list(_take(child.stdout, wanted))
        child.send_signal(signal.SIGKILL)
        lines += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        child.stdout.close()
        child.wait()
        acknowledged |= {int(line) for line in lines}
    store = Store.open(url)
    store.write(lambda c: set_fact(c, "after", {})).result()
    store.close()
    ids = _ids(tmp_path / "store.db")
    assert acknowledged <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(acknowledged) >= 5


def _take(lines: Iterator[str], count: int) -> Iterator[str]:
    for _ in range(count):
        yield next(lines)


def test_two_processes_write_the_same_store_and_nothing_is_lost(tmp_path: Path) -> None:
    url = make_store_url(tmp_path)
    children = [_child(url, 1 + offset, 2, 300) for offset in range(2)]
    for child in children:
        out, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        assert len(out.splitlines()) == 300
    assert _ids(tmp_path / "store.db") == list(range(1, 601))
    store = Store.open(url)
    assert store.write(lambda c: raise_topic(c, "positions")).result() == 601
    store.close()
