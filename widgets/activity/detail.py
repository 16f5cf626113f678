"""One entry in full, beside the table; what came from outside is shown as it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.activity.sides import Sides
from widgets.activity.view import Detail
from widgets.context import ConsoleContext
from widgets.primitives import clear_layout, outline_button
from widgets.side_panel import WIDTH_PX, Facts, SidePanel, section
from widgets.theme import mono_font

LINES_SHOWN = 18
LETTERS_SHOWN = 200_000
WIDE_PX = 440  # two columns side by side


class EntryPanel(SidePanel):
    """``act_wanted`` carries the name of one of the entry's acts."""

    act_wanted = Signal(str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(context.theme, tr("Entry"))
        self._context = context
        self.detail: Detail | None = None
        self.texts: list[QPlainTextEdit] = []
        self.sides: Sides | None = None
        self._body = QVBoxLayout()
        self._body.setSpacing(10)
        self.column.addLayout(self._body)
        self.column.addStretch(1)
        self._acts = QHBoxLayout()
        self._acts.setSpacing(8)
        self.foot.addLayout(self._acts)
        self.copy = outline_button(context.theme, tr("Copy everything"), "copy", small=True)
        self.copy.clicked.connect(self._copy)
        self.foot.addWidget(self.copy)

    def show_entry(self, detail: Detail) -> None:
        if detail == self.detail and not self.isHidden():
            return
        self.detail = detail
        self.show_head(detail.heading, detail.subtitle)
        self.pill.set_state(detail.level, detail.word)
        clear_layout(self._body)
        facts = Facts([(str(at), name) for at, (name, _value) in enumerate(detail.facts)])
        for at, (_name, value) in enumerate(detail.facts):
            facts.show_fact(str(at), value)
        self._body.addWidget(facts)
        self.sides = Sides(detail.changes) if detail.changes else None
        self.setFixedWidth(WIDE_PX if self.sides is not None else WIDTH_PX)
        if self.sides is not None:
            self._body.addWidget(section(tr("What changed")))
            self._body.addWidget(self.sides)
        self.texts = [self._add_text(heading, text) for heading, text in detail.texts]
        self._show_acts(detail.acts)
        self.area.verticalScrollBar().setValue(0)
        self.show()

    def _add_text(self, heading: str, text: str) -> QPlainTextEdit:
        edit = QPlainTextEdit(text[:LETTERS_SHOWN])
        edit.setReadOnly(True)
        edit.setFont(mono_font())
        edit.setAccessibleName(heading)
        edit.setTabChangesFocus(True)
        lines = min(LINES_SHOWN, max(1, sum(1 + len(line) // 38 for line in text[:LETTERS_SHOWN].splitlines())))
        edit.setFixedHeight(lines * edit.fontMetrics().lineSpacing() + 26)
        self._body.addWidget(section(heading))
        self._body.addWidget(edit)
        return edit

    def _show_acts(self, acts: Sequence[tuple[str, str, str]]) -> None:
        clear_layout(self._acts)
        self.buttons: dict[str, QWidget] = {}
        for name, words, icon in acts:
            button = outline_button(self._context.theme, words, icon, small=True)
            button.clicked.connect(partial(self._want, name))
            self.buttons[name] = button
            self._acts.addWidget(button)

    def _want(self, name: str, *_checked: object) -> None:
        self.act_wanted.emit(name)

    def _copy(self) -> None:
        if self.detail is not None:
            QGuiApplication.clipboard().setText(self.detail.as_text())
            self._context.notify("ok", tr("Copied."))
