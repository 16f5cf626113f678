"""The simulated bus: honest when nothing is wrong, and wrong in the ways in which real buses are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.fuel_monitoring.lls import requests
from adapters.fuel_monitoring.lls.frames import TO_SENSOR, LlsFrame, LlsParser, build
from adapters.fuel_monitoring.lls.replies import Measurement, read_reply
from adapters.fuel_monitoring.lls.text import TextParser
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import TD_500_REQUEST, LlsSensor, ModbusSensor, Sensor, Td500Sensor
from tests.adapters.fuel_monitoring.lines import needs_pty, until

pytestmark = needs_pty


@asynccontextmanager
async def line_to(bus: SensorBus, speed: int = 19_200) -> AsyncIterator[SerialLine]:
    line = SerialLine(bus.port, speed)
    await line.open()
    try:
        yield line
    finally:
        await line.close()


async def answer(line: SerialLine, request: bytes, seconds: float = 5.0) -> LlsFrame:
    await line.write(request)
    parser = LlsParser()
    async with asyncio.timeout(seconds):
        while True:
            for frame in parser.feed(await line.read()):
                if not frame.is_request:
                    return frame


async def silence(line: SerialLine, request: bytes) -> bytes:
    """What comes in a fifth of a second after a request."""
    await line.write(request)
    heard = b""
    while data := await line.read(0.2):
        heard += data
    return heard


async def test_the_documented_readings_come_byte_for_byte(tmp_path: Path) -> None:
    sensor = LlsSensor(1, level=lambda: 1.0, temperature_c=lambda: 17.0, cnt_empty=0, cnt_full=4095)
    with SensorBus.on_pty([sensor], tmp_path / "bus") as bus:
        async with line_to(bus) as line:
            frame = await answer(line, bytes.fromhex("3101066C"))
    assert frame.raw == bytes.fromhex("3E0106110100010030")


async def test_a_level_follows_its_source(tmp_path: Path) -> None:
    tank = [100.0]
    with SensorBus.on_pty([LlsSensor(1, level=lambda: tank[0])], tmp_path / "bus") as bus:
        async with line_to(bus) as line:
            for tank[0] in (100.0, 3210.0, 99_999.0, -5.0):
                reply = read_reply(await answer(line, requests.read_once(1)))
                assert isinstance(reply, Measurement)
                assert reply.level == min(max(tank[0], 0), 4095)


async def test_periodic_output_stops_at_a_command(tmp_path: Path) -> None:
    with SensorBus.on_pty([LlsSensor(1, interval_s=1)], tmp_path / "bus", second_s=0.02) as bus:
        async with line_to(bus) as line:
            assert (await answer(line, build(TO_SENSOR, 1, requests.PERIODIC))).data == b"\x00"
            parser = LlsParser()
            periodic: list[LlsFrame] = []
            while len(periodic) < 3:
                periodic += parser.feed(await line.read(5))
            assert {frame.command for frame in periodic} == {requests.PERIODIC}
            while (await answer(line, requests.read_once(1))).command != requests.READ:
                pass
            line.take()
            assert await line.read(0.2) == b""


async def test_text_lines_come_when_asked(tmp_path: Path) -> None:
    with SensorBus.on_pty([LlsSensor(1)], tmp_path / "bus") as bus:
        async with line_to(bus) as line:
            (spoken,) = TextParser().feed(await silence(line, b"DO"))
    assert (spoken.level, spoken.temperature_c) == (2048, 21)


async def test_modbus_sensors_answer_reads_writes_and_nonsense(tmp_path: Path) -> None:
    sensors: list[Sensor] = [ModbusSensor.cap_10(30), Td500Sensor(9)]
    with SensorBus.on_pty(sensors, tmp_path / "bus") as bus:
        async with line_to(bus) as line:
            heard = await silence(line, rtu.read_request(30, 4, 0, 2))
            assert heard == rtu.closed(bytes((30, 4, 4)) + (550).to_bytes(2, "big") * 2)
            assert await silence(line, rtu.read_request(30, 4, 100, 1)) == rtu.closed(bytes((30, 0x84, 2)))
            write = rtu.closed(bytes.fromhex("1E060006001F"))
            assert await silence(line, write) == write
            assert (await silence(line, TD_500_REQUEST))[:3] == bytes((9, 3, 8))
            assert await silence(line, rtu.read_request(31, 4, 0, 2)) == b""


async def test_every_fault_can_be_scripted(tmp_path: Path) -> None:
    request = requests.read_once(1)
    with SensorBus.on_pty([LlsSensor(1), LlsSensor(1, level=lambda: 10.0)], tmp_path / "bus") as bus:
        faults = bus.faults
        async with line_to(bus) as line:
            assert LlsParser().feed(await silence(line, request)) == [], "two at once are garbled"
            faults.collision = "both"
            assert len(LlsParser().feed(await silence(line, request))) == 2
            bus.sensors.pop()
            faults.silent = {1}
            assert await silence(line, request) == b""
            faults.silent = set()
            faults.bad_checksums = 1
            heard = await silence(line, request)
            assert (len(heard), LlsParser().feed(heard)) == (9, [])
            faults.cut_after, faults.noise, faults.echo = 4, b"\x00", True
            heard = await silence(line, request)
            assert heard.startswith(request + b"\x00\x3e\x01\x06")
            assert len(heard) == 9


async def test_another_speed_hears_garbage(tmp_path: Path) -> None:
    with SensorBus.on_pty([LlsSensor(1)], tmp_path / "bus", speed=9600) as bus:
        async with line_to(bus, 19_200) as line:
            heard = await silence(line, requests.read_once(1))
            assert heard
            assert LlsParser().feed(heard) == []
            await line.set_speed(9600)
            assert (await answer(line, requests.read_once(1))).address == 1


async def test_the_link_goes_and_comes_with_the_adapter(tmp_path: Path) -> None:
    link = tmp_path / "bus"
    with SensorBus.on_pty([LlsSensor(1)], link) as bus:
        assert link.is_symlink()
        bus.unplug()
        assert not link.is_symlink()
        bus.plug()
        async with line_to(bus) as line:
            assert (await answer(line, requests.read_once(1))).address == 1
    assert not link.is_symlink()


async def test_a_bus_behind_tcp_serves_one_after_the_other() -> None:
    with SensorBus.on_tcp([LlsSensor(1)]) as bus:
        for _ in range(2):
            async with line_to(bus) as line:
                assert (await answer(line, requests.read_once(1))).address == 1
        bus.say(b"to nobody")


async def test_what_is_said_while_nobody_listens_is_gone(tmp_path: Path) -> None:
    with SensorBus.on_pty([], tmp_path / "bus") as bus:
        bus.say(b"lost")
        async with line_to(bus) as line:
            bus.say(b"heard")
            await until(lambda: line.counters.received_bytes)
            assert line.take() == b"heard"


@pytest.mark.parametrize("count", [3])
async def test_a_bus_starts_and_stops_again(tmp_path: Path, count: int) -> None:
    bus = SensorBus.on_pty([LlsSensor(1)], tmp_path / "bus")
    for _ in range(count):
        with bus:
            async with line_to(bus) as line:
                assert (await answer(line, requests.read_once(1))).address == 1
