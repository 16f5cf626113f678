from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from adapters.records import Batch
from app.engine import inlet
from app.engine.inlet import GROUP_RECORDS, ROOM_RECORDS, Intake, Stored
from app.store.errors import StoreError, StoreFull
from app.store.tables import Cursor, IntegrationDay, PositionRow, RawFrameRow, RejectedRecord
from tests.helpers.engine_rig import Rig
from tests.helpers.fake_adapter import position, until


class Watched:
    """An intake and what it told its owner."""

    def __init__(self, rig: Rig, integration_id: str, *, keeps_refused: bool = False) -> None:
        self.stored: list[Stored] = []
        self.failed: list[BaseException] = []
        self.intake = Intake(
            rig.store,
            rig.ports.sink,
            integration_id,
            rig.clock,
            on_stored=self.stored.append,
            on_failed=self.failed.append,
            keeps_refused=keeps_refused,
        )


@pytest_asyncio.fixture
async def watched(rig: Rig) -> Watched:
    return Watched(rig, rig.add())


class HeldWriter:
    """Keeps the store's writer busy until released, as a slow disk does."""

    def __init__(self, rig: Rig) -> None:
        self._go = threading.Event()
        self._began = threading.Event()
        self._done = rig.store.write(self._hold)
        assert self._began.wait(5)

    def _hold(self, _connection: Any) -> None:
        self._began.set()
        assert self._go.wait(30)

    def release(self) -> None:
        self._go.set()
        self._done.result(5)


def positions(*numbers: int) -> Batch:
    return Batch([position("t1", n) for n in numbers])


def is_full(watched: Watched) -> bool:
    return watched.intake.is_full


def stored_positions(rig: Rig) -> int:
    with rig.store.read() as connection:
        return connection.execute(select(func.count()).select_from(PositionRow)).scalar_one()


async def test_the_future_is_done_after_the_commit(rig: Rig, watched: Watched) -> None:
    await asyncio.shield(watched.intake.deliver(positions(1)))
    assert stored_positions(rig) == 1


async def test_what_arrives_while_the_writer_is_busy_shares_one_commit(rig: Rig, watched: Watched) -> None:
    held = HeldWriter(rig)
    futures = {watched.intake.deliver(positions(n)) for n in range(500)}
    assert len(futures) == 1
    await asyncio.to_thread(held.release)
    await asyncio.wait(futures)
    assert len(watched.stored) == 1
    assert stored_positions(rig) == 500


async def test_groups_begin_some_time_apart(rig: Rig, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inlet, "GATHER_S", 3_600)
    await watched.intake.deliver(positions(1))  # after a quiet moment at once
    waiting = watched.intake.deliver(positions(2))
    assert watched.intake.deliver(positions(3)) is waiting
    await rig.written()
    assert not waiting.done()
    full = watched.intake.deliver(positions(*range(4, 4 + GROUP_RECORDS)))
    assert full is waiting
    await waiting  # a full group waits no longer
    last = watched.intake.deliver(positions(1_000_000))
    assert await watched.intake.drain(30)  # nor does anything at the end
    assert last.done()
    assert stored_positions(rig) == GROUP_RECORDS + 4


async def test_what_gathers_is_given_to_the_writer_in_time(rig: Rig, watched: Watched) -> None:
    first = watched.intake.deliver(positions(1))
    await first
    second = watched.intake.deliver(positions(2))
    await second
    assert second is not first
    assert stored_positions(rig) == 2


async def test_a_group_is_closed_before_it_grows_too_long(rig: Rig, watched: Watched) -> None:
    held = HeldWriter(rig)
    many = [watched.intake.deliver(positions(*range(n, n + 1000))) for n in range(0, GROUP_RECORDS + 2000, 1000)]
    assert len(set(many)) == 2
    await asyncio.to_thread(held.release)
    await asyncio.wait(set(many))
    assert stored_positions(rig) == GROUP_RECORDS + 2000


