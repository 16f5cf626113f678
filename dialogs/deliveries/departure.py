"""The departure check: what was looked at with its evidence, kept with the batch, and let go with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.catalogue import Catalogue
from app.deliveries.acts import start_batch
from app.deliveries.batch import need_batch
from app.deliveries.batches import BatchListing
from app.deliveries.departure_look import look_before_departure
from app.deliveries.departures import LEAST_REASON, Finding, is_ready, keep_check, last_check, override_check
from app.deliveries.offers import Offer, offers_of
from app.errors import OperatorError
from app.store.errors import StoreError
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import (
    Banner,
    StatusDot,
    clear_layout,
    exact_height,
    labelled,
    line,
    link_button,
    outline_button,
    primary_button,
    text_label,
)
from widgets.theme import Level

WIDTH_PX = 620
FIELD_PX = 64
Look = tuple[BatchListing, list[Finding], Any, Offer | None]


async def check_departure(context: ConsoleContext, parent: QWidget, batch_id: str, *, then_start: bool = False) -> bool:
    """Look at a batch before it leaves, and start it where that was asked; True once that is saved here."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    dialog = DepartureDialog(context, parent, catalogue, batch_id, then_start=then_start)
    try:
        await dialog.look()
    except OperatorError as err:
        dialog.deleteLater()
        context.notify("warn", err.why)
        return False
    try:
        return await ask.run(dialog)
    finally:
        context.tasks.cancel_owner(dialog)  # a look that is still under way has nothing to show any more


