"""A serial port: real pseudo terminals, sockets and a serial server; pulled, put back, taken."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.bench import Traffic
from adapters.errors import NotReady, SettingsInvalid
from adapters.fuel_monitoring import port_errors, system
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.ends import PtyEnd, TcpEnd
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from tests.adapters.fuel_monitoring.lines import PortList, Rfc2217Server, needs_pty, open_files, socat_pair, until, usb

fcntl = pytest.importorskip("fcntl")
pytestmark = needs_pty
REQUEST = bytes.fromhex("3101066C")


class Wire:
    """A line on a pseudo terminal whose far end the test holds."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ttyUSB0"
        self.end = PtyEnd(self.path)
        self.end.open()
        self.traffic: list[Traffic] = []
        self.states: list[bool] = []
        self.ports = PortList(usb(self.path))
        self.line = SerialLine(
            str(self.path),
            19_200,
            find=self.ports,
            on_traffic=self.traffic.append,
            on_state=self.states.append,
            queue_bytes=1000,
        )

    async def arrives(self, size: int) -> bytes:
        """What the line sent, as the far end sees it."""
        data = b""
        async with asyncio.timeout(10):
            while len(data) < size:
                data += await asyncio.to_thread(self.end.read, 0.05)
        return data


@pytest_asyncio.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    made = Wire(tmp_path)
    await made.line.open()
    yield made
    await made.line.close()
    made.end.close()


async def test_bytes_pass_both_ways_and_are_told_with_time_and_direction(wire: Wire) -> None:
    await wire.line.write(REQUEST)
    assert await wire.arrives(4) == REQUEST
    wire.end.write(b"answer")
    got = b""
    while len(got) < 6:
        got += await wire.line.read(5)
    assert got == b"answer"
    assert wire.traffic[0].direction == "sent"
    assert b"".join(one.data for one in wire.traffic if one.direction == "received") == b"answer"
    assert all(before.at_s <= after.at_s for before, after in zip(wire.traffic, wire.traffic[1:], strict=False))
    assert (wire.line.counters.sent_bytes, wire.line.counters.received_bytes) == (4, 6)


async def test_a_read_ends_with_its_time(wire: Wire) -> None:
    assert await wire.line.read(0.02) == b""


async def test_the_speed_is_set_and_changed(wire: Wire) -> None:
    assert wire.end.speed() == 19_200
    await wire.line.set_speed(115_200)
    assert wire.end.speed() == 115_200
    assert wire.traffic[-1].note == "speed 115200"


async def test_what_nobody_takes_is_bounded_and_counted(wire: Wire) -> None:
    def received(size: int) -> bool:
        return wire.line.counters.received_bytes == size

    for number in range(20):
        wire.end.write(bytes((number,)) * 100)
        await until(partial(received, (number + 1) * 100))
    kept = wire.line.take()
    assert len(kept) <= 1000
    assert kept.endswith(bytes((19,)) * 100), "the newest is kept"
    assert wire.line.counters.dropped_bytes >= 1000


async def test_a_pulled_adapter_is_told_and_comes_back_under_another_path(wire: Wire, tmp_path: Path) -> None:
    reading = asyncio.gather(wire.line.read(30), return_exceptions=True)
    await until(lambda: system.is_open_elsewhere(wire.end._far or 0))
    wire.end.close()
    (error,) = await reading
    assert isinstance(error, NotReady)
    assert "was lost. Plug it in again" in error.why
    with pytest.raises(NotReady, match="lost"):
        await wire.line.write(REQUEST)
    other = tmp_path / "ttyUSB7"
    wire.end.open(other)
    wire.ports.entries = [usb(other)]
    await until(lambda: wire.line.is_connected)
    assert wire.line.path == str(other)
    assert wire.states == [True, False, True]
    notes = [one.note for one in wire.traffic if one.direction == "note"]
    assert any(note.endswith("was lost") for note in notes)
    assert notes[-1] == f"{other} is connected again"
    wire.end.write(b"here again")
    assert (await wire.line.read(5))[:4] == b"here"


