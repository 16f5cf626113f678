"""One run of polling: devices, geofences, latest positions, history and events, as batches with their cursors.

Everything is asked for one request after the other (traccar-api.md, section 7, rule 4). Cursors:

- ``devices``, ``geofences``: what the server showed last, so that what disappears can be said;
- ``positions:<unique id>``: :class:`adapters.traccar.history.Progress` of one device;
- ``events``: the same for the events of all devices.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.errors import RecordRejected
from adapters.records import Batch, DeviceInfo, Geofence, Record
from adapters.traccar import fields, history, mapping
from adapters.traccar.client import Refused, TraccarClient
from adapters.traccar.fleet import Fleet
from adapters.traccar.history import Delivered, Limits, Progress, Read
from adapters.traccar.mapping import Known
from adapters.traccar.settings import TraccarSettings

BATCH = 2000
SLICE = 500  # records read in one go: the sockets of this process must not wait for a long list
FENCES_EVERY_MS = 15 * 60_000
DEVICES_PER_REQUEST = 40  # keeps the request line well below the 8 KB that servers accept
ALL_DEVICES = 0  # key of events in Delivered; no device has this id

# A list of a round thousand may have been cut by the administrator's limit (50 000 unless changed); asking again from
# its last fix costs one request.
CAP_STEP = 1000


class Pull:
    """Polls one server; keeps between runs what saves the store needless work."""

    def __init__(self, client: TraccarClient, fleet: Fleet, settings: TraccarSettings) -> None:
        self._client = client
        self._fleet = fleet
        self._limits = Limits(
            first_ms=settings.first_history_h * history.HOUR_MS,
            longest_gap_ms=settings.longest_gap_days * history.DAY_MS,
            full_every_ms=settings.reread_min * 60_000,
        )
        self._positions = Delivered()
        self._events = Delivered()
        self._events_from_ms = 0
        """Where the events of all devices are read from in this run; longer silences bring their own."""
        self._fences_read_ms: int | None = None
        self._fences: dict[str, Geofence] = {}

    async def run(self, cursors: Mapping[str, str], our_now_ms: int, live_since_ms: int | None) -> AsyncIterator[Batch]:
        """One run. ``our_now_ms`` is the console's time, ``live_since_ms`` as in :func:`history.plan`."""
        self._events_from_ms = self._plan_events(cursors).from_ms
        async for batch in self._devices(cursors):
            yield batch
        if self._fences_due():
            async for batch in self._geofences(cursors):
                yield batch
            self._fences_read_ms = self._client.now_ms()
        async for batch in self._latest(our_now_ms):
            yield batch
        for device in list(self._fleet.devices.values()):
            async for batch in self._history(device, cursors, our_now_ms, live_since_ms):
                yield batch
        async for batch in self._all_events(cursors, our_now_ms):
            yield batch

    # -- devices and geofences

    async def _devices(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        self._fleet.groups = mapping.group_names(await self._client.all_items("/groups"))
        raw = await self._client.all_items("/devices")
        changed, bad = self._fleet.learn_devices(raw, whole=True)
        self._positions.keep_only(set(self._fleet.devices))
        names = {device.unique_id: device.name for device in self._fleet.devices.values()}
        gone = [
            DeviceInfo(device=unique_id, name=str(name), visible=False)
            for unique_id, name in _load_object(cursors.get("devices")).items()
            if unique_id not in names
        ]
        records: list[Record] = [*changed, *gone, *bad]
        for batch in _batches(records, _if_changed(cursors, "devices", json.dumps(names, sort_keys=True))):
            yield batch
        self._fleet.note_infos(changed)

    def _fences_due(self) -> bool:
        return self._fences_read_ms is None or self._client.now_ms() - self._fences_read_ms >= FENCES_EVERY_MS

    async def _geofences(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        raw = await self._client.all_items("/geofences")
        fences, bad = self._fleet.read(raw, "geofence", mapping.geofence)
        self._fleet.fences = {int(fence.peer_id): fence.name for fence in fences}
        shown = {str(item["id"]): _fence_facts(item) for item in raw if isinstance(item, dict) and "id" in item}
        before = _load_object(cursors.get("geofences"))
        gone = [fence for key, facts in before.items() if key not in shown for fence in _vanished(facts)]
        changed = [fence for fence in fences if self._fences.get(fence.peer_id) != fence]
        records: list[Record] = [*changed, *gone, *bad]
        for batch in _batches(records, _if_changed(cursors, "geofences", json.dumps(shown, sort_keys=True))):
            yield batch
        self._fences = {fence.peer_id: fence for fence in fences}

    # -- positions

    async def _latest(self, our_now_ms: int) -> AsyncIterator[Batch]:
        raw = await self._client.items("/positions")
        fixes, bad = self._fleet.read_fixes(raw, our_now_ms)
        for batch in _batches([*self._fleet.latest_records(fixes), *bad], {}):
            yield batch
        self._fleet.note_latest(fixes)

    async def _history(
        self, device: Known, cursors: Mapping[str, str], our_now_ms: int, live_since_ms: int | None
    ) -> AsyncIterator[Batch]:
        stream = f"positions:{device.unique_id}"
        began_ms = self._client.now_ms()
        before = Progress.load(cursors.get(stream))
        read = history.plan(
            before,
            now_ms=began_ms,
            last_update_ms=device.last_update_ms,
            newest_ms=self._fleet.newest_ms.get(device.id),
            live_since_ms=live_since_ms,
            limits=self._limits,
        )
        if read is None:
            return
        progress = history.begin(before, read, began_ms)
        seen: set[int] = set()
        newest_ms: int | None = None
        try:
            for start_ms, end_ms in read.windows():
                async for records, ids, newest in self._window(device, start_ms, end_ms, our_now_ms):
                    seen |= ids
                    newest_ms = max(newest_ms or 0, newest)
                    for batch in _batches(records, {}):
                        yield batch
                    self._positions.add(device.id, ids)
                if read.full and read.gaps and start_ms + history.OVERLAP_MS < self._events_from_ms:
                    async for batch in self._events_of([device.id], start_ms, end_ms, our_now_ms):
                        yield batch
                if end_ms < read.to_ms:
                    yield Batch((), {stream: history.interrupted_at(progress, read, end_ms).dump()})
        except Refused as err:  # hidden since the list was read; the others go on
            yield Batch(self._fleet.reject(f"history of {device.unique_id}", err.why))
            return
        if read.full:
            self._positions.replace(device.id, seen)
        yield Batch((), {stream: history.finished(progress, read, began_ms, newest_ms).dump()})

    async def _window(
        self, device: Known, start_ms: int, end_ms: int, our_now_ms: int
    ) -> AsyncIterator[tuple[list[Record], set[int], int]]:
        """The fixes of one window, page by page: new records, the ids in the page, its newest fix time."""
        while True:
            raw = await self._client.items(
                "/positions",
                ("deviceId", device.id),
                ("from", fields.iso_time(start_ms)),
                ("to", fields.iso_time(end_ms)),
            )
            known = self._positions.of(device.id)
            unread = [item for item in raw if not (isinstance(item, dict) and item.get("id") in known)]
            records: list[Record] = []
            for first in range(0, len(unread), SLICE):
                fixes, bad = self._fleet.read_fixes(unread[first : first + SLICE], our_now_ms)
                records += [fix.position for fix in fixes if fix.position is not None]
                records += bad
                await asyncio.sleep(0)
            times = [at for item in raw if isinstance(item, dict) and (at := fields.time_ms(item, "fixTime"))]
            last_ms = min(max(times, default=start_ms), end_ms)
            ids = {key for item in raw if isinstance(item, dict) and (key := fields.integer(item, "id"))}
            yield records, ids, last_ms if times else 0
            if not raw or len(raw) % CAP_STEP:
                return
            # More fixes of one millisecond than the limit allows cannot be had; do not ask for them for ever.
            start_ms = last_ms if last_ms > start_ms else start_ms + 1
            if start_ms > end_ms:
                return

    # -- events

    async def _all_events(self, cursors: Mapping[str, str], our_now_ms: int) -> AsyncIterator[Batch]:
        began_ms = self._client.now_ms()
        read = self._plan_events(cursors)
        progress = history.begin(Progress.load(cursors.get("events")), read, began_ms)
        device_ids = list(self._fleet.devices)
        try:
            for start_ms, end_ms in read.windows():
                for at in range(0, len(device_ids), DEVICES_PER_REQUEST):
                    chunk = device_ids[at : at + DEVICES_PER_REQUEST]
                    async for batch in self._events_of(chunk, start_ms, end_ms, our_now_ms):
                        yield batch
        except Refused as err:  # an administrator may forbid reports; positions go on
            yield Batch(self._fleet.reject("events", err.why))
            return
        yield Batch((), {"events": history.finished(progress, read, began_ms, began_ms).dump()})

    def _plan_events(self, cursors: Mapping[str, str]) -> Read:
        return plan_events(Progress.load(cursors.get("events")), self._client.now_ms(), self._limits)

    async def _events_of(
        self, device_ids: Sequence[int], start_ms: int, end_ms: int, our_now_ms: int
    ) -> AsyncIterator[Batch]:
        raw = await self._client.items(
            "/reports/events",
            *(("deviceId", device_id) for device_id in device_ids),
            ("from", fields.iso_time(start_ms)),
            ("to", fields.iso_time(end_ms)),
            ("type", "%"),
        )
        known = self._events.of(ALL_DEVICES)
        new = [item for item in raw if not (isinstance(item, dict) and item.get("id") in known)]
        await self._locate(new, our_now_ms)
        records, bad = self._fleet.read_events(new, our_now_ms)
        for batch in _batches([*records, *bad], {}):
            yield batch
        ids = {key for item in new if isinstance(item, dict) and (key := fields.integer(item, "id"))}
        self._events.add(ALL_DEVICES, ids)

    async def _locate(self, events: list[object], our_now_ms: int) -> None:
        """Learn the places of these events; without permission for one of them they stay without a place."""
        wanted = {fields.integer(item, "positionId") or 0 for item in events if isinstance(item, dict)}
        missing = sorted(key for key in wanted if key > 0 and self._fleet.place_of(key) is None)
        for at in range(0, len(missing), DEVICES_PER_REQUEST):
            try:
                raw = await self._client.items(
                    "/positions", *(("id", key) for key in missing[at : at + DEVICES_PER_REQUEST])
                )
            except Refused:
                return
            self._fleet.read_fixes(raw, our_now_ms)


def plan_events(progress: Progress | None, now_ms: int, limits: Limits) -> Read:
    """The stretch of event times to read now: since the last time with overlap, at intervals the last 24 hours."""
    if progress is None or progress.read_ms > now_ms + history.OVERLAP_MS:
        return Read(now_ms - limits.first_ms, now_ms, full=True)
    full = now_ms - progress.full_ms >= limits.full_every_ms
    from_ms = progress.read_ms - history.OVERLAP_MS
    if full:
        from_ms = min(from_ms, now_ms - history.DAY_MS)
    return Read(max(from_ms, now_ms - limits.longest_gap_ms), now_ms, full=full)


def _batches(records: Sequence[Record], cursors: Mapping[str, str]) -> list[Batch]:
    """Records in batches of a size that one transaction takes; the cursors travel with the last."""
    pieces = [records[at : at + BATCH] for at in range(0, len(records), BATCH)] or ([()] if cursors else [])
    return [Batch(piece, cursors if piece is pieces[-1] else {}) for piece in pieces]


def _if_changed(cursors: Mapping[str, str], stream: str, value: str) -> dict[str, str]:
    return {} if cursors.get(stream) == value else {stream: value}


def _load_object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _fence_facts(item: dict[str, Any]) -> dict[str, Any]:
    """What :func:`mapping.geofence` needs, so that a vanished fence can be shown as it was."""
    return {name: item.get(name) for name in ("id", "name", "description", "area", "attributes")}


def _vanished(facts: object) -> list[Geofence]:
    try:
        return [replace(mapping.geofence(facts), visible=False)]
    except RecordRejected:
        return []  # it could not be read while it was there either
