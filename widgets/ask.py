"""Dialogs that a coroutine can await. Never ``exec()``: a nested Qt loop stops every other task (qasync).

Each opens window-modal, gives its answer when it is closed, and disappears when the asking task is cancelled.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.primitives import destructive_button, exact_height, outline_button, primary_button, text_label
from widgets.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Sequence

DIALOG_MARGIN = 24
NAMED = 8


async def run(dialog: QDialog) -> bool:
    """Open ``dialog`` and wait until it is closed; True when accepted.

    The dialog is deleted once the event loop is back, so its fields can still be read right after the call.
    """
    closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_finished(result: int) -> None:
        if not closed.done():
            closed.set_result(result)

    dialog.finished.connect(on_finished)
    QDialog.open(dialog)  # that of QPrintDialog itself wants a slot
    try:
        return await closed == QDialog.DialogCode.Accepted.value
    finally:
        dialog.finished.disconnect(on_finished)
        dialog.close()
        dialog.deleteLater()


async def confirm(
    parent: QWidget,
    theme: Theme,
    title: str,
    text: str,
    *,
    act: str,
    detail: str = "",
    destructive: bool = False,
) -> bool:
    """Ask before an act. ``act`` is the button's verb; ``detail`` says what would be lost or touched, one per line."""
    dialog = _Question(parent, theme, title, text, act, detail=detail, destructive=destructive)
    return await run(dialog)


async def tell(parent: QWidget, theme: Theme, title: str, text: str, detail: str = "", *, copy: bool = False) -> None:
    """Show something that must be read; the text can be copied. ``copy`` adds a button that takes the detail along."""
    dialog = _Question(parent, theme, title, text, tr("Close"), detail=detail, is_notice=True)
    if copy:
        dialog.offer_copy(theme, detail)
    await run(dialog)


async def text(
    parent: QWidget,
    theme: Theme,
    title: str,
    label: str,
    *,
    value: str = "",
    act: str = "",
    secret: bool = False,
) -> str | None:
    """Ask for one line; None when cancelled."""
    dialog = _Question(parent, theme, title, label, act or tr("OK"))
    field = QLineEdit(value)
    field.setAccessibleName(label)
    if secret:
        field.setEchoMode(QLineEdit.EchoMode.Password)
    dialog.column.insertWidget(dialog.column.count() - 2, field)
    field.setFocus()
    field.selectAll()
    return field.text() if await run(dialog) else None


async def open_file(parent: QWidget, title: str, filters: Sequence[str] = ()) -> Path | None:
    """Let the operator choose an existing file; None when cancelled. ``filters`` like ``"GeoJSON (*.geojson)"``."""
    dialog = _file_dialog(parent, title, filters)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return await _chosen(dialog)


async def open_folder(parent: QWidget, title: str) -> Path | None:
    dialog = _file_dialog(parent, title, ())
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    return await _chosen(dialog)


async def save_file(parent: QWidget, title: str, name: str, filters: Sequence[str] = ()) -> Path | None:
    """Let the operator choose where to save; ``name`` is proposed. Overwriting was agreed to in the dialog."""
    dialog = _file_dialog(parent, title, filters)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(Path(name).suffix.lstrip("."))
    dialog.selectFile(name)
    return await _chosen(dialog)


class _Question(QDialog):
    """Title, sentence, detail, and one or two buttons."""

    def __init__(
        self,
        parent: QWidget,
        theme: Theme,
        title: str,
        sentence: str,
        act: str,
        *,
        detail: str = "",
        destructive: bool = False,
        is_notice: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(440)
        self.setMaximumWidth(640)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(DIALOG_MARGIN, DIALOG_MARGIN, DIALOG_MARGIN, DIALOG_MARGIN)
        self.column.setSpacing(12)
        self.column.addWidget(text_label(title, "heading", wrap=True))
        self.column.addWidget(exact_height(text_label(sentence, wrap=True, selectable=True)))
        if detail:
            self.column.addWidget(exact_height(text_label(detail, "muted", wrap=True, selectable=True)))
        self.buttons = buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        make = destructive_button if destructive else primary_button
        self.act = make(theme, act)
        self.act.clicked.connect(self.accept)
        if not is_notice:
            self.cancel = outline_button(theme, tr("Cancel"))
            self.cancel.clicked.connect(self.reject)
            buttons.addWidget(self.cancel)
        buttons.addWidget(self.act)
        self.column.addStretch(1)
        self.column.addLayout(buttons)
        # Enter must not destroy: the safe button has the focus where something can be lost.
        (self.cancel if destructive and not is_notice else self.act).setDefault(True)
        (self.cancel if destructive and not is_notice else self.act).setFocus(Qt.FocusReason.OtherFocusReason)

    def offer_copy(self, theme: Theme, what: str) -> None:
        """A button beside the others that puts ``what`` into the clipboard, and says that it did."""
        self.copy = outline_button(theme, tr("Copy"), "copy")
        self.copy.setAutoDefault(False)

        def take() -> None:
            QGuiApplication.clipboard().setText(what)
            self.copy.setText(tr("Copied"))

        self.copy.clicked.connect(take)
        self.buttons.insertWidget(1, self.copy)

    def labels(self) -> list[str]:
        """Everything it says, for tests and screen readers."""
        return [label.text() for label in self.findChildren(QLabel)]


def _file_dialog(parent: QWidget, title: str, filters: Sequence[str]) -> QFileDialog:
    dialog = QFileDialog(parent, title)
    if filters:
        dialog.setNameFilters(list(filters))
    return dialog


async def _chosen(dialog: QFileDialog) -> Path | None:
    accepted = await run(dialog)
    files = dialog.selectedFiles()
    return Path(files[0]) if accepted and files else None


def some_of(lines: Sequence[str]) -> str:
    """The detail of a question about many: the first few, and how many more there are."""
    more = [tr("and {count} more", count=len(lines) - NAMED)] if len(lines) > NAMED else []
    return "\n".join([*lines[:NAMED], *more])
