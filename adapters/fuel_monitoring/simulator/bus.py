"""A bus of sensors at the far end of a pseudo terminal or of a TCP socket, with everything that goes wrong on wires.

It runs in a thread of its own, so that its delays are its own. What it does wrong is set on :class:`BusFaults`, at
any time.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path
from random import Random
from typing import Literal

from adapters.fuel_monitoring.lls.frames import LlsParser
from adapters.fuel_monitoring.lls.text import REQUEST as TEXT_REQUEST
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.simulator.ends import End, PtyEnd, TcpEnd
from adapters.fuel_monitoring.simulator.line_peer import LinePeer
from adapters.fuel_monitoring.simulator.sensors import Sensor

Collision = Literal["garble", "alternate", "both"]
_LOOK_S = 0.02
_MODBUS_REQUEST = 8


@dataclass(slots=True)
class BusFaults:
    """What goes wrong. ``silent`` sensors do not answer; ``collision`` is what two answers at once become."""

    silent: set[int] = field(default_factory=set)
    bad_checksums: int = 0  # of the answers that come next
    noise: bytes = b""  # before every answer
    echo: bool = False
    extra_delay_s: float = 0.0
    chunk_bytes: int = 0  # answers come in pieces of this size
    cut_after: int = 0  # answers end after so many bytes
    collision: Collision = "garble"


class SensorBus(LinePeer):
    """Sensors on one line. ``second_s`` is how long a second of the sensors' own clocks lasts.

    ``speed`` 0 lets every speed pass; otherwise a program that set another one hears garbage.
    """

    name = "sensor bus"

    def __init__(self, sensors: Sequence[Sensor], end: End, *, speed: int = 19_200, second_s: float = 1.0) -> None:
        super().__init__(end)
        self.sensors = list(sensors)
        self.faults = BusFaults()
        self.speed = speed
        self.heard = bytearray()
        self._second_s = second_s
        self._rng = Random(7)
        self._turn = 0
        self._parser = LlsParser()
        self._modbus = bytearray()
        self._due: list[tuple[float, int, bytes]] = []
        self._number = 0
        self._next_word_s: dict[int, float] = {}

    @classmethod
    def on_pty(cls, sensors: Sequence[Sensor], link: Path, *, speed: int = 19_200, second_s: float = 1.0) -> SensorBus:
        """A bus whose near end is a serial port at ``link``."""
        return cls(sensors, PtyEnd(link), speed=speed, second_s=second_s)

    @classmethod
    def on_tcp(cls, sensors: Sequence[Sensor], port: int = 0, *, second_s: float = 1.0) -> SensorBus:
        """A bus behind a serial server on loopback; it exists on every system."""
        return cls(sensors, TcpEnd(port), speed=0, second_s=second_s)

    def say(self, data: bytes) -> None:
        """Put bytes on the line now."""
        self._end.write(data)

    # -- on the thread --------------------------------------------------------------------------------------------

    def _take_turn(self) -> None:
        data = self._end.read(self._patience_s())
        if data:
            self._hear(data)
        self._speak()

    def _forget(self) -> None:
        self._due.clear()

    def _patience_s(self) -> float:
        return min(max(self._due[0][0] - time.monotonic(), 0.0), _LOOK_S) if self._due else _LOOK_S

    def _hear(self, data: bytes) -> None:
        if self.faults.echo:
            self._end.write(data)
        self.heard += data
        spoken_at = self._end.speed()
        if self.speed and spoken_at and spoken_at != self.speed:
            self._later(self._rng.randbytes(len(data)), 0.002)
            return
        answers: list[tuple[float, bytes]] = []
        for frame in self._parser.feed(data):
            if frame.is_request:
                answers += self._ask(methodcaller("answer_lls", frame))
        if TEXT_REQUEST in data and len(data) <= len(TEXT_REQUEST) + 2:
            answers += self._ask(methodcaller("answer_text"))
        for request in self._modbus_requests(data):
            answers += self._ask(methodcaller("answer_modbus", request))
        for delay_s, answer in self._collided(answers):
            self._later(self._spoilt(answer), delay_s + self.faults.extra_delay_s)

    def _ask(self, question: Callable[[Sensor], bytes | None]) -> list[tuple[float, bytes]]:
        answers = []
        for sensor in self.sensors:
            if getattr(sensor, "address", None) in self.faults.silent:
                continue
            answer = question(sensor)
            if answer is not None:
                answers.append((sensor.delay_s, answer))
        return answers

    def _modbus_requests(self, data: bytes) -> list[bytes]:
        self._modbus += data
        found = []
        at = 0
        while at + _MODBUS_REQUEST <= len(self._modbus):
            window = bytes(self._modbus[at : at + _MODBUS_REQUEST])
            if window[1] in (rtu.READ_HOLDING, rtu.READ_INPUT, rtu.WRITE_ONE) and rtu.crc16(window) == 0:
                found.append(window)
                at += _MODBUS_REQUEST
            else:
                at += 1
        del self._modbus[:at]
        return found

    def _collided(self, answers: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
        if len(answers) < 2 or self.faults.collision == "both":
            return answers
        if self.faults.collision == "alternate":
            self._turn += 1
            return [answers[self._turn % len(answers)]]
        longest = max(len(answer) for _delay, answer in answers)
        padded = [answer.ljust(longest, b"\xff") for _delay, answer in answers]
        garbled = bytearray(padded[0])
        for other in padded[1:]:
            garbled = bytearray(mine & theirs for mine, theirs in zip(garbled, other, strict=True))
        return [(answers[0][0], bytes(garbled))]

    def _spoilt(self, answer: bytes) -> bytes:
        faults = self.faults
        if faults.bad_checksums > 0:
            faults.bad_checksums -= 1
            answer = answer[:-1] + bytes((answer[-1] ^ 0x5A,))
        if faults.cut_after:
            answer = answer[: faults.cut_after]
        return faults.noise + answer

    def _later(self, data: bytes, delay_s: float) -> None:
        size = self.faults.chunk_bytes or len(data) or 1
        due_s = time.monotonic() + delay_s
        for at in range(0, len(data), size):
            self._number += 1
            heapq.heappush(self._due, (due_s + 0.002 * (at // size), self._number, data[at : at + size]))

    def _speak(self) -> None:
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            self._end.write(heapq.heappop(self._due)[2])
        for at, sensor in enumerate(self.sensors):
            word = sensor.spontaneous()
            if word is None:
                self._next_word_s.pop(at, None)
                continue
            every_s, data = word
            due_s = self._next_word_s.setdefault(at, now_s + every_s * self._second_s)
            if now_s >= due_s:
                self._next_word_s[at] = now_s + every_s * self._second_s
                self._end.write(data)
