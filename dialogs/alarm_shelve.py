"""Putting alarms off: for how long, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from PySide6.QtCore import QDate, QDateTime, Qt, QTime
from PySide6.QtWidgets import (
    QDateTimeEdit,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.alarms.acts import shelve
from app.alarms.errors import AlarmError
from app.alarms.listing import AlarmListing
from app.clock import from_ms, to_ms
from app.errors import OperatorError
from resources.i18n import tr, trn
from widgets import ask
from widgets.alarms import words
from widgets.context import ConsoleContext
from widgets.primitives import (
    SegmentedTabs,
    calm_wheel,
    labelled,
    link_button,
    outline_button,
    primary_button,
    text_label,
)
from widgets.theme import restyle

WIDTH_PX = 520
MORNING_HOUR = 6
SPANS = (("15", tr("15 min")), ("60", tr("1 hour")), ("240", tr("4 hours")), ("morning", tr("Until 06:00")))
OWN = "own"
REASONS = (
    tr("Known, being repaired"),
    tr("Planned work"),
    tr("Test drive"),
    tr("Vehicle in the workshop"),
)


class ShelveDialog(QDialog):
    """Accepted once it is written; a refusal is shown here. ``until_ms`` is the time that was chosen."""

    def __init__(self, context: ConsoleContext, parent: QWidget, rows: Sequence[AlarmListing]) -> None:
        super().__init__(parent)
        self._context = context
        self._rows = rows
        self._now_ms = context.services.clock.now_ms
        self.until_ms = 0
        title = trn("Shelve {count} alarm", "Shelve {count} alarms", len(rows))
        self.setWindowTitle(title)
        self.setFixedWidth(WIDTH_PX)
        self.spans = SegmentedTabs([*SPANS, (OWN, tr("Until a time"))], "60")
        self.own = QDateTimeEdit()
        self.reason = QLineEdit()
        self.meaning = text_label("", "muted", wrap=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.act = primary_button(context.theme, trn("Shelve {count} alarm", "Shelve {count} alarms", len(rows)))
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self._lay_out(title)
        self.reason.textChanged.connect(self._on_changed)
        self.spans.chosen.connect(self._on_changed)
        self.own.dateTimeChanged.connect(self._on_changed)
        self.act.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.act.setDefault(True)
        self._on_changed()
        self.reason.setFocus()

    def _lay_out(self, title: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(10)
        column.addWidget(text_label(title, "heading", wrap=True))
        column.addWidget(text_label(words.names(self._rows, 4), "muted", wrap=True, selectable=True))
        column.addSpacing(4)
        column.addWidget(text_label(tr("For how long"), "strong"))
        column.addWidget(self.spans)
        self._set_up_own()
        column.addWidget(self.own)
        column.addWidget(self.meaning)
        column.addSpacing(4)
        column.addWidget(text_label(tr("Why"), "strong"))
        labelled(self.reason, tr("Why it is put off"))
        self.reason.setPlaceholderText(tr("For whoever comes next"))
        self.reason.setMaxLength(1_000)
        column.addWidget(self.reason)
        column.addLayout(self._suggestions())
        column.addWidget(self.problem)
        self.problem.hide()
        column.addSpacing(6)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.act)
        column.addLayout(buttons)

    def _set_up_own(self) -> None:
        """A time of its own begins at tomorrow morning."""
        local = from_ms(self._now_ms()).astimezone(self._context.formats.zone) + timedelta(days=1)
        self.own.setDateTime(QDateTime(QDate(local.year, local.month, local.day), QTime(MORNING_HOUR, 0)))
        self.own.setDisplayFormat("yyyy-MM-dd HH:mm")
        labelled(self.own, tr("Until"))
        self.own.setMinimumHeight(34)
        edit = self.own.lineEdit()
        if edit is not None:
            edit.setTextMargins(8, 0, 0, 0)  # date fields pass over the style sheet's padding
        calm_wheel(self.own)
        self.own.hide()

    def _suggestions(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(4)
        for at, text in enumerate(REASONS):
            button = link_button(self._context.theme, text, small=True)
            button.clicked.connect(partial(self.reason.setText, text))
            grid.addWidget(button, at // 2, at % 2, Qt.AlignmentFlag.AlignLeft)
        grid.setColumnStretch(2, 1)
        return grid

    def wanted_until_ms(self) -> int:
        """The time that is chosen now."""
        now_ms, zone = self._now_ms(), self._context.formats.zone
        if self.spans.value == OWN:
            date, time = self.own.date(), self.own.time()
            there = datetime(date.year(), date.month(), date.day(), time.hour(), time.minute(), tzinfo=zone)
            return to_ms(there)
        if self.spans.value == "morning":
            local = from_ms(now_ms).astimezone(zone)
            morning = local.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
            return to_ms(morning if morning > local else morning + timedelta(days=1))
        return now_ms + int(self.spans.value) * 60_000

    def _on_changed(self, *_value: object) -> None:
        self.problem.hide()
        restyle(self.reason, invalid="false")
        self.own.setVisible(self.spans.value == OWN)
        until_ms = self.wanted_until_ms()
        until = self._context.formats.time(until_ms)
        self.meaning.setText(tr("It comes back at {until}, whatever happens until then.", until=until))

    def _start(self) -> None:
        self.act.setEnabled(False)
        self._context.tasks.start(self._shelve(), name="shelve alarms", owner=self)

    async def _shelve(self) -> None:
        self.until_ms = self.wanted_until_ms()
        ids = [row.id for row in self._rows]
        job = partial(shelve, alarm_ids=ids, until_ms=self.until_ms, reason=self.reason.text(), now_ms=self._now_ms())
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self.act.setEnabled(True)
            self.problem.setText(err.why)
            self.problem.show()
            if isinstance(err, AlarmError) and err.field == "reason":
                restyle(self.reason, invalid="true")
                self.reason.setFocus()
            return
        self.accept()


async def shelve_alarms(context: ConsoleContext, parent: QWidget, rows: Sequence[AlarmListing]) -> int | None:
    """Ask for time and reason and write them; the time in ms, None when cancelled."""
    dialog = ShelveDialog(context, parent, rows)
    return dialog.until_ms if await ask.run(dialog) else None
