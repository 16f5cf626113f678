"""``deliveries files``, ``fetch``, ``settings`` and ``evidence`` on the command line."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.paths import Paths
from app.proof_files.folder import ProofFolder
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.dispatch import Depot, an_event
from tests.helpers.fleet import T0_MS
from tests.helpers.photo_states import PhotoStates


@pytest.fixture
def states(cli: CommandLine) -> Iterator[PhotoStates]:
    paths = Paths(cli.data_dir)
    with closing(Store.open(paths.store_url)) as store:
        depot = Depot(store)
        depot.usual()
        depot.arrive(an_event())
        found = PhotoStates(depot, ProofFolder(paths.proof_files), T0_MS)
        found.every_state()
        yield found


def test_files_are_listed_with_their_states(cli: CommandLine, states: PhotoStates) -> None:
    rows = {row["url"].rpartition("/")[2]: row for row in cli("deliveries", "files", "--json").json}
    assert len(rows) == 8
    kept, gone = rows["kept.jpg"], rows["gone.jpg"]
    assert (kept["batch"], kept["facility"], kept["state"], len(kept["sha256"])) == (
        "Batch batch-1", "Clinic 1", "kept here", 64,
    )  # fmt: skip
    assert (gone["state"], "(404)" in gone["reason"]) == ("refused", True)
    assert rows["coming.jpg"]["state"] == "is being fetched, 3.2 of 20.0 MB"
    assert rows["page.jpg"]["state"] == "kept here, is no photo"
    only = cli("deliveries", "files", "--state", "refused", "--json").json
    assert [row["id"] for row in only] == [gone["id"]]
    assert "waits to go on, 0.4 of 2.0 MB" in cli("deliveries", "files").out


def test_files_are_fetched_again(cli: CommandLine, states: PhotoStates) -> None:
    wanted = states.id_of("gone.jpg")
    assert cli("deliveries", "fetch", wanted, "--json").json == {"asked_for": [wanted]}
    assert states.state_of("gone.jpg") == "waiting"
    assert "1 to be fetched" in cli("deliveries", "fetch", "--state", "blocked").out
    assert states.state_of("foreign.jpg") == "waiting"
    assert_refused(cli("deliveries", "fetch", "--state", "removed"), "No file is")
    assert_refused(cli("deliveries", "fetch", states.id_of("kept.jpg")), "nothing to fetch")
    assert_refused(cli("deliveries", "fetch", "nobody"), "There is no file nobody")
    assert cli("deliveries", "fetch").status == 2


def test_how_long_they_are_kept(cli: CommandLine) -> None:
    told = cli("deliveries", "settings", "--photo-days", "30", "--photo-total-mb", "500", "--json").json
    assert told == {"receipt_hours": 24, "days": 60, "photo_days": 30, "photo_total_mb": 500}
    assert cli("deliveries", "settings", "--json").json == told
    assert_refused(cli("deliveries", "settings", "--photo-days", "0"), "between 1 and 3650")
    assert_refused(cli("deliveries", "settings", "--photo-total-mb", "5"), "between 100 and")


def test_a_pack_takes_what_lies_in_the_folder(cli: CommandLine, states: PhotoStates, tmp_path: Path) -> None:
    file = tmp_path / "pack.zip"
    cli("deliveries", "evidence", "Batch batch-1", "--output", str(file))
    with zipfile.ZipFile(file) as pack:
        assert len([name for name in pack.namelist() if "/files/" in name]) == 4
    assert cli("deliveries", "verify", str(file)).status == 0
