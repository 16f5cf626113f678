"""Both sides changed a field: seen by the adapter and by downloads, decided, and taken back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from adapters.records import Batch
from adapters.supply import Requisition, RequisitionLine
from app.engine.sink import StoreSink
from app.store.tables import Act, OutboxItem, ShipmentRow
from app.sync.conflicts import judge_download, resolve, undo
from app.sync.downloads import judged_by
from app.sync.errors import ActRefused, ChangeRefused, NotFound
from app.sync.rules import choose_rule
from tests.helpers.supply_desk import SupplyDesk


async def _met(desk: SupplyDesk) -> tuple[str, str]:
    """A change that meets another value at the peer; ids of the item and its conflict."""
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.peer.records["r0l0"]["supply_units"] = 25.0
    desk.start()
    await desk.become(item, "conflict")
    return item, desk.conflicts()[0].id


async def test_the_adapter_finds_it_just_before_it_writes(desk: SupplyDesk) -> None:
    item, _conflict = await _met(desk)
    row = desk.conflicts()[0]
    assert row.fields == {"supply_units": {"base": 10.0, "ours": 30.0, "theirs": 25.0}}
    assert (row.state, row.ours_by, row.outbox_id) == ("open", "ada", item)
    assert desk.peer.history == []
    assert desk.line()["pending"] == {"supply_units": 30.0}
    assert len(desk.logs("outbox_conflict")) == 1
    assert desk.problems()[0].detail.startswith("1 was changed on both sides")


@pytest.mark.parametrize(("keep", "at_peer"), [("ours", 30.0), ("theirs", 25.0), ("merge", 28.0)])
async def test_a_decision_is_carried_out(desk: SupplyDesk, keep: Any, at_peer: float) -> None:
    item, conflict = await _met(desk)
    chosen = {"supply_units": "28"} if keep == "merge" else None
    desk.write(resolve, desk.catalogue, conflict, keep, chosen, now=desk.now, who="bola")
    await desk.become(item, "cancelled" if keep == "theirs" else "accepted")
    assert desk.peer.records["r0l0"]["supply_units"] == at_peer
    row = desk.conflicts()[0]
    assert (row.state, row.kept, row.resolved_by) == ("resolved", keep, "bola")
    assert desk.line()["pending"] is None
    assert desk.problems() == []
    assert "conflict.resolve" in _acts(desk)


async def test_texts_of_both_can_stand_together(desk: SupplyDesk) -> None:
    item = desk.change("shipment", "ship-0", comment="two boxes")
    desk.peer.records["s0"]["comment"] = "call first"
    desk.start()
    await desk.become(item, "conflict")
    desk.write(resolve, desk.catalogue, desk.conflicts()[0].id, "both", now=desk.now)
    await desk.become(item, "accepted")
    assert desk.peer.records["s0"]["comment"] == "call first / two boxes"
    assert desk.row(ShipmentRow, "ship-0")["comment"] == "call first / two boxes"


async def test_decisions_that_make_no_sense_are_refused(desk: SupplyDesk) -> None:
    _item, conflict = await _met(desk)
    with pytest.raises(ActRefused, match="cannot stand together"):
        desk.write(resolve, desk.catalogue, conflict, "both", now=desk.now)
    with pytest.raises(ChangeRefused, match="Give a value for every field"):
        desk.write(resolve, desk.catalogue, conflict, "merge", {}, now=desk.now)
    with pytest.raises(ChangeRefused, match="do not differ about"):
        desk.write(resolve, desk.catalogue, conflict, "merge", {"supply_units": 1, "comment": "x"}, now=desk.now)
    with pytest.raises(ChangeRefused, match="less than 0"):
        desk.write(resolve, desk.catalogue, conflict, "merge", {"supply_units": -4}, now=desk.now)
    with pytest.raises(ActRefused, match="nothing is decided"):
        desk.write(undo, desk.catalogue, conflict, now=desk.now)
    with pytest.raises(NotFound):
        desk.write(resolve, desk.catalogue, "nothing", "ours", now=desk.now)
    desk.write(resolve, desk.catalogue, conflict, "theirs", now=desk.now)
    with pytest.raises(ActRefused, match="was decided already"):
        desk.write(resolve, desk.catalogue, conflict, "ours", now=desk.now)


async def test_a_decision_for_theirs_is_reopened(desk: SupplyDesk) -> None:
    item, conflict = await _met(desk)
    desk.write(resolve, desk.catalogue, conflict, "theirs", now=desk.now)
    assert desk.write(undo, desk.catalogue, conflict, now=desk.now) == "reopened"
    assert desk.item(item).state == "conflict"
    assert desk.item(item).values == {"supply_units": 30.0}
    assert desk.line()["pending"] == {"supply_units": 30.0}
    desk.write(resolve, desk.catalogue, conflict, "ours", now=desk.now)
    await desk.become(item, "accepted")
    assert desk.peer.records["r0l0"]["supply_units"] == 30.0


async def test_what_the_peer_has_accepted_is_sent_back(desk: SupplyDesk) -> None:
    item, conflict = await _met(desk)
    desk.write(resolve, desk.catalogue, conflict, "ours", now=desk.now)
    await desk.become(item, "accepted")
    assert desk.write(undo, desk.catalogue, conflict, now=desk.now) == "sent_back"
    row = desk.conflicts()[0]
    assert (row.kept, row.chosen) == ("theirs", {"supply_units": 25.0})
    with pytest.raises(ActRefused):
        desk.write(undo, desk.catalogue, conflict, now=desk.now)
    await desk.become(row.outbox_id, "accepted")
    assert desk.peer.records["r0l0"]["supply_units"] == 25.0
    assert desk.write(undo, desk.catalogue, conflict, now=desk.now) == "sent_back"
    await desk.become(desk.conflicts()[0].outbox_id, "accepted")
    assert desk.peer.records["r0l0"]["supply_units"] == 30.0
    assert _acts(desk).count("conflict.undo") == 2


@pytest.mark.parametrize(("rule", "at_peer"), [("ours", 30.0), ("theirs", 25.0)])
async def test_a_rule_decides_without_asking(desk: SupplyDesk, rule: str, at_peer: float) -> None:
    desk.write(choose_rule, desk.integration_id, "requisitions", rule)
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.peer.records["r0l0"]["supply_units"] = 25.0
    desk.start()
    await desk.become(item, "accepted" if rule == "ours" else "cancelled")
    assert desk.peer.records["r0l0"]["supply_units"] == at_peer
    row = desk.conflicts()[0]
    assert (row.kept, row.resolved_by) == (rule, "the rule chosen for it")
    assert desk.problems() == []


def test_a_download_finds_it_before_anything_is_sent(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30, comment="x")
    found = _download(desk, "requisition_line", "line-0-0", {"supply_units": (10.0, 25.0), "requested_units": (1, 2)})
    assert len(found) == 1
    assert desk.item(item).state == "conflict"
    assert desk.conflicts()[0].fields == {"supply_units": {"base": 10.0, "ours": 30.0, "theirs": 25.0}}
    desk.write(resolve, desk.catalogue, found[0], "theirs", now=desk.now)
    assert desk.item(item).values == {"comment": "x"}
    assert desk.item(item).state == "waiting"


def test_a_download_of_what_was_seen_or_is_wanted_is_none(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    for new in (10.0, 30.0):
        assert _download(desk, "requisition_line", "line-0-0", {"supply_units": (25.0, new)}) == []
    assert desk.item(item).state == "waiting"


@pytest.mark.parametrize("state", ["sending", "doubtful", "refused"])
def test_a_download_leaves_alone_what_the_adapter_will_find(desk: SupplyDesk, state: str) -> None:
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(first, state="sending")
    second = desk.change("requisition_line", "line-0-0", supply_units=40)
    desk.set_state(first, state=state)
    assert _download(desk, "requisition_line", "line-0-0", {"supply_units": (10.0, 25.0)}) == []
    assert (desk.item(first).state, desk.item(second).state) == (state, "waiting")


def test_a_cancelled_conflict_keeps_theirs(desk: SupplyDesk) -> None:
    from app.sync.acts import cancel

    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    _download(desk, "requisition_line", "line-0-0", {"supply_units": (10.0, 25.0)})
    desk.write(cancel, [item], now=desk.now)
    assert (desk.conflicts()[0].state, desk.conflicts()[0].kept) == ("resolved", "theirs")
    assert desk.line()["pending"] is None


def test_the_rule_of_a_store_s_own_stream_counts(desk: SupplyDesk) -> None:
    desk.write(choose_rule, desk.integration_id, "requisitions:store-1", "theirs")
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    assert _download(desk, "requisition_line", "line-0-0", {"supply_units": (10.0, 25.0)}) == []
    assert desk.item(item).state == "cancelled"
    with pytest.raises(ActRefused, match="no rule"):
        desk.write(choose_rule, desk.integration_id, "requisitions", "mine")


def _download(desk: SupplyDesk, kind: str, record_id: str, changes: dict[str, tuple[Any, Any]]) -> list[str]:
    return desk.write(judge_download, desk.catalogue, kind, record_id, changes, now=desk.now)


def _acts(desk: SupplyDesk) -> list[str]:
    with desk.store.read() as connection:
        return list(connection.execute(select(Act.what).order_by(Act.id)).scalars())


def test_the_key_is_new_where_the_change_is_another(desk: SupplyDesk) -> None:
    def key() -> str:
        with desk.store.read() as connection:
            return connection.execute(select(OutboxItem.key)).scalar_one()

    desk.change("requisition_line", "line-0-0", supply_units=30)
    before = key()
    conflict = _download(desk, "requisition_line", "line-0-0", {"supply_units": (10.0, 25.0)})[0]
    desk.write(resolve, desk.catalogue, conflict, "ours", now=desk.now)
    assert key() == before
    conflict = _download(desk, "requisition_line", "line-0-0", {"supply_units": (25.0, 26.0)})[0]
    desk.write(resolve, desk.catalogue, conflict, "merge", {"supply_units": 28}, now=desk.now)
    assert key() != before


def _downloaded(desk: SupplyDesk, supply_units: float) -> None:
    """A run brings the first requisition with another quantity in its first line."""
    sink = StoreSink(desk.store, judged_by(desk.catalogue))
    line = RequisitionLine("r0l0", "i0", requested_units=100, supply_units=supply_units)
    paper = Requisition(
        "r0", "1000", "response", "NEW", "submitted", "f1", supplier="f0", lines=[line, RequisitionLine("r0l1", "i1")]
    )
    desk.write(sink.ingest, desk.integration_id, [Batch([paper])], desk.clock.now_ms())


def test_a_download_that_brings_another_value_makes_a_conflict_and_overwrites_nothing(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    _downloaded(desk, 10)
    assert desk.states() == ["waiting"]
    _downloaded(desk, 25)
    assert desk.states() == ["conflict"]
    row = desk.conflicts()[0]
    assert (row.outbox_id, row.fields) == (item, {"supply_units": {"base": 10.0, "ours": 30.0, "theirs": 25.0}})
    assert (desk.line()["supply_units"], desk.line()["pending"]) == (25.0, {"supply_units": 30.0})


def test_a_download_that_brings_what_is_wanted_is_no_conflict(desk: SupplyDesk) -> None:
    desk.change("requisition_line", "line-0-0", supply_units=30)
    _downloaded(desk, 30)
    assert (desk.states(), desk.conflicts()) == (["waiting"], [])
