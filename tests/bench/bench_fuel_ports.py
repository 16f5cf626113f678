"""Eight ports with one sensor each at 10 Hz and a CAN bridge at 4,000 frames/s, read by a real gateway into a store.

Targets: 0 dropped, flat memory. Baseline: bare pyserial in a process of its own, which asks the same sensors as often
and reads the same frames, and neither decodes nor stores anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from sqlalchemy import func, select

from app.integrations.changes import add
from app.store.tables import FuelReadingRow, FuelSensor, IntegrationDay
from tests.bench.common import report, rss_mb, scratch
from tests.bench.fuel_lines import Lines, served
from tests.helpers.depot import ROOT, Depot, Gateway, wait_for

SECONDS = float(os.environ.get("BIKO_BENCH_FUEL_S", "20"))
SETTLE_S = 5.0
BASELINE_S = 10.0
PERIOD_S = 0.1
READER = """
import json, sys, threading, time
import serial
ports, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
ends = time.monotonic() + seconds
def ask(path):
    with serial.Serial(path, 19200, timeout=0.25) as port:
        due = time.monotonic()
        while due < ends:
            port.write(bytes.fromhex("3101066C"))
            port.read(9)
            due += 0.1
            time.sleep(max(0.0, due - time.monotonic()))
for path in ports["buses"]:
    threading.Thread(target=ask, args=(path,), daemon=True).start()
with serial.Serial(ports["bridge"], 115200, timeout=0.1) as bridge:
    bridge.write(b"C\\rS5\\rL\\r")
    while time.monotonic() < ends:
        bridge.read(1)
        bridge.read(min(bridge.in_waiting, 65536))
    bridge.write(b"C\\r")
times = time.process_time()
print(times)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of what was sent. Shares are of one core."""

    seconds: float
    frames_sent: int
    frames_taken: int
    answers: int
    stored: int
    troubles: dict[str, int]
    cpu_share: float
    settled_mb: float
    last_mb: float

    @property
    def dropped(self) -> int:
        """Frames and answers that did not arrive; an answer on its way at the end is none."""
        return self.frames_sent - self.frames_taken + max(self.answers - self.stored - 8, 0)


def run() -> None:
    with scratch() as folder:
        bare = baseline(folder / "bare")
        ours = measure(folder / "ours", SECONDS, SETTLE_S)
    report("CAN frames", [ours.frames_sent / ours.seconds], "frames/s", target="≥ 4,000")
    report("readings of 8 sensors", [ours.answers / ours.seconds], "readings/s", target="≥ 80")
    report("dropped", [float(ours.dropped)], "", target="0")
    print(f"  counted beside them: {ours.troubles or 'nothing'}")
    report("gateway's CPU", [100 * ours.cpu_share], "% of one core")
    report("  baseline: bare pyserial, nothing stored", [100 * bare], "% of one core")
    print(f"  ratio {ours.cpu_share / bare:.1f}")
    report("memory after the start", [ours.settled_mb], "MB")
    report("memory at the end", [ours.last_mb], "MB", target="flat")


def baseline(folder: Path) -> float:
    """The share of a core that bare reading takes."""
    folder.mkdir()
    with served(Lines(str(folder))) as lines:
        command = [sys.executable, "-c", READER, json.dumps(lines.ports), str(BASELINE_S)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=BASELINE_S + 60)
    return float(done.stdout) / BASELINE_S


def measure(folder: Path, seconds: float, settle_s: float) -> Outcome:
    """Read for so long; memory is compared from ``settle_s`` after the start on."""
    folder.mkdir()
    (folder / "lines").mkdir()
    with served(Lines(str(folder / "lines"))) as lines, Depot(folder / "depot") as depot:
        ids = [_add(depot, "lls", port, PERIOD_S) for port in lines.ports["buses"]]
        bridge_id = _add(depot, "slcan", lines.ports["bridge"], 1.0)
        with Gateway(depot) as gateway:
            gateway.wait_ready()
            pid = gateway.process.pid
            wait_for(lambda: _are_healthy(depot, [*ids, bridge_id]), 60)
            time.sleep(settle_s)
            settled_mb, before_s, begun_s = rss_mb(pid), _cpu_s(pid), time.monotonic()
            time.sleep(seconds)
            share = (_cpu_s(pid) - before_s) / (time.monotonic() - begun_s)
            last_mb = rss_mb(pid)
            sent = lines.pause()
            whole_s = time.monotonic() - begun_s + settle_s
            _let_it_take(depot, bridge_id, sent["frames"])
            gateway.say("stop")
            gateway.ended(30)
        counted = _counted(depot)
        return Outcome(
            seconds=whole_s,
            frames_sent=sent["frames"],
            frames_taken=counted.pop("can_frames", 0),
            answers=sum(sent["answers"]),
            stored=_stored(depot, "lls"),
            troubles=counted,
            cpu_share=share,
            settled_mb=settled_mb,
            last_mb=last_mb,
        )


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _add(depot: Depot, protocol: str, port: str, period_s: float) -> str:
    values: dict[str, Any] = {"protocol": protocol, "port": port, "period_s": period_s, "sensors": "1"}
    return add(depot.desk, "fuel_monitoring", Path(port).name, values)


def _are_healthy(depot: Depot, ids: list[str]) -> bool:
    states = [depot.state(one) for one in ids]
    return all(state is not None and state.phase == "healthy" for state in states)


def _let_it_take(depot: Depot, bridge_id: str, frames: int) -> None:
    """Until the last frame was counted, or it is clear that it never will be."""
    ends_s = time.monotonic() + 10
    while time.monotonic() < ends_s and _counted(depot, bridge_id).get("can_frames", 0) < frames:
        time.sleep(0.1)


def _counted(depot: Depot, integration_id: str | None = None) -> dict[str, int]:
    query = select(IntegrationDay.counters)
    if integration_id is not None:
        query = query.where(IntegrationDay.integration_id == integration_id)
    total: dict[str, int] = {}
    with depot.store.read() as connection:
        for counters in connection.execute(query).scalars():
            for name, amount in (counters or {}).items():
                total[name] = total.get(name, 0) + int(amount)
    return total


def _stored(depot: Depot, prefix: str) -> int:
    query = (
        select(func.count()).select_from(FuelReadingRow).join(FuelSensor, FuelSensor.key == FuelReadingRow.sensor_key)
    )
    with depot.store.read() as connection:
        return int(connection.execute(query.where(FuelSensor.unique_id.like(f"{prefix}:%"))).scalar_one())
