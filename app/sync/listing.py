"""The outbox as pages, commands and exports list it. Counters come from the same condition as the list behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true

from app.clock import from_ms
from app.fleet.times import iso
from app.store.tables import Integration, IntegrationState, OutboxItem
from app.sync.errors import ChangeRefused, NotFound
from app.sync.words import STATE_WORDS, TOLD, UNSENT, State, counted
from app.sync.writes import field_word

ROW_COLUMNS = (
    "id", "integration_id", "what", "for", "state", "tries", "last_answer", "next_try",
    "paused", "record", "record_id", "write", "values", "seen", "created_at", "created_by", "last_try", "ended_at",
)  # fmt: skip
FILTERS = ("id", "integration_id", "state", "record", "record_id", "write", "created_by", "paused", "for")


_WAITS = (State.WAITING, State.DOUBTFUL)
"""What goes with the next try of its peer, where it has no time of its own."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items. Empty parts ask for nothing; ``text`` is looked for in the name, the last answer and the author."""

    integration_id: str = ""
    states: tuple[str, ...] = ()
    record: str = ""
    write: str = ""
    record_id: str = ""
    created_by: str = ""
    text: str = ""
    subject: str = ""
    item_id: str = ""
    is_paused: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """What is asked for, for the record of acts."""
        return {name: value for name, value in asdict(self).items() if value not in ("", (), None)}


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One change on its way, as a screen shows it."""

    seq: int
    id: str
    integration_id: str
    integration: str
    write: str
    record: str
    record_id: str
    family: str
    subject: str
    values: Mapping[str, Any]
    seen: Mapping[str, Any]
    state: str
    is_doubtful: bool
    is_paused: bool
    tries: int
    last_answer: str
    last_try: datetime | None
    next_try: datetime | None
    created_at: datetime
    created_by: str
    ended_at: datetime | None

    @property
    def what(self) -> str:
        """The change in words: ``quantity to supply 10 → 30``."""
        return change_words(self.values, self.seen)

    @property
    def is_unsent(self) -> bool:
        return self.state in UNSENT

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "what": self.what,
            "for": self.subject,
            "state": self.state,
            "tries": self.tries,
            "last_answer": self.last_answer,
            "next_try": iso(self.next_try) if self.next_try is not None else None,
            "paused": self.is_paused,
            "record": self.record,
            "record_id": self.record_id,
            "write": self.write,
            "values": dict(self.values),
            "seen": dict(self.seen),
            "created_at": iso(self.created_at),
            "created_by": self.created_by,
            "last_try": iso(self.last_try) if self.last_try is not None else None,
            "ended_at": iso(self.ended_at) if self.ended_at is not None else None,
        }


def change_words(values: Mapping[str, Any], seen: Mapping[str, Any]) -> str:
    """What a change does, in words."""
    return "; ".join(
        f"{field_word(name)} {shown_value(name, values[name])}"
        if name == TOLD
        else f"{field_word(name)} {value_word(seen.get(name))} → {value_word(values[name])}"
        for name in values
    )


def shown_value(field: str, value: Any) -> str:
    """The value of a field as a screen shows it; a shipment that is told as ``SH-1042 (3 lines)``."""
    if field != TOLD or not value:
        return value_word(value)
    from adapters.reporting import Shipped

    try:
        shipped = Shipped.from_text(str(value))
    except ValueError:
        return str(value)
    return f"{shipped.number} ({counted(len(shipped.lines), 'line', 'lines')})"


def value_word(value: Any) -> str:
    """A value as a screen shows it; numbers without what a float adds to them."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.10g}" if abs(value) < 1e10 else f"{value:,.0f}"
    return str(value).replace("_", " ") if str(value).islower() else str(value)


def read_filter(pairs: Mapping[str, str]) -> Wanted:
    """The filter that ``field=value`` words describe. Raises ChangeRefused for a field that there is not."""
    names = {"id": "item_id", "for": "subject"}
    wanted = Wanted()
    for field, value in pairs.items():
        if field not in FILTERS:
            raise ChangeRefused(f"The outbox cannot be filtered by “{field}”. It can by: {', '.join(FILTERS)}.", field)
        if field == "state":
            states = tuple(part.strip() for part in value.split(","))
            wrong = next((state for state in states if state not in STATE_WORDS), None)
            if wrong is not None:
                raise ChangeRefused(f"There is no state “{wrong}”. There are: {', '.join(STATE_WORDS)}.", field)
            wanted = replace(wanted, states=states)
        elif field == "paused":
            wanted = replace(wanted, is_paused=value.lower() in ("true", "yes", "1"))
        else:
            part: dict[str, Any] = {names.get(field, field): value}
            wanted = replace(wanted, **part)
    return wanted


