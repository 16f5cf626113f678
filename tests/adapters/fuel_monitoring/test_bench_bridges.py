"""The workbench on CAN bridges and OBD adapters, which a thread of the test plays on a pseudo terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import pytest

from adapters.bench import BenchSession, Traffic
from adapters.errors import NotReady, Unsupported
from adapters.fuel_monitoring.bench import FuelBench, bridges, can
from adapters.fuel_monitoring.can import gvret, slcan
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import DM1, encode_signals, make_id
from adapters.fuel_monitoring.can.transport import bam_frames
from adapters.fuel_monitoring.simulator.ends import PtyEnd
from tests.adapters.fuel_monitoring.lines import PortList, needs_pty, until, usb

pytestmark = needs_pty
Say = Callable[[bytes], None]


class Peer:
    """What hangs at the far end: ``hear`` gets bytes and says answers, ``chatter`` is said all the time once it may."""

    def __init__(self, folder: Path, hear: Callable[[bytes, Say], None]) -> None:
        self.path = folder / "ttyACM0"
        self.end = PtyEnd(self.path)
        self.heard = bytearray()
        self.chatter: list[bytes] = []
        self.is_chatting = False
        self._hear = hear
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peer", daemon=True)

    def __enter__(self) -> Self:
        self.end.open()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join(5)
        self.end.close()

    def _run(self) -> None:
        said_s = 0.0
        while not self._stopping.is_set():
            data = self.end.read(0.01)
            if data:
                self.heard += data
                self._hear(data, self.end.write)
            if self.is_chatting and time.monotonic() - said_s > 0.02:
                said_s = time.monotonic()
                for one in self.chatter:
                    self.end.write(one)


@asynccontextmanager
async def opened(peer: Peer, dialect: str, speed: int = 0) -> AsyncIterator[tuple[BenchSession, list[Traffic]]]:
    session = await FuelBench(PortList(usb(peer.path))).open(str(peer.path), dialect, speed)
    traffic: list[Traffic] = []
    session.watch(traffic.append)
    try:
        yield session, traffic
    finally:
        await session.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridges, "ANSWER_S", 0.3)
    monkeypatch.setattr(can, "LISTEN_S", 0.4)


FUEL = CanFrame(make_id(65_276, 33), encode_signals(65_276, {96: 50.0}))
SPEED = CanFrame(make_id(61_444, 0, priority=3), encode_signals(61_444, {190: 1200.0}))
LEVEL_ERROR = CanFrame(make_id(65_276, 33), encode_signals(65_276, {96: "error"}))


class Slcan(Peer):
    """A bridge after LAWICEL: answers by CR and BEL, sends frames once its channel is open."""

    def __init__(self, folder: Path, *frames: CanFrame, refuses: str = "", is_dumb: bool = False) -> None:
        super().__init__(folder, self._answer)
        self.chatter = [slcan.frame_line(frame) for frame in frames]
        self.commands: list[str] = []
        self._refuses, self._is_dumb = refuses, is_dumb
        self._text = ""

    def _answer(self, data: bytes, say: Say) -> None:
        if self._is_dumb:
            return
        self._text += data.decode()
        *commands, self._text = self._text.split("\r")
        for command in commands:
            self.commands.append(command)
            if command == self._refuses or (command == "C" and not self.is_chatting):
                say(b"\x07")
                continue
            self.is_chatting = command == "L" or (self.is_chatting and command != "C")
            say(b"V1013\r" if command == "V" else b"\r")


async def test_slcan_is_opened_listening_only_and_its_level_read(tmp_path: Path) -> None:
    with Slcan(tmp_path, FUEL, SPEED) as peer:
        async with opened(peer, "slcan") as (session, traffic):
            level = await session.read(33)
            assert (level.value, level.unit, level.raw) == (50.0, "%", 125.0)
            facts = await session.identify(33)
            assert dict(facts.details)["bridge"] == "SLCAN bridge, hardware 10, software 13"
            nothing = await session.read(99)
            assert nothing.value is None
            assert "Control unit 99 says nothing" in nothing.why
            engine = await session.read(0)
            assert engine.value is None
            assert "says nothing of the fuel level" in engine.why
            assert ("engine speed", "1200 rpm") in engine.more
            await until(lambda: any(("fuel level 1", "50 %") in one.fields for one in traffic))
            with pytest.raises(Unsupported, match="only listened to"):
                await session.write(33, {"x": 1})
        assert "L" in peer.commands
        assert "O" not in peer.commands
        assert [one for one in peer.commands if one[:1] in "tTrR" and one] == [], "nothing was sent on the bus"
        await until(lambda: peer.commands[-1] == "C")


async def test_an_error_code_is_never_shown_as_a_level(tmp_path: Path) -> None:
    with Slcan(tmp_path, LEVEL_ERROR) as peer:
        async with opened(peer, "slcan") as (session, _traffic):
            level = await session.read(33)
    assert level.value is None
    assert level.why == "Control unit 33 says of the fuel level: error."


async def test_who_speaks_of_fuel_is_found_at_each_bit_rate(tmp_path: Path) -> None:
    with Slcan(tmp_path, FUEL, SPEED) as peer:
        async with opened(peer, "slcan") as (session, _traffic):
            progress: list[tuple[int, int]] = []
            scan = session.scan(range(256), (250_000, 500_000), lambda done, total: progress.append((done, total)))
            found = [(one.address, one.speed) async for one in scan]
            assert found == [(0, 250_000), (33, 250_000), (0, 500_000), (33, 500_000)]
            assert progress[-1] == (8, 8)
            assert (await session.read(33)).value == 50.0
        assert [one for one in peer.commands if one.startswith("S")][-1] == "S5", "back at the session's own rate"


async def test_long_messages_and_trouble_codes_are_told(tmp_path: Path) -> None:
    code = bytes((0x40, 0xFF, 96, 0, 0x03, 0x02, 0xFF, 0xFF))
    named = bam_frames(65_259, 33, b"MAKER*MODEL*S123*UNIT*")
    with Slcan(tmp_path, FUEL, CanFrame(make_id(DM1, 33), code), *named) as peer:
        async with opened(peer, "slcan") as (session, _traffic):
            await until(lambda: peer.is_chatting)
            facts = await session.identify(33)
            while not facts.model:
                facts = await session.identify(33)
    assert facts.model == "MAKER MODEL S123 UNIT"
    assert dict(facts.details)["trouble code"].startswith("SPN 96, FMI 3, seen 2 times: the wiring of the fuel sensor")


async def test_no_bridge_is_told(tmp_path: Path) -> None:
    with Slcan(tmp_path, is_dumb=True) as peer:
        with pytest.raises(NotReady, match="No SLCAN bridge answers"):
            await FuelBench(PortList()).open(str(peer.path), "slcan", 250_000)
        with pytest.raises(NotReady, match="No GVRET bridge answers"):
            await FuelBench(PortList()).open(str(peer.path), "gvret", 250_000)
        with pytest.raises(NotReady, match="No OBD adapter answers"):
            await FuelBench(PortList()).open(str(peer.path), "elm327", 38_400)


async def test_a_bridge_that_refuses_the_rate_is_told(tmp_path: Path) -> None:
    with Slcan(tmp_path, refuses="S6") as peer, pytest.raises(NotReady, match="refuses the command S6"):
        await FuelBench(PortList()).open(str(peer.path), "slcan", 500_000)


async def test_a_bridge_that_was_pulled_is_set_up_again(tmp_path: Path) -> None:
    with Slcan(tmp_path, FUEL) as peer:
        async with opened(peer, "slcan") as (session, _traffic):
            assert (await session.read(33)).value == 50.0
            peer.is_chatting = False
            peer.end.close()
            await until(lambda: not session.is_connected)
            peer.end.open()
            await until(lambda: session.is_connected)
            assert (await session.read(33)).value == 50.0
        assert peer.commands.count("L") == 2


async def test_gvret_is_opened_listening_only(tmp_path: Path) -> None:
    def answer(data: bytes, say: Say) -> None:
        if gvret.KEEP_ALIVE in data:
            say(b"\xf1\x09\xde\xad")
        if b"\xf1\x05" in data:
            peer.is_chatting = True

    with Peer(tmp_path, answer) as peer:
        peer.chatter = [gvret.frame_bytes(FUEL)]
        async with opened(peer, "gvret") as (session, traffic):
            assert (await session.read(33)).value == 50.0
            await until(lambda: any(("fuel level 1", "50 %") in one.fields for one in traffic))
    assert gvret.set_speed((250_000, 0), listen_only=True) in peer.heard


class Elm(Peer):
    """An ELM327 with a vehicle behind it; ``replies`` are by command, anything else is ``?``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, self._answer)
        self.replies = {
            "ATZ": "ELM327 v1.5",
            "ATDPN": "A6",
            "ATRV": "12.3V",
            "0100": "7E8064100" + "00080001",
            "0120": "7E8064120" + "00020001",
            "0140": "7E8064140" + "00008004",
            "012F": "7E803412F80",
            "010D": "7E803410D32",
            "0151": "7E803415104",
            "015E": "7E804415E0064",
        }
        self._text = ""
        self.swallows = ""

    def _answer(self, data: bytes, say: Say) -> None:
        self._text += data.decode("latin-1")
        *commands, self._text = self._text.split("\r")
        for command in commands:
            wanted = command.strip()
            known = "OK" if wanted.startswith("AT") else "NO DATA"
            if wanted == self.swallows:
                self.swallows = ""
            else:
                say(self.replies.get(wanted, known).encode() + b"\r\r>")


