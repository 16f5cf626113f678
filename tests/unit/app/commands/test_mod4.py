"""``mod4``, ``deliveries`` and their exports on the command line: the shapes that scripts rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.records import DeviceInfo
from app.paths import Paths
from app.store.store import Store
from app.store.tables import (
    DeliveryBatchRow,
    DriverLinkRow,
    DriverSessionRow,
    InvitationRow,
    OnboardingRequestRow,
    OneTimeCodeRow,
    OutboxItem,
    ShipmentRow,
)
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.dispatch import Depot, a_batch, a_code, a_paper, a_request, a_session, an_event, an_invitation
from tests.helpers.fleet import IMEI, T0_MS, a_position, rows_of
from tests.helpers.supply import a_shipment


@pytest.fixture
def depot(cli: CommandLine) -> Iterator[Depot]:
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        depot = Depot(store)
        depot.usual()
        depot.arrive(
            a_request(), an_invitation(expires_ms=T0_MS), a_code(), a_paper(),
            a_batch("batch-2", status="planned", stage="planned", driver="", vehicle="", started_ms=None),
            an_event(recipient="Ade"),
        )  # fmt: skip
        depot.arrive(a_shipment(stage="shipped", shipped_ms=T0_MS, receiver="x"), feed=depot.supply)
        yield depot


def test_linking_by_e_mail_waits_in_the_outbox(cli: CommandLine, depot: Depot) -> None:
    made = cli("mod4", "link", "Hope@Example.org", "--json").json
    assert (made["email"], made["outbox"]["state"]) == ("hope@example.org", "waiting")
    assert made["invitation"] == made["outbox"]["id"]
    assert cli("mod4", "invitations", "list", "--json").json[0]["state"] == "here"
    assert_refused(cli("mod4", "link", "hope@example.org"), "waits in the outbox already")
    assert_refused(cli("mod4", "link", "nobody"), "no e-mail address")


def test_requests_links_and_invitations_show_the_changed_row(cli: CommandLine, depot: Depot) -> None:
    request, link, invitation = (
        depot.id_of(OnboardingRequestRow, "request-1"),
        depot.id_of(DriverLinkRow, "link-1"),
        depot.id_of(InvitationRow, "inv-1"),
    )
    assert [row["id"] for row in cli("mod4", "requests", "list", "--json").json] == [request]
    approved = cli("mod4", "requests", "approve", request, "--notes", "known", "--json")
    assert (approved.json["stage"], approved.json["notes"]) == ("approved", "known")
    assert "one-time code" in approved.err
    assert cli("mod4", "links", "list", "--json").json[0]["stage"] == "active"
    suspended = cli("mod4", "links", "suspend", link, "--yes", "--json").json
    assert (suspended["stage"], suspended["status"], suspended["pending"]) == (
        "suspended",
        "active",
        {"stage": "suspended"},
    )
    assert_refused(cli("mod4", "links", "suspend", link, "--yes"), "takes this change only in: active")
    assert cli("mod4", "invitations", "resend", invitation, "--json").json["outbox"]["write"] == "invite"
    assert_refused(cli("mod4", "links", "revoke", "nothing"), "There is no linked user")


def test_batches_follow_the_platforms_rules(cli: CommandLine, depot: Depot) -> None:
    batch = depot.id_of(DeliveryBatchRow, "batch-2")
    assert {row["id"] for row in cli("mod4", "batches", "list", "--stage", "planned", "--json").json} == {batch}
    assert_refused(cli("mod4", "batches", "start", batch, "--yes"), "Assign a driver and a vehicle first")
    assigned = cli("mod4", "batches", "assign", batch, "--driver", "musa DRV-1", "--vehicle", "kan123xa", "--json").json
    assert (assigned["stage"], assigned["driver"], assigned["plate"]) == ("assigned", "Musa drv-1", "KAN 123 XA")
    assert cli("mod4", "batches", "start", batch, "--yes", "--json").json["stage"] == "in_progress"
    assert_refused(cli("mod4", "batches", "assign", batch, "--driver", "nobody"), "There is no driver nobody")
    assert [row.write for row in rows_of(depot.store, OutboxItem)] == ["assign_batch", "start_batch"]


def test_codes_are_listed_without_the_code_and_need_the_line(cli: CommandLine, depot: Depot) -> None:
    (row,) = cli("mod4", "codes", "list", "--json").json or [None]
    assert row is None or "code" not in row
    assert depot.id_of(OneTimeCodeRow, "code-1")
    refused = cli("mod4", "code", "musa@example.org", "--integration", "no such")
    assert_refused(refused, "No driver platform")


def test_open_sessions_are_listed_with_their_drivers_and_their_end_waits(cli: CommandLine, depot: Depot) -> None:
    depot.arrive(a_session("session-2", user="nobody", started_ms=T0_MS + 1, stage="ended", status="INVALIDATED"))
    (row,) = cli("mod4", "sessions", "list", "--json").json
    session = depot.id_of(DriverSessionRow, "session-1")
    assert (row["id"], row["user"], row["driver"]) == (session, "user-1", "Musa drv-1")
    done = cli("mod4", "sessions", "end", session, "--yes", "--json")
    assert "has to sign in again" in done.err
    assert (done.json["driver"], done.json["outbox"]["state"]) == ("Musa drv-1", "waiting")
    assert cli("mod4", "sessions", "list", "--json").json == [row], "open until the platform says otherwise"
    assert_refused(cli("mod4", "sessions", "end", session, "--yes"), "waits")
    assert_refused(cli("mod4", "sessions", "end", "nothing"), "There is no sign-in with the id nothing")


def test_threads_gaps_and_joins(cli: CommandLine, depot: Depot) -> None:
    thread = cli("deliveries", "thread", "77", "--json").json
    assert [step["kind"] for step in thread["gaps"]] == ["batch"]
    shipment, batch = depot.id_of(ShipmentRow, "ship-1"), depot.id_of(DeliveryBatchRow, "batch-1")
    done = cli("deliveries", "join", shipment, batch, "--reason", "phoned", "--json").json
    assert done["how"] == "manual"
    assert "In no batch" not in cli("deliveries", "thread", shipment).out
    assert cli("deliveries", "undo", done["act"], "--json").json["how"] == ""
    assert cli("deliveries", "settings", "--receipt-hours", 2, "--days", 730, "--json").json["receipt_hours"] == 2
    kinds = [row["kind"] for row in cli("deliveries", "gaps", "--json").json]
    assert kinds == ["no_batch"]
    assert_refused(cli("deliveries", "thread", "4711"), "There is no shipment or batch 4711")
    assert cli("deliveries", "twins", "--json").json == []


def test_a_departure_is_checked_and_let_go_with_a_reason(cli: CommandLine, depot: Depot) -> None:
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    refused = cli("deliveries", "check", batch, "--json")
    assert refused.status == 1
    assert json.loads(refused.out)["is_ready"] is False
    let_go = cli("deliveries", "check", batch, "--override", "cholera, the tracker follows", "--json")
    assert let_go.json["check_id"]
    assert_refused(cli("deliveries", "check", batch, "--override", "short"), "at least 10")
    assert cli("deliveries", "eta", batch, "--json").json[0]["eta"] is None


def test_an_evidence_pack_is_written_and_verified(cli: CommandLine, depot: Depot, tmp_path: Path) -> None:
    file = tmp_path / "pack.zip"
    made = cli("deliveries", "evidence", depot.id_of(DeliveryBatchRow, "batch-1"), "--output", file, "--json").json
    assert file.stat().st_size == made["bytes"]
    verified = cli("deliveries", "verify", file, "--manifest-hash", made["manifest_hash"], "--json")
    assert verified.json == {"ok": True, "faults": []}
    assert cli("deliveries", "verify", file, "--manifest-hash", "0" * 64).status == 1
    file.write_bytes(b"no pack")
    assert_refused(cli("deliveries", "verify", file), "is no evidence pack")


def test_exports(cli: CommandLine, depot: Depot) -> None:
    drivers = cli("export", "drivers", "--format", "jsonl").json_lines
    assert [row["name"] for row in drivers] == ["Musa drv-1"]
    assert {row["id"] for row in cli("export", "batches", "--format", "jsonl").json_lines} == {
        depot.id_of(DeliveryBatchRow, "batch-1"), depot.id_of(DeliveryBatchRow, "batch-2"),
    }  # fmt: skip
    assert cli("export", "batches", "--format", "jsonl", "--since", "2026-01-02").json_lines == []
    (proof,) = cli("export", "proofs", "--format", "jsonl", "--since", "2026-01-01", "--until", "2026-01-02").json_lines
    assert (proof["outcome"], proof["recipient"], proof["photo"]) == ("delivered", "Ade", "none")
    assert "facility_name" in cli("export", "proofs", "--format", "csv").out


def test_drivers_phones_are_told_apart_among_devices_and_positions(cli: CommandLine, depot: Depot) -> None:
    depot.arrive(DeviceInfo("driver-drv-1", name="Musa", peer_id="drv-1"), a_position("driver-drv-1", source="mod4"))
    depot.arrive(a_position(IMEI), feed=depot.trackers)
    kinds = {row["device"]: row["kind"] for row in cli("devices", "list", "--json").json}
    assert kinds == {"driver-drv-1": "phone", IMEI: "tracker"}
    assert "phone" in cli("devices", "list").out
    exported = cli("export", "devices", "--format", "jsonl").json_lines
    assert {row["device"]: row["kind"] for row in exported} == kinds
    sources = {row["device"]: row["source"] for row in cli("export", "positions", "--format", "jsonl").json_lines}
    assert sources == {"driver-drv-1": "mod4", IMEI: "gt02"}
    refused = cli("devices", "adopt", "driver-drv-1", "--vehicle", "KAN-1")
    assert_refused(refused, "is a driver's phone, not a tracker")
