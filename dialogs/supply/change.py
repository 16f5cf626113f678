"""Changing one requisition, shipment or line: what the peer lets us set, saved here, sent when it can be reached."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.catalogue import Catalogue
from app.errors import OperatorError
from app.sync.errors import ChangeRefused
from app.sync.forms import ChangeForm, FieldForm, WriteForm, change_form
from app.sync.listing import change_words, outbox_row, value_word
from app.sync.outbox import prepare_change, queue_change
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Banner, calm_wheel, labelled, outline_button, primary_button, text_label
from widgets.theme import restyle

WIDTH_PX = 520


async def change_record(context: ConsoleContext, parent: QWidget, record: str, record_id: str) -> bool:
    """Ask for a change of one record and queue it; False when cancelled, or when nothing can be changed."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    try:
        form = await context.bridge.read(partial(change_form, catalogue=catalogue, record=record, record_id=record_id))
    except OperatorError as err:
        context.notify("warn", err.why)
        return False
    return await ask.run(ChangeDialog(context, parent, catalogue, form))


class ChangeDialog(QDialog):
    """One write of the peer at a time. Accepted once the change is saved here; a refusal is shown at its field."""

    def __init__(self, context: ConsoleContext, parent: QWidget, catalogue: Catalogue, form: ChangeForm) -> None:
        super().__init__(parent)
        self._context = context
        self._catalogue = catalogue
        self._form = form
        theme = context.theme
        self.setWindowTitle(tr("Change {subject}", subject=form.subject))
        self.setMinimumWidth(WIDTH_PX)
        self.which = QComboBox()
        self.editors: dict[str, QWidget] = {}
        self.fields = QFormLayout()
        self.effect = Banner(theme, "warn", "")
        self.meaning = text_label(
            tr("It is saved here at once and sent to {name} as soon as that can be reached.", name=form.integration),
            "muted",
            wrap=True,
        )
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.save = primary_button(theme, tr("Save here"), "check")
        self.cancel = outline_button(theme, tr("Cancel"))
        self._lay_out()
        self.which.currentIndexChanged.connect(self._show_write)
        self.save.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.save.setDefault(True)
        self._show_write()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(self._form.subject, "heading", wrap=True, selectable=True))
        labelled(self.which, tr("What to change"))
        calm_wheel(self.which)
        for write in self._form.writes:
            self.which.addItem(write.label, write.name)
        column.addWidget(self.which)
        self.which.setVisible(len(self._form.writes) > 1)
        self.fields.setSpacing(10)
        self.fields.setHorizontalSpacing(16)
        column.addLayout(self.fields)
        column.addWidget(self.effect)
        column.addWidget(self.meaning)
        column.addWidget(self.problem)
        self.problem.hide()
        column.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        column.addLayout(row)

    @property
    def write(self) -> WriteForm:
        return self._form.writes[max(0, self.which.currentIndex())]

    def values(self) -> dict[str, Any]:
        """What was entered, where it differs from what is shown now."""
        entered: dict[str, Any] = {}
        for field in self.write.fields:
            value = _entered(self.editors[field.name])
            if value != _begins_with(field):
                entered[field.name] = value
        return entered

    def _show_write(self, *_index: object) -> None:
        while self.fields.rowCount():
            self.fields.removeRow(0)
        self.editors.clear()
        for field in self.write.fields:
            editor = self._editor(field)
            self.editors[field.name] = editor
            label = text_label(field.label.capitalize())
            label.setMinimumHeight(editor.sizeHint().height())  # a form sets its labels at the top of the row
            label.setBuddy(editor)
            labelled(editor, field.label.capitalize())
            if field.waits:
                editor.setToolTip(tr("This value waits to be sent."))
            self.fields.addRow(label, editor)
        self.effect.words.setText(self.write.effect)
        self.effect.setVisible(bool(self.write.effect))
        self.problem.hide()
        self._on_edited()
        first = next(iter(self.editors.values()))
        first.setFocus()
        if isinstance(first, QLineEdit):
            first.selectAll()

    def _editor(self, field: FieldForm) -> QWidget:
        if field.kind == "switch":
            box = QCheckBox()
            box.setChecked(bool(field.value))
            box.toggled.connect(self._on_edited)
            return box
        if field.kind == "choice":
            choices = QComboBox()
            choices.addItem(tr("{value} (as it is)", value=value_word(field.value)), field.value)
            for choice in field.choices:
                if choice != field.value:
                    choices.addItem(value_word(choice), choice)
            calm_wheel(choices)
            choices.currentIndexChanged.connect(self._on_edited)
            return choices
        line = QLineEdit(_begins_with(field))
        line.setMaxLength(2_000)
        if field.kind == "day":
            line.setPlaceholderText("2026-11-25")
        elif field.kind == "number":
            line.setPlaceholderText(tr("units"))
        line.textEdited.connect(self._on_edited)
        return line

    def _on_edited(self, *_value: object) -> None:
        self.save.setEnabled(bool(self.values()))
        for editor in self.editors.values():
            restyle(editor, invalid="false")

    def _start(self) -> None:
        self.save.setEnabled(False)
        self._context.tasks.start(self._save(), name="change a supply record", owner=self)

    async def _save(self) -> None:
        values = self.values()
        form, now = self._form, self._context.now()
        catalogue, record, record_id = self._catalogue, form.record, form.record_id
        look = partial(prepare_change, catalogue=catalogue, record=record, record_id=record_id, values=values)

        def job(connection: Connection) -> str:
            item_id = queue_change(connection, catalogue, record, record_id, values, now=now)
            row = outbox_row(connection, item_id)
            return change_words(row.values, row.seen)

        try:
            prepared = await self._context.bridge.read(look)
            if prepared.write.effect and not await self._confirm(prepared.write.effect, prepared):
                self.save.setEnabled(True)
                return
            said = await self._context.bridge.write(job)
        except OperatorError as err:
            self._show_refusal(err)
            return
        told = tr("{subject}: {change} is saved here and waits to be sent.", subject=form.subject, change=said)
        self._context.notify("ok", told)
        self.accept()

    async def _confirm(self, effect: str, prepared: Any) -> bool:
        return await ask.confirm(
            self,
            self._context.theme,
            tr("{label}?", label=prepared.write.label),
            effect,
            act=tr("Save here and send"),
            detail=f"{prepared.target.subject}: {change_words(prepared.values, prepared.seen)}",
        )

    def _show_refusal(self, err: OperatorError) -> None:
        self.save.setEnabled(True)
        self.problem.setText(err.why)
        self.problem.show()
        editor = self.editors.get(err.field) if isinstance(err, ChangeRefused) else None
        if editor is not None:
            restyle(editor, invalid="true")
            editor.setFocus()


def _begins_with(field: FieldForm) -> Any:
    """What an editor holds before anything was entered."""
    if field.kind == "switch":
        return bool(field.value)
    if field.kind == "choice":
        return field.value
    if field.value is None:
        return ""
    return f"{field.value:.10g}" if isinstance(field.value, float) else str(field.value)


def _entered(editor: QWidget) -> Any:
    if isinstance(editor, QCheckBox):
        return editor.isChecked()
    if isinstance(editor, QComboBox):
        return editor.currentData()
    return editor.text().strip() if isinstance(editor, QLineEdit) else None
