"""One simulated tracker: drives, reports, waits for answers, and keeps what was not answered, as real ones do."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from adapters.gt02_tracker import gt02
from adapters.gt02_tracker import simulator_frames as frames
from adapters.gt02_tracker.simulator_frames import Answers, Fix
from adapters.gt02_tracker.simulator_roads import Drive

_ANSWER_S: Final = 5.0
_LOGIN_TRIES: Final = 3
_HEARTBEAT_ANSWER_S: Final = 10.0
_RESEND_S: Final = 10.0
_BUFFER_FIXES: Final = 5000
_BURST: Final = 50  # buffered fixes sent before listening again
_LONGEST_RETRY_S: Final = 15.0
_FULL_DETAIL_INTERVALS: Final = 100


@dataclass(frozen=True, slots=True)
class Faults:
    """Chances per reported fix that something goes wrong, and seconds that an outage lasts at most."""

    outage: float = 0.002
    bad_frame: float = 0.01
    garbage: float = 0.005
    reconnect: float = 0.004
    sos: float = 0.001
    outage_s: float = 90.0


NO_FAULTS: Final = Faults(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What all trackers of a fleet share."""

    host: str
    port: int
    interval_s: float
    heartbeat_s: float
    stretch: float
    faults: Faults
    history_step_s: float = 60.0


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Ride(Protocol):
    """What a tracker is built into: :class:`Drive`, or a vehicle of somebody else's."""

    @property
    def point(self) -> tuple[float, float]: ...

    @property
    def speed_km_h(self) -> float: ...

    @property
    def course_deg(self) -> float: ...

    @property
    def ignition(self) -> bool: ...

    def advance(self, seconds: float, stretch: float = 1.0) -> None: ...