def where_of(wanted: Wanted) -> ColumnElement[bool]:
    """The one condition behind lists, counters and replays."""
    item = OutboxItem
    conditions: list[ColumnElement[bool]] = [true()]
    for column, value in (
        (item.integration_id, wanted.integration_id),
        (item.record, wanted.record),
        (item.write, wanted.write),
        (item.record_id, wanted.record_id),
        (item.created_by, wanted.created_by),
        (item.id, wanted.item_id),
    ):
        if value:
            conditions.append(column == value)
    if wanted.states:
        conditions.append(item.state.in_(wanted.states))
    if wanted.is_paused is not None:
        conditions.append(item.is_paused.is_(wanted.is_paused))
    if wanted.subject:
        conditions.append(func.lower(item.subject).contains(wanted.subject.lower(), autoescape=True))
    for word in wanted.text.lower().split():
        columns = (item.subject, item.last_answer, item.created_by)
        conditions.append(or_(*(func.lower(column).contains(word, autoescape=True) for column in columns)))
    return and_(*conditions)


def list_outbox(
    connection: Connection, wanted: Wanted, *, limit: int | None = None, newest_first: bool = False, after: int = 0
) -> list[OutboxRow]:
    """Items in the order of their making, or the newest first; ``after`` is the last ``seq`` of the page before."""
    item = OutboxItem
    query = _query().where(where_of(wanted)).order_by(item.seq.desc() if newest_first else item.seq)
    if after:
        query = query.where(item.seq < after if newest_first else item.seq > after)
    if limit is not None:
        query = query.limit(limit)
    return [_row(row) for row in connection.execute(query)]


def count_outbox(connection: Connection, wanted: Wanted) -> dict[str, int]:
    """How many items of each state the list holds; states without any are left out."""
    query = select(OutboxItem.state, func.count()).where(where_of(wanted)).group_by(OutboxItem.state)
    return dict(connection.execute(query).all())


def outbox_row(connection: Connection, item_id: str) -> OutboxRow:
    """One item. Raises NotFound."""
    row = connection.execute(_query().where(OutboxItem.id == item_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no change {item_id} in the outbox. See “outbox list”.")
    return _row(row)


def pages_of_outbox(
    connection_of: Any, wanted: Wanted, since_ms: int | None, until_ms: int | None
) -> Iterator[Sequence[OutboxRow]]:
    """Everything that the filter holds, a page per transaction; ``connection_of`` is ``Store.read``."""
    page_rows, after = 2_000, 0
    while True:
        query = _query().where(where_of(wanted), OutboxItem.seq > after).order_by(OutboxItem.seq).limit(page_rows)
        if since_ms is not None:
            query = query.where(OutboxItem.created_at >= from_ms(since_ms))
        if until_ms is not None:
            query = query.where(OutboxItem.created_at < from_ms(until_ms))
        with connection_of() as connection:
            page = [_row(row) for row in connection.execute(query)]
        if page:
            yield page
        if len(page) < page_rows:
            return
        after = page[-1].seq


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one integration has not taken yet. ``oldest`` is the making of the oldest of it."""

    counts: Mapping[str, int]
    oldest: datetime | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def as_detail(self) -> dict[str, Any]:
        """As it stands in the integration's state."""
        oldest = iso(self.oldest) if self.oldest is not None else None
        return {**{str(state): count for state, count in self.counts.items()}, "unsent": self.total, "oldest": oldest}


def backlog_of(connection: Connection, integration_id: str) -> Backlog:
    """The unsent work of one integration."""
    mine = (OutboxItem.integration_id == integration_id) & OutboxItem.state.in_(UNSENT)
    query = select(OutboxItem.state, func.count(), func.min(OutboxItem.seq)).where(mine).group_by(OutboxItem.state)
    rows = connection.execute(query).all()
    if not rows:
        return Backlog({}, None)
    first = min(row[2] for row in rows)
    oldest = connection.execute(select(OutboxItem.created_at).where(OutboxItem.seq == first)).scalar_one()
    return Backlog({row[0]: row[1] for row in rows}, oldest)


def unsent_words(connection: Connection, integration_id: str, *, most: int = 3) -> tuple[int, list[str]]:
    """How much unsent work an integration has, and the names of the first of it."""
    backlog = backlog_of(connection, integration_id)
    if not backlog.total:
        return 0, []
    rows = list_outbox(connection, Wanted(integration_id=integration_id, states=tuple(UNSENT)), limit=most)
    return backlog.total, [f"{row.subject} ({STATE_WORDS[row.state].lower()})" for row in rows]


def _query() -> Any:
    item = OutboxItem
    state = IntegrationState
    return (
        select(item.__table__, Integration.name.label("integration"), state.next_try.label("peer_next_try"))
        .outerjoin(Integration, Integration.id == item.integration_id)
        .outerjoin(state, state.integration_id == item.integration_id)
    )


def _row(row: Any) -> OutboxRow:
    return OutboxRow(
        seq=row.seq,
        id=row.id,
        integration_id=row.integration_id,
        integration=row.integration or "",
        write=row.write,
        record=row.record,
        record_id=row.record_id,
        family=row.family,
        subject=row.subject,
        values=row._mapping[OutboxItem.__table__.c["values"]],
        seen=row.seen,
        state=row.state,
        is_doubtful=row.is_doubtful,
        is_paused=row.is_paused,
        tries=row.tries,
        last_answer=row.last_answer,
        last_try=row.last_try,
        next_try=row.next_try or (row.peer_next_try if row.state in _WAITS and not row.is_paused else None),
        created_at=row.created_at,
        created_by=row.created_by,
        ended_at=row.ended_at,
    )
