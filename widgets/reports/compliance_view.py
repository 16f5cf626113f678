"""Compliance: the indicators by programme, facility or period, and whom to remind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.reports.compliance import HELP, INDICATORS, GroupBy, Indicators, Reminder, Share
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING
from widgets.primitives import (
    CardGrid,
    StatCard,
    calm_wheel,
    labelled,
    outline_button,
    text_label,
)
from widgets.primitives.tips import plain_tip
from widgets.reports import words
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level

CARDS = (
    ("reporting", "inbox"), ("timeliness", "clock"), ("line_completeness", "list"), ("accuracy", "circle-check"),
)  # fmt: skip
GOOD, FAIR = 90.0, 70.0


class ComplianceView(QWidget):
    """``act_wanted`` carries export_reminders or print_reminders; ``opened`` the id of a report."""

    filtered = Signal()
    act_wanted = Signal(str)
    opened = Signal(str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self.by = QComboBox()
        self.cards = {key: StatCard(theme, tr(INDICATORS[key]), icon) for key, icon in CARDS}
        model = RowsModel[Indicators](self._columns(), key=lambda row: row.name)
        self.table = DataTable[Indicators](theme, model, tr("Compliance"))
        model.setParent(self.table)
        reminders = RowsModel[Reminder](_reminder_columns(), key=lambda row: row.report.id)
        self.reminders = DataTable[Reminder](theme, reminders, tr("Reminders"))
        reminders.setParent(self.reminders)
        self.count = text_label("", "muted")
        self.export = outline_button(theme, tr("Export…"), "file-text", small=True)
        self.print = outline_button(theme, tr("Print…"), "printer", small=True)
        self._lay_out()
        self.by.currentIndexChanged.connect(self.filtered)
        self.export.clicked.connect(lambda: self.act_wanted.emit("export_reminders"))
        self.print.clicked.connect(lambda: self.act_wanted.emit("print_reminders"))
        self.reminders.activated.connect(lambda row: self.opened.emit(row.report.id))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        cards = QWidget()
        grid = CardGrid(cards, min_width=210, max_columns=4)
        for card in self.cards.values():
            grid.addWidget(card)
        column.addWidget(cards)
        for key, word in (
            ("programme", tr("By programme")),
            ("facility", tr("By facility")),
            ("period", tr("By period")),
        ):
            self.by.addItem(word, key)
        labelled(self.by, tr("Grouped"))
        calm_wheel(self.by)
        bar = QHBoxLayout()
        bar.addWidget(text_label(tr("Indicators of the last year, in percent"), "card-title"))
        bar.addStretch(1)
        bar.addWidget(self.by)
        column.addLayout(bar)
        column.addWidget(in_card(self.table), 3)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(text_label(tr("To remind"), "card-title"))
        foot.addWidget(self.count)
        foot.addStretch(1)
        foot.addWidget(self.export)
        foot.addWidget(self.print)
        column.addLayout(foot)
        column.addWidget(in_card(self.reminders), 3)
        self.table.set_empty("chart-column", tr("No report was due yet"), tr("Indicators begin with the first period."))
        self.reminders.set_empty("circle-check", tr("Nobody is to be reminded"), tr("Every report that is due came."))

    @property
    def group(self) -> GroupBy:
        return cast("GroupBy", str(self.by.currentData() or "programme"))

    def show_indicators(self, rows: Sequence[Indicators], reminders: Sequence[Reminder]) -> None:
        self.table.model.apply(rows)
        whole = rows[-1] if rows else None
        for key, card in self.cards.items():
            share: Share | None = getattr(whole, key) if whole is not None else None
            value = NOTHING if share is None or share.percent is None else f"{share.percent:.0f} %"
            note = "" if share is None else tr("{part} of {whole}", part=f"{share.part:,}", whole=f"{share.whole:,}")
            card.set_value(value, note, tint=_tint(share))
            card.setToolTip(plain_tip(tr(HELP[key])))
        self.reminders.model.apply(reminders)
        self.count.setText(trn("{count} report", "{count} reports", len(reminders)) if reminders else "")
        for button in (self.export, self.print):
            button.setEnabled(bool(reminders))

    def _columns(self) -> list[Column[Indicators]]:
        columns = [
            Column[Indicators]("name", tr("Name"), lambda row: row.name, width=170),
            Column[Indicators](
                "reports", tr("Reports"), lambda row: f"{row.reports:,}", lambda row: row.reports, align="right",
                width=72,
            ),
        ]  # fmt: skip
        return columns + [
            Column[Indicators](
                key, tr(label), partial(_percent, key=key), partial(_order, key=key), align="right",
                width=max(88, 7 * len(label) + 24),
                tooltip=partial(_tip, key=key), help=tr(HELP[key]), export=partial(_order, key=key),
            )
            for key, label in INDICATORS.items()
        ]  # fmt: skip


def _percent(row: Indicators, key: str) -> str:
    share: Share = getattr(row, key)
    return NOTHING if share.percent is None else f"{share.percent:.0f} %"


def _order(row: Indicators, key: str) -> Any:
    share: Share = getattr(row, key)
    return None if share.percent is None else round(share.percent, 1)


def _tip(row: Indicators, key: str) -> str:
    share: Share = getattr(row, key)
    counts = tr("{part} of {whole}", part=f"{share.part:,}", whole=f"{share.whole:,}")
    return plain_tip(f"{counts}\n{tr(HELP[key])}")


def _tint(share: Share | None) -> Level:
    if share is None or share.percent is None:
        return "neutral"
    return "ok" if share.percent >= GOOD else "warn" if share.percent >= FAIR else "error"


def _reminder_columns() -> list[Column[Reminder]]:
    return [
        Column("facility", tr("Facility"), lambda row: row.report.facility_name, width=210),
        Column("code", tr("Code"), lambda row: row.report.facility_code, width=110),
        Column("zone", tr("Zone"), lambda row: row.report.zone, width=90),
        Column("programme", tr("Programme"), lambda row: row.report.programme, width=140),
        Column("period", tr("Period"), lambda row: row.report.period.name, lambda row: row.report.period, width=120),
        Column("state", tr("State"), lambda row: words.state_badge(row.report)[1],
               badge=lambda row: words.state_badge(row.report), width=120),
        Column("due", tr("Due"), lambda row: words.day_text(row.report.due_on), lambda row: row.report.due_on,
               width=100),
        Column("late", tr("Days late"), lambda row: str(row.days_late or ""), lambda row: row.days_late, align="right",
               width=80),
    ]  # fmt: skip
