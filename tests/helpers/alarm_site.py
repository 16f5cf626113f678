"""A depot whose alarms are judged: trackers on vehicles, fences, rules, and a follower that is called by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import insert, update

from adapters.records import DeviceEvent, DeviceStatus, Position
from app.alarms.follower import AlarmFollower
from app.alarms.own_fences import add_fences, circle
from app.alarms.rule_book import add_rule, list_rules, remove_rule, write_defaults
from app.alarms.words import Kind, Priority
from app.clock import from_ms
from app.fleet.devices import adopt
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.store import Store
from app.store.tables import Alarm, Device, FuelEventRow, FuelSensor, IntegrationState, Tank, Vehicle
from tests.helpers.fleet import T0_MS, Feed, a_position, make_feed, rows_of

LAT, LON = 9.0765, 7.3986
METRE_LON = 1 / 109_900
"""Degrees of longitude per metre, about, at that latitude."""

MIN_MS = 60_000
HOUR_MS = 3_600_000


@dataclass
class AlarmSite:
    """``now_ms`` is the clock; nothing moves it but the test."""

    store: Store
    now_ms: int = T0_MS
    follower: AlarmFollower = field(default_factory=lambda: AlarmFollower(grace_ms=10 * MIN_MS))

    def __post_init__(self) -> None:
        self.feed: Feed = make_feed(self.store)

    def vehicle(self, plate: str, imei: str) -> str:
        """A vehicle with a tracker that has been heard once, far from every fence; the vehicle's id."""
        self.feed(self.fix(imei, self.now_ms - MIN_MS, east_m=-200_000), now_ms=self.now_ms)
        self.write(partial(adopt, device=imei, vehicle=plate, now_ms=self.now_ms))
        return self.vehicle_id(plate)

    def vehicle_id(self, plate: str) -> str:
        (row,) = rows_of(self.store, Vehicle, Vehicle.plate == plate)
        return str(row.id)

    def device_key(self, imei: str) -> int:
        (row,) = rows_of(self.store, Device, Device.unique_id == imei)
        return int(row.key)

    def fix(self, imei: str, at_ms: int, *, east_m: float = 0.0, speed: float | None = 0.0, **other: Any) -> Position:
        lon = LON + east_m * METRE_LON
        other = {"received_at_ms": self.now_ms, **other}
        return a_position(imei, at_ms, lat=LAT, lon=lon, speed_km_h=speed, **other)

    def arrive(self, *positions: Position) -> None:
        self.feed(*positions, now_ms=self.now_ms)

    def drive(self, imei: str, speeds: Sequence[float | None], *, from_ms: int, step_s: int = 10) -> None:
        """One fix per speed, all arriving now."""
        fixes = [
            self.fix(imei, from_ms + number * step_s * 1000, east_m=-199_900 + number * 40, speed=speed)
            for number, speed in enumerate(speeds)
        ]
        self.arrive(*fixes)

    def cry(self, imei: str, kind: str, at_ms: int, **other: Any) -> None:
        event = DeviceEvent(imei, at_ms, self.now_ms, "gt06", kind, kind, kind.upper(), LAT, LON)
        self.feed(event, now_ms=self.now_ms, **other)

    def status(self, imei: str, **said: Any) -> None:
        """What the tracker says of itself, and that it is written."""
        self.feed(DeviceStatus(imei, self.now_ms, "gt06", "heartbeat", **said), now_ms=self.now_ms)
        self.flush_states()

    def fence(self, name: str = "Depot", *, east_m: float = 0.0, radius_m: float = 500.0, limit: Any = None) -> str:
        new = circle(name, LAT, LON + east_m * METRE_LON, radius_m, limit)
        (fence_id,) = self.write(partial(add_fences, fences=[new]))
        return str(fence_id)

    def no_rules(self) -> None:
        """Without the rules that a new store begins with."""
        self.write(write_defaults)
        with self.store.read() as connection:
            rules = list_rules(connection)
        for rule in rules:
            self.write(partial(remove_rule, rule_id=rule.id))

    def rule(self, kind: Kind, priority: Priority = Priority.LOW, **values: Any) -> str:
        name = f"{kind.value} rule"
        return str(self.write(partial(add_rule, kind=kind, name=name, priority=priority, values=values)))

    def step(self, later_ms: int = 0) -> None:
        """Let time pass, then judge everything that there is."""
        self.now_ms += later_ms
        while self.follower.step(self.store, self.now_ms) == 0.0:
            pass

    def restart(self) -> None:
        """As after a kill: nothing is left but the store."""
        self.follower = AlarmFollower(grace_ms=10 * MIN_MS)

    def write(self, job: Any) -> Any:
        return self.store.write(job).result(20)

    def alarms(self, kind: Kind | None = None) -> list[Any]:
        return [row for row in rows_of(self.store, Alarm) if kind is None or row.kind == kind]

    def alarm(self, kind: Kind | None = None) -> Any:
        (row,) = self.alarms(kind)
        return row

    def phase(self, phase: str, since_ms: int, integration_id: str = "gt02-1", reason: str = "") -> None:
        row = {
            "integration_id": integration_id,
            "phase": phase,
            "since": from_ms(since_ms),
            "reason": reason,
            "detail": {},
        }

        def job(connection: Any) -> None:
            version = raise_topic(connection, "integration_states")
            state = IntegrationState
            change = update(state).where(state.integration_id == integration_id)
            if not connection.execute(change.values(**row, changed_version=version)).rowcount:
                connection.execute(insert(state).values(**row, changed_version=version))

        self.write(job)

    def flush_states(self) -> None:
        """Have the newest of each device written, whatever its pause."""
        self.write(lambda connection: self.feed.sink.flush(connection, self.now_ms + HOUR_MS))

    def tank(self, vehicle_id: str) -> str:
        tank_id = new_id()
        row = {"id": tank_id, "vehicle_id": vehicle_id, "created_at": from_ms(T0_MS), "name": "Main"}
        self.write(lambda connection: connection.execute(insert(Tank).values(**row)))
        return tank_id

    def sensor(self, tank_id: str, last_ms: int, kind: str = "telematics") -> int:
        row = {
            "id": new_id(),
            "integration_id": "gt02-1",
            "unique_id": new_id(),
            "tank_id": tank_id,
            "kind": kind,
            "unit": "litres",
            "settings": {},
            "first_seen_ms": T0_MS,
            "last_ms": last_ms,
        }
        insert_it = insert(FuelSensor).values(**row)
        return int(self.write(lambda connection: connection.execute(insert_it).inserted_primary_key[0]))

    def drain(self, vehicle_id: str, tank_id: str, end_ms: int, **other: Any) -> str:
        event_id = str(other.pop("id", new_id()))
        row: Mapping[str, Any] = {
            "vehicle_id": vehicle_id,
            "tank_id": tank_id,
            "kind": "drain",
            "start_ms": end_ms - 10 * MIN_MS,
            "end_ms": end_ms,
            "litres": 60.0,
            "level_before_l": 200.0,
            "level_after_l": 140.0,
            "confidence": 0.9,
            "evidence": [],
            "found_at": from_ms(end_ms),
            **other,
        }

        def job(connection: Any) -> None:
            version = raise_topic(connection, "fuel_events")
            event = FuelEventRow
            change = update(event).where(event.id == event_id)
            if not connection.execute(change.values(**row, changed_version=version)).rowcount:
                connection.execute(insert(event).values(id=event_id, **row, changed_version=version))

        self.write(job)
        return event_id
