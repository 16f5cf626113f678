"""The small parts, by mouse and by keyboard."""

from __future__ import annotations

import gc
import logging
import threading

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, Qt, QTimer
from PySide6.QtGui import QTextDocument, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from tests.helpers.qt import ExpectedLogs
from widgets.log_dock import LogPanel
from widgets.primitives import (
    Badge,
    Card,
    CardGrid,
    EmptyState,
    FlowLayout,
    IconButton,
    IconTile,
    SearchField,
    SegmentedTabs,
    StatCard,
    StatusPill,
    calm_wheel,
    outline_button,
    paragraph,
)
from widgets.settings.rows import days as days_box
from widgets.side_bar import _EngineLine
from widgets.theme import Level, Theme
from widgets.tray import state_icon

LEFT = Qt.MouseButton.LeftButton


def test_search_waits_for_a_pause_and_escape_clears_at_once(theme: Theme, qtbot: QtBot) -> None:
    field = SearchField(theme, "Search trucks…")
    qtbot.addWidget(field)
    said: list[str] = []
    field.searched.connect(said.append)
    with qtbot.waitSignal(field.searched):
        qtbot.keyClicks(field, "kano")
    assert said == ["kano"]
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert said == ["kano", ""]
    assert field.accessibleName() == "Search trucks"


def test_tabs_are_chosen_by_click_and_arrow_key(qtbot: QtBot, theme: Theme) -> None:
    tabs = SegmentedTabs([("all", "All"), ("fleet", "Fleet"), ("telemetry", "Telemetry")], "fleet")
    qtbot.addWidget(tabs)
    tabs.show()
    chosen: list[str] = []
    tabs.chosen.connect(chosen.append)
    qtbot.mouseClick(tabs.button("all"), LEFT)
    with qtbot.waitActive(tabs):
        tabs.activateWindow()
    tabs.button("all").setFocus()
    qtbot.keyClick(tabs.button("all"), Qt.Key.Key_Right)
    assert chosen == ["all", "fleet"]
    assert tabs.value == "fleet"
    with pytest.raises(KeyError):
        tabs.choose("nothing")


def test_a_clickable_card_is_a_button_for_mouse_and_keyboard(qtbot: QtBot, theme: Theme) -> None:
    card, still = Card(clickable=True), Card()
    clicks: list[Card] = []
    for each in (card, still):
        qtbot.addWidget(each)
        each.resize(200, 100)
        each.show()
        each.clicked.connect(lambda each=each: clicks.append(each))
        qtbot.mouseClick(each, LEFT)
        qtbot.keyClick(each, Qt.Key.Key_Return)
    assert clicks == [card, card]


@pytest.mark.parametrize(("width", "columns"), [(250, 1), (616, 2), (1000, 3), (3000, 4)])
def test_cards_share_the_width_in_rows_as_high_as_the_tallest(
    width: int, columns: int, qtbot: QtBot, theme: Theme
) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    grid = CardGrid(host)
    cards = [QLabel("x\n" * (n + 1)) for n in range(5)]
    for card in cards:
        grid.addWidget(card)
    host.resize(width, grid.heightForWidth(width))
    host.show()
    first_row = [card for card in cards if card.y() == 0]
    assert len(first_row) == columns
    assert len({card.width() for card in cards}) == 1
    assert len({card.height() for card in first_row}) == 1
    assert max(card.geometry().bottom() for card in cards) < host.height()


def test_balanced_cards_fill_their_rows_evenly(qtbot: QtBot, theme: Theme) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    grid = CardGrid(host, min_width=200, is_balanced=True)
    for _ in range(4):
        grid.addWidget(QLabel("x"))
    host.show()
    assert [grid.columns_for(width) for width in (900, 700, 450, 250)] == [4, 2, 2, 1]


def test_what_is_lower_than_its_line_stands_in_the_middle(qtbot: QtBot) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    flow = FlowLayout(host)
    high, low = QWidget(), QWidget()
    high.setFixedSize(80, 36)
    low.setFixedSize(40, 20)
    flow.addWidget(high)
    flow.addWidget(low)
    host.resize(200, 36)
    host.show()
    assert low.geometry() == QRect(86, 8, 40, 20)


def test_chips_wrap_without_overlapping(qtbot: QtBot, theme: Theme) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    flow = FlowLayout(host)
    chips = [Badge(word) for word in ("Stock levels", "Requisitions", "Shipments", "Item catalogue")]
    for chip in chips:
        flow.addWidget(chip)
    host.resize(200, flow.heightForWidth(200))
    host.show()
    places: list[QRect] = [chip.geometry() for chip in chips]
    assert len({place.y() for place in places}) > 1
    assert not any(a.intersects(b) for n, a in enumerate(places) for b in places[:n])


def test_a_state_has_a_shape_of_its_own_beside_word_and_colour(theme: Theme, qtbot: QtBot) -> None:
    """Painted in one colour the five levels still differ."""
    theme.set_mode("contrast")
    pictures = set()
    levels: tuple[Level, ...] = ("ok", "warn", "error", "info", "neutral")
    for level in levels:
        pill = StatusPill(theme, level, "State")
        qtbot.addWidget(pill)
        pill.resize(pill.sizeHint())
        image = pill.grab().toImage()
        shape = theme.color(level)
        pictures.add(
            tuple(
                (x, y)
                for x in range(6, 20)
                for y in range(image.height())
                if abs(image.pixelColor(x, y).lightness() - shape.lightness()) < 40
            )
        )
        assert pill.accessibleName() == "State"
    assert len(pictures) == len(levels)


