"""Sensors on RS-485 as the gateway reads them, against a simulated bus on a pseudo terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Layer
from adapters.errors import BadReply, NotReady, SettingsInvalid
from adapters.fuel_monitoring.decoders import DECODERS
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import EdeSensor, LlsSensor, ModbusSensor, Td500Sensor
from adapters.records import FuelSensorInfo
from tests.adapters.fuel_monitoring.gateway import check, listening, make_adapter
from tests.adapters.fuel_monitoring.lines import needs_pty

pytestmark = needs_pty
MAP = {
    "key": "sender",
    "label": "Analogue sender",
    "level_unit": "volts",
    "registers": {"level": {"function": 4, "address": 7, "scale": 0.001, "invalid": [65535]}},
}


class Level:
    """A level that a test moves."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self) -> float:
        return self.value


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "port"


@pytest.fixture
def bus(link: Path) -> Iterator[SensorBus]:
    with SensorBus.on_pty([LlsSensor(1, Level(1000)), LlsSensor(2, Level(2000)), LlsSensor(3)], link) as made:
        yield made


def entered(link: Path, **more: Any) -> dict[str, Any]:
    return {"port": str(link), "vehicle": "KAN-1", "sensors": "1 = left, 2 = right", **more}


async def test_sensors_are_told_of_and_read_in_turn_with_their_bytes(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link)) as running:
        inlet = running.inlet
        await running.until(lambda: len(inlet.levels(":1")) >= 4 and len(inlet.levels(":2")) >= 4)
    first, second = inlet.of(FuelSensorInfo)
    assert (first.sensor, first.kind, first.unit, first.vehicle, first.tank) == (
        f"lls:{link}:1", "rs485", "counts", "KAN-1", "left",
    )  # fmt: skip
    assert first.model == second.model == "LLS 30160"
    assert {reading.value for reading in inlet.levels(":1")} == {1000.0}
    assert {reading.value for reading in inlet.levels(":2")} == {2000.0}
    for reading in inlet.levels():
        assert reading.raw is not None
        (shown,) = DECODERS["lls"](reading.raw.data, {})
        assert shown["level"] == reading.value
        assert reading.temperature_c == 21.0
    assert inlet.said == [f"2 sensors answer at {link}."]
    assert not bytes(bus.heard).count(b"\x31\x03")  # only those that were entered are asked


async def test_a_silent_sensor_is_named_and_the_others_go_on(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link), times=20) as running:
        inlet = running.inlet
        await running.until(lambda: inlet.said)
        bus.faults.silent.add(2)
        await running.until(lambda: "Sensor 2 (right) is silent since" in inlet.said[-1])
        read = len(inlet.levels(":1"))
        asked = bus.heard.count(b"\x31\x02\x06")
        await running.until(lambda: bus.heard.count(b"\x31\x02\x06") >= asked + 2)
        assert len(inlet.levels(":1")) >= read + 10  # of which there were many between two tries of the silent one
        bus.faults.silent.clear()
        await running.until(lambda: inlet.said[-1] == f"2 sensors answer at {link}.")
    assert inlet.counted["sensor_timeouts"] >= 2


async def test_when_nobody_answers_the_integration_says_so_and_asks_for_a_try_in_ten_seconds(
    bus: SensorBus, link: Path
) -> None:
    bus.faults.silent |= {1, 2}
    async with listening(entered(link)) as running:
        error = await running.error()
    assert isinstance(error, NotReady)
    assert error.retry_after_s == 10
    assert error.why.startswith(f"No sensor answers at {link}.")
    assert [info.tank for info in running.inlet.of(FuelSensorInfo)] == ["left", "right"]  # known, though silent
    assert running.inlet.said == []
    assert running.inlet.levels() == []


async def test_sensors_that_fall_silent_together_are_told_with_the_time(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link), times=10) as running:
        await running.until(lambda: running.inlet.said)
        bus.faults.silent |= {1, 2}
        error = await running.error()
    assert "any more, since 20" in error.why


async def test_a_broken_probe_is_a_status_and_never_a_number(link: Path) -> None:
    level, count = Level(0), 0
    sensor = LlsSensor(1, level, cnt_empty=count, cnt_full=65_535, level_max=65_535)
    with SensorBus.on_pty([sensor], link):
        async with listening(entered(link, sensors="1")) as running:
            inlet = running.inlet
            for raw, status in ((0, "error"), (500, "ok"), (65_535, "error")):
                level.value = raw
                await running.until(lambda status=status: inlet.levels() and inlet.levels()[-1].status == status)
            sensor.cnt_full = 3_900
            await running.until(lambda: inlet.levels()[-1].status == "out_of_range")
    assert {reading.value for reading in inlet.levels() if reading.status != "ok"} == {None}
    assert {reading.value for reading in inlet.levels() if reading.status == "ok"} <= {500.0}


