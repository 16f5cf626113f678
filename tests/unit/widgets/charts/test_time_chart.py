"""The chart of lanes: what is shown, chosen and coloured."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from widgets.charts.time_chart import Lane, Line, Mark, TimeChart
from widgets.theme import Theme

START = 1_772_409_600.0  # 2026-03-02
DAY = 86_400.0
LANES = (
    Lane("level", "L", (Line("raw", "Raw", "border_strong"), Line("smooth", "Smoothed", "primary")), height=4),
    Lane("speed", "km/h", (Line("speed", "Speed", "ok"),)),
    Lane("ignition", "Ign", (Line("ignition", "Ignition", "warn", filled=True),), y_range=(0, 1)),
)


@pytest.fixture
def chart(theme: Theme, qtbot: QtBot) -> TimeChart:
    chart = TimeChart(theme, LANES)
    qtbot.addWidget(chart)
    chart.resize(900, 420)
    x = START + np.arange(0, DAY, 60)
    chart.set_limits(START, START + DAY)
    chart.show_span(START, START + DAY)
    level = np.where(x < START + DAY / 2, 80.0, 160.0)
    chart.set_line("raw", x, level)
    chart.set_line("smooth", x, level)
    chart.set_line("speed", x, np.where(x % 7200 < 3600, 60.0, 0.0))
    chart.set_line("ignition", x, (x % 7200 < 3600).astype(float))
    chart.set_marks(
        (
            Mark("refuel-1", START + DAY / 2 - 300, START + DAY / 2 + 300, "ok", "+80 L"),
            Mark("drain-1", START + DAY * 0.9, START + DAY * 0.92, "error", "−12 L"),
        )
    )
    with qtbot.waitExposed(chart):
        chart.show()
    return chart


def _click(chart: TimeChart, at_s: float) -> None:
    box = chart.plots["level"].getViewBox()
    scene = box.mapViewToScene(QPointF(at_s, 50.0))
    where: QPoint = chart.view.mapFromScene(scene)
    QTest.mouseClick(chart.view.viewport(), Qt.MouseButton.LeftButton, pos=where)


def test_values_fill_their_lane_and_follow_the_span(chart: TimeChart) -> None:
    _x, (low, high) = chart.plots["level"].getViewBox().viewRange()
    assert low == 0
    assert 160 < high < 200
    chart.show_span(START, START + DAY / 4)
    _x, (_low, high) = chart.plots["level"].getViewBox().viewRange()
    assert 80 < high < 100


def test_a_click_on_a_mark_chooses_it_and_moves_the_cursor(chart: TimeChart, qtbot: QtBot) -> None:
    with qtbot.waitSignal(chart.chosen) as chosen, qtbot.waitSignal(chart.cursor_moved):
        _click(chart, START + DAY / 2)
    assert chosen.args == ["refuel-1"]


def test_a_click_beside_the_marks_chooses_none(chart: TimeChart, qtbot: QtBot) -> None:
    chosen: list[str] = []
    chart.chosen.connect(chosen.append)
    with qtbot.waitSignal(chart.cursor_moved) as moved:
        _click(chart, START + DAY * 0.25)
    assert chosen == []
    assert abs(moved.args[0] - (START + DAY * 0.25)) < 300


def test_a_chosen_mark_outside_is_brought_into_view(chart: TimeChart) -> None:
    chart.show_span(START, START + 3600)
    chart.choose_mark("drain-1")
    start, end = chart.span
    assert start < START + DAY * 0.91 < end


def test_all_lanes_share_their_time(chart: TimeChart) -> None:
    chart.show_span(START + 3600, START + 7200)
    for plot in chart.plots.values():
        (start, end), _y = plot.getViewBox().viewRange()
        assert (start, end) == pytest.approx((START + 3600, START + 7200), abs=1)


def test_marks_and_versions_can_be_replaced(chart: TimeChart) -> None:
    chart.set_versions(((START + 3600, "Version 2"),))
    chart.set_versions(())
    chart.set_marks(())
    chart.choose_mark("refuel-1")
    assert chart._mark_at(START + DAY / 2) == ""


@pytest.mark.parametrize("height", [12, 40, 70])
def test_a_chart_without_room_is_drawn_without_error(chart: TimeChart, height: int) -> None:
    chart.setFixedHeight(height)
    assert chart.grab().height() >= height
    assert chart.plots["speed"].getViewBox().height() < 20, "no room for ticks"


def test_another_theme_repaints_it(chart: TimeChart, theme: Theme) -> None:
    before = chart.grab().toImage().pixelColor(2, 2)
    theme.set_mode("dark" if not theme.is_dark else "light")
    assert chart.grab().toImage().pixelColor(2, 2) != before
