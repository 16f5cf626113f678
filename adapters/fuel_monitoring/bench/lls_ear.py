"""Listening for answers of the LLS family."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.fuel_monitoring.lls.crc import crc8
from adapters.fuel_monitoring.lls.frames import FROM_SENSOR, LlsFrame, LlsParser


@dataclass(slots=True)
class LlsEar:
    """Finds the answer of one sensor to one command. The request's own echo is passed over."""

    address: int
    command: int
    _parser: LlsParser = field(default_factory=LlsParser)
    _all: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._parser.expect(self.address, self.command)

    @property
    def is_garbled(self) -> bool:
        """Whether the beginning of an answer came and the rest did not fit."""
        return self._parser.crc_errors > 0 or (
            bytes((FROM_SENSOR, self.address, self.command)) in self._all and not self.is_foreign
        )

    @property
    def is_foreign(self) -> bool:
        """Whether another sensor answered."""
        frames = LlsParser().feed(bytes(self._all))
        return any(not frame.is_request and frame.address != self.address for frame in frames)

    def hear(self, data: bytes) -> LlsFrame | None:
        self._all += data
        return self._first(self._parser.feed(data))

    def end(self) -> LlsFrame | None:
        return self._first(self._parser.close())

    @staticmethod
    def _first(frames: list[LlsFrame]) -> LlsFrame | None:
        return next((frame for frame in frames if not frame.is_request), None)


def whole_answer(heard: bytes, address: int, command: int) -> bytes | None:
    """The data of an answer whose length is not documented: the longest stretch whose checksum fits."""
    start = heard.find(bytes((FROM_SENSOR, address, command)))
    if start < 0:
        return None
    ends = range(len(heard), start + 4, -1)
    return next((heard[start + 3 : end - 1] for end in ends if crc8(heard[start:end]) == 0), None)
