"""Processes that are killed with SIGKILL while they compute, one after the other; the last one ends with the same."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from adapters.records import Batch, FuelReading, FuelSensorInfo
from app.fleet.telemetry import TelemetrySink
from app.fuel import worker
from app.fuel.agenda import open_work
from app.fuel.calibrations import add_calibration
from app.fuel.tanks import bind_by_settings, list_tanks
from app.fuel.worker import AGAIN_S, DAY_MS, FuelWorker
from app.store.store import Store
from app.store.tables import FuelDay, FuelEventRow
from tests.helpers.fleet import add_integration
from tests.helpers.stores import make_store_url

ROOT = Path(__file__).parents[4]
START_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
DAYS, STEP_MS, PART_MS = 24, 600_000, 3 * DAY_MS
NOW_MS = START_MS + (DAYS + 1) * DAY_MS
LIVES = 5

CHILD = f"""
import sys
from app.fuel import worker
from app.store.store import Store
worker.LONGEST_MS = {PART_MS}
store, fuel = Store.open(sys.argv[1]), worker.FuelWorker()
while True:
    print("step", flush=True)
    if fuel.step(store, {NOW_MS}) == worker.AGAIN_S:
        break
store.close()
"""


def _filled(folder: Path) -> str:
    """A store with a tank whose weeks are still to be computed."""
    url = make_store_url(folder)
    store = Store.open(url)
    try:
        rng, level = np.random.default_rng(7), 300.0
        readings: list[Any] = [FuelSensorInfo("a", "rs485", "counts", "A", vehicle="KAN-1", tank="Main")]
        for at in range(DAYS * DAY_MS // STEP_MS):
            level -= 0.02
            level += 150.0 if at % 700 == 650 else 0.0
            level -= 35.0 if at % 500 == 400 else 0.0
            at_ms = START_MS + at * STEP_MS
            readings.append(FuelReading("a", at_ms, at_ms, round((level + rng.normal(0, 0.2)) * 10)))
        sink, integration_id = TelemetrySink(store), add_integration(store, "fuel-1", "fuel_monitoring")
        store.write(lambda c: sink.ingest(c, integration_id, [Batch(readings)], NOW_MS)).result()
        store.write(bind_by_settings).result()
        with store.read() as connection:
            (tank,) = list_tanks(connection)
        rows = [(0, 0), (6000, 600)]
        store.write(lambda c: add_calibration(c, tank.id, tank.sensors[0], rows, valid_from_ms=START_MS)).result()
    finally:
        store.close()
    return url


def _outcome(url: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    event, day = FuelEventRow, FuelDay
    store = Store.open(url)
    try:
        with store.read() as connection:
            assert open_work(connection) == {}
            events = select(event.kind, event.start_ms, event.end_ms, event.litres, event.provisional)
            standing = events.where(event.withdrawn_at.is_(None)).order_by(event.start_ms)
            days = select(day.day, day.start_l, day.end_l, day.refuelled_l, day.drained_l, day.used_l, day.quality)
            totals = days.where(day.superseded_at.is_(None)).order_by(day.day)
            found = [tuple(row) for row in connection.execute(standing)]
            return found, [tuple(row) for row in connection.execute(totals)]
    finally:
        store.close()


def test_whatever_is_killed_begins_again_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LONGEST_MS", PART_MS)
    undisturbed, killed = _filled(tmp_path / "undisturbed"), _filled(tmp_path / "killed")
    store, fuel = Store.open(undisturbed), FuelWorker()
    while fuel.step(store, NOW_MS) != AGAIN_S:
        pass
    store.close()
    for life in range(LIVES):
        child = subprocess.Popen([sys.executable, "-c", CHILD, killed], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child, child.stdout:
            for _step in range(1 + life % 3):
                assert child.stdout.readline() == "step\n"
            child.kill()  # in the middle of a step
    last = subprocess.run([sys.executable, "-c", CHILD, killed], cwd=ROOT, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    events, days = _outcome(killed)
    assert (events, days) == _outcome(undisturbed)
    assert {kind for kind, *_rest in events} == {"refuel", "drain"}
    assert len({day for day, *_rest in days}) == len(days) == DAYS
