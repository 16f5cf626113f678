"""The passphrase of the secrets' file: asked for at the start, tried at once, kept in memory alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.security.vault import VaultError, VaultLocked
from app.tasks import Tasks
from resources.i18n import tr
from widgets import ask
from widgets.primitives import labelled, outline_button, primary_button, text_label
from widgets.theme import Theme

MARGIN = 24


async def ask_passphrase(
    theme: Theme, tasks: Tasks, open_with: Callable[[str], object], parent: QWidget | None = None
) -> str | None:
    """The passphrase with which ``open_with`` succeeded; None when the operator goes on without.

    ``open_with`` raises VaultError and may block: it is called off the UI thread.
    """
    dialog = UnlockDialog(theme, tasks, open_with, parent)
    return dialog.field.text() if await ask.run(dialog) else None


class UnlockDialog(QDialog):
    def __init__(
        self, theme: Theme, tasks: Tasks, open_with: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._open_with = open_with
        self.setWindowTitle(tr("Unlock the secrets"))
        self.setFixedWidth(480)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Unlock the secrets"), "heading"))
        explanation = tr(
            "The passwords and tokens of the integrations are in a file that opens with a passphrase. It is kept in "
            "memory until the console is closed, and written nowhere."
        )
        column.addWidget(text_label(explanation, wrap=True))
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        labelled(self.field, tr("Passphrase"), explanation)
        self.field.setPlaceholderText(tr("Passphrase"))
        column.addWidget(self.field)
        self.fault = text_label("", "error", wrap=True, selectable=True)
        self.fault.hide()
        column.addWidget(self.fault)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        self.without = outline_button(theme, tr("Go on without"))
        self.without.setToolTip(tr("Look at what is stored. The engine cannot sign in anywhere without its secrets."))
        self.without.clicked.connect(self.reject)
        self.unlock = primary_button(theme, tr("Unlock"))
        self.unlock.setDefault(True)
        self.unlock.clicked.connect(self._on_unlock_clicked)
        row.addWidget(self.without)
        row.addWidget(self.unlock)
        column.addLayout(row)
        self.field.textChanged.connect(self._on_text_changed)
        self._on_text_changed()
        self.field.setFocus()
        self.finished.connect(lambda _result: tasks.cancel_owner(self))

    def _on_text_changed(self) -> None:
        self.unlock.setEnabled(bool(self.field.text()))

    def _on_unlock_clicked(self) -> None:
        self._set_busy(True)
        self._tasks.start(self._try(self.field.text()), name="unlock the secrets", owner=self)

    async def _try(self, passphrase: str) -> None:
        try:
            await asyncio.to_thread(self._open_with, passphrase)
        except VaultLocked:
            self._refuse(tr("The secrets do not open with this passphrase. Capital and small letters differ."))
        except VaultError as err:
            self._refuse(err.why)
        else:
            self.accept()

    def _refuse(self, why: str) -> None:
        self._set_busy(False)
        self.fault.setText(why)
        self.fault.show()
        self.field.setFocus()
        self.field.selectAll()

    def _set_busy(self, busy: bool) -> None:
        self.field.setEnabled(not busy)
        self.unlock.setEnabled(not busy)
        self.unlock.setText(tr("Unlocking…") if busy else tr("Unlock"))
