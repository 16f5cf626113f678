from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from adapters.base import Identity, Inlet
from adapters.errors import AuthFailed, BadReply, NotReady, RecordRejected, SettingsInvalid, Unsupported
from adapters.records import Batch
from app.engine.phases import Phase
from app.store.errors import StoreFull
from app.store.tables import Cursor, Integration, IntegrationDay, PositionRow, RejectedRecord
from tests.helpers.engine_rig import Rig
from tests.helpers.fake_adapter import position, settle, until

LISTEN = pytest.mark.parametrize("modes", [frozenset({"listen"})], ids=["listen"])
BOTH = pytest.mark.parametrize("modes", [frozenset({"listen", "pull"})], ids=["both"])


def count(rig: Rig, table: Any) -> int:
    with rig.store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def fresh(rig: Rig, *numbers: int) -> Batch:
    return Batch([position("t1", n, now_ms=rig.clock.now_ms()) for n in numbers], {"positions": str(numbers[-1])})


async def test_a_good_start_checks_fetches_stores_and_is_healthy(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1, 2), fresh(rig, 3)], ()]
    one = rig.coordinator(integration_id := rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)  # after the first batch
    await until(lambda: rig.logs("sync_success"))
    await rig.written()
    assert count(rig, PositionRow) == 3
    (line,) = rig.logs("sync_success")
    assert line.payload["counts"] == {"raw_frames": 3, "positions": 3}
    assert line.payload["why"] == "start"
    state = rig.state(integration_id)
    assert state.phase is Phase.HEALTHY
    assert state.detail["version"] == "1.0"
    with rig.store.read() as connection:
        row = connection.execute(select(Integration.status, Integration.last_sync)).one()
        day = connection.execute(select(IntegrationDay.runs, IntegrationDay.records)).one()
    assert row.status == "active"
    assert row.last_sync is not None
    assert tuple(day) == (1, 3)
    await one.stop()


async def test_runs_follow_the_schedule_and_get_the_stored_cursors(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1)], [fresh(rig, 2)], ()]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: len(rig.script.cursors_seen) == 1 and one.state.phase is Phase.HEALTHY)
    await rig.clock.advance(53)
    assert rig.script.fetched == 1
    await rig.clock.advance(14)
    await until(lambda: len(rig.script.cursors_seen) == 2)
    assert rig.script.cursors_seen == [{}, {"positions": "1"}]
    await one.stop()


async def test_each_batch_is_stored_with_its_cursor_before_the_next_is_asked_for(rig: Rig) -> None:
    rig.script.gate = asyncio.Event()
    rig.script.fetches = [[fresh(rig, 1), fresh(rig, 2), NotReady("The line broke.")], ()]
    one = rig.coordinator(rig.add())
    one.start()
    rig.script.gate.set()
    await until(lambda: one.state.phase is Phase.RETRYING)
    await rig.written()
    with rig.store.read() as connection:
        assert connection.execute(select(Cursor.value)).scalar_one() == "2"
    assert count(rig, PositionRow) == 2
    (line,) = rig.logs("sync_error")
    assert line.payload["counts"] == {"raw_frames": 2, "positions": 2}
    await one.stop()


@pytest.mark.parametrize(
    ("error", "phase", "kind", "fix"),
    [
        (AuthFailed("The token was refused."), Phase.NEEDS_SIGN_IN, "sign_in", "sign_in"),
        (SettingsInvalid("url", "No such path."), Phase.MISCONFIGURED, "misconfigured", "settings"),
        (Unsupported("Upgrade the server."), Phase.ERROR, "unsupported", "none"),
    ],
)
async def test_what_only_a_person_can_end_stops_and_raises_a_problem(
    rig: Rig, error: Exception, phase: Phase, kind: str, fix: str
) -> None:
    rig.script.checks = [error, Identity("fake:1", "Fake one")]
    one = rig.coordinator(integration_id := rig.add())
    one.start()
    await until(lambda: one.state.phase is phase)
    await rig.clock.advance(3600)
    assert rig.script.checked == 1
    await rig.written()
    (problem,) = rig.open_problems()
    assert problem.problem_key == f"{kind}:{integration_id}"
    assert problem.fix == fix
    assert problem.detail == str(error)
    with rig.store.read() as connection:
        assert connection.execute(select(Integration.status)).scalar_one() == "error"
    # A wish of the operator starts it again, and success clears the problem.
    rig.script.fetches = [[fresh(rig, 1)], ()]
    outcome = await one.sync_now()
    assert outcome.ok
    await rig.written()
    assert rig.open_problems() == []
    await one.stop()


