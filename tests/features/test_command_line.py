"""Stories of the command line beside a running gateway, on both databases, each command a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.gt02_tracker.simulator_frames import gt02_heartbeat
from app.catalogue import Catalogue
from tests.helpers.command_line import ROOT, Outcome, assert_refused, run_program
from tests.helpers.depot import HEARTBEAT_ACK, fix_frame, free_port, wait_for
from tests.helpers.stores import make_postgresql_url, postgresql_server

__all__ = ["postgresql_server"]

IMEI = "123456789012345"
TAKEN_UP_S = 2.0
LATE_S = 3.0
"""Allowed beside it for the machine's load: what is proved is that nobody has to restart anything."""


class Site:
    """A data folder and perhaps a database, with commands and a gateway for it."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        self.options = ["--data-dir", str(folder), "--vault-key-file", str(folder / "key")]
        if database is not None:
            self.options += ["--database", database]
        folder.mkdir()
        (folder / "key").write_text("a key for tests that is long enough\n", encoding="utf-8")

    def __call__(self, *words: object) -> Outcome:
        return run_program(*self.options, *words)

    def phase(self, integration_id: str) -> str:
        rows = self("integrations", "list", "--json").json
        return str(next(row["phase"] for row in rows if row["id"] == integration_id))

    @contextmanager
    def gateway(self) -> Iterator[subprocess.Popen[str]]:
        pipe = subprocess.PIPE
        command = [sys.executable, str(ROOT / "main.py"), *self.options, "gateway"]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n", process.communicate()
                yield process
                process.communicate("stop\n", timeout=15)
                assert process.returncode == 0
            finally:
                if process.poll() is None:
                    process.kill()


@contextmanager
def traccar_server() -> Iterator[Mapping[str, Any]]:
    """A small Traccar server on loopback; its address and secrets."""
    found: dict[str, Any] = {}
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    simulate = Catalogue.load().simulator("traccar")

    def on_ready(settings: Mapping[str, Any]) -> None:
        found.update(settings)
        ready.set()

    task = loop.create_task(simulate({"vehicles": 3, "history_h": 0.1, "interval_s": 1.0}, on_ready))

    def run() -> None:
        loop.run_until_complete(asyncio.wait([task]))
        loop.close()

    thread = threading.Thread(target=run, name="traccar")
    thread.start()
    try:
        assert ready.wait(30)
        yield found
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def report(port: int, serial: int) -> None:
    """One position of the tracker, stored when this returns."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as tracker:
        tracker.sendall(fix_frame(IMEI, serial) + gt02_heartbeat(IMEI, serial, 6, 4, b"\x28"))
        assert tracker.recv(64) == HEARTBEAT_ACK


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "sqlite":
        return Site(tmp_path / "data")
    return Site(tmp_path / "data", make_postgresql_url(request.getfixturevalue("postgresql_server")))


def test_a_depot_is_run_from_the_command_line_alone(site: Site, tmp_path: Path) -> None:
    assert site("store", "upgrade", "--json").json["before"] is None
    port, other_port = free_port(), free_port()
    where = ["--set", "host=127.0.0.1", "--set", f"port={port}"]
    added = site("integrations", "add", "gt02_tracker", "--name", "Yard", *where, "--json").json["id"]
    with site.gateway():
        report(port, 1)
        assert site("devices", "adopt", IMEI, "--vehicle", "ABJ-214-KT").status == 0
        report(port, 2)
        rows = site("export", "positions", "--json").json_lines
        assert [(row["serial"], row["vehicle"]) for row in rows] == [(1, "ABJ-214-KT"), (2, "ABJ-214-KT")]
        assert_refused(site("integrations", "sync", added), "listens")

        changed = site("integrations", "set", added, "--set", f"port={other_port}", "--json")
        assert changed.json["id"] == added
        wait_for(lambda: is_open(other_port) and not is_open(port), TAKEN_UP_S + LATE_S)
        site("integrations", "disable", added)
        wait_for(lambda: not is_open(other_port), TAKEN_UP_S + LATE_S)
        assert site.phase(added) == "disabled"
        site("integrations", "enable", added)
        wait_for(lambda: is_open(other_port), TAKEN_UP_S + LATE_S)

        assert site("backup", "create", tmp_path / "depot.backup").status == 0
        assert_refused(site("backup", "restore", tmp_path / "depot.backup"), "engine is running")
        assert site("audit", "verify", "--json").json["ok"] is True
        assert site("store", "upgrade").status == 0
    assert site("backup", "restore", tmp_path / "depot.backup").status == 0
    assert len(site("export", "positions", "--json").json_lines) == 2


def test_a_run_is_asked_of_the_engine_and_its_outcome_told(tmp_path: Path) -> None:
    site = Site(tmp_path / "data")
    assert site("store", "upgrade").status == 0
    with traccar_server() as server:
        (tmp_path / "token").write_text(server["token"], encoding="utf-8")
        where = ["--set", f"url={server['url']}", "--secret", f"token=file:{tmp_path / 'token'}"]
        added = site("integrations", "add", "traccar", "--name", "Fleet", *where, "--json")
        assert added.status == 0, added.err
        fleet = added.json["id"]
        assert_refused(site("integrations", "sync", fleet), "No engine", "gateway")
        with site.gateway():
            done = site("integrations", "sync", fleet, "--json").json
            assert done["event_type"] == "sync_success"
            assert len(site("devices", "list", "--json").json) == 3
    log = site("integrations", "logs", fleet, "--json")
    assert any(line["event_type"] == "sync_success" for line in log.json_lines)
    assert server["token"] not in log.out + site("integrations", "list", "--json").out


def test_a_reader_that_has_seen_enough_is_no_failure_to_complain_of(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "main.py"), "integrations", "catalogue", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(20) in {0, 1}


@contextmanager
def interruptible() -> Iterator[None]:
    """Processes started meanwhile heed Ctrl+C, also where a shell started these tests in its background: that
    ignores it, and what is ignored is inherited.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl+C cannot be sent to one process there")
def test_ctrl_c_ends_a_command_with_one_word(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "main.py"), "decode", "auto", "--json"]
    pipe = subprocess.PIPE
    with interruptible(), subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("7878\n")
        process.stdin.flush()
        assert "error" in process.stdout.readline()  # answered at once, line by line
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (1, "Stopped.")


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("import sys; sys.modules['PySide6'] = None", ("Qt", "gateway")),
        ("import os; os.environ.pop('QT_QPA_PLATFORM', None)", ("display", "gateway")),
    ],
)
def test_a_window_that_cannot_be_is_refused_in_words(tmp_path: Path, missing: str, words: tuple[str, str]) -> None:
    if "QPA" in missing and sys.platform in {"win32", "darwin"}:
        pytest.skip("there is always a display")
    program = f"{missing}; import sys; from main import run; sys.exit(run())"
    done = subprocess.run(
        [sys.executable, "-c", program, "--data-dir", str(tmp_path / "data")],
        cwd=ROOT,
        env={**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert_refused(Outcome(done.returncode, done.stdout, done.stderr), *words)
    assert not (tmp_path / "data").exists()
