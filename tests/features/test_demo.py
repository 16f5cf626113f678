"""Stories of the demo as a newcomer meets it: it moves, it stands beside the real program, it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import func, select

from app.demo import NAMES, REAL_PORT, TRACKED
from app.demo_folder import WHOLE
from app.engine.facts import read_facts
from app.integrations import list_integrations
from app.paths import Paths
from app.store.store import Store
from app.store.tables import Device, PositionRow
from tests.helpers.command_line import ROOT
from tests.helpers.depot import wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks for signals that exist on POSIX systems")


class RunningDemo:
    """``main.py demo`` with a data folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.paths = Paths(folder)
        command = [sys.executable, str(ROOT / "main.py"), "--data-dir", str(folder), "demo", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"})
        self._family: list[psutil.Process] = []

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self.family()

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def family(self) -> list[psutil.Process]:
        """Gateway and peers: every process that this one has started."""
        self._family = psutil.Process(self.process.pid).children(recursive=True) or self._family
        return self._family

    def of_family(self, *words: str) -> list[psutil.Process]:
        """Those still alive whose command line ends with these words before any others."""
        return [member for member in self._family if _is_alive(member) and set(words) <= set(_words(member))]

    def end(self) -> None:
        for process in (self.process, *self._family):
            if process is self.process or _is_alive(process):
                process.kill()
        self.process.communicate(timeout=10)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _listening(process: psutil.Process) -> set[int]:
    """Its ports; none of a process that came and went, as those of a database server do."""
    try:
        found = process.net_connections("inet")
    except psutil.Error:
        return set()
    return {connection.laddr.port for connection in found if connection.status == psutil.CONN_LISTEN}


def _words(process: psutil.Process) -> Sequence[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


@pytest.fixture
def demo(folder: Path) -> Iterator[RunningDemo]:
    running = RunningDemo(folder)
    yield running
    running.end()


def _positions_per_source(paths: Paths) -> dict[str, int]:
    store = Store.open(paths.store_url)
    try:
        with store.read() as connection:
            names = {row.id: row.name for row in list_integrations(connection)}
            counts = select(Device.integration_id, func.count()).join(PositionRow, PositionRow.device_key == Device.key)
            rows = connection.execute(counts.group_by(Device.integration_id)).all()
    finally:
        store.close()
    return {names[identifier]: count for identifier, count in rows}


def _has_both(paths: Paths) -> bool:
    return set(_positions_per_source(paths)) >= set(TRACKED.values())


def test_both_sources_bring_positions_and_ctrl_c_leaves_nothing_behind(demo: RunningDemo) -> None:
    demo.wait_ready()
    assert "engine " in demo.next_line()
    wait_for(lambda: _has_both(demo.paths), 60)
    listening = {port for member in demo.family() for port in _listening(member)}
    assert len(listening) >= 2
    assert REAL_PORT not in listening
    assert demo.paths.vault_file.exists()
    with pytest.raises(subprocess.CalledProcessError) as second:
        subprocess.run(demo.process.args, check=True, capture_output=True, timeout=30)
    assert second.value.returncode == 1
    assert b"is running" in second.value.stderr
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(15) == 0
    wait_for(lambda: not demo.of_family())


def test_a_kept_demo_goes_on_after_a_kill(demo: RunningDemo) -> None:
    demo.wait_ready()
    wait_for(lambda: _has_both(demo.paths), 60)
    wait_for((demo.paths.data_dir / WHOLE).exists, 90)
    demo.process.kill()
    demo.process.wait(10)
    wait_for(lambda: not demo.of_family("--peers"))
    left = read_facts(demo.paths.engine_json)
    assert left is not None
    before = _positions_per_source(demo.paths)
    again = RunningDemo(demo.paths.data_dir, "--keep")
    try:
        again.wait_ready()
        assert not demo.of_family()
        wait_for(lambda: all(_positions_per_source(demo.paths)[name] > count for name, count in before.items()), 60)
        store = Store.open(demo.paths.store_url)
        with store.read() as connection:
            assert sorted(row.name for row in list_integrations(connection)) == sorted(NAMES.values())
        store.close()
        again.process.terminate()
        assert again.process.wait(15) == 0
    finally:
        again.end()


def test_peers_that_die_end_the_demo_with_a_sentence(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "main.py"), "--data-dir", str(folder), "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        family = psutil.Process(process.pid).children(recursive=True)
        for member in family:
            if "--peers" in _words(member):
                member.kill()
        assert process.wait(20) == 1
        assert "peers ended" in process.stderr.read()
    wait_for(lambda: not [member for member in family if _is_alive(member)])