async def test_the_fuel_level_of_a_car_is_read(tmp_path: Path) -> None:
    with Elm(tmp_path) as peer:
        async with opened(peer, "elm327") as (session, traffic):
            level = await session.read(0x7E8)
            assert level.value == pytest.approx(128 * 100 / 255)
            assert level.raw == 128
            assert ("fuel rate", "5 L/h") in level.more
            facts = await session.identify(0x7E8)
            assert facts.model == "ELM327 v1.5"
            assert dict(facts.details)["fuel"] == "diesel"
            assert dict(facts.details)["supply"] == "12.3 V"
            found = [one async for one in session.scan(range(2048), (), lambda _done, _all: None)]
            assert [(one.address, one.title) for one in found] == [(0x7E8, "control unit 7E8, tells the fuel level")]
            assert any(dict(one.fields).get("fuel level", "").startswith("50.19") for one in traffic)


async def test_ignition_off_is_told_and_asked_again(tmp_path: Path) -> None:
    with Elm(tmp_path) as peer:
        told = peer.replies["0100"]
        peer.replies["0100"] = "SEARCHING...\rUNABLE TO CONNECT"
        async with opened(peer, "elm327") as (session, _traffic):
            level = await session.read(0)
            assert level.value is None
            assert "switch the ignition on" in level.why
            peer.replies["0100"] = told
            assert (await session.read(0)).value is not None


