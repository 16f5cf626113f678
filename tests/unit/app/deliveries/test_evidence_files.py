"""An evidence pack with the files of proofs: what is kept here is in it, and each that is missing says why."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from adapters.mod4.simulator import pictures
from app.deliveries import evidence_files
from app.deliveries.evidence_pack import Pack, evidence_pack
from app.proof_files.folder import ProofFolder
from app.store.store import Store
from app.store.tables import DeliveryBatchRow
from tests.helpers.dispatch import Depot, an_event
from tests.helpers.fleet import T0_MS
from tests.helpers.photo_states import BASE, PhotoStates
from tests.unit.app.deliveries.test_evidence_pack import verify
from tests.unit.app.deliveries.test_journey import NOW_MS


@pytest.fixture
def states(sqlite_store: Store, tmp_path: Path) -> PhotoStates:
    depot = Depot(sqlite_store)
    depot.usual()
    depot.arrive(an_event(), an_event("mod4_events:9", "photo", T0_MS, photo_url="blob:https://app/9"))
    found = PhotoStates(depot, ProofFolder(tmp_path / "proof-files"), NOW_MS)
    found.every_state()
    found.tell("lost.jpg", "forged.jpg", "kept.jpg")
    return found


def made(states: PhotoStates, folder: ProofFolder | None) -> tuple[Pack, dict[str, Any]]:
    """The pack, and the rows of its ``files.json`` by the end of their address."""
    batch_id = states.depot.id_of(DeliveryBatchRow, "batch-1")
    pack = states.depot.ask(evidence_pack, batch_id, NOW_MS, made_by="depot", folder=folder)
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        rows = json.loads(found.read("batch-1/files.json"))
    return pack, {row["address"].rpartition("/")[2]: row for row in rows}


def test_what_is_kept_is_in_it_and_what_is_not_says_why(states: PhotoStates, tmp_path: Path) -> None:
    lost = states.keep("lost.jpg", pictures.photo("lost"))
    states.folder.drop(lost)
    forged = states.keep("forged.jpg", pictures.photo("forged"))
    states.folder.path_of(forged).write_bytes(pictures.photo("another"))
    pack, rows = made(states, states.folder)
    content = pictures.photo("kept", orientation=6)
    kept = rows["kept.jpg"]
    assert (kept["file"], kept["sha256"], kept["bytes"], kept["format"], kept["missing"]) == (
        f"batch-1/files/{kept['sha256']}.jpg", hashlib.sha256(content).hexdigest(), len(content), "JPEG", "",
    )  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        assert found.read(kept["file"]) == content
        page = found.read("thread.html").decode()
        assert rows["page.jpg"]["file"].endswith(".bin")
    assert f'<img src="{kept["file"]}"' in page
    assert f'src="{rows["page.jpg"]["file"]}"' not in page
    assert "<script" not in page
    why = {name: row["missing"] for name, row in rows.items() if row["missing"]}
    assert why.keys() == {"coming.jpg", "cut.jpg", "gone.jpg", "foreign.jpg", "lost.jpg", "forged.jpg", "9"}
    assert "3.2 of 20.0 MB" in why["coming.jpg"]
    assert "(404)" in why["gone.jpg"]
    assert "not allowed" in why["foreign.jpg"]
    assert "cannot be read here" in why["lost.jpg"]
    assert "changed here after it was fetched" in why["forged.jpg"]
    assert "never uploaded" in why["9"]
    assert verify(tmp_path, pack.data)[0] == 0


def test_a_photo_that_is_exchanged_in_the_pack_is_found(states: PhotoStates, tmp_path: Path) -> None:
    pack, rows = made(states, states.folder)
    name = rows["kept.jpg"]["file"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pack.data)) as before, zipfile.ZipFile(buffer, "w") as after:
        for one in before.namelist():
            after.writestr(one, pictures.photo("another") if one == name else before.read(one))
    status, told = verify(tmp_path, buffer.getvalue())
    assert status == 1
    assert name in told


def test_a_pack_stays_of_a_size_that_can_be_sent(states: PhotoStates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_files, "MOST_BYTES", 10_000)
    _pack, rows = made(states, states.folder)
    assert "Copy it by itself" in rows["kept.jpg"]["missing"]
    assert rows["pen.png"]["file"]


def test_without_the_folder_every_file_is_named(states: PhotoStates) -> None:
    pack, rows = made(states, None)
    assert not any("/files/" in name for name in pack.files)
    assert rows["kept.jpg"]["missing"] == evidence_files.NO_FOLDER
    assert rows["kept.jpg"]["sha256"]
    assert all(row["address"].startswith((BASE, "blob:")) for row in rows.values())