class SimulatedTracker:
    """Runs until cancelled. ``sent`` counts fixes sent for the first time, ``answered`` those confirmed by answers."""

    def __init__(
        self,
        imei: str,
        protocol: Literal["gt02", "gt06"],
        plan: Plan,
        rng: random.Random,
        *,
        start_ms: int,
        now_ms: Callable[[], int] = wall_ms,
        drive: Ride | None = None,
    ) -> None:
        self.imei = imei
        self.protocol = protocol
        self.answered = 0
        self.sent = 0
        self._plan = plan
        self._rng = rng
        self._now_ms = now_ms
        self._drive: Ride = drive or Drive(rng)
        self._serial = 0
        self._next_fix_ms = start_ms
        self._buffer: deque[Fix] = deque(maxlen=_BUFFER_FIXES)
        self._unanswered: dict[int, tuple[Fix, float]] = {}  # by serial: GT06 alone confirms fixes
        self._heartbeat_due_s = 0.0
        self._heartbeat_sent_s: float | None = None

    async def run(self) -> None:
        """Connect, report, and come back after every loss; a listener that is absent is tried again for ever."""
        retry_s = 1.0
        while True:
            try:
                reader, writer = await asyncio.open_connection(self._plan.host, self._plan.port)
            except OSError:
                await asyncio.sleep(retry_s * self._rng.uniform(0.7, 1.3))
                retry_s = min(retry_s * 2, _LONGEST_RETRY_S)
                continue
            retry_s = 1.0
            pause_s = 0.5
            try:
                pause_s = await self._talk(reader, writer)
            except (OSError, TimeoutError, ValueError):
                pass  # a lost link, a missing answer or a strange one: hang up and come back
            finally:
                writer.close()
                self._take_back()
            await asyncio.sleep(pause_s)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
        """One connection; returns how long to stay away."""
        answers = Answers()
        if self.protocol == "gt06":
            await self._log_in(reader, writer, answers)
        self._heartbeat_due_s = time.monotonic()
        self._heartbeat_sent_s = None
        while True:
            made = self._drive_on()
            self._report(writer)
            stay_away_s = self._misbehave(writer) if made else None
            await writer.drain()
            if stay_away_s is not None:
                return stay_away_s
            await self._listen(reader, answers)

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answers) -> None:
        for _ in range(_LOGIN_TRIES):
            serial = self._next_serial()
            writer.write(frames.gt06_login(self.imei, serial))
            try:
                async with asyncio.timeout(_ANSWER_S):
                    while (0x01, serial) not in answers.feed(await self._read(reader)):
                        pass
            except TimeoutError:
                continue
            return
        raise TimeoutError("no answer to the login")

    async def _listen(self, reader: asyncio.StreamReader, answers: Answers) -> None:
        """Read answers until the next report is due. Raises where the server hangs up or stays silent."""
        wait_s = 0.0 if self._buffer else max(0.02, (self._next_fix_ms - self._now_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    for message_type, serial in answers.feed(await self._read(reader)):
                        self._settle(message_type, serial)
        except TimeoutError:
            pass
        sent_s = self._heartbeat_sent_s
        if sent_s is not None and time.monotonic() - sent_s > _HEARTBEAT_ANSWER_S:
            raise TimeoutError("no answer to the heartbeat")

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> bytes:
        data = await reader.read(4096)
        if not data:
            raise ConnectionResetError("the server hung up")
        return data

    def _settle(self, message_type: int, serial: int) -> None:
        if message_type in (gt02.HEARTBEAT, 0x13):
            self._heartbeat_sent_s = None
        elif self._unanswered.pop(serial, None) is not None:
            self.answered += 1

    def _drive_on(self) -> int:
        """Drive up to now, also through the time without a connection; returns how many fixes that gave."""
        made = 0
        now_ms = self._now_ms()
        while self._next_fix_ms <= now_ms:
            # Of what is long past less was kept, as a tracker with a small buffer does.
            is_recent = now_ms - self._next_fix_ms < _FULL_DETAIL_INTERVALS * 1000 * self._plan.interval_s
            step_s = self._plan.interval_s if is_recent else max(self._plan.history_step_s, self._plan.interval_s)
            self._drive.advance(step_s, self._plan.stretch)
            lat, lon = self._drive.point
            self._buffer.append(
                Fix(
                    self._next_fix_ms,
                    lat + self._rng.gauss(0, 0.00003),
                    lon + self._rng.gauss(0, 0.00003),
                    self._drive.speed_km_h,
                    self._drive.course_deg,
                    self._drive.ignition,
                    sos=self._rng.random() < self._plan.faults.sos,
                )
            )
            self._next_fix_ms += round(step_s * 1000)
            made += 1
        return made

    def _report(self, writer: asyncio.StreamWriter) -> None:
        now_s = time.monotonic()
        late = [serial for serial, (_, at_s) in self._unanswered.items() if now_s - at_s > _RESEND_S]
        for serial in late:
            self._send_fix(writer, self._unanswered.pop(serial)[0], now_s, again=True)
        for _ in range(min(len(self._buffer), _BURST)):
            self._send_fix(writer, self._buffer.popleft(), now_s, again=False)
            self.sent += 1
        if now_s >= self._heartbeat_due_s and self._heartbeat_sent_s is None:
            self._heartbeat_due_s = now_s + self._plan.heartbeat_s
            self._heartbeat_sent_s = now_s
            writer.write(self._heartbeat())

    def _send_fix(self, writer: asyncio.StreamWriter, fix: Fix, now_s: float, *, again: bool) -> None:
        serial = self._next_serial()
        if self.protocol == "gt02":
            writer.write(frames.gt02_location(self.imei, serial, fix))
            return
        self._unanswered[serial] = (fix, now_s)
        if fix.sos and not again:
            writer.write(frames.gt06_sos(serial, fix))
        else:
            is_old = self._now_ms() - fix.at_ms > 2000 * self._plan.interval_s
            writer.write(frames.gt06_location(serial, fix, buffered=again or is_old))

    def _heartbeat(self) -> bytes:
        serial = self._next_serial()
        if self.protocol == "gt02":
            snr = bytes(self._rng.randint(18, 45) for _ in range(self._rng.randint(5, 11)))
            return frames.gt02_heartbeat(self.imei, serial, self._rng.randint(4, 6), self._rng.randint(2, 4), snr)
        lat, lon = self._drive.point
        fix = Fix(self._now_ms(), lat, lon, self._drive.speed_km_h, self._drive.course_deg, self._drive.ignition)
        return frames.gt06_status(serial, fix, self._rng.randint(4, 6), self._rng.randint(2, 4))

    def _misbehave(self, writer: asyncio.StreamWriter) -> float | None:
        """Now and then something goes wrong; a number is how long the tracker will be away."""
        chance, faults = self._rng.random, self._plan.faults
        if chance() < faults.bad_frame:
            writer.write(self._bad_frame())
        if chance() < faults.garbage:
            writer.write(self._rng.randbytes(self._rng.randint(1, 40)))
        if chance() < faults.reconnect:
            return self._rng.uniform(0.2, 2.0)
        if chance() < faults.outage:
            return self._rng.uniform(0.2, 1.0) * faults.outage_s
        return None

    def _bad_frame(self) -> bytes:
        """A GT06 frame with a wrong checksum, or a GT02 frame whose identity is damaged; or one that is cut off."""
        lat, lon = self._drive.point
        fix = Fix(self._now_ms(), lat, lon, 0.0, 0.0, ignition=False)
        is_gt02 = self.protocol == "gt02"
        frame = bytearray(
            frames.gt02_location(self.imei, 0, fix) if is_gt02 else frames.gt06_location(0, fix, buffered=False)
        )
        if self._rng.random() < 0.5:
            return bytes(frame[: len(frame) // 2])
        frame[7] = 0xFB if is_gt02 else frame[7] ^ 0x01
        return bytes(frame)

    def _take_back(self) -> None:
        """What was not answered goes back into the buffer, oldest first."""
        for fix, _ in reversed(self._unanswered.values()):
            self._buffer.appendleft(replace(fix, sos=False) if fix.sos else fix)
        self._unanswered.clear()

    def _next_serial(self) -> int:
        self._serial = self._serial % 0xFFFF + 1
        return self._serial
