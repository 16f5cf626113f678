"""Vehicles with tanks, sensors and thieves: signals with a known truth, from another physics than the shared samples.

Each vehicle is simulated in steps of five seconds. Fuel sloshes as a damped oscillation of a few seconds' period that
acceleration drives; the road's grade is a correlated noise and every halt has a grade of its own; fuel expands with a
temperature that follows the day slowly; the engine's load sets the consumption. The probe stands off the tank's centre,
sees neither its bottom nor its top, has a filter and a noise of its own, and counts in 8, 10 or 12 bits. Messages come
often while moving and seldom at rest, some go missing for a minute, some for hours, and some carry rubbish; the
receiver drifts and jumps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.fuel.geometry import Geometry
from app.fuel.parameters import Parameters, of_class
from app.fuel.series import Samples, make_samples
from app.fuel.table import TankTable, make_table

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
STEP_S = 5.0
PER_MINUTE = 12
PER_HOUR = 720
PER_DAY = 17_280
START_S = 1_767_571_200.0  # Monday 2026-01-05
BETA_PER_C = 0.00083


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """``litres`` at 15 °C; ``how``: pump, two goes, siphon, quick, slow, sips, moving."""

    kind: str
    how: str
    start_s: float
    end_s: float
    litres: float


@dataclass(frozen=True, slots=True)
class Truth:
    """What was measured and what happened."""

    samples: Samples
    table: TankTable
    parameters: Parameters
    events: tuple[TrueEvent, ...]
    used_l: float
    days: float


@dataclass(slots=True)
class _Day:
    """Arrays over all steps; the halts as (first, end) of steps."""

    speed: Floats
    ignition: NDArray[np.int8]
    grade: Floats
    halts: list[tuple[int, int]] = field(default_factory=list)


TANKS = (
    ("truck", Geometry("lying_cylinder", 1.3, 0.6, 0.6, ends="dished")),
    ("heavy", Geometry("rounded_box", 1.2, 0.65, 0.62, corner_m=0.12)),
    ("van", Geometry("rounded_box", 0.75, 0.5, 0.24, corner_m=0.05)),
    ("truck", Geometry("box", 0.9, 0.55, 0.55)),
    ("truck", Geometry("lying_oval", 1.1, 0.75, 0.5, ends="elliptical")),
    ("heavy", Geometry("stepped_box", 1.3, 0.62, 0.65, step_width_m=0.35, step_height_m=0.3)),
)


def drive(seed: int, days: int = 7, *, thefts: bool = True) -> Truth:
    """One vehicle over some days; the seed chooses tank, sensor, routes and events."""
    draw = np.random.default_rng(seed)
    vehicle_class, tank = TANKS[seed % len(TANKS)]
    parameters = of_class(vehicle_class)
    count = days * PER_DAY
    time_s: Floats = START_S + np.arange(count, dtype=np.float64) * STEP_S
    day = _days(draw, days)
    rate_l_h = _consumption(draw, day, parameters)
    added, events = _plan(draw, day, time_s, rate_l_h, tank.capacity_l, vehicle_class, thefts=thefts)
    level_l = added - np.cumsum(rate_l_h) * STEP_S / 3600
    ambient = _ambient(draw, time_s)
    counts, scale = _sensor(draw, day, level_l, _followed(ambient, 3 * 3600.0), tank)
    lat, lon = _places(draw, day.speed)
    sent = _messages(draw, day)
    counts = _damaged(draw, counts, sent, day.ignition)
    speed = np.where(sent & (day.speed == 0) & (draw.random(count) < 0.002), draw.uniform(3, 9), day.speed)  # drift
    table = _poured(draw, tank, scale)
    jumps = draw.random(count) < 0.001  # of the receiver
    lat = lat + np.where(jumps, draw.normal(0, 0.2, count), 0.0)
    samples = make_samples(
        time_s[sent], counts[sent], speed[sent].round(1), day.ignition[sent], lat[sent], lon[sent],
        np.rint(ambient[sent]),
    )  # fmt: skip
    return Truth(samples, table, parameters, tuple(events), float(rate_l_h.sum() * STEP_S / 3600), days)


# -- the vehicle --------------------------------------------------------------------------------------------------


def _days(draw: np.random.Generator, days: int) -> _Day:
    """Two to five trips a day, halts of minutes to hours between them, nights at rest."""
    count = days * PER_DAY
    day = _Day(np.zeros(count), np.zeros(count, dtype=np.int8), np.zeros(count))
    halt_from = 0
    for number in range(days):
        at = number * PER_DAY + int(draw.uniform(4.5, 8) * PER_HOUR)
        for _trip in range(int(draw.integers(2, 6))):
            end = min(at + int(draw.uniform(0.4, 2.5) * PER_HOUR), (number + 1) * PER_DAY - PER_HOUR, count)
            if end - at < 15 * PER_MINUTE:
                break
            _halt(draw, day, halt_from, at)
            day.speed[at:end] = _speeds(draw, end - at)
            day.ignition[at - 6 : end] = 1
            halt_from = at = end
            if draw.random() < 0.4:  # the engine idles on
                day.ignition[end : end + int(draw.uniform(0, 15) * PER_MINUTE)] = 1
            at += int(draw.uniform(0.15, 1.8) * PER_HOUR)
    _halt(draw, day, halt_from, count)
    road = np.convolve(draw.normal(0, 1, count), np.exp(-np.arange(0, 600, STEP_S) / 120))[:count]
    moving = day.speed > 0
    day.grade[moving] = (road / road.std() * draw.uniform(0.01, 0.03))[moving]
    return day


def _halt(draw: np.random.Generator, day: _Day, first: int, end: int) -> None:
    """A halt on a slope of its own; now and then the vehicle is moved a few metres to another."""
    day.halts.append((first, end))
    day.grade[first:end] = draw.normal(0, 0.012)
    if draw.random() < 0.08 and end - first > 40 * PER_MINUTE:
        at = int(draw.integers(first + 10 * PER_MINUTE, end - 10 * PER_MINUTE))
        day.speed[at : at + 4] = 3.5
        day.ignition[at - 4 : at + 8] = 1
        day.grade[at:end] = draw.normal(0, 0.012)


def _speeds(draw: np.random.Generator, count: int) -> Floats:
    """Cruising with town traffic in between: a random walk that junctions bring to a standstill for a minute or two."""
    wander = np.cumsum(draw.normal(0, 1.5, count))
    speed = draw.uniform(35, 85) + 12 * np.sin(wander / 15) + draw.normal(0, 1.5, count)
    ramp = np.minimum(np.arange(count), np.arange(count)[::-1]) / 8
    speed *= np.minimum(1.0, ramp)
    for _junction in range(int(draw.integers(0, 6))):
        at, stands = int(draw.integers(20, count - 60)), int(draw.integers(2, 24))
        speed[at - 3 : at + stands + 4] *= np.concatenate(([0.75, 0.5, 0.25], np.zeros(stands), [0.2, 0.4, 0.6, 0.8]))
    return np.clip(speed, 0, 100)


def _consumption(draw: np.random.Generator, day: _Day, p: Parameters) -> Floats:
    """L/h by load: rolling and air resistance, grade, acceleration, idling."""
    weight = draw.uniform(0.75, 1.25)
    acceleration = np.diff(day.speed, prepend=0) / 3.6 / STEP_S
    resistance = 0.75 + 0.25 * (day.speed / 70) ** 2 + 12 * day.grade + 1.2 * acceleration
    driving = p.norm_l_100_km / 100 * day.speed * weight * np.clip(resistance, 0.05, 4)
    idling = p.idle_l_h * draw.uniform(0.6, 1.3)
    return np.where(day.ignition == 1, np.maximum(driving, idling), 0.0)


# -- what goes in and out -----------------------------------------------------------------------------------------


def _plan(
    draw: np.random.Generator,
    day: _Day,
    time_s: Floats,
    rate_l_h: Floats,
    capacity_l: float,
    vehicle_class: str,
    *,
    thefts: bool,
) -> tuple[Floats, list[TrueEvent]]:
    """Litres at the start and added since, and the events: it is filled when it runs low, and stolen from."""
    used = np.cumsum(rate_l_h) * STEP_S / 3600
    change = np.zeros(len(time_s))
    change[0] = capacity_l * draw.uniform(0.5, 0.9)
    events: list[TrueEvent] = []
    done, total = 0, 0.0
    for number, (first, end) in enumerate(day.halts):
        total += float(change[done:first].sum())
        done = first
        now = total - float(used[first - 1] if first else 0)
        is_low = now < capacity_l * draw.uniform(0.3, 0.5)
        if is_low and first and end - first > 14 * PER_MINUTE:
            litres = min(capacity_l * draw.uniform(0.25, 0.6), capacity_l * draw.uniform(0.9, 0.99) - now)
            pump = draw.uniform(15, 40) if vehicle_class == "van" else draw.uniform(35, 110)
            events.append(_fill(draw, change, time_s, first, end, litres, pump))
        elif thefts and draw.random() < 0.14 and now > capacity_l * 0.25:
            litres = min(float(draw.uniform(max(0.025, 6 / capacity_l), 0.18)) * capacity_l, now * 0.6)
            next_trip = (end, day.halts[number + 1][0]) if number + 1 < len(day.halts) else None
            events += _steal(draw, change, time_s, (first, end), next_trip, litres)
    return np.cumsum(change), events


def _fill(
    draw: np.random.Generator, change: Floats, time_s: Floats, first: int, end: int, litres: float, l_min: float
) -> TrueEvent:
    begin = first + int(draw.uniform(2, 4) * PER_MINUTE)
    steps = max(int(litres / l_min * PER_MINUTE), 4)
    pause = int(draw.uniform(1.5, 5) * PER_MINUTE) if draw.random() < 0.3 else 0
    steps = min(steps, end - begin - pause - 2 * PER_MINUTE)
    half = steps // 2
    change[begin : begin + half] += litres / steps
    change[begin + half + pause : begin + pause + steps] += litres / steps
    return TrueEvent("refuel", "two goes" if pause else "pump", time_s[begin], time_s[begin + steps + pause], litres)


def _steal(
    draw: np.random.Generator,
    change: Floats,
    time_s: Floats,
    halt: tuple[int, int],
    next_trip: tuple[int, int] | None,
    litres: float,
) -> list[TrueEvent]:
    """One theft; a siphon in a halt, slowly or in sips in a long one, or from a hose while it moves."""
    first, end = halt
    room = end - first
    ways = ["slow", "sips", "siphon"] if room > 5 * PER_HOUR else ["siphon"] if room > 40 * PER_MINUTE else ["quick"]
    how = "moving" if next_trip is not None and draw.random() < 0.1 else str(draw.choice(ways))
    begin = first + int(draw.uniform(0.1, 0.35) * room)
    if how == "moving" and next_trip is not None:
        begin = int(draw.uniform(*next_trip) * 0.5 + next_trip[0] * 0.5)
        litres *= 1.5
        steps = min(int(draw.uniform(4, 12) * PER_MINUTE), next_trip[1] - begin)
    elif how == "slow":
        steps = int(litres / draw.uniform(3, 9) * PER_HOUR)
    elif how == "sips":
        steps = int(draw.uniform(1, 3) * PER_HOUR)
    else:
        steps = int(litres / draw.uniform(*((6, 15) if how == "quick" else (2, 8))) * PER_MINUTE)
    if how != "moving":
        steps = min(steps, end - begin - 4 * PER_MINUTE)
    if steps < 4:
        return []
    taken = np.zeros(steps)
    if how == "sips":
        for part in np.linspace(0, steps - PER_MINUTE, int(draw.integers(3, 6))).astype(int):
            taken[part : part + PER_MINUTE] = 1
    else:
        taken[:] = 1
    change[begin : begin + steps] -= taken / taken.sum() * litres
    return [TrueEvent("drain", how, time_s[begin], time_s[begin + steps - 1], litres)]


# -- what is measured ---------------------------------------------------------------------------------------------


def _ambient(draw: np.random.Generator, time_s: Floats) -> Floats:
    swing = draw.uniform(4, 9) * np.sin((time_s % 86_400) / 86_400 * 2 * np.pi - 2.2)
    weather = np.interp(time_s, time_s[::PER_DAY], draw.normal(0, 2, len(time_s[::PER_DAY])))
    return draw.uniform(15, 30) + swing + weather


def _followed(values: Floats, lag_s: float) -> Floats:
    """What follows ``values`` with a lag of the first order."""
    if lag_s <= 0:
        return values
    length = min(int(5 * lag_s / STEP_S) + 1, len(values))
    kernel = np.exp(-np.arange(length) * STEP_S / lag_s)
    size = 1 << (len(values) + length).bit_length()
    start = values[0]
    product = np.fft.rfft(values - start, size) * np.fft.rfft(kernel / kernel.sum(), size)
    followed: Floats = np.fft.irfft(product, size)[: len(values)] + start
    return followed


def _sensor(
    draw: np.random.Generator, day: _Day, level_l: Floats, fuel_c: Floats, tank: Geometry
) -> tuple[Floats, tuple[float, float]]:
    """Counts of a probe at one place of the tank."""
    heights = np.linspace(0, tank.height_m, 500)
    warm_l = np.clip(level_l, 0, tank.capacity_l) * (1 + BETA_PER_C * (fuel_c - 15))
    height = np.interp(warm_l, tank.volume_l(heights), heights)
    height += _slosh(draw, day.speed, tank) + day.grade * draw.uniform(-0.2, 0.2)
    blind = tank.height_m * draw.uniform(0.005, 0.03, 2)
    share = (np.clip(height, blind[0], tank.height_m - blind[1])) / tank.height_m
    share = _followed(share, float(draw.choice([0, 0, 10, 30])))
    low = float(draw.uniform(0, 20))
    high = float(draw.choice([255, 1023, 4095, 4095]))
    counts = low + share * (high - low) + draw.normal(0, (high - low) * draw.uniform(0.0002, 0.0015), len(share))
    return np.clip(np.round(counts), 0, high), (low, high)


def _slosh(draw: np.random.Generator, speed: Floats, tank: Geometry) -> Floats:
    """Metres at the probe: a mode of the free surface, excited by what the vehicle and the road do."""
    length = max(tank.length_m, 0.4)
    wave = np.pi / length
    omega = np.sqrt(9.81 * wave * np.tanh(wave * tank.height_m / 2))
    after = np.arange(0, 180, STEP_S)
    swing = np.exp(-after / draw.uniform(15, 35)) * np.cos(omega * after)
    push = np.diff(speed, prepend=0) / 3.6 / STEP_S + (speed > 3) * draw.normal(0, 0.25, len(speed))
    moved: Floats = np.convolve(push, swing)[: len(speed)] * draw.uniform(0.04, 0.12) * tank.height_m
    return moved


def _places(draw: np.random.Generator, speed: Floats) -> tuple[Floats, Floats]:
    course = np.cumsum(draw.normal(0, 0.03, len(speed)))
    km = speed * STEP_S / 3600
    lat = 9.0 + np.cumsum(km * np.cos(course)) / 111.2
    lon = 7.4 + np.cumsum(km * np.sin(course)) / 109.8
    return lat + draw.normal(0, 2e-5, len(speed)), lon + draw.normal(0, 2e-5, len(speed))


def _messages(draw: np.random.Generator, day: _Day) -> Flags:
    """Which moments were sent: often while moving, seldom at rest, at each change of ignition; some are lost."""
    moving_every = int(draw.choice([2, 3, 6, 12]))
    parked_every = int(draw.choice([12, 24, 60, 120]))
    count = len(day.speed)
    at = np.arange(count)
    sent: Flags = np.where((day.speed > 3) | (day.ignition == 1), at % moving_every == 0, at % parked_every == 0)
    sent |= np.diff(day.ignition, prepend=0) != 0
    sent &= draw.random(count) > 0.01
    for _gap in range(int(draw.integers(0, 4))):
        begin = int(draw.integers(0, count - 2 * PER_HOUR))
        sent[begin : begin + int(draw.uniform(0.1, 1.5) * PER_HOUR)] = False
    sent[[0, -1]] = True
    return sent


def _damaged(draw: np.random.Generator, counts: Floats, sent: Flags, ignition: NDArray[np.int8]) -> Floats:
    """Dead readings for one to three messages, and dips where the starter pulls the supply down."""
    counts = counts.copy()
    at_all = np.flatnonzero(sent)
    for at in draw.choice(len(at_all) - 3, size=max(len(at_all) // 600, 1), replace=False):
        hit = at_all[at : at + int(draw.integers(1, 4))]
        kind = draw.choice(["zero", "full", "none", "jump"])
        counts[hit] = {"zero": 0.0, "full": 65_535.0, "none": np.nan, "jump": counts[hit[0]] * draw.uniform(0.3, 0.8)}[
            str(kind)
        ]
    starts = np.flatnonzero(np.diff(ignition, prepend=0) == 1)
    dips = starts[draw.random(len(starts)) < 0.2]
    counts[dips] *= draw.uniform(0, 0.5, len(dips))
    return np.round(counts)


def _poured(draw: np.random.Generator, tank: Geometry, scale: tuple[float, float]) -> TankTable:
    """The table as a field engineer pours it: twenty portions, each measured a little wrong."""
    litres = np.linspace(0, tank.capacity_l, 21)
    heights = np.linspace(0, tank.height_m, 500)
    share = np.interp(litres, tank.volume_l(heights), heights) / tank.height_m
    portions = np.diff(litres) * (1 + draw.normal(0, 0.0025, 20)) * (1 + draw.normal(0, 0.005))
    raw = scale[0] + share * (scale[1] - scale[0])
    return make_table(np.stack((np.round(raw), np.append(0.0, np.cumsum(portions))), axis=1).tolist())
