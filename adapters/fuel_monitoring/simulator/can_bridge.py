"""A serial CAN bridge (SLCAN or GVRET) on a bus where an engine speaks J1939.

It runs in a thread of its own. What goes wrong is set on :class:`EngineFaults`, at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from adapters.fuel_monitoring.can import gvret, slcan
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import DM1, PGNS, SignalStatus, encode_signals, make_id
from adapters.fuel_monitoring.can.transport import bam_frames
from adapters.fuel_monitoring.simulator.ends import End, PtyEnd
from adapters.fuel_monitoring.simulator.line_peer import LinePeer
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle

BridgeKind = Literal["slcan", "gvret"]
_TICK_S: Final = 0.005
_OTHERS_S: Final = 0.1
_COMPONENT: Final = 65_259
_FILLER: Final = 61_443
_COMPONENT_TEXT: Final = b"BIKO*DEMO ENGINE*000417*\x00"
_SOURCE: Final = 0x00
_PERIODS_S: Final = {
    65_276: 1.0, 65_266: 0.1, 65_257: 1.0, 64_777: 1.0, 61_444: 0.02, 65_265: 0.1, 65_217: 1.0, 65_248: 0.1,
    65_253: 5.0, 65_262: 1.0, DM1: 1.0, _COMPONENT: 5.0,
}  # fmt: skip


@dataclass(slots=True)
class EngineFaults:
    """``statuses`` replace signals, by SPN; ``codes`` are trouble codes (SPN, FMI); ``silent``: ignition off."""

    statuses: dict[int, SignalStatus] = field(default_factory=dict)
    codes: list[tuple[int, int]] = field(default_factory=list)
    silent: bool = False
    garbled_every: int = 0  # every so many frames one that is no frame


class J1939Engine:
    """The frames of one engine's computer, each when its time has come."""

    def __init__(self, vehicle: DrivenVehicle, *, source: int = _SOURCE, filler_per_s: float = 0.0) -> None:
        self.vehicle = vehicle
        self.faults = EngineFaults()
        self.others: Callable[[], list[CanFrame]] = list
        """What other control units say, ten times a second."""
        self._others_s = 0.0
        self._source = source
        self._trip_l0 = vehicle.total_fuel_l
        self._trip_m0 = vehicle.odometer_m
        self._due_s = dict.fromkeys(_PERIODS_S, 0.0)
        self._filler_per_s = filler_per_s
        self._filler_s: float | None = None
        self._filled = 0

    def due(self, now_s: float) -> list[CanFrame]:
        """What it says now."""
        if self.faults.silent:
            return []
        frames: list[CanFrame] = []
        for pgn, due_s in self._due_s.items():
            if due_s <= now_s:
                behind = now_s - due_s > 1.0
                self._due_s[pgn] = now_s + _PERIODS_S[pgn] if behind else due_s + _PERIODS_S[pgn]
                frames += self._message(pgn)
        if now_s >= self._others_s + _OTHERS_S:
            self._others_s = now_s
            frames += self.others()
        return [*frames, *self._filler(now_s)]

    def _filler(self, now_s: float) -> Iterator[CanFrame]:
        """Other traffic of a busy bus."""
        if self._filler_s is None:
            self._filler_s = now_s
        wanted = int((now_s - self._filler_s) * self._filler_per_s)
        while self._filled < wanted:
            self._filled += 1
            yield CanFrame(make_id(_FILLER, 0x0B, priority=3), self._filled.to_bytes(8, "little"))

    def _message(self, pgn: int) -> list[CanFrame]:
        if pgn == _COMPONENT:
            return bam_frames(_COMPONENT, self._source, _COMPONENT_TEXT)
        payload = self._trouble() if pgn == DM1 else self._signals(pgn)
        if len(payload) > 8:
            return bam_frames(pgn, self._source, payload)
        return [CanFrame(make_id(pgn, self._source), payload)]

    def _trouble(self) -> bytes:
        codes = b"".join(
            (spn & 0xFFFF).to_bytes(2, "little") + bytes((spn >> 16 << 5 | fmi, 1)) for spn, fmi in self.faults.codes
        )
        return (b"\x04\xff" if codes else b"\x00\xff") + (codes or bytes(4)).ljust(6, b"\xff")

    def _signals(self, pgn: int) -> bytes:
        values = {spn: value for spn, value in self._values().items() if spn in {one.spn for one in PGNS[pgn]}}
        return encode_signals(pgn, {**values, **{k: v for k, v in self.faults.statuses.items() if k in values}})

    def _values(self) -> dict[int, float | SignalStatus]:
        lorry = self.vehicle
        economy = lorry.speed_km_h / lorry.fuel_rate_l_h if lorry.fuel_rate_l_h else 0.0
        return {
            96: min(lorry.percent, 100.0), 38: "not_available",
            183: lorry.fuel_rate_l_h, 184: economy, 185: 3.2, 51: 35.0 if lorry.speed_km_h else 0.0,
            182: lorry.total_fuel_l - self._trip_l0, 250: lorry.total_fuel_l,
            5053: lorry.total_fuel_l - self._trip_l0, 5054: lorry.total_fuel_l,
            190: lorry.rpm, 84: lorry.speed_km_h,
            917: lorry.odometer_m, 918: lorry.odometer_m - self._trip_m0,
            244: (lorry.odometer_m - self._trip_m0) / 1000, 245: lorry.odometer_m / 1000,
            247: lorry.engine_h, 110: 84.0, 174: lorry.temperature_c,
        }  # fmt: skip


