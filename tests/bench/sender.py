"""Trackers on real sockets in a process of their own: ``python -m tests.bench.sender '{"port": …}'``.

Prints one JSON line with what was sent and how long the answers to heartbeats took. Tracker ``n`` numbers its fixes
1, 2, 3 …, so that the store can be compared with what was sent; only heartbeats are answered by GT02.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

from adapters.gt02_tracker.simulator_frames import Fix, gt02_heartbeat, gt02_location
from app.platform import raise_open_files_limit
from tests.helpers.depot import HEARTBEAT_ACK, ROOT

HEARTBEAT_EVERY = 10
"""One frame in ten of the steady load is a heartbeat."""
TICK_S = 0.005
CONNECTING = 200
"""Connections opened at a time, as the listener's backlog allows."""
BURST = 10
"""Fixes per write of a flood: what a modem packs into one segment when it empties its buffer."""
ANSWER_S = 120.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to send. With ``fixes_each`` a flood, as fast as the sockets take it; else ``rate`` frames/s in turns.

    The steady load goes on for ``seconds``, of which the first ``settle_s`` are sent but not measured; ``trace``
    names a file for the columns tracker, fix time (ms), moment of sending (ns) of every fix.
    """

    port: int
    sockets: int = 2_000
    rate: int = 1_000
    seconds: float = 60.0
    settle_s: float = 2.0
    fixes_each: int = 0
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """``fixes`` by tracker; ``answers_ms`` of the heartbeats; ``seconds`` from the first byte to the last answer.

    ``broken`` connections ended before their last answer; ``behind_s`` is how late the last frame of the steady load
    was sent, which says whether the sender itself kept up.
    """

    fixes: list[int]
    answers_ms: list[float]
    seconds: float
    broken: int
    behind_s: float


def imei(number: int) -> str:
    return f"35889906{number:07d}"


def send(order: Order) -> subprocess.Popen[str]:
    """Start a sender; :func:`sent_by` waits for its end."""
    command = [sys.executable, "-m", "tests.bench.sender", json.dumps(asdict(order))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def sent_by(sender: subprocess.Popen[str], seconds: float) -> Sent:
    """What the sender did. Raises where it failed or is not done in time."""
    out, _ = sender.communicate(timeout=seconds)
    if sender.returncode:
        raise RuntimeError(f"the sender ended with {sender.returncode}")
    return Sent(**json.loads(out))


class _Tracker(asyncio.Protocol):
    def __init__(self, number: int, answers_ms: list[float]) -> None:
        self.imei = imei(number)
        self.fixes = 0
        self.waiting: deque[float] = deque()  # when the heartbeats not answered yet were sent
        self.is_open = False
        self.at_ms = 0
        self._answers_ms = answers_ms
        self._received = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_open = False
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        while self._received >= len(HEARTBEAT_ACK) and self.waiting:
            self._received -= len(HEARTBEAT_ACK)
            self._answers_ms.append((time.perf_counter() - self.waiting.popleft()) * 1000)

    def fix(self, at_ms: int) -> bytes:
        self.fixes += 1
        self.at_ms = max(at_ms, self.at_ms + 1000) // 1000 * 1000
        step = (self.fixes % 4_000) * 2e-5
        place = int(self.imei[-7:])
        lat, lon = 5.0 + place % 80 / 10 + step, 3.5 + place // 80 % 100 / 10
        return gt02_location(self.imei, self.fixes & 0xFFFF, Fix(self.at_ms, lat, lon, 40.0, 0.0, ignition=True))

    def beat(self) -> None:
        self.waiting.append(time.perf_counter())
        self.transport.write(gt02_heartbeat(self.imei, self.fixes & 0xFFFF, 6, 4, b"\x28"))

    async def pour(self, frames: list[bytes]) -> None:
        """Write as fast as the socket takes it, then ask whether all of it is stored."""
        for start in range(0, len(frames), BURST):
            await self._writable.wait()
            if not self.is_open:
                return
            self.transport.write(b"".join(frames[start : start + BURST]))
            await asyncio.sleep(0)
        self.beat()


@dataclass(slots=True)
class _Trace:
    trackers: list[int] = field(default_factory=list)
    fixed_ms: list[int] = field(default_factory=list)
    sent_ns: list[int] = field(default_factory=list)

    def save(self, path: str) -> None:
        np.save(Path(path), np.array([self.trackers, self.fixed_ms, self.sent_ns], np.int64))


async def _run(order: Order) -> Sent:
    answers_ms: list[float] = []
    fleet = [_Tracker(number, answers_ms) for number in range(order.sockets)]
    for start in range(0, len(fleet), CONNECTING):
        await asyncio.gather(*(_connect(tracker, order.port) for tracker in fleet[start : start + CONNECTING]))
    if order.fixes_each:
        began_s, behind_s = await _flood(fleet, order)
        measured = answers_ms
    else:
        began_s, behind_s = await _steadily(fleet, order, answers_ms)
        measured = list(answers_ms)
        for tracker in fleet:  # only its answer says that everything before it is stored
            tracker.beat()
            await asyncio.sleep(0.001)
    until_s = time.perf_counter() + ANSWER_S
    while any(one.waiting and one.is_open for one in fleet) and time.perf_counter() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began_s
    broken = sum(not tracker.is_open or bool(tracker.waiting) for tracker in fleet)
    for tracker in fleet:
        tracker.transport.abort()
    return Sent([tracker.fixes for tracker in fleet], measured, seconds, broken, behind_s)


async def _connect(tracker: _Tracker, port: int) -> None:
    await asyncio.get_running_loop().create_connection(lambda: tracker, "127.0.0.1", port)


async def _steadily(fleet: list[_Tracker], order: Order, answers_ms: list[float]) -> tuple[float, float]:
    """Frames in turns, evenly spread; every tracker has its own turn for heartbeats."""
    trace = _Trace()
    began_s = time.perf_counter()
    total, sent = round(order.rate * (order.settle_s + order.seconds)), 0
    settled = round(order.rate * order.settle_s)
    while sent < total:
        due = min(total, int((time.perf_counter() - began_s) * order.rate))
        for index in range(sent, due):
            turn, number = divmod(index, len(fleet))
            tracker = fleet[number]
            if (turn + number) % HEARTBEAT_EVERY == 0:
                tracker.beat()
            else:
                frame = tracker.fix(time.time_ns() // 1_000_000)
                trace.trackers.append(number)
                trace.fixed_ms.append(tracker.at_ms)
                trace.sent_ns.append(time.time_ns())
                tracker.transport.write(frame)
            if index == settled:
                answers_ms.clear()
        sent = max(sent, due)
        await asyncio.sleep(TICK_S)
    behind_s = time.perf_counter() - began_s - total / order.rate
    if order.trace:
        trace.save(order.trace)
    return began_s, behind_s


async def _flood(fleet: list[_Tracker], order: Order) -> tuple[float, float]:
    """Everything is made beforehand, so that sending costs the machine as little as can be."""
    start_ms = (time.time_ns() // 1_000_000_000 - order.fixes_each - 60) * 1000
    frames = [[tracker.fix(start_ms + n * 1000) for n in range(order.fixes_each)] for tracker in fleet]
    began_s = time.perf_counter()
    await asyncio.gather(*(tracker.pour(mine) for tracker, mine in zip(fleet, frames, strict=True)))
    return began_s, 0.0


def main() -> None:
    raise_open_files_limit()
    order = Order(**json.loads(sys.argv[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(_run(order)))))


if __name__ == "__main__":
    main()
