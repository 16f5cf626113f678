"""Where drivers' phones are: the third source of positions, beside trackers and servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.deliveries.rows import by_place
from app.fleet.phones import PHONE
from app.identity.kinds import in_chunks
from app.store.tables import Device, DeviceState, DriverRow
from app.supply.filters import Place


@dataclass(frozen=True, slots=True)
class PhonePlace:
    """Where and when. ``device_key`` leads to the track, None where the platform told a place and no track.

    ``seen_ms`` is when anything of it arrived; ``fixed_ms`` None: the platform keeps no time with the place.
    """

    device_key: int | None
    lat: float | None
    lon: float | None
    fixed_ms: int | None
    seen_ms: int | None
    speed_km_h: float | None = None


def phones_of(connection: Connection, drivers: Iterable[Place]) -> dict[Place, PhonePlace]:
    """By driver; those of whom no place is known are left out."""
    drivers = list(drivers)
    found: dict[Place, PhonePlace] = {}
    columns = (DriverRow.lat, DriverRow.lon, DriverRow.located_ms)
    for place, row in by_place(connection, DriverRow, drivers, columns).items():
        if row.lat is not None and row.lon is not None:
            found[place] = PhonePlace(None, row.lat, row.lon, row.located_ms, row.located_ms)
    keys = phone_keys(connection, drivers)
    states = _states(connection, keys.values())
    for place, key in keys.items():
        if key in states:
            found[place] = states[key]
    return found


def phone_keys(connection: Connection, drivers: Iterable[Place]) -> dict[Place, int]:
    """The keys of the trackers that drivers' phones are, by driver."""
    named = {Place(place.integration_id, PHONE + place.peer_id): place for place in drivers if place.peer_id}
    found = by_place(connection, Device, named, (Device.key,), key=Device.unique_id)
    return {named[place]: int(row.key) for place, row in found.items()}


def _states(connection: Connection, keys: Iterable[int]) -> dict[int, PhonePlace]:
    state = DeviceState
    columns = (state.device_key, state.lat, state.lon, state.fixed_at_ms, state.last_seen_ms, state.speed_km_h)
    return {
        row.device_key: PhonePlace(*row)
        for some in in_chunks(keys)
        for row in connection.execute(select(*columns).where(state.device_key.in_(some)))
    }
