"""A car's own gauge as the gateway reads it, through a simulated ELM327."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import BadReply, NotReady
from adapters.fuel_monitoring.decoders import DECODERS
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.obd_adapter import ObdAdapter
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle
from adapters.records import EngineReading, FuelSensorInfo
from tests.adapters.fuel_monitoring.gateway import check, listening
from tests.adapters.fuel_monitoring.lines import needs_pty

pytestmark = needs_pty


@pytest.fixture
def car() -> DrivenVehicle:
    made = DrivenVehicle(((9.0, 7.4), (8.9, 8.4)), tank_l=60, level_l=30)
    made.advance(60)
    return made


@pytest.fixture
def adapter(car: DrivenVehicle, tmp_path: Path) -> Iterator[ObdAdapter]:
    with ObdAdapter.on_pty(car, tmp_path / "obd") as made:
        yield made


def entered(adapter: ObdAdapter, **more: Any) -> dict[str, Any]:
    return {"protocol": "elm327", "port": adapter.port, "vehicle": "ABJ-1", "sensors": "1", **more}


async def test_level_and_engine_are_read_with_their_bytes(adapter: ObdAdapter, car: DrivenVehicle) -> None:
    async with listening(entered(adapter)) as running:
        inlet = running.inlet
        await running.until(lambda: len(inlet.levels()) >= 2 and inlet.of(EngineReading))
        stopped = adapter.stopped  # leaving may well break off a command under way
    (info,) = inlet.of(FuelSensorInfo)
    assert (info.kind, info.unit, info.model) == ("obd", "percent", "ELM327 v1.5")
    reading = inlet.levels()[0]
    assert reading.value == pytest.approx(car.percent, abs=0.4)
    assert reading.raw is not None
    (shown,) = DECODERS["elm327"](reading.raw.data, {"command": "012F"})
    assert shown["value"] == pytest.approx(reading.value, abs=1e-5)
    engine = inlet.of(EngineReading)[0]
    assert engine.engine_rpm == pytest.approx(car.rpm, abs=0.3)
    assert engine.speed_km_h == round(car.speed_km_h)
    assert engine.total_fuel_l is None
    assert stopped == 0  # no byte before the prompt
    assert adapter.commands[-1] == "ATPC"


async def test_a_clone_that_knows_less_is_read_all_the_same(adapter: ObdAdapter) -> None:
    adapter.faults.clone = True
    async with listening(entered(adapter)) as running:
        await running.until(lambda: len(running.inlet.levels()) >= 2)
    assert running.inlet.of(FuelSensorInfo)[0].model == "ELM327 v2.1"


async def test_with_the_ignition_off_it_waits_and_searches_again(adapter: ObdAdapter) -> None:
    adapter.faults.ignition = False
    async with listening(entered(adapter), times=20) as running:
        inlet = running.inlet
        await running.until(lambda: "switch the ignition on" in "".join(inlet.said))
        assert inlet.levels() == []
        searched = adapter.commands.count("ATSP0")
        adapter.faults.ignition = True
        await running.until(inlet.levels)
        assert adapter.commands.count("ATSP0") > searched
        assert inlet.said[-1] == f"1 sensor answers at {adapter.port}."
        adapter.faults.ignition = False  # NO DATA from now on
        await running.until(lambda: "the vehicle does not since" in inlet.said[-1])
        assert not running.task.done()


async def test_a_vehicle_without_a_level_gives_its_engine_alone(adapter: ObdAdapter) -> None:
    adapter.faults.without_level = True
    async with listening(entered(adapter)) as running:
        await running.until(lambda: len(running.inlet.of(EngineReading)) >= 2)
    assert running.inlet.levels() == []
    _identity, steps = await check(entered(adapter))
    assert "tells no fuel level over OBD" in steps[-1].detail


async def test_a_level_that_is_missing_for_a_while_comes_back_and_the_engine_is_read_meanwhile(
    adapter: ObdAdapter,
) -> None:
    async with listening(entered(adapter)) as running:
        inlet = running.inlet
        await running.until(inlet.levels)
        adapter.faults.level_missing = True
        await running.until(lambda: "tells its engine's figures, and no fuel level since" in inlet.said[-1])
        searched, heard = adapter.commands.count("ATSP0"), len(inlet.of(EngineReading))
        await running.until(lambda: len(inlet.of(EngineReading)) >= heard + 4)
        assert adapter.commands.count("ATSP0") == searched  # a vehicle that speaks is not searched for again
        read = len(inlet.levels())
        adapter.faults.level_missing = False
        await running.until(lambda: len(inlet.levels()) > read)
        assert inlet.said[-1] == f"1 sensor answers at {adapter.port}."


async def test_a_vehicle_without_a_level_is_told_awake_again(adapter: ObdAdapter) -> None:
    adapter.faults.without_level = True
    adapter.faults.ignition = False
    async with listening(entered(adapter), times=20) as running:
        inlet = running.inlet
        await running.until(lambda: "switch the ignition on" in "".join(inlet.said))
        adapter.faults.ignition = True
        await running.until(lambda: "engine figures alone are kept" in inlet.said[-1])


async def test_faults_of_the_line_and_a_busy_car_cost_single_readings(adapter: ObdAdapter) -> None:
    async with listening(entered(adapter)) as running:
        inlet = running.inlet
        await running.until(inlet.levels)
        adapter.faults.line_errors = adapter.faults.busy_for = 2
        read = len(inlet.levels())
        await running.until(lambda: len(inlet.levels()) >= read + 2)
    assert inlet.counted["obd_errors"] >= 1


async def test_an_adapter_that_lost_its_supply_is_set_up_again(adapter: ObdAdapter) -> None:
    async with listening(entered(adapter, period_s=0.3)) as running:
        inlet = running.inlet
        await running.until(inlet.levels)
        resets = adapter.commands.count("ATZ")
        adapter.dip()
        read = len(inlet.levels())
        await running.until(lambda: len(inlet.levels()) >= read + 3)
        assert adapter.commands.count("ATZ") >= resets


async def test_who_is_no_adapter_is_told_from_nobody(adapter: ObdAdapter, tmp_path: Path) -> None:
    adapter.faults.silent = True
    with pytest.raises(NotReady, match="No OBD adapter answers"):
        await check(entered(adapter))
    with (
        SensorBus.on_pty([LlsSensor(1, output_mode=2)], tmp_path / "lls", second_s=0.05, speed=0) as bus,
        pytest.raises(BadReply, match="is no OBD adapter"),
    ):
        await check({"protocol": "elm327", "port": bus.port, "sensors": "1"})