async def test_bad_checksums_cost_a_try_and_nothing_else(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link)) as running:
        inlet = running.inlet
        await running.until(lambda: inlet.said)
        bus.faults.bad_checksums = 2
        read = len(inlet.levels(":1"))
        await running.until(lambda: len(inlet.levels(":1")) >= read + 4)
    assert inlet.said == [f"2 sensors answer at {link}."]
    assert {reading.value for reading in inlet.levels()} == {1000.0, 2000.0}


async def test_echo_noise_and_pieces_do_not_matter(bus: SensorBus, link: Path) -> None:
    bus.faults.echo, bus.faults.noise, bus.faults.chunk_bytes = True, b"\x3e\x00\xff", 2
    async with listening(entered(link)) as running:
        await running.until(lambda: len(running.inlet.levels()) >= 8)
    assert {reading.value for reading in running.inlet.levels()} == {1000.0, 2000.0}


async def test_two_sensors_with_one_address_are_noticed(link: Path) -> None:
    with SensorBus.on_pty([LlsSensor(1, Level(400)), LlsSensor(1, Level(3000))], link) as bus:
        bus.faults.collision = "alternate"
        async with listening(entered(link, sensors="1 = left")) as running:
            await running.until(lambda: running.inlet.said and "two sensors seem to have" in running.inlet.said[-1])


async def test_a_pulled_adapter_is_an_error_and_comes_back_by_itself(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link)) as running:
        await running.until(running.inlet.levels)
        bus.unplug()
        error = await running.error()
        assert isinstance(error, NotReady)
        assert "was lost" in error.why
        adapter = running.adapter
        with pytest.raises(NotReady, match="There is no port"):
            await adapter.listen(running.inlet)  # as the host does, after a while
        bus.plug()
    async with listening(entered(link)) as again:
        await again.until(lambda: len(again.inlet.levels()) >= 2)


async def test_the_workbench_borrows_the_port_and_the_reading_goes_on_afterwards(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link)) as running:
        inlet = running.inlet
        await running.until(inlet.levels)
        assert not await running.adapter.lend("/dev/another", 30)
        assert await running.adapter.lend(str(link), 30)
        read = len(inlet.levels())
        _identity, steps = await check(entered(link))  # somebody else opens it meanwhile
        assert all(step.ok for step in steps)
        assert len(inlet.levels()) == read
        assert await running.adapter.lend(str(link), 0)
        await running.until(lambda: len(inlet.levels()) >= read + 2)
        assert not running.task.done()


async def test_another_sensor_at_the_same_address_is_told_and_read_all_the_same(link: Path) -> None:
    sensor = EdeSensor(5, Level(700), serial=4711)
    with SensorBus.on_pty([sensor, EdeSensor(6)], link) as bus:
        async with listening(entered(link, protocol="ede", sensors="5 = left, 6"), times=20) as running:
            inlet = running.inlet
            await running.until(lambda: inlet.said)
            bus.faults.silent.add(5)
            await running.until(lambda: "is silent since" in inlet.said[-1])
            sensor.serial = 4712
            bus.faults.silent.clear()
            await running.until(lambda: "Sensor 5 (left): another one answers here than before" in inlet.said[-1])
            assert (
                "EDE 7, serial number 4712, firmware 21, not EDE 7, serial number 4711, firmware 21" in inlet.said[-1]
            )
            read = len(inlet.levels(":5"))
            await running.until(lambda: len(inlet.levels(":5")) > read)
            assert inlet.of(FuelSensorInfo, ":5")[-1].serial == "4712"


async def test_a_sensor_that_was_changed_while_the_adapter_was_pulled_is_told_until_the_first_is_back(
    link: Path,
) -> None:
    sensor = LlsSensor(1)
    with SensorBus.on_pty([sensor], link) as bus:
        async with listening(entered(link, sensors="1 = left")) as running:
            adapter, inlet = running.adapter, running.inlet
            for cnt_full, is_told in ((3900, False), (4100, True), (4100, True), (3900, False)):
                sensor.cnt_full = cnt_full
                running.task = asyncio.create_task(adapter.listen(inlet)) if running.task.done() else running.task
                read = len(inlet.levels())
                await running.until(lambda read=read: len(inlet.levels()) > read + 1)
                assert ("another one answers here" in inlet.said[-1]) == is_told
                bus.unplug()
                await running.error()
                bus.plug()


