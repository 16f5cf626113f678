"""What a wrong clock, an unsteady or untrusted peer and an absent engine may not do to what the operator is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from adapters.base import Identity, Inlet
from adapters.errors import NotReady
from adapters.records import Batch, RawFrame
from app.clock import utc_now
from app.engine.coordinator import STEADY_S
from app.engine.facts import ENGINE_FACT
from app.engine.phases import Phase
from app.engine.running import is_engine_running
from app.integrations import list_integrations
from app.store.facts import set_fact
from app.store.tables import IntegrationDay
from tests.helpers.engine_rig import Rig
from tests.helpers.fake_adapter import position, settle, until

LISTEN = pytest.mark.parametrize("modes", [frozenset({"listen"})], ids=["listen"])
YEAR_S = 365 * 86_400


def fresh(rig: Rig, number: int) -> Batch:
    return Batch([position("t1", number, now_ms=rig.clock.now_ms())])


@LISTEN
async def test_a_clock_set_back_does_not_keep_old_data_healthy(rig: Rig) -> None:
    async def listen(inlet: Inlet) -> None:
        inlet.connected("listening")
        await asyncio.shield(inlet.deliver(fresh(rig, 1)))
        await asyncio.Event().wait()

    rig.script.listen = listen
    right_ms = rig.clock.now_ms()
    rig.clock.set_wall(right_ms + YEAR_S * 1000)
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)

    rig.clock.set_wall(right_ms)
    await rig.clock.advance(610)

    assert one.state.phase is Phase.STALE
    assert (one.state.last_data_ms or 0) <= rig.clock.now_ms()
    await one.stop()


@LISTEN
async def test_a_peer_that_comes_and_goes_floods_no_log_and_its_steady_return_is_told(rig: Rig) -> None:
    lost = 0
    steady = asyncio.Event()

    async def listen(inlet: Inlet) -> None:
        nonlocal lost
        inlet.connected("listening")
        lost += 1
        await asyncio.shield(inlet.deliver(fresh(rig, lost)))
        if not steady.is_set():
            raise NotReady("The line broke.")
        await asyncio.Event().wait()

    rig.script.listen = listen
    one = rig.coordinator(rig.add())
    one.start()
    for _ in range(60):
        await rig.clock.advance(3)
        await settle()
    assert lost > 20
    await rig.written()
    assert len(rig.logs("peer_lost")) == 2  # the first, and that it does not stay
    assert len(rig.logs("peer_returned")) == 1
    assert "comes and goes" in rig.logs("peer_lost")[1].text

    steady.set()
    await rig.clock.advance(5)
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.clock.advance(STEADY_S + 3)
    await rig.written()
    assert len(rig.logs("peer_returned")) == 2
    await one.stop()


async def test_what_is_not_kept_is_counted_in_the_day(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.fleet.strays.KEPT_PER_HOUR", 1)
    now_ms = rig.clock.now_ms()
    junk = [RawFrame("gt06", b"%d" % n, now_ms, "127.0.0.1:1", None, "bad_checksum") for n in range(4)]
    rig.script.fetches = [[Batch(junk)]]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.last_success_ms is not None)
    await one.stop()
    await rig.written()

    with rig.store.read() as connection:
        counters = connection.execute(select(IntegrationDay.counters)).scalar_one()
    assert counters == {"unkept": 3}


async def test_without_an_engine_nothing_is_called_healthy(rig: Rig) -> None:
    rig.script.fetches = [[fresh(rig, 1)]]
    one = rig.coordinator(rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.written()

    def row_after(beat_age_s: float, state: str = "running") -> tuple[str, str]:
        beat_at_ms = round((utc_now() - timedelta(seconds=beat_age_s)).timestamp() * 1000)
        beat = {"state": state, "beat_at_ms": beat_at_ms}
        rig.store.write(lambda c: set_fact(c, ENGINE_FACT, beat)).result()
        with rig.store.read() as connection:
            (row,) = list_integrations(connection)
        assert (row.next_try is None) or row.phase == "retrying"
        return row.phase, row.reason

    assert row_after(1)[0] == "healthy"
    for phase, reason in (row_after(15), row_after(1, "stopped"), row_after(-86_400)):
        assert phase == "stale"
        assert "biko-console gateway" in reason
    await one.stop()


async def test_a_heartbeat_of_tomorrow_is_no_running_engine(rig: Rig) -> None:
    now_ms = rig.clock.now_ms()
    rig.store.write(
        lambda c: set_fact(c, ENGINE_FACT, {"state": "running", "beat_at_ms": now_ms + YEAR_S * 1000})
    ).result()
    with rig.store.read() as connection:
        assert not is_engine_running(connection, now_ms)


async def test_a_defect_that_passes_does_not_keep_an_unattended_integration_down(rig: Rig) -> None:
    rig.script.fetches = [ZeroDivisionError("odd"), ZeroDivisionError("odd"), [fresh(rig, 1)]]
    one = rig.coordinator(rig.add())
    one.start()
    for times in (1, 2):
        await until(lambda: one.state.phase is Phase.ERROR and rig.script.fetched == times)  # noqa: B023
        assert "by itself" in one.state.reason
        next_try_ms = one.state.next_try_ms
        assert next_try_ms is not None
        wait_s = (next_try_ms - rig.clock.now_ms()) / 1000
        assert wait_s >= 240
        await rig.clock.advance(wait_s + 1)
        await rig.clock.advance(1)
    await until(lambda: one.state.phase is Phase.STALE)  # it works, and its data has grown old meanwhile
    await rig.written()
    assert rig.open_problems() == []
    assert len(rig.logs("defect")) == 1  # told once, tried again quietly
    await one.stop()


async def test_a_certificate_refused_at_the_start_is_tried_again_and_shown_with_the_settings(rig: Rig) -> None:
    refused = NotReady(
        "Issued by nobody that is known. Its fingerprint is AA:BB.", field="fingerprint", proposal="AA:BB"
    )
    rig.script.checks = [refused, refused, Identity("fake:1", "Fake one")]
    rig.script.fetches = [[fresh(rig, 1)], ()]
    one = rig.coordinator(integration_id := rig.add())
    one.start()
    await until(lambda: one.state.phase is Phase.RETRYING)
    assert one.state.reason == refused.why
    assert one.state.next_try_ms is not None
    await rig.written()
    (problem,) = rig.open_problems()
    assert problem.problem_key == f"setting:{integration_id}"
    assert problem.fix == "settings"
    assert problem.detail.startswith(refused.why)
    await rig.clock.advance(20)  # its administrator puts it right meanwhile
    await until(lambda: one.state.phase is Phase.HEALTHY)
    await rig.written()
    assert rig.open_problems() == []
    await one.stop()
