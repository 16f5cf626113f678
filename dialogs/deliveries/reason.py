"""A question with a line or two to be written: why a batch or a run is cancelled, notes for a new run."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import (
    destructive_button,
    exact_height,
    labelled,
    outline_button,
    primary_button,
    text_label,
)

WIDTH_PX = 500
FIELD_PX = 84
MOST_CHARS = 2_000


async def ask_reason(
    context: ConsoleContext,
    parent: QWidget,
    title: str,
    text: str,
    *,
    label: str,
    act: str,
    needed: bool = True,
    destructive: bool = True,
) -> str | None:
    """What was written, None when the question was cancelled. ``needed``: nothing can be done without a word."""
    dialog = ReasonDialog(context, parent, title, text, label=label, act=act, needed=needed, destructive=destructive)
    return dialog.reason() if await ask.run(dialog) else None


class ReasonDialog(QDialog):
    """The act's button is off until something was written, where a reason is needed."""

    def __init__(
        self,
        context: ConsoleContext,
        parent: QWidget,
        title: str,
        text: str,
        *,
        label: str,
        act: str,
        needed: bool,
        destructive: bool,
    ) -> None:
        super().__init__(parent)
        theme = context.theme
        self._needed = needed
        self.setWindowTitle(title)
        self.setMinimumWidth(WIDTH_PX)
        self.field = QPlainTextEdit()
        self.field.setTabChangesFocus(True)
        self.field.setFixedHeight(FIELD_PX)
        labelled(self.field, label)
        self.act = (destructive_button if destructive else primary_button)(theme, act)
        self.cancel = outline_button(theme, tr("Do not") if destructive else tr("Cancel"))
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(title, "heading", wrap=True))
        if text:
            column.addWidget(exact_height(text_label(text, wrap=True, selectable=True)))
        name = text_label(label, "strong")
        name.setBuddy(self.field)
        column.addWidget(name)
        column.addWidget(self.field)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.act)
        column.addLayout(row)
        self.field.textChanged.connect(self._on_written)
        self.act.clicked.connect(self.accept)
        self.cancel.clicked.connect(self.reject)
        self.field.setFocus()
        self._on_written()

    def reason(self) -> str:
        return " ".join(self.field.toPlainText().split())[:MOST_CHARS]

    def _on_written(self) -> None:
        self.act.setEnabled(bool(self.reason()) or not self._needed)
