"""One suggestion: both records side by side, what speaks for it, and the decision."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.identity.listing import SuggestionListing
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.identity import words
from widgets.primitives import (
    Card,
    EmptyState,
    StatusPill,
    clear_layout,
    line,
    outline_button,
    primary_button,
    text_label,
)
from widgets.primitives.layouts import ScrollHost
from widgets.theme import Theme

AGAINST = ("Against it", "Left open")


class PairCard(Card):
    """``accepted`` and ``declined`` carry the suggestion that is shown."""

    accepted = Signal(object)
    declined = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(margin=0)
        theme = context.theme
        self._theme = theme
        self.row: SuggestionListing | None = None
        self.setAccessibleName(tr("Suggestion"))
        self.heading = text_label("", "card-title", wrap=True)
        self.pill = StatusPill(theme)
        self.grid = QGridLayout()
        self.reasons = QVBoxLayout()
        self.yes = primary_button(theme, tr("They are the same"), "check")
        self.no = outline_button(theme, tr("Not the same"), "x")
        self.empty = EmptyState(
            theme, "layers", tr("Choose a suggestion"), tr("Both records stand side by side here, with the reason.")
        )
        self.content = QWidget()
        self._lay_out()
        self.yes.clicked.connect(lambda: self.accepted.emit(self.row))
        self.no.clicked.connect(lambda: self.declined.emit(self.row))

    def _lay_out(self) -> None:
        self.body.setContentsMargins(20, 18, 20, 18)
        outer = QVBoxLayout(self.content)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(12)
        head = QHBoxLayout()
        head.addWidget(self.heading, 1)
        head.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignTop)
        outer.addLayout(head)
        host = ScrollHost()
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(12)
        self.grid.setHorizontalSpacing(18)
        self.grid.setVerticalSpacing(8)
        column.addLayout(self.grid)
        column.addWidget(line())
        column.addWidget(text_label(tr("What speaks for it"), "strong"))
        self.reasons.setSpacing(6)
        column.addLayout(self.reasons)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(host)
        outer.addWidget(area, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.yes)
        buttons.addWidget(self.no)
        buttons.addStretch(1)
        outer.addLayout(buttons)
        self.body.addWidget(self.empty, 1)
        self.body.addWidget(self.content, 1)
        self.content.hide()

    def show_pair(self, row: SuggestionListing | None) -> None:
        if row is not None and row == self.row:
            return
        self.row = row
        self.empty.setVisible(row is None)
        self.content.setVisible(row is not None)
        if row is None:
            return
        self.heading.setText(tr("Is this one {kind}?", kind=words.ONE_OF[row.kind]))
        self.pill.set_state(*words.strength_pill(row), tr("{score} of 100 points", score=row.score))
        clear_layout(self.grid)
        for column, record in enumerate((row.low, row.high), 1):
            self.grid.addWidget(text_label(words.source_word(record), "small", wrap=True), 0, column)
            name = text_label(record.label, "heading", wrap=True, selectable=True)
            name.setAccessibleName(f"{words.source_word(record)}: {record.label}")
            self.grid.addWidget(name, 1, column, Qt.AlignmentFlag.AlignTop)
            self.grid.setColumnStretch(column, 1)
        sides = [words.facts_of(row.kind, record) for record in (row.low, row.high)]
        at = 2
        for (label, one), (_label, other) in zip(*sides, strict=True):
            if not one and not other:
                continue
            self.grid.addWidget(text_label(label, "muted"), at, 0, Qt.AlignmentFlag.AlignTop)
            for column, value in enumerate((one, other), 1):
                shown = text_label(value or "–", "" if value else "muted", wrap=True, selectable=True)
                self.grid.addWidget(shown, at, column, Qt.AlignmentFlag.AlignTop)
            at += 1
        clear_layout(self.reasons)
        for reason in row.reasons:
            is_against = reason.startswith(AGAINST)
            self.reasons.addWidget(_Reason(self._theme, reason, is_against=is_against))


class _Reason(QWidget):
    """A sentence with the mark of what it speaks for."""

    def __init__(self, theme: Theme, text: str, *, is_against: bool) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        icon = text_label("")
        theme.follow(icon, "minus" if is_against else "check", "muted" if is_against else "ok_text", 16)
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(text_label(text, "muted" if is_against else "", wrap=True, selectable=True), 1)
