"""The contract of the sensor workbench: what a package offers to whoever stands at a sensor with a cable.

A :class:`Bench` is named in the manifest (``bench="module:object"``) and loaded by the host alone; window and command
line know these types and never the package. Everything here is immediate: nothing is stored, nothing is retried later.
All errors that leave it are those of :mod:`adapters.errors`, each a plain sentence with the next step.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

BusKind = Literal["rs485", "can", "obd"]
Direction = Literal["sent", "received", "note"]


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port that could be opened. ``hardware_id`` is the adapter's serial number, by which it is known again."""

    path: str
    description: str
    hardware_id: str = ""
    in_use_by: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How sensors of one family are spoken to. ``read_only_why`` says why nothing may be written, "" where it may."""

    key: str
    label: str
    bus: BusKind
    speeds: tuple[int, ...]
    default_speed: int
    addresses: range
    read_only_why: str = ""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One piece of what went over the line, for the raw monitor and for captures.

    ``at_s`` is Unix time. ``fields`` are the decoded fields as (name, value with unit), empty for what was not
    understood; ``note`` is a sentence of the program's own ("unplugged", "echo ignored").
    """

    at_s: float
    direction: Direction
    data: bytes
    note: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the requests to one sensor since the session began."""

    sent: int = 0
    good: int = 0
    timeouts: int = 0
    checksum_errors: int = 0
    wrong_address: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A sensor that answered a search."""

    address: int
    speed: int
    dialect: str
    title: str
    talks_unasked: bool = False


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """Who a sensor is. ``details`` are further facts as (name, value) in the order in which they are shown."""

    address: int
    dialect: str
    model: str = ""
    serial: str = ""
    firmware: str = ""
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A live reading. ``value`` is None when the sensor gave none; ``why`` then says what it said instead."""

    at_s: float
    address: int
    value: float | None
    unit: str
    temperature_c: float | None = None
    raw: float | None = None  # count before scaling
    more: tuple[tuple[str, str], ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class SensorSetting:
    """One setting of a sensor: what it is now, what it may be, and why it cannot be written where it cannot."""

    name: str
    label: str
    value: int | str | None
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: Mapping[int, str] = field(default_factory=dict)
    read_only_why: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """One setting after a write: what it was, what was asked for, and what was read back.

    ``read_back`` is None when the sensor could not be asked any more: whether the write holds is not known.
    """

    name: str
    before: int | str | None
    wanted: int | str
    read_back: int | str | None

    @property
    def ok(self) -> bool:
        return self.read_back == self.wanted


class BenchSession(Protocol):
    """One open port with one dialect. One request is in flight at a time; a user's act goes before polling.

    Raises NotReady when the port was pulled or another program took it; the capture and the counters stay, and the
    session works again once the adapter is back.
    """

    @property
    def port(self) -> str: ...

    @property
    def is_connected(self) -> bool: ...

    def watch(self, on_traffic: Callable[[Traffic], None]) -> Callable[[], None]:
        """Hear every piece of traffic, on the loop's thread; returns what ends it."""
        ...

    def counters(self) -> Mapping[int, Counters]:
        """By address."""
        ...

    def scan(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncIterator[Found]:
        """Search; ``progress(done, all)``. Stop by closing the iterator."""
        ...

    async def identify(self, address: int) -> SensorFacts: ...

    async def read(self, address: int) -> Level: ...

    async def settings(self, address: int) -> Sequence[SensorSetting]: ...

    async def write(self, address: int, changes: Mapping[str, int | str]) -> Sequence[Written]:
        """Write one after the other, reading each back; stops at the first that did not hold or could not be read back.

        An error once something was sent ends it too, and what was written until then is returned, never lost.
        Raises Unsupported for a setting that may not be written, SettingsInvalid for a value out of range.
        """
        ...

    async def history(self, address: int) -> Sequence[tuple[str, str, str]]:
        """What the sensor remembers of changes: (time, what, value). Raises Unsupported."""
        ...

    async def close(self) -> None: ...


class Bench(Protocol):
    """The workbench of one integration."""

    def dialects(self) -> Sequence[Dialect]: ...

    def ports(self) -> Sequence[PortInfo]:
        """What is plugged in now. May take a moment: call it off the loop."""
        ...

    async def open(self, port: str, dialect: str, speed: int, options: Mapping[str, str] | None = None) -> BenchSession:
        """Raises NotReady: taken by another program, no rights (naming the group), not there; SettingsInvalid.

        ``port`` is a path, a name of :meth:`ports`, ``socket://host:port`` or ``rfc2217://host:port``. ``options``
        are the dialect's own (a register map's name, the unit of the output message).
        """
        ...

    def explain(self, dialect: str, capture: Sequence[Traffic]) -> Sequence[Traffic]:
        """The same traffic with its fields decoded: replays a capture through the decoder of the live session."""
        ...
