from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app import platform
from app.platform import parse_mount_listing

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="rights and signals of POSIX")

SLEEP = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


@posix_only
def test_the_limit_of_open_files_is_raised_and_never_lowered() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        assert platform.raise_open_files_limit(512) == min(512, before[1])
        assert platform.raise_open_files_limit(64) == min(512, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_processes_are_seen_ended_and_killed() -> None:
    child = subprocess.Popen(SLEEP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **platform.own_group())
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"up"
    assert platform.is_process_alive(child.pid)
    platform.end_process(child.pid)
    child.communicate(timeout=10)
    assert not platform.is_process_alive(child.pid)
    platform.kill_process(child.pid)


@posix_only
def test_an_ended_child_that_nobody_collected_does_not_count_as_running() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not platform.is_process_alive(child.pid)
    child.wait()
    child.stdout.close()


@posix_only
def test_a_child_of_its_own_group_survives_our_interrupt() -> None:
    with subprocess.Popen(SLEEP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **platform.own_group()) as child:
        assert os.getpgid(child.pid) != os.getpgid(0)
        platform.kill_process(child.pid)


@pytest.mark.parametrize("number", [0, -1])
def test_numbers_that_name_groups_are_left_alone(number: int) -> None:
    platform.kill_process(number)
    platform.end_process(number)
    assert not platform.is_process_alive(number)


@posix_only
async def test_a_stop_signal_reaches_the_loop() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    platform.on_stop_signal(loop, stopped.set)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await stopped.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)


def test_our_own_folder_is_no_network_share(tmp_path: Path) -> None:
    assert not platform.is_network_path(tmp_path / "not" / "yet" / "there")


def test_the_longest_mount_point_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = tmp_path / "share"
    (share / "local").mkdir(parents=True)
    mounts = [("/", "ext4"), (str(share), "nfs4"), (str(share / "local"), "ext4")]
    monkeypatch.setattr(platform, "_mounts", lambda: mounts)
    assert platform.is_network_path(share / "store.sqlite")
    assert platform.is_network_path(share)
    assert not platform.is_network_path(share / "local")
    assert not platform.is_network_path(tmp_path / "share-like-name")


def test_mounts_of_macos_are_read() -> None:
    listing = "/dev/disk3s1s1 on / (apfs, sealed)\n//ada@nas/Depot (1) on /Volumes/Depot (1) (smbfs, nodev)\nnonsense\n"
    assert parse_mount_listing(listing) == [("/", "apfs"), ("/Volumes/Depot (1)", "smbfs")]


def test_the_user_has_a_name_even_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    assert platform.console_user()

    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert platform.console_user().startswith(("user ", "unknown"))


@posix_only
def test_private_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    file.chmod(0o644)
    assert not platform.is_private(file)
    platform.make_private(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert platform.is_private(file)


def test_a_durable_write_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    platform.write_durably(path, b"old")
    platform.write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert platform.is_private(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_durable_write_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    platform.write_durably(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(platform, "sync_file", full)
    with pytest.raises(OSError, match="No space left"):
        platform.write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_display_is_known_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not platform.has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert platform.has_display()
