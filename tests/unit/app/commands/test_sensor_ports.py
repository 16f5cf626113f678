"""Ports that cannot be opened or that vanish, as the ``sensors`` commands tell it: one sentence with the next step."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from tests.adapters.fuel_monitoring.lines import needs_pty
from tests.helpers.command_line import CommandLine, assert_refused

pytest.importorskip("grp")  # loaded now: a user without rights may not read the interpreter's own folder either
pytestmark = needs_pty
COMMANDS = [("read", "1"), ("scan", "--addresses", "1-2"), ("identify", "1"), ("monitor", "--seconds", "1")]
HOLD = (
    "import fcntl, os, sys; port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); fcntl.flock(port, fcntl.LOCK_EX);"
    "print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[SensorBus]:
    with SensorBus.on_pty([LlsSensor(1)], tmp_path / "ttyUSB0") as bus:
        yield bus


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
def test_a_device_that_is_gone(bare: CommandLine, bus: SensorBus, command: tuple[str, ...]) -> None:
    bus.unplug()
    assert_refused(bare("sensors", command[0], bus.port, *command[1:]), f"There is no port {bus.port}. ", "lugged in")


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
def test_a_serial_server_that_refuses(bare: CommandLine, scheme: str, command: tuple[str, ...]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"{scheme}://127.0.0.1:{closed.getsockname()[1]}"
        outcome = bare("sensors", command[0], url, *command[1:])
    assert_refused(outcome, f"{url} cannot be reached: it refused the connection. Check its address")


def test_a_port_that_another_program_holds(bare: CommandLine, bus: SensorBus) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, bus.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        outcome = bare("sensors", "read", bus.port, 1)
        other.communicate("")
    assert_refused(outcome, f"(process {other.pid}). Close that program, then try again.")
    assert bare("sensors", "read", bus.port, 1).status == 0


@contextmanager
def without_rights(path: str) -> Iterator[None]:
    """As a user who may not open the port; root may open everything."""
    os.chmod(path, 0o000)  # noqa: PTH101 - the pseudo terminal itself, not the link
    user = os.geteuid()
    os.seteuid(user or 65_534)
    try:
        yield
    finally:
        os.seteuid(user)
        os.chmod(path, 0o600)  # noqa: PTH101


def test_a_port_that_this_user_may_not_open(bare: CommandLine, bus: SensorBus) -> None:
    path = os.path.realpath(bus.port)
    assert bare("sensors", "read", path, 1).status == 0  # and all that is imported is there
    with without_rights(path):
        outcome = bare("sensors", "read", path, 1)
    assert_refused(outcome, f"This user may not open {path}. Ask the administrator for the right to use it.")


def test_a_port_that_vanishes_in_the_middle(bare: CommandLine, bus: SensorBus) -> None:
    timer = threading.Timer(2.0, bus.unplug)  # between two addresses of a search that takes a minute
    timer.start()
    outcome = bare("sensors", "scan", bus.port, "--addresses", "2-254")
    timer.join()
    assert_refused(outcome, "was lost", "Plug it in again")


def test_a_speed_that_the_adapter_does_not_know_ends_a_search(bare: CommandLine, bus: SensorBus) -> None:
    for speeds in ((9_999_999_999,), (19_200, 9_999_999_999)):
        named = [word for speed in speeds for word in ("--speed", speed)]
        outcome = bare("sensors", "scan", bus.port, "--addresses", "2", *named)
        assert_refused(outcome, "cannot work at 9999999999 baud. Choose another speed.")
