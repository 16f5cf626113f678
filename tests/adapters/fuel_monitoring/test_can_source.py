"""A vehicle's CAN bus as the gateway reads it, through simulated bridges on a pseudo terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Layer
from adapters.errors import BadReply, NotReady, SettingsInvalid
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import SignalStatus
from adapters.fuel_monitoring.decoders import DECODERS
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.can_bridge import BridgeKind, CanBridge, J1939Engine
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle
from adapters.records import EngineReading, FuelSensorInfo
from tests.adapters.fuel_monitoring.gateway import check, listening
from tests.adapters.fuel_monitoring.lines import needs_pty

pytestmark = needs_pty
ROUTE = ((12.0, 8.5), (11.0, 7.7))


@pytest.fixture
def lorry() -> DrivenVehicle:
    made = DrivenVehicle(ROUTE, level_l=200.0, tank_l=400.0)
    made.advance(60)
    return made


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "bridge"


@pytest.fixture
def bridge(request: pytest.FixtureRequest, lorry: DrivenVehicle, link: Path) -> Iterator[CanBridge]:
    kind: BridgeKind = getattr(request, "param", "slcan")
    with CanBridge.on_pty(J1939Engine(lorry), link, kind) as made:
        yield made


of_both_kinds = pytest.mark.parametrize("bridge", ["slcan", "gvret"], indirect=True)


def entered(bridge: CanBridge, **more: Any) -> dict[str, Any]:
    return {"protocol": bridge.kind, "port": bridge.port, "vehicle": "LAG-1", "sensors": "1", "period_s": 0.2, **more}


@of_both_kinds
async def test_level_and_engine_are_sampled_with_the_frames_behind(bridge: CanBridge, lorry: DrivenVehicle) -> None:
    async with listening(entered(bridge)) as running:
        inlet = running.inlet
        await running.until(lambda: len(inlet.levels()) >= 2 and len(inlet.of(EngineReading)) >= 5)
    (info,) = inlet.of(FuelSensorInfo)
    assert (info.sensor, info.kind, info.unit) == (f"j1939:{bridge.port}:96", "can_bus", "percent")
    reading = inlet.levels()[0]
    assert reading.status == "ok"
    assert reading.value == pytest.approx(lorry.percent, abs=0.2)
    assert reading.temperature_c == lorry.temperature_c
    assert reading.raw is not None
    (shown,) = DECODERS[bridge.kind](reading.raw.data, {})
    assert shown["id"] == "18FEFC00"
    assert bytes.fromhex(shown["data"])[1] * 0.4 == pytest.approx(reading.value)
    engine = inlet.of(EngineReading)[-1]
    assert engine.total_fuel_l == pytest.approx(lorry.total_fuel_l, abs=0.001)
    assert engine.odometer_m == pytest.approx(lorry.odometer_m, abs=5)
    assert engine.engine_rpm == pytest.approx(lorry.rpm, abs=0.2)
    assert engine.speed_km_h == pytest.approx(lorry.speed_km_h, abs=0.01)
    assert engine.fuel_rate_l_h == pytest.approx(lorry.fuel_rate_l_h, abs=0.05)
    assert engine.engine_hours == pytest.approx(lorry.engine_h, abs=0.05)


@of_both_kinds
async def test_the_bus_is_listened_to_and_nothing_is_sent_on_it(bridge: CanBridge) -> None:
    async with listening(entered(bridge)) as running:
        await running.until(running.inlet.levels)
    assert bridge.is_listen_only
    assert bridge.wrote == []


@pytest.mark.parametrize("status", ["error", "not_available", "reserved"])
async def test_what_is_no_value_never_becomes_one(lorry: DrivenVehicle, link: Path, status: SignalStatus) -> None:
    with CanBridge.on_pty(J1939Engine(lorry), link) as bridge:
        bridge.engine.faults.statuses = dict.fromkeys((96, 183, 190, 84, 250, 5054, 917, 245), status)
        async with listening(entered(bridge)) as running:
            inlet = running.inlet
            await running.until(lambda: bool(inlet.levels()) and bool(inlet.of(EngineReading)))
    assert {(reading.value, reading.status) for reading in inlet.levels()} == {(None, status)}
    for engine in inlet.of(EngineReading):
        assert engine.engine_rpm is engine.speed_km_h is engine.fuel_rate_l_h is None
        assert engine.total_fuel_l is engine.odometer_m is None


async def test_both_levels_of_one_message_are_two_sensors(bridge: CanBridge) -> None:
    async with listening(entered(bridge, sensors="1 = main, 2 = second")) as running:
        await running.until(lambda: running.inlet.levels(":96") and running.inlet.levels(":38"))
    assert {reading.status for reading in running.inlet.levels(":38")} == {"not_available"}


DBC = """VERSION ""
NS_ :
BS_:
BU_: PROBE
BO_ 2566848542 TankProbe: 8 PROBE
 SG_ Level : 0|16@1+ (0.1,0) [0|6000] "mm" Vector__XXX
 SG_ Water : 16|16@1+ (0.1,0) [0|6000] "mm" Vector__XXX
