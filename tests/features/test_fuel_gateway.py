"""Story of a lorry's two probes: added on the command line, read by a gateway, lent, pulled and plugged in again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from app.engine.phases import Phase
from app.store.tables import FuelReadingRow, FuelSensor, RawFrameRow, Tank, Vehicle
from tests.helpers.command_line import run_program
from tests.helpers.depot import Depot, Gateway, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[SensorBus]:
    with SensorBus.on_pty([LlsSensor(1, lambda: 1000), LlsSensor(2, lambda: 2000)], tmp_path / "port") as made:
        yield made


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    with Depot(tmp_path / "depot") as made:
        yield made


def add_on_command_line(depot: Depot, port: str, *more: str) -> str:
    """The id of the new integration."""
    words = ["integrations", "add", "fuel_monitoring", "--name", "Lorry", "--json", "--set", f"port={port}"]
    words += [word for setting in ("vehicle=KAN-101-XA", "period_s=0.2", *more) for word in ("--set", setting)]
    done = run_program("--data-dir", depot.paths.data_dir, *words)
    assert done.status == 0, done.err
    found: str = json.loads(done.out)["id"]
    return found


def readings(depot: Depot) -> int:
    with depot.store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(FuelReadingRow)).scalar_one())


def phase(depot: Depot, integration_id: str) -> Any:
    state = depot.state(integration_id)
    return state.phase if state is not None else None


def reason(depot: Depot, integration_id: str) -> str:
    state = depot.state(integration_id)
    return state.reason if state is not None else ""


def test_a_lorry_is_read_from_the_command_line_to_its_tanks(depot: Depot, bus: SensorBus) -> None:
    lorry = add_on_command_line(depot, bus.port, "sensors=1 = left tank, 2 = right tank")
    with Gateway(depot) as gateway:
        gateway.wait_ready()
        wait_for(lambda: phase(depot, lorry) == Phase.HEALTHY)
        wait_for(lambda: readings(depot) >= 6)
        assert reason(depot, lorry) == f"2 sensors answer at {bus.port}."

        # The engine makes vehicle and tanks from the settings, and keeps the bytes.
        wait_for(partial(_tanks, depot, {("KAN-101-XA", "left tank", 1000.0), ("KAN-101-XA", "right tank", 2000.0)}))
        with depot.store.read() as connection:
            frames = connection.execute(select(RawFrameRow.data).where(RawFrameRow.protocol == "lls")).scalars().all()
        assert {frame[:3] for frame in frames} == {b"\x3e\x01\x06", b"\x3e\x02\x06"}

        # One sensor falls silent: it is named, and the other goes on.
        bus.faults.silent.add(2)
        wait_for(lambda: "Sensor 2 (right tank) is silent since" in reason(depot, lorry))
        before = readings(depot)
        wait_for(lambda: readings(depot) > before + 2)
        bus.faults.silent.clear()
        assert phase(depot, lorry) == Phase.HEALTHY

        # The workbench borrows the port on the command line while the gateway runs.
        read = run_program("--data-dir", depot.paths.data_dir, "sensors", "read", bus.port, "1", "--json")
        assert read.status == 0, read.err
        before = readings(depot)
        wait_for(lambda: readings(depot) > before)

        # The adapter is pulled, and comes back.
        bus.unplug()
        wait_for(lambda: phase(depot, lorry) == Phase.RETRYING)
        assert "was lost" in reason(depot, lorry) or "There is no port" in reason(depot, lorry)
        bus.plug()
        before = readings(depot)
        wait_for(lambda: readings(depot) > before, 60)
        gateway.say("stop")
        assert gateway.ended(15) == 0


def _tanks(depot: Depot, wanted: set[tuple[str, str, float]]) -> bool:
    query = (
        select(Vehicle.plate, Tank.name, FuelSensor.last_value)
        .join(Tank, Tank.id == FuelSensor.tank_id)
        .join(Vehicle, Vehicle.id == Tank.vehicle_id)
    )
    with depot.store.read() as connection:
        return {tuple(row) for row in connection.execute(query)} == wanted


def test_a_check_that_fails_saves_nothing_and_says_why(depot: Depot, bus: SensorBus) -> None:
    words = ["integrations", "add", "fuel_monitoring", "--name", "Lorry", "--set", f"port={bus.port}"]
    for setting, why in (("sensors=7", "Sensor 7 does not answer"), ("sensors=left", "is no sensor")):
        done = run_program("--data-dir", depot.paths.data_dir, *words, "--set", setting)
        assert done.status != 0
        assert why in done.err
    done = run_program("--data-dir", depot.paths.data_dir, "integrations", "list", "--json")
    assert done.out.strip() in ("", "[]")
