"""What all streams of a run share: the peer, what is followed, cursors as text, records that cannot be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.base import Kit
from adapters.errors import RecordRejected
from adapters.openlmis import fields
from adapters.openlmis.client import OpenLmisClient
from adapters.openlmis.lookups import Lookups, Scope
from adapters.openlmis.paging import Pace
from adapters.openlmis.settings import OpenLmisSettings
from adapters.records import Batch, Record, Rejected

BATCH = 2000
SLACK_MS = 5000  # a run that begins a little early must not put a stream off by a whole interval

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of polling. ``now_ms`` is the console's time, by which it is judged what is due."""

    client: OpenLmisClient
    settings: OpenLmisSettings
    kit: Kit
    pace: Pace
    lookups: Lookups
    scope: Scope
    cursors: Mapping[str, str]
    now_ms: int

    def state(self, cursor: str) -> dict[str, Any]:
        """What was noted in a cursor; an empty object for none, for one that cannot be read, or of another scope."""
        state = load(self.cursors.get(cursor))
        return {} if state.get("scope", self.scope.marker) != self.scope.marker else state

    def note(self, **state: Any) -> str:
        """The text of a cursor that counts for this scope alone: with another one the stream begins anew."""
        return dump({**state, "scope": self.scope.marker})

    def is_due(self, cursor: str, every_ms: int) -> bool:
        """Whether a stream was last read so long ago; also where the clock was set back since."""
        read_ms = fields.stamp(self.state(cursor), "read")
        return read_ms is None or not (0 <= self.now_ms - read_ms < every_ms - SLACK_MS)


def load(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def dump(state: Mapping[str, Any]) -> str:
    return json.dumps(state, sort_keys=True, separators=(",", ":"))


def read_all(raw: Iterable[object], what: str, make: Callable[[object], Made]) -> tuple[list[Made], list[Rejected]]:
    """Records of those that can be read, and why the others cannot."""
    made: list[Made] = []
    bad: list[Rejected] = []
    for item in raw:
        try:
            made.append(make(item))
        except RecordRejected as err:
            bad.append(rejected(item, what, err))
    return made, bad


def rejected(item: object, what: str, err: RecordRejected) -> Rejected:
    return Rejected(key=fields.key_of(item, what), why=err.why, sample=fields.clean(repr(item))[:500])


def digest(raw: Sequence[object]) -> str:
    """The same for the same list, whatever the order of its entries."""
    rows = sorted(json.dumps(item, sort_keys=True) for item in raw)
    return hashlib.sha256("\n".join(rows).encode("utf-8", "replace")).hexdigest()[:32]


def batches(records: Sequence[Record], cursors: Mapping[str, str]) -> list[Batch]:
    """Records in batches of a size that one transaction takes; the cursors travel with the last."""
    pieces = [records[at : at + BATCH] for at in range(0, len(records), BATCH)] or [()]
    return [Batch(piece, cursors if piece is pieces[-1] else {}) for piece in pieces]
