"""Sending: to whom, whether it is approved, what would go, what went, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from app.reports.runs import UNDER_WAY, MessageRow, RowOutcome, RunListing
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import (
    Banner,
    calm_wheel,
    clear_layout,
    labelled,
    offer,
    outline_button,
    primary_button,
    text_label,
)
from widgets.primitives.tips import plain_tip
from widgets.reports import words
from widgets.rows_model import Column, RowsModel
from widgets.side_panel import Facts, SidePanel, section

MOST_SHOWN = 60
_FACTS = (
    ("by", tr("Asked by")), ("began", tr("Began")), ("took", tr("Took")), ("lines", tr("Lines")), ("code", tr("Code")),
)  # fmt: skip


@dataclass(frozen=True)
class Taker:
    """An integration that takes reports. ``trouble`` says why nothing can go there now."""

    id: str
    name: str
    is_approved: bool
    approval_code: str
    schedule: str
    trouble: str = ""


class SendView(QWidget):
    """``act_wanted`` carries dry_run, send, profile or show; ``run_chosen`` a run whose details are to be read."""

    act_wanted = Signal(str)
    run_chosen = Signal(str)
    filtered = Signal()

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self._takers: dict[str, Taker] = {}
        self.takers = QComboBox()
        self.schedule = text_label("", "muted")
        self.profile = outline_button(theme, tr("Way of sending…"), "sliders-horizontal")
        self.dry_run = outline_button(theme, tr("Dry run…"), "eye")
        self.send = primary_button(theme, tr("Send now…"), "upload")
        self.approval = Banner(theme, "warn", "")
        model = RowsModel[RunListing](_columns(context), key=lambda run: run.id)
        self.table = DataTable[RunListing](theme, model, tr("Sendings"))
        model.setParent(self.table)
        self.panel = RunPanel(context)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        labelled(self.takers, tr("To"))
        calm_wheel(self.takers)
        self.takers.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.takers)
        bar.addWidget(self.schedule)
        bar.addStretch(1)
        for button in (self.profile, self.dry_run, self.send):
            bar.addWidget(button)
        column.addLayout(bar)
        column.addWidget(self.approval)
        self.approval.hide()
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(in_card(self.table), 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)
        self.table.set_empty(
            "upload",
            tr("Nothing was sent yet"),
            tr("Make a dry run first: it shows the exact requests and sends nothing. Then approve them, and send."),
        )

    def _connect(self) -> None:
        self.takers.currentIndexChanged.connect(self._on_taker)
        self.profile.clicked.connect(lambda: self.act_wanted.emit("profile"))
        self.dry_run.clicked.connect(lambda: self.act_wanted.emit("dry_run"))
        self.send.clicked.connect(lambda: self.act_wanted.emit("send"))
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(lambda _run: self.act_wanted.emit("show"))
        self.panel.closed.connect(self._on_closed)
        self.panel.show_wanted.connect(lambda: self.act_wanted.emit("show"))
        self._context.formats.changed.connect(self.table.model.redraw)

    @property
    def taker(self) -> Taker | None:
        return self._takers.get(str(self.takers.currentData() or ""))

    @property
    def run(self) -> RunListing | None:
        return self.panel.run

    def show_takers(self, takers: Sequence[Taker]) -> None:
        self._takers = {one.id: one for one in takers}
        offer(self.takers, [(one.id, one.name) for one in takers])
        self._show_taker()

    def show_runs(self, runs: Sequence[RunListing]) -> None:
        self.table.model.apply(runs)
        self.send.setEnabled(self.taker is not None and not any(run.state in UNDER_WAY for run in runs))
        shown = self.panel.run
        if shown is not None and not self.panel.isHidden():
            again = next((run for run in runs if run.id == shown.id), None)
            if again is not None and again != shown:
                self.run_chosen.emit(again.id)

    def choose_run(self, run_id: str) -> None:
        self.table.select_key(run_id)

    def _show_taker(self) -> None:
        taker = self.taker
        for widget in (self.takers, self.profile, self.dry_run, self.send):
            widget.setVisible(taker is not None)
        if taker is None:
            self.schedule.setText(
                tr("No integration takes reports. Add NHLMIS on the page Integrations, or export each report.")
            )
            self.approval.hide()
            return
        self.schedule.setText(taker.schedule)
        text = taker.trouble
        if not text and not taker.is_approved:
            text = tr("Nothing is sent before somebody has approved how. Make a dry run, look at it, then approve it.")
        self.approval.words.setText(text)
        self.approval.setVisible(bool(text))

    def _on_taker(self, *_index: object) -> None:
        self._show_taker()
        self.panel.hide()
        self.filtered.emit()

    def _on_selected(self, runs: Sequence[RunListing]) -> None:
        if runs:
            self.run_chosen.emit(runs[0].id)

    def _on_closed(self) -> None:
        self.panel.hide()
        self.table.view.clearSelection()


class RunPanel(SidePanel):
    """One run: its stores, the lines that did not go through, and every request with its answer."""

    show_wanted = Signal()

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(context.theme, tr("Sending"))
        self._context = context
        self.run: RunListing | None = None
        self.detail = text_label("", wrap=True, selectable=True)
        self.facts = Facts(_FACTS)
        self.parts = QVBoxLayout()
        self.parts.setSpacing(6)
        self.requests = outline_button(context.theme, tr("Exact requests…"), "eye")
        self.column.addWidget(self.detail)
        self.column.addWidget(self.facts)
        self.column.addLayout(self.parts)
        self.column.addStretch(1)
        self.foot.addWidget(self.requests)
        self.requests.clicked.connect(self.show_wanted)

    def show_run(self, run: RunListing, messages: Sequence[MessageRow], rows: Sequence[RowOutcome]) -> None:
        self.run = run
        formats = self._context.formats
        self.show_head(run.integration, run.subject)
        self.pill.set_state(*words.run_badge(run))
        progress = str(run.progress.get("detail") or "")
        self.detail.setText(run.detail or progress)
        self.detail.setVisible(bool(run.detail or progress))
        self.facts.show_fact("by", run.created_by if run.trigger == "operator" else tr("the schedule"))
        self.facts.show_fact("began", formats.time(run.started_at) if run.started_at is not None else None)
        took = None
        if run.started_at is not None and run.ended_at is not None and not run.is_dry:
            took = formats.span(run.ended_at - run.started_at)
        self.facts.show_fact("took", took)
        self.facts.show_fact("lines", _lines(run) or None)
        self.facts.show_fact("code", run.approval_code or None)
        self.requests.setVisible(run.is_dry)
        clear_layout(self.parts)
        for title, outcome in (
            (tr("Refused"), "refused"), (tr("Held back"), "held"),
            (tr("Sent, not confirmed"), "unconfirmed"), (tr("Did not go"), "unsent"),
        ):  # fmt: skip
            self._show_rows(title, [row for row in rows if row.outcome == outcome])
        if messages and not run.is_dry:
            self.parts.addWidget(section(tr("Requests")))
            for message in messages[:MOST_SHOWN]:
                status = str(message.status) if message.status is not None else tr("no answer")
                self._say(f"{_step(message.step)} · {message.store} · {status}", _answer(message))
        self.show()

    def _show_rows(self, title: str, rows: Sequence[RowOutcome]) -> None:
        if not rows:
            return
        self.parts.addWidget(section(f"{title}  {len(rows):,}"))
        for row in rows[:MOST_SHOWN]:
            self._say(row.subject, row.why)
        if len(rows) > MOST_SHOWN:
            self.parts.addWidget(text_label(tr("and {count} more", count=len(rows) - MOST_SHOWN), "muted"))

    def _say(self, head: str, text: str) -> None:
        self.parts.addWidget(text_label(head, wrap=True, selectable=True))
        if text:
            self.parts.addWidget(text_label(text, "small", wrap=True, selectable=True))


def _step(step: str) -> str:
    return {"batches": tr("Batches"), "stock_counts": tr("Stock counts")}.get(step, step)


def _answer(message: MessageRow) -> str:
    lines = trn("{count} line", "{count} lines", message.records)
    return f"{lines}, {message.took_ms or 0} ms. {message.answer[:400]}".strip()


def _lines(run: RunListing) -> str:
    parts = [
        (run.rows - run.held_back if run.is_dry else 0, tr("to send")),
        (run.accepted, tr("accepted")), (run.refused, tr("refused")), (run.held_back, tr("held back")),
        (run.unconfirmed, tr("not confirmed")), (run.unsent, tr("not sent")), (run.skipped, tr("unchanged")),
    ]  # fmt: skip
    return ", ".join(f"{count:,} {word}" for count, word in parts if count)


def _columns(context: ConsoleContext) -> list[Column[RunListing]]:
    formats = context.formats
    return [
        Column("at", tr("When"), lambda run: formats.clock(run.created_at), lambda run: run.created_at, width=110,
               tooltip=lambda run: formats.time(run.created_at), note=formats.zone_name),
        Column("state", tr("State"), lambda run: words.run_badge(run)[1], badge=words.run_badge, width=130),
        Column("lines", tr("Lines"), _lines, width=210, tooltip=lambda run: plain_tip(_lines(run))),
        Column("by", tr("By"), lambda run: run.created_by, width=84),
        Column("of", tr("What"), lambda run: run.subject, width=180, tooltip=lambda run: plain_tip(run.subject)),
        Column("detail", tr("Answer"), lambda run: run.detail, width=300, tooltip=lambda run: plain_tip(run.detail)),
    ]  # fmt: skip