async def test_another_adapter_at_the_old_path_is_not_taken_for_it(wire: Wire, tmp_path: Path) -> None:
    wire.end.close()
    await until(lambda: not wire.line.is_connected)
    wire.ports.entries = [usb(wire.path, "B0000001")]
    wire.end.open()
    await until(lambda: "not plugged in" in wire.line._why)
    assert not wire.line.is_connected
    wire.ports.entries = [usb(wire.path)]
    await until(lambda: wire.line.is_connected)


async def test_a_closed_line_gives_the_port_back_and_opens_again(wire: Wire) -> None:
    waiting = asyncio.gather(wire.line.read(30), return_exceptions=True)
    await asyncio.sleep(0)
    await wire.line.close()
    (error,) = await waiting
    assert isinstance(error, NotReady)
    assert not system.is_open_elsewhere(wire.end._far or 0)
    await wire.line.open()
    wire.end.write(b"again")
    assert await wire.line.read(5)


async def test_a_second_owner_is_refused_by_name(wire: Wire) -> None:
    with pytest.raises(NotReady, match="is in use by this program itself"):
        await SerialLine(str(wire.path), 19_200, find=wire.ports).open()
    assert wire.line.is_connected


async def test_another_program_is_named(tmp_path: Path) -> None:
    with socat_pair(tmp_path) as (near, _far):
        holder = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"import fcntl,os,sys; f=os.open({str(near)!r},os.O_RDWR|os.O_NOCTTY); fcntl.flock(f,fcntl.LOCK_EX); "
            "print('held',flush=True); sys.stdin.read()",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        try:
            with pytest.raises(NotReady, match=rf"in use by python3?.* \(process {holder.pid}\). Close that program"):
                await SerialLine(str(near), 19_200).open()
        finally:
            await holder.communicate(b"")
        line = SerialLine(str(near), 19_200)
        await line.open()
        await line.close()


@pytest.mark.parametrize(
    ("port", "kind", "words"),
    [
        ("/dev/there-is-none", NotReady, "There is no port /dev/there-is-none"),
        ("/etc/passwd", SettingsInvalid, "is no serial port"),
        ("/", SettingsInvalid, "is no serial port"),
        ("usb:0403:6001:NOTHERE", NotReady, "0403:6001:NOTHERE is not plugged in"),
        ("socket://127.0.0.1:1", NotReady, "refused the connection"),
        ("rfc2217://127.0.0.1:1", NotReady, "refused the connection"),
        ("socket://nowhere.invalid:4001", NotReady, "its name is not known"),
        ("socket://nowhere", SettingsInvalid, "socket://host:4001"),
        ("rfc2217://nowhere", SettingsInvalid, "rfc2217://host:4001"),
        ("spy:///dev/ttyUSB0?file=/tmp/x", SettingsInvalid, "is no address of a serial server"),
        ("", SettingsInvalid, "No port is named. Plugged in now: /dev/ttyUSB3"),
    ],
)
async def test_what_cannot_be_opened_says_why(port: str, kind: type[Exception], words: str) -> None:
    before = threading.active_count()
    with pytest.raises(kind, match=words):
        await SerialLine(port, 19_200, find=PortList(usb("/dev/ttyUSB3"))).open()
    await until(lambda: threading.active_count() <= before)


async def test_a_fault_in_the_thread_reaches_who_opens() -> None:
    def broken() -> list[object]:
        raise RuntimeError("the list of ports cannot be read")

    line = SerialLine("/dev/ttyUSB0", 19_200, find=broken)
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="cannot be read"):
            await line.open()
    assert not line.is_open


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated:DeprecationWarning")  # pyserial's own
async def test_a_raw_serial_server_is_told_from_one_that_speaks_rfc2217() -> None:
    with SensorBus([LlsSensor(1)], TcpEnd(), speed=0) as bus:
        line = SerialLine(bus.port.replace("socket://", "rfc2217://"), 19_200)
        with pytest.raises(NotReady, match=r"does not speak RFC 2217\. .* write socket://127"):
            await line.open()


async def test_a_speed_that_the_adapter_does_not_know_is_refused(wire: Wire) -> None:
    with pytest.raises(SettingsInvalid, match="cannot work at -5 baud"):
        await wire.line.set_speed(-5)
    assert wire.line.speed == 19_200
    wire.end.write(b"still here")
    assert await wire.line.read(5)


