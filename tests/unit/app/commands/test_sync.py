"""``supply set``, ``outbox`` and ``conflicts`` on the command line: the shapes that scripts rely on."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import pytest
from sqlalchemy import update

from app.catalogue import Catalogue
from app.clock import utc_now
from app.integrations.changes import Desk, add
from app.paths import Paths
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import OutboxItem
from app.sync.conflicts import judge_download
from app.sync.seal import OutboxSeal
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.supply_desk import supply_rows
from tests.helpers.supply_peer import peer_catalogue

CATALOGUE = peer_catalogue()


@pytest.fixture
def desk(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setattr(Catalogue, "load", lambda **_named: CATALOGUE)
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        integration = add(Desk(store, CATALOGUE, MemoryVault()), "small_peer", "District server", {"url": "http://x"})
        store.write(partial(supply_rows, integration_id=integration)).result()
    return cli


def test_a_change_waits_in_the_outbox(desk: CommandLine) -> None:
    item = desk("supply", "set", "requisition-line", "line-0-0", "supply_units=30", "comment=half", "--json").json
    assert item["what"] == "quantity to supply 10 → 30; comment empty → half"
    assert item["for"] == "Amoxicillin 250 mg, requisition 1000 of Gwagwalada PHC"
    assert (item["state"], item["tries"], item["next_try"]) == ("waiting", 0, None)
    (row,) = desk("outbox", "list", "--json").json
    assert set(row) >= {"id", "integration_id", "what", "for", "state", "tries", "last_answer", "next_try"}
    assert row == item
    exported = desk("export", "outbox", "--format", "jsonl").json_lines
    assert exported == [item]
    assert "Amoxicillin" in desk("outbox", "list").out


def test_an_effect_is_said(desk: CommandLine) -> None:
    done = desk("supply", "set", "shipment", "ship-0", "stage=picked", "--json")
    assert done.json["values"] == {"stage": "picked"}
    assert "books the stock out" in done.err


def test_refusals_are_sentences(desk: CommandLine) -> None:
    assert_refused(desk("supply", "set", "shipment", "ship-0", "stage=verified"), "does not take “verified”")
    assert_refused(desk("supply", "set", "shipment", "nowhere", "comment=x"), "no shipment with the id nowhere")
    assert_refused(desk("outbox", "retry", "nothing"), "no change nothing")
    assert_refused(desk("outbox", "list", "--where", "colour=red"), "cannot be filtered by")
    assert_refused(desk("conflicts", "undo", "nothing"), "no conflict nothing")
    assert_refused(desk("outbox", "confirm-store"), "not in doubt")
    assert desk("supply", "set", "shipment", "ship-0", "comment").status == 2
    assert desk("supply", "set", "stock", "ship-0", "comment=x").status == 2


def test_acts_on_items(desk: CommandLine) -> None:
    item = desk("supply", "set", "shipment", "ship-0", "comment=x", "--json").json["id"]
    for act, state in (("pause", "waiting"), ("resume", "waiting"), ("set-aside", "set_aside"), ("restore", "waiting")):
        (row,) = desk("outbox", act, item, "--json").json
        assert row["state"] == state
    (row,) = desk("outbox", "cancel", item, "--json").json
    assert row["state"] == "cancelled"
    assert desk("outbox", "list", "--json").json == []
    assert len(desk("outbox", "list", "--all", "--json").json) == 1


def test_replay_counts_before_it_acts(desk: CommandLine) -> None:
    for number in range(3):
        desk("supply", "set", "shipment", f"ship-{number}", "comment=x")
    with closing(Store.open(Paths(desk.data_dir).store_url)) as store:
        store.write(lambda connection: connection.execute(update(OutboxItem).values(state="refused"))).result()
    command = ("outbox", "replay", "--where", "state=refused", "--json")
    assert desk(*command, "--dry-run").json == {"count": 3, "dry_run": True}
    assert desk(*command).json == {"count": 3, "dry_run": False}
    assert desk(*command).json["count"] == 0


def test_conflicts_are_listed_decided_and_undone(desk: CommandLine) -> None:
    desk("supply", "set", "requisition-line", "line-0-0", "supply_units=30")
    with closing(Store.open(Paths(desk.data_dir).store_url)) as store:
        changes = {"supply_units": (10.0, 25.0)}
        job = partial(
            judge_download,
            catalogue=CATALOGUE,
            kind="requisition_line",
            record_id="line-0-0",
            changes=changes,
            now=utc_now(),
        )
        store.write(job).result()
    (row,) = desk("conflicts", "list", "--json").json
    assert row["fields"] == {"supply_units": {"base": 10.0, "ours": 30.0, "theirs": 25.0}}
    assert row["ours_by"]
    assert row["ours_at"].endswith("Z")
    resolve = ("conflicts", "resolve", row["id"])
    assert_refused(desk(*resolve, "--keep", "both"), "cannot stand together")
    assert desk(*resolve).status == 2
    decided = desk(*resolve, "--merge", "supply_units=28", "--json").json
    assert (decided["kept"], decided["chosen"]) == ("merge", {"supply_units": 28.0})
    assert desk("conflicts", "list", "--json").json == []
    undone = desk("conflicts", "undo", row["id"], "--json").json
    assert (undone["state"], undone["outcome"]) == ("open", "reopened")
    assert desk(*resolve, "--keep", "theirs", "--json").json["kept"] == "theirs"
    assert len(desk("export", "conflicts", "--format", "jsonl").json_lines) == 1
    assert [line["what"] for line in desk("export", "acts", "--format", "jsonl").json_lines].count(
        "conflict.resolve"
    ) == 2


def test_a_restored_store_is_confirmed(desk: CommandLine) -> None:
    desk("supply", "set", "shipment", "ship-0", "comment=x")
    paths = Paths(desk.data_dir)
    with closing(Store.open(paths.store_url)) as store:
        assert OutboxSeal(store).verify(utc_now()) == ""
        (paths.data_dir / "store.outbox.json").unlink()
        assert "Nothing is sent" in OutboxSeal(store).verify(utc_now())
    assert desk("outbox", "confirm-store", "--json").json == {"confirmed": True, "asked_about_first": 1}
    assert desk("outbox", "list", "--json").json[0]["state"] == "doubtful"
    with closing(Store.open(paths.store_url)) as store:
        assert OutboxSeal(store).verify(utc_now()) == ""


def test_unsent_work_keeps_its_integration(desk: CommandLine) -> None:
    item = desk("supply", "set", "shipment", "ship-0", "comment=x", "--json").json
    refused = desk("integrations", "remove", item["integration_id"])
    assert_refused(refused, "1 change has not been accepted by it, Shipment 2000 to Gwagwalada PHC (saved here)")
    desk("outbox", "cancel", item["id"])
    assert desk("integrations", "remove", item["integration_id"]).status == 0
