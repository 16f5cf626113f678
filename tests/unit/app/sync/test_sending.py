"""What waits goes to the peer: in order within a paper, once, and whatever the line does."""

from __future__ import annotations

import threading

import pytest

from adapters.base import Outgoing, Receipt
from app.engine.phases import Phase
from app.store.tables import ShipmentRow
from app.sync.acts import cancel, retry, set_aside
from app.sync.errors import ActRefused
from tests.helpers.supply_desk import SupplyDesk
from tests.helpers.supply_peer import PeerAdapter


async def test_a_change_goes_out_and_is_accepted(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units="30")
    assert desk.line()["pending"] == {"supply_units": 30.0}
    assert desk.line()["supply_units"] == 10.0
    desk.start()
    row = await desk.become(item, "accepted")
    assert desk.peer.records["r0l0"]["supply_units"] == 30.0
    assert row.tries == 1
    assert row.last_answer == "Applied."
    assert desk.line()["pending"] is None
    assert desk.line()["supply_units"] == 30.0
    assert len(desk.logs("outbox_accepted")) == 1


async def test_papers_go_side_by_side_and_a_refused_one_holds_only_itself(desk: SupplyDesk) -> None:
    desk.peer.refused["r0l0"] = "The line is closed."
    refused = desk.change("requisition_line", "line-0-0", supply_units=30)
    behind = desk.change("requisition_line", "line-0-1", supply_units=31)
    others = [desk.change("requisition_line", f"line-{n}-0", supply_units=32) for n in (1, 2)]
    desk.start()
    for item in others:
        await desk.become(item, "accepted")
    row = await desk.become(refused, "refused")
    assert row.last_answer == "The line is closed."
    assert desk.item(behind).state == "waiting"
    assert desk.line()["pending"] == {"supply_units": 30.0}
    assert [problem.fix for problem in desk.problems()] == ["outbox"]
    assert desk.logs("outbox_refused") == [
        "District server refused Amoxicillin 250 mg, requisition 1000 of Gwagwalada PHC: The line is closed."
    ]
    desk.write(set_aside, [refused], now=desk.now)
    assert (await desk.become(behind, "accepted")).tries == 1
    assert desk.problems() == []
    assert desk.line()["pending"] is None


async def test_the_order_within_a_paper_is_the_order_of_the_changes(desk: SupplyDesk) -> None:
    first = desk.change("shipment", "ship-0", comment="two boxes")
    steps = [desk.change("shipment", "ship-0", stage=stage) for stage in ("allocated", "picked", "shipped")]
    assert desk.row(ShipmentRow, "ship-0")["pending"] == {"comment": "two boxes", "stage": "shipped"}
    desk.start()
    await desk.become(steps[-1], "accepted")
    applied = [dict(one.values) for one in desk.peer.history]
    assert applied == [{"comment": "two boxes"}, {"stage": "allocated"}, {"stage": "picked"}, {"stage": "shipped"}]
    assert desk.item(first).state == "accepted"
    assert desk.row(ShipmentRow, "ship-0")["stage"] == "shipped"


async def test_a_lost_answer_is_doubtful_and_asked_about_first(desk: SupplyDesk) -> None:
    faults = iter(["", "write_lost_after"])
    desk.peer.fault = lambda _verb: next(faults, "read_lost" if desk.item(item).state == "doubtful" and wait else "")
    wait = True
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.start()
    row = await desk.become(item, "doubtful")
    assert desk.line()["pending"] == {"supply_units": 30.0}
    with pytest.raises(ActRefused, match="may be applied already"):
        desk.write(cancel, [item], now=desk.now)
    wait = False
    row = await desk.become(item, "accepted")
    assert row.last_answer.startswith("An earlier try had arrived")
    assert desk.peer.times("r0l0", {"supply_units": 30.0}) == 1


