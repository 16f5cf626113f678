from __future__ import annotations

import csv
import io
from contextlib import closing
from pathlib import Path

import pytest
from openpyxl import load_workbook

from app.paths import Paths
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.fleet import IMEI, OTHER_IMEI, a_drive, make_feed

COLUMNS = [
    "device",
    "vehicle",
    "integration_id",
    "fixed_at",
    "received_at",
    "lat",
    "lon",
    "speed_km_h",
    "course_deg",
    "located",
    "marks",
    "source",
    "serial",
]


@pytest.fixture
def fleet(cli: CommandLine) -> CommandLine:
    """Two trackers in the inbox, with ten positions each."""
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        feed = make_feed(store)
        feed(*a_drive(IMEI), *a_drive(OTHER_IMEI))
    return cli


def test_a_waiting_tracker_is_adopted_with_its_history(fleet: CommandLine) -> None:
    assert {row["state"] for row in fleet("devices", "list", "--json").json} == {"waiting"}
    (adopted,) = fleet("devices", "adopt", IMEI, "--vehicle", "ABJ-214-KT", "--json").json
    assert (adopted["device"], adopted["vehicle"], adopted["state"]) == (IMEI, "ABJ-214-KT", "known")
    listed = {row["device"]: row for row in fleet("devices", "list", "--json").json}
    assert (listed[IMEI]["state"], listed[IMEI]["vehicle"]) == ("known", "ABJ-214-KT")
    assert listed[OTHER_IMEI]["state"] == "waiting"
    (vehicle,) = fleet("vehicles", "list", "--json").json
    assert (vehicle["plate"], vehicle["trackers"]) == ("ABJ-214-KT", [IMEI])
    rows = fleet("export", "positions", "--json", "--where", f"device={IMEI}").json_lines
    assert [row["vehicle"] for row in rows] == ["ABJ-214-KT"] * 10
    (other,) = fleet("devices", "adopt", OTHER_IMEI, "--vehicle", vehicle["id"], "--json").json
    assert other["vehicle"] == "ABJ-214-KT"
    (released,) = fleet("devices", "release", OTHER_IMEI, "--json").json
    assert released["vehicle"] is None


def test_a_tracker_is_blocked_and_taken_back(fleet: CommandLine) -> None:
    assert [row["state"] for row in fleet("devices", "block", IMEI, "--json").json] == ["blocked"]
    states = {row["device"]: row["state"] for row in fleet("devices", "list", "--json").json}
    assert states == {IMEI: "blocked", OTHER_IMEI: "waiting"}
    assert fleet("devices", "unblock", IMEI).status == 0
    assert fleet("devices", "clock", IMEI, "--offset", "3600", "--json").json[0]["clock_offset_s"] == 3600


@pytest.mark.parametrize("words", [["adopt", "000", "--vehicle", "x"], ["block", "000"], ["clock", "000"]])
def test_an_unknown_tracker_is_refused(fleet: CommandLine, words: list[str]) -> None:
    assert_refused(fleet("devices", *words), "000")


def test_a_vehicle_is_added_once_and_changed_by_any_of_its_names(fleet: CommandLine) -> None:
    (added,) = fleet("vehicles", "add", "KAN-880-XB", "--name", "Cold truck", "--json").json
    assert_refused(fleet("vehicles", "add", "KAN-880-XB"), "KAN-880-XB")
    changed = fleet("vehicles", "set", "Cold truck", "--notes", "new tyres", "--json").json
    assert [(row["id"], row["notes"]) for row in changed] == [(added["id"], "new tyres")]
    assert fleet("vehicles", "set", "KAN-880-XB", "--plate", "KAN-881-XB").status == 0
    assert_refused(fleet("vehicles", "set", "KAN-880-XB", "--name", "x"), "KAN-880-XB")
    assert fleet("vehicles", "set", "KAN-881-XB").status == 2


def test_positions_are_exported_in_every_form(fleet: CommandLine, tmp_path: Path) -> None:
    rows = fleet("export", "positions", "--format", "jsonl").json_lines
    assert len(rows) == 20
    assert list(rows[0]) == COLUMNS
    assert rows[0]["fixed_at"] == "2026-01-01T00:00:00Z"
    assert rows[0]["marks"] == []
    table = list(csv.reader(io.StringIO(fleet("export", "positions").out)))
    assert table[0] == COLUMNS
    assert len(table) == 21
    book = tmp_path / "positions.xlsx"
    assert fleet("export", "positions", "--format", "xlsx", "--output", book).out == ""
    sheet = load_workbook(book, read_only=True).worksheets[0]
    assert [cell.value for cell in next(iter(sheet.iter_rows()))] == COLUMNS
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_an_export_is_narrowed(fleet: CommandLine) -> None:
    since = ["--since", "2026-01-01T00:00:30Z", "--until", "2026-01-01T01:01:00+01:00"]
    rows = fleet("export", "positions", "--json", *since, "--where", f"device={IMEI}").json_lines
    assert [row["fixed_at"] for row in rows] == [f"2026-01-01T00:00:{second}Z" for second in (30, 40, 50)]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["nosuch"], 1),
        (["positions", "--where", "nosuch=1"], 1),
        (["positions", "--where", "device"], 2),
        (["positions", "--since", "x"], 2),
    ],
)
def test_what_cannot_be_exported_is_refused(fleet: CommandLine, words: list[str], status: int) -> None:
    outcome = fleet("export", *words)
    assert (outcome.status, outcome.out) == (status, "")


def test_a_place_that_cannot_be_written_is_named(fleet: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "no" / "such" / "folder.csv"
    assert_refused(fleet("export", "positions", "--output", target), str(target))


@pytest.mark.parametrize("table", ["devices", "vehicles", "geofences", "events", "logs", "acts"])
def test_every_table_of_this_release_is_exported(fleet: CommandLine, table: str) -> None:
    outcome = fleet("export", table, "--json")
    assert outcome.status == 0
    assert all(isinstance(row, dict) for row in outcome.json_lines)
