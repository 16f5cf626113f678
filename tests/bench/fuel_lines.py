"""Serial lines in a process of their own: sensors on RS-485, and a CAN bridge on a busy bus.

``python -m tests.bench.fuel_lines '{"folder": …}'`` prints one JSON line with the ports, another when standard input
says ``pause`` (the CAN bus is silent from then on), and ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.can_bridge import CanBridge, J1939Engine
from adapters.fuel_monitoring.simulator.ends import PtyEnd
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from adapters.fuel_monitoring.simulator.vehicle import DrivenVehicle
from tests.helpers.depot import ROOT

BASE_FRAMES_S = 88
"""What the simulated engine says by itself; the rest is other traffic."""


@dataclass(frozen=True, slots=True)
class Lines:
    """How many of what."""

    folder: str
    sensors: int = 8
    frames_s: int = 4_000


class PatientEnd(PtyEnd):
    """Waits until the reader takes what is written, so that nothing is lost here."""

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left and self._far is not None:
            try:
                left = left[os.write(self._far, left) :]
            except BlockingIOError:
                select.select([], [self._far], [], 0.5)
            except OSError:
                return


class Answers:
    """A level that counts how often it was asked for."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        self.count += 1
        return 1_000.0 + self.count % 1_000


def serve(lines: Lines) -> None:
    """Until standard input ends."""
    folder = Path(lines.folder)
    levels = [Answers() for _ in range(lines.sensors)]
    lorry = DrivenVehicle(((12.0, 8.5), (11.0, 7.7)), level_l=200, tank_l=400)
    lorry.advance(60)
    engine = J1939Engine(lorry, filler_per_s=max(lines.frames_s - BASE_FRAMES_S, 0))
    with ExitStack() as stack:
        buses = [
            stack.enter_context(SensorBus.on_pty([LlsSensor(1, level)], folder / f"bus{at}"))
            for at, level in enumerate(levels, start=1)
        ]
        bridge = stack.enter_context(CanBridge(engine, PatientEnd(folder / "can")))
        print(json.dumps({"buses": [bus.port for bus in buses], "bridge": bridge.port}), flush=True)
        for word in sys.stdin:
            if word.strip() == "pause":
                engine.faults.silent = True
                told = {"frames": bridge.sent, "answers": [level.count for level in levels]}
                print(json.dumps(told), flush=True)


class Served:
    """The running process. ``ports`` are its lines."""

    def __init__(self, process: subprocess.Popen[str], ports: dict[str, Any]) -> None:
        self.process = process
        self.ports = ports

    def pause(self) -> dict[str, Any]:
        """Silence the CAN bus; what was sent so far."""
        assert self.process.stdin is not None
        self.process.stdin.write("pause\n")
        self.process.stdin.flush()
        return _line_of(self.process)


@contextmanager
def served(lines: Lines) -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.bench.fuel_lines", json.dumps(asdict(lines))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Served(process, _line_of(process))
        finally:
            with contextlib.suppress(OSError):
                process.communicate(timeout=10)


def _line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


if __name__ == "__main__":
    serve(Lines(**json.loads(sys.argv[1])))