async def test_a_lost_peer_is_told_once_and_loses_nothing(desk: SupplyDesk) -> None:
    desk.peer.fault = lambda _verb: "read_lost"
    items = [desk.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    coordinator = desk.start()
    await desk.settle_until(lambda: coordinator.state.phase is Phase.RETRYING and coordinator.state.failures >= 3)
    assert desk.states() == ["waiting"] * 3
    assert coordinator.state.detail["outbox"]["unsent"] == 3
    desk.peer.fault = lambda _verb: ""
    for item in items:
        await desk.become(item, "accepted", 20)
    await desk.settle_until(lambda: coordinator.state.phase is Phase.HEALTHY)
    await desk.clock.advance(5)
    assert await desk.ports.scribe.flush(5)
    assert len(desk.logs("peer_lost")) == len(desk.logs("peer_returned")) == 1
    assert "outbox" not in coordinator.state.detail


async def test_a_refused_sign_in_stops_everything_and_nothing_is_refused(desk: SupplyDesk) -> None:
    desk.peer.locked_out = True
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    coordinator = desk.start()
    await desk.settle_until(lambda: coordinator.state.phase is Phase.NEEDS_SIGN_IN)
    assert desk.item(item).state == "waiting"
    assert desk.item(item).last_answer == "Small peer refused the token."


async def test_one_record_answered_strangely_does_not_stop_the_others(desk: SupplyDesk) -> None:
    strange = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.peer.fault = lambda verb: "write_garbage_after" if verb == "write" and not desk.peer.history else ""
    desk.start()
    await desk.settle_until(lambda: desk.item(strange).tries == 1)
    other = desk.change("requisition_line", "line-1-0", supply_units=30)
    await desk.become(other, "accepted")
    await desk.become(strange, "accepted", 20)
    assert desk.peer.times("r0l0", {"supply_units": 30.0}) == 1


async def test_an_edit_while_it_is_uploaded_waits_behind_it(desk: SupplyDesk) -> None:
    desk.peer.gate = threading.Event()
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.start()
    await desk.become(first, "sending")
    await desk.settle_until(lambda: bool(desk.peer.history))
    second = desk.change("requisition_line", "line-0-0", supply_units=40)
    assert second != first
    assert desk.item(second).seen == {"supply_units": 30.0}
    desk.peer.gate.set()
    await desk.become(first, "accepted")
    row = desk.line()
    assert row["supply_units"] in (30.0, 40.0)
    await desk.become(second, "accepted")
    assert [one.values["supply_units"] for one in desk.peer.history] == [30.0, 40.0]
    assert desk.line()["pending"] is None


async def test_what_an_ended_engine_was_sending_is_in_doubt(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(item, state="sending", tries=1)
    desk.peer.fault = lambda _verb: "read_lost"
    desk.start()
    await desk.become(item, "doubtful")
    desk.peer.fault = lambda _verb: ""
    await desk.become(item, "accepted")


async def test_stopping_in_the_middle_of_a_request_leaves_a_doubt(desk: SupplyDesk) -> None:
    desk.peer.gate = threading.Event()
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.start()
    await desk.settle_until(lambda: bool(desk.peer.history))
    await desk.stop()
    assert desk.item(item).state == "doubtful"
    desk.peer.gate.set()
    desk.peer.gate = None
    desk.start()
    await desk.become(item, "accepted")
    assert desk.peer.times("r0l0", {"supply_units": 30.0}) == 1


async def test_a_defect_of_an_adapter_costs_one_change_its_time_alone(
    desk: SupplyDesk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = PeerAdapter.send

    async def fails_once(self: PeerAdapter, outgoing: Outgoing) -> Receipt:
        if outgoing.peer_id == "r0l0" and not outgoing.tries:
            raise KeyError("a field")
        return await send(self, outgoing)

    monkeypatch.setattr(PeerAdapter, "send", fails_once)
    bad = desk.change("requisition_line", "line-0-0", supply_units=30)
    good = desk.change("requisition_line", "line-1-0", supply_units=30)
    desk.start()
    await desk.become(good, "accepted")
    await desk.become(bad, "accepted", 20)
    assert "defect" in caplog.text


async def test_a_retry_of_what_is_being_sent_loses_no_answer_and_sends_nothing_twice(desk: SupplyDesk) -> None:
    """Pressed while the peer works on it: its answer must find the change as it went out."""
    desk.peer.gate = threading.Event()
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.start()
    await desk.settle_until(lambda: len(desk.peer.history) == 1)
    assert desk.write(retry, [item], now=desk.now) == 1
    assert desk.item(item).state == "sending"
    desk.peer.gate.set()
    desk.peer.gate = None
    assert (await desk.become(item, "accepted")).tries == 1
    assert len(desk.peer.history) == 1
