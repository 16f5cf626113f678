"""Generate OTP Code (biko.md 2.3): made at the platform now, shown once, large, and kept nowhere."""

from __future__ import annotations

import asyncio
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QStackedLayout, QVBoxLayout, QWidget

from adapters.errors import AdapterError, NotReady
from app.deliveries.acts import clean_address
from app.deliveries.errors import DeliveryError
from app.deliveries.platforms import run_action
from app.errors import OperatorError
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.mod4.acts import lend_to_clipboard
from widgets.primitives import exact_height, outline_button, primary_button, text_label
from widgets.theme import tabular

WIDTH_PX = 420
CODE_PX = 40
COPIED_MS = 2_000


async def one_time_code(context: ConsoleContext, parent: QWidget, platform: str, email: str = "") -> None:
    """Ask for an address, make a code for it and show it until the dialog is closed."""
    await ask.run(OneTimeCodeDialog(context, parent, platform, email))


class OneTimeCodeDialog(QDialog):
    """Closing forgets the code; it is in no property, log or record."""

    def __init__(self, context: ConsoleContext, parent: QWidget, platform: str, email: str) -> None:
        super().__init__(parent)
        self._context, self._platform = context, platform
        theme = context.theme
        self.setWindowTitle(tr("Generate OTP Code"))
        self.setFixedWidth(WIDTH_PX)
        self.email = QLineEdit(email)
        self.email.setAccessibleName(tr("Driver Email"))
        self.email.setPlaceholderText("driver@example.org")
        self.email.setMaxLength(320)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.generate = primary_button(theme, tr("Generate Code"), "key-round")
        self.cancel = outline_button(theme, tr("Cancel"))
        self.code = _code_label()
        self.made = exact_height(text_label("", "muted", wrap=True))
        self.remark = exact_height(text_label("", "warn", wrap=True, selectable=True))
        self.copy = outline_button(theme, tr("Copy"), "copy")
        self.finish = primary_button(theme, tr("Done"))
        self._wait_s = 0
        self._is_making = False
        self._pause = QTimer(self, interval=1_000)
        self._pause.timeout.connect(self._on_second)
        self._stack = QStackedLayout()
        self._lay_out()
        self.email.textChanged.connect(lambda _text: self._on_typed())
        self.generate.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.copy.clicked.connect(self._copy)
        self.finish.clicked.connect(self.accept)
        self.finished.connect(lambda _result: self.code.clear())
        self.generate.setDefault(True)
        self._say("")
        self._on_typed()

    # Laying out

    def _lay_out(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        outer.addLayout(self._stack)
        self._stack.addWidget(self._lay_out_question())
        self._stack.addWidget(self._lay_out_answer())

    def _lay_out_question(self) -> QWidget:
        words = tr(
            "A code of six digits is made at the platform. Tell it to the driver by voice or another safe channel. "
            "It ends the codes made before for this address."
        )
        return _page(
            text_label(tr("Generate OTP Code"), "heading"),
            text_label(words, "muted", wrap=True),
            text_label(tr("Driver Email"), "strong"),
            self.email,
            self.problem,
            buttons=(self.cancel, self.generate),
        )

    def _lay_out_answer(self) -> QWidget:
        return _page(
            text_label(tr("OTP Code Generated"), "heading"),
            self.made,
            self.code,
            self.remark,
            buttons=(self.copy, self.finish),
        )

    # Asking

    def _on_typed(self) -> None:
        try:
            clean_address(self.email.text())
        except DeliveryError:
            self.generate.setEnabled(False)
        else:
            self.generate.setEnabled(self._wait_s == 0)

    def _say(self, why: str) -> None:
        self.problem.setText(why)
        self.problem.setVisible(bool(why))
        self.adjustSize()

    def reject(self) -> None:
        """Not while a code is being made: it would end the older one and never be shown."""
        if not self._is_making:
            super().reject()

    def _start(self) -> None:
        self._is_making = True
        self.cancel.setEnabled(False)
        self._context.tasks.start(self._make(), name="one-time code", owner=self)

    async def _make(self) -> None:
        try:
            await self._ask_for_code()
        finally:
            self._is_making = False
            self.cancel.setEnabled(True)

    async def _ask_for_code(self) -> None:
        self.generate.setEnabled(False)
        self.generate.setText(tr("Generating…"))
        services = self._context.services
        try:
            desk = await asyncio.to_thread(lambda: services.desk)
            made: Any = await run_action(
                desk, self._platform, "one_time_code", {"email": self.email.text().strip().lower()}, services.clock
            )
        except NotReady as err:
            self._refused(err.why)
            if err.retry_after_s:
                self._begin_pause(round(err.retry_after_s))
        except (AdapterError, OperatorError) as err:
            self._refused(str(getattr(err, "why", err)))
        else:
            self._show(made)

    def _refused(self, why: str) -> None:
        self.generate.setText(tr("Generate Code"))
        self._say(why)
        self._on_typed()

    def _begin_pause(self, seconds: int) -> None:
        self._wait_s = max(1, seconds)
        self._pause.start()
        self._show_pause()

    def _on_second(self) -> None:
        self._wait_s = max(0, self._wait_s - 1)
        self._show_pause()

    def _show_pause(self) -> None:
        if self._wait_s:
            self.generate.setText(tr("Generate Code ({seconds} s)", seconds=self._wait_s))
            self.generate.setEnabled(False)
            return
        self._pause.stop()
        self.generate.setText(tr("Generate Code"))
        self._on_typed()

    # Showing, once

    def _show(self, made: Any) -> None:
        formats = self._context.formats
        self.setWindowTitle(tr("OTP Code Generated"))
        told = tr("For {email}, valid until {time}. It is shown only now.", email=made.email,
                  time=formats.time(made.expires_ms))  # fmt: skip
        if made.voided:
            ended = trn("{count} older code ended.", "{count} older codes ended.", made.voided)
            told = f"{told} {ended}"
        self.made.setText(told)
        self.code.setText(made.code)
        self.remark.setText(made.remark)
        self.remark.setVisible(bool(made.remark))
        self._stack.setCurrentIndex(1)
        self.finish.setDefault(True)
        self.finish.setFocus(Qt.FocusReason.OtherFocusReason)

    def _copy(self) -> None:
        lend_to_clipboard(self.code.text())
        self.copy.setText(tr("Copied for a minute"))
        QTimer.singleShot(COPIED_MS, self, lambda: self.copy.setText(tr("Copy")))


def _code_label() -> QLabel:
    label = text_label("", "code", selectable=True)
    font = tabular(label.font())
    font.setPixelSize(CODE_PX)
    font.setBold(True)
    font.setLetterSpacing(font.SpacingType.AbsoluteSpacing, 8)
    label.setFont(font)
    label.setStyleSheet(f"font-size: {CODE_PX}px; font-weight: 700;")
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setAccessibleName(tr("One-time code"))
    return label


def _page(*parts: QWidget, buttons: tuple[QWidget, ...]) -> QWidget:
    host = QWidget()
    column = QVBoxLayout(host)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(12)
    for part in parts:
        column.addWidget(part)
    column.addStretch(1)
    row = QHBoxLayout()
    row.setSpacing(10)
    row.addStretch(1)
    for button in buttons:
        row.addWidget(button)
    column.addLayout(row)
    return host
