"""Notices in the engine where two sources of one vehicle disagree, and when they agree again (``twin_gaps``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, insert, select, update

from app.deliveries.batches import listings
from app.deliveries.phones import phone_keys
from app.deliveries.rows import of_integrations
from app.deliveries.times import HOUR_MS, MINUTE_MS
from app.deliveries.twins import Gap, compare
from app.deliveries.verdicts import sightings_of
from app.fleet.tracks import device_track
from app.store.changes import raise_topic
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, Device, DeviceAssignment, Integration, TwinGap
from app.supply.filters import Place

EVERY_MS = MINUTE_MS
PAIRS_AT_ONCE = 200
LOOK_BACK_MS = 6 * HOUR_MS
"""At the first look at a pair; later only what is new, with some of what was looked at."""
OVERLAP_MS = 10 * MINUTE_MS
SILENT_MS = 30 * MINUTE_MS
"""Without a common moment for so long a disagreement is closed: only one of the two tells anything."""
PHONE = "the driver's phone"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sources of one vehicle; the keys rise. ``names`` are what operators call them."""

    vehicle_id: str
    device_key: int
    other_key: int
    names: tuple[str, str]


class TwinFollower:
    """A ``Follower`` of app/engine/followers.py."""

    name = "twins"
    topics = frozenset({"positions", "devices", "batches"})

    def __init__(self) -> None:
        self._looked: dict[tuple[str, int, int], int] = {}
        self._waiting: list[Pair] = []
        self._next_ms = 0

    def step(self, store: Store, now_ms: int) -> float | None:
        """Seconds after which it wants to be called again. Blocks."""
        if 0 < self._next_ms - now_ms <= EVERY_MS:
            return (self._next_ms - now_ms) / 1000
        if not self._waiting:
            with store.read() as connection:
                self._waiting = pairs(connection)
            self._looked = {key: at for key, at in self._looked.items() if key in set(map(_key, self._waiting))}
        some, self._waiting = self._waiting[:PAIRS_AT_ONCE], self._waiting[PAIRS_AT_ONCE:]
        for pair in some:
            self._look(store, pair, now_ms)
        if not self._waiting:
            self._next_ms = now_ms + EVERY_MS
        return 0.0 if self._waiting else EVERY_MS / 1000

    def _look(self, store: Store, pair: Pair, now_ms: int) -> None:
        since_ms = self._looked.get(_key(pair), now_ms - LOOK_BACK_MS) - OVERLAP_MS
        with store.read() as connection:
            standing = _open_gap(connection, pair)
            if standing is not None:
                since_ms = min(since_ms, standing[1] - 2 * MINUTE_MS)
            one, other = (
                sightings_of(device_track(connection, key, since_ms, now_ms + HOUR_MS))
                for key in (pair.device_key, pair.other_key)
            )
        found = compare(one, other, pair.names)
        if found or standing is not None:
            store.write(partial(_keep, pair=pair, found=found, now_ms=now_ms)).result()
        self._looked[_key(pair)] = now_ms


def pairs(connection: Connection) -> list[Pair]:
    """Every two sources that one vehicle has now: its trackers, and the phone of the driver who is under way in it."""
    names = _source_names(connection)
    by_vehicle: dict[str, set[int]] = {}
    assignment = DeviceAssignment
    query = select(assignment.vehicle_id, assignment.device_key).where(assignment.to_ms.is_(None))
    for vehicle_id, key in connection.execute(query).all():
        if key in names:
            by_vehicle.setdefault(vehicle_id, set()).add(key)
    found = [
        Pair(vehicle_id, one, other, (names[one], names[other]))
        for vehicle_id, keys in sorted(by_vehicle.items())
        for index, one in enumerate(sorted(keys))
        for other in sorted(keys)[index + 1 :]
    ]
    for vehicle_id, phone in _phones_under_way(connection):
        for key in sorted(by_vehicle.get(vehicle_id, ())):
            low, high = sorted((key, phone))
            named = {key: names[key], phone: PHONE}
            found.append(Pair(vehicle_id, low, high, (named[low], named[high])))
    return found


def _source_names(connection: Connection) -> dict[int, str]:
    query = (
        select(Device.key, Device.unique_id, Integration.name)
        .join(Integration, Integration.id == Device.integration_id)
        .where(Integration.removed_at.is_(None))
    )
    return {row.key: f"{row.name} ({row.unique_id})" for row in connection.execute(query)}


def _phones_under_way(connection: Connection) -> list[tuple[str, int]]:
    """(our vehicle, key of the driver's phone) of every batch that is under way."""
    batch = DeliveryBatchRow
    query = select(batch.__table__).where(of_integrations(batch, None), batch.stage == "in_progress").limit(2_000)
    rows = [one for one in listings(connection, list(connection.execute(query))) if one.vehicle_id and one.driver]
    keys = phone_keys(connection, [Place(one.integration_id, one.driver) for one in rows])
    found = {
        (one.vehicle_id, key) for one in rows if (key := keys.get(Place(one.integration_id, one.driver))) is not None
    }
    return sorted(found)


def _key(pair: Pair) -> tuple[str, int, int]:
    return pair.vehicle_id, pair.device_key, pair.other_key


def _open_gap(connection: Connection, pair: Pair) -> tuple[int, int] | None:
    """(key, since) of the disagreement that lasts."""
    gap = TwinGap
    query = (
        select(gap.key, gap.since_ms)
        .where(
            gap.vehicle_id == pair.vehicle_id,
            gap.device_key == pair.device_key,
            gap.other_device_key == pair.other_key,
            gap.until_ms.is_(None),
        )
        .order_by(gap.since_ms.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.key, row.since_ms)


def _keep(connection: Connection, pair: Pair, found: Sequence[Gap], now_ms: int) -> None:
    """Write the disagreements of a pair; the one that lasts goes on in its own row."""
    gap = TwinGap
    version = raise_topic(connection, "deliveries")
    standing = _open_gap(connection, pair)
    for one in found:
        until_ms = one.until_ms
        explanation = one.explanation
        if until_ms is None and now_ms - one.last_ms > SILENT_MS:
            until_ms = one.last_ms
            explanation += " Since then only one of them told anything."
        values = {
            "until_ms": until_ms, "worst_m": one.worst_m, "cause": one.cause, "explanation": explanation,
            "changed_version": version,
        }  # fmt: skip
        if standing is not None:
            connection.execute(update(gap).where(gap.key == standing[0]).values(**values))
            standing = None
            continue
        known = connection.execute(
            select(gap.key, gap.until_ms).where(
                gap.vehicle_id == pair.vehicle_id,
                gap.device_key == pair.device_key,
                gap.other_device_key == pair.other_key,
                gap.since_ms <= one.last_ms,
                gap.until_ms >= one.since_ms,
            )
        ).first()
        if known is not None:  # the end of one that was looked at whole before, unless it goes on
            if one.last_ms > known.until_ms:
                connection.execute(update(gap).where(gap.key == known.key).values(until_ms=until_ms))
            continue
        own = {"vehicle_id": pair.vehicle_id, "device_key": pair.device_key, "other_device_key": pair.other_key}
        connection.execute(insert(gap).values(**own, since_ms=one.since_ms, **values))
    if standing is not None and not found:
        # What made it one is explained by positions that came late.
        connection.execute(update(gap).where(gap.key == standing[0]).values(until_ms=now_ms, changed_version=version))
