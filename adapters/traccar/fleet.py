"""What one running adapter knows of the server's fleet, shared by polling and the live socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from adapters.errors import RecordRejected
from adapters.records import DeviceInfo, Record, Rejected
from adapters.traccar import fields, mapping
from adapters.traccar.mapping import Fix, Known

MOST_PLACES = 20_000
MOST_REPORTED = 10_000

T = TypeVar("T")


class Fleet:
    """Devices by the server's id, and what was handed to the store last, so that repetitions stay away from it.

    ``note_*`` record what was delivered; :meth:`forget_delivered` undoes that when a delivery failed.
    """

    def __init__(self) -> None:
        self.devices: dict[int, Known] = {}
        self.groups: dict[int, str] = {}
        self.fences: dict[int, str] = {}
        self.newest_ms: dict[int, int] = {}
        self._infos: dict[str, DeviceInfo] = {}
        self._latest: dict[int, int] = {}
        self._places: dict[int, tuple[float, float]] = {}
        self._reported: set[tuple[str, str]] = set()

    def forget_delivered(self) -> None:
        self._infos.clear()
        self._latest.clear()
        self._reported.clear()

    # -- reading: many records, one bad one never costs the others

    def read(self, raw: Iterable[object], what: str, one: Callable[[object], T]) -> tuple[list[T], list[Rejected]]:
        """Every record that can be read, and a rejection for each other one that was not reported yet."""
        good: list[T] = []
        bad: list[Rejected] = []
        for item in raw:
            try:
                good.append(one(item))
            except RecordRejected as err:
                bad += self.reject(err.key or what, err.why, item)
        return good, bad

    def reject(self, key: str, why: str, item: object = "") -> list[Rejected]:
        """The rejection, or nothing when the same was reported already."""
        if (key, why) in self._reported:
            return []
        if len(self._reported) >= MOST_REPORTED:
            self._reported.clear()
        self._reported.add((key, why))
        return [Rejected(key, why, fields.clean(repr(item))[:500])]

    # -- devices

    def learn_devices(self, raw: Iterable[object], *, whole: bool) -> tuple[list[DeviceInfo], list[Rejected]]:
        """Take in devices; returns those whose facts changed since they were delivered.

        ``whole`` says that these are all there are.
        """

        def one(item: object) -> tuple[Known, DeviceInfo]:
            known = mapping.known_device(item)
            return known, mapping.device_info(fields.as_object(item, "device"), known, self.groups)

        read, bad = self.read(raw, "device", one)
        if whole:
            self.devices = {}
        for known, _ in read:
            self.devices[known.id] = known
        if whole:
            self.newest_ms = {key: value for key, value in self.newest_ms.items() if key in self.devices}
        return [info for _, info in read if self._infos.get(info.device) != info], bad

    # -- positions

    def read_fixes(self, raw: Iterable[object], now_ms: int) -> tuple[list[Fix], list[Rejected]]:
        """Positions of known devices; those of unknown ones are left out (see :meth:`strangers`)."""

        def one(item: object) -> Fix:
            device_id = fields.integer(fields.as_object(item, "position"), "deviceId") or 0
            return mapping.fix(item, self.devices[device_id].unique_id, now_ms)

        fixes, bad = self.read((item for item in raw if not self._is_stranger(item)), "position", one)
        for fix in fixes:
            self._see(fix)
        return fixes, bad

    def strangers(self, raw: Iterable[object]) -> set[int]:
        """The server's ids of the devices of these records that we do not know."""
        return {item["deviceId"] for item in raw if isinstance(item, dict) and self._is_stranger(item)}

    def _is_stranger(self, item: object) -> bool:
        device_id = fields.integer(item, "deviceId") if isinstance(item, dict) else None
        return device_id is not None and device_id not in self.devices

    def _see(self, fix: Fix) -> None:
        if fix.position is None:
            return
        self.newest_ms[fix.device_id] = max(self.newest_ms.get(fix.device_id, 0), fix.fixed_at_ms)
        self._places[fix.id] = (fix.position.lat, fix.position.lon)
        while len(self._places) > MOST_PLACES:
            del self._places[next(iter(self._places))]

    def place_of(self, position_id: int | None) -> tuple[float, float] | None:
        return self._places.get(position_id) if position_id is not None else None

    def latest_records(self, fixes: Iterable[Fix]) -> list[Record]:
        """What is new in latest or live positions: fixes, and the state of the device that the messages carried."""
        records: list[Record] = []
        for fix in fixes:
            if self._latest.get(fix.device_id) == fix.id:
                continue
            if fix.position is not None:
                records.append(fix.position)
            records.append(fix.status)
        return records

    # -- events

    def read_events(self, raw: Iterable[object], now_ms: int) -> tuple[list[Record], list[Rejected]]:
        """Events of known devices, placed where their position is known."""

        def one(item: object) -> list[Record]:
            record = fields.as_object(item, "event")
            device = self.devices[fields.integer(record, "deviceId") or 0]
            place = self.place_of(fields.integer(record, "positionId"))
            return list(mapping.device_events(item, device.unique_id, now_ms, place, self.fences))

        known = (item for item in raw if not self._is_stranger(item))
        read, bad = self.read(known, "event", one)
        return [record for records in read for record in records], bad

    # -- what was delivered

    def note_infos(self, infos: Iterable[DeviceInfo]) -> None:
        self._infos.update((info.device, info) for info in infos)

    def note_latest(self, fixes: Iterable[Fix]) -> None:
        self._latest.update((fix.device_id, fix.id) for fix in fixes)
