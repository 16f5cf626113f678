"""Vehicles with tanks, sensors and thieves: signals with a known truth, from another physics than the shared samples.

Fuel sloshes as a damped oscillation that the vehicle's acceleration drives; the road's grade is a correlated noise;
the sensor counts over a tank of its own shape, quantised; messages go missing and some readings are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fuel.geometry import Geometry
from app.fuel.parameters import Parameters, of_class
from app.fuel.series import Samples, make_samples
from app.fuel.table import TankTable, make_table

Floats = NDArray[np.float64]
STEP_S = 10.0
START_S = 1_767_571_200.0  # Monday 2026-01-05


@dataclass(frozen=True, slots=True)
class TrueEvent:
    kind: str
    how: str
    start_s: float
    end_s: float
    litres: float


@dataclass(frozen=True, slots=True)
class Truth:
    samples: Samples
    table: TankTable
    parameters: Parameters
    events: tuple[TrueEvent, ...]
    used_l: float
    days: float


TANKS = (
    ("truck", Geometry("lying_cylinder", 1.3, 0.6, 0.6, ends="dished")),
    ("heavy", Geometry("rounded_box", 1.2, 0.65, 0.62, corner_m=0.12)),
    ("van", Geometry("rounded_box", 0.75, 0.5, 0.24, corner_m=0.05)),
    ("truck", Geometry("box", 0.9, 0.55, 0.55)),
)


def drive(seed: int, days: int = 7, *, thefts: bool = True) -> Truth:
    """One vehicle over some days; the seed chooses tank, sensor, routes and events."""
    draw = np.random.default_rng(seed)
    vehicle_class, tank = TANKS[seed % len(TANKS)]
    parameters = of_class(vehicle_class)
    count = int(days * 86_400 / STEP_S)
    time_s: Floats = START_S + np.arange(count, dtype=np.float64) * STEP_S
    speed, ignition = _days(draw, days, count)
    rate = _consumption_l_h(draw, speed, ignition, parameters)
    level, events = _level(draw, time_s, speed, ignition, rate, tank.capacity_l, vehicle_class, thefts=thefts)
    counts, scale = _sensor(draw, speed, time_s, level, tank)
    lat, lon = _places(draw, speed)
    keep = _messages(draw, time_s, speed, ignition)
    counts = _damaged(draw, counts, keep)
    table = _poured(draw, tank, scale)
    temperature = 26 + 7 * np.sin((time_s % 86_400) / 86_400 * 2 * np.pi - 2) + draw.normal(0, 0.3, count)
    samples = make_samples(
        time_s[keep], counts[keep], speed[keep], ignition[keep].astype(np.int8), lat[keep], lon[keep],
        np.round(temperature[keep]),
    )  # fmt: skip
    used = float((rate * STEP_S / 3600).sum())
    return Truth(samples, table, parameters, tuple(events), used, days)


def _days(draw: np.random.Generator, days: int, count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Speed and ignition: two to five trips a day with halts between them, nights at rest."""
    speed, ignition = np.zeros(count), np.zeros(count, dtype=np.int64)
    per_day = int(86_400 / STEP_S)
    for day in range(days):
        at = day * per_day + int(draw.uniform(5, 8) * 360)
        for _trip in range(int(draw.integers(2, 6))):
            length = int(draw.uniform(0.4, 2.5) * 360)
            end = min(at + length, (day + 1) * per_day - 360, count)
            if end - at < 60:
                break
            cruise = draw.uniform(35, 85)
            shape = np.minimum(1, np.minimum(np.arange(end - at), np.arange(end - at)[::-1]) / 6)
            speed[at:end] = np.maximum(
                shape * (cruise + np.cumsum(draw.normal(0, 1.2, end - at)) * 0.6), 6.5 * (shape > 0)
            )
            speed[at:end] = np.clip(speed[at:end], 0, 100)
            ignition[at - 3 : end] = 1
            if draw.random() < 0.4:  # the engine idles on
                ignition[end : end + int(draw.uniform(0, 60))] = 1
            at = end + int(draw.uniform(0.15, 1.5) * 360)
    return speed, ignition


