"""Which stretch of a device's history to read next, and what was read: pure planning, no requests.

Trackers deliver buffered fixes hours late and the server is asked by fix time, so a cursor at the last fix would
miss them (traccar-api.md, section 7). Therefore per device:

- *quick* reads from shortly before the newest known fix, whenever the live socket may have missed something;
- *full* reads of at least the last 24 hours, at intervals while the device says anything at all;
- after a device was silent, full reads begin where the silence began, and go on doing so for another 24 hours,
  because the buffer of a returning tracker arrives in pieces.

Times are server time, milliseconds since 1970 UTC.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WINDOW_MS = DAY_MS
MOST_IDS = 100_000
OVERLAP_MS = 10 * 60_000
"""Also the time after its last message within which a device's positions may still be on their way to disk."""


MOST_GAPS = 50

Gaps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """The cursor of one device.

    ``newest_ms`` newest fix by the last whole read, ``read_ms`` and ``full_ms`` when the last read and the last full
    read began; ``gaps`` are silences that full reads still cover: where each began, and until when; ``resume_ms`` is
    where a full read was interrupted.
    """

    newest_ms: int
    read_ms: int
    full_ms: int
    gaps: Gaps = ()
    resume_ms: int | None = None

    def dump(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def load(cls, text: str | None) -> Progress | None:
        """None for a device never read, and for a cursor that is not ours: reading again costs nothing but time."""
        try:
            raw = json.loads(text) if text else None
            if not isinstance(raw, dict):
                return None
            gaps = tuple((int(since_ms), int(until_ms)) for since_ms, until_ms in raw.pop("gaps", ()))
            return cls(**{name: int(value) for name, value in raw.items()}, gaps=gaps)
        except (ValueError, TypeError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator set, in milliseconds."""

    first_ms: int
    longest_gap_ms: int
    full_every_ms: int


@dataclass(frozen=True, slots=True)
class Read:
    """A stretch to read, both ends included. ``gaps`` as in :class:`Progress`."""

    from_ms: int
    to_ms: int
    full: bool
    gaps: Gaps = ()

    def windows(self) -> Iterator[tuple[int, int]]:
        """The stretch in pieces of at most a day; neighbours share their edge."""
        start = self.from_ms
        while True:
            end = min(start + WINDOW_MS, self.to_ms)
            yield start, end
            if end >= self.to_ms:
                return
            start = end


def plan(
    progress: Progress | None,
    *,
    now_ms: int,
    last_update_ms: int | None,
    newest_ms: int | None,
    live_since_ms: int | None,
    limits: Limits,
) -> Read | None:
    """What to read of one device now; None when nothing can be new.

    ``last_update_ms`` is its last message by the device list, ``newest_ms`` its newest fix by the latest positions,
    ``live_since_ms`` since when the socket delivers without a break (None: it does not).
    """
    if last_update_ms is None and newest_ms is None:  # it never said anything
        return None
    to_ms = max(now_ms, min(newest_ms or 0, now_ms + DAY_MS))  # a device's clock may run ahead
    if progress is None:
        return Read(now_ms - limits.first_ms, to_ms, full=True)
    gaps = tuple((since_ms, until_ms) for since_ms, until_ms in progress.gaps if now_ms < until_ms)
    if progress.read_ms > now_ms + OVERLAP_MS:  # the server's clock was put back
        progress = replace(progress, read_ms=0, full_ms=0)
    if progress.resume_ms is not None:
        return Read(min(progress.resume_ms, now_ms), to_ms, full=True, gaps=gaps)
    if last_update_ms is not None and last_update_ms < progress.full_ms - OVERLAP_MS:
        return None  # a full read was made since its last message
    known_ms = min(progress.newest_ms, now_ms) - OVERLAP_MS
    # Between full reads the socket alone may bring what is new, so that much age of the newest is no silence.
    silent = known_ms < now_ms - limits.full_every_ms - HOUR_MS
    if silent and (newest_ms is None or newest_ms > progress.newest_ms):
        gaps = (*gaps[-MOST_GAPS:], (known_ms, now_ms + DAY_MS))
    elif now_ms - progress.full_ms < limits.full_every_ms:
        if live_since_ms is not None and progress.read_ms >= live_since_ms:
            return None  # the socket brought what was new since
        if last_update_ms is not None and last_update_ms < progress.read_ms - OVERLAP_MS:
            return None
        return Read(max(known_ms, now_ms - DAY_MS), to_ms, full=False, gaps=gaps)
    from_ms = min(now_ms - DAY_MS, *(since_ms for since_ms, _ in gaps), now_ms)
    return Read(max(from_ms, now_ms - limits.longest_gap_ms), to_ms, full=True, gaps=gaps)


def begin(progress: Progress | None, read: Read, now_ms: int) -> Progress:
    """The cursor while ``read`` runs: everything before ``read.from_ms`` is as it was."""
    base = progress or Progress(newest_ms=read.from_ms, read_ms=now_ms, full_ms=0)
    return replace(base, gaps=read.gaps)


def interrupted_at(progress: Progress, read: Read, done_ms: int) -> Progress:
    """The cursor when everything of ``read`` up to ``done_ms`` is stored, but not the rest."""
    return replace(progress, resume_ms=done_ms) if read.full else progress


def finished(progress: Progress, read: Read, began_ms: int, newest_ms: int | None) -> Progress:
    """The cursor after the whole of ``read``, begun at ``began_ms``; ``newest_ms`` is the newest fix in it.

    A fix of the future does not count as newest beyond ``began_ms``: it would hide the start of the next silence.
    """
    return replace(
        progress,
        newest_ms=max(min(progress.newest_ms, began_ms), min(newest_ms or 0, began_ms)),
        read_ms=began_ms,
        full_ms=began_ms if read.full else progress.full_ms,
        resume_ms=None,
    )


class Delivered:
    """Ids that were stored already, so that reading again does not send them to the store again.

    Only a filter against needless work: what it does not know, e.g. after a start, the store's natural key refuses.
    Eight bytes per id, the newest :data:`MOST_IDS` of each device; a full read replaces what is remembered.
    """

    def __init__(self) -> None:
        self._ids: dict[int, array[int]] = {}

    def of(self, device_id: int) -> set[int]:
        return set(self._ids.get(device_id, ()))

    def replace(self, device_id: int, ids: set[int]) -> None:
        self._ids[device_id] = array("q", ids)

    def add(self, device_id: int, ids: set[int]) -> None:
        known = self._ids.setdefault(device_id, array("q"))
        known.extend(ids.difference(known))
        del known[:-MOST_IDS]

    def keep_only(self, device_ids: set[int]) -> None:
        for device_id in self._ids.keys() - device_ids:
            del self._ids[device_id]