async def test_a_defect_of_ours_stops_only_this_one_and_is_named(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.script.fetches = [ZeroDivisionError("division by zero")]
    one = rig.coordinator(rig.add())
    with caplog.at_level(logging.ERROR):
        one.start()
        await until(lambda: one.state.phase is Phase.ERROR)
    assert "Traceback" in caplog.text
    await rig.written()
    (problem,) = rig.open_problems()
    assert problem.problem_key.startswith("defect:")
    assert "ZeroDivisionError" in problem.detail
    (line,) = rig.logs("sync_error")
    assert line.payload["error"] == "ZeroDivisionError"
    await one.stop()


async def test_a_lost_peer_is_retried_with_growing_delays_and_logged_once(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1)], NotReady("No answer."), NotReady("No answer."), BadReply("Odd.", "<html>")]
    one = rig.coordinator(integration_id := rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)
    assert not (await one.sync_now()).ok
    seen = []

    def has_failed(times: int) -> bool:
        return one.state.failures == times

    for failures in range(1, 7):
        await until(partial(has_failed, failures))
        assert one.state.phase is Phase.RETRYING
        assert one.state.next_try_ms is not None
        wait_s = (one.state.next_try_ms - rig.clock.now_ms()) / 1000
        seen.append(wait_s)
        await rig.clock.advance(wait_s + 0.1)
        await rig.clock.advance(0.1)  # a sleep that began within the step before ends so much later
    assert seen[5] > seen[2] > seen[0] >= 1.0
    rig.script.fetches = [[fresh(rig, 9)], ()]
    await until(lambda: one.state.failures == 7)
    assert one.state.next_try_ms is not None
    await rig.clock.advance((one.state.next_try_ms - rig.clock.now_ms()) / 1000 + 0.1)
    await rig.clock.advance(0.1)
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.written()
    assert rig.state(integration_id).failures == 0
    assert len(rig.logs("peer_lost")) == 1
    (returned,) = rig.logs("peer_returned")
    assert "works again" in returned.text
    assert len(rig.logs("sync_error")) == 7
    assert rig.logs("sync_error")[-1].payload["sample"] == "<html>"
    with rig.store.read() as connection:
        assert connection.execute(select(Integration.status)).scalar_one() == "active"
    await one.stop()


async def test_retry_after_is_honoured(rig: Rig) -> None:
    rig.script.checks = [NotReady("Too many requests.", retry_after_s=120), Identity("fake:1", "Fake one")]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.RETRYING)
    await rig.clock.advance(119.9)
    assert rig.script.checked == 1
    await rig.clock.advance(7)
    await until(lambda: rig.script.checked == 2)
    await one.stop()


async def test_another_system_at_the_same_address_is_refused_before_anything_is_fetched(rig: Rig) -> None:
    rig.script.checks = [Identity("fake:2", "Somebody else")]
    one = rig.coordinator(rig.add(identity=Identity("fake:1", "Fake one")))
    one.start()
    await until(lambda: one.state.phase is Phase.MISCONFIGURED)
    assert "Somebody else" in one.state.reason
    assert rig.script.fetched == 0
    await one.stop()


async def test_data_that_stays_away_turns_healthy_into_stale(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1)], ()]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.clock.advance(530)
    assert one.state.phase is Phase.HEALTHY
    await rig.clock.advance(20)
    await until(lambda: one.state.phase is Phase.STALE)
    rig.script.fetches = [[fresh(rig, 50_000)], ()]
    await rig.clock.advance(70)
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await one.stop()


