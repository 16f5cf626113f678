"""One batch of supply records on its way to rows: taken, compared with what is stored, played in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from adapters.records import Record, Rejected
from adapters.supply import FullRead, Gone, StreamRead
from app.fleet.text import storable
from app.supply.kinds import KINDS, OF_NAME, OF_RECORD, KindOf, Part, Values
from app.supply.plan import Keys, PartPlan, Planned
from app.supply.readings import Reading, Readings
from app.supply.streams import Counted
from app.supply.values import Unstorable

_SAMPLE_CHARACTERS = 2_000
_NAMED_CHARACTERS = 80


@dataclass(slots=True)
class _Told:
    """A record as its row holds it. ``lines`` by peer id, None: not read this time; ``kept`` stay as they are."""

    kind: KindOf
    peer_id: str
    values: Values
    hash: bytes
    lines: Mapping[str, tuple[Values, bytes]] | None
    kept: frozenset[str]


@dataclass(slots=True)
class _Came:
    """A record came and could not be kept: what is stored of it is not gone. ``kind`` None: nobody knows of which."""

    kind: KindOf | None
    peer_id: str


_Step = _Told | _Came | Gone | FullRead | StreamRead


class Batch:
    """``rejected`` are records that could not be kept, ``ended`` the streams that ended, with what came of each."""

    def __init__(self, connection: Connection, integration_id: str, keys: Keys, readings: Readings) -> None:
        self._connection = connection
        self._integration_id = integration_id
        self._readings = readings
        self._steps: list[_Step] = []
        self._plans = {
            part.name: PartPlan(connection, part, integration_id, keys)
            for kind in KINDS
            for part in (kind.part, kind.lines)
            if part is not None
        }
        self.records = 0
        self.rejected: list[Rejected] = []
        self.ended: list[tuple[StreamRead, Counted]] = []

    def plans_of(self, kind: KindOf) -> Iterator[PartPlan]:
        for part in (kind.part, kind.lines):
            if part is not None:
                yield self._plans[part.name]

    def changed(self) -> Mapping[str, int]:
        """How many rows of each kind will be other than they are, lines with their kind."""
        return {kind.kind: sum(plan.changed() for plan in self.plans_of(kind)) for kind in KINDS}

    def records_changed(self) -> int:
        plans = (self._plans[kind.part.name] for kind in KINDS)
        return sum(row.values is not None and row.is_changed for plan in plans for row in plan.rows.values())

    # Taking

    def take(self, records: Iterable[Record]) -> None:
        """Make every record storable; what cannot be is set aside, and the others go on."""
        for record in records:
            kind = OF_RECORD.get(type(record))
            if kind is not None:
                self._take(kind, record)
            elif isinstance(record, Gone):
                self._steps.append(replace(record, peer_id=storable(record.peer_id)))
            elif isinstance(record, FullRead):
                self._steps.append(replace(record, scope=storable(record.scope)))
            elif isinstance(record, StreamRead):
                self._steps.append(record)
            elif isinstance(record, Rejected) and (words := record.key.split()):
                self._steps.append(_Came(None, storable(words[-1])))

    def _take(self, kind: KindOf, record: object) -> None:
        values = self._values(kind.part, record, "")
        if values is None:
            self._steps.append(_Came(kind, _peer_id(record)))
            return
        told: Sequence[object] | None = getattr(record, "lines", None)
        lines: dict[str, tuple[Values, bytes]] = {}
        kept: set[str] = set()
        for line in told or ():
            line_values = None if kind.lines is None else self._values(kind.lines, line, values[0])
            if line_values is None or kind.lines is None:
                kept.add(_peer_id(line))
            else:
                lines[line_values[0]] = line_values, kind.lines.hash_of(line_values)
        self.records += 1
        told_lines = None if told is None else lines
        self._steps.append(_Told(kind, values[0], values, kind.part.hash_of(values), told_lines, frozenset(kept)))

    def _values(self, part: Part, record: object, parent: str) -> Values | None:
        try:
            return part.values_of(record)
        except Unstorable as err:
            name = storable(" ".join(filter(None, (parent, _peer_id(record)))), _NAMED_CHARACTERS)
            what = part.name.replace("_", " ")
            self.rejected.append(Rejected(f"{what} {name}", f"The {what} was set aside. {err}", _sample(record)))
            return None

    # Comparing with what is stored

    def load(self) -> None:
        """Look up every row that this batch may touch."""
        wanted: dict[str, dict[str, None]] = {kind.kind: {} for kind in KINDS}
        papers: dict[str, dict[str, None]] = {kind.kind: {} for kind in KINDS}
        being_read = {kind.kind for kind in KINDS if self._readings.of(self._integration_id, kind)}
        being_read |= {step.kind for step in self._steps if isinstance(step, FullRead)}
        for step in self._steps:
            if isinstance(step, _Told):
                wanted[step.kind.kind][step.peer_id] = None
                if step.lines is not None:
                    papers[step.kind.kind][step.peer_id] = None
            elif isinstance(step, Gone):
                wanted[step.kind][step.peer_id] = None
            elif isinstance(step, _Came):
                for name in being_read if step.kind is None else (step.kind.kind,):
                    wanted[name][step.peer_id] = None
        for kind in KINDS:
            plan = self._plans[kind.part.name]
            plan.load(wanted[kind.kind])
            if kind.lines is not None:  # a paper that is new has no lines yet
                self._plans[kind.lines.name].load(one for one in papers[kind.kind] if one in plan.rows)

    # Playing

    def play(self, counted: Counted) -> None:
        """Go through the records in their order. ``counted`` goes on with the integration's stream."""
        before = sum(self.changed().values())
        for step in self._steps:
            if isinstance(step, _Told):
                self._play_told(step)
                counted.records += 1
            elif isinstance(step, _Came):
                self._play_came(step)
            elif isinstance(step, Gone):
                self._play_gone(OF_NAME[step.kind], step.peer_id)
            elif isinstance(step, FullRead):
                self._play_mark(step)
            else:
                now = sum(self.changed().values())
                self.ended.append((step, Counted(counted.records, counted.changed + now - before)))
                before, counted.records, counted.changed = now, 0, 0
        counted.changed += sum(self.changed().values()) - before

    def _play_told(self, step: _Told) -> None:
        kind = step.kind
        row = self._plans[kind.part.name].tell(step.peer_id, step.values, step.hash)
        readings = self._readings.of(self._integration_id, kind)
        if readings:
            facility = kind.facility_of(step.values)
            for reading in readings:
                if reading.covers(facility):
                    reading.seen.append(row.key)
        if step.lines is None or kind.lines is None:
            return
        lines = self._plans[kind.lines.name]
        for peer_id, (values, content) in step.lines.items():
            lines.tell((step.peer_id, peer_id), values, content)
        lines.keep_lines(step.peer_id, step.lines.keys() | step.kept)

    def _play_came(self, step: _Came) -> None:
        for kind in KINDS if step.kind is None else (step.kind,):
            row = self._plans[kind.part.name].rows.get(step.peer_id)
            if row is not None and not row.is_gone:
                for reading in self._readings.of(self._integration_id, kind):
                    reading.seen.append(row.key)

    def _play_gone(self, kind: KindOf, peer_id: str) -> None:
        if self._plans[kind.part.name].lose(peer_id) is not None:
            self._note_loss(kind)

    def _note_loss(self, kind: KindOf) -> None:
        for reading in self._readings.of(self._integration_id, kind):
            reading.has_lost = True

    def _play_mark(self, mark: FullRead) -> None:
        kind = OF_NAME[mark.kind]
        if mark.mark == "begins":
            self._readings.begin(self._integration_id, kind, mark.scope)
            return
        reading = self._readings.end(self._integration_id, kind, mark.scope)
        if reading is not None and (not mark.scope or kind.facility_columns):
            self._play_missing(kind, reading)

    def _play_missing(self, kind: KindOf, reading: Reading) -> None:
        """What did not come is gone. A row that this batch spoke of is judged by what the batch made of it."""
        plan, came = self._plans[kind.part.name], reading.came()
        for key in reading.missing(self._connection, self._integration_id, came, plan.unwritten()):
            row = plan.by_key.get(key)
            if row is None:
                plan.unnamed_gone[key] = None
            elif row.values is None:
                row.is_gone = True
        told = [row for row in plan.rows.values() if _is_within(reading, kind, row)]
        for row, has_come in zip(told, reading.have_come([row.key for row in told], came), strict=True):
            row.is_gone = row.is_gone or not has_come
        self._note_loss(kind)


def _is_within(reading: Reading, kind: KindOf, row: Planned) -> bool:
    return row.values is not None and reading.covers(kind.facility_of(row.values))


def _peer_id(record: object) -> str:
    peer_id = getattr(record, "peer_id", "")
    return storable(peer_id) if isinstance(peer_id, str) else ""


def _sample(record: object) -> str:
    return storable(repr(record), _SAMPLE_CHARACTERS)
