"""Whatever a line does to the readings of a peer, the store ends up with what the peer has; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Dialect, select, update

from adapters.records import Record
from adapters.supply import FullRead, Gone
from app.store.store import Store
from app.store.tables import ItemRow, RequisitionLineRow, RequisitionRow, StockLineRow
from app.supply.merge import SupplyMerge
from app.supply.seams import PeerChange
from tests.helpers.fleet import T0_MS
from tests.helpers.supply import a_requisition, a_requisition_line, a_stock_line, an_item

IDS = ["1", "2", "3", "4"]
FACILITIES = ["store-1", "store-2"]
_TABLES = (ItemRow, StockLineRow, RequisitionRow, RequisitionLineRow)
_QUIET = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass
class Peer:
    """What a peer holds. ``stock`` is {id: (facility, units)}, ``papers`` {id: (comment, {line id: units})}."""

    items: dict[str, str] = field(default_factory=dict)
    stock: dict[str, tuple[str, float]] = field(default_factory=dict)
    papers: dict[str, tuple[str, dict[str, float]]] = field(default_factory=dict)

    def item_records(self) -> list[Record]:
        return [an_item(peer_id, name=name) for peer_id, name in self.items.items()]

    def stock_records(self, facility: str) -> list[Record]:
        own = {peer_id: units for peer_id, (place, units) in self.stock.items() if place == facility}
        return [a_stock_line(peer_id, facility=facility, units=units) for peer_id, units in own.items()]

    def paper_records(self, *, with_lines: bool = True) -> list[Record]:
        return [
            a_requisition(
                peer_id,
                comment=comment,
                lines=[a_requisition_line(one, requested_units=units) for one, units in lines.items()]
                if with_lines
                else None,
            )
            for peer_id, (comment, lines) in self.papers.items()
        ]

    def complete(self) -> list[list[Record]]:
        """Complete readings of everything, one list each."""
        readings = [_read("item", "", self.item_records()), _read("requisition", "", self.paper_records())]
        return readings + [_read("stock_line", one, self.stock_records(one)) for one in FACILITIES]


def _read(kind: Any, scope: str, records: Sequence[Record]) -> list[Record]:
    return [FullRead(kind, scope, "begins"), *records, FullRead(kind, scope, "ends")]


_words = st.sampled_from(["old", "new", "newer"])
_units = st.sampled_from([0.0, 1.0, 2.5])
peers = st.builds(
    Peer,
    st.dictionaries(st.sampled_from(IDS), _words),
    st.dictionaries(st.sampled_from(IDS), st.tuples(st.sampled_from(FACILITIES), _units)),
    st.dictionaries(st.sampled_from(IDS), st.tuples(_words, st.dictionaries(st.sampled_from(IDS), _units))),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Record] | str], Peer]:
    """Batches and restarts of a peer that changes, and what it holds at the end."""
    history: list[list[Record] | str] = []
    peer = Peer()
    for _ in range(draw(st.integers(1, 4))):
        peer = draw(peers)
        readings = peer.complete()
        for number in draw(st.permutations([0, 1, 2, 3])):
            reading = readings[number]
            how = draw(st.sampled_from(["whole", "cut", "interrupted", "partial", "repeated", "marks lost", "skipped"]))
            at = draw(st.integers(0, len(reading)))
            if how == "whole":
                history.append(reading)
            elif how == "cut":
                history += [reading[:at], reading[at:]]
            elif how == "interrupted":
                history += [reading[:at], "restart", reading[at:]]
            elif how == "partial":
                history.append(reading[1:-1][:at])
            elif how == "repeated":
                history += [reading, reading]
            elif how == "marks lost":
                history.append(reading[:-1])
        if draw(st.booleans()):
            history.append(peer.paper_records(with_lines=False))
        gone = [one for one in IDS if one not in peer.items]
        if draw(st.booleans()) and gone:
            history.append([Gone("item", draw(st.sampled_from(gone)))])
    return history, peer


class _Undone(Exception):
    """Ends an example, so that the next one begins with an empty store."""


class Bench:
    """One integration in one transaction, never committed: hundreds of histories cost no disk."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self.connection = connection
        self.noticed: list[PeerChange] = []
        self._dialect = dialect
        self.restart()

    def restart(self) -> None:
        """The engine is started again: nothing but the store remembers."""
        self._merge = SupplyMerge(self._dialect, self._notice)

    def _notice(self, connection: Connection, integration_id: str, changes: Sequence[PeerChange], now_ms: int) -> None:
        del connection, integration_id, now_ms
        self.noticed.extend(changes)

    def __call__(self, *records: Record) -> int:
        """Merge one batch; returns how many rows were written."""
        return self._merge.merge(self.connection, "msupply-1", records, T0_MS).changed

    def play(self, history: Sequence[list[Record] | str]) -> None:
        for step in history:
            if isinstance(step, str):
                self.restart()
            else:
                self(*step)

    def rows(self, table: Any) -> list[Any]:
        return list(self.connection.execute(select(table).order_by(table.key)))


