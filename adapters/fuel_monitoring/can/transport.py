"""Messages longer than eight bytes: the announced broadcast of J1939 (fuel-sensors.md 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.j1939 import TRANSPORT_CONTROL, TRANSPORT_DATA, make_id, split_id

BAM: Final = 0x20
TIMEOUT_S: Final = 0.75
LONGEST: Final = 1_785
PACKET: Final = 7


@dataclass(frozen=True, slots=True)
class LongMessage:
    """A message put together from its packets."""

    pgn: int
    source: int
    payload: bytes


@dataclass(slots=True)
class _Session:
    pgn: int
    size: int
    packets: int
    seen_s: float
    data: bytearray = field(default_factory=bytearray)
    next_number: int = 1


class BamAssembler:
    """Puts broadcasts together, one per sender at a time; a packet missing or late ends that broadcast alone."""

    def __init__(self) -> None:
        self.dropped = 0
        self._sessions: dict[int, _Session] = {}  # by source address: at most 256

    def feed(self, frame: CanFrame, now_s: float) -> LongMessage | None:
        """A message that this frame completes."""
        if not frame.extended or frame.remote or len(frame.data) != 8:
            return None
        parts = split_id(frame.can_id)
        if parts.pgn == TRANSPORT_CONTROL and frame.data[0] == BAM:
            self._begin(parts.source, frame.data, now_s)
        elif parts.pgn == TRANSPORT_DATA and parts.destination == 255:
            return self._add(parts.source, frame.data, now_s)
        return None

    def _begin(self, source: int, data: bytes, now_s: float) -> None:
        if self._sessions.pop(source, None) is not None:
            self.dropped += 1
        size, packets = int.from_bytes(data[1:3], "little"), data[3]
        if 9 <= size <= LONGEST and packets == -(-size // PACKET):
            self._sessions[source] = _Session(int.from_bytes(data[5:8], "little"), size, packets, now_s)
        else:
            self.dropped += 1

    def _add(self, source: int, data: bytes, now_s: float) -> LongMessage | None:
        session = self._sessions.get(source)
        if session is None:
            return None
        if data[0] != session.next_number or now_s - session.seen_s > TIMEOUT_S:
            del self._sessions[source]
            self.dropped += 1
            return None
        session.data += data[1:]
        session.next_number += 1
        session.seen_s = now_s
        if session.next_number <= session.packets:
            return None
        del self._sessions[source]
        return LongMessage(session.pgn, source, bytes(session.data[: session.size]))


def bam_frames(pgn: int, source: int, payload: bytes) -> list[CanFrame]:
    """The frames that broadcast a payload. Raises ValueError for one that needs none or is too long."""
    if not 9 <= len(payload) <= LONGEST:
        raise ValueError(f"{len(payload)} bytes are no announced broadcast")
    packets = -(-len(payload) // PACKET)
    head = bytes((BAM,)) + len(payload).to_bytes(2, "little") + bytes((packets, 0xFF)) + pgn.to_bytes(3, "little")
    frames = [CanFrame(make_id(TRANSPORT_CONTROL, source, priority=7), head)]
    for number in range(packets):
        part = payload[number * PACKET : (number + 1) * PACKET].ljust(PACKET, b"\xff")
        frames.append(CanFrame(make_id(TRANSPORT_DATA, source, priority=7), bytes((number + 1,)) + part))
    return frames
