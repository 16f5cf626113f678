"""Dispatch records for tests, and a depot whose driver platform, supply system and trackers fill one store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, select, update

from adapters.dispatch import (
    BatchPaper,
    BatchStop,
    DeliveryBatch,
    DeliveryEvent,
    Driver,
    DriverDevice,
    DriverLink,
    DriverSession,
    FleetVehicle,
    Invitation,
    OnboardingRequest,
    OneTimeCode,
)
from adapters.records import Position, Record
from adapters.supply import Facility
from app.catalogue import BUILT_IN, Catalogue
from app.clock import from_ms
from app.engine.sink import StoreSink
from app.fleet.devices import adopt
from app.fleet.vehicles import add_vehicle
from app.store.columns import Base
from app.store.store import Store
from app.store.tables import Device, Integration
from tests.helpers.fleet import IMEI, T0_MS, a_position
from tests.helpers.supply import SupplyFeed, make_supply_feed

T = TypeVar("T")

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DEPOT = (9.0765, 7.3986)
CLINIC = (9.2000, 7.4000)
OTHER_CLINIC = (9.3000, 7.5000)
PLATE = "KAN-123 XA"


def a_driver(peer_id: str = "drv-1", **other: Any) -> Driver:
    driver = Driver(
        peer_id, f"Musa {peer_id}", "0803", status="available", is_available=True, licence_expires_on="2027-01-01"
    )
    return replace(driver, **other)


def a_link(peer_id: str = "link-1", **other: Any) -> DriverLink:
    link = DriverLink(
        peer_id, "user-1", "drv-1", "active", "active", "otp", "Musa Bello", "musa@example.org", T0_MS, "Depot"
    )
    return replace(link, **other)


def a_code(peer_id: str = "code-1", **other: Any) -> OneTimeCode:
    code = OneTimeCode(peer_id, "musa@example.org", "pending", "pending", 1, 5, T0_MS, T0_MS + 15 * MINUTE_MS)
    return replace(code, **other)


def a_request(peer_id: str = "request-1", **other: Any) -> OnboardingRequest:
    request = OnboardingRequest(
        peer_id, "Aisha Sani", "0804", "Aisha@example.org", "Kano", "phone-9", "pending", "pending", T0_MS
    )
    return replace(request, **other)


def an_invitation(peer_id: str = "inv-1", **other: Any) -> Invitation:
    invitation = Invitation(
        peer_id, "new@example.org", "driver", "pending", "pending", T0_MS, T0_MS + 7 * 24 * HOUR_MS, "Depot"
    )
    return replace(invitation, **other)


def a_phone(peer_id: str = "phone-1", **other: Any) -> DriverDevice:
    return replace(DriverDevice(peer_id, "user-1", "app-1", "Tecno", "android", "trusted", T0_MS, T0_MS), **other)


def a_session(peer_id: str = "session-1", **other: Any) -> DriverSession:
    return replace(DriverSession(peer_id, "user-1", "app-1", "ACTIVE", "open", T0_MS, T0_MS), **other)


def a_fleet_vehicle(peer_id: str = "veh-1", **other: Any) -> FleetVehicle:
    return replace(FleetVehicle(peer_id, "KAN 123 XA", "Hilux", "truck", "available"), **other)


def a_stop(facility: str = "clinic-1", sequence: int = 1, **other: Any) -> BatchStop:
    return replace(BatchStop(f"stop-{facility}", sequence, facility), **other)


def a_batch(peer_id: str = "batch-1", *stops: BatchStop, **other: Any) -> DeliveryBatch:
    batch = DeliveryBatch(
        peer_id, f"Batch {peer_id}", "in-progress", "in_progress", "high", "depot", "drv-1", "veh-1", "2026-01-01",
        "08:00", started_ms=T0_MS, lines=stops or (a_stop(),),
    )  # fmt: skip
    return replace(batch, **other)


def a_paper(peer_id: str = "paper-1", **other: Any) -> BatchPaper:
    return replace(BatchPaper(peer_id, "batch-1", "invoice", "77", "clinic-1"), **other)


def an_event(
    peer_id: str = "mod4_events:1", kind: Any = "delivered", at_ms: int = T0_MS, **other: Any
) -> DeliveryEvent:
    event = DeliveryEvent(
        peer_id, other.pop("source", "mod4_events"), kind, at_ms, received_ms=at_ms + 2_000, driver="drv-1",
        batch="batch-1", facility="clinic-1", lat=CLINIC[0], lon=CLINIC[1],
    )  # fmt: skip
    return replace(event, **other)


def a_place(peer_id: str, lat_lon: tuple[float, float] | None, **other: Any) -> Facility:
    lat, lon = lat_lon or (None, None)
    facility = Facility(peer_id, f"F-{peer_id}", peer_id.replace("-", " ").title(), "facility", is_ours=False)
    return replace(facility, lat=lat, lon=lon, **other)


@cache
def catalogue() -> Catalogue:
    return Catalogue.load(BUILT_IN, lambda: ())


class Depot:
    """One store with a driver platform (``mod4``), a supply system (``supply``) and trackers (``trackers``)."""

    def __init__(self, store: Store, *, may_change: bool = True) -> None:
        self.store = store
        self.sink = StoreSink(store)  # one engine takes everything, and so counts the ids of telemetry
        self.mod4 = self.feed("mod4-1", "mod4")
        self.supply = self.feed("msupply-1", "msupply")
        self.trackers = self.feed("gt02-1", "gt02_tracker")
        self.catalogue = catalogue()
        config = {"host": "127.0.0.1", "username": "console", "tls": "off", "changes": may_change}
        self.write(
            lambda connection: connection.execute(
                update(Integration).where(Integration.id == "mod4-1").values(config=config)
            )
        )

    def feed(self, integration_id: str, kind: str) -> SupplyFeed:
        """One more integration of the depot."""
        feed = make_supply_feed(self.store, integration_id, kind)
        feed.sink = self.sink
        return feed

    def arrive(self, *records: Record, feed: SupplyFeed | None = None, now_ms: int | None = None) -> None:
        """Store records of the driver platform, or of another feed."""
        target = feed or self.mod4
        if now_ms is not None:
            target.now_ms = now_ms
        target(*records)

    def usual(self, *stops: BatchStop) -> None:
        """A driver with a linked, trusted phone, their vehicle, two clinics and a batch that is under way."""
        self.arrive(
            a_driver(),
            a_link(),
            a_phone(),
            a_session(),
            a_fleet_vehicle(),
            a_place("depot", DEPOT),
            a_place("clinic-1", CLINIC),
            a_place("clinic-2", OTHER_CLINIC),
            a_batch("batch-1", *stops),
        )

    def vehicle(self, plate: str = PLATE, tracker: str = IMEI) -> str:
        """Our own vehicle with its tracker from ever on."""
        vehicle_id = self.write(lambda connection: add_vehicle(connection, plate))
        self.drive([(T0_MS - 24 * HOUR_MS, *DEPOT)], tracker)
        self.write(lambda connection: adopt(connection, tracker, plate))
        return str(vehicle_id)

    def drive(self, fixes: list[tuple[int, float, float]], tracker: str = IMEI, feed: SupplyFeed | None = None) -> None:
        """(time, lat, lon) of a tracker, received a second later."""
        positions: list[Position] = [a_position(tracker, at_ms, lat=lat, lon=lon) for at_ms, lat, lon in fixes]
        newest_ms = max(at_ms for at_ms, _lat, _lon in fixes)
        self.arrive(*positions, feed=feed or self.trackers, now_ms=newest_ms + 1_000)

    def write(self, job: Callable[[Connection], T]) -> T:
        return self.store.write(job).result()

    def do(self, act: Callable[..., T], *arguments: Any, at_ms: int = T0_MS, **named: Any) -> T:
        """One act of app/deliveries/acts.py."""
        return self.write(lambda connection: act(connection, self.catalogue, *arguments, now=from_ms(at_ms), **named))

    def ask(self, query: Callable[..., T], *arguments: Any, **named: Any) -> T:
        with self.store.read() as connection:
            return query(connection, *arguments, **named)

    def id_of(self, table: type[Base], peer_id: str) -> str:
        """The id of the row of a record."""
        columns = table.__table__.c
        key = columns.unique_id if table is Device else columns.peer_id
        with self.store.read() as connection:
            return str(connection.execute(select(columns.id).where(key == peer_id)).scalar_one())
