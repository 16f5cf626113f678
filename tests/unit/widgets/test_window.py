"""The window as an operator uses it: by mouse, by keyboard, and on the way out."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot
from sqlalchemy import Connection, insert, update

from app.clock import utc_now
from app.preferences import JsonFile, PreferencesFile
from app.store.store import raise_topic
from app.store.tables import Problem, Vehicle
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.sample_pages import SAMPLE_PAGES, TrucksPage
from widgets.problems_panel import Fix, OpenProblem
from widgets.screenshot import grab_page
from widgets.ui_state import UiState
from widgets.window import ConsoleWindow

LEFT = Qt.MouseButton.LeftButton
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


class Bench:
    """A window on a console, and what was done with its problems."""

    def __init__(self, console: Console, *, is_demo: bool = False) -> None:
        self.console = console
        self.fixed: list[OpenProblem] = []
        self.log_lines = ["first line", "second line"]
        self.window = ConsoleWindow(
            console.context,
            SAMPLE_PAGES,
            fixes={"sign_in": Fix("Sign in again", self.fixed.append)},
            log_lines=lambda: list(self.log_lines),
            is_demo=is_demo,
        )

    def trucks(self) -> TrucksPage:
        page = self.window.made_page("trackers")
        assert isinstance(page, TrucksPage)
        return page

    async def come_to_front(self) -> None:
        """Keys go to the window in front."""
        self.window.activateWindow()
        await until(self.window.isActiveWindow)

    def close(self) -> None:
        self.window.close_parts()
        self.window.hide()
        self.window.deleteLater()


@pytest_asyncio.fixture
async def bench(console: Console) -> AsyncIterator[Bench]:
    made = Bench(console)
    made.window.start()
    await made.come_to_front()
    yield made
    made.close()


def add_problem(connection: Connection, title: str = "Traccar wants a new sign-in", fix: str = "sign_in") -> None:
    version = raise_topic(connection, "problems")
    since = utc_now() - timedelta(minutes=4)
    connection.execute(
        insert(Problem).values(
            problem_key=title, title=title, detail="Sign in again.", fix=fix, since=since, changed_version=version
        )
    )


def clear_problems(connection: Connection) -> None:
    raise_topic(connection, "problems")
    connection.execute(update(Problem).values(cleared_at=utc_now()))


def add_truck(connection: Connection, plate: str = "KAN-100-AA") -> None:
    version = raise_topic(connection, "vehicles")
    row = {"id": plate, "plate": plate, "name": "Blue", "make_model": "", "notes": "", "created_at": utc_now()}
    connection.execute(insert(Vehicle).values(**row, changed_version=version))


def words(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible() and label.text()]


async def test_pages_stand_in_the_given_order_and_are_made_when_first_chosen(bench: Bench, qtbot: QtBot) -> None:
    assert bench.window.page_keys == ("integrations", "trackers")
    assert bench.window.made_page("trackers") is None
    qtbot.mouseClick(bench.window.side_bar.page_button("trackers"), LEFT)
    assert bench.window.page is bench.trucks()
    await until(lambda: bench.trucks().is_ready)
    assert bench.window.side_bar.page_button("trackers").isChecked()


async def test_the_shell_itself_does_not_import_the_plot_library(bench: Bench) -> None:
    assert not {name for name in sys.modules if name == "pyqtgraph" and bench.window.page is None}


async def test_a_change_in_the_store_appears_on_the_page(bench: Bench) -> None:
    bench.window.open_page("trackers")
    await until(lambda: bench.trucks().is_ready)
    assert bench.trucks().model.rowCount() == 0
    await bench.console.context.bridge.write(add_truck)
    await until(lambda: bench.trucks().model.rowCount() == 1)


async def test_another_part_opens_a_page_with_an_item(bench: Bench) -> None:
    bench.console.context.open_page("trackers", imei="358600000000001")
    assert bench.trucks().items == [{"imei": "358600000000001"}]
    with pytest.raises(KeyError):
        bench.console.context.open_page("no such page")


async def test_keys_change_pages_and_open_panels(bench: Bench, qtbot: QtBot) -> None:
    window = bench.window
    qtbot.keyClick(window, Qt.Key.Key_2, ALT)
    assert window.page is bench.trucks()
    qtbot.keyClick(window, Qt.Key.Key_PageDown, CTRL)
    assert window.page is window.made_page("integrations")
    qtbot.keyClick(window, Qt.Key.Key_9, ALT)
    assert window.page is window.made_page("integrations")
    qtbot.keyClick(window, Qt.Key.Key_F8)
    assert window.problems.isVisible()
    assert "No problems" in words(window.problems)
    qtbot.keyClick(window, Qt.Key.Key_F8)
    assert not window.problems.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_F9)
    await until(lambda: window.log.text.toPlainText() == "first line\nsecond line")
    with qtbot.waitSignal(window.help_wanted):
        qtbot.keyClick(window, Qt.Key.Key_F1)


async def test_the_search_key_goes_to_the_pages_search(bench: Bench, qtbot: QtBot) -> None:
    bench.window.open_page("trackers")
    await bench.console.context.bridge.write(add_truck)
    await until(lambda: bench.trucks().model.total == 1)
    qtbot.keyClick(bench.window, Qt.Key.Key_F, CTRL)
    qtbot.keyClicks(bench.trucks().search, "lagos")
    qtbot.keyClick(bench.trucks().search, Qt.Key.Key_Return)
    assert bench.trucks().model.rowCount() == 0
    qtbot.keyClick(bench.trucks().search, Qt.Key.Key_Escape)
    assert bench.trucks().model.rowCount() == 1


async def test_a_problem_is_counted_explained_and_fixed_by_its_button(bench: Bench, qtbot: QtBot) -> None:
    window = bench.window
    assert window.side_bar.problems.accessibleName() == "No problems"
    await bench.console.context.bridge.write(add_problem)
    await until(lambda: window.side_bar.problems.accessibleName() == "1 problem")
    qtbot.mouseClick(window.side_bar.problems, LEFT)
    assert {"Traccar wants a new sign-in", "Sign in again.", "4 min ago"} <= set(words(window.problems))
    (button,) = [found for found in window.problems.findChildren(QPushButton) if found.text() == "Sign in again"]
    qtbot.mouseClick(button, LEFT)
    assert [problem.title for problem in bench.fixed] == ["Traccar wants a new sign-in"]
    await bench.console.context.bridge.write(clear_problems)
    await until(lambda: window.side_bar.problems.accessibleName() == "No problems")


async def test_texts_of_problems_are_never_markup(bench: Bench) -> None:
    await bench.console.context.bridge.write(lambda connection: add_problem(connection, "<b>bold</b> & <img src=x>"))
    bench.window.toggle_problems()
    await until(lambda: "<b>bold</b> & <img src=x>" in words(bench.window.problems))
    labels = [label for label in bench.window.problems.findChildren(QLabel) if "<b>" in label.text()]
    assert {label.textFormat() for label in labels} == {Qt.TextFormat.PlainText}


async def test_the_engine_state_is_shape_word_and_description(bench: Bench) -> None:
    bench.window.set_engine_state("error", "Engine not answering", "since 12 s")
    engine = bench.window.side_bar.engine
    assert (engine.dot.level, engine.words.text()) == ("error", "Engine not answering")
    assert engine.accessibleDescription() == "since 12 s"
    assert "Engine not answering" in bench.window.tray._icon.toolTip()


async def test_messages_replace_older_ones_of_their_level_and_errors_stay(bench: Bench, qtbot: QtBot) -> None:
    notify = bench.console.context.notify
    notify("ok", "Saved here")
    notify("error", "The server refused it")
    notify("ok", "Accepted by the server")
    toasts = bench.window.toasts
    assert toasts.messages() == [("error", "The server refused it"), ("ok", "Accepted by the server")]
    assert not toasts._toasts["error"].timer.isActive()
    toasts._toasts["ok"].timer.timeout.emit()
    assert toasts.messages() == [("error", "The server refused it")]
    qtbot.mouseClick(toasts._toasts["error"].closed, LEFT)
    assert not toasts.isVisible()


async def test_a_narrow_window_shows_icons_with_tool_tips(bench: Bench) -> None:
    bench.window.resize(760, 600)
    assert bench.window.side_bar.is_compact
    button = bench.window.side_bar.page_button("trackers")
    assert button.text() == ""
    assert button.toolTip().startswith("Trackers")
    assert button.accessibleName() == "Trackers"
    alarms = bench.window.side_bar.alarms
    bench.window.set_alarms("warn", "3 alarms, 1 medium", "Not seen to yet: 1 medium, 2 low.")
    assert "3 alarms" in alarms.toolTip()
    bench.window.resize(1280, 800)
    assert button.text().strip() == "Trackers"
    assert "2 low" in alarms.toolTip(), "the width of the window does not take it away"


async def test_the_side_bar_makes_room_for_the_problems_in_a_small_window(bench: Bench, qtbot: QtBot) -> None:
    bench.window.resize(1024, 700)
    assert not bench.window.side_bar.is_compact
    await bench.come_to_front()
    qtbot.keyClick(bench.window, Qt.Key.Key_F8)
    await until(lambda: bench.window.side_bar.is_compact)
    page = bench.window.page
    assert page is not None
    await until(lambda: page.mapTo(bench.window, QPoint()).x() == bench.window.side_bar.width())
    logos = [label for label in bench.window.side_bar.findChildren(QLabel) if not label.pixmap().isNull()]
    assert all(logo.width() >= logo.sizeHint().width() for logo in logos)
    qtbot.keyClick(bench.window, Qt.Key.Key_F8)
    await until(lambda: not bench.window.side_bar.is_compact)


async def test_the_theme_key_changes_the_look_and_keeps_it(bench: Bench, qtbot: QtBot) -> None:
    context = bench.console.context
    qtbot.keyClick(bench.window, Qt.Key.Key_L, CTRL | Qt.KeyboardModifier.ShiftModifier)
    await until(lambda: context.preferences.choices.theme == "dark")
    assert context.theme.tokens["name"] == "dark"
    assert PreferencesFile(bench.console.paths.preferences).load().theme == "dark"


async def test_a_theme_chosen_elsewhere_is_taken_up(bench: Bench) -> None:
    await bench.console.context.preferences.change(theme="contrast")
    assert bench.console.context.theme.tokens["name"] == "contrast"


async def test_everything_in_the_tab_order_has_a_name(bench: Bench) -> None:
    bench.window.toggle_problems()
    bench.window.toggle_log()
    bench.window.open_page("trackers")
    nameless = [
        widget
        for widget in bench.window.findChildren(QWidget)
        if widget.isVisible()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not (widget.accessibleName() or getattr(widget, "text", str)())
        and not widget.objectName().startswith("qt_")
    ]
    assert nameless == []


async def test_closing_asks_the_main_coroutine_and_keeps_the_loop(bench: Bench) -> None:
    bench.window.close()
    assert bench.window.exit_event.is_set()
    assert bench.window.isVisible()
    assert not bench.window.isEnabled()


async def test_size_page_and_panels_are_there_again_next_time(console: Console) -> None:
    first = Bench(console)
    first.window.start("trackers")
    first.window.resize(761, 543)  # within the 800 × 800 of the offscreen screen
    first.window.toggle_problems()
    first.close()
    await console.tasks.cancel_owner(first.window)
    again: Any = UiState(JsonFile(console.paths.window_state))
    object.__setattr__(console.context, "ui_state", again)
    second = Bench(console)
    second.window.start()
    assert (second.window.width(), second.window.height()) == (761, 543)
    assert second.window.page is second.trucks()
    assert second.window.problems.isVisible()
    second.close()


async def test_a_screenshot_is_of_the_page_with_its_data(bench: Bench, tmp_path: Path) -> None:
    await bench.console.context.bridge.write(add_truck)
    file = tmp_path / "trackers.png"
    assert await grab_page(bench.window, "trackers", file, "dark", (1000, 700))
    picture = QImage(str(file))
    assert (picture.width(), picture.height()) == (1000, 700)
    assert picture.pixelColor(600, 690).name() == bench.console.context.theme.tokens["bg"]
    assert bench.trucks().model.rowCount() == 1
    with pytest.raises(OSError, match="cannot be written"):
        await grab_page(bench.window, "trackers", tmp_path / "no folder" / "x.png")
    with pytest.raises(KeyError):
        await grab_page(bench.window, "nowhere", file)


async def test_a_table_is_exported_as_seen_by_key(bench: Bench, qtbot: QtBot, tmp_path: Path) -> None:
    bench.window.open_page("trackers")
    await bench.console.context.bridge.write(lambda connection: add_truck(connection, "=KAN+1"))
    await until(lambda: bench.trucks().model.rowCount() == 1)
    await bench.come_to_front()
    qtbot.keyClick(bench.window, Qt.Key.Key_E, CTRL)
    await until(open_dialog)
    dialog = open_dialog()
    assert isinstance(dialog, QFileDialog)
    file = tmp_path / "seen.csv"
    name = dialog.findChild(QLineEdit, "fileNameEdit")
    assert isinstance(name, QLineEdit)
    name.setText(str(file))
    dialog.accept()
    await until(file.exists)
    await until(bench.window.toasts.messages)
    assert file.read_text(encoding="utf-8-sig").splitlines() == [
        '"Plate","State","Name","Length"',
        '"\'=KAN+1","Stale","Blue","4 letters"',
    ]
    assert bench.window.toasts.messages() == [("ok", f"1 row written to {file}")]


async def test_a_page_without_a_table_says_so(bench: Bench, qtbot: QtBot) -> None:
    qtbot.keyClick(bench.window, Qt.Key.Key_E, CTRL)
    qtbot.keyClick(bench.window, Qt.Key.Key_P, CTRL)
    assert bench.window.toasts.messages() == [("info", "This page has no table to print.")]


async def test_the_demo_says_that_it_is_one(console: Console) -> None:
    demo = Bench(console, is_demo=True)
    demo.window.start()
    assert demo.window.windowTitle() == "Demo — BIKO depot console"  # Qt adds the program's name where it is not last
    assert demo.window.demo_bar.isVisible()
    demo.close()
