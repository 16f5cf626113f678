from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.gateway import _InputLines
from tests.helpers.fake_adapter import until

ROOT = Path(__file__).parents[4]


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The writing end of a pipe that stands where standard input is read."""
    readable, writable = os.pipe()
    read = os.read
    monkeypatch.setattr("app.engine.gateway.os.read", lambda fd, size: read(readable if fd == 0 else fd, size))
    yield writable
    for end in (readable, writable):
        try:
            os.close(end)
        except OSError:
            continue


async def test_lines_arrive_however_they_were_cut(keyboard: int) -> None:
    lines = _InputLines()
    seen: list[str] = []
    for piece in (b"cor", b"rect horse\r\nst", b"op\nmore\nla"):
        os.write(keyboard, piece)
    assert lines.first() == "correct horse"
    lines.follow(asyncio.get_running_loop(), seen.append)
    await until(lambda: seen == ["stop", "more"])
    os.close(keyboard)
    await until(lambda: seen == ["stop", "more", "la"])


async def test_a_passphrase_keeps_its_blanks_and_its_bytes(keyboard: int) -> None:
    """Else the window would open the vault and its gateway would not."""
    os.write(keyboard, b"  correct horse \xff\n")
    first = _InputLines().first()
    assert first is not None
    assert first.encode("utf-8", "surrogateescape") == b"  correct horse \xff"


async def test_the_end_of_the_input_is_no_line(keyboard: int) -> None:
    os.close(keyboard)
    assert _InputLines().first() is None


async def test_a_line_without_an_end_does_not_fill_the_memory(keyboard: int) -> None:
    lines = _InputLines()
    seen: list[str] = []
    lines.follow(asyncio.get_running_loop(), seen.append)

    def flood() -> None:
        for _ in range(100):
            os.write(keyboard, b"x" * 8192)
        os.write(keyboard, b"\nstop\n")

    await asyncio.to_thread(flood)
    await until(lambda: seen and seen[-1] == "stop")
    assert len(seen[0]) <= 65_536


def test_a_gateway_on_a_file_loads_neither_a_servers_driver_nor_arrays() -> None:
    """Together they cost it some thirty megabytes that it never uses."""
    code = (
        "import sys, app.engine.gateway, app.engine.host, adapters.gt02_tracker.listener, adapters.traccar.adapter\n"
        "print(sorted({'psycopg', 'numpy', 'sqlalchemy.dialects.postgresql', 'PySide6'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
