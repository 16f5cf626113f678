"""Driven vehicles with sensors at ports of this computer, as the demo and the contract suite meet them."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.can_bridge import CanBridge, J1939Engine
from adapters.fuel_monitoring.simulator.ends import End, PtyEnd, TcpEnd
from adapters.fuel_monitoring.simulator.history import Passenger, history_records, live_through
from adapters.fuel_monitoring.simulator.obd_adapter import ObdAdapter
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from adapters.fuel_monitoring.simulator.vehicle import Deed, DrivenVehicle, Point, bent_road, calibration_rows

KINDS: Final = ("lls", "slcan", "elm327")
_TICK_S: Final = 0.2
_ROUTE: Final[Sequence[Point]] = ((12.0022, 8.5920), (11.0855, 7.7199), (10.5105, 7.4165))


@dataclass(frozen=True, slots=True)
class _Place:
    """Ports in a folder as pseudo terminals; on Windows, which has none, serial servers on loopback."""

    folder: Path

    def end(self, name: str) -> End:
        return TcpEnd() if sys.platform == "win32" else PtyEnd(self.folder / name)


def make_vehicle(at: int, options: Mapping[str, Any]) -> DrivenVehicle:
    """The vehicle number ``at`` (from 0) of :func:`simulate`'s options."""
    plan: Mapping[str, Any] = (*options.get("plans", ()), *({},) * (at + 1))[at]
    seed = int(options.get("seed", 1)) * 100 + at
    vehicle = DrivenVehicle(
        bent_road(tuple(map(tuple, plan.get("route", _ROUTE))), seed),
        tank_l=float(plan.get("tank_l", 400.0)),
        level_l=float(plan.get("level_l", 260.0)),
        seed=seed,
        is_working=bool(plan.get("is_working", True)),
    )
    vehicle.deeds += [_deed(deed) for deed in plan.get("deeds", ())]
    return vehicle


def _deed(plan: Mapping[str, Any], from_s: float = 0.0) -> Deed:
    return Deed(**{**plan, "at_s": plan["at_s"] + from_s})


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run vehicles until cancelled (:class:`adapters.base.Simulator`).

    Options: ``vehicles`` (1), ``kinds`` of their ports in turn (lls, slcan, gvret, elm327), ``folder`` for the ports (a
    temporary one), ``pace`` (1: how fast way is covered and fuel burnt), ``seed`` (1), ``period_s`` (1), and ``plans``:
    per vehicle ``plate``, ``route`` as (lat, lon), ``tank_l``, ``level_l``, ``is_working`` and ``deeds`` (``kind``
    refuel or theft, ``at_s``, ``litres``, ``l_min``; in ``live_deeds`` counted from the start). ``ready`` gets the
    settings of the first port, beside them ``ports``: those of all, and ``drives``: the vehicles as their trackers
    see them. With ``history_days`` they have lived so long before ``until_ms`` (now); with ``only_history`` and the
    settings of all ``ports`` ready gets ``history``, the records of that time per port, and ``tanks``, for each
    port the size and the table of each of its vehicle's tanks, and that is all.
    """
    count, kinds = int(options.get("vehicles", 1)), tuple(options.get("kinds", KINDS))
    vehicles = [make_vehicle(at, options) for at in range(count)]
    until_ms = int(options.get("until_ms") or time.time() * 1000)
    days = float(options.get("history_days", 0.0))
    lives = await asyncio.to_thread(lambda: [live_through(one, until_ms, days) for one in vehicles])
    if options.get("only_history"):
        ports = options.get("ports", ())
        records = [history_records(*pair) for pair in zip(lives, ports, strict=True)]
        tanks = [_tank(vehicle, port) for vehicle, port in zip(vehicles, ports, strict=True)]
        ready({"history": records, "tanks": tanks})
        return
    for at, vehicle in enumerate(vehicles):
        vehicle.deeds += [_deed(deed, vehicle.time_s) for deed in _plan(options, at).get("live_deeds", ())]
    with ExitStack() as stack:
        folder = options.get("folder") or stack.enter_context(tempfile.TemporaryDirectory(prefix="fuel-ports-"))
        place = _Place(Path(str(folder)))
        place.folder.mkdir(parents=True, exist_ok=True)
        ports = [
            _plug(vehicle, kinds[at % len(kinds)], place.end(f"port{at + 1}"), _plan(options, at), stack)
            for at, vehicle in enumerate(vehicles)
        ]
        shared = {"period_s": float(options.get("period_s", 1.0))}
        settings = [{**port, **shared} for port in ports]
        drives = [Passenger(vehicle, life) for vehicle, life in zip(vehicles, lives, strict=True)]
        ready({**settings[0], "ports": settings, "drives": drives, "until_ms": until_ms})
        await _live(vehicles, float(options.get("pace", 1.0)))


async def _live(vehicles: Sequence[DrivenVehicle], pace: float) -> None:
    before_s = time.monotonic()
    while True:
        await asyncio.sleep(_TICK_S)
        now_s = time.monotonic()
        for vehicle in vehicles:
            vehicle.advance(now_s - before_s, pace)
        before_s = now_s


def _plan(options: Mapping[str, Any], at: int) -> Mapping[str, Any]:
    plans = options.get("plans", ())
    return plans[at] if at < len(plans) else {}


def _plug(vehicle: DrivenVehicle, kind: str, end: End, plan: Mapping[str, Any], stack: ExitStack) -> dict[str, Any]:
    """Put what measures this vehicle at a port; its settings."""
    plate = str(plan.get("plate", ""))
    if kind == "lls":
        speed = 0 if isinstance(end, TcpEnd) else 19_200
        bus = stack.enter_context(SensorBus(_two_probes(vehicle), end, speed=speed))
        return {"protocol": "lls", "port": bus.port, "vehicle": plate, "sensors": "1 = left tank, 2 = right tank"}
    if kind == "elm327":
        adapter = stack.enter_context(ObdAdapter(vehicle, end))
        return {"protocol": "elm327", "port": adapter.port, "vehicle": plate, "sensors": "1"}
    bridge = stack.enter_context(CanBridge(J1939Engine(vehicle), end, "gvret" if kind == "gvret" else "slcan"))
    return {"protocol": bridge.kind, "port": bridge.port, "vehicle": plate, "sensors": "1"}


def _tank(vehicle: DrivenVehicle, port: Mapping[str, Any]) -> dict[str, Any]:
    """Size and table of each tank at a port; a bus tells percent, which needs no table."""
    if port["protocol"] != "lls":
        return {"capacity_l": vehicle.tank_l, "rows": []}
    half_l = vehicle.tank_l / 2
    return {"capacity_l": half_l, "rows": calibration_rows(half_l)}


def _two_probes(vehicle: DrivenVehicle) -> list[LlsSensor]:
    """Two tanks of the same size, joined by a pipe."""
    return [
        LlsSensor(address, lambda: vehicle.count, lambda: vehicle.temperature_c, firmware=f"LLS-AF 1.{20 + address}")
        for address in (1, 2)
    ]
