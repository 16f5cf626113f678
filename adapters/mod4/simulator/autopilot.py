"""Drivers that work by themselves: take their batches, drive or ride along, deliver, lose the line, find it again."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg

from adapters.mod4.simulator.driver import DriverApp, Evidence, Fix, Item, Whereabouts
from adapters.mod4.simulator.phone import AppRefused
from adapters.mod4.simulator.places import distance_m

HEARTBEAT_S: Final = 30.0
HANDS: Final = (
    ("Mrs. Esther Ago", "Officer in charge"), ("Mr. Yusuf Kolo", "Store keeper"), ("Nurse Patience Gana", "Matron"),
    ("Dr. Samuel Tsado", "Medical officer"),
)  # fmt: skip


class Trip:
    """A vehicle of the driver's own, straight from place to place at ``speed_km_h``, in a time ``factor`` times faster.

    It waits where it arrived until :meth:`drive_to` sends it on. ``seconds`` is a clock that only counts.
    """

    def __init__(
        self,
        lat: float,
        lng: float,
        *,
        speed_km_h: float = 50.0,
        factor: float = 1.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._from = self._to = (lat, lng)
        self._speed_mps = speed_km_h / 3.6
        self._factor = factor
        self._seconds = seconds
        self._left_s = seconds()

    def drive_to(self, lat: float, lng: float) -> None:
        here = self()
        self._from, self._to, self._left_s = (here.lat, here.lng), (lat, lng), self._seconds()

    def __call__(self) -> Fix:
        whole_m = distance_m(self._from, self._to)
        gone_m = (self._seconds() - self._left_s) * self._speed_mps * self._factor
        if gone_m >= whole_m:
            return Fix(*self._to)
        share = gone_m / whole_m
        north, east = self._to[0] - self._from[0], self._to[1] - self._from[1]
        heading = math.degrees(math.atan2(east * math.cos(math.radians(self._from[0])), north)) % 360
        return Fix(self._from[0] + north * share, self._from[1] + east * share, self._speed_mps, heading)


@dataclass(slots=True)
class Habits:
    """How a driver works. Stops are named by their place in the batch."""

    items: Sequence[Item] = ()
    short_at: Collection[int] = ()
    """Where the first item comes short."""
    afar_at: Collection[int] = ()
    """Where the proof is made before the vehicle gets there, and claims the facility's own place."""
    offline_at: Collection[int] = ()
    """Where there is no line until the stop is left."""
    skip_at: Collection[int] = ()
    storage: str = ""
    """The address below which photos and signatures are uploaded; "" leaves them on the phone."""
    near_m: float = 90.0
    tick_s: float = 1.0
    dwell_s: float = 5.0
    batches: Collection[str] | None = None
    """Only these; None: whatever is assigned."""


@dataclass(slots=True)
class Autopilot:
    """One driver at work until cancelled, or with :meth:`drive` through one batch."""

    app: DriverApp
    email: str
    pin: str
    habits: Habits = field(default_factory=Habits)
    vehicle_id: str | None = None
    trip: Trip | None = None
    """The vehicle that goes where this driver wants; None: the app's ``where`` is somebody else's drive."""
    done: set[str] = field(default_factory=set)
    _beat_s: float = 0.0

    async def run(self) -> None:
        """Sign in, begin the shift, take batch after batch. What the platform refuses is tried again later."""
        while True:
            try:
                if self.app.phone.user is None:
                    await self.app.phone.sign_in(self.email, self.pin)
                if self.app.phone.session_id is None:
                    await self.app.start_shift(self.vehicle_id)
                for batch_id in await self.app.batches():
                    if batch_id not in self.done and self._wanted(batch_id):
                        await self.drive(batch_id)
                        break
                await self._tick()
            except (AppRefused, psycopg.Error, OSError) as error:
                self.app.phone.last_error = str(error)
            await asyncio.sleep(self.habits.tick_s)

    def _wanted(self, batch_id: str) -> bool:
        return self.habits.batches is None or batch_id in self.habits.batches

    async def drive(self, batch_id: str) -> None:
        """One batch from opening to completing. Raises AppRefused, psycopg.Error, OSError."""
        app = self.app
        route = await app.open_batch(batch_id, self.habits.items)
        for stop, slot in enumerate(route.slots):
            if slot.state == "delivered":
                continue
            if stop in self.habits.skip_at:
                await app.skip(stop, "Facility closed")
                continue
            if stop in self.habits.offline_at:
                app.phone.go_offline()
            await self._stop(stop)
            if stop in self.habits.offline_at:
                await app.phone.come_online()
        await app.complete()
        self.done.add(batch_id)

    async def _stop(self, stop: int) -> None:
        app, habits = self.app, self.habits
        slot = app.route.slots[stop] if app.route else None
        if slot is None:
            return
        afar = stop in habits.afar_at
        if self.trip is not None:
            self.trip.drive_to(slot.lat, slot.lng)
        while not afar and not self._is_near(slot.lat, slot.lng):
            await self._tick()
            await asyncio.sleep(habits.tick_s)
        truth: Whereabouts = app.where
        if afar:
            app.where = lambda: Fix(slot.lat, slot.lng)
        try:
            await app.arrive(stop)
            await asyncio.sleep(habits.dwell_s)
            await app.deliver(stop, *self._entered(stop))
        finally:
            app.where = truth

    def _is_near(self, lat: float, lng: float) -> bool:
        here = self.app.where()
        return distance_m((here.lat, here.lng), (lat, lng)) <= self.habits.near_m

    def _entered(self, stop: int) -> tuple[Evidence, Sequence[Item]]:
        """What this driver types at a stop. One who was carried on while typing explains the distance."""
        name, role = HANDS[stop % len(HANDS)]
        habits, items = self.habits, list(self.habits.items)
        evidence = Evidence(
            recipient=name,
            role=role,
            proxy_reason="access_restricted",
            proxy_notes="Handed over at the roadside by agreement",
        )
        if habits.storage:
            photo_url, signature_url = (f"{habits.storage}/{uuid.uuid4()}.{kind}" for kind in ("jpg", "png"))
            evidence = replace(evidence, photo_url=photo_url, signature_url=signature_url)
        if stop in self.habits.short_at and items:
            first = items[0]
            items[0] = Item(first.name, first.expected, first.unit, max(first.expected - 24, 0))
            return replace(evidence, discrepancy="short_shipment", discrepancy_notes="One carton short"), items
        return evidence, items

    async def _tick(self) -> None:
        """A position, and now and then a sign of life. Without a line, or refused, the driver goes on."""
        await self.app.report_position()
        if self.app.phone.online and time.monotonic() - self._beat_s > HEARTBEAT_S:
            self._beat_s = time.monotonic()
            await self.app.heartbeat()
