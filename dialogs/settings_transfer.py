"""Importing settings from a file: what would change, line by line, before anything does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from adapters.base import settings_form
from adapters.errors import AdapterError, Unsupported
from app.catalogue import Catalogue
from app.errors import OperatorError
from app.integrations import ImportLine, ImportRefused, apply_import, plan_import
from app.services import Services
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.page import scroll_area
from widgets.primitives import Badge, Banner, outline_button, primary_button, text_label
from widgets.primitives import line as thin_line

WIDTH, HEIGHT = 680, 560
MARGIN = 24
LARGEST_BYTES = 20_000_000

_BADGES = {
    "add": ("New", "info"),
    "change": ("Changes", "warn"),
    "same": ("Same as here", "neutral"),
    "refused": ("Cannot be imported", "error"),
}


async def import_settings(context: ConsoleContext, parent: QWidget) -> bool:
    """Ask for a file, show the differences, apply what is chosen; True when something was imported."""
    file = await ask.open_file(parent, tr("Import settings"), ("JSON (*.json)",))
    if file is None:
        return False
    try:
        lines = await asyncio.to_thread(_plan, context.services, file)
    except (OperatorError, AdapterError) as err:
        await ask.tell(parent, context.theme, tr("This file cannot be imported"), err.why)
        return False
    return await ask.run(SettingsImportDialog(context, lines, file.name, parent))


class SettingsImportDialog(QDialog):
    """One line per integration of the file; those that are the same or refused cannot be chosen."""

    def __init__(
        self, context: ConsoleContext, lines: Sequence[ImportLine], name: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._context = context
        self.lines = tuple(lines)
        self.boxes: list[QCheckBox] = []
        self.setWindowTitle(tr("Import settings"))
        self.resize(WIDTH, HEIGHT)
        self.problem = Banner(context.theme, "error", "")
        self.problem.hide()
        self.apply = primary_button(context.theme, "", "download")
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self._lay_out(name)
        self.apply.clicked.connect(
            lambda: context.tasks.start(self._apply(), name="import settings: apply", owner=self)
        )
        self.cancel.clicked.connect(self.reject)
        self._show_count()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def chosen(self) -> list[ImportLine]:
        return [entry for entry, box in zip(self.lines, self.boxes, strict=True) if box.isChecked()]

    async def _apply(self) -> None:
        chosen = self.chosen()
        self.apply.setEnabled(False)
        try:
            done = await asyncio.to_thread(lambda: apply_import(self._context.services.desk, chosen))
        except (OperatorError, AdapterError) as err:
            words = tr(
                "{why} The lines before it were imported; choose the file again to see what is left.", why=err.why
            )
            self.problem.words.setText(words)
            self.problem.show()
            return
        added = sum(entry.action == "add" for entry in chosen)
        words = trn("{count} integration imported.", "{count} integrations imported.", len(done))
        if added:
            words += " " + tr("New ones stay disabled until you sign in and enable them.")
        self._context.notify("ok", words)
        self.accept()

    def _show_count(self) -> None:
        count = len(self.chosen())
        self.apply.setText(trn("Import {count}", "Import {count}", count))
        self.apply.setEnabled(count > 0)

    def _lay_out(self, name: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, 20)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Import settings from {name}", name=name), "heading", wrap=True))
        words = tr(
            "Nothing has changed yet. Choose what to take over; secrets are never in such a file, so new integrations "
            "ask you to sign in."
        )
        column.addWidget(text_label(words, "muted", wrap=True))
        column.addWidget(self.problem)
        area, rows = scroll_area(margin=0)
        rows.setSpacing(12)
        catalogue = self._context.services.catalogue
        for number, entry in enumerate(self.lines):
            if number:
                rows.addWidget(thin_line())
            rows.addWidget(self._row(entry, catalogue))
        if not self.lines:
            rows.addWidget(text_label(tr("The file lists no integration."), "muted"))
        column.addWidget(area, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.apply)
        column.addLayout(buttons)

    def _row(self, entry: ImportLine, catalogue: Catalogue) -> QWidget:
        host = QWidget()
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        box = QCheckBox(entry.name.replace("&", "&&"))
        can_be_taken = entry.action in ("add", "change")
        box.setChecked(can_be_taken)
        box.setEnabled(can_be_taken)
        box.toggled.connect(lambda _on: self._show_count())
        self.boxes.append(box)
        word, level = _BADGES[entry.action]
        head.addWidget(box)
        head.addWidget(text_label(_type_name(catalogue, entry.type), "muted"))
        head.addStretch(1)
        head.addWidget(Badge(tr(word), level), 0, Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(head)
        labels = _field_labels(catalogue, entry.type)
        for found in difference_lines(entry, labels):
            words = text_label(found, "error" if entry.action == "refused" else "small", wrap=True, selectable=True)
            words.setContentsMargins(26, 0, 0, 0)
            column.addWidget(words)
        return host


def difference_lines(entry: ImportLine, labels: dict[str, str]) -> list[str]:
    """What importing it would do, one sentence a line."""
    if entry.action == "refused":
        return [entry.why]
    if entry.action == "add":
        return [f"{labels.get(field, field)}: {_shown(value)}" for field, value in entry.config.items()]
    return [
        tr(
            "{label}: {ours} → {theirs}",
            label=labels.get(item.field, item.field),
            ours=_shown(item.ours),
            theirs=_shown(item.theirs),
        )
        for item in entry.differences
    ]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    return tr("(nothing)") if value in (None, "") else str(value)


def _plan(services: Services, file: Path) -> list[ImportLine]:
    """Blocks. Raises ImportRefused, StoreError."""
    document = _read_json(file)
    with services.store.read() as connection:
        return plan_import(connection, services.catalogue, document)


def _read_json(file: Path) -> Any:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise ImportRefused(tr("{file} is too large to hold settings. Choose another file.", file=file.name))
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as err:
        why = err.strerror or str(err)
        raise ImportRefused(tr("{file} cannot be read: {why}.", file=file.name, why=why)) from err
    except (ValueError, RecursionError) as err:
        raise ImportRefused(
            tr("{file} is no JSON file. Choose one that “Export settings” wrote.", file=file.name)
        ) from err


def _type_name(catalogue: Catalogue, key: str) -> str:
    return next((entry.name for entry in catalogue.entries() if entry.key == key), key)


def _field_labels(catalogue: Catalogue, key: str) -> dict[str, str]:
    try:
        specs = settings_form(catalogue.manifest(key).settings)
    except Unsupported:
        return {}
    return {"name": tr("Name"), **{spec.name: spec.label for spec in specs}}
