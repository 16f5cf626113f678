"""What the window says of alarms wherever the operator is: the line, the word, the sound and its twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app import platform
from app.alarms.acts import acknowledge
from app.alarms.findings import Raise
from app.alarms.lifecycle import apply_findings
from app.alarms.listing import Summary, list_alarms
from app.alarms.words import Kind, Priority
from app.preferences import Preferences
from resources import resource_path
from tests.helpers.qt import Console, until
from tests.helpers.sample_pages import CardsPage
from widgets.alarms.announcer import Announcer, is_heard, is_quiet
from widgets.alarms.entries import alarm_entries
from widgets.alarms.page import AlarmsPage
from widgets.alarms.wiring import wire_alarms
from widgets.alarms.words import line_of
from widgets.window import ConsoleWindow, PageSpec

MIN_MS = 60_000


@dataclass
class Desk:
    console: Console
    window: ConsoleWindow
    announcer: Announcer
    now_ms: int
    played: list[str] = field(default_factory=list)

    async def tell(self, *found: Raise) -> None:
        job: Callable[[Any], int] = lambda connection: apply_findings(connection, found, self.now_ms)  # noqa: E731
        await asyncio.to_thread(lambda: self.console.store.write(job).result(10))

    def alarm(self, title: str, priority: Priority = Priority.LOW, ago_min: float = 0) -> Raise:
        at_ms = self.now_ms - round(ago_min * MIN_MS)
        return Raise(f"speed:{title}", Kind.SPEED, priority, None, at_ms, title, "Detail.")

    @property
    def line(self) -> str:
        return self.window.side_bar.alarms.accessibleName()


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    specs = [
        PageSpec(CardsPage.key, "Things", "list", lambda: CardsPage),
        PageSpec("alarms", "Alarms", "shield-alert", lambda: AlarmsPage),
    ]
    window = ConsoleWindow(console.context, specs, fixes={}, log_lines=list)
    announcer = wire_alarms(console.context, window)
    made = Desk(console, window, announcer, console.context.services.clock.now_ms())
    announcer.play = made.played.append
    await console.context.preferences.change(quiet_from="00:00", quiet_to="00:00")
    window.start(CardsPage.key)
    await made.tell(made.alarm("Old one", Priority.HIGH))
    announcer.look()
    await until(lambda: made.line == "1 alarm, 1 high")
    yield made
    await announcer.close()
    window.close_parts()
    window.hide()
    window.deleteLater()


async def test_what_stood_before_is_shown_and_not_cried(desk: Desk) -> None:
    assert desk.played == []
    assert desk.window.toasts.messages() == []
    assert "1 high" in desk.window.side_bar.alarms.toolTip()


async def test_a_new_one_is_said_heard_and_seen(desk: Desk) -> None:
    await desk.tell(desk.alarm("KAN-482-AB: SOS", Priority.HIGH), desk.alarm("XYZ: too fast"))
    await until(lambda: desk.played)
    assert desk.played == ["high"]
    assert desk.window.toasts.messages() == [("error", "KAN-482-AB: SOS\nXYZ: too fast")]
    assert desk.window.side_bar.alarms.property("flash") == "true"
    await until(lambda: desk.window.side_bar.alarms.property("flash") == "false")
    await until(lambda: not desk.window.side_bar._flash.isActive())
    assert desk.window.side_bar.alarms.property("flash") == "false"
    assert desk.line == "3 alarms, 2 high"


async def test_the_past_is_not_cried_as_new(desk: Desk) -> None:
    over = replace(desk.alarm("ABC: too fast", ago_min=3), ended_ms=desk.now_ms - MIN_MS)
    await desk.tell(desk.alarm("XYZ: too fast", ago_min=16), over)
    await until(lambda: desk.line == "3 alarms, 1 high")
    assert desk.played == []


async def test_a_repeat_is_not_said_again(desk: Desk) -> None:
    await desk.tell(desk.alarm("XYZ: too fast"))
    await until(lambda: desk.played == ["low"])
    await desk.tell(replace(desk.alarm("XYZ: too fast"), at_ms=desk.now_ms + 5_000))
    await desk.tell(desk.alarm("ABC: too fast"))
    await until(lambda: desk.played == ["low", "low"])
    assert desk.window.toasts.messages() == [("info", "ABC: too fast")]


async def test_a_flood_is_one_message(desk: Desk) -> None:
    await desk.tell(*(desk.alarm(f"V{number}: too fast") for number in range(12)))
    await until(lambda: desk.played)
    assert "Flood: 13 alarms" in desk.window.toasts.messages()[0][1]
    await desk.tell(desk.alarm("one more"))
    await until(lambda: desk.line.startswith("14"))
    assert len(desk.played) == 1
    await desk.tell(desk.alarm("SOS", Priority.HIGH))
    await until(lambda: desk.played == ["low", "high"])


async def test_a_click_on_the_line_opens_the_page(desk: Desk) -> None:
    QTest.mouseClick(desk.window.side_bar.alarms, Qt.MouseButton.LeftButton)
    assert desk.window.page is not None
    assert desk.window.page.key == "alarms"
    await until(lambda: desk.window.page is not None and desk.window.page.is_ready)


async def test_seen_to_is_off_the_line(desk: Desk) -> None:
    with desk.console.store.read() as connection:
        (row,) = list_alarms(connection)
    desk.console.store.write(lambda connection: acknowledge(connection, [row.id], desk.now_ms)).result(10)
    await until(lambda: desk.line == "No alarms")


async def test_the_desktop_and_the_tray_are_told_where_nobody_looks(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, str]] = []
    states: list[tuple[str, str]] = []
    monkeypatch.setattr(desk.window.tray, "say", lambda title, text: said.append((title, text)))
    monkeypatch.setattr(desk.window.tray, "set_state", lambda level, words: states.append((level, words)))
    desk.window.showMinimized()
    await desk.tell(desk.alarm("KAN-482-AB: SOS", Priority.HIGH))
    await until(lambda: said)
    assert said == [("Alarm of high priority", "KAN-482-AB: SOS")]
    assert states[-1] == ("error", "2 alarms, 2 high")


async def test_what_was_cried_is_not_cried_again_when_newer_ones_are_seen_to(desk: Desk) -> None:
    await desk.tell(*(desk.alarm(f"Lorry {number:02}", ago_min=14 - number / 10) for number in range(30)))
    await until(lambda: desk.line.startswith("31 alarms") and desk.played == ["low"])
    with desk.console.store.read() as connection:
        newest = [row.id for row in list_alarms(connection)[:21]]
    await asyncio.to_thread(lambda: desk.console.store.write(lambda c: acknowledge(c, newest, desk.now_ms)).result(10))
    await until(lambda: desk.line.startswith("10 alarms"))
    assert desk.played == ["low"]


async def test_the_palette_finds_alarms_and_groups(desk: Desk) -> None:
    titles = [command.title for command in await alarm_entries(desk.console.context, "old")]
    assert titles[-1] == "Old one"
    assert "Alarms: shelved" in titles
    assert await alarm_entries(desk.console.context, "o") == []


@pytest.mark.parametrize(
    ("begin", "end", "now", "expected"),
    [
        ("22:00", "06:00", time(23), True),
        ("22:00", "06:00", time(5, 59), True),
        ("22:00", "06:00", time(6), False),
        ("12:00", "14:00", time(13), True),
        ("12:00", "14:00", time(14), False),
        ("00:00", "00:00", time(0), False),
    ],
)
def test_quiet_hours(begin: str, end: str, now: time, expected: bool) -> None:
    assert is_quiet(begin, end, now) is expected


def test_what_is_heard() -> None:
    night, noon = time(23), time(12)
    every = Preferences()
    assert is_heard(every, "low", noon)
    assert not is_heard(every, "low", night)
    assert is_heard(every, "high", night), "an SOS is heard at night"
    assert not is_heard(every.changed(alarm_sound="high"), "medium", noon)
    assert not is_heard(every.changed(alarm_sound="none"), "high", noon)


def test_the_line_says_how_many_and_the_worst() -> None:
    assert line_of(Summary())[:2] == ("ok", "No alarms")
    assert line_of(Summary(low=2))[:2] == ("info", "2 alarms")
    assert line_of(Summary(low=2, medium=1))[:2] == ("warn", "3 alarms, 1 medium")
    assert "Flood" in line_of(Summary(high=1, lately=11))[2]


def test_the_systems_player_gets_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = tmp_path / "played"
    player = tmp_path / "paplay"
    player.write_text(f'#!/bin/sh\necho "$1" > {played}\n', encoding="utf-8")
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(platform, "_PLAYERS", (("no-such-player",), ("paplay",)))
    sound = resource_path("sounds/alarm-high.wav")
    assert platform.play_sound(sound)
    (playing,) = platform._playing
    assert playing.wait(20) == 0
    assert played.read_text(encoding="utf-8").strip() == str(sound)
    monkeypatch.setattr(platform, "_PLAYERS", (("no-such-player",),))
    assert not platform.play_sound(sound)
    platform._reap_players()
