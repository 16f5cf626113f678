"""What happened, shown to whoever was hit by it: nothing is sent; it can be copied and saved."""

from __future__ import annotations

import asyncio

from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.crash import CrashReport
from widgets.primitives import outline_button, primary_button, text_label
from widgets.theme import mono_font

MARGIN = 24


class CrashReportDialog(QDialog):
    """Opened for each distinct unexpected error; the console goes on."""

    def __init__(self, context: ConsoleContext, report: CrashReport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._report = report
        theme = context.theme
        self.setWindowTitle(tr("Unexpected error"))
        self.resize(720, 520)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Something in the console went wrong"), "heading"))
        explanation = tr(
            "This is a defect of the program, not of your data: what was saved stays saved, and the engine goes on. "
            "The report below holds no passwords. Nothing is sent; copy or save it and give it to your support."
        )
        column.addWidget(text_label(explanation, wrap=True))
        column.addWidget(text_label(f"{report.where}: {report.what}", "error", wrap=True, selectable=True))
        self.text = QPlainTextEdit(report.as_text())
        self.text.setReadOnly(True)
        self.text.setFont(mono_font())
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName(tr("Crash report"))
        column.addWidget(self.text, 1)
        self.copy = outline_button(theme, tr("Copy"), "copy")
        self.copy.clicked.connect(self._on_copy_clicked)
        self.save = outline_button(theme, tr("Save…"), "save")
        self.save.clicked.connect(self._on_save_clicked)
        self.close_button = primary_button(theme, tr("Go on working"))
        self.close_button.clicked.connect(self.accept)
        self.close_button.setDefault(True)
        self.close_button.setFocus()
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.copy)
        buttons.addWidget(self.save)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        column.addLayout(buttons)

    def _on_copy_clicked(self) -> None:
        QApplication.clipboard().setText(self._report.as_text())
        self.copy.setText(tr("Copied"))

    def _on_save_clicked(self) -> None:
        self._context.tasks.start(self._save(), name="save the crash report", owner=self)

    async def _save(self) -> None:
        name = f"console-error-{self._report.at:%Y%m%d-%H%M%S}.txt"
        file = await ask.save_file(self, tr("Save the report"), name, ["Text (*.txt)"])
        if file is None:
            return
        try:
            await asyncio.to_thread(file.write_text, self._report.as_text(), encoding="utf-8")
        except OSError as err:
            why = err.strerror or str(err)
            self._context.notify("error", tr("{file} could not be written: {why}", file=file, why=why))
            return
        self._context.notify("ok", tr("The report was saved as {file}", file=file))