def _consumption_l_h(draw: np.random.Generator, speed: Floats, ignition: NDArray[np.int64], p: Parameters) -> Floats:
    load = draw.uniform(0.8, 1.2)
    driving = p.norm_l_100_km / 100 * speed * load * (0.8 + 0.2 * (speed / 70) ** 2)
    return np.where(ignition == 1, np.maximum(driving, p.idle_l_h * draw.uniform(0.7, 1.2)), 0.0)


def _level(
    draw: np.random.Generator,
    time_s: Floats,
    speed: Floats,
    ignition: NDArray[np.int64],
    rate: Floats,
    capacity: float,
    vehicle_class: str,
    *,
    thefts: bool,
) -> tuple[Floats, list[TrueEvent]]:
    """True litres, with refuels when it runs low and thefts at halts."""
    flow = -rate * STEP_S / 3600
    level = np.empty(len(time_s))
    events: list[TrueEvent] = []
    halts = [(a, b) for a, b in _halts(speed) if (b - a) * STEP_S >= 900]
    now = capacity * draw.uniform(0.5, 0.9)
    done = 0
    pump = {"van": (15, 40)}.get(vehicle_class, (35, 110))
    for a, b in halts:
        level[done:a] = now + np.cumsum(flow[done:a])
        now = level[a - 1] if a else now
        done = a
        planned = np.zeros(b - a)
        if now < capacity * draw.uniform(0.3, 0.5) and b - a > 60:
            litres = min(capacity * draw.uniform(0.25, 0.6), capacity * 0.96 - now)
            begin = int(draw.integers(12, 24))
            steps = max(int(litres / draw.uniform(*pump) * 60 / STEP_S), 2)
            planned[begin : begin + steps] += litres / steps
            events.append(TrueEvent("refuel", "pump", time_s[a + begin], time_s[a + begin + steps], litres))
        elif thefts and draw.random() < 0.12 and now > capacity * 0.3:
            _steal(draw, planned, events, time_s[a:b], capacity, now)
        level[a:b] = now + np.cumsum(flow[a:b] + planned)
        now = level[b - 1]
        done = b
    level[done:] = now + np.cumsum(flow[done:])
    return np.clip(level, 0, capacity), events


