"""The mail of an invitation: subject and text with placeholders, and beside it what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.errors import OperatorError
from app.mail.errors import MailError
from app.mail.settings import get_mail_settings
from app.mail.templates import DEFAULT, LONGEST_SUBJECT, PLACEHOLDERS, Template, get_template, preview, save_template
from app.store.errors import StoreError
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Card, labelled, link_button, outline_button, primary_button, text_label

WIDTH, HEIGHT = 980, 600


async def mail_template(context: ConsoleContext, parent: QWidget) -> bool:
    """Open the editor; True when the template was saved."""
    try:
        template = await context.bridge.read(get_template)
        saved = await context.bridge.read(get_mail_settings)
    except StoreError as err:
        await ask.tell(parent, context.theme, tr("The template cannot be opened"), err.why)
        return False
    depot = "" if saved is None else saved.settings.depot_name
    return await ask.run(MailTemplateDialog(context, template, depot, parent))


class MailTemplateDialog(QDialog):
    """The preview follows every key; what cannot be sent cannot be saved, and says why."""

    def __init__(self, context: ConsoleContext, template: Template, depot: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._depot = depot
        theme = context.theme
        self.setWindowTitle(tr("Mail of an invitation"))
        self.subject = QLineEdit()
        self.subject.setMaxLength(LONGEST_SUBJECT)
        labelled(self.subject, tr("Subject"))
        self.body = QPlainTextEdit()
        self.body.setTabChangesFocus(True)
        labelled(self.body, tr("Text"))
        self.chips = {name: link_button(theme, f"{{{name}}}", small=True) for name in PLACEHOLDERS}
        self.shown_subject = text_label("", "strong", wrap=True, selectable=True)
        self.shown_body = text_label("", wrap=True, selectable=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.default = outline_button(theme, tr("Back to the original"))
        self.cancel = outline_button(theme, tr("Cancel"))
        self.save = primary_button(theme, tr("Save"))
        self._lay_out()
        self._show(template)
        self.subject.textChanged.connect(self._on_edited)
        self.body.textChanged.connect(self._on_edited)
        for name, chip in self.chips.items():
            chip.setToolTip(PLACEHOLDERS[name])
            chip.clicked.connect(partial(self._insert, name))
        self.default.clicked.connect(lambda: self._show(DEFAULT))
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(lambda: self._spawn(self._save(), "save"))
        self._on_edited()
        self.body.setFocus()

    def entered(self) -> Template:
        return Template(self.subject.text(), self.body.toPlainText())

    def _show(self, template: Template) -> None:
        self.subject.setText(template.subject)
        self.body.setPlainText(template.body)

    def _insert(self, name: str) -> None:
        self.body.insertPlainText(f"{{{name}}}")
        self.body.setFocus()

    def _on_edited(self) -> None:
        try:
            shown = preview(self.entered(), self._depot)
        except MailError as err:
            self.problem.setText(err.why)
            self.save.setEnabled(False)
            return
        self.problem.setText("")
        self.save.setEnabled(True)
        self.shown_subject.setText(shown.subject)
        self.shown_body.setText(shown.body)

    async def _save(self) -> None:
        try:
            await self._context.bridge.write(partial(save_template, template=self.entered()))
        except OperatorError as err:
            self.problem.setText(err.why)
            return
        self._context.notify("ok", tr("Saved. Mails that wait are sent with the new text."))
        self.accept()

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._context.tasks.start(coroutine, name=f"mail template: {name}", owner=self)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        margin = ask.DIALOG_MARGIN
        column.setContentsMargins(margin, margin, margin, 20)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Mail of an invitation"), "heading"))
        sides = QHBoxLayout()
        sides.setSpacing(20)
        sides.addLayout(self._editor(), 1)
        sides.addLayout(self._preview(), 1)
        column.addLayout(sides, 1)
        column.addWidget(self.problem)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.default)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        column.addLayout(buttons)
        self.resize(WIDTH, HEIGHT)

    def _editor(self) -> QVBoxLayout:
        side = QVBoxLayout()
        side.setSpacing(6)
        side.addWidget(text_label(tr("Subject"), "strong"))
        side.addWidget(self.subject)
        side.addSpacing(6)
        side.addWidget(text_label(tr("Text"), "strong"))
        side.addWidget(self.body, 1)
        chips = QHBoxLayout()
        chips.setSpacing(4)
        chips.addWidget(text_label(tr("Insert"), "small"))
        for chip in self.chips.values():
            chips.addWidget(chip)
        chips.addStretch(1)
        side.addLayout(chips)
        return side

    def _preview(self) -> QVBoxLayout:
        side = QVBoxLayout()
        side.setSpacing(6)
        side.addWidget(text_label(tr("What arrives, with examples"), "strong"))
        card = Card(margin=16)
        card.body.setSpacing(12)
        card.body.addWidget(self.shown_subject)
        card.body.addWidget(self.shown_body)
        card.body.addStretch(1)
        side.addWidget(card, 1)
        return side