"""
"""The message 18FF001E of a probe with a protocol of its own."""


async def test_a_probe_with_messages_of_its_own_is_read_by_its_makers_file(bridge: CanBridge, tmp_path: Path) -> None:
    file = tmp_path / "probe.dbc"
    file.write_text(DBC, "utf-8")
    probe = {
        "sensors": "1, 3 = depot tank",
        "dbc": str(file),
        "dbc_signal": "TankProbe.Level",
        "dbc_unit": "millimetres",
    }
    level = bytearray((12_345).to_bytes(2, "little") + bytes(6))
    bridge.engine.others = lambda: [CanFrame(0x18FF001E, bytes(level))]
    _identity, steps = await check(entered(bridge, **probe))
    assert "TankProbe.Level is 1234.5" in steps[-1].detail
    async with listening(entered(bridge, **probe)) as running:
        inlet = running.inlet
        await running.until(lambda: inlet.levels(":TankProbe.Level") and inlet.levels(":96"))
        level[:2] = b"\xff\xff"
        await running.until(lambda: inlet.levels(":TankProbe.Level")[-1].status == "not_available")
    assert inlet.levels(":TankProbe.Level")[0].value == pytest.approx(1234.5)
    assert inlet.levels(":TankProbe.Level")[-1].value is None
    assert {info.unit for info in inlet.of(FuelSensorInfo)} == {"percent", "millimetres"}
    for wrong, field in (({"dbc": ""}, "dbc"), ({"dbc_signal": "TankProbe.Nothing"}, "dbc_signal")):
        with pytest.raises(SettingsInvalid) as found:
            await check(entered(bridge, **{**probe, **wrong}))
        assert found.value.field == field


async def test_an_electrical_fault_of_the_sender_is_told_also_in_a_long_message(bridge: CanBridge) -> None:
    bridge.engine.faults.codes = [(96, 4)]
    async with listening(entered(bridge)) as running:
        await running.until(lambda: "electrical fault" in "".join(running.inlet.said))
        bridge.engine.faults.codes = []
        await running.until(lambda: "electrical fault" not in running.inlet.said[-1])
        bridge.engine.faults.codes = [(110, 0), (96, 3), (190, 2)]  # three codes do not fit into one frame
        await running.until(lambda: "electrical fault" in running.inlet.said[-1])
        read = len(running.inlet.levels())
        await running.until(lambda: len(running.inlet.levels()) > read)
    assert "electrical fault" in str(dict(running.inlet.levels()[-1].attributes or {})["fault"])


async def test_a_busy_bus_costs_no_more_rows_than_readings(lorry: DrivenVehicle, link: Path) -> None:
    with CanBridge.on_pty(J1939Engine(lorry, filler_per_s=1_500), link) as bridge:
        async with listening(entered(bridge)) as running:
            inlet = running.inlet
            await running.until(lambda: inlet.counted["can_frames"] > 3_000)
    assert len(inlet.levels()) < 10
    assert all(reading.raw is not None for reading in inlet.levels())
    assert inlet.counted["bridge_errors"] == inlet.counted["dropped_bytes"] == 0


@of_both_kinds
async def test_garbled_frames_cost_themselves_alone(bridge: CanBridge) -> None:
    bridge.engine.faults.garbled_every = 5
    async with listening(entered(bridge)) as running:
        await running.until(lambda: len(running.inlet.levels()) >= 2)
    assert {reading.status for reading in running.inlet.levels()} == {"ok"}


async def test_with_the_ignition_off_the_bus_sleeps_and_that_is_no_error(bridge: CanBridge) -> None:
    async with listening(entered(bridge), times=10) as running:
        inlet = running.inlet
        await running.until(inlet.levels)
        bridge.engine.faults.silent = True
        await running.until(lambda: "with the ignition off this is usual" in inlet.said[-1])
        read = len(inlet.levels())
        bridge.engine.faults.silent = False
        await running.until(lambda: len(inlet.levels()) > read)
        assert inlet.said[-1] == f"1 sensor answers at {bridge.port}."
        assert not running.task.done()


@of_both_kinds
async def test_a_pulled_bridge_is_set_up_again(bridge: CanBridge) -> None:
    async with listening(entered(bridge)) as running:
        await running.until(running.inlet.levels)
        bridge.unplug()
        error = await running.error()
        assert isinstance(error, NotReady)
        bridge.plug()
        async with listening(entered(bridge)) as again:
            await again.until(again.inlet.levels)


async def test_a_check_says_who_answers_and_what_is_heard(bridge: CanBridge) -> None:
    identity, steps = await check(entered(bridge))
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE, Layer.VERSION]
    assert "Fuel level 1 is 4" in steps[-1].detail or "Fuel level 1 is 5" in steps[-1].detail
    assert identity.unique_id == f"fuel_monitoring:{bridge.port}"
    bridge.engine.faults.silent = True
    _identity, steps = await check(entered(bridge))
    assert "Nothing is heard on the bus: switch the ignition on" in steps[-1].detail


async def test_another_bit_rate_is_silence_with_advice(bridge: CanBridge) -> None:
    _identity, steps = await check(entered(bridge, bit_rate="500000"))
    assert "choose another bit rate" in steps[-1].detail


async def test_what_is_no_bridge_is_a_bad_reply_and_silence_is_not_ready(link: Path, tmp_path: Path) -> None:
    with SensorBus.on_pty([LlsSensor(1, output_mode=1)], link, second_s=0.05, speed=0):
        wanted = {"protocol": "gvret", "port": str(link), "sensors": "1"}
        with pytest.raises(BadReply, match="is no GVRET bridge"):
            await check(wanted)
    silent = tmp_path / "silent"
    with SensorBus.on_pty([], silent, speed=0), pytest.raises(NotReady, match="No SLCAN bridge answers"):
        await check({"protocol": "slcan", "port": str(silent), "sensors": "1"})