def _steal(
    draw: np.random.Generator, planned: Floats, events: list[TrueEvent], time_s: Floats, capacity: float, now: float
) -> None:
    litres = min(float(draw.uniform(0.05, 0.2)) * capacity, now * 0.6)
    room = len(planned)
    how = str(draw.choice(["siphon", "slow", "sips"] if room > 1_200 else ["siphon"]))
    begin = int(draw.integers(20, max(room // 3, 21)))
    if how == "siphon":
        steps = max(int(litres / draw.uniform(2, 8) * 60 / STEP_S), 3)
        steps = min(steps, room - begin - 30)
        if steps < 3:
            return
        planned[begin : begin + steps] -= litres / steps
    elif how == "slow":
        steps = min(int(litres / draw.uniform(4, 10) * 3600 / STEP_S), room - begin - 60)
        planned[begin : begin + steps] -= litres / steps
    else:
        steps = min(720, room - begin - 60)
        for part in np.linspace(begin, begin + steps - 20, 4).astype(int):
            planned[part : part + 12] -= litres / 4 / 12
    events.append(TrueEvent("drain", how, time_s[begin], time_s[begin + steps], litres))


def _halts(speed: Floats) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], speed < 1, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _sensor(
    draw: np.random.Generator, speed: Floats, time_s: Floats, level: Floats, tank: Geometry
) -> tuple[Floats, tuple[float, float]]:
    """Counts of a probe at one place of the tank: height, slosh, grade, warmth, steps."""
    heights = np.linspace(0, tank.height_m, 400)
    litres = tank.volume_l(heights)
    height = np.interp(level, litres, heights)
    acceleration = np.diff(speed, prepend=0) / 3.6 / STEP_S + (speed > 3) * draw.normal(0, 0.35, len(speed))
    after = np.arange(0, 90, STEP_S)
    swing = np.exp(-after / 25) * np.cos(2 * np.pi * after / 31)
    slosh = np.convolve(acceleration, swing)[: len(speed)] * 0.012
    grade = np.convolve(draw.normal(0, 0.006, len(speed)), np.exp(-np.arange(0, 60) / 12))[: len(speed)]
    standing = speed < 1
    last = np.maximum.accumulate(np.where(~standing, np.arange(len(speed)), 0))
    grade = np.where(standing, grade[last], grade)  # parked on the slope where it stopped
    height = height + slosh + grade * 0.15
    height += 0.0004 * tank.height_m * np.sin((time_s % 86_400) / 86_400 * 2 * np.pi)
    low, high = float(draw.uniform(0, 60)), float(draw.choice([1023, 4095]))
    counts = low + np.clip(height / tank.height_m, 0, 1) * (high - low)
    return np.round(counts + draw.normal(0, (high - low) * 0.0006, len(counts))), (low, high)


def _places(draw: np.random.Generator, speed: Floats) -> tuple[Floats, Floats]:
    course = np.cumsum(draw.normal(0, 0.05, len(speed)))
    km = speed * STEP_S / 3600
    lat = 9.0 + np.cumsum(km * np.cos(course)) / 111.2
    lon = 7.4 + np.cumsum(km * np.sin(course)) / 109.8
    return lat + draw.normal(0, 2e-5, len(speed)), lon + draw.normal(0, 2e-5, len(speed))


def _messages(
    draw: np.random.Generator, time_s: Floats, speed: Floats, ignition: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which moments were sent: often while moving, seldom while parked, at each change of ignition; some are lost."""
    moving_every, parked_every = int(draw.choice([1, 2, 3, 6])), int(draw.choice([6, 12, 30, 60]))
    at = np.arange(len(time_s))
    keep: NDArray[np.bool_] = np.where((speed > 3) | (ignition == 1), at % moving_every == 0, at % parked_every == 0)
    keep |= np.diff(ignition, prepend=0) != 0
    keep &= draw.random(len(time_s)) > 0.01
    for _gap in range(int(draw.integers(0, 4))):
        begin = int(draw.integers(0, len(time_s) - 400))
        keep[begin : begin + int(draw.integers(30, 300))] &= draw.random() > 0.98
    keep[0] = True
    return keep


def _damaged(draw: np.random.Generator, counts: Floats, keep: NDArray[np.bool_]) -> Floats:
    counts = counts.copy()
    sent = np.flatnonzero(keep)
    for at in draw.choice(sent, size=max(len(sent) // 400, 1), replace=False):
        counts[at] = draw.choice([0.0, 65_535.0, np.nan, counts[at] * draw.uniform(0.3, 0.7)])
    return counts


def _poured(draw: np.random.Generator, tank: Geometry, scale: tuple[float, float]) -> TankTable:
    """The table as a field engineer pours it: twenty portions, each measured a little wrong."""
    litres = np.linspace(0, tank.capacity_l, 21)
    heights = np.linspace(0, tank.height_m, 400)
    share = np.interp(litres, tank.volume_l(heights), heights) / tank.height_m
    measured = litres * (1 + draw.normal(0, 0.002)) + np.append(0, np.cumsum(draw.normal(0, 0.02, 20)))
    raw = scale[0] + share * (scale[1] - scale[0])
    return make_table(np.stack((np.round(raw), np.maximum.accumulate(np.maximum(measured, 0))), axis=1).tolist())
