"""Where every driver is: their phone's place, what they are driving now, and what their phone said last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, func, select

from app.deliveries.batch import stops_of
from app.deliveries.batches import BatchListing, listings, shown_stage
from app.deliveries.drivers import list_drivers
from app.deliveries.rows import by_place, integration_names, of_integrations
from app.fleet.phones import PHONE, driver_of_phone, is_phone
from app.fleet.registry import BLOCKED, FORGOTTEN
from app.store.tables import DeliveryBatchRow, Device, DeviceState, DriverDeviceRow, DriverRow, Integration, PositionRow
from app.supply.filters import Place

MOST_BATCHES = 2_000


@dataclass(frozen=True, slots=True)
class Errand:
    """The batch that a driver drives now. ``vehicle_id`` is the console's own vehicle, "" where none is known.

    ``next_stop`` is the first that is not done, "" after the last one; ``others`` counts further batches under way.
    """

    batch_id: str
    name: str
    stops: int
    stops_done: int
    next_stop: str
    plate: str
    vehicle_id: str
    others: int = 0


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One driver. ``key`` is the id of the driver's row, or of the phone whose driver the platform does not list.

    ``device_key`` leads to the track, None where no phone ever sent one; ``fixed_ms`` None with a place: the platform
    keeps no time with it. ``heard_ms`` is the newest sign of life of any kind: a phone that stands sends no places.
    ``name`` and ``availability`` are "" where they are not known; ``link`` is the stage of the login's link, "" for
    no login.
    """

    key: str
    integration_id: str
    source: str
    peer_id: str
    name: str
    phone: str
    availability: str
    link: str
    is_signed_in: bool
    device_key: int | None
    lat: float | None
    lon: float | None
    fixed_ms: int | None
    heard_ms: int | None
    speed_km_h: float | None
    errand: Errand | None

    @property
    def unique_id(self) -> str:
        """The phone's id among the devices."""
        return PHONE + self.peer_id


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    """What came with a phone's newest position, and which phone it was; None and "" for what was not told."""

    accuracy_m: float | None = None
    battery_percent: float | None = None
    network: str = ""
    name: str = ""
    platform: str = ""


def list_whereabouts(connection: Connection, now_ms: int) -> list[Whereabouts]:
    """Every driver by name, then phones of drivers whom their platform does not list."""
    errands = _errands(connection)
    found = []
    for driver in list_drivers(connection, now_ms):
        place = driver.place
        found.append(
            Whereabouts(
                key=driver.id,
                integration_id=driver.integration_id,
                source=driver.source,
                peer_id=driver.peer_id,
                name=driver.name,
                phone=driver.phone,
                availability=driver.availability,
                link=driver.link,
                is_signed_in=driver.signs.is_signed_in,
                device_key=None if place is None else place.device_key,
                lat=None if place is None else place.lat,
                lon=None if place is None else place.lon,
                fixed_ms=None if place is None else place.fixed_ms,
                heard_ms=driver.heard_ms,
                speed_km_h=None if place is None else place.speed_km_h,
                errand=errands.get(Place(driver.integration_id, driver.peer_id)),
            )
        )
    return found + _unlisted(connection)


def phone_facts(connection: Connection, device_key: int) -> PhoneFacts:
    """Of a phone; everything unknown where its newest position was deleted."""
    query = (
        select(PositionRow.attributes, Device.integration_id)
        .join(DeviceState, DeviceState.position_id == PositionRow.id)
        .join(Device, Device.key == DeviceState.device_key)
        .where(DeviceState.device_key == device_key)
    )
    row = connection.execute(query).first()
    told: Mapping[str, Any] = (row.attributes if row is not None else None) or {}
    facts = PhoneFacts(
        accuracy_m=_number(told.get("accuracy_m")),
        battery_percent=_number(told.get("battery_percent")),
        network=str(told.get("network") or ""),
        name=str(told.get("phone") or ""),
    )
    if row is None or not facts.name:
        return facts
    phone = DriverDeviceRow
    place = Place(row.integration_id, facts.name)
    known = by_place(connection, phone, [place], (phone.name, phone.platform), key=phone.device).get(place)
    return facts if known is None else replace(facts, name=known.name or facts.name, platform=known.platform)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _errands(connection: Connection) -> dict[Place, Errand]:
    """By driver; of several batches under way the one that began last."""
    batch = DeliveryBatchRow
    query = (
        select(batch.__table__)
        .where(of_integrations(batch, None), shown_stage() == "in_progress")
        .order_by(batch.started_ms.is_(None), batch.started_ms.desc(), batch.key.desc())
        .limit(MOST_BATCHES)
    )
    rows = [one for one in listings(connection, list(connection.execute(query))) if one.driver]
    by_driver: dict[Place, list[BatchListing]] = {}
    for one in rows:
        by_driver.setdefault(Place(one.integration_id, one.driver), []).append(one)
    stops = stops_of(connection, [batches[0].place for batches in by_driver.values()])
    found = {}
    for driver, batches in by_driver.items():
        first = batches[0]
        to_come = (stop.label for stop in stops.get(first.place, ()) if not stop.is_done)
        found[driver] = Errand(
            first.id, first.name, first.stops, first.stops_done, next(to_come, ""), first.plate, first.vehicle_id,
            len(batches) - 1,
        )  # fmt: skip
    return found


def _unlisted(connection: Connection) -> list[Whereabouts]:
    """Phones that sent places for a driver of whom the platform shows no record: nobody's, but somewhere."""
    peer_id = func.substr(Device.unique_id, len(PHONE) + 1)
    same = and_(DriverRow.integration_id == Device.integration_id, DriverRow.peer_id == peer_id)
    state = DeviceState
    query = (
        select(
            Device.id, Device.key, Device.integration_id, Device.unique_id, Device.name, Device.phone,
            state.lat, state.lon, state.fixed_at_ms, state.last_seen_ms, state.speed_km_h,
        )
        .join(Integration, Integration.id == Device.integration_id)
        .outerjoin(DriverRow, same)
        .outerjoin(state, state.device_key == Device.key)
        .where(is_phone(), DriverRow.key.is_(None), Integration.removed_at.is_(None))
        .where(Device.state.not_in((BLOCKED, FORGOTTEN)))
        .order_by(Device.key)
    )  # fmt: skip
    sources = integration_names(connection)
    return [
        Whereabouts(
            row.id, row.integration_id, sources.get(row.integration_id, ""), driver_of_phone(row.unique_id), row.name,
            row.phone, "", "", False, row.key, row.lat, row.lon, row.fixed_at_ms, row.last_seen_ms or None,
            row.speed_km_h, None,
        )
        for row in connection.execute(query)
    ]  # fmt: skip
