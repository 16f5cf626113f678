"""One peer's conversation without its socket: bytes in, records and replies out.

The identity of GT06 frames is the connection's: the last login, else the identity of GT02 frames on it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from adapters.gt02_tracker import gt02, gt06
from adapters.gt02_tracker.foreign import label_of
from adapters.gt02_tracker.framing import Foreign, Frame, Piece, StreamFramer
from adapters.gt02_tracker.hall import Reporter
from adapters.gt02_tracker.memory import Memory
from adapters.gt02_tracker.translate import (
    Source,
    add_gt02_location,
    declared_offset_s,
    gt02_records,
    gt06_records,
)
from adapters.records import RawFrame, Record, Rejected, Verdict

_SAMPLE_SIZE: Final = 200


class Intake(NamedTuple):
    """What some bytes gave. ``reply`` may be sent once all ``records`` are stored."""

    records: list[Record]
    reply: bytes


class Session:
    """State of one connection, or of one sender of datagrams. Never raises for any bytes.

    ``peer`` is its address as text.
    """

    def __init__(self, peer: str, reporter: Reporter) -> None:
        self.peer = peer
        self.device: str | None = None
        self.frames = 0  # believed and attributed ones: a sign of an honest peer
        self._reporter = reporter
        self._framer = StreamFramer()
        self._counted_skipped = 0
        self._skipped_at_frame = 0
        self._logged_in = False
        self._offset_s = 0
        self._memory = Memory()

    @property
    def skipped_since_frame(self) -> int:
        """Bytes that became part of no frame since the last good one."""
        return self._framer.skipped - self._skipped_at_frame

    @property
    def overflowed(self) -> bool:
        """True once too many bytes came without a frame: close the connection."""
        return self._framer.overflowed

    @property
    def has_pending(self) -> bool:
        """True while bytes wait for more; :meth:`tick` then has something to watch."""
        return self._framer.pending > 0

    def receive(self, data: bytes, now_ms: int, now_s: float) -> Intake:
        """Bytes of a stream, received at ``now_ms`` (UTC), on the caller's monotonic clock at ``now_s``."""
        return self._take(self._framer.feed(data, now_s), now_ms)

    def receive_datagram(self, data: bytes, now_ms: int) -> Intake:
        """One datagram: frames never continue in the next one."""
        self._framer = StreamFramer()
        self._counted_skipped = self._skipped_at_frame = 0
        return self._take(self._framer.feed(data) + self._framer.close(), now_ms)

    def tick(self, now_ms: int, now_s: float) -> Intake:
        """Give up on a frame that stayed incomplete for too long."""
        return self._take(self._framer.tick(now_s), now_ms)

    def close(self, now_ms: int) -> Intake:
        """The stream has ended: what is left over is counted, and kept where it began like a frame."""
        return self._take(self._framer.close(), now_ms)

    def _take(self, pieces: list[Piece], now_ms: int) -> Intake:
        records: list[Record] = []
        replies: list[bytes] = []
        frames = self.frames
        for piece in pieces:
            if isinstance(piece, Foreign):
                self._take_foreign(piece, now_ms, records)
            elif piece.verdict == "malformed":
                self._keep(piece, now_ms, "malformed", records)
            elif piece.protocol == "gt02":
                self._take_gt02(piece, now_ms, records, replies)
            else:
                self._take_gt06(piece, now_ms, records, replies)
        if self.frames != frames:
            self._skipped_at_frame = self._framer.skipped
        skipped = self._framer.skipped - self._counted_skipped
        if skipped:
            self._counted_skipped += skipped
            self._reporter.count("skipped_bytes", skipped)
        return Intake(records, b"".join(replies))

    def _take_gt02(self, frame: Frame, now_ms: int, records: list[Record], replies: list[bytes]) -> None:
        """The framer has seen to the identity."""
        data = frame.data
        if gt02.is_location(data):
            self._take_location(frame, now_ms, records)
            return
        fields = gt02.decode(data)
        if "error" in fields:
            self._keep(frame, now_ms, "malformed", records)
            return
        reply = gt02.reply_to(fields)
        raw = self._believe_gt02(data, now_ms, self._verdict(gt02.is_known(fields)), reply)
        records += gt02_records(fields, raw)
        if reply:
            replies.append(reply)

    def _take_location(self, frame: Frame, now_ms: int, records: list[Record]) -> None:
        data = frame.data
        location = gt02.read_location(data)
        if location.error is not None:
            self._keep(frame, now_ms, "malformed", records)
            return
        raw = self._believe_gt02(data, now_ms, "ok", b"")
        add_gt02_location(records, location, raw, self._memory)

    def _believe_gt02(self, data: bytes, now_ms: int, verdict: Verdict, reply: bytes) -> RawFrame:
        device = gt02.imei_of(data)
        if not self._logged_in:
            self.device = device
        self.frames += 1
        return RawFrame("gt02", data, now_ms, self.peer, device, verdict, reply)

    def _take_gt06(self, frame: Frame, now_ms: int, records: list[Record], replies: list[bytes]) -> None:
        if frame.verdict == "bad_checksum":
            self._keep(frame, now_ms, "bad_checksum", records)
            return
        fields = gt06.decode(frame.data).fields
        if fields["kind"] == "login" and "error" not in fields:
            self.device = fields["imei"]
            self._logged_in = True
            self._offset_s = declared_offset_s(fields)
        if self.device is None:
            self._keep(frame, now_ms, "not_attributed", records)
            return
        # The checksum is right, so the device gets its reply also where we cannot read the content: it would
        # otherwise send the same frame for ever.
        reply = gt06.reply_to(fields, now_ms)
        if "error" in fields:
            self._reporter.count("malformed_frames", 1)
            records.append(RawFrame("gt06", frame.data, now_ms, self.peer, self.device, "malformed", reply))
        else:
            self.frames += 1
            verdict = self._verdict(gt06.is_known(fields))
            raw = RawFrame("gt06", frame.data, now_ms, self.peer, self.device, verdict, reply)
            records += gt06_records(fields, raw, Source(self.device, self._offset_s, self._memory))
        if reply:
            replies.append(reply)

    def _verdict(self, known: bool) -> Verdict:
        if known:
            return "ok"
        self._reporter.count("unknown_frames", 1)
        return "unknown_type"

    def _keep(self, frame: Frame, now_ms: int, verdict: Verdict, records: list[Record]) -> None:
        """Evidence of a frame that is not believed: no record is made from it and nothing answered."""
        self._reporter.count(f"{verdict}_frames", 1)
        records.append(RawFrame(frame.protocol, frame.data, now_ms, self.peer, None, verdict))

    def _take_foreign(self, message: Foreign, now_ms: int, records: list[Record]) -> None:
        """Keep the message, and tell the operator once per device which listener it needs."""
        self._reporter.count("foreign_messages", 1)
        records.append(RawFrame(message.protocol, message.data, now_ms, self.peer, None, "foreign"))
        label, port = label_of(message.protocol)
        key = f"{message.protocol}:{message.device_id}"
        why = (
            f"The tracker {message.device_id} at {self.peer} speaks {label}, which this listener does not read. "
            f"Point it at a {label} listener (Traccar's usual port is {port}), or set it to the GT02 or GT06 protocol."
        )
        if self._reporter.is_news(key, why):
            records.append(Rejected(key, why, message.data[:_SAMPLE_SIZE].decode("ascii", "replace")))