def test_no_rights_names_the_group_and_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_errors, "group_of", lambda _path: "uucp")
    monkeypatch.setattr(port_errors, "waits_for_sign_in", lambda _group: False)
    denied = PermissionError(13, "Permission denied")
    found = port_errors.explain_open("/dev/ttyUSB0", 19_200, denied, [])
    assert isinstance(found, NotReady)
    assert "group “uucp”" in found.why
    assert "sudo usermod -aG uucp $USER" in found.why
    assert found.__cause__ is denied
    monkeypatch.setattr(port_errors, "waits_for_sign_in", lambda _group: True)
    assert "sign out and in again" in port_errors.explain_open("/dev/ttyUSB0", 19_200, denied, []).why


def test_the_group_of_a_file_is_the_systems_own(tmp_path: Path) -> None:
    import grp

    path = tmp_path / "port"
    path.touch()
    number = os.getgid() or grp.getgrnam("daemon").gr_gid
    os.chown(path, -1, number)
    path.chmod(0o660)
    assert system.group_of(str(path)) == grp.getgrgid(number).gr_name
    path.chmod(0o600)
    assert system.group_of(str(path)) == "", "nobody gets a right by this group"


async def test_a_tcp_serial_server_is_a_port_and_comes_back() -> None:
    end = TcpEnd()
    with SensorBus([LlsSensor(1)], end, speed=0) as bus:
        line = SerialLine(bus.port, 19_200)
        await line.open()
        try:
            await line.write(REQUEST)
            assert (await line.read(5))[:3] == bytes.fromhex("3E0106")
            bus.unplug()
            await until(lambda: not line.is_connected)
            bus.plug()
            await until(lambda: line.is_connected)
            await line.write(REQUEST)
            assert (await line.read(5))[:3] == bytes.fromhex("3E0106")
        finally:
            await line.close()


async def test_a_burst_over_tcp_arrives_whole() -> None:
    end = TcpEnd()
    end.open()
    line = SerialLine(end.port, 19_200, queue_bytes=1_000_000)
    opening = asyncio.gather(line.open())
    await asyncio.to_thread(end.read, 2.0)
    await opening
    sent = os.urandom(200_000)
    await asyncio.to_thread(end.write, sent)
    got = b""
    while len(got) < len(sent):
        got += await line.read(5)
    assert got == sent
    assert line.counters.dropped_bytes == 0
    await line.close()
    end.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated:DeprecationWarning")  # pyserial's own
async def test_a_serial_server_by_rfc2217_sets_the_speed_too(tmp_path: Path) -> None:
    link = tmp_path / "bus"
    with SensorBus.on_pty([LlsSensor(1)], link, speed=9600) as bus:
        server = await asyncio.to_thread(Rfc2217Server, link)
        line = SerialLine(server.url, 9600)
        try:
            await line.open()
            await line.write(REQUEST)
            got = b""
            while len(got) < 9:
                data = await line.read(10)
                assert data, "no answer"
                got += data
            assert got[:3] == bytes.fromhex("3E0106")
            assert bus._end.speed() == 9600
        finally:
            await line.close()
            await asyncio.to_thread(server.close)


async def test_socat_joins_two_lines(tmp_path: Path) -> None:
    with socat_pair(tmp_path) as (near, far):
        one, two = SerialLine(str(near), 19_200), SerialLine(str(far), 19_200)
        await one.open()
        await two.open()
        try:
            await one.write(b"over the wire")
            got = b""
            while len(got) < 13:
                got += await two.read(5)
            assert got == b"over the wire"
        finally:
            await one.close()
            await two.close()


async def test_nothing_is_left_open(tmp_path: Path) -> None:
    bus = SensorBus.on_pty([LlsSensor(1)], tmp_path / "bus").start()
    before = open_files()
    for _ in range(20):
        line = SerialLine(bus.port, 19_200)
        await line.open()
        await line.close()
    assert open_files() <= before
    bus.stop()


def test_a_port_locked_without_a_known_holder_is_still_in_use(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.touch()
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        busy = BlockingIOError(11, "Resource temporarily unavailable")
        assert "is in use by this program itself" in port_errors.explain_open(str(path), 19_200, busy, []).why
    assert "in use by another program" in port_errors.explain_open(str(path), 19_200, busy, []).why
