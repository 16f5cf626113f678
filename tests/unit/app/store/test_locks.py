"""One engine per store, on both databases."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from app.store.connect import parse_url, sqlite_path
from app.store.errors import StoreReadOnly, StoreUnreachable
from app.store.locks import EngineLock

ROOT = Path(__file__).resolve().parents[4]

_HOLDER = """
    import sys, time
    from pathlib import Path
    from app.store.locks import EngineLock
    lock = EngineLock(sys.argv[1], Path(sys.argv[2]))
    print(lock.acquire(), flush=True)
    time.sleep(60)
"""


def test_one_holds_the_lock_until_it_lets_go(database: str, tmp_path: Path) -> None:
    one, two = (EngineLock(database, tmp_path / "engine.lock") for _ in range(2))
    assert one.acquire()
    assert one.acquire(), "taking it twice is harmless"
    assert not two.acquire()
    assert [one.is_held, two.is_held] == [True, False]
    one.release()
    assert [one.is_held, two.acquire()] == [False, True]
    two.release()
    one.release()


def test_the_lock_of_a_killed_process_is_free(database: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_HOLDER), database, str(tmp_path / "engine.lock")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        lock = EngineLock(database, tmp_path / "engine.lock")
        assert not lock.acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    for _ in range(1_000):  # a server notices the broken connection on its own time
        if lock.acquire():
            break
    assert lock.is_held
    lock.release()


def test_a_lock_lost_with_its_connection_is_noticed(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = parse_url(database)
    if sqlite_path(url):
        pytest.skip("a file lock has no connection")
    lock = EngineLock(database, tmp_path / "engine.lock")
    assert lock.acquire()
    with psycopg.connect(host=str(url.query["host"]), user="postgres", dbname="postgres") as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database])
    assert not lock.is_held
    assert "was lost" in caplog.text
    assert lock.acquire()
    lock.release()


def test_a_server_that_does_not_answer_is_an_error_not_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        EngineLock("postgresql://joe@127.0.0.1:1/depot", tmp_path / "engine.lock").acquire()


def test_a_lock_file_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "engine.lock").mkdir()
    with pytest.raises(StoreReadOnly, match=r"engine\.lock cannot be written: .*--data-dir"):
        EngineLock(f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "engine.lock").acquire()
