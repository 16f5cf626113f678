"""An evidence pack holds what it says, and its own script finds every kind of tampering without the program."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.deliveries.evidence_pack import NO_MAP, Pack, evidence_pack
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, ShipmentRow
from tests.helpers.dispatch import CLINIC, MINUTE_MS, Depot, a_paper, an_event
from tests.helpers.fleet import T0_MS
from tests.helpers.supply import a_shipment, a_shipment_line
from tests.unit.app.deliveries.test_journey import NOW_MS, settle


@pytest.fixture
def pack(sqlite_store: Store) -> Pack:
    depot = Depot(sqlite_store)
    depot.usual()
    depot.vehicle()
    depot.drive([(T0_MS + 120 * MINUTE_MS, *CLINIC)])
    depot.arrive(
        a_shipment("ship-1", a_shipment_line(), stage="shipped", shipped_ms=T0_MS, receiver="x"), feed=depot.supply
    )
    depot.arrive(a_paper(), an_event(at_ms=T0_MS + 120 * MINUTE_MS, recipient="<b>=cmd()</b>", notes="=1+1"))
    settle(depot)
    assert depot.id_of(DeliveryBatchRow, "batch-1")
    return depot.ask(
        evidence_pack, depot.id_of(ShipmentRow, "ship-1"), NOW_MS, made_by="depot", pictures={"map": b"\x89PNG"}
    )


def verify(folder: Path, data: bytes, *options: str) -> tuple[int, str]:
    """Run the script that lies in the pack, in an interpreter that knows nothing of this program."""
    file, script = folder / "pack.zip", folder / "verify_evidence.py"
    file.write_bytes(data)
    if not script.exists():
        with zipfile.ZipFile(file) as pack:
            script.write_bytes(pack.read("verify_evidence.py"))
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(file), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return done.returncode, done.stdout + done.stderr


def changed(pack: Pack, change: dict[str, bytes | None]) -> bytes:
    """The pack with files replaced, added, or (None) removed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pack.data)) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in before.namelist():
            data = change.pop(name, before.read(name))
            if data is not None:
                after.writestr(name, data)
        for name, data in change.items():
            if data is not None:
                after.writestr(name, data)
    return buffer.getvalue()


def test_what_it_holds(pack: Pack) -> None:
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        assert sorted(found.namelist()) == sorted(pack.files)
        thread = json.loads(found.read("thread.json"))
        assert [step["kind"] for step in thread["steps"]][:3] == ["order", "shipment", "batch"]
        (verdict,) = json.loads(found.read("batch-1/verdicts.json"))
        assert verdict["verdict"] == "confirmed"
        fixes = list(csv.DictReader(io.StringIO(found.read("batch-1/positions.csv").decode())))
        frames = list(csv.DictReader(io.StringIO(found.read("batch-1/raw_frames.csv").decode())))
        assert [fix["raw_frame_id"] for fix in fixes] == [frame["id"] for frame in frames]
        assert bytes.fromhex(frames[0]["data_hex"])
        assert "'=1+1" in found.read("batch-1/events.csv").decode()
        html = found.read("thread.html").decode()
        assert "<b>=cmd" not in html
        assert "&lt;b&gt;" in html
        assert found.read("pictures/map.png") == b"\x89PNG"
        assert json.loads(found.read("MANIFEST.json"))["map_picture"] == "pictures/map.png"
        assert '<img src="pictures/map.png"' in html


def test_without_a_map_it_says_why(sqlite_store: Store, tmp_path: Path) -> None:
    depot = Depot(sqlite_store)
    depot.usual()
    made = depot.ask(evidence_pack, depot.id_of(DeliveryBatchRow, "batch-1"), NOW_MS, made_by="depot")
    with zipfile.ZipFile(io.BytesIO(made.data)) as found:
        manifest, html = json.loads(found.read("MANIFEST.json")), found.read("thread.html").decode()
    assert manifest["map_picture"] == NO_MAP
    assert f'<p class="open">{NO_MAP}</p>' in html
    assert "<img" not in html
    assert verify(tmp_path, made.data, "--manifest-hash", made.manifest_hash)[0] == 0


def test_a_pack_from_before_maps_were_named_still_holds(pack: Pack, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        manifest = json.loads(found.read("MANIFEST.json"))
    del manifest["map_picture"]
    assert verify(tmp_path, changed(pack, {"MANIFEST.json": json.dumps(manifest).encode()}))[0] == 0


def test_it_holds_by_its_own_script(pack: Pack, tmp_path: Path) -> None:
    assert verify(tmp_path, pack.data) == (0, "The pack holds: every file is as it was made.\n")
    assert verify(tmp_path, pack.data, "--manifest-hash", pack.manifest_hash)[0] == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"batch-1/positions.csv": b"moved"}, "batch-1/positions.csv was changed."),
        ({"batch-1/proofs.json": None}, "batch-1/proofs.json was removed."),
        ({"batch-1/letter.txt": b"it was me"}, "batch-1/letter.txt was added."),
    ],
)
def test_tampering_is_named(pack: Pack, tmp_path: Path, change: dict[str, bytes | None], sentence: str) -> None:
    status, said = verify(tmp_path, changed(pack, dict(change)))
    assert (status, said) == (1, f"{sentence}\nThe pack does NOT hold.\n")


def test_a_pack_that_was_rewritten_whole_is_found_by_the_hash_that_was_written_down(pack: Pack, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(pack.data)) as found:
        manifest = json.loads(found.read("MANIFEST.json"))
    manifest["made_by"] = "somebody else"
    rewritten = changed(pack, {"MANIFEST.json": json.dumps(manifest).encode()})
    assert verify(tmp_path, rewritten)[0] == 0
    status, said = verify(tmp_path, rewritten, "--manifest-hash", pack.manifest_hash)
    assert status == 1
    assert "not the one whose hash was written down" in said


def test_what_is_no_pack(pack: Pack, tmp_path: Path) -> None:
    verify(tmp_path, pack.data)
    assert verify(tmp_path, b"not a zip")[0] == 2
    assert verify(tmp_path, changed(pack, {"MANIFEST.json": None}))[0] == 2
    assert verify(tmp_path, changed(pack, {"MANIFEST.json": b"[]"}))[0] == 2
