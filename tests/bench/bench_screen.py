"""From the tracker's socket to the painted map, and how late the window's loop runs meanwhile.

The real gateway, 2,000 sockets at 1,000 frames/s from another process, and the real window with the map open,
offscreen. Targets: socket to screen p95 ≤ 300 ms; lateness of a precise 16 ms timer p99 ≤ 16 ms; console ≤ 200 MB.
Baseline: the same timer in an empty PySide6 window on a qasync loop beside the same load.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from app.store.store import Store
from app.store.tables import Device
from tests.bench.common import percentile, report, scratch, unmet
from tests.bench.depots import BenchDepot, know_fleet
from tests.bench.sender import Order, imei, send, sent_by
from tests.helpers.depot import ROOT, Gateway

SECONDS = float(os.environ.get("BIKO_BENCH_SCREEN_S", "30"))
BARE_S = 10.0
SOCKETS = 2_000


def run() -> None:
    with scratch() as folder:
        shown, bare, delays_ms = _measure(folder)
    late_ms, bare_ms = shown["late_ms"], bare["late_ms"]
    report("vehicles on the map", [float(shown["shown"])], "")
    report("fixes painted", [float(len(delays_ms))], "")
    report("socket to screen, median", [percentile(delays_ms, 50)], "ms")
    report("socket to screen, p95", [percentile(delays_ms, 95)], "ms", target="≤ 300")
    report("window's lateness, p99", [percentile(late_ms, 99)], "ms", target="≤ 16")
    report("window's lateness, p99.9", [percentile(late_ms, 99.9)], "ms", target="≤ 100")
    report("  baseline empty window, p99", [percentile(bare_ms, 99)], "ms")
    report("console's memory", [float(shown["memory"][0])], "MB", target="≤ 200")
    report("console's greatest memory", [float(shown["memory"][1])], "MB")
    report("  baseline empty window's memory", [float(bare["memory"][0])], "MB")


def _measure(folder: Path) -> tuple[Any, Any, list[float]]:
    trace = folder / "trace.npy"
    with BenchDepot(folder / "depot") as depot:
        integration_id, port = depot.add_trackers()
        know_fleet(depot.store, integration_id, SOCKETS, adopted=True)
        with Gateway(depot) as gateway:
            gateway.wait_ready()
            with _window("probe_window", depot.paths.data_dir, SECONDS, folder / "window.npz") as window:
                sender = send(Order(port, SOCKETS, seconds=SECONDS + 12, trace=str(trace)))
                _go(window)
                shown = _result(window, folder / "window.npz", SECONDS + 90)
                sent_by(sender, 120)
            with _window("lateness", BARE_S, folder / "bare.npz") as window:
                sender = send(Order(port, SOCKETS, seconds=BARE_S + 5))
                _go(window)
                bare = _result(window, folder / "bare.npz", BARE_S + 90)
                sent_by(sender, 120)
            gateway.say("stop")
            gateway.ended(15)
        delays_ms = _delays_ms(depot.store, np.load(trace), shown["painted"])
    return shown, bare, delays_ms


def _delays_ms(store: Store, sent: Any, painted: Any) -> list[float]:
    """Milliseconds from sending to painting of every fix that was painted while the window was watched."""
    with store.read() as connection:
        keys = {row.unique_id: row.key for row in connection.execute(select(Device.unique_id, Device.key))}
    key_of = [keys[imei(number)] for number in range(SOCKETS)]
    sent_ns = {(key_of[number], at_ms): moment for number, at_ms, moment in zip(*sent.tolist(), strict=True)}
    moments = {(key, at_ms): moment for key, at_ms, moment in zip(*painted.tolist(), strict=True)}
    delays = [(moment - sent_ns[fix]) / 1e6 for fix, moment in moments.items() if fix in sent_ns]
    if len(delays) < SECONDS * 500:
        raise unmet(f"only {len(delays)} fixes reached the screen")
    return delays


@contextmanager
def _window(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    window = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    try:
        yield window
    finally:
        window.kill()
        window.communicate()


def _go(window: subprocess.Popen[str]) -> None:
    if window.stdin is not None:
        window.stdin.write("go\n")
        window.stdin.flush()


def _result(window: subprocess.Popen[str], file: Path, seconds: float) -> Any:
    if window.wait(seconds):
        raise unmet(f"the window ended with {window.returncode}")
    return np.load(file)