def on_bench(store: Store, example: Callable[[Bench], None]) -> None:
    def job(connection: Connection) -> None:
        example(Bench(connection, store.engine.dialect))
        raise _Undone

    with pytest.raises(_Undone):
        store.write(job).result()


def _held(bench: Bench) -> Peer:
    """What the store holds, read back as a peer."""
    live = [[row for row in bench.rows(table) if row.gone_at is None] for table in _TABLES]
    lines: dict[str, dict[str, float]] = {}
    for row in live[3]:
        lines.setdefault(row.requisition, {})[row.peer_id] = row.requested_units
    return Peer(
        {row.peer_id: row.name for row in live[0]},
        {row.peer_id: (row.facility, row.units) for row in live[1]},
        {row.peer_id: (row.comment, lines.get(row.peer_id, {})) for row in live[2]},
    )


def _everything(bench: Bench) -> list[list[str]]:
    """All rows, without what differs from run to run: ids, keys, versions, moments."""
    left_out = {"id", "key", "changed_version", "gone_at"}
    return [
        sorted(
            repr([value for name, value in row._asdict().items() if name not in left_out] + [row.gone_at is None])
            for row in bench.rows(table)
        )
        for table in _TABLES
    ]


@_QUIET
@given(history=histories())
def test_after_any_history_complete_readings_bring_what_the_peer_has(
    store: Store, history: tuple[list[list[Record] | str], Peer]
) -> None:
    steps, peer = history

    def example(bench: Bench) -> None:
        bench.play(steps)
        for reading in peer.complete():
            bench(*reading)
        assert _held(bench) == peer
        assert sum(bench(*reading) for reading in peer.complete()) == 0  # once more: nothing is written

    on_bench(store, example)


@_QUIET
@given(history=histories(), cuts=st.lists(st.integers(1, 20), min_size=1))
def test_the_outcome_does_not_depend_on_the_cuts(
    store: Store, history: tuple[list[list[Record] | str], Peer], cuts: list[int]
) -> None:
    records = [record for step in history[0] if not isinstance(step, str) for record in step]
    outcomes: list[Any] = []

    def cut_by(lengths: list[int]) -> None:
        def example(bench: Bench) -> None:
            rest, turns = records, cycle(lengths)
            while rest:
                at = next(turns)
                bench(*rest[:at])
                rest = rest[at:]
            outcomes.append(_everything(bench))

        on_bench(store, example)

    for lengths in ([1], [len(records) or 1], cuts):
        cut_by(lengths)
    assert outcomes[0] == outcomes[1] == outcomes[2]


@_QUIET
@given(history=histories(), waiting=st.sets(st.sampled_from(IDS), min_size=1))
def test_what_waits_is_never_touched(
    store: Store, history: tuple[list[list[Record] | str], Peer], waiting: set[str]
) -> None:
    def example(bench: Bench) -> None:
        bench(*(a_requisition(one, a_requisition_line(one, requested_units=9.0)) for one in IDS))
        for table, pending in ((RequisitionRow, {"comment": "ours"}), (RequisitionLineRow, {"requested_units": 7.0})):
            bench.connection.execute(update(table).where(table.peer_id.in_(waiting)).values(pending=pending))
        bench.play(history[0])
        papers = {row.peer_id: row for row in bench.rows(RequisitionRow)}
        lines = {row.peer_id: row for row in bench.rows(RequisitionLineRow) if row.requisition == row.peer_id}
        for one in IDS:
            assert papers[one].pending == ({"comment": "ours"} if one in waiting else None)
            assert lines[one].pending == ({"requested_units": 7.0} if one in waiting else None)
        # Every move of a field under a waiting change was told, each from where the last one left it.
        for kind, rows, field_name, first in (
            ("requisition", papers, "comment", ""),
            ("requisition_line", lines, "requested_units", 9.0),
        ):
            for one in waiting:
                at: Any = first
                for change in bench.noticed:
                    if (change.record, change.row_id) == (kind, rows[one].id) and field_name in change.fields:
                        assert change.fields[field_name][0] == at
                        at = change.fields[field_name][1]
                assert at == getattr(rows[one], field_name)
        idle = {papers[one].id for one in IDS if one not in waiting}
        assert idle.isdisjoint(change.row_id for change in bench.noticed)

    on_bench(store, example)