async def test_sync_now_waits_for_a_run_that_begins_after_the_wish(rig: Rig) -> None:
    rig.script.gate = asyncio.Event()
    rig.script.fetches = [[fresh(rig, 1)], [fresh(rig, 2)], ()]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.fetched == 1)
    wish = asyncio.ensure_future(one.sync_now())
    await settle()
    rig.script.gate.set()
    outcome = await wish
    assert rig.script.fetched == 2
    assert outcome.ok
    assert outcome.as_answer()["event_type"] == "sync_success"
    assert outcome.counts == {"raw_frames": 1, "positions": 1}
    await rig.written()
    (line,) = rig.logs("sync_postponed")
    assert "as soon as that one has ended" in line.text
    await one.stop()


async def test_sync_now_reports_a_failure_in_the_peers_words(rig: Rig) -> None:
    rig.script.fetches = [(), BadReply("The server sent a page instead of data.")]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.fetched == 1 and one.state.phase is Phase.STALE)
    answer = (await one.sync_now()).as_answer()
    assert answer["ok"] is False
    assert answer["event_type"] == "sync_error"
    assert "page instead of data" in answer["error"]
    await one.stop()


async def test_sync_now_is_answered_when_the_integration_is_stopped(rig: Rig) -> None:
    rig.script.gate = asyncio.Event()
    rig.script.fetches = [[fresh(rig, 1)]]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.fetched == 1)
    wish = asyncio.ensure_future(one.sync_now())
    await settle()
    await one.stop()
    assert not (await wish).ok


async def test_a_run_longer_than_its_interval_is_explained(rig: Rig) -> None:
    rig.script.gate = asyncio.Event()
    rig.script.fetches = [[fresh(rig, 1)], ()]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.fetched == 1)
    await rig.clock.advance(130)
    rig.script.gate.set()
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.written()
    (line,) = rig.logs("sync_skipped")
    assert line.payload["skipped"] == 2
    await one.stop()


async def test_a_rejected_record_is_set_aside(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1), RecordRejected("row 7", "It has no date.")], ()]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.RETRYING)
    with rig.store.read() as connection:
        row = connection.execute(select(RejectedRecord.record_key, RejectedRecord.why)).one()
    assert tuple(row) == ("row 7", "It has no date.")
    assert count(rig, PositionRow) == 1
    await one.stop()


@LISTEN
async def test_a_listener_without_data_says_that_it_listens_and_is_not_healthy(rig: Rig) -> None:
    one = rig.coordinator(integration_id := rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.STALE)
    assert one.state.reason == "listening on nothing. No device has reported yet."
    await rig.written()
    assert rig.state(integration_id).last_success_ms is None
    with rig.store.read() as connection:
        assert connection.execute(select(Integration.status)).scalar_one() == "configured"
    answer = (await one.sync_now()).as_answer()
    assert not answer["ok"]
    assert "listens" in answer["error"]
    await one.stop()


@LISTEN
async def test_what_a_listener_delivers_makes_it_healthy_and_is_stored_before_the_answer(rig: Rig) -> None:
    answered: list[int] = []

    async def listen(inlet: Inlet) -> None:
        inlet.connected("listening")
        await asyncio.shield(inlet.deliver(fresh(rig, 1)))
        answered.append(count(rig, PositionRow))
        inlet.count("skipped_bytes", 7)

    rig.script.listen = listen
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await until(lambda: answered == [1])
    await rig.clock.advance(2.1)
    await one.stop()
    await rig.written()
    with rig.store.read() as connection:
        day = connection.execute(select(IntegrationDay.records, IntegrationDay.counters)).one()
    assert day.records == 1
    assert day.counters == {"skipped_bytes": 7}


@LISTEN
async def test_a_port_that_cannot_be_bound_is_retried_and_named(rig: Rig) -> None:
    async def listen(inlet: Inlet) -> None:
        raise NotReady("Port 5022 is taken by another program. Stop it, or choose another port.")

    rig.script.listen = listen
    one = rig.coordinator(rig.add())
    one.start()
    await until(one.started.is_set)
    assert one.state.phase is Phase.RETRYING
    assert "Port 5022 is taken" in one.state.reason
    rig.script.listen = None
    await rig.clock.advance(3)
    await until(lambda: one.state.phase is Phase.STALE)
    await one.stop()


@LISTEN
async def test_stopping_cancels_the_listener_and_closes_what_was_lent(rig: Rig) -> None:
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.listened == 1)
    await one.stop()
    assert rig.script.cancelled == 1
    assert all(client.closed for client in rig.kits.clients)
    assert len(rig.tasks) == 0


