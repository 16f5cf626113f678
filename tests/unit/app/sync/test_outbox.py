"""Making a change: what is refused, what is replaced, what waits behind what."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.store.retention import sweep
from app.store.tables import Act, Integration, OutboxItem, RequisitionRow, ShipmentLineRow, ShipmentRow
from app.sync.acts import cancel, count_replay, pause, replay, restore, resume, retry, set_aside
from app.sync.errors import ActRefused, ChangeRefused, NotFound
from app.sync.listing import Wanted, count_outbox, list_outbox, read_filter
from app.sync.outbox import prepare_change
from tests.helpers.supply_desk import SupplyDesk


def test_a_change_is_one_item_what_waits_and_one_act(desk: SupplyDesk) -> None:
    item = desk.item(desk.change("requisition_line", "line-0-0", supply_units="30", comment=" half "))
    assert item.subject == "Amoxicillin 250 mg, requisition 1000 of Gwagwalada PHC"
    assert item.what == "quantity to supply 10 → 30; comment empty → half"
    assert item.values == {"supply_units": 30.0, "comment": "half"}
    assert item.seen == {"supply_units": 10.0, "comment": ""}
    assert (item.state, item.family, item.created_by) == ("waiting", "req-0", "ada")
    line = desk.line()
    assert line["pending"] == {"supply_units": 30.0, "comment": "half"}
    assert (line["supply_units"], line["changed_version"]) == (10.0, 1)
    with desk.store.read() as connection:
        act = connection.execute(select(Act.__table__).order_by(Act.id.desc()).limit(1)).one()
    assert (act.what, act.who, act.after) == ("supply.change", "ada", {"supply_units": 30.0, "comment": "half"})


@pytest.mark.parametrize(
    ("record", "record_id", "values", "words"),
    [
        ("requisition_line", "line-0-0", {"supply_units": -1}, "cannot be less than 0"),
        ("requisition_line", "line-0-0", {"supply_units": 4e12}, "more than the quantity to supply can be"),
        ("requisition_line", "line-0-0", {"supply_units": "many"}, "is no number"),
        ("requisition_line", "line-0-0", {"supply_units": "nan"}, "is no number"),
        ("requisition_line", "line-0-0", {"consumed_units": 3}, "takes no change of “consumed_units”"),
        ("requisition_line", "line-0-0", {"no_such": 3}, "has no field “no_such”"),
        ("requisition_line", "line-0-0", {"supply_units": 10}, "has this already"),
        ("requisition_line", "line-0-0", {}, "Nothing was given"),
        ("requisition_line", "line-0-0", {"comment": "a\x00b"}, "cannot be shown"),
        ("shipment", "ship-0", {"transport_reference": "x" * 301}, "longer than the 300"),
        ("shipment", "ship-0", {"expected_on": "soon"}, "is no date"),
        ("shipment", "ship-0", {"is_on_hold": "perhaps"}, "neither yes nor no"),
        ("shipment", "ship-0", {"stage": "verified"}, "does not take “verified”"),
        ("shipment", "ship-0", {"stage": "picked", "comment": "x"}, "separate steps"),
        ("shipment_line", "sline-0", {"accepted_units": 3}, "“What arrived” is switched off"),
        ("requisition", "req-0", {"stage": "draft"}, "does not take “draft”"),
    ],
)
def test_what_the_peer_would_not_take_is_refused_here(
    desk: SupplyDesk, record: str, record_id: str, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ChangeRefused, match=words) as refused:
        desk.change(record, record_id, **values)
    assert refused.value.why.endswith((".", ":"))
    assert desk.states() == []


def test_a_stage_in_which_the_peer_takes_no_change(desk: SupplyDesk) -> None:
    desk.change("requisition", "req-0", stage="approved")
    with pytest.raises(ChangeRefused, match="is “approved”, and District server takes this change only in: submitted"):
        desk.change("requisition_line", "line-0-0", supply_units=3)


def test_what_is_gone_or_unknown_is_refused(desk: SupplyDesk) -> None:
    with pytest.raises(NotFound):
        desk.change("shipment", "nowhere", comment="x")
    desk.write(lambda connection: connection.execute(update(ShipmentRow).values(gone_at=desk.now)))
    with pytest.raises(ChangeRefused, match="does not exist at District server any more"):
        desk.change("shipment", "ship-0", comment="x")
    desk.write(lambda connection: connection.execute(update(Integration).values(removed_at=desk.now)))
    with pytest.raises(ChangeRefused, match="integration that this came from was removed"):
        desk.change("requisition_line", "line-0-0", supply_units=3)


def test_a_switched_write_goes_once_it_is_on(desk: SupplyDesk) -> None:
    config = {"url": desk.peer.url, "allow_stock": True}
    desk.write(lambda connection: connection.execute(update(Integration).values(config=config)))
    item = desk.change("shipment_line", "sline-0", accepted_units=48, rejected_units=2)
    assert desk.item(item).subject == "Amoxicillin 250 mg, batch B1, shipment 2000 to Gwagwalada PHC"
    assert desk.row(ShipmentLineRow, "sline-0")["pending"] == {"accepted_units": 48.0, "rejected_units": 2.0}


def test_an_effect_is_known_before_it_is_confirmed(desk: SupplyDesk) -> None:
    prepared = desk.read(prepare_change, desk.catalogue, "shipment", "ship-0", {"stage": "picked"})
    assert prepared.write.effect.startswith("The peer books the stock out")
    assert prepared.seen == {"stage": "new"}


def test_a_second_value_replaces_the_first_while_it_waits(desk: SupplyDesk) -> None:
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    key = _key(desk, first)
    assert desk.change("requisition_line", "line-0-0", supply_units=40, comment="more") == first
    item = desk.item(first)
    assert item.values == {"supply_units": 40.0, "comment": "more"}
    assert item.seen == {"supply_units": 10.0, "comment": ""}
    assert _key(desk, first) == key
    assert desk.states() == ["waiting"]


def test_changed_back_before_it_was_sent_there_is_nothing_to_send(desk: SupplyDesk) -> None:
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    assert desk.change("requisition_line", "line-0-0", supply_units=10) == first
    assert desk.item(first).state == "cancelled"
    assert desk.line()["pending"] is None


def test_a_value_replaced_after_a_try_has_a_new_key(desk: SupplyDesk) -> None:
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    key = _key(desk, first)
    desk.set_state(first, tries=1)
    desk.change("requisition_line", "line-0-0", supply_units=40)
    assert _key(desk, first) != key


def test_a_corrected_refused_value_waits_again(desk: SupplyDesk) -> None:
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(first, state="refused", tries=1)
    assert desk.change("requisition_line", "line-0-0", supply_units=20) == first
    assert desk.item(first).state == "waiting"


@pytest.mark.parametrize("state", ["sending", "doubtful"])
def test_what_is_with_the_peer_is_followed_and_not_replaced(desk: SupplyDesk, state: str) -> None:
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(first, state=state, tries=1)
    second = desk.change("requisition_line", "line-0-0", supply_units=40)
    assert second != first
    assert desk.item(first).values == {"supply_units": 30.0}
    assert desk.item(second).seen == {"supply_units": 30.0}
    assert desk.line()["pending"] == {"supply_units": 40.0}


def test_a_value_in_conflict_is_decided_first(desk: SupplyDesk) -> None:
    desk.set_state(desk.change("requisition_line", "line-0-0", supply_units=30), state="conflict")
    with pytest.raises(ChangeRefused, match="Decide about that conflict first"):
        desk.change("requisition_line", "line-0-0", supply_units=40)


def test_steps_wait_one_behind_the_other(desk: SupplyDesk) -> None:
    desk.change("shipment", "ship-0", stage="allocated")
    desk.change("shipment", "ship-0", stage="picked")
    assert desk.states() == ["waiting", "waiting"]
    with pytest.raises(ChangeRefused, match="It waits in the outbox"):
        desk.change("shipment", "ship-0", stage="picked")
    assert desk.row(ShipmentRow, "ship-0")["pending"] == {"stage": "picked"}


def test_what_lay_under_a_change_moves_when_the_one_before_it_goes(desk: SupplyDesk) -> None:
    first, second = _two_in_a_row(desk)
    desk.set_state(first, state="refused")
    desk.write(cancel, [first], now=desk.now)
    assert desk.item(second).seen == {"supply_units": 10.0}
    assert desk.line()["pending"] == {"supply_units": 40.0}


def test_restored_it_goes_first_and_the_later_one_lies_over_it_again(desk: SupplyDesk) -> None:
    first, second = _two_in_a_row(desk)
    desk.set_state(first, state="refused")
    desk.write(set_aside, [first], now=desk.now)
    assert desk.item(second).seen == {"supply_units": 10.0}
    assert desk.item(first).ended_at is not None
    desk.write(restore, [first], now=desk.now)
    assert desk.item(first).state == "waiting"
    assert desk.item(second).seen == {"supply_units": 30.0}


def test_what_was_in_doubt_is_in_doubt_again_when_it_is_restored(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(item, state="doubtful", is_doubtful=True, tries=1)
    desk.write(set_aside, [item], now=desk.now)
    with pytest.raises(ActRefused, match="may be applied already"):
        desk.write(cancel, [item], now=desk.now)
    desk.write(restore, [item], now=desk.now)
    assert desk.item(item).state == "doubtful"


def test_acts_refuse_what_makes_no_sense(desk: SupplyDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    with pytest.raises(ActRefused, match="is not set aside"):
        desk.write(restore, [item], now=desk.now)
    desk.write(cancel, [item], now=desk.now)
    assert desk.line()["pending"] is None
    for act in (retry, set_aside, cancel, pause, resume):
        with pytest.raises(ActRefused, match="was cancelled"):
            desk.write(act, [item], now=desk.now)
    with pytest.raises(NotFound):
        desk.write(retry, ["nothing"], now=desk.now)


def test_many_are_done_all_or_none(desk: SupplyDesk) -> None:
    items = [desk.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    desk.write(cancel, items[2:], now=desk.now)
    with pytest.raises(ActRefused):
        desk.write(pause, items, now=desk.now)
    assert not desk.item(items[0]).is_paused


def test_bulk_replay_counts_first_and_leaves_what_cannot_be_tried(desk: SupplyDesk) -> None:
    items = [desk.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    items += [desk.change("shipment", f"ship-{n}", comment="x") for n in range(2)]
    for item, state in zip(items, ("refused", "refused", "set_aside", "refused", "waiting"), strict=True):
        desk.set_state(item, state=state)
    wanted = read_filter({"record": "requisition_line"})
    assert desk.read(count_replay, wanted) == 2
    assert desk.states() == ["refused", "refused", "set_aside", "refused", "waiting"]
    assert desk.write(replay, wanted, now=desk.now) == 2
    assert desk.states() == ["waiting", "waiting", "set_aside", "refused", "waiting"]


def test_counters_come_from_the_list(desk: SupplyDesk) -> None:
    items = [desk.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    desk.change("shipment", "ship-0", comment="100% sure_thing")
    desk.set_state(items[0], state="refused", last_answer="No 50% of it")
    for wanted in (
        Wanted(),
        Wanted(states=("refused",)),
        Wanted(text="gwagwalada 1001"),
        Wanted(text="50%"),
        Wanted(record="shipment"),
        Wanted(integration_id="other"),
        read_filter({"state": "waiting,refused", "for": "Amoxicillin"}),
    ):
        rows = desk.read(list_outbox, wanted)
        assert sum(desk.read(count_outbox, wanted).values()) == len(rows)
    assert len(desk.read(list_outbox, Wanted(text="50%"))) == 1
    assert [row.seq for row in desk.read(list_outbox, Wanted(), limit=2, newest_first=True)] == [4, 3]


@pytest.mark.parametrize("pair", [{"state": "lost"}, {"colour": "red"}])
def test_a_filter_that_means_nothing_is_refused(pair: dict[str, str]) -> None:
    with pytest.raises(ChangeRefused):
        read_filter(pair)


def _two_in_a_row(desk: SupplyDesk) -> tuple[str, str]:
    """Two changes of one field, the second made while the first was with the peer."""
    first = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(first, state="sending")
    second = desk.change("requisition_line", "line-0-0", supply_units=40)
    assert desk.item(second).seen == {"supply_units": 30.0}
    return first, second


def _key(desk: SupplyDesk, item_id: str) -> str:
    with desk.store.read() as connection:
        return connection.execute(select(OutboxItem.key).where(OutboxItem.id == item_id)).scalar_one()


def test_a_paper_names_itself(desk: SupplyDesk) -> None:
    item = desk.change("requisition", "req-1", stage="approved")
    assert desk.item(item).subject == "Requisition 1001 of Gwagwalada PHC"
    assert desk.row(RequisitionRow, "req-1")["pending"] == {"stage": "approved"}


def test_what_is_not_accepted_outlives_every_retention(desk: SupplyDesk) -> None:
    items = [desk.change("requisition_line", f"line-{n}-{m}", supply_units=30) for n in range(3) for m in range(2)]
    states = ("waiting", "doubtful", "refused", "accepted", "set_aside", "cancelled")
    long_ago = desk.now - timedelta(days=4_000)
    for item, state in zip(items, states, strict=True):
        desk.set_state(item, state=state, ended_at=long_ago, created_at=long_ago)
    newest = desk.change("shipment", "ship-0", comment="x")
    sweep(desk.store, desk.clock.now_ms(), threading.Event())
    left = [row.state for row in desk.read(list_outbox, Wanted())]
    assert left == ["waiting", "doubtful", "refused", "set_aside", "waiting"]
    assert desk.item(newest).state == "waiting"
