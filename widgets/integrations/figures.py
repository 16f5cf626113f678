"""The last thirty days of one integration: runs, records, duration and delay, as sums and as bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.integrations import Analytics, DayFigures
from resources.i18n import tr, trn
from widgets.formats import NOTHING, Formats
from widgets.integrations.day_chart import Bar, DayChart
from widgets.primitives import Card, CardGrid, text_label
from widgets.theme import Theme, tabular

FIGURE_WIDTH_MIN = 230


class FigureCards(QWidget):
    """Four cards; days are UTC days, as they are counted."""

    def __init__(self, theme: Theme, formats: Formats) -> None:
        super().__init__()
        self._formats = formats
        self.runs = _Figure(theme, tr("Runs"))
        self.records = _Figure(theme, tr("Records"))
        self.duration = _Figure(theme, tr("Mean duration of a run"))
        self.delay = _Figure(theme, tr("Mean delay of a record"))
        grid = CardGrid(self, min_width=FIGURE_WIDTH_MIN, gap=16, max_columns=4, is_balanced=True)
        for figure in (self.runs, self.records, self.duration, self.delay):
            grid.addWidget(figure)

    def show_figures(self, figures: Analytics, *, pulls: bool) -> None:
        total = figures.total
        number = self._formats.number
        for figure in (self.runs, self.duration):  # what only listens makes no runs
            figure.setVisible(pulls)
        rate = total.success_rate
        good = tr("{rate} % succeeded", rate=_percent(rate)) if rate is not None else tr("none yet")
        self.runs.show_days(figures, number(total.runs), good, self._runs_of)
        per_day = total.records / max(1, sum(day.records > 0 for day in figures.days))
        note = tr("{count} on a day with data", count=number(per_day)) if total.records else tr("none yet")
        self.records.show_days(figures, number(total.records), note, self._records_of)
        self.duration.show_days(
            figures, self._seconds(total.mean_duration_s), tr("from first request to last commit"), self._duration_of
        )
        self.delay.show_days(figures, self._seconds(total.mean_delay_s), tr("from fix to arrival"), self._delay_of)

    def _runs_of(self, day: DayFigures) -> tuple[float | None, float, str]:
        runs = trn("{count} run", "{count} runs", day.runs)
        words = tr("{runs}, {failed} failed", runs=runs, failed=day.runs_failed) if day.runs_failed else runs
        return day.runs or None, day.runs_failed, words

    def _records_of(self, day: DayFigures) -> tuple[float | None, float, str]:
        return day.records or None, 0.0, trn("{count} record", "{count} records", day.records)

    def _duration_of(self, day: DayFigures) -> tuple[float | None, float, str]:
        return day.mean_duration_s, 0.0, self._seconds(day.mean_duration_s)

    def _delay_of(self, day: DayFigures) -> tuple[float | None, float, str]:
        return day.mean_delay_s, 0.0, self._seconds(day.mean_delay_s)

    def _seconds(self, value: float | None) -> str:
        if value is None:
            return NOTHING
        return tr("{n} s", n=self._formats.number(value, 1)) if value < 60 else self._formats.span(value)


class _Figure(Card):
    """A sum, what it means, and its days."""

    def __init__(self, theme: Theme, title: str) -> None:
        super().__init__(margin=16)
        self.title = title
        self.value = text_label(NOTHING, "value")
        self.value.setFont(tabular(self.value.font()))
        self.note = text_label("", "small", wrap=True)
        self.chart = DayChart(theme, title)
        self.first = text_label("", "small")
        self.body.setSpacing(4)
        words = QVBoxLayout()
        words.setSpacing(2)
        for label in (text_label(title, "muted"), self.value, self.note):
            words.addWidget(label)
        self.body.addLayout(words)
        self.body.addStretch(1)
        self.body.addWidget(self.chart)
        ends = QHBoxLayout()
        ends.addWidget(self.first)
        ends.addStretch(1)
        ends.addWidget(text_label(tr("today"), "small"), 0, Qt.AlignmentFlag.AlignRight)
        self.body.addLayout(ends)

    def show_days(
        self,
        figures: Analytics,
        value: str,
        note: str,
        read: Callable[[DayFigures], tuple[float | None, float, str]],
    ) -> None:
        self.value.setText(value)
        self.note.setText(note)
        self.setAccessibleName(f"{self.title}: {value}. {note}")
        bars = []
        for day in figures.days:
            height, part, words = read(day)
            shown = words if height is not None else tr("nothing")
            bars.append(Bar(height, f"{_day(day.day)}: {shown}", part))
        self.chart.set_bars(bars)
        self.first.setText(_day(figures.days[0].day) if figures.days else "")


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _percent(rate: float) -> str:
    """Never "100" while a run failed."""
    return f"{int(rate * 1000) / 10:.1f}" if rate < 1 else "100"
