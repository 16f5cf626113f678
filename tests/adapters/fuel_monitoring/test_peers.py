"""Peers that others wrote: each is skipped where it is not installed."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from shutil import which
from typing import IO, Any

import pytest

from adapters.errors import BadReply, NotReady
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.can_bridge import CanBridge, J1939Engine
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle
from adapters.records import EngineReading
from tests.adapters.fuel_monitoring.gateway import check, listening
from tests.adapters.fuel_monitoring.lines import needs_pty, socat_pair

pytestmark = [needs_pty, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
ROUTE = ((12.0, 8.5), (11.0, 7.7))


# ELM327-emulator: a car with an adapter ------------------------------------------------------------------------------


@contextmanager
def emulated_car() -> Iterator[str]:
    """The port of an emulated ELM327 in a process of its own."""
    pytest.importorskip("elm")
    script = (
        "import sys, time\n"
        "from elm import Elm\n"
        "with Elm() as car:\n"
        "    car.scenario = 'car'\n"
        "    while not (port := car.get_pty()): time.sleep(0.05)\n"
        "    sys.stdout.write(f'port={port};'); sys.stdout.flush()\n"
        "    sys.stdin.read()\n"
    )
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, cwd=folder,  # it keeps a log where it stands
    ) as car:  # fmt: skip
        assert car.stdout is not None
        try:
            yield _port_in(car.stdout)
        finally:
            car.kill()


def _port_in(output: IO[str]) -> str:
    """The emulator logs to its output too."""
    said = ""
    while (found := re.search(r"port=([^;]+);", said)) is None:
        part = output.read(1)
        assert part, f"the emulator ended: {said}"
        said += part
    return found[1]


async def test_an_emulated_car_is_set_up_and_read() -> None:
    with emulated_car() as port:
        wanted = {"protocol": "elm327", "port": port, "sensors": "1"}
        _identity, steps = await check(wanted)
        assert "ELM327" in steps[-1].detail
        async with listening(wanted) as running:
            engine = await running.until(lambda: running.inlet.of(EngineReading), 30)
    assert engine[0].engine_rpm is not None
    assert 0 <= engine[0].engine_rpm <= 16_384
    for reading in running.inlet.levels():
        assert reading.value is not None
        assert 0 <= reading.value <= 100


# pymodbus: a probe with registers ------------------------------------------------------------------------------------


@asynccontextmanager
async def pymodbus_probe(port: Path) -> AsyncIterator[None]:
    """A server with the registers of a CAP-10 at address 30, in this loop."""
    server_of = pytest.importorskip("pymodbus.server")
    simulator = pytest.importorskip("pymodbus.simulator")
    from pymodbus import FramerType

    values = [553, 551, 11_000, 285, 12, 0]
    registers = [simulator.SimData(0, values=values, datatype=simulator.DataType.REGISTERS)]
    server = server_of.ModbusSerialServer(
        simulator.SimDevice(30, simdata=registers), framer=FramerType.RTU, port=str(port), baudrate=9_600
    )
    task = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        await server.shutdown()
        task.cancel()
        await asyncio.wait([task])


async def test_a_modbus_server_of_others_is_read_by_its_map(tmp_path: Path) -> None:
    with socat_pair(tmp_path) as (near, far):
        async with pymodbus_probe(far):
            async with listening({"protocol": "modbus", "port": str(near), "sensors": "30"}) as running:
                await running.until(lambda: len(running.inlet.levels()) >= 3)
            with pytest.raises((NotReady, BadReply), match="Sensor 31"):
                await check({"protocol": "modbus", "port": str(near), "sensors": "31"})
    reading = running.inlet.levels()[0]
    assert reading.value == pytest.approx(55.3)
    assert reading.temperature_c == pytest.approx(28.5)


# python-can: another reader of our bridge ----------------------------------------------------------------------------


def test_python_can_hears_our_bridge(tmp_path: Path) -> None:
    can = pytest.importorskip("can")
    lorry = DrivenVehicle(ROUTE, level_l=200, tank_l=400)
    with CanBridge.on_pty(J1939Engine(lorry), tmp_path / "bridge") as bridge:
        bus = can.Bus(
            interface="slcan", channel=bridge.port, bitrate=250_000, listen_only=True, sleep_after_open=0.05, timeout=1
        )
        try:
            heard: dict[int, Any] = {}
            for _ in range(500):
                message = bus.recv(1)
                if message is not None and message.is_extended_id:
                    heard[message.arbitration_id >> 8 & 0x3FFFF] = message
                if 65_276 in heard and 61_444 in heard:
                    break
        finally:
            bus.shutdown()
    assert heard[65_276].data[1] * 0.4 == pytest.approx(lorry.percent, abs=0.3)
    assert int.from_bytes(heard[61_444].data[3:5], "little") * 0.125 == pytest.approx(lorry.rpm, abs=0.2)


async def test_frames_that_python_can_sends_are_read_by_the_gateway(tmp_path: Path) -> None:
    """A bridge on a wire whose far end python-can writes to: it speaks SLCAN as it would to another bridge."""
    can = pytest.importorskip("can")
    with socat_pair(tmp_path) as (near, far):
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        stop = threading.Event()
        loop = asyncio.get_running_loop()

        def speak() -> None:
            bus = can.Bus(interface="slcan", channel=str(far), bitrate=250_000, sleep_after_open=0.0, timeout=1)
            loop.call_soon_threadsafe(opened.set_result, None)
            message = can.Message(arbitration_id=0x18FEFC21, data=bytes.fromhex("FF7DFFFFFFFF50FF"))
            while not stop.wait(0.05):
                bus.send(message)
            bus.shutdown()

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        try:
            await opened
            wanted = {"protocol": "slcan", "port": str(near), "sensors": "1 = front, 2 = rear", "period_s": 0.2}
            async with listening(wanted) as running:
                await running.until(lambda: running.inlet.levels(":96") and running.inlet.levels(":38"))
        finally:
            stop.set()
            await asyncio.to_thread(thread.join, 5)
    assert running.inlet.levels(":96")[0].value == pytest.approx(50.0)
    assert running.inlet.levels(":38")[0].value == pytest.approx(32.0)


# socat: a serial server on the network -------------------------------------------------------------------------------


@contextmanager
def serial_server(device: str) -> Iterator[str]:
    """The address at which socat offers a port over TCP."""
    program = which("socat")
    if program is None:
        pytest.skip("socat is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    listen = f"tcp-listen:{number},bind=127.0.0.1,reuseaddr,fork"
    command = [program, "-d", "-d", listen, f"open:{os.path.realpath(device)},raw,echo=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            # A connection made to try it would be a process of its own that takes bytes from the port until it ends.
            assert any("listening on" in line for line in server.stderr)
            yield f"socket://127.0.0.1:{number}"
        finally:
            server.terminate()


async def test_a_bus_behind_a_serial_server_of_socat_is_read(tmp_path: Path) -> None:
    with (
        SensorBus.on_pty([LlsSensor(1, lambda: 1234)], tmp_path / "bus", speed=0) as bus,
        serial_server(bus.port) as url,
    ):
        async with listening({"port": url, "sensors": "1"}) as running:
            await running.until(lambda: len(running.inlet.levels()) >= 3)
    assert {reading.value for reading in running.inlet.levels()} == {1234.0}
