"""Which sensors of a port answer and which are silent since when, as the sentence that the integration shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.base import Clock


@dataclass(slots=True)
class _Sensor:
    name: str
    answers: bool | None = None  # None: not known yet
    silent_since_ms: int = 0
    remark: str = ""


class RollCall:
    """Told of every answer and every silence; tells whoever shows it only when something has changed.

    ``asleep`` makes the text for a source whose sensors may all rest, of the time since when they do; without it
    nothing is told while nobody answers.
    """

    def __init__(
        self,
        port: str,
        names: Mapping[int, str],
        clock: Clock,
        tell: Callable[[str], None],
        asleep: Callable[[str], str] | None = None,
    ) -> None:
        self._port = port
        self._sensors = {number: _Sensor(name) for number, name in names.items()}
        self._clock = clock
        self._tell = tell
        self._asleep = asleep
        self._told = ""

    def answers(self, number: int, remark: str = "") -> None:
        """``remark`` is a sentence about a sensor that answers and is not well all the same."""
        sensor = self._sensors[number]
        sensor.answers, sensor.remark = True, remark
        self._say()

    def falls_silent(self, number: int) -> None:
        sensor = self._sensors[number]
        if sensor.answers is not False:
            sensor.answers, sensor.silent_since_ms = False, self._clock.now_ms()
        self._say()

    def is_silent(self, number: int) -> bool:
        return self._sensors[number].answers is False

    @property
    def are_all_silent(self) -> bool:
        return all(sensor.answers is False for sensor in self._sensors.values())

    @property
    def silent_since(self) -> str:
        """Since when nobody answers."""
        return spoken_time(max(sensor.silent_since_ms for sensor in self._sensors.values()))

    @property
    def text(self) -> str:
        """The whole state in sentences."""
        total = len(self._sensors)
        answering = sum(sensor.answers is True for sensor in self._sensors.values())
        count = str(total) if answering == total else f"{answering} of {total}"
        is_one = total == 1 or count == "1"
        said = [f"{count} {'sensor answers' if is_one else 'sensors answer'} at {self._port}."]
        for sensor in self._sensors.values():
            if sensor.answers is False:
                said.append(f"Sensor {sensor.name} is silent since {spoken_time(sensor.silent_since_ms)}.")
            elif sensor.remark:
                said.append(f"Sensor {sensor.name}: {sensor.remark}")
        return " ".join(said)

    def _say(self) -> None:
        known = [sensor.answers for sensor in self._sensors.values()]
        if None in known or (not any(known) and self._asleep is None):
            return
        text = self._asleep(self.silent_since) if self._asleep is not None and not any(known) else self.text
        if text != self._told:
            self._told = text
            self._tell(text)


def spoken_time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
