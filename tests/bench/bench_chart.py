"""The fuel chart with four series of a million points: pan steps, new data, beside plain pyqtgraph in the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QApplication

from tests.bench.common import report, timed_ms
from widgets.app import make_application
from widgets.charts.pyramid import Pyramid
from widgets.charts.time_chart import Lane, Line, TimeChart
from widgets.theme import Theme

POINTS = 1_000_000
ROUNDS = 40
WARM_UP = 5
START_S = 1_735_689_600.0
YEAR_S = 365 * 86_400.0
KEYS = ("raw", "smooth", "speed", "ignition")


def run() -> None:
    app = make_application([])
    series = _series()
    pyramids: dict[str, Pyramid] = {}
    built_ms = timed_ms(lambda: pyramids.update({key: Pyramid(*series[key]) for key in KEYS}))
    report("building four pyramids of a million points", [built_ms], "ms")
    ours = _pan_times(*_ours(app, pyramids))
    report("fuel chart, 4 × 1 million points, pan step", ours, "ms", target="≤ 10 ms")
    plain = _pan_times(*_plain(series))
    report("pyqtgraph, the same with peak downsampling", plain, "ms")


def _series() -> dict[str, tuple[Any, Any]]:
    draw = np.random.default_rng(3)
    x = START_S + np.linspace(0, YEAR_S, POINTS)
    level = 120 + 90 * np.sin(np.linspace(0, 800, POINTS)) + draw.normal(0, 2, POINTS)
    return {
        "raw": (x, level),
        "smooth": (x, level + draw.normal(0, 0.3, POINTS)),
        "speed": (x, np.abs(draw.normal(40, 25, POINTS))),
        "ignition": (x, (draw.random(POINTS) > 0.3).astype(float)),
    }


def _ours(app: QApplication, pyramids: dict[str, Pyramid]) -> tuple[Any, Callable[[float, float], None]]:
    chart = TimeChart(
        Theme(app, "light"),
        (
            Lane("level", "L", (Line("raw", "Raw", "muted"), Line("smooth", "Smoothed", "primary")), height=3),
            Lane("speed", "km/h", (Line("speed", "Speed", "ok"),)),
            Lane("ignition", "", (Line("ignition", "Ignition", "warn", filled=True),), y_range=(0, 1)),
        ),
    )
    chart.resize(1280, 620)
    chart.show()
    chart.set_limits(START_S, START_S + YEAR_S)
    for key, pyramid in pyramids.items():
        chart.set_series(key, pyramid)
    return chart.view, chart.show_span


def _plain(series: dict[str, tuple[Any, Any]]) -> tuple[Any, Callable[[float, float], None]]:
    view: Any = pg.GraphicsLayoutWidget()
    view.resize(1280, 620)
    view.show()
    QApplication.processEvents()
    first: Any = None
    for row, keys in enumerate((("raw", "smooth"), ("speed",), ("ignition",))):
        plot = view.addPlot(row=row, col=0)
        plot.disableAutoRange()
        plot.getViewBox().setRange(yRange=(0, 250), padding=0)
        if first is None:
            first = plot
        else:
            plot.setXLink(first)
        for key in keys:
            item: Any = plot.plot(*series[key], pen=pg.mkPen("b", width=1), skipFiniteCheck=True)
            item.setDownsampling(auto=True, method="peak")
            item.setClipToView(True)
    return view, lambda start, end: first.getViewBox().setRange(xRange=(start, end), padding=0)


def _pan_times(view: Any, show_span: Callable[[float, float], None]) -> list[float]:
    """Milliseconds of each pan step over the whole year with its repaint."""
    QApplication.processEvents()
    gc.collect()
    figures = []
    for number in range(WARM_UP + ROUNDS):
        shift = number * YEAR_S / 400
        started = time.perf_counter()
        show_span(START_S + shift, START_S + YEAR_S * 0.85 + shift)
        view.viewport().repaint()
        figures.append((time.perf_counter() - started) * 1000)
    view.close()
    return figures[WARM_UP:]
