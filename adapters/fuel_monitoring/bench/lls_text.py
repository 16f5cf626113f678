"""The workbench on a sensor that speaks text lines: one sensor, no address, no checksum (fuel-sensors.md 1.6)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.bench import Found, Level, SensorFacts
from adapters.fuel_monitoring.bench.link import Ask, NoAnswer
from adapters.fuel_monitoring.bench.session import Session
from adapters.fuel_monitoring.bench.turns import ACT, POLL
from adapters.fuel_monitoring.lls.text import REQUEST, TextLine, TextParser

_LINE_BYTES: Final = 20
_HIGHEST_COUNT: Final = 0x0FFF
_LISTEN_S: Final = 1.2


@dataclass(slots=True)
class _TextEar:
    is_foreign: bool = False
    _parser: TextParser = field(default_factory=TextParser)

    @property
    def is_garbled(self) -> bool:
        return self._parser.bad_lines > 0

    def hear(self, data: bytes) -> TextLine | None:
        lines = self._parser.feed(data)
        return lines[-1] if lines else None

    def end(self) -> TextLine | None:
        return None


class LlsTextSession(Session):
    async def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]:
        """There is one sensor or none; its address is 0."""
        del addresses
        for done, speed in enumerate(speeds):
            progress(done, len(speeds))
            spoken = TextParser().feed(await self.link.listen(_LISTEN_S, speed=speed))
            try:
                line = spoken[-1] if spoken else await self._line(ACT, tries=1, speed=speed)
            except NoAnswer:
                continue
            title = f"level {line.level}, {line.temperature_c} °C"
            yield Found(0, speed, self.dialect.key, title, talks_unasked=bool(spoken))
        progress(len(speeds), len(speeds))

    async def identify(self, address: int) -> SensorFacts:
        line = await self._line(ACT)
        details = (("line", line.raw.decode("ascii")), ("note", "the text mode tells neither model nor address"))
        return SensorFacts(address, self.dialect.key, details=details)

    async def read(self, address: int) -> Level:
        resting = self.link.rests(0)
        if resting:
            return Level(time.time(), address, None, "", why=resting)
        try:
            line = await self._line(POLL)
        except NoAnswer as err:
            return Level(time.time(), address, None, "", why=err.why)
        is_valid = line.frequency <= _HIGHEST_COUNT or self.options.get("any_count") == "yes"
        return Level(
            time.time(),
            address,
            float(line.level) if is_valid else None,
            "",
            temperature_c=float(line.temperature_c),
            raw=float(line.frequency),
            why="" if is_valid else "The count is above 0FFFh, by which the sensor marks data that are not valid.",
        )

    async def _line(self, rank: int, *, tries: int = 3, speed: int | None = None) -> TextLine:
        """A sensor that talks by itself answers too, at the latest with its next line."""
        return await self.link.ask(
            Ask(0, REQUEST, _LINE_BYTES, tries=tries, rank=rank, speed=speed, patience_s=0.4), _TextEar
        )
