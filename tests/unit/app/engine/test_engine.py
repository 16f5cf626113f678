from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from adapters.base import Identity
from adapters.errors import AuthFailed
from adapters.records import Batch
from app.engine.commands import CHECK, STOP, SYNC, give_command, outcome_of
from app.engine.engine import Engine
from app.engine.phases import Phase
from app.integrations.changes import change, disable, enable, remove
from tests.helpers.engine_rig import Rig
from tests.helpers.fake_adapter import position, until


@pytest_asyncio.fixture
async def engine(rig: Rig) -> AsyncIterator[Engine]:
    ports = rig.ports
    engine = Engine(
        rig.store,
        ports.catalogue,
        ports.vault,
        clock=rig.clock,
        sink=ports.sink,
        tasks=ports.tasks,
        make_kit=rig.kits,
        rng=ports.rng,
    )
    running = ports.tasks.start(engine.run(), name="engine", owner="test")
    await until(engine._loaded.is_set)
    yield engine
    engine.stop()
    await running


async def answer(rig: Rig, name: str, integration_id: str | None = None) -> Any:
    give = partial(give_command, name=name, now_ms=rig.clock.now_ms(), integration_id=integration_id)
    command_id = await asyncio.wrap_future(rig.store.write(give))

    def look() -> Any:
        with rig.store.read() as connection:
            return outcome_of(connection, command_id)

    return await until(look)


async def started(rig: Rig, engine: Engine, integration_id: str) -> None:
    await until(lambda: integration_id in engine.states)
    await rig.clock.advance(0.01)
    await until(lambda: engine.states[integration_id].phase in {Phase.HEALTHY, Phase.STALE})


async def test_what_another_process_adds_changes_and_disables_takes_effect(rig: Rig, engine: Engine) -> None:
    integration_id = await asyncio.to_thread(rig.add)
    await started(rig, engine, integration_id)
    assert rig.script.fetched == 1

    await asyncio.to_thread(change, rig.desk, integration_id, values={"label": "new"})
    await until(lambda: rig.script.fetched == 2)

    await asyncio.to_thread(change, rig.desk, integration_id, secrets={"token": "abc-def-ghi"})
    await until(lambda: rig.script.fetched == 3)

    await asyncio.to_thread(change, rig.desk, integration_id, name="Renamed")
    await until(lambda: engine._coordinators[integration_id].configured.name == "Renamed")
    assert rig.script.fetched == 3, "a new name alone disturbs nothing"

    await asyncio.to_thread(disable, rig.desk, integration_id)
    await until(lambda: integration_id not in engine.states)
    await until(lambda: rig.state(integration_id).phase is Phase.DISABLED)

    await asyncio.to_thread(enable, rig.desk, integration_id)
    await until(lambda: rig.script.fetched == 4)
    await asyncio.to_thread(remove, rig.desk, integration_id)
    await until(lambda: integration_id not in engine.states)


async def test_one_integration_with_a_defect_leaves_the_others_alone(rig: Rig, engine: Engine) -> None:
    first = await asyncio.to_thread(rig.add, "First")
    await started(rig, engine, first)
    rig.script.checks = [RuntimeError("a defect"), Identity("fake:2", "Fake")]
    second = await asyncio.to_thread(rig.add, "Second", values={"label": "two"})
    await until(lambda: second in engine.states and engine.states[second].phase is Phase.ERROR)
    assert engine.states[first].phase is Phase.STALE
    assert (await answer(rig, SYNC, first))["ok"]


async def test_sync_by_command_row_answers_with_the_counts(rig: Rig, engine: Engine) -> None:
    integration_id = await asyncio.to_thread(rig.add)
    await started(rig, engine, integration_id)
    rig.script.fetches = [[Batch([position("t", 1)])], ()]
    found = await answer(rig, SYNC, integration_id)
    assert found["ok"]
    assert found["event_type"] == "sync_success"
    assert found["counts"] == {"raw_frames": 1, "positions": 1}


async def test_sync_of_what_is_not_enabled_and_unknown_commands_are_refused_plainly(rig: Rig, engine: Engine) -> None:
    assert "not enabled" in (await answer(rig, SYNC, "nobody"))["error"]
    assert "no command" in (await answer(rig, "dance"))["error"]
    assert "does not exist" in (await answer(rig, CHECK, "nobody"))["error"]


async def test_check_by_command_row_uses_the_stored_settings(rig: Rig, engine: Engine) -> None:
    integration_id = await asyncio.to_thread(rig.add)
    await started(rig, engine, integration_id)
    assert (await answer(rig, CHECK, integration_id))["identity"] == "fake:1"
    rig.script.checks = [AuthFailed("The token was refused.")]
    found = await answer(rig, CHECK, integration_id)
    assert not found["ok"]
    assert found["layers"][-1]["detail"] == "The token was refused."


async def test_the_stop_command_ends_the_engine(rig: Rig, engine: Engine) -> None:
    assert (await answer(rig, STOP))["ok"]
    await until(engine._stopping.is_set)


async def test_starts_are_spread(rig: Rig, engine: Engine) -> None:
    def add_three() -> list[str]:
        return [rig.add(f"N{n}", values={"label": str(n)}) for n in range(3)]

    ids = await asyncio.to_thread(add_three)
    await until(lambda: set(ids) <= set(engine.states))
    await rig.clock.advance(0.01)
    early = rig.script.checked
    await rig.clock.advance(5)
    await until(lambda: rig.script.checked == 3)
    assert early <= rig.script.checked


@pytest.mark.parametrize("modes", [frozenset({"listen"})], ids=["listen"])
async def test_ready_waits_for_every_first_try(rig: Rig, engine: Engine) -> None:
    integration_id = await asyncio.to_thread(rig.add)
    await until(lambda: integration_id in engine.states)
    states = await engine.wait_started(5)
    assert states["Depot server"].phase is Phase.STALE
