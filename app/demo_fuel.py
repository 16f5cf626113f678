"""The demo's fuel: three vehicles with sensors at ports of this computer, and two weeks that are behind them.

What is behind them comes from the same simulated vehicles that go on living in the peers' process; their trackers tell
their way by themselves, as buffered fixes. Fuel readings of the past are written here, beside the running engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from adapters.records import Record
from app import demo_journey
from app.catalogue import Catalogue
from app.store.changes import raise_topic
from app.store.store import Store

KEY: Final = "fuel_monitoring"
NAMES: Final = {"lls": "Lorry with two probes", "slcan": "Lorry, CAN bus", "elm327": "Pick-up, OBD"}
PROTOCOLS: Final = tuple(NAMES)
TRACKERS: Final = ("356789019000015", "356789019000023", "356789019000031")
PLATES: Final = (demo_journey.PLATE, "LAG-402-QD", "NAS-518-ZR")
HISTORY_DAYS: Final = 14.0
HISTORY_STEP_S: Final = 300.0
PERIOD_S: Final = 2.0
THEFT_DAY: Final = 13.42
"""Of the days behind the demo: the last theft of the lorry with two probes."""
PACE: Final = 2.5
_DAY_S: Final = 86_400.0
_SEED: Final = 90
_CHUNK: Final = 2_000
_WHO: Final = "demo"
_PLANS: Final[Sequence[Mapping[str, Any]]] = (
    {
        "plate": PLATES[0],
        "route": demo_journey.ROUTE,
        "tank_l": 600.0,
        "level_l": 410.0,
        "deeds": (
            {"kind": "theft", "at_s": 5.93 * _DAY_S, "litres": 64, "l_min": 12.0},
            {"kind": "theft", "at_s": THEFT_DAY * _DAY_S, "litres": 92, "l_min": 15.0},
        ),
        "live_deeds": ({"kind": "theft", "at_s": 150.0, "litres": 70, "l_min": 25.0},),
    },
    {
        "plate": PLATES[1],
        "route": ((6.5244, 3.3792), (7.3775, 3.9470), (8.4966, 4.5421)),
        "tank_l": 400.0,
        "level_l": 250.0,
    },
    {
        "plate": PLATES[2],
        "route": ((9.0579, 7.4951), (8.9108, 8.4078), (8.4939, 8.5157)),
        "tank_l": 300.0,
        "level_l": 190.0,
        "live_deeds": ({"kind": "refuel", "at_s": 240.0, "litres": 80, "l_min": 50.0},),
    },
)


def peer_options(folder: Path, *, with_past: bool) -> dict[str, Any]:
    """For the simulator of the sensors; its ports are in ``folder``."""
    past = {} if with_past else {"history_days": 0.0}
    return {**_life(), "folder": folder, "pace": PACE, "period_s": PERIOD_S, **past}


def theft_ms(until_ms: int) -> int:
    """When the last theft of the past began."""
    return until_ms - round((HISTORY_DAYS - THEFT_DAY) * _DAY_S * 1000)


def tracker_options(drives: Sequence[object], *, with_past: bool) -> dict[str, Any]:
    """For the simulator of the trackers in these vehicles, beside host and port."""
    return {
        "imeis": TRACKERS,
        "drives": drives,
        "interval_s": 2.0,
        "history_h": HISTORY_DAYS * 24 if with_past else 0.0,
        "history_step_s": HISTORY_STEP_S,
        "faults": {"outage": 0.0, "bad_frame": 0.0, "garbage": 0.0, "reconnect": 0.001, "sos": 0.0},
    }


def _life() -> dict[str, Any]:
    return {
        "vehicles": len(_PLANS),
        "kinds": PROTOCOLS,
        "seed": _SEED,
        "plans": _PLANS,
        "history_days": HISTORY_DAYS,
    }


async def write_history(
    catalogue: Catalogue, store: Store, ports: Mapping[str, Mapping[str, Any]], until_ms: int
) -> None:
    """Store what the vehicles' sensors told in the days up to ``until_ms``.

    ``ports`` maps an integration's id to the settings of its port, in the order of :data:`PROTOCOLS`.
    """
    told: dict[str, Any] = {}
    simulate = catalogue.simulator(KEY)
    options = {**_life(), "until_ms": until_ms, "only_history": True, "ports": list(ports.values())}
    await simulate(options, told.update)
    for integration_id, records in zip(ports, told["history"], strict=True):
        for at in range(0, len(records), _CHUNK):
            job = partial(_take, integration_id=integration_id, records=records[at : at + _CHUNK], now_ms=until_ms)
            await asyncio.wrap_future(store.write(job))
    from_ms = until_ms - round(HISTORY_DAYS * _DAY_S * 1000)
    tanks = dict(zip(PLATES, told["tanks"], strict=True))
    await asyncio.wrap_future(store.write(partial(_fit_out, from_ms=from_ms, tanks=tanks)))


def _take(connection: Connection, integration_id: str, records: Sequence[Record], now_ms: int) -> None:
    from app.fuel.intake import take_fuel

    version = raise_topic(connection, "fuel_sensors")
    take_fuel(connection, integration_id, records, version, lambda _frame: None, now_ms)
    raise_topic(connection, "fuel_readings")


def _fit_out(connection: Connection, from_ms: int, tanks: Mapping[str, Mapping[str, Any]]) -> None:
    """The sizes of the tanks, and the tables of the probes in them, by plate."""
    from app.fuel.calibrations import add_calibration, list_calibrations
    from app.fuel.tanks import bind_by_settings, list_sensors, list_tanks, set_tank

    bind_by_settings(connection)
    for tank in list_tanks(connection):
        if tank.plate in tanks:
            set_tank(connection, tank.id, capacity_l=tanks[tank.plate]["capacity_l"], who=_WHO)
    for sensor in list_sensors(connection):
        rows = tanks[sensor.plate]["rows"] if sensor.plate in tanks else ()
        if not rows or sensor.tank_id is None or list_calibrations(connection, sensor.tank_id):
            continue
        note = "Poured in twenty portions."
        add_calibration(connection, sensor.tank_id, sensor.id, rows, valid_from_ms=from_ms, note=note, who=_WHO)