class DepartureDialog(QDialog):
    """Findings from the top; at the foot what may be done: start, or say why it leaves nevertheless."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, catalogue: Catalogue, batch_id: str, *, then_start: bool
    ) -> None:
        super().__init__(parent)
        self._context, self._catalogue, self._batch_id = context, catalogue, batch_id
        self._then_start = then_start
        self._hindrance = ""
        self.findings: Sequence[Finding] = ()
        theme = context.theme
        self.setMinimumWidth(WIDTH_PX)
        self.heading = text_label("", "heading", wrap=True, selectable=True)
        self.summary = exact_height(text_label("", "muted", wrap=True, selectable=True))
        self.again = link_button(theme, tr("Look again"), "refresh-cw", small=True)
        self.rows = QVBoxLayout()
        self.effect = Banner(theme, "info", "")
        self.reason_label = text_label("", "strong", wrap=True)
        self.reason = QPlainTextEdit()
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.cancel = outline_button(theme, tr("Close"))
        self.keep = outline_button(theme, tr("Keep this check"), "save")
        self.act = primary_button(theme, tr("Start"), "play" if then_start else "check")
        self._lay_out()
        self.again.clicked.connect(lambda: self._spawn(self._look_again()))
        self.reason.textChanged.connect(self._allow)
        self.cancel.clicked.connect(self.reject)
        self.keep.clicked.connect(lambda: self._spawn(self._keep()))
        self.act.clicked.connect(lambda: self._spawn(self._do()))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(10)
        head = QHBoxLayout()
        head.addWidget(self.heading, 1)
        head.addWidget(self.again, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        column.addWidget(self.summary)
        column.addWidget(line())
        self.rows.setSpacing(8)
        column.addLayout(self.rows)
        column.addWidget(line())
        column.addWidget(self.effect)
        self.reason.setFixedHeight(FIELD_PX)
        self.reason.setTabChangesFocus(True)
        labelled(self.reason, tr("Why it may leave nevertheless"))
        self.reason_label.setBuddy(self.reason)
        column.addWidget(self.reason_label)
        column.addWidget(self.reason)
        column.addWidget(self.problem)
        self.problem.hide()
        column.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        for button in (self.cancel, self.keep, self.act):
            row.addWidget(button)
        column.addLayout(row)

    async def look(self) -> None:
        """Look now and show what was found. Raises OperatorError."""
        look = partial(self._read, now_ms=self._context.services.clock.now_ms())
        self._show(*await self._context.bridge.read(look))

    def _read(self, connection: Connection, now_ms: int) -> Look:
        batch = need_batch(connection, self._batch_id)
        found = look_before_departure(connection, self._batch_id, now_ms)
        offers = offers_of(connection, self._catalogue, "delivery_batch", [self._batch_id])[self._batch_id]
        return batch, found, last_check(connection, self._batch_id), offers.find("start_batch")

    def _show(self, batch: BatchListing, findings: Sequence[Finding], before: Any, start: Offer | None) -> None:
        formats = self._context.formats
        self.findings = findings
        title = tr("Start batch {name}?") if self._then_start else tr("Departure check of batch {name}")
        self.heading.setText(title.format(name=batch.name))
        self.setWindowTitle(self.heading.text())
        open_ones = sum(finding.ok is not True for finding in findings)
        said = tr("Everything is in order.")
        if open_ones:
            said = trn("{count} thing is not in order or cannot be told.",
                       "{count} things are not in order or cannot be told.", open_ones)  # fmt: skip
        if before is not None:
            last = tr("in order") if before.is_ready else tr("not in order")
            if before.override_reason:
                last = tr("overridden by {who}: {why}", who=before.overridden_by, why=before.override_reason)
            at = formats.clock(before.checked_ms)
            said = f"{said} " + tr("The last check was kept {at}: {last}.", at=at, last=last.rstrip("."))
        self.summary.setText(said)
        clear_layout(self.rows)
        for finding in findings:
            self.rows.addWidget(FindingRow(self._context, finding))
        self.effect.words.setText("" if start is None else start.effect)
        self.effect.setVisible(self._then_start and start is not None and bool(start.effect))
        ready = is_ready(findings)
        for part in (self.reason_label, self.reason):
            part.setVisible(not ready)
        self.reason_label.setText(tr("Why it may leave nevertheless (kept with the check, {n} characters or more)",
                                     n=LEAST_REASON))  # fmt: skip
        self.act.setVisible(self._then_start or not ready)
        if self._then_start:
            self.act.setText(tr("Start") if ready else tr("Override and start"))
        else:
            self.act.setText(tr("Override"))
        hindrance = start.hindrance if self._then_start and start is not None else ""
        if self._then_start and start is None:
            hindrance = tr("It cannot be started as it stands now.")
        self._hindrance = hindrance
        self._say(hindrance)
        self._allow()
        (self.act if ready else self.reason).setFocus()
        QTimer.singleShot(0, self, self._fit)

    def _fit(self) -> None:
        """As high as what is found needs at this width: wrapped lines are neither cut nor followed by emptiness."""
        layout = self.layout()
        if layout is not None and layout.hasHeightForWidth():
            self.resize(self.width(), layout.totalHeightForWidth(self.width()))

    def _allow(self) -> None:
        ready = is_ready(self.findings)
        written = len(" ".join(self.reason.toPlainText().split())) >= LEAST_REASON
        self.act.setEnabled((ready or written) and not self._hindrance)

    def _say(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _spawn(self, coro: Any) -> None:
        self._context.tasks.start(coro, name="departure check", owner=self)

    async def _look_again(self) -> None:
        try:
            await self.look()
        except (OperatorError, StoreError) as err:
            self._say(err.why)

    async def _keep(self) -> None:
        if await self._write(start=False, override=False):
            self._context.notify("ok", tr("The check is kept with the batch."))
            self.accept()

    async def _do(self) -> None:
        ready = is_ready(self.findings)
        if await self._write(start=self._then_start, override=not ready):
            self.accept()

    async def _write(self, *, start: bool, override: bool) -> bool:
        """Keep the check, the override and the start in one transaction: none without the others."""
        now, reason = self._context.now(), self.reason.toPlainText()

        def job(connection: Connection) -> str:
            check_id = keep_check(connection, self._batch_id, self.findings, now=now)
            if override:
                override_check(connection, check_id, reason, now=now)
            if not start:
                return ""
            return start_batch(connection, self._catalogue, self._batch_id, now=now).subject

        self.act.setEnabled(False)
        try:
            subject = await self._context.bridge.write(job)
        except OperatorError as err:
            self._say(err.why)
            self._allow()
            return False
        if subject:
            self._context.notify("ok", tr("{subject}: the start is saved here and waits to be sent.", subject=subject))
        elif override:
            self._context.notify("ok", tr("The check is overridden; the reason is kept with it."))
        return True


class FindingRow(QFrame):
    """One finding: a shape, what was looked at, what was found, and what to do."""

    def __init__(self, context: ConsoleContext, finding: Finding) -> None:
        super().__init__()
        level: Level = "ok" if finding.ok else "neutral" if finding.ok is None else "error"
        word = {True: tr("in order"), False: tr("not in order"), None: tr("cannot be told")}[finding.ok]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(StatusDot(context.theme, level), 0, Qt.AlignmentFlag.AlignTop)
        name = text_label(finding.label, "strong")
        name.setFixedWidth(170)
        row.addWidget(name, 0, Qt.AlignmentFlag.AlignTop)
        told = QVBoxLayout()
        told.setSpacing(1)
        told.addWidget(exact_height(text_label(finding.detail or word, wrap=True, selectable=True)))
        if finding.advice and finding.ok is not True:
            told.addWidget(exact_height(text_label(finding.advice, "small", wrap=True, selectable=True)))
        row.addLayout(told, 1)
        state = text_label(word, "small")
        row.addWidget(state, 0, Qt.AlignmentFlag.AlignTop)
        self.setAccessibleName(f"{finding.label}: {word}. {finding.detail} {finding.advice}".strip())
