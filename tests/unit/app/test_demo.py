from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import demo_folder
from app.commands.session import Session
from app.demo import NAMES, REAL_PORT, Demo, connect, free_port
from app.demo_folder import MARK, DemoFolder, DemoRefused
from app.engine.facts import EngineFacts, write_facts
from app.integrations import configured, list_integrations
from app.paths import Paths
from app.services import Services
from tests.helpers.stores import make_store

STUBBORN = """
import signal, sys
from app.store.locks import EngineLock
from pathlib import Path
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
paths = sys.argv[1]
lock = EngineLock(f"sqlite:///{paths}/store.sqlite", Path(paths) / "engine.lock")
assert lock.acquire()
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "demo")


def facts_of(pid: int) -> EngineFacts:
    return EngineFacts(pid, "0", "0001", "console", 0, "here")


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n", timeout=10)


def test_the_folder_is_emptied_unless_it_is_kept(paths: Paths) -> None:
    for keep, left in ((False, False), (True, True), (False, False)):
        folder = DemoFolder(paths)
        folder.take(keep=keep)
        assert paths.store_file.exists() is left
        assert folder.is_kept is left
        assert paths.logs.is_dir()
        paths.store_file.write_bytes(b"positions")
        folder.note_whole()
        folder.release()


def test_a_demo_that_was_ended_before_its_past_was_written_is_begun_anew(paths: Paths) -> None:
    for _ in range(2):
        folder = DemoFolder(paths)
        folder.take(keep=True)
        assert not folder.is_kept
        assert not paths.store_file.exists()
        paths.store_file.write_bytes(b"positions")
        folder.release()


def test_a_folder_that_is_no_demos_is_never_touched(paths: Paths) -> None:
    paths.create()
    precious = paths.data_dir / "store.sqlite"
    precious.write_bytes(b"a year of positions")
    for keep in (False, True):
        with pytest.raises(DemoRefused, match="no demo's"):
            DemoFolder(paths).take(keep=keep)
    assert precious.read_bytes() == b"a year of positions"
    assert not (paths.data_dir / MARK).exists()


def test_files_in_folders_of_ours_count_as_something(paths: Paths) -> None:
    paths.create()
    (paths.logs / "gateway.log").touch()
    with pytest.raises(DemoRefused):
        DemoFolder(paths).take(keep=False)


def test_one_demo_at_a_time(paths: Paths) -> None:
    first = DemoFolder(paths)
    first.take(keep=False)
    paths.store_file.touch()
    with pytest.raises(DemoRefused, match="running"):
        DemoFolder(paths).take(keep=False)
    assert paths.store_file.exists()
    first.release()


def test_a_demo_keeps_to_its_own_store(paths: Paths) -> None:
    with pytest.raises(DemoRefused, match="--database"):
        Demo(Session(paths, "postgresql://depot@server/depot"), keep=False).prepare()
    assert not paths.data_dir.exists()


@pytest.mark.parametrize("manner", ["polite", "stubborn"])
def test_the_engine_of_a_killed_demo_is_ended(paths: Paths, manner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_folder, "GIVE_WAY_S", 0.5 if manner == "stubborn" else 10.0)
    paths.create()
    (paths.data_dir / MARK).touch()
    command = [sys.executable, "-c", STUBBORN, paths.data_dir.as_posix(), manner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"held\n"
        write_facts(paths.engine_json, facts_of(engine.pid))
        folder = DemoFolder(paths)
        folder.take(keep=False)
        folder.release()
        assert engine.wait(5) < 0


def test_a_stranger_with_the_number_of_a_dead_engine_is_left_alone(
    paths: Paths, stranger: subprocess.Popen[bytes]
) -> None:
    paths.create()
    (paths.data_dir / MARK).touch()
    write_facts(paths.engine_json, facts_of(stranger.pid))
    folder = DemoFolder(paths)
    folder.take(keep=False)
    folder.release()
    assert stranger.poll() is None


def test_a_free_port_is_never_the_real_one() -> None:
    assert all(free_port() not in {0, REAL_PORT} for _ in range(50))


async def test_a_peer_is_added_once_and_followed_to_its_new_port(paths: Paths, tmp_path: Path) -> None:
    paths.create()
    store = make_store(tmp_path / "store")
    session = Session(paths, str(store.url), file_vault_only=True)
    services = Services(paths, store, session.clock, lambda: session.vault)
    try:
        for port in (free_port(), free_port()):
            await connect(services, "gt02_tracker", {"host": "127.0.0.1", "port": port})
            with store.read() as connection:
                (row,) = list_integrations(connection)
                assert row.name == NAMES["gt02_tracker"]
                assert configured(connection, row.id).config["port"] == port
    finally:
        store.close()
