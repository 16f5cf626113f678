"""Tasks: lines that were refused or held back, until they are accepted or put away with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from app.reports.tasks import TaskListing
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import Banner, SearchField, outline_button, primary_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.reports import words
from widgets.rows_model import Column, RowsModel
from widgets.side_panel import Facts, SidePanel

_FACTS = (("to", tr("By")), ("times", tr("Times")), ("opened", tr("Since")), ("last", tr("Last")),
          ("closed", tr("Ended")), ("comment", tr("Reason")))  # fmt: skip


class TasksView(QWidget):
    """``act_wanted`` carries done, dismiss or report, with the task."""

    act_wanted = Signal(str, object)
    filtered = Signal()

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self.search = SearchField(theme, tr("Item, batch, store…"))
        self.with_closed = QCheckBox(tr("Also those that are done"))
        model = RowsModel[TaskListing](_columns(context), key=lambda task: task.id)
        self.table = DataTable[TaskListing](theme, model, tr("Tasks"))
        model.setParent(self.table)
        self.panel = TaskPanel(context)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.with_closed)
        bar.addStretch(1)
        bar.addWidget(self.search)
        column.addLayout(bar)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(in_card(self.table), 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)
        self.table.set_empty(
            "circle-check", tr("Nothing is to be mended"), tr("Lines that are refused or held back stand here.")
        )
        self.search.searched.connect(model.set_filter)
        self.with_closed.toggled.connect(self.filtered)
        self.table.selected.connect(self._on_selected)
        self.panel.closed.connect(self._on_closed)
        self.panel.act_wanted.connect(self.act_wanted)

    def show_tasks(self, tasks: Sequence[TaskListing]) -> None:
        self.table.model.apply(tasks)
        shown = self.panel.task
        if shown is not None and not self.panel.isHidden():
            again = next((one for one in tasks if one.id == shown.id), None)
            if again is None:
                self.panel.hide()
            else:
                self.panel.show_task(again)

    def _on_selected(self, tasks: Sequence[TaskListing]) -> None:
        if tasks:
            self.panel.show_task(tasks[0])

    def _on_closed(self) -> None:
        self.panel.hide()
        self.table.view.clearSelection()


class TaskPanel(SidePanel):
    act_wanted = Signal(str, object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(context.theme, tr("Task"))
        self._context = context
        self.task: TaskListing | None = None
        self.why = Banner(context.theme, "error", "")
        self.next = text_label("", wrap=True, selectable=True)
        self.facts = Facts(_FACTS)
        self.done = primary_button(context.theme, tr("Done"), "check")
        self.dismiss = outline_button(context.theme, tr("Put away…"), "inbox")
        self.report = outline_button(context.theme, tr("Open its report"), "file-text")
        for widget in (self.why, self.next, self.facts):
            self.column.addWidget(widget)
        self.column.addStretch(1)
        for act, button in (("report", self.report), ("dismiss", self.dismiss), ("done", self.done)):
            self.foot.addWidget(button)
            button.clicked.connect(lambda _on=False, act=act: self._want(act))

    def show_task(self, task: TaskListing) -> None:
        self.task = task
        formats = self._context.formats
        self.show_head(task.subject, "")
        self.pill.set_state(*words.task_badge(task))
        self.why.words.setText(task.why)
        self.next.setText(tr(task.next_step) if task.state == "open" else "")
        self.next.setVisible(task.state == "open")
        self.facts.show_fact("to", task.integration)
        self.facts.show_fact("times", f"{task.times:,}")
        self.facts.show_fact("opened", formats.time(task.opened_at))
        self.facts.show_fact("last", formats.time(task.last_at) if task.times > 1 else None)
        ended = None
        if task.closed_at is not None:
            ended = tr("{at} by {who}", at=formats.time(task.closed_at), who=task.closed_by)
        self.facts.show_fact("closed", ended)
        self.facts.show_fact("comment", task.comment or None)
        self.done.setVisible(task.state == "open")
        self.dismiss.setVisible(task.state == "open")
        self.report.setVisible(task.report_id is not None)
        self.show()

    def _want(self, act: str) -> None:
        if self.task is not None:
            self.act_wanted.emit(act, self.task)


def _columns(context: ConsoleContext) -> list[Column[TaskListing]]:
    formats = context.formats

    def order(task: TaskListing) -> Any:
        return task.last_at

    return [
        Column("state", tr("State"), lambda task: words.task_badge(task)[1], badge=words.task_badge, width=104),
        Column("line", tr("Line"), lambda task: task.subject, width=250, tooltip=lambda task: plain_tip(task.subject)),
        Column("why", tr("Why"), lambda task: task.why, width=260, tooltip=lambda task: plain_tip(task.why)),
        Column("to", tr("By"), lambda task: task.integration, width=110),
        Column("times", tr("Times"), lambda task: f"{task.times:,}", lambda task: task.times, align="right", width=64),
        Column("last", tr("Last"), lambda task: formats.clock(task.last_at), order, width=110, note=formats.zone_name),
    ]
