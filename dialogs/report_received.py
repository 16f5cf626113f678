"""Noting that a facility handed its report in, or a correction; and the history of what it handed in."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from PySide6.QtCore import QDate, QDateTime, QTime
from PySide6.QtWidgets import QDateTimeEdit, QDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.errors import OperatorError
from app.reports.calendar import ReportListing
from app.reports.forms import submissions_of
from app.reports.writing import receive
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import calm_wheel, outline_button, primary_button, text_label

WIDTH_PX = 460


async def report_received(context: ConsoleContext, parent: QWidget, report: ReportListing) -> bool:
    """Ask from whom and when the report came, and note it; False when cancelled."""
    return await ask.run(ReceivedForm(context, parent, report))


async def report_history(context: ConsoleContext, parent: QWidget, report: ReportListing) -> None:
    """Every time the report came, the newest first."""
    found = await context.bridge.read(partial(submissions_of, report_id=report.id))
    lines = []
    for one in found:
        word = tr("First") if one.number == 1 else tr("Correction {number}", number=one.number - 1)
        count = trn("{count} line", "{count} lines", one.lines)
        said = tr("{word}: {at} from {person}, {count}; noted by {who}", word=word, count=count, who=one.noted_by,
                  at=context.formats.time(one.received_at), person=one.received_from)  # fmt: skip
        lines.append(f"{said}. {one.comment}".strip())
    text = tr("A correction replaces what came before; the figures of each are kept.")
    await ask.tell(parent, context.theme, tr("History of {subject}", subject=report.subject), text, "\n\n".join(lines))


class ReceivedForm(QDialog):
    """Person, time in the zone that times are shown in, remark."""

    def __init__(self, context: ConsoleContext, parent: QWidget, report: ReportListing) -> None:
        super().__init__(parent)
        self._context = context
        self._report = report
        theme, formats = context.theme, context.formats
        is_correction = report.facts.received_at is not None
        title = tr("A correction was received") if is_correction else tr("The report was received")
        self.setWindowTitle(title)
        self.setMinimumWidth(WIDTH_PX)
        now = context.now().astimezone(formats.zone)
        self.person = QLineEdit()
        self.person.setMaxLength(200)
        self.person.setPlaceholderText(tr("Name, or office"))
        self.at = QDateTimeEdit(QDateTime(QDate(now.year, now.month, now.day), QTime(now.hour, now.minute)))
        self.at.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.comment = QLineEdit()
        self.comment.setMaxLength(2_000)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.problem.hide()
        self.save = primary_button(theme, tr("Note as received"), "check")
        cancel = outline_button(theme, tr("Cancel"))
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(title, "heading", wrap=True))
        column.addWidget(text_label(report.subject, "muted", wrap=True, selectable=True))
        form = QFormLayout()
        form.setSpacing(10)
        form.setHorizontalSpacing(16)
        for label, field in (
            (tr("From"), self.person), (tr("Time ({zone})", zone=formats.zone_name(now)), self.at),
            (tr("Remark"), self.comment),
        ):  # fmt: skip
            field.setAccessibleName(label)
            words = text_label(label)
            words.setMinimumHeight(field.sizeHint().height())
            words.setBuddy(field)
            form.addRow(words, calm_wheel(field))
        column.addLayout(form)
        if is_correction:
            said = tr("What was sent and answered before belongs to the version before, and stays in the history.")
            column.addWidget(text_label(said, "muted", wrap=True))
        column.addWidget(self.problem)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        column.addLayout(row)
        self.person.textChanged.connect(lambda text: self.save.setEnabled(bool(text.strip())))
        self.save.setEnabled(False)
        self.save.setDefault(True)
        self.save.clicked.connect(lambda: context.tasks.start(self._save(), name="report received", owner=self))
        cancel.clicked.connect(self.reject)
        self.finished.connect(lambda _result: context.tasks.cancel_owner(self))
        self.person.setFocus()

    def received_at(self) -> datetime:
        """The moment that was entered; one of the current minute is now."""
        date, time = self.at.date(), self.at.time()
        zone = self._context.formats.zone
        moment = datetime(date.year(), date.month(), date.day(), time.hour(), time.minute(), tzinfo=zone)
        now = self._context.now()
        return min(moment, now) if (moment - now).total_seconds() < 60 else moment

    async def _save(self) -> None:
        self.save.setEnabled(False)
        job = partial(
            receive, report_id=self._report.id, received_from=self.person.text(), received_at=self.received_at(),
            now=self._context.now(), comment=self.comment.text(),
        )  # fmt: skip
        try:
            await self._context.bridge.write(job)
        except OperatorError as err:
            self.problem.setText(err.why)
            self.problem.show()
            self.save.setEnabled(True)
            return
        self.accept()
