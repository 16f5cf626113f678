"""The two ways to use the store, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.store.errors import StoreClosed, StoreNotMigrated, StoreOverloaded, StoreRefused, StoreTooNew, StoreUnreachable
from app.store.facts import clear_fact, get_fact, set_fact
from app.store.revision import alembic_version
from app.store.store import Store, raise_topic, topic_versions
from app.store.tables import Change, StoreFact
from app.store.writer import HARD_ROWS, ROOM_ROWS
from tests.helpers.stores import make_store, make_store_url


def _names(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(StoreFact.name).order_by(StoreFact.name)).scalars())


def test_a_written_fact_is_read_back_changed_and_cleared(store: Store) -> None:
    store.write(lambda c: set_fact(c, "engine", {"pid": 7, "name": "Kano – 1"})).result()
    store.write(lambda c: set_fact(c, "engine", {"pid": 8})).result()
    with store.read() as connection:
        assert get_fact(connection, "engine") == {"pid": 8}
        assert get_fact(connection, "absent") is None
    store.write(lambda c: clear_fact(c, "engine")).result()
    assert _names(store) == []


def test_each_raise_gives_the_topic_the_next_version(store: Store) -> None:
    assert [store.write(lambda c: raise_topic(c, "logs")).result() for _ in range(3)] == [1, 2, 3]
    assert store.write(lambda c: raise_topic(c, "acts")).result() == 1
    with store.read() as connection:
        assert topic_versions(connection) == {"logs": 3, "acts": 1}


def test_an_unknown_topic_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not a topic"):
        store.write(lambda c: raise_topic(c, "weather")).result()


def test_a_failing_job_undoes_only_its_own_work(store: Store) -> None:
    gate = _hold_writer(store)
    rolled_back: list[str] = []
    good = [store.write(lambda c, n=n: set_fact(c, f"good {n}", {})) for n in range(3)]  # type: ignore[misc]

    def broken(connection: Connection) -> None:
        set_fact(connection, "broken", {})
        raise RuntimeError("a defect of the job")

    bad = store.write(broken, on_rollback=lambda: rolled_back.append("broken"))
    last = store.write(lambda c: set_fact(c, "last", {}), on_rollback=lambda: rolled_back.append("last"))
    gate.set()
    last.result()
    assert [future.result() for future in good] == [None] * 3
    assert _names(store) == ["good 0", "good 1", "good 2", "last"]
    assert rolled_back == ["broken"]
    with pytest.raises(RuntimeError, match="a defect of the job"):
        bad.result()


def test_a_broken_constraint_fails_its_job_alone(store: Store) -> None:
    gate = _hold_writer(store)
    twice = insert(Change).values([{"topic": "logs", "version": 1}, {"topic": "logs", "version": 2}])
    before = store.write(lambda c: raise_topic(c, "acts"))
    bad = store.write(lambda c: c.execute(twice))
    after = store.write(lambda c: raise_topic(c, "acts"))
    gate.set()
    with pytest.raises(IntegrityError):
        bad.result()
    assert (before.result(), after.result()) == (1, 2)


def test_the_rollback_is_told_before_the_next_job_runs(store: Store) -> None:
    gate = _hold_writer(store)
    order: list[str] = []

    def broken(_connection: Connection) -> None:
        order.append("broken")
        raise ValueError("no")

    store.write(broken, on_rollback=lambda: order.append("told"))
    last = store.write(lambda _c: order.append("next"))
    gate.set()
    last.result()
    assert order == ["broken", "told", "next"]


def test_jobs_that_wait_together_share_one_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.writer.MAX_SECONDS", 60.0)  # a busy machine may need more than the real 50 ms
    gate = _hold_writer(store)
    seen: list[object] = []
    futures = [store.write(lambda c: seen.append(c.get_transaction())) for _ in range(50)]
    gate.set()
    for future in futures:
        future.result()
    assert len({id(transaction) for transaction in seen}) == 1


def test_a_transaction_takes_no_more_rows_than_its_share(store: Store) -> None:
    gate = _hold_writer(store)
    seen: list[object] = []
    futures = [store.write(lambda c: seen.append(c.get_transaction()), rows=1_500) for _ in range(8)]
    gate.set()
    for future in futures:
        future.result()
    groups = [sum(1 for one in seen if one is other) for other in dict.fromkeys(seen)]
    assert max(groups) <= 4
    assert sum(groups) == 8


def test_a_cancelled_write_is_not_done(store: Store) -> None:
    gate = _hold_writer(store)
    future = store.write(lambda c: set_fact(c, "cancelled", {}))
    assert future.cancel()
    gate.set()
    store.write(lambda c: set_fact(c, "kept", {})).result()
    assert _names(store) == ["kept"]


def test_the_future_is_done_only_after_the_commit(store: Store) -> None:
    names_at_reply: list[list[str]] = []
    future = store.write(lambda c: set_fact(c, "fact", {}))
    done = threading.Event()

    def on_done(_future: Future[None]) -> None:
        names_at_reply.append(_names(store))  # another connection sees only what is committed
        done.set()

    future.add_done_callback(on_done)
    assert done.wait(10)
    assert names_at_reply == [["fact"]]


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only|cannot be written"), store.read() as connection:
        set_fact(connection, "sneaky", {})
    assert _names(store) == []


def test_a_reader_sees_one_snapshot(store: Store) -> None:
    count = select(func.count()).select_from(StoreFact)
    with store.read() as connection:
        assert connection.execute(count).scalar_one() == 0
        store.write(lambda c: set_fact(c, "meanwhile", {})).result()
        assert connection.execute(count).scalar_one() == 0
    assert _names(store) == ["meanwhile"]


def test_an_error_of_a_readers_own_making_stays_what_it_is(store: Store) -> None:
    with pytest.raises(DBAPIError), store.read() as connection:
        connection.exec_driver_sql("SELECT no_such_function_anywhere()")


def test_a_full_queue_says_so_and_tells_when_there_is_room(store: Store) -> None:
    gate = _hold_writer(store)
    futures = [store.write(lambda _c: None, rows=ROOM_ROWS // 4) for _ in range(4)]
    assert store.is_full
    room = store.when_room()
    assert not room.done()
    gate.set()
    room.result(timeout=10)
    for future in futures:
        future.result()
    assert store.when_room().done()


def test_beyond_the_hard_limit_a_job_is_refused(store: Store) -> None:
    gate = _hold_writer(store)
    kept = [store.write(lambda _c: None, rows=rows) for rows in (HARD_ROWS // 2, HARD_ROWS // 2 - 5_000)]
    refused = store.write(lambda c: set_fact(c, "refused", {}), rows=10)
    with pytest.raises(StoreOverloaded, match="cannot keep up"):
        refused.result(timeout=1)
    gate.set()
    for future in kept:
        future.result()
    assert _names(store) == []


def test_closing_writes_what_waits_and_refuses_what_comes_after(database: str) -> None:
    store = Store.open(database)
    gate = _hold_writer(store)
    futures = [store.write(lambda c, n=n: set_fact(c, f"{n:03}", {})) for n in range(200)]  # type: ignore[misc]
    gate.set()
    store.close()
    assert all(future.done() for future in futures)
    with pytest.raises(StoreClosed):
        store.write(lambda c: set_fact(c, "late", {})).result()
    again = Store.open(database)
    assert len(_names(again)) == 200
    again.close()


def test_closing_twice_is_harmless(database: str) -> None:
    store = Store.open(database)
    store.close()
    store.close()


def test_an_engine_with_a_defect_in_on_rollback_goes_on(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    def defect() -> None:
        raise KeyError("cache")

    def broken(_connection: Connection) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write(broken, on_rollback=defect).result()
    store.write(lambda c: set_fact(c, "after", {})).result()
    assert _names(store) == ["after"]
    assert "writer failed" in caplog.text


def test_a_missing_store_is_not_created_by_opening(tmp_path: Path) -> None:
    with pytest.raises(StoreNotMigrated, match="does not exist yet"):
        Store.open(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreNotMigrated, match="is empty"):
        Store.open(f"sqlite:///{tmp_path / 'empty.db'}")


@pytest.mark.parametrize(("revision", "error"), [("0000", StoreNotMigrated), ("9999", StoreTooNew)])
def test_a_store_of_another_revision_is_refused(database: str, revision: str, error: type[Exception]) -> None:
    store = Store.open(database)
    store.write(lambda c: c.execute(update(alembic_version).values(version_num=revision))).result()
    store.close()
    with pytest.raises(error, match=f"revision {revision}"):
        Store.open(database)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://joe:secret@db.example/store", "password"),
        ("postgresql://joe@db.example/store?password=secret", "password"),
        ("postgresql://joe@db.example/store?sslkey=k.pem&sslpassword=secret", "password"),
        ("mysql://db.example/store", "cannot hold the store"),
        ("sqlite://", "plain file"),
        ("sqlite:///:memory:", "plain file"),
        ("sqlite:///file.db?mode=ro", "plain file"),
        ("nonsense", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_with_what_to_write(url: str, reason: str) -> None:
    with pytest.raises(StoreRefused, match=reason) as refused:
        Store.open(url)
    assert "secret" not in refused.value.why


def test_a_store_on_a_network_share_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_store_url(tmp_path)
    monkeypatch.setattr("app.store.connect.is_network_path", lambda path: path == tmp_path / "store.db")
    with pytest.raises(StoreRefused, match="network share"):
        Store.open(url)


def test_an_unreachable_server_is_named_with_the_next_step() -> None:
    with pytest.raises(StoreUnreachable, match=r"database depot at 127\.0\.0\.1 does not answer"):
        Store.open("postgresql://joe@127.0.0.1:1/depot")


def test_sqlite_connections_carry_the_agreed_pragmas(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000, "fullfsync": 1}

    def pragmas(connection: Connection) -> dict[str, object]:
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}

    with store.read() as connection:
        assert pragmas(connection) == wanted
    written = store.write(pragmas).result()
    store.close()
    assert written == wanted


def _hold_writer(store: Store) -> threading.Event:
    """Keep the writer busy, so that what follows waits together; the returned event lets it go."""
    started, gate = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        started.set()
        assert gate.wait(30)

    store.write(wait, rows=5_000)
    assert started.wait(10)
    return gate
