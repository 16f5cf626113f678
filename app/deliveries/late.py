"""Late positions: which verdicts that are not confirmed they may change.

Positions come a thousand times a second. They are looked at in one grouped query per step, by tracker and span, and
compared with the times of open verdicts that are kept in memory; a batch is judged again at most every few minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from app.deliveries.times import DAY_MS, MINUTE_MS
from app.deliveries.verdict import CONFIRMED, WINDOW_MS
from app.fleet.phones import driver_of_phone
from app.store.tables import DeliveryBatchRow, Device, DeviceAssignment, PositionRow, ProofVerdict
from app.supply.filters import Place

OPEN_MS = 30 * DAY_MS
"""A proof that is older is not judged again for a position that comes now."""
MOST_OPEN = 20_000
POSITIONS_AT_ONCE = 50_000
AGAIN_MS = 5 * MINUTE_MS


@dataclass(slots=True)
class _Open:
    """Proofs that late positions may still confirm, by the vehicle or the driver's phone that would tell."""

    by_vehicle: dict[str, list[tuple[int, Place]]] = field(default_factory=dict)
    by_phone: dict[Place, list[tuple[int, Place]]] = field(default_factory=dict)


class LatePositions:
    """Follows the positions of a store from the moment of its making; an engine that starts looks at no old ones."""

    def __init__(self) -> None:
        self._after: int | None = None
        self._open: _Open | None = None
        self._judged_ms: dict[Place, int] = {}
        self._due: dict[Place, None] = {}

    def forget(self) -> None:
        """Verdicts were written: read the open ones anew."""
        self._open = None

    def open_batches(self, connection: Connection, now_ms: int) -> list[Place]:
        """Every batch with an open verdict."""
        found = self._read_open(connection, now_ms)
        places = [place for spans in (*found.by_vehicle.values(), *found.by_phone.values()) for _at, place in spans]
        return list(dict.fromkeys(places))

    def wait_s(self, now_ms: int) -> float | None:
        """Until a batch that has been judged lately is to be judged again."""
        waits = [max(self._judged_ms.get(place, 0) + AGAIN_MS - now_ms, 0) for place in self._due]
        return min(waits) / 1000 + 1.0 if waits else None

    def take_up(self, connection: Connection, now_ms: int) -> list[Place]:
        """The batches to judge again now."""
        newest = connection.execute(select(func.max(PositionRow.id))).scalar_one() or 0
        if self._after is None:
            self._after = newest
        elif newest > self._after:
            upto = min(newest, self._after + POSITIONS_AT_ONCE)
            self._due.update(dict.fromkeys(self._touched(connection, self._after, upto, now_ms)))
            self._after = upto
        found = [place for place in self._due if now_ms - self._judged_ms.get(place, -AGAIN_MS) >= AGAIN_MS]
        for place in found:
            del self._due[place]
            self._judged_ms[place] = now_ms
        self._judged_ms = {place: at for place, at in self._judged_ms.items() if now_ms - at < AGAIN_MS}
        return found

    def _touched(self, connection: Connection, after: int, upto: int, now_ms: int) -> Iterable[Place]:
        found = self._read_open(connection, now_ms)
        if not found.by_vehicle and not found.by_phone:
            return
        position = PositionRow
        query = (
            select(
                position.device_key,
                func.min(position.fixed_at_ms).label("first_ms"),
                func.max(position.fixed_at_ms).label("last_ms"),
            )
            .where(position.id > after, position.id <= upto)
            .group_by(position.device_key)
        )
        spans = list(connection.execute(query))
        keys = [row.device_key for row in spans]
        vehicles, phones = _vehicles_of(connection, keys), _phones_of(connection, keys)
        for row in spans:
            open_ones = [
                one for vehicle_id in vehicles.get(row.device_key, ()) for one in found.by_vehicle.get(vehicle_id, ())
            ]
            open_ones += found.by_phone.get(phones.get(row.device_key, Place("", "")), ())
            for at_ms, place in open_ones:
                if row.first_ms - WINDOW_MS <= at_ms <= row.last_ms + WINDOW_MS:
                    yield place

    def _read_open(self, connection: Connection, now_ms: int) -> _Open:
        if self._open is not None:
            return self._open
        verdict, batch = ProofVerdict, DeliveryBatchRow
        query = (
            select(verdict.evidence, batch.integration_id, batch.peer_id, batch.driver)
            .join(batch, batch.id == verdict.batch_id)
            .where(verdict.verdict != CONFIRMED)
            .order_by(verdict.rests_on_ms.desc())
            .limit(MOST_OPEN)
        )
        found = _Open()
        for row in connection.execute(query):
            at_ms = row.evidence.get("at_ms")
            if not isinstance(at_ms, int) or at_ms < now_ms - OPEN_MS:
                continue
            place = Place(row.integration_id, row.peer_id)
            if row.evidence.get("vehicle_id"):
                found.by_vehicle.setdefault(str(row.evidence["vehicle_id"]), []).append((at_ms, place))
            if row.driver:
                found.by_phone.setdefault(Place(row.integration_id, row.driver), []).append((at_ms, place))
        self._open = found
        return found


def _vehicles_of(connection: Connection, keys: list[int]) -> dict[int, set[str]]:
    """The vehicles that trackers were ever on: which of them holds for a time, the judging looks at."""
    found: dict[int, set[str]] = {}
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        query = select(DeviceAssignment.device_key, DeviceAssignment.vehicle_id)
        for key, vehicle_id in connection.execute(query.where(DeviceAssignment.device_key.in_(some))).all():
            found.setdefault(key, set()).add(vehicle_id)
    return found


def _phones_of(connection: Connection, keys: list[int]) -> dict[int, Place]:
    found: dict[int, Place] = {}
    rows: list[Any] = []
    for start in range(0, len(keys), 500):
        query = select(Device.key, Device.integration_id, Device.unique_id)
        rows += connection.execute(query.where(Device.key.in_(keys[start : start + 500])))
    for row in rows:
        if driver := driver_of_phone(row.unique_id):
            found[row.key] = Place(row.integration_id, driver)
    return found