def test_numbers_icons_and_empty_places_speak_for_themselves(theme: Theme, qtbot: QtBot) -> None:
    card = StatCard(theme, "Trackers reporting", "satellite")
    card.set_value("482 / 500", "18 silent", tint="warn")
    button = IconButton(theme, "ellipsis", "More acts")
    empty = EmptyState(theme, "inbox", "No trackers", "Add one.", outline_button(theme, "Add"))
    for widget in (card, button, empty):
        qtbot.addWidget(widget)
    assert card.accessibleName() == "Trackers reporting: 482 / 500. 18 silent"
    assert button.accessibleName() == button.toolTip() == "More acts"
    assert empty.title.text() == "No trackers"


def test_a_paragraph_shows_markup_as_the_text_it_is(theme: Theme, qtbot: QtBot) -> None:
    label = paragraph("<img src='x'> & <b>bold</b>")
    qtbot.addWidget(label)
    assert "<img" not in label.text()
    assert label.accessibleName() == "<img src='x'> & <b>bold</b>"


def test_the_log_follows_its_end_and_filters(theme: Theme, qtbot: QtBot) -> None:
    lines = [f"line {n}" for n in range(50)]
    panel = LogPanel(theme, lambda: list(lines))
    qtbot.addWidget(panel)
    panel.resize(500, 200)
    panel.show()
    bar = panel.text.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    lines.append("line 50 of traccar")
    panel._read()
    assert panel.text.toPlainText().endswith("line 49\nline 50 of traccar")
    assert bar.value() == bar.maximum()
    bar.setValue(0)
    lines.append("line 51")
    panel._read()
    assert bar.value() == 0
    panel.search.setText("TRACCAR line")
    panel.search.returnPressed.emit()
    assert panel.text.toPlainText() == "line 50 of traccar"


def test_the_wheel_changes_a_number_only_while_it_has_the_focus(theme: Theme, qtbot: QtBot) -> None:
    box = QSpinBox()
    calm_wheel(box)
    qtbot.addWidget(box)
    box.show()
    with qtbot.waitActive(box):
        box.activateWindow()

    def turn() -> int:
        middle = QPointF(box.rect().center())
        event = QWheelEvent(
            middle,
            QPointF(box.mapToGlobal(middle.toPoint())),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(box, event)
        return box.value()

    box.clearFocus()
    assert turn() == 0
    box.setFocus()
    assert turn() == 1


def test_the_tray_shows_the_worst_state_by_shape(theme: Theme) -> None:
    pictures = [
        state_icon(level, theme.color(level)).pixmap(64, 64).toImage() for level in ("ok", "neutral", "warn", "error")
    ]
    assert pictures[0] == pictures[1]
    assert pictures[1] != pictures[2] != pictures[3]


def test_qts_own_messages_are_log_lines(qapp: object, expected_logs: ExpectedLogs) -> None:
    from PySide6.QtCore import qWarning

    from widgets.app import make_application

    expected_logs.allow("a warning of Qt", logging.WARNING)
    make_application()
    qWarning("a warning of Qt")


def test_cycles_with_timers_are_collected_on_the_ui_thread_only(qapp: object) -> None:
    """Python's own collector would destroy the timer on the thread that happens to allocate."""

    class Knot:
        def __init__(self) -> None:
            self.me = self
            self.timer = QTimer(interval=10_000)
            self.timer.start()

    ended: list[str] = []
    knot = Knot()
    knot.timer.destroyed.connect(lambda: ended.append(threading.current_thread().name))
    del knot

    def allocate() -> None:
        for _ in range(50):
            _ = [[n] for n in range(2_000)]

    worker = threading.Thread(target=allocate)
    worker.start()
    worker.join()
    assert ended == []
    gc.collect()
    assert ended == ["MainThread"]


def test_reasons_from_outside_are_no_markup_in_tool_tips(theme: Theme, qtbot: QtBot) -> None:
    """Qt takes any tool tip that looks like markup for markup: a server could show its own picture or link."""
    hostile = '<a href="https://evil.example">Sign in</a><img src="file:///etc/passwd">'
    pill = StatusPill(theme)
    qtbot.addWidget(pill)
    pill.set_state("warn", "Retrying", hostile)
    engine = _EngineLine(theme)
    qtbot.addWidget(engine)
    engine.set_state("error", "Engine stopped", f"It said: {hostile}")
    for tip in (pill.toolTip(), engine.toolTip()):
        document = QTextDocument()
        document.setHtml(tip)
        assert hostile in document.toPlainText()


@pytest.mark.parametrize("width", [360, 700, 1100])
def test_an_empty_state_asks_for_the_height_it_needs(theme: Theme, qtbot: QtBot, width: int) -> None:
    """Else the icon on top is cut off: a centred layout gave the text less width than its height was asked for."""
    card = Card()
    qtbot.addWidget(card)
    words = "Connect a tracker port or a server, and it is listed here with how it is doing, and what to do next."
    state = EmptyState(theme, "activity", "Nothing here", words, outline_button(theme, "Browse"))
    card.body.addWidget(state)
    card.resize(width, card.heightForWidth(width))
    card.show()
    qtbot.waitUntil(card.isVisible)
    tile = state.findChild(IconTile)
    assert isinstance(tile, IconTile)
    assert tile.height() == 48
    assert state.text.height() >= state.text.heightForWidth(state.text.width())
    assert abs(state.text.geometry().center().x() - state.rect().center().x()) <= 1


@pytest.mark.parametrize(("days", "words"), [(1, "1 day"), (2, "2 days"), (400, "400 days")])
def test_days_are_counted_in_words(qtbot: QtBot, days: int, words: str) -> None:
    box = days_box(400)
    qtbot.addWidget(box)
    box.setValue(days)
    assert box.text() == words
