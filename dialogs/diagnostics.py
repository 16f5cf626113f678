"""One integration's diagnostics: blanked, shown whole before anything is written, saved or copied as shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtWidgets import QApplication, QCheckBox, QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.clock import utc_now
from app.diagnostics import collect_diagnostics, preview, save_diagnostics
from app.errors import OperatorError
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import outline_button, primary_button, text_label
from widgets.theme import mono_font

MARGIN = 24
LOGS = ("gateway.log", "console.log")
LINES = 200
BYTES_READ = 64_000


async def diagnostics(context: ConsoleContext, parent: QWidget, *, integration_id: str) -> bool:
    """Open the preview; True when it was closed by its button."""
    return await ask.run(DiagnosticsDialog(context, integration_id, parent))


class DiagnosticsDialog(QDialog):
    """What is seen is what is written."""

    def __init__(self, context: ConsoleContext, integration_id: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._integration_id = integration_id
        self.setWindowTitle(tr("Diagnostics"))
        self.resize(760, 620)
        self.personal = QCheckBox(tr("Keep places, people and vehicles in it (for somebody you trust)"))
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(mono_font(11))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName(tr("What will be written"))
        self.copy = outline_button(context.theme, tr("Copy"), "copy")
        self.save = primary_button(context.theme, tr("Save to a file…"), "save")
        self.close_button = outline_button(context.theme, tr("Close"))
        self._lay_out()
        self.personal.toggled.connect(self._collect)
        self.copy.clicked.connect(lambda: QApplication.clipboard().setText(self.text.toPlainText()))
        self.save.clicked.connect(lambda: self._spawn(self._ask_and_save(), "save"))
        self.close_button.clicked.connect(self.accept)
        self._collect()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _collect(self) -> None:
        self._show_ready(None)
        self._spawn(self._read(personal=self.personal.isChecked()), "collect")

    async def _read(self, *, personal: bool) -> None:
        try:
            text = await asyncio.to_thread(self._blanked, personal)
        except OperatorError as err:
            self._show_ready(err.why)
            self.save.setEnabled(False)
            return
        if personal == self.personal.isChecked():
            self._show_ready(text)

    def _blanked(self, personal: bool) -> str:
        """Off the UI thread."""
        services = self._context.services
        with services.store.read() as connection:
            found = collect_diagnostics(
                connection,
                services.catalogue,
                self._integration_id,
                vault_description=services.vault.describe(),
                log_lines=last_lines(self._context.paths.logs),
                personal=personal,
            )
        return preview(found)

    async def _ask_and_save(self) -> None:
        name = f"diagnostics-{utc_now():%Y-%m-%d}-{self._integration_id[-6:]}.json"
        file = await ask.save_file(self, tr("Save diagnostics"), name, ("JSON (*.json)",))
        if file is None:
            return
        try:
            await asyncio.to_thread(save_diagnostics, self.text.toPlainText(), file)
        except OSError as err:
            why = err.strerror or str(err)
            words = tr("{file} could not be written: {why}. Choose another place.", file=file, why=why)
            self._context.notify("error", words)
            return
        self._context.notify("ok", tr("Diagnostics written to {file}", file=file))

    def _show_ready(self, text: str | None) -> None:
        self.text.setPlainText(text if text is not None else tr("Collecting…"))
        for button in (self.copy, self.save):
            button.setEnabled(text is not None)

    def _spawn(self, coroutine: object, name: str) -> None:
        self._context.tasks.start(coroutine, name=f"diagnostics: {name}", owner=self)  # type: ignore[arg-type]

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, 20)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Diagnostics"), "heading"))
        words = tr(
            "Settings, state, figures and the last log lines, for whoever helps you. Secrets are always blanked; "
            "places, people and vehicles too, unless you keep them. Nothing is sent anywhere."
        )
        column.addWidget(text_label(words, "muted", wrap=True))
        column.addWidget(self.text, 1)
        column.addWidget(self.personal)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.save)
        column.addLayout(buttons)


def last_lines(folder: Path) -> list[str]:
    """The last lines of what engine and window wrote for themselves; none where nothing can be read. Blocks."""
    found = []
    for name in LOGS:
        try:
            with (folder / name).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - BYTES_READ))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            continue
        found += [f"{name}: {row}" for row in text.splitlines()[-LINES:]]
    return found
