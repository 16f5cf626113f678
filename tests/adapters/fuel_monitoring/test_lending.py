"""Ports that the workbench borrows: sources close them, wait, and come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.fuel_monitoring.lending import LentPorts
from tests.adapters.fuel_monitoring.lines import PortList, usb
from tests.helpers.fake_adapter import LentClock, settle


async def nothing() -> None: ...


async def test_a_source_closes_its_port_and_waits_until_it_is_returned(tmp_path: Path) -> None:
    clock, path = LentClock(), tmp_path / "ttyUSB0"
    path.touch()
    lent = LentPorts(clock, PortList(usb(path)))
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    await lent.wait_until_free(str(path))
    with lent.on_lent(str(path), close):
        assert await lent.lend(str(path), 30)
        assert closed == ["closed"]
        assert lent.is_lent(str(path))
        assert lent.since_ms(str(path)) == clock.now_ms()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(lent.wait_until_free(str(path)))
        await settle()
        assert not waiting.done()
        assert await lent.lend(str(path), 0)
    assert not lent.is_lent(str(path))
    assert lent.since_ms(str(path)) is None


async def test_a_loan_that_is_not_renewed_ends_by_itself() -> None:
    clock = LentClock()
    lent = LentPorts(clock, PortList())
    await lent.lend("/dev/ttyUSB0", 30)
    since = lent.since_ms("/dev/ttyUSB0")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(lent.wait_until_free("/dev/ttyUSB0"))
        await asyncio.sleep(0.05)
        await clock.advance(20)
        await lent.lend("/dev/ttyUSB0", 30)
        assert lent.since_ms("/dev/ttyUSB0") == since, "renewed, not begun anew"
        await clock.advance(20)
        assert not waiting.done()
        await clock.advance(11)
        await waiting


async def test_all_names_of_a_port_count_as_one(tmp_path: Path) -> None:
    path, link = tmp_path / "ttyUSB0", tmp_path / "by-id"
    path.touch()
    link.symlink_to(path)
    lent = LentPorts(LentClock(), PortList(usb(path)))
    await lent.wait_until_free("usb:0403:6001:A50285BI")
    with lent.on_lent("usb:0403:6001:A50285BI", nothing):
        assert await lent.lend(str(link), 30)
        assert lent.is_lent("usb:0403:6001:A50285BI")


async def test_a_port_that_nobody_here_uses_is_none_of_ours() -> None:
    lent = LentPorts(LentClock(), PortList())
    await lent.wait_until_free("/dev/ttyUSB0")
    with lent.on_lent("/dev/ttyUSB0", nothing):
        assert not await lent.lend("/dev/ttyUSB1", 30)
        assert not lent.is_lent("/dev/ttyUSB0")
