"""``alarms`` on the command line: the list, the acts, the rules, the fences, the export."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from app.alarms.findings import Raise
from app.alarms.lifecycle import apply_findings
from app.alarms.words import Kind, Priority
from app.paths import Paths
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.fleet import T0_MS

SPEED = Raise("speed:r:v", Kind.SPEED, Priority.LOW, None, T0_MS, "ABC-123: 120 km/h", "Too fast.")


@pytest.fixture
def desk(cli: CommandLine) -> CommandLine:
    """Two alarms that stand."""
    other = replace(SPEED, key="sos:v", kind=Kind.SOS, priority=Priority.HIGH, title="ABC-123: SOS")
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        store.write(lambda connection: apply_findings(connection, [SPEED, other], T0_MS)).result()
    return cli


def test_alarms_are_listed_and_seen_to(desk: CommandLine) -> None:
    listed = {row["title"]: row for row in desk("alarms", "list", "--json").json}
    sos, speed = listed["ABC-123: SOS"], listed["ABC-123: 120 km/h"]
    assert (sos["group"], sos["priority"]) == ("standing", "high")
    (seen,) = desk("alarms", "acknowledge", sos["id"], "--json").json
    assert seen["group"] == "history"
    (put_off,) = desk("alarms", "shelve", speed["id"], "--minutes", "30", "--reason", "test drive", "--json").json
    assert (put_off["group"], put_off["shelved_reason"]) == ("shelved", "test drive")
    assert desk("alarms", "unshelve", speed["id"][-10:], "--json").json[0]["group"] == "standing"
    assert desk("alarms", "assign", speed["id"], "--to", "Musa", "--json").json[0]["assigned_to"] == "Musa"
    assert (
        desk("alarms", "comment", speed["id"], "--text", "called", "--json").json[0]["comments"][0]["text"] == "called"
    )
    assert [row["title"] for row in desk("alarms", "list", "--json").json] == ["ABC-123: 120 km/h"]
    assert len(desk("alarms", "list", "--all", "--json").json) == 2
    rows = desk("export", "alarms", "--json", "--where", "kind=sos").json_lines
    assert [row["title"] for row in rows] == ["ABC-123: SOS"]


def test_what_cannot_be_is_refused_with_a_sentence(desk: CommandLine) -> None:
    (first, _second) = desk("alarms", "list", "--json").json
    assert_refused(desk("alarms", "shelve", first["id"], "--minutes", "30", "--reason", " "), "why")
    assert_refused(desk("alarms", "acknowledge", "nothing"), "no alarm nothing")
    assert_refused(desk("alarms", "rules", "set", "nothing", "--set", "hold_s=1"), "no alarm rule")


def test_rules_are_listed_added_changed_switched_and_removed(desk: CommandLine) -> None:
    assert len(desk("alarms", "rules", "list", "--json").json) > 5
    command = ("alarms", "rules", "add", "speed", "--name", "Town", "--set", "limit_km_h=50", "--set", "vehicles=a,b")
    (made,) = desk(*command, "--json").json
    assert (made["settings"]["limit_km_h"], made["settings"]["vehicles"]) == (50.0, ["a", "b"])
    (changed,) = desk("alarms", "rules", "set", "Town", "--priority", "high", "--json").json
    assert changed["priority"] == "high"
    assert desk("alarms", "rules", "disable", "Town", "--json").json[0]["enabled"] is False
    assert desk("alarms", "rules", "enable", "Town", "--json").json[0]["enabled"] is True
    assert_refused(desk("alarms", "rules", "set", "Town", "--set", "limit_km_h=1"), "Fastest allowed")
    assert "Town" not in [row["name"] for row in desk("alarms", "rules", "remove", "Town", "--json").json]


def test_fences_are_made_imported_and_removed(desk: CommandLine) -> None:
    (made,) = desk("alarms", "fences", "add", "Depot", "--lat", "9", "--lon", "7", "--radius", "300", "--json").json
    file = desk.data_dir / "areas.geojson"
    ring = [[7.0, 9.0], [7.1, 9.0], [7.1, 9.1], [7.0, 9.0]]
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}), encoding="utf-8")
    assert desk("alarms", "fences", "import", str(file), "--json").json[0]["name"] == "areas"
    assert len(desk("alarms", "fences", "list", "--json").json) == 2
    assert len(desk("alarms", "fences", "remove", made["id"], "--json").json) == 1
    file.write_text("rubbish", encoding="utf-8")
    assert_refused(desk("alarms", "fences", "import", str(file)), "no GeoJSON")
