"""What judging the data found: that an alarm begins, and that one is over. Plain values, still without a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.alarms.words import Kind, Priority

Fact = tuple[str, str | float | int, str]
"""Name, value and unit of one piece of evidence. Units: ``km/h``, ``m``, ``L``, ``%``, ``at`` (ms since 1970 UTC),
``span`` (ms), "" for text."""


@dataclass(frozen=True, slots=True)
class Raise:
    """An alarm begins at ``at_ms``, which is the time of the data and not of the judging.

    ``is_state``: it tells of a state that is looked at again and again, so that finding it once more is no repeat.
    ``is_once``: its key names one thing of the past, of which there is one alarm ever; found again, its words follow.
    ``ended_ms``: late data told its beginning and its end at once.
    """

    key: str
    kind: Kind
    priority: Priority
    rule_id: str | None
    at_ms: int
    title: str
    detail: str
    evidence: Sequence[Fact] = ()
    vehicle_id: str | None = None
    device_key: int | None = None
    integration_id: str | None = None
    fuel_event_id: str | None = None
    position_id: int | None = None
    event_id: int | None = None
    lat: float | None = None
    lon: float | None = None
    is_state: bool = False
    is_once: bool = False
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """What the alarm of this key told of is over since ``at_ms``; ``evidence`` is added to its own."""

    key: str
    at_ms: int
    evidence: Sequence[Fact] = ()


Finding = Raise | Clear
