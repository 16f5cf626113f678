"""Settings, manifest and the check that the address can be bound."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket

import pytest
from pydantic import ValidationError

from adapters.base import CheckStep, Layer, settings_form
from adapters.binding import explained
from adapters.errors import NotReady, SettingsInvalid
from adapters.gt02_tracker import Gt02Adapter, Gt02Settings
from tests.adapters.gt02_tracker.support import FakeInlet, make_kit, until


async def check(**settings: object) -> list[CheckStep]:
    steps: list[CheckStep] = []
    async with make_kit() as kit:
        await Gt02Adapter(Gt02Settings.model_validate({"host": "127.0.0.1", **settings}), kit).check(steps.append)
    return steps


def test_defaults_and_form() -> None:
    settings = Gt02Settings()
    assert (settings.host, settings.port, settings.udp) == ("0.0.0.0", 5022, False)
    assert [spec.kind for spec in settings_form(Gt02Settings)] == ["host", "port", "switch", "number"]
    assert Gt02Adapter.manifest.modes == {"listen"}


@pytest.mark.parametrize("wrong", [{"port": 65536}, {"port": -1}, {"host": ""}, {"idle_minutes": 31}, {"hots": "a"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Gt02Settings.model_validate(wrong)


@pytest.mark.parametrize("udp", [False, True])
async def test_check_proves_a_free_address_and_leaves_it_free(udp: bool) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        steps = await check(port=port, udp=udp)
        assert [(step.layer, step.ok) for step in steps] == [(Layer.NAME, True), (Layer.ROUTE, True)]


async def test_check_names_a_taken_port() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(NotReady, match=rf"TCP port {port} on .* is already in use .* choose another port"):
            await check(port=port)


async def test_check_names_a_taken_udp_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        port = free_for_both()
        other.bind(("127.0.0.1", port))
        with pytest.raises(NotReady, match="UDP port"):
            await check(port=port, udp=True)


def free_for_both() -> int:
    """A port that nobody holds for TCP or for UDP: another test's peer may hold one of the two."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def test_an_engine_that_listens_counts_as_taken() -> None:
    inlet = FakeInlet()
    async with make_kit() as kit:
        adapter = Gt02Adapter(Gt02Settings(host="127.0.0.1", port=0), kit)
        task = asyncio.create_task(adapter.listen(inlet))
        await until(lambda: inlet.details)
        port = adapter.listener.port
        assert inlet.details == [f"Listening on 127.0.0.1:{port} (TCP)."]
        with pytest.raises(NotReady, match="running engine"):
            await check(port=port)
        second = Gt02Adapter(Gt02Settings(host="127.0.0.1", port=port), kit)
        with pytest.raises(NotReady, match="already in use"):
            await second.listen(FakeInlet())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(1):
                await task
    await check(port=port)


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-name.invalid", "not a name", "a" * 64 + ".invalid"])
async def test_a_foreign_address_is_a_wrong_setting(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="to listen on all of its addresses") as caught:
        await check(host=host)
    assert caught.value.field == "host"


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-name.invalid"])
async def test_an_address_that_is_missing_at_the_start_is_waited_for(host: str) -> None:
    """A gateway that runs as a service starts before the network has its address; nobody is there to press a button."""
    async with make_kit() as kit:
        adapter = Gt02Adapter(Gt02Settings(host=host, port=0), kit)
        with pytest.raises(NotReady, match="It is tried again by itself"):
            await adapter.listen(FakeInlet())


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
        OSError("could not bind on any address out of [('192.0.2.77', 5022)]"),
    ],
    ids=["the system's", "asyncio's of Python 3.13"],
)
def test_an_address_that_is_not_ours_is_told_however_it_is_said(error: OSError) -> None:
    told = explained(error, "192.0.2.77", 5022)
    assert isinstance(told, SettingsInvalid)
    assert told.field == "host"


def test_a_forbidden_port_has_its_own_sentence() -> None:
    error = explained(PermissionError(13, "Permission denied"), "0.0.0.0", 80)
    assert isinstance(error, SettingsInvalid)
    assert (error.field, "may not listen" in error.why) == ("port", True)


def test_other_failures_are_named_with_the_systems_words() -> None:
    error = explained(OSError(99999, "out of luck"), "0.0.0.0", 80)
    assert isinstance(error, NotReady)
    assert "out of luck" in error.why