class CanBridge(LinePeer):
    """The bridge. ``sent`` are the frames that went to the program, ``wrote`` what it wanted to send on the bus."""

    name = "CAN bridge"

    def __init__(self, engine: J1939Engine, end: End, kind: BridgeKind = "slcan", *, bit_rate: int = 250_000) -> None:
        super().__init__(end)
        self.engine = engine
        self.kind = kind
        self.sent = 0
        self.is_open = False
        self.is_listen_only = False
        self.wrote: list[str] = []
        self.heard = bytearray()
        self._bit_rate = bit_rate
        self._rate = 0
        self._stamps = False
        self._buffer = bytearray()

    @classmethod
    def on_pty(
        cls, engine: J1939Engine, link: Path, kind: BridgeKind = "slcan", *, bit_rate: int = 250_000
    ) -> CanBridge:
        return cls(engine, PtyEnd(link), kind, bit_rate=bit_rate)

    # -- on the thread --------------------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        data = self._end.read(_TICK_S)
        if data:
            self.heard += data
            self._buffer += data
            reply = self._answer_slcan() if self.kind == "slcan" else self._answer_gvret()
            if reply:
                self._end.write(reply)
        if self.is_open:
            self._speak()

    def _forget(self) -> None:
        self.is_open, self._rate = False, 0
        self._buffer.clear()

    def _speak(self) -> None:
        frames = self.engine.due(time.monotonic())
        if self._rate != self._bit_rate:  # nothing but line errors, which bridges keep to themselves
            return
        encoded = bytearray()
        for frame in frames:
            encoded += self._encoded(frame)
            self.sent += 1
            every = self.engine.faults.garbled_every
            if every and self.sent % every == 0:
                encoded += b"T18FEFC2\x07" if self.kind == "slcan" else b"\x00\xf1\x33"
        if encoded:
            self._end.write(bytes(encoded))

    def _encoded(self, frame: CanFrame) -> bytes:
        stamped = CanFrame(frame.can_id, frame.data, frame.extended, frame.remote, time.monotonic() % 4_000)
        if self.kind == "gvret":
            return gvret.frame_bytes(stamped)
        return slcan.frame_line(stamped if self._stamps else frame)

    # -- SLCAN ----------------------------------------------------------------------------------------------------

    def _answer_slcan(self) -> bytes:
        *lines, rest = bytes(self._buffer).split(b"\r")
        self._buffer[:] = rest
        return b"".join(self._obey(line.decode("latin-1")) for line in lines)

    def _obey(self, line: str) -> bytes:
        """One command. CR: done, BEL: not now, or not known."""
        head = line[:1]
        done, refused = b"\r", b"\x07"
        if not line:
            return done
        if head == "C":
            was_open, self.is_open = self.is_open, False
            return done if was_open else refused
        if head in "VvNF" and len(line) == 1:
            return {"V": b"V1013\r", "v": b"vSTM32\r", "N": b"NB1K0\r", "F": b"F00\r"}[head]
        if head == "S" and line[1:].isdigit() and int(line[1:]) in slcan.BIT_RATES and not self.is_open:
            self._rate = slcan.BIT_RATES[int(line[1:])]
            return done
        if head == "Z" and line[1:] in ("0", "1") and not self.is_open:
            self._stamps = line[1:] == "1"
            return done
        if head in "OL" and len(line) == 1 and self._rate and not self.is_open:
            self.is_open, self.is_listen_only = True, head == "L"
            return done
        if head in "tTrR" and slcan.read_line(line).frame is not None:
            self.wrote.append(line)
            return refused if not self.is_open or self.is_listen_only else (b"z\r" if head in "tr" else b"Z\r")
        return refused

    # -- GVRET ----------------------------------------------------------------------------------------------------

    def _answer_gvret(self) -> bytes:
        reply = bytearray()
        buffer = self._buffer
        while buffer:
            if buffer[0] == 0xE7 or buffer[0] != 0xF1:
                del buffer[0]
            elif len(buffer) < 2 or (buffer[1] == 0x05 and len(buffer) < 10):
                break
            elif buffer[1] == 0x05:
                word = int.from_bytes(buffer[2:6], "little")
                self._rate, self.is_open = word & 0xF_FFFF, bool(word >> 30 & 1)
                self.is_listen_only = bool(word >> 29 & 1)
                del buffer[:10]
            else:
                known = {
                    0x09: b"\xf1\x09\xde\xad",
                    0x07: b"\xf1\x07\x01\x02\x20\x00\x00\x00",
                    0x06: b"\xf1\x06" + bytes((1,)) + self._bit_rate.to_bytes(4, "little") + bytes(5),
                }
                reply += known.get(buffer[1], b"")
                del buffer[:2]
        return bytes(reply)
