"""Captures: nothing that was written is lost, nothing that is read can harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bench import Traffic
from app.fuel.captures import CaptureError, CaptureWriter, read_capture
from tests.helpers.command_line import ROOT
from tests.helpers.disks import files_of_at_most

PIECES = (
    Traffic(1_750_000_000.25, "sent", bytes.fromhex("3101066C")),
    Traffic(1_750_000_000.251, "received", bytes.fromhex("3E0106110100010030")),
    Traffic(1_750_000_001.0, "note", b"", "/dev/ttyUSB0 was lost"),
)


def written(path: Path, *pieces: Traffic) -> Path:
    writer = CaptureWriter(path, dialect="lls", port="/dev/ttyUSB0", speed=19_200)
    for one in pieces:
        writer.write(one)
    writer.close()
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    capture = read_capture(written(tmp_path / "a.jsonl", *PIECES))
    assert (capture.dialect, capture.port, capture.speed, capture.skipped) == ("lls", "/dev/ttyUSB0", 19_200, 0)
    assert [(one.direction, one.data, one.note) for one in capture.traffic] == [
        (one.direction, one.data, one.note) for one in PIECES
    ]
    assert [one.at_s for one in capture.traffic] == pytest.approx([one.at_s for one in PIECES], abs=1e-6)


def test_each_line_says_time_direction_bytes_and_note(tmp_path: Path) -> None:
    _head, first, *_rest = written(tmp_path / "a.jsonl", *PIECES).read_text().splitlines()
    assert json.loads(first) == {
        "time": "2025-06-15T15:06:40.250000Z",
        "direction": "sent",
        "hex": "3101066C",
        "note": "",
    }


def test_a_capture_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", *PIECES)
    with pytest.raises(CaptureError, match="exists already"):
        CaptureWriter(path, dialect="lls", port="x", speed=0)
    with pytest.raises(CaptureError, match="cannot be written"):
        CaptureWriter(tmp_path / "no" / "folder", dialect="lls", port="x", speed=0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_capture_and_is_told_once(tmp_path: Path) -> None:
    faults: list[str] = []
    writer = CaptureWriter(tmp_path / "a.jsonl", dialect="lls", port="x", speed=0, on_fault=faults.append)
    writer.write(PIECES[0])
    assert writer._file is not None
    writer._file.close()
    writer._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - closed by the writer
    writer.write(PIECES[1])
    writer.write(PIECES[2])
    assert faults == [writer.fault]
    assert "No space left" in writer.fault
    assert len(read_capture(tmp_path / "a.jsonl").traffic) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_line_of_which_only_a_part_was_taken_is_not_counted_as_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with files_of_at_most(1_000):
        writer = CaptureWriter(path, dialect="lls", port="x", speed=0)
        while not writer.fault:
            writer.write(PIECES[0])
    assert path.stat().st_size == 1_000
    assert "File too large" in writer.fault
    assert writer.lines == len(read_capture(path).traffic)


def test_a_killed_program_loses_no_line_that_was_written(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from adapters.bench import Traffic; from app.fuel.captures import *\n"
        "writer = CaptureWriter(Path(sys.argv[1]), dialect='lls', port='x', speed=0)\n"
        "for n in range(10**9):\n"
        "    writer.write(Traffic(n, 'received', n.to_bytes(4, 'big')))\n"
        "    if n % 100 == 0: print(n, flush=True)\n"
    )
    path = tmp_path / "a.jsonl"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(5)][-1]
    os.kill(child.pid, signal.SIGKILL)
    child.stdout.close()
    child.wait()
    numbers = [int.from_bytes(one.data, "big") for one in read_capture(path).traffic]
    assert numbers[: told + 1] == list(range(told + 1))


@pytest.mark.parametrize("content", [b"", b"hello\n", os.urandom(5000), b"[1]\n", b'{"capture": 2}\n', b"[" * 100_000])
def test_what_is_no_capture_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="is no capture"):
        read_capture(path)
    with pytest.raises(CaptureError, match="cannot be read"):
        read_capture(tmp_path / "nothing")


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_damaged_lines_cost_themselves_alone(tmp_path_factory: pytest.TempPathFactory, rubbish: list[bytes]) -> None:
    path = written(tmp_path_factory.mktemp("captures") / "a.jsonl", *PIECES)
    with path.open("ab") as file:
        file.write(b"\n".join([*rubbish, b'{"time": "2025-06-15T15:06:40Z", "direction": "sent", "hex": "FF"']))
    capture = read_capture(path)
    assert [one.data for one in capture.traffic][:3] == [one.data for one in PIECES]
    assert capture.skipped >= 1
