"""The name of the operator who is at work, which stands in the record of acts beside the account."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from PySide6.QtWidgets import QLineEdit
from sqlalchemy import Connection

from app import platform
from app.errors import OperatorError
from app.security.audit import record_act
from app.security.operator import LONGEST, choose_operator, present_operator
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.primitives import Card, text_label
from widgets.settings.rows import CONTROL_WIDTH, SettingRow, card_of

Do = Callable[[Coroutine[Any, Any, Any], str], None]


class OperatorCard:
    """``card`` holds the field; a name is saved with Enter or when the field is left, and that is an act."""

    def __init__(self, context: ConsoleContext, do: Do) -> None:
        self._context = context
        self._do = do
        self.field = QLineEdit(context.preferences.choices.operator)
        self.field.setMaxLength(LONGEST)
        self.field.setMinimumWidth(CONTROL_WIDTH)
        self.field.setPlaceholderText(tr("Nobody named"))
        self.field.editingFinished.connect(self._on_edited)
        self.words = text_label("", "muted", wrap=True, selectable=True)
        explanation = tr("Who of you works at this window. It is recorded with every act, before the account's name.")
        self.card: Card = card_of(tr("Operator"), [SettingRow(tr("Name"), explanation, self.field)])
        self.card.body.addWidget(self.words)
        self.show_choice()

    def show_choice(self) -> None:
        """What holds now."""
        name = self._context.preferences.choices.operator
        if not self.field.hasFocus() or self.field.text() != name:
            self.field.setText(name)
        account = platform.console_user()
        as_recorded = f"{name} ({account})" if name else account
        self.words.setText(tr("Acts are recorded as: {who}", who=as_recorded))

    def _on_edited(self) -> None:
        name = " ".join(self.field.text().split())
        if name != self._context.preferences.choices.operator:  # also told when the focus only passes by
            self._do(self._save(name), "save the operator's name")
        else:
            self.field.setText(name)

    async def _save(self, name: str) -> None:
        """The change is told by who it was before; a change that cannot be recorded does not hold."""
        context, before, who = self._context, self._context.preferences.choices.operator, present_operator()
        await context.preferences.change(operator=name)
        try:
            await context.bridge.write(partial(_record, before=before, after=name, who=who))
        except OperatorError:
            await context.preferences.change(operator=before)
            raise
        choose_operator(name)
        self.show_choice()
        context.notify("ok", tr("From now on acts are recorded as {who}.", who=present_operator()))


def _record(connection: Connection, before: str, after: str, who: str) -> None:
    sides = {"operator": before}, {"operator": after}
    record_act(connection, what="operator.set", subject=tr("Operator"), before=sides[0], after=sides[1], who=who)
