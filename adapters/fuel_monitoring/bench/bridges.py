"""Serial CAN bridges as the workbench opens them: always listen only (fuel-sensors.md 4)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Final, Protocol

from adapters.errors import NotReady
from adapters.fuel_monitoring.can import gvret, slcan
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.port import SerialLine

ANSWER_S: Final = 0.4
QUIET_S: Final = 0.1
_MOST_REPLIES: Final = 64


class Bridge(Protocol):
    """What turns a serial line into CAN frames. ``title`` is what the bridge calls itself."""

    title: str
    bus_errors: int

    def hear(self, data: bytes) -> list[CanFrame]: ...

    async def open(self, line: SerialLine, bit_rate: int) -> None:
        """Raises NotReady when no bridge answers."""
        ...

    async def close(self, line: SerialLine) -> None: ...


class _Replies:
    """What a bridge answers, kept until somebody waits for it."""

    def __init__(self) -> None:
        self._came: deque[str] = deque(maxlen=_MOST_REPLIES)
        self._event = asyncio.Event()

    def put(self, text: str) -> None:
        self._came.append(text)
        self._event.set()

    async def next(self, seconds: float) -> str | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._came:
                    self._event.clear()
                    await self._event.wait()
        return self._came.popleft() if self._came else None

    async def drain(self, quiet_s: float) -> int:
        """Pass over answers until none comes any more; how many there were."""
        for number in range(_MOST_REPLIES):
            if await self.next(quiet_s) is None:
                return number
        return _MOST_REPLIES

    async def await_one(self, wanted: str, seconds: float) -> int:
        """Pass over answers up to this one; how many came."""
        for number in range(_MOST_REPLIES):
            answer = await self.next(seconds)
            if answer is None or answer == wanted:
                return number + (answer is not None)
        return _MOST_REPLIES

    def clear(self) -> None:
        self._came.clear()


class SlcanBridge:
    def __init__(self) -> None:
        self.title = "SLCAN bridge"
        self.bus_errors = 0
        self._parser = slcan.SlcanParser()
        self._replies = _Replies()
        self._frames = 0

    def hear(self, data: bytes) -> list[CanFrame]:
        frames = []
        for line in self._parser.feed(data):
            if line.frame is not None:
                frames.append(line.frame)
            elif line.facts:
                self._replies.put(str(line.facts.get("reply")))
                if line.facts.get("reply") == "version":
                    self.title = f"SLCAN bridge, hardware {line.facts['hardware']}, software {line.facts['software']}"
            else:
                self.bus_errors += 1
        self._frames += len(frames)
        return frames

    async def open(self, line: SerialLine, bit_rate: int) -> None:
        """Flush, close, ask, set the rate, listen only: each answered before the next, as far as bridges answer."""
        flush, close, version, *rest = slcan.open_sequence(bit_rate, listen_only=True)
        await line.write(flush)
        await line.write(close)
        answers = await self._replies.drain(QUIET_S)  # of unknown number: each bare CR may have one
        await line.write(version)
        answers += await self._replies.await_one("version", ANSWER_S)
        for command in rest:
            await line.write(command)
            answer = await self._replies.next(ANSWER_S)
            answers += answer is not None
            if answer == "error":
                name = command.decode().strip()
                raise NotReady(f"The bridge at {line.path} refuses the command {name}. Unplug it, and try again.")
        if not answers and not self._frames:
            raise NotReady(
                f"No SLCAN bridge answers at {line.path}. Choose the right port; bridges on RS-232 also need their "
                "serial speed (57600 or 115200)."
            )

    async def close(self, line: SerialLine) -> None:
        await line.write(slcan.CLOSE)


class GvretBridge:
    def __init__(self) -> None:
        self.title = "GVRET bridge"
        self.bus_errors = 0
        self._parser = gvret.GvretParser()
        self._replies = _Replies()

    def hear(self, data: bytes) -> list[CanFrame]:
        frames = []
        for found in self._parser.feed(data):
            if isinstance(found, CanFrame):
                frames.append(found)
            else:
                self._replies.put(f"{found.command:02X}")
        return frames

    async def open(self, line: SerialLine, bit_rate: int) -> None:
        await line.write(gvret.ENTER_BINARY)
        self._replies.clear()
        await line.write(gvret.KEEP_ALIVE)
        if await self._replies.next(ANSWER_S) is None:
            raise NotReady(f"No GVRET bridge answers at {line.path}. Choose the right port, or another kind of bridge.")
        await line.write(gvret.set_speed((bit_rate, 0), listen_only=True))

    async def close(self, line: SerialLine) -> None:
        """It knows no command for it; without one it goes on listening, and sends nothing on the bus."""
