"""From a stream of bytes to frames: GT02, GT06 and foreign text, recognised frame by frame.

Source: protocol reference, section 5. Decisions depend on byte positions alone, so any chunking of the same bytes
gives the same frames, and each byte is looked at once: the work is linear in the bytes received, whatever they are.

The stretch of bytes since the last frame is the *region*. Its first start mark is the *head*. Every later start mark
in the region is a *candidate* with the end that its length field declares. Ends are judged in the order in which they
come: a candidate that validates before the head is complete proves that the head was cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Literal

from adapters.gt02_tracker import gt02
from adapters.gt02_tracker.foreign import LONGEST_TEMPLATE, MESSAGE_LIMIT, Recognised, recognise
from adapters.gt02_tracker.gt06_crc import crc_matches

BUFFER_LIMIT: Final = 32 * 1024
INCOMPLETE_LIMIT_S: Final = 5.0
EVIDENCE_LIMIT: Final = 1024  # bytes kept of a malformed stretch
CHECKSUM_FACTOR: Final = 8  # checksummed bytes allowed per byte of a region
CHECKSUM_ALLOWANCE: Final = 1024
CANDIDATE_LIMIT: Final = 256
_SERIAL_PASSTHROUGH: Final = 0x9B

_MARK = re.compile(rb"hh|xx|yy")
_TEXT_BEGINNINGS = rb"\((?=[0-9A-Za-z]|\Z)|#(?=[#0-9]|\Z)|\*(?=H|\Z)|\$(?=\$|\Z)|i(?=m|\Z)"
_BEGINNING = re.compile(rb"hh|xx|yy|" + _TEXT_BEGINNINGS)
_FRESH_BEGINNING = re.compile(rb"hh|xx|yy|[0-9]|" + _TEXT_BEGINNINGS)
_IMPOSSIBLE = -1

FrameVerdict = Literal["ok", "bad_checksum", "malformed"]


@dataclass(slots=True)
class Frame:
    """One frame, or with verdict "malformed" a stretch that began like one and could not be one."""

    protocol: Literal["gt02", "gt06"]
    data: bytes
    verdict: FrameVerdict


@dataclass(slots=True)
class Foreign:
    """One message of a text protocol that belongs to another listener."""

    protocol: str
    device_id: str
    data: bytes


Piece = Frame | Foreign


class StreamFramer:
    """Cuts one connection's bytes into pieces. Feeds never raise.

    ``skipped`` counts every byte that became part of no frame, ``steps`` the bytes looked at, ``overflowed`` is set
    once 32 KiB came without a frame: the connection is then to be closed, and further bytes are only counted.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self.steps = 0
        self.overflowed = False
        self._buffer = bytearray()
        self._origin = 0  # stream position of the buffer's first byte; all positions below are stream positions
        self._base = 0  # where the region begins
        self._head = -1  # first start mark of the region, -1 while there is none
        self._scan = 0  # up to where candidates were looked for
        self._candidates: list[tuple[int, int]] = []  # heap of (end, start)
        self._held: list[tuple[int, int]] = []  # (start, end) validated inside a serial passthrough still awaited
        self._checksummed = 0
        self._fresh = True  # the region begins right after a frame, or at the stream's first byte
        self._text: Recognised | None = None
        self._last_byte_s = 0.0

    @property
    def pending(self) -> int:
        """Bytes that wait for more."""
        return len(self._buffer)

    def feed(self, data: bytes, now_s: float = 0.0) -> list[Piece]:
        """Take bytes that arrived at ``now_s`` (the caller's monotonic seconds) and return the pieces they complete."""
        if self.overflowed:
            self.skipped += len(data)
            return []
        self._last_byte_s = now_s
        self._buffer += data
        pieces: list[Piece] = []
        while self._resolve(pieces) if self._head >= 0 else self._begin(pieces):
            pass
        self._forget_consumed()
        return pieces

    def tick(self, now_s: float) -> list[Piece]:
        """Give up on what stayed incomplete for five seconds without new bytes."""
        if not self._buffer or now_s - self._last_byte_s < INCOMPLETE_LIMIT_S:
            return []
        return self.close()

    def close(self) -> list[Piece]:
        """Give up on what is incomplete, now: the stream, or the datagram, has ended."""
        pieces: list[Piece] = []
        if self._text is not None:
            self._emit_text(pieces, self._end())
        self._release_held(pieces)
        self._discard(self._end(), pieces)
        self._reset_region(self._end())
        self._forget_consumed()
        return pieces

    # The region has no start mark yet ---------------------------------------------------------------------------

    def _begin(self, pieces: list[Piece]) -> bool:
        """Take whole frames as long as they follow each other, skip noise, open a region. False: more bytes needed."""
        buffer = self._buffer
        size_of_buffer = len(buffer)
        at = self._base - self._origin
        while at + 1 < size_of_buffer:
            first = buffer[at]
            if buffer[at + 1] != first or first not in b"hxy":
                self._base = self._origin + at
                return self._skip_noise(pieces)
            size = _declared_size(buffer, at, size_of_buffer)
            if size == 0:
                break
            end = at + size
            if not 0 < end - at <= size_of_buffer - at or _MARK.search(buffer, at + 1, end):
                return self._open_region(self._origin + at, size)
            if buffer[end - 2] != 0x0D or buffer[end - 1] != 0x0A:
                return self._open_region(self._origin + at, size)
            data = bytes(buffer[at:end])
            pieces.append(_head_frame(data))
            self.steps += size
            self._fresh = True
            at = end
        self._base = self._origin + at
        if at + 1 == size_of_buffer and buffer[at] not in b"hxy":
            return self._skip_noise(pieces)
        return False

    def _open_region(self, start: int, size: int) -> bool:
        self._base = self._head = start
        self._scan = start + 1
        self._checksummed = 0
        self._fresh = False
        if size != _IMPOSSIBLE:
            heappush(self._candidates, (start + size, start))
        return True

    def _skip_noise(self, pieces: list[Piece]) -> bool:
        """Go to the next byte that may begin something. True: something may begin at the base now."""
        buffer = self._buffer
        at = self._base - self._origin
        found = (_FRESH_BEGINNING if self._fresh else _BEGINNING).search(buffer, at)
        if found is None:
            rest = 1 if buffer[-1] in b"hxy" else 0
            self._skip_to(self._end() - rest)
            return False
        if found.start() > at:
            self._skip_to(self._origin + found.start())
        if found.end() - found.start() == 2:
            return True
        return self._read_text(pieces)

    def _skip_to(self, position: int) -> None:
        passed = position - self._base
        if passed > 0:
            self.skipped += passed
            self.steps += passed
            self._base = position
            self._fresh = False

    def _read_text(self, pieces: list[Piece]) -> bool:
        at = self._base - self._origin
        if self._text is None:
            window = bytes(self._buffer[at : at + LONGEST_TEMPLATE])
            self.steps += len(window)
            verdict = recognise(window)
            if verdict == "incomplete":
                return False
            if verdict is None:
                self._skip_to(self._base + 1)
                return self._base < self._end()
            self._text = verdict
            self._scan = self._base + verdict.size
        end_mark = self._text.dialect.end
        found = self._buffer.find(end_mark, self._scan - self._origin, at + MESSAGE_LIMIT)
        limit = min(self._end(), self._base + MESSAGE_LIMIT)
        self.steps += max(0, (found + self._origin if found >= 0 else limit) - self._scan)
        if found >= 0:
            self._emit_text(pieces, self._origin + found + len(end_mark))
            return True
        if limit == self._base + MESSAGE_LIMIT:
            self._emit_text(pieces, limit)
            return True
        self._scan = max(self._scan, limit - len(end_mark) + 1)
        return False

    def _emit_text(self, pieces: list[Piece], end: int) -> None:
        assert self._text is not None  # noqa: S101 - both callers have just seen it
        data = bytes(self._buffer[self._base - self._origin : end - self._origin])
        pieces.append(Foreign(self._text.dialect.protocol, self._text.device_id, data))
        self._text = None
        self._reset_region(end)

    # The region has a head ---------------------------------------------------------------------------------------

    def _resolve(self, pieces: list[Piece]) -> bool:
        """Look at new bytes in order until a frame is settled. False: more bytes needed."""
        while True:
            overflow = self._base + BUFFER_LIMIT
            limit = min(self._candidates[0][0], overflow) if self._candidates else overflow
            stop = min(limit, self._end())
            if self._find_candidate(stop):
                continue
            if limit > self._end():
                return False
            if not self._candidates or self._candidates[0][0] > limit:
                self._overflow(pieces)
                return False
            if self._judge(limit, pieces):
                return True

    def _find_candidate(self, stop: int) -> bool:
        """Enter the next start mark before ``stop`` whose length field also stands before it."""
        at = self._scan - self._origin
        end = stop - self._origin
        found = _MARK.search(self._buffer, at, end)
        if found is None:
            self.steps += max(0, end - at)
            self._scan = max(self._scan, stop - 1)
            return False
        start = found.start()
        size = _declared_size(self._buffer, start, end)
        self.steps += start - at
        self._scan = self._origin + start
        if size == 0:
            return False
        self._scan += 1
        self.steps += 1
        if size != _IMPOSSIBLE and len(self._candidates) < CANDIDATE_LIMIT:
            heappush(self._candidates, (self._origin + start + size, self._origin + start))
        return True

    def _judge(self, end: int, pieces: list[Piece]) -> bool:
        """Settle all candidates that end here. True: a frame was emitted."""
        starts: list[int] = []
        while self._candidates and self._candidates[0][0] == end:
            starts.append(heappop(self._candidates)[1])
        at = end - self._origin
        has_tail = self._buffer[at - 2 : at] == b"\r\n"
        winner = self._winner(starts, end) if has_tail else None
        head_ends = starts[0] == self._head
        if winner is None and head_ends and has_tail:
            winner = self._head
        if winner is not None and not head_ends and self._head_is_passthrough():
            self._held.append((winner, end))
            return False
        if winner is not None:
            # A head that completes is no proof against what was found inside it, unless its checksum says so.
            self._held.clear() if winner == self._head and self._is_valid(winner, end) else self._release_held(pieces)
            if winner < self._base:
                return True
            self._emit_frame(winner, end, pieces)
            return True
        return head_ends and self._release_held(pieces)

    def _winner(self, starts: list[int], end: int) -> int | None:
        """The candidate to believe: a right checksum first, else the innermost GT02 frame that passes its checks."""
        innermost = None
        for start in starts:
            size = end - start
            if self._checksummed + size > CHECKSUM_FACTOR * (end - self._base) + CHECKSUM_ALLOWANCE:
                break
            self._checksummed += size
            self.steps += size
            if self._is_valid(start, end):
                if self._buffer[start - self._origin] != 0x68:
                    return start
                innermost = start
        return innermost

    def _is_valid(self, start: int, end: int) -> bool:
        data = bytes(self._buffer[start - self._origin : end - self._origin])
        return gt02.is_well_formed(data) if data[0] == 0x68 else crc_matches(data)

    def _head_is_passthrough(self) -> bool:
        """Serial passthrough carries another device's bytes, so a whole frame inside it proves nothing yet."""
        at = self._head - self._origin
        return self._buffer[at : at + 2] == b"yy" and self._buffer[at + 4] == _SERIAL_PASSTHROUGH and self._head_waits()

    def _head_waits(self) -> bool:
        return any(start == self._head for _, start in self._candidates)

    def _release_held(self, pieces: list[Piece]) -> bool:
        """Emit what was held back for a passthrough that came to nothing. True: something was emitted."""
        held, self._held = self._held, []
        for start, end in held:
            if start >= self._base:
                waiting = [(e, s) for e, s in self._candidates if s >= end]
                scan = max(self._scan, end)
                self._emit_frame(start, end, pieces)
                self._candidates = sorted(waiting)
                if waiting:
                    self._head = min(s for _, s in waiting)
                    self._scan = scan
        return bool(held)

    def _emit_frame(self, start: int, end: int, pieces: list[Piece]) -> None:
        self._discard(start, pieces)
        pieces.append(_head_frame(bytes(self._buffer[start - self._origin : end - self._origin])))
        self._reset_region(end)

    def _discard(self, end: int, pieces: list[Piece]) -> None:
        """Count the region up to ``end`` as skipped; what began like a frame is handed out as evidence."""
        self.skipped += end - self._base
        if 0 <= self._head < end:
            at = self._head - self._origin
            data = bytes(self._buffer[at : min(end - self._origin, at + EVIDENCE_LIMIT)])
            pieces.append(Frame("gt02" if data[0] == 0x68 else "gt06", data, "malformed"))

    def _reset_region(self, base: int) -> None:
        self._base = self._scan = base
        self._head = -1
        self._candidates.clear()
        self._checksummed = 0
        self._fresh = True

    def _overflow(self, pieces: list[Piece]) -> None:
        self.overflowed = True
        self._release_held(pieces)
        self._discard(self._end(), pieces)
        self._reset_region(self._end())

    def _end(self) -> int:
        return self._origin + len(self._buffer)

    def _forget_consumed(self) -> None:
        consumed = self._base - self._origin
        if consumed:
            del self._buffer[:consumed]
            self._origin = self._base


def _declared_size(buffer: bytearray, at: int, end: int) -> int:
    """Whole size of the frame whose mark stands at ``at``: 0 while its length field is not there before ``end``."""
    first = buffer[at]
    if first == 0x79:
        if at + 4 > end:
            return 0
        length = buffer[at + 2] << 8 | buffer[at + 3]
        return length + 6 if 5 <= length <= BUFFER_LIMIT - 6 else _IMPOSSIBLE
    if at + 3 > end:
        return 0
    length = buffer[at + 2]
    return length + 5 if length >= (gt02.SMALLEST_LENGTH if first == 0x68 else 5) else _IMPOSSIBLE


def _head_frame(data: bytes) -> Frame:
    """A frame whose length and tail agree, with what its own checks say."""
    if data[0] == 0x68:
        return Frame("gt02", data, "ok" if gt02.imei_of(data) is not None else "malformed")
    return Frame("gt06", data, "ok" if crc_matches(data) else "bad_checksum")