async def test_it_calls_itself_full_and_has_room_again(rig: Rig, watched: Watched) -> None:
    held = HeldWriter(rig)
    batch = positions(*range(1000))
    for _ in range(ROOM_RECORDS // 1000):
        assert not is_full(watched)
        watched.intake.deliver(batch)
    assert is_full(watched)
    room = asyncio.ensure_future(watched.intake.wait_for_room())
    await asyncio.sleep(0.01)
    assert not room.done()
    await asyncio.to_thread(held.release)
    await asyncio.wait_for(room, 20)
    assert not is_full(watched)
    assert await watched.intake.drain(20)


async def test_a_failed_commit_fails_every_future_of_its_group(
    rig: Rig, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> Any:
        raise StoreFull("The disk is full.")

    monkeypatch.setattr(rig.ports.sink, "ingest", full)
    watched.intake.count("skipped_bytes", 3)
    future = watched.intake.deliver(positions(1))
    with pytest.raises(StoreFull):
        await asyncio.shield(future)
    assert [type(error) for error in watched.failed] == [StoreFull]
    monkeypatch.undo()
    # What was counted is not lost with it, and the same batch can be handed in again.
    await asyncio.shield(watched.intake.deliver(positions(1)))
    assert stored_positions(rig) == 1
    with rig.store.read() as connection:
        assert connection.execute(select(IntegrationDay.counters)).scalar_one() == {"skipped_bytes": 3}


async def test_what_a_listener_was_refused_is_kept_and_stored_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(rig, rig.add(), keeps_refused=True)

    def full(*_arguments: Any) -> Any:
        raise StoreFull("The disk is full.")

    monkeypatch.setattr(rig.ports.sink, "ingest", full)
    for n in range(3):
        with pytest.raises(StoreFull):
            await asyncio.shield(watched.intake.deliver(positions(n)))
    assert not await watched.intake.drain(5)
    monkeypatch.undo()
    watched.intake.probe()
    await until(lambda: stored_positions(rig) == 3)
    assert await watched.intake.drain(5)


async def test_a_store_that_refuses_for_long_stops_the_reading(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(rig, rig.add(), keeps_refused=True)

    def full(*_arguments: Any) -> Any:
        raise StoreFull("The disk is full.")

    monkeypatch.setattr(rig.ports.sink, "ingest", full)
    for start in range(0, ROOM_RECORDS, 1000):
        with pytest.raises(StoreFull):
            await asyncio.shield(watched.intake.deliver(positions(*range(start, start + 1000))))
    assert is_full(watched)
    monkeypatch.undo()
    watched.intake.probe()
    await asyncio.wait_for(watched.intake.wait_for_room(), 20)
    assert await watched.intake.drain(20)
    assert stored_positions(rig) == ROOM_RECORDS


async def test_one_record_that_we_cannot_store_costs_only_itself(
    rig: Rig, watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ingest = rig.ports.sink.ingest

    def with_a_defect(connection: Any, integration_id: str, batches: Any, now_ms: int) -> Any:
        if any(getattr(record, "serial", None) == 13 for batch in batches for record in batch.records):
            raise TypeError("a defect of ours")
        return ingest(connection, integration_id, batches, now_ms)

    monkeypatch.setattr(rig.ports.sink, "ingest", with_a_defect)
    batch = Batch([position("t1", n) for n in range(10, 16)], {"positions": "15"})
    with caplog.at_level(logging.ERROR):
        await asyncio.shield(watched.intake.deliver(batch))
    assert "Traceback" in caplog.text
    assert stored_positions(rig) == 5
    (stored,) = watched.stored
    assert len(stored.defects) == 1
    with rig.store.read() as connection:
        aside = connection.execute(select(RejectedRecord.record_key, RejectedRecord.why, RejectedRecord.sample)).one()
        assert connection.execute(select(Cursor.value)).scalar_one() == "15"
        assert connection.execute(select(func.count()).select_from(RawFrameRow)).scalar_one() == 5
    assert aside.record_key == "Position"
    assert "TypeError" in aside.why
    assert "serial=13" in aside.sample


async def test_counters_are_stored_when_nothing_else_is(rig: Rig, watched: Watched) -> None:
    watched.intake.count("bad_checksum")
    watched.intake.count("bad_checksum", 4)
    assert await watched.intake.drain(5)
    with rig.store.read() as connection:
        assert connection.execute(select(IntegrationDay.counters)).scalar_one() == {"bad_checksum": 5}


async def test_a_closed_store_fails_the_delivery_and_nothing_hangs(rig: Rig, watched: Watched) -> None:
    rig.store.close()
    with pytest.raises(StoreError):
        await asyncio.shield(watched.intake.deliver(positions(1)))
    assert await watched.intake.drain(1)
    await until(lambda: watched.failed)
