"""Stories of the window and its engine: started, killed, kept, adopted, held by a service, inside the window."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from PySide6.QtWidgets import QLabel
from sqlalchemy import select

from app import platform
from app.engine.facts import EngineFacts, read_facts
from app.fleet.devices import adopt
from app.integrations.changes import add
from app.paths import Paths
from app.preferences import Preferences, PreferencesFile
from app.store.tables import PositionRow
from dialogs.refusal import RefusalDialog
from main import Console
from tests.helpers.depot import Depot, Gateway, free_port
from tests.helpers.qt import ExpectedLogs, until
from tests.helpers.window import (
    WindowProcess,
    asked,
    console_on,
    engine_words,
    listening,
    problems,
    report,
    said,
    serving,
    session_on,
    starting,
    stored,
)
from widgets.integrations.page import IntegrationsPage
from widgets.map.page import MapPage

IMEI = "358899051012766"


async def add_trackers(console: Console) -> int:
    """What the form of the integrations page does once its check was good."""
    port = free_port()
    desk = await asyncio.to_thread(lambda: console.context.services.desk)
    await asyncio.to_thread(add, desk, "gt02_tracker", "Depot trackers", {"host": "127.0.0.1", "port": port})
    return port


async def serials(console: Console) -> list[int]:
    found: list[int] = await stored(
        console, lambda c: list(c.execute(select(PositionRow.serial).order_by(PositionRow.id)).scalars())
    )
    return found


async def test_the_first_start_shows_an_empty_page_and_a_running_engine(tmp_path: Path) -> None:
    async with console_on(tmp_path / "data") as console:
        assert isinstance(console.window.page, IntegrationsPage)
        facts = await serving(console)
        assert facts.started_by == "console"
        assert problems(console) == []
        assert said(console) == []
    assert not platform.is_process_alive(facts.pid)
    assert read_facts(console.session.paths.engine_json) is None


async def test_a_frame_on_a_socket_is_on_the_map_within_seconds(tmp_path: Path) -> None:
    async with console_on(tmp_path / "data", page="map") as console:
        page = console.window.page
        assert isinstance(page, MapPage)
        port = await add_trackers(console)
        await listening(console, port)
        await report(port, IMEI, [1])
        await console.context.bridge.write(lambda c: adopt(c, IMEI, "KJA-123-AB"))
        await until(lambda: page.fleet.find("KJA-123-AB"), 10)
        row = page.fleet.row_of(page.fleet.find("KJA-123-AB") or "")
        before = page.fleet.drawn.y[row]
        await report(port, IMEI, [60_000])
        await until(lambda: page.fleet.drawn.y[page.fleet.row_of(page.fleet.find("KJA-123-AB") or "")] != before, 10)


async def test_a_killed_engine_comes_back_by_itself_and_nothing_is_lost(
    tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow("the engine ended unasked", logging.WARNING)
    async with console_on(tmp_path / "data") as console:
        port = await add_trackers(console)
        first = await serving(console)
        await listening(console, port)
        await report(port, IMEI, [1, 2, 3])
        platform.kill_process(first.pid)
        await until(lambda: engine_words(console).startswith("Engine restarts in"), 20)
        assert any("started again" in text for text in said(console))
        second = await serving(console)
        assert second.pid != first.pid
        assert any("at work again" in text for text in said(console))
        await listening(console, port)
        await report(port, IMEI, [4])
        assert await serials(console) == [1, 2, 3, 4]
    assert not platform.is_process_alive(second.pid)


async def test_an_engine_that_is_kept_is_adopted_by_the_next_window(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "data")
    paths.create()
    PreferencesFile(paths.preferences).save(Preferences(keep_engine_running=True))
    with WindowProcess(paths.data_dir) as window:
        first = await window.engine(paths)
        assert await asyncio.to_thread(window.close) == 0
    assert platform.is_process_alive(first.pid)
    async with console_on(paths.data_dir) as console:
        assert await serving(console) == first
        await console.preferences.change(keep_engine_running=False)
    assert not platform.is_process_alive(first.pid)


async def test_a_service_that_runs_the_engine_is_shown_and_left_alone(tmp_path: Path) -> None:
    with Depot(tmp_path / "data") as depot, Gateway(depot) as gateway:
        await asyncio.to_thread(gateway.wait_ready)
        async with console_on(depot.paths.data_dir) as console:
            await until(lambda: engine_words(console) == "Engine runs as a service", 20)
            assert f"process {gateway.process.pid}" in console.window.side_bar.engine.toolTip()
        assert gateway.process.poll() is None
        # A window that shall run the engine itself is refused, and told by whom it is held.
        async with starting(session_on(depot.paths.data_dir), in_process=True):
            dialog = await asked(RefusalDialog)
            text = " ".join(label.text() for label in dialog.findChildren(QLabel))
            assert f"process {gateway.process.pid}" in text
            assert "Stop that one first" in text
        gateway.say("stop")
        assert await asyncio.to_thread(gateway.ended, 10) == 0


async def test_the_engine_inside_the_window_receives_and_ends_with_it(tmp_path: Path) -> None:
    async with console_on(tmp_path / "data", in_process=True) as console:
        port = await add_trackers(console)
        facts = await serving(console)
        assert facts.started_by == "in-process"
        await listening(console, port)
        await report(port, IMEI, [1, 2])
        assert await serials(console) == [1, 2]
    assert read_facts(Paths(tmp_path / "data").engine_json) is None
    async with console_on(tmp_path / "data") as console:  # the lock was given back: a child takes over
        child: EngineFacts = await serving(console)
        assert child.started_by == "console"
        assert await serials(console) == [1, 2]
