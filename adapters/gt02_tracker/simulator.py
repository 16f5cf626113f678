"""A fleet of simulated trackers that report to a listener over real TCP connections."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.gt02_tracker.simulator_tracker import NO_FAULTS, Faults, Plan, SimulatedTracker, wall_ms
from adapters.gt02_tracker.wire import luhn_digit

_HEARTBEAT_S: Final = 60.0
_START_SPREAD_S: Final = 1.0


def fleet_imeis(vehicles: int, seed: int) -> list[str]:
    """The identities of a fleet: 15 digits that pass the Luhn test, the same for the same seed."""
    bodies = [f"35678901{seed % 100:02d}{n:04d}" for n in range(1, vehicles + 1)]
    return [body + luhn_digit(body) for body in bodies]


def make_fleet(options: Mapping[str, Any]) -> list[SimulatedTracker]:
    """The trackers that :func:`simulate` runs; every third speaks GT06, the others GT02."""
    seed = int(options.get("seed", 1))
    imeis = list(options.get("imeis") or fleet_imeis(int(options.get("vehicles", 20)), seed))
    drives = [*options.get("drives", ()), *[None] * len(imeis)]
    interval_s = float(options.get("interval_s", 10.0))
    plan = Plan(
        host=str(options.get("host", "127.0.0.1")),
        port=int(options["port"]),
        interval_s=interval_s,
        heartbeat_s=float(options.get("heartbeat_s", _HEARTBEAT_S)),
        stretch=float(options.get("speed_factor", 1.0)),
        faults=_faults(options.get("faults", True)),
        history_step_s=float(options.get("history_step_s", 60.0)),
    )
    start_ms = wall_ms() - int(float(options.get("history_h", 0)) * 3_600_000)
    return [
        SimulatedTracker(
            imei,
            "gt06" if n % 3 == 0 else "gt02",
            plan,
            random.Random(f"{seed}:{imei}"),
            start_ms=start_ms + round(1000 * interval_s * n / len(imeis)),
            drive=drives[n - 1],
        )
        for n, imei in enumerate(imeis, start=1)
    ]


def _faults(wanted: Any) -> Faults:
    """True: now and then something goes wrong; False: never; a mapping: chances by name."""
    if isinstance(wanted, Mapping):
        return Faults(**{name: float(chance) for name, chance in wanted.items()})
    return Faults() if wanted else NO_FAULTS


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a fleet until cancelled (:class:`adapters.base.Simulator`).

    Options: ``host`` (127.0.0.1) and ``port`` (required) of the listener, ``vehicles`` (20), ``interval_s`` (10),
    ``heartbeat_s`` (60), ``seed`` (1), ``speed_factor`` (1: multiplies the way that vehicles cover, up to 220 km/h,
    beyond which a console would call it a jump), ``history_h`` (0: hours driven before the start and sent as buffered
    fixes, one every ``history_step_s``, 60), ``faults`` (True; False for none, or chances by name). ``imeis`` and
    ``drives`` stand in for made up ones: what the first trackers are called, and what they ride in. ``ready`` gets
    ``host``, ``port`` and the list ``devices`` of IMEIs; the listener may start later.
    """
    fleet = make_fleet(options)
    plan_host, plan_port = str(options.get("host", "127.0.0.1")), int(options["port"])
    ready({"host": plan_host, "port": plan_port, "devices": [tracker.imei for tracker in fleet]})
    async with asyncio.TaskGroup() as tasks:
        for n, tracker in enumerate(fleet):
            delay_s = _START_SPREAD_S * n / max(len(fleet), 1)
            tasks.create_task(_start(tracker, delay_s), name=f"simulated tracker {tracker.imei}")


async def _start(tracker: SimulatedTracker, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    await tracker.run()
