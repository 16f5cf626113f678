"""One report: its three facts, its lines with what is wrong beside them, and the details of one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.reports.calendar import ReportListing
from app.reports.checks import Finding, check_report
from app.reports.figures import FIGURES
from app.reports.forms import FormLine, ReportForm, report_form
from app.reports.states import ReportState
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import (
    Banner,
    EmptyState,
    FlowLayout,
    StatusDot,
    StatusPill,
    outline_button,
    primary_button,
    text_label,
)
from widgets.primitives.tips import plain_tip
from widgets.reports import words
from widgets.reports.line_panel import LinePanel
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level

ACTS = ("fill", "receive", "send", "export", "hand_over", "accept", "take_back", "excuse", "history")
SHOWN = ("opening_balance", "received", "consumed", "losses", "adjustments_plus", "adjustments_minus",
         "closing_balance", "stockout_days", "expiring", "amc")  # fmt: skip
_SHORT = {
    "opening_balance": tr("Opening"), "received": tr("Received"), "consumed": tr("Used"),
    "losses": tr("Losses"), "adjustments_plus": tr("Adj. +"), "adjustments_minus": tr("Adj. −"),
    "closing_balance": tr("Closing"), "stockout_days": tr("Out days"), "expiring": tr("Expiring"),
    "amc": tr("Monthly"),
}  # fmt: skip


class FormView(QWidget):
    """``act_wanted`` carries one of :data:`ACTS`; ``entered`` a line's id with the figures and remarks typed for it."""

    act_wanted = Signal(str)
    entered = Signal(str, object, str)
    sources_wanted = Signal(str, str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self.report_id = ""
        self.form: ReportForm | None = None
        self._findings: Mapping[str, Sequence[Finding]] = {}
        self.heading = text_label("", "heading", wrap=True, selectable=True)
        self.about = text_label("", "muted", wrap=True, selectable=True)
        self.pill = StatusPill(theme)
        self.steps = {key: _Step(context) for key in ("received", "sent", "accepted")}
        self.trouble = Banner(theme, "error", "")
        self.buttons: dict[str, QPushButton] = {
            "fill": primary_button(theme, tr("Fill from evidence"), "download"),
            "receive": outline_button(theme, tr("Received…"), "inbox"),
            "send": outline_button(theme, tr("Send…"), "upload"),
            "export": outline_button(theme, tr("Export…"), "file-text"),
            "hand_over": outline_button(theme, tr("Handed over…"), "mail"),
            "accept": outline_button(theme, tr("Accepted…"), "check"),
            "take_back": outline_button(theme, tr("Must be corrected…"), "rotate-ccw"),
            "excuse": outline_button(theme, tr("Excuse…"), "ban"),
            "history": outline_button(theme, tr("History…"), "history"),
        }
        model = RowsModel[FormLine](self._columns(), key=lambda line: line.id)
        self.table = DataTable[FormLine](theme, model, tr("Report"))
        model.setParent(self.table)
        self.panel = LinePanel(context)
        self.empty = EmptyState(
            theme, "file-text", tr("No report is open"), tr("Open one in the calendar: click its state.")
        )
        self.body = QWidget()
        self._lay_out()
        self._connect()
        self.show_form(None, [])

    def _lay_out(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.empty)
        outer.addWidget(self.body)
        column = QVBoxLayout(self.body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.setSpacing(12)
        names = QVBoxLayout()
        names.setSpacing(3)
        names.addWidget(self.heading)
        below = QHBoxLayout()
        below.setSpacing(10)
        below.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignVCenter)
        below.addWidget(self.about, 1)
        names.addLayout(below)
        head.addLayout(names, 1)
        for step in self.steps.values():
            head.addWidget(step, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        acts = QWidget()
        flow = FlowLayout(acts, gap=8)
        for button in self.buttons.values():
            flow.addWidget(button)
        column.addWidget(acts)
        column.addWidget(self.trouble)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(in_card(self.table), 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)
        self.table.set_empty(
            "list",
            tr("This report has no lines yet"),
            tr("Fill it from the evidence: what the store knows of stock, shipments and requisitions of the period."),
        )

    def _connect(self) -> None:
        for act, button in self.buttons.items():
            button.clicked.connect(partial(self.act_wanted.emit, act))
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(self._show_line)
        self.panel.closed.connect(self._on_panel_closed)
        self.panel.entered.connect(self.entered)
        self.panel.sources_wanted.connect(self.sources_wanted)
        self._context.formats.changed.connect(self.table.model.redraw)

    # What the store says

    def read(self, connection: Connection, today: date) -> tuple[ReportForm | None, list[Finding]]:
        """The open report with its findings; None where none is open or it went away."""
        if not self.report_id:
            return None, []
        form = report_form(connection, self.report_id, today)
        return form, check_report(connection, self.report_id, today) if form.lines else []

    def show_form(self, form: ReportForm | None, findings: Sequence[Finding]) -> None:
        if form is None or self.form is None or form.report.id != self.form.report.id:
            self.table.view.clearSelection()
            self.panel.hide()
        self.form = form
        self.empty.setVisible(form is None)
        self.body.setVisible(form is not None)
        if form is None:
            return
        by_line: dict[str, list[Finding]] = {}
        for finding in findings:
            by_line.setdefault(finding.line_id, []).append(finding)
        self._findings = by_line
        report = form.report
        self.heading.setText(report.subject)
        self.about.setText(_about(report))
        self.pill.set_state(*words.state_badge(report))
        self._show_steps(report)
        self._show_trouble(report, by_line.get("", []))
        self._show_buttons(report)
        self.table.model.apply(form.lines)
        self.table.model.redraw()
        if self.panel.line is not None and not self.panel.isHidden():
            line = next((one for one in form.lines if one.id == self.panel.line.id), None)
            if line is None:
                self.panel.hide()
            else:
                self._show_line(line)

    def _show_trouble(self, report: ReportListing, findings: Sequence[Finding]) -> None:
        is_bad = report.state is ReportState.REJECTED or report.is_doubtful
        texts = [report.answer] if is_bad and report.answer else []
        if report.facts.lines:
            texts += [f"{one.what} {one.next_step}" for one in findings if one.severity == "stop"]
        self.trouble.words.setText("\n".join(texts))
        self.trouble.setVisible(bool(texts))

    def _show_steps(self, report: ReportListing) -> None:
        facts, formats = report.facts, self._context.formats
        if facts.received_at is not None:
            who = tr("{at}, {who}", at=formats.clock(facts.received_at), who=report.received_from)
            self.steps["received"].show_step("warn" if report.is_late else "ok", tr("Received from the facility"), who)
        else:
            self.steps["received"].show_step(
                "neutral", tr("Not received"), tr("due {day}", day=words.day_text(report.due_on))
            )
        if facts.sent_at is not None:
            how = tr("not confirmed") if report.is_doubtful else formats.clock(facts.sent_at)
            self.steps["sent"].show_step("warn" if report.is_doubtful else "ok", tr("Sent"), how)
        else:
            self.steps["sent"].show_step("neutral", tr("Not sent"), "")
        if facts.accepted_at is not None:
            self.steps["accepted"].show_step("ok", tr("Accepted"), formats.clock(facts.accepted_at))
        elif facts.rejected_at is not None:
            self.steps["accepted"].show_step("error", tr("Rejected"), formats.clock(facts.rejected_at))
        else:
            self.steps["accepted"].show_step("neutral", tr("Not accepted"), "")

    def _show_buttons(self, report: ReportListing) -> None:
        state = report.state
        is_over = state is not ReportState.OPEN
        was_sent = state in (ReportState.SENT, ReportState.ACCEPTED)
        excused = state is ReportState.EXCUSED
        has_come = report.facts.received_at is not None
        shown = {
            "fill": is_over and not was_sent and not excused,
            "receive": is_over and not excused,
            "send": bool(report.reports_to) and has_come and not excused,
            "export": report.facts.lines > 0,
            "hand_over": has_come and not report.reports_to and not was_sent and not excused,
            "accept": state is ReportState.SENT and report.sent_how == "export",
            "take_back": has_come and state is not ReportState.REJECTED and not excused,
            "excuse": not has_come,
            "history": has_come,
        }
        for act, button in self.buttons.items():
            button.setVisible(shown[act])
        self.buttons["receive"].setText(tr("Correction received…") if has_come else tr("Received…"))
        self.buttons["excuse"].setText(tr("Take the excuse back") if excused else tr("Excuse…"))
        self.buttons["fill"].setText(tr("Fill again") if report.filled_at is not None else tr("Fill from evidence"))

    def _on_selected(self, lines: Sequence[FormLine]) -> None:
        if lines:
            self._show_line(lines[0])

    def _show_line(self, line: FormLine) -> None:
        if self.form is not None:
            self.panel.show_line(self.form, line, self._findings.get(line.id, ()))

    def _on_panel_closed(self) -> None:
        self.panel.hide()
        self.table.view.clearSelection()
        self.table.view.setFocus()

    def _check_badge(self, line: FormLine) -> tuple[Level, str]:
        found = self._findings.get(line.id, ())
        if not found:
            return "ok", tr("Good")
        if len(found) == 1:
            return words.severity_badge(found[0])
        return words.severity_badge(found[0])[0], trn("{count} finding", "{count} findings", len(found))

    def _check_tip(self, line: FormLine) -> str:
        return plain_tip("\n".join(f"{one.what} {one.next_step}" for one in self._findings.get(line.id, ())))

    def _columns(self) -> list[Column[FormLine]]:
        columns = [
            Column[FormLine](
                "item", tr("Item"), lambda line: line.name, width=190,
                tooltip=lambda line: plain_tip(f"{line.code}  {line.name}".strip()),
            ),
            Column[FormLine](
                "check", tr("Check"), lambda line: self._check_badge(line)[1], badge=self._check_badge, width=110,
                tooltip=self._check_tip,
            ),
        ]  # fmt: skip
        columns += [self._figure_column(key) for key in SHOWN]
        return [
            *columns,
            Column[FormLine](
                "months", tr("Months"), lambda line: self._number(line.judged.months), lambda line: line.judged.months,
                align="right", width=66, help=tr("Months of stock: closing balance by monthly consumption"),
            ),
            Column[FormLine](
                "class", tr("Stock"), lambda line: words.class_badge(line)[1], badge=words.class_badge, width=128
            ),
            Column[FormLine](
                "order", tr("To order"), lambda line: self._number(line.judged.to_order, 0),
                lambda line: line.judged.to_order, align="right", width=76, is_shown=False,
            ),
            Column[FormLine]("code", tr("Code"), lambda line: line.code, width=110, is_shown=False),
            Column[FormLine]("remarks", tr("Remarks"), lambda line: line.remarks, width=160, is_shown=False),
        ]  # fmt: skip

    def _figure_column(self, key: str) -> Column[FormLine]:
        figure = next(one for one in FIGURES if one.key == key)
        formats = self._context.formats

        def text(line: FormLine) -> str:
            mark = "*" if key in line.entered else ""
            return f"{words.figure_text(formats, key, line.values.get(key))}{mark}"

        def tip(line: FormLine) -> str:
            if key in line.entered:
                told = words.figure_text(formats, key, line.filled.get(key))
                return plain_tip(tr("Entered by hand; the evidence says {told}", told=told))
            return plain_tip(line.why_empty(key) or line.notes.get(key, ""))

        def order(line: FormLine) -> Any:
            value = line.values.get(key)
            return value if isinstance(value, (int, float)) else None

        return Column(
            key, _SHORT[key], text, order, tooltip=tip, align="right", width=72, help=f"{figure.label}: {figure.help}",
            export=lambda line: line.values.get(key),
        )  # fmt: skip

    def _number(self, value: float | None, decimals: int = 1) -> str:
        return self._context.formats.number(value, decimals)


def _about(report: ReportListing) -> str:
    parts = [report.facility_code, report.zone, tr("due on {day}", day=words.day_text(report.due_on))]
    if report.facts.submission > 1:
        parts.append(tr("correction {number}", number=report.facts.submission - 1))
    if report.excuse:
        parts.append(tr("excused by {who}: {why}", who=report.excused_by, why=report.excuse))
    if report.facts.lines:
        parts.append(tr("{filled} of {lines} lines filled", filled=report.facts.lines_filled, lines=report.facts.lines))
    return " · ".join(part for part in parts if part)


class _Step(QWidget):
    """One of the three facts: a shape, a word, and since when."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 0)
        row.setSpacing(8)
        self.dot = StatusDot(context.theme)
        self.word = text_label("", "strong")
        self.since = text_label("", "small")
        words_column = QVBoxLayout()
        words_column.setSpacing(1)
        words_column.addWidget(self.word)
        words_column.addWidget(self.since)
        dot = QVBoxLayout()
        dot.setContentsMargins(0, 4, 0, 0)
        dot.addWidget(self.dot)
        dot.addStretch(1)
        row.addLayout(dot)
        row.addLayout(words_column)

    def show_step(self, level: Level, word: str, since: str) -> None:
        self.dot.set_level(level)
        self.word.setText(word)
        self.since.setText(since)
        self.since.setVisible(bool(since))
        self.setAccessibleName(f"{word} {since}".strip())