async def test_a_vehicle_without_a_level_says_so(tmp_path: Path) -> None:
    with Elm(tmp_path) as peer:
        peer.replies["0120"] = "7E8064120" + "00" * 4
        async with opened(peer, "elm327") as (session, _traffic):
            assert "does not tell its fuel level" in (await session.read(0)).why


async def test_a_lost_prompt_is_found_again(tmp_path: Path) -> None:
    with Elm(tmp_path) as peer:
        async with opened(peer, "elm327") as (session, _traffic):
            peer.swallows = "012F"
            assert (await session.read(0)).value is None
            assert (await session.read(0)).value is not None


async def test_a_level_without_data_is_searched_for_anew_and_comes_back(tmp_path: Path) -> None:
    with Elm(tmp_path) as peer:
        told, listed = peer.replies["012F"], peer.replies["0100"]
        async with opened(peer, "elm327") as (session, _traffic):
            peer.replies["012F"] = "NO DATA"
            for _reading in range(3):
                assert "no answer in time" in (await session.read(0)).why
            peer.replies["0100"] = "SEARCHING...\rUNABLE TO CONNECT"
            assert "switch the ignition on" in (await session.read(0)).why
            peer.replies |= {"012F": told, "0100": listed}
            assert (await session.read(0)).value is not None


async def test_a_fuel_rate_that_is_not_told_is_estimated_and_called_so(tmp_path: Path) -> None:
    name = "fuel rate, estimated from the air flow"
    with Elm(tmp_path) as peer:
        peer.replies |= {
            "0100": "7E8064100" + "00090001",
            "0140": "7E8064140" + "10008000",
            "0110": "7E804411007D0",  # 20 g/s
            "0144": "7E80441440000",
        }
        async with opened(peer, "elm327") as (session, _traffic):
            assert name not in dict((await session.read(0)).more)  # diesel without lambda: nothing can be said
            peer.replies["0144"] = "7E8044144FFFF"  # 2
            assert dict((await session.read(0)).more)[name] == "3.0 L/h"
            peer.replies |= {"0151": "7E803415101", "0144": "7E80441448000"}
            assert dict((await session.read(0)).more)[name] == "6.6 L/h"
            assert "fuel rate" not in dict((await session.read(0)).more)