async def test_nothing_is_asked_while_the_store_cannot_keep_up(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link)) as running:
        inlet = running.inlet
        await running.until(inlet.levels)
        inlet.room.clear()
        await running.until(lambda: inlet.counted["store_pauses"])
        heard = len(bus.heard)
        inlet.room.set()
        await running.until(lambda: len(bus.heard) > heard)


async def test_ede_modbus_and_td_500_are_read(tmp_path: Path) -> None:
    with SensorBus.on_pty([EdeSensor(5, Level(700), serial=4711)], tmp_path / "ede"):
        async with listening(entered(tmp_path / "ede", protocol="ede", sensors="5")) as running:
            await running.until(running.inlet.levels)
    assert running.inlet.levels()[0].value == 700
    assert running.inlet.of(FuelSensorInfo)[0].serial == "4711"
    with SensorBus.on_pty([ModbusSensor.cap_10(30, Level(55), Level(28))], tmp_path / "cap", speed=9_600):
        async with listening(entered(tmp_path / "cap", protocol="modbus", sensors="30")) as running:
            await running.until(running.inlet.levels)
    reading = running.inlet.levels()[0]
    assert (reading.sensor, reading.value, reading.temperature_c) == (f"modbus:{tmp_path / 'cap'}:30", 55.0, 28.0)
    assert running.inlet.of(FuelSensorInfo)[0].unit == "percent"
    with SensorBus.on_pty([Td500Sensor(7, Level(1500), Level(-3))], tmp_path / "td"):
        async with listening(entered(tmp_path / "td", protocol="escort_td500", sensors="7")) as running:
            await running.until(running.inlet.levels)
    assert (running.inlet.levels()[0].value, running.inlet.levels()[0].temperature_c) == (1500.0, -3.0)


async def test_an_analogue_sender_behind_an_input_module_gives_volts(link: Path, tmp_path: Path) -> None:
    volts = Level(2_750)
    map_file = tmp_path / "sender.json"
    map_file.write_text(json.dumps(MAP), "utf-8")
    module = ModbusSensor(9, {7: volts})
    with SensorBus.on_pty([module], link, speed=9_600):
        wanted = entered(link, protocol="modbus", sensors="9", register_map=str(map_file))
        async with listening(wanted) as running:
            inlet = running.inlet
            await running.until(inlet.levels)
            volts.value = 65_535
            await running.until(lambda: inlet.levels()[-1].status == "not_available")
    assert inlet.levels()[0].value == pytest.approx(2.75)
    assert (inlet.of(FuelSensorInfo)[0].kind, inlet.of(FuelSensorInfo)[0].unit) == ("analog", "volts")
    assert inlet.levels()[-1].value is None


# A check -------------------------------------------------------------------------------------------------------------


async def test_a_check_proves_the_port_and_each_sensor(bus: SensorBus, link: Path) -> None:
    identity, steps = await check(entered(link))
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE, Layer.VERSION]
    assert steps[-1].detail == "Sensor 1 (left) says 1000, sensor 2 (right) says 2000."
    assert identity.unique_id == f"fuel_monitoring:{link}"
    bus.faults.silent.add(2)
    _identity, steps = await check(entered(link))
    assert steps[-1].detail == "Sensor 1 (left) says 1000. Silent: 2 (right)."


async def test_each_failure_of_a_check_has_its_own_sentence(bus: SensorBus, link: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="There is no port"):
        await check(entered(tmp_path / "nothing"))
    (tmp_path / "file").write_text("no port")
    with pytest.raises(SettingsInvalid, match="is no serial port") as no_port:
        await check(entered(tmp_path / "file"))
    assert no_port.value.field == "port"
    with pytest.raises(BadReply, match="Bytes come from"):  # the wrong speed gives bytes, and no answers
        await check(entered(link, speed="9600"))
    with pytest.raises(NotReady, match="Sensor 9 does not answer"):
        await check(entered(link, sensors="9"))
    with pytest.raises(SettingsInvalid, match="neither a built-in map") as no_map:
        await check(entered(link, protocol="modbus", register_map="nowhere.json"))
    assert no_map.value.field == "register_map"


async def test_an_echo_alone_is_silence(bus: SensorBus, link: Path) -> None:
    bus.faults.echo = True
    with pytest.raises(NotReady, match="does not answer") as found:
        await check(entered(link, sensors="9"))
    assert not isinstance(found.value, BadReply)


async def test_a_port_in_use_is_told_by_the_check(bus: SensorBus, link: Path) -> None:
    async with listening(entered(link)) as running:
        await running.until(running.inlet.levels)
        with pytest.raises(NotReady, match="in use"):
            await make_adapter(entered(link)).check(lambda _step: None)
