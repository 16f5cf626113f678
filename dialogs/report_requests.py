"""The exact requests of a dry run: what goes, to the byte, what stays behind, and the approval of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QPlainTextEdit,
    QSplitter,
    QVBoxLayout,
    QWidget,
)
from sqlalchemy import Connection

from adapters.errors import AdapterError
from app.errors import OperatorError
from app.reports.profiles import approve, profile_in_force
from app.reports.runs import MessageRow, RowOutcome, RunListing, messages_of, rows_of, run_listing
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Banner, outline_button, primary_button, text_label
from widgets.theme import mono_font

SIZE = (960, 640)
LONGEST_SHOWN = 200_000


async def report_requests(context: ConsoleContext, parent: QWidget, run_id: str) -> bool:
    """Show what a dry run kept; True where its way of sending was approved."""

    def read(connection: Connection) -> Any:
        run = run_listing(connection, run_id)
        return run, messages_of(connection, run_id), rows_of(connection, run_id, ("held",))

    run, messages, held = await context.bridge.read(read)
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    look = partial(profile_in_force, catalogue=catalogue, integration_id=run.integration_id)
    try:
        is_approved = (await context.bridge.read(look)).is_approved
    except (OperatorError, AdapterError):
        is_approved = False
    return await ask.run(RequestsDialog(context, parent, run, messages, held, is_approved=is_approved))


def request_text(message: MessageRow) -> str:
    """A request as it stands on the wire."""
    head = [f"{message.method} {message.url}", *(f"{name}: {value}" for name, value in message.headers)]
    return "\n".join([*head, "", message.body[:LONGEST_SHOWN]])


class RequestsDialog(QDialog):
    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        run: RunListing,
        messages: Sequence[MessageRow],
        held: Sequence[RowOutcome],
        *,
        is_approved: bool,
    ) -> None:
        super().__init__(parent)
        self._context = context
        self._run = run
        self._messages = messages
        theme = context.theme
        self.setWindowTitle(tr("Exact requests to {name}", name=run.integration))
        self.resize(*SIZE)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Requests"))
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(mono_font())
        self.text.setAccessibleName(tr("The request"))
        self.held = QPlainTextEdit("\n\n".join(f"{row.subject}\n{row.why}" for row in held))
        self.held.setReadOnly(True)
        self.held.setAccessibleName(tr("Held back"))
        self.approve = primary_button(theme, tr("Approve this way of sending…"), "shield-check")
        self.approve.setVisible(not is_approved and bool(run.approval_code))
        self.problem = Banner(theme, "error", "")
        self.problem.hide()
        close = outline_button(theme, tr("Close"))
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("What would be sent to {name}", name=run.integration), "heading", wrap=True))
        secret = tr("Where the secret goes stands •••. The code of this way of sending is {code}.",
                    code=run.approval_code or "–")  # fmt: skip
        column.addWidget(text_label(f"{run.detail} {secret}", "muted", wrap=True, selectable=True))
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.list)
        split.addWidget(self.text)
        split.setStretchFactor(1, 1)
        split.setSizes([250, SIZE[0] - 250])
        split.setChildrenCollapsible(False)
        split.setHandleWidth(10)
        column.addWidget(split, 3)
        if held:
            title = trn("{count} line stays here", "{count} lines stay here", len(held))
            column.addWidget(text_label(title, "strong"))
            column.addWidget(self.held, 1)
        column.addWidget(self.problem)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(close)
        row.addWidget(self.approve)
        column.addLayout(row)
        for message in messages:
            lines = trn("{count} line", "{count} lines", message.records)
            self.list.addItem(f"{message.step.replace('_', ' ').capitalize()}  {message.store}\n{lines}")
        self.list.currentRowChanged.connect(self._show_request)
        self.list.setCurrentRow(0)
        if not messages:
            self.text.setPlainText(tr("No request: nothing is held that could be told."))
        close.clicked.connect(self.reject)
        self.finished.connect(lambda _result: context.tasks.cancel_owner(self))
        self.approve.clicked.connect(lambda: context.tasks.start(self._approve(), name="approve sending", owner=self))

    def _show_request(self, at: int) -> None:
        if 0 <= at < len(self._messages):
            self.text.setPlainText(request_text(self._messages[at]))

    async def _approve(self) -> None:
        name, code = self._run.integration, self._run.approval_code
        if not await ask.confirm(
            self, self._context.theme, tr("Approve this way of sending to {name}?", name=name),
            tr("From then on reports go out like this, by hand and by the schedule, until the address or anything in "
               "the profile changes."),
            act=tr("Approve"), detail=tr("Code {code}", code=code),
        ):  # fmt: skip
            return
        self.approve.setEnabled(False)
        try:
            await asyncio.to_thread(lambda: approve(self._context.services.desk, self._run.integration_id, code))
        except (OperatorError, AdapterError) as err:
            self.problem.words.setText(err.why)
            self.problem.show()
            self.approve.setEnabled(True)
            return
        self._context.notify("ok", tr("The way of sending to {name} is approved.", name=name))
        self.accept()