@LISTEN
async def test_a_full_disk_is_said_and_passes_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[BaseException] = []
    go_on = asyncio.Event()

    async def listen(inlet: Inlet) -> None:
        inlet.connected("listening")
        try:
            await asyncio.shield(inlet.deliver(fresh(rig, 1)))
        except StoreFull as err:
            refused.append(err)
        await go_on.wait()
        await asyncio.shield(inlet.deliver(fresh(rig, 1)))

    ingest = rig.ports.sink.ingest

    def full(*_arguments: Any) -> Any:
        raise StoreFull("The disk is full. Free some space.")

    rig.script.listen = listen
    monkeypatch.setattr(rig.ports.sink, "ingest", full)
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: refused)
    assert one.state.phase is Phase.RETRYING
    assert "disk is full" in one.state.reason
    assert count(rig, PositionRow) == 0
    monkeypatch.setattr(rig.ports.sink, "ingest", ingest)
    # No tracker has to send for the truth to be seen: the store is tried.
    await rig.clock.advance(2.1)
    await until(lambda: one.state.phase is Phase.HEALTHY)
    assert count(rig, PositionRow) == 1, "what was refused was kept"
    go_on.set()
    await rig.written()
    assert len(rig.logs("store_refused")) == 1
    assert len(rig.logs("store_returned")) == 1
    await one.stop()


@BOTH
async def test_a_push_brings_the_next_fetch_forward_and_several_make_one(rig: Rig) -> None:
    inlets: list[Inlet] = []

    async def listen(inlet: Inlet) -> None:
        inlets.append(inlet)
        inlet.connected("live")

    rig.script.listen = listen
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.fetched == 1 and inlets)
    await until(lambda: one.state.phase is Phase.STALE)
    for _ in range(5):
        inlets[0].request_fetch("the live connection had a gap")
    await settle()
    await rig.clock.advance(2.1)
    await until(lambda: rig.script.fetched == 2)
    await rig.clock.advance(20)
    assert rig.script.fetched == 2
    await rig.written()
    assert rig.logs("sync_success")[-1].payload["why"] == "the live connection had a gap"
    await one.stop()


@BOTH
async def test_a_push_does_not_shorten_the_delays_of_a_failing_peer(rig: Rig) -> None:
    inlets: list[Inlet] = []

    async def listen(inlet: Inlet) -> None:
        inlets.append(inlet)
        inlet.connected("live")

    rig.script.listen = listen
    rig.script.fetches = [NotReady("Busy.", retry_after_s=100)]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.RETRYING and inlets)
    inlets[0].request_fetch("gap")
    await rig.clock.advance(50)
    assert rig.script.fetched == 1
    await one.stop()


@BOTH
async def test_a_dead_stream_does_not_stop_the_fetching(rig: Rig) -> None:
    async def listen(inlet: Inlet) -> None:
        raise NotReady("The live connection was refused.")

    rig.script.listen = listen
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.fetched == 1 and one.state.phase is Phase.RETRYING)
    await rig.clock.advance(67)
    await until(lambda: rig.script.fetched == 2)
    assert "fetched at each scheduled run" in one.state.reason
    await one.stop()


async def test_an_unchanged_state_is_not_written_again(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1)], ()]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.clock.advance(4.1)
    await rig.written()

    def version() -> int:
        from app.store.changes import topic_versions

        with rig.store.read() as connection:
            return topic_versions(connection)["integration_states"]

    before = version()
    await rig.clock.advance(20)
    await rig.written()
    assert version() == before
    await one.stop()


@BOTH
async def test_what_was_counted_is_stored_when_a_session_ends(rig: Rig) -> None:
    async def listen(inlet: Inlet) -> None:
        inlet.connected("live")
        inlet.count("skipped_bytes", 2)

    rig.script.listen = listen
    rig.script.fetches = [(), AuthFailed("The token was refused.")]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: rig.script.listened == 1 and rig.script.fetched == 1)
    await one.sync_now()
    await until(lambda: one.state.phase is Phase.NEEDS_SIGN_IN)
    with rig.store.read() as connection:
        assert connection.execute(select(IntegrationDay.counters)).scalar_one() == {"skipped_bytes": 2}
    await one.stop()
