"""One conflict side by side: what was seen, ours, theirs; who and when; and the decision."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.sync.conflict_list import ConflictListing
from app.sync.listing import value_word
from app.sync.words import State
from app.sync.writes import field_word
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.primitives import (
    Card,
    EmptyState,
    StatusPill,
    clear_layout,
    labelled,
    line,
    outline_button,
    primary_button,
    text_label,
)
from widgets.sync import words
from widgets.theme import restyle

SIDES = ("base", "ours", "theirs")


class ComparePanel(Card):
    """``decided`` carries ours, theirs, both or merge, with the merged values; ``undone`` asks to take it back."""

    decided = Signal(str, object)
    undone = Signal()
    item_wanted = Signal(str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(margin=0)
        theme = context.theme
        self._context = context
        self.row: ConflictListing | None = None
        self.setAccessibleName(tr("Conflict"))
        self.heading = text_label("", "card-title", wrap=True, selectable=True)
        self.subtitle = text_label("", "small", wrap=True, selectable=True)
        self.pill = StatusPill(theme)
        self.grid = QGridLayout()
        self.values: dict[tuple[str, str], QLabel] = {}
        self.merged: dict[str, QLineEdit] = {}
        self.outcome = text_label("", "muted", wrap=True, selectable=True)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.keep: dict[str, QPushButton] = {
            "ours": primary_button(theme, tr("Keep ours")),
            "theirs": outline_button(theme, tr("Keep theirs")),
            "both": outline_button(theme, tr("Keep both")),
            "merge": outline_button(theme, tr("Merge…"), "pencil"),
        }
        self.use = primary_button(theme, tr("Use these values"), "check")
        self.back = outline_button(theme, tr("Back"))
        self.undo = outline_button(theme, tr("Undo the decision"), "rotate-ccw")
        self.empty = EmptyState(
            theme,
            "arrow-left-right",
            tr("Choose a conflict"),
            tr("Both values stand side by side here, with who and when."),
        )
        self._is_merging = False
        self._lay_out()

    def _lay_out(self) -> None:
        self.body.setContentsMargins(20, 18, 20, 18)
        self.body.setSpacing(12)
        self.content = QWidget()
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        head = QHBoxLayout()
        head.setSpacing(10)
        names = QVBoxLayout()
        names.setSpacing(2)
        names.addWidget(self.heading)
        names.addWidget(self.subtitle)
        head.addLayout(names, 1)
        head.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        column.addWidget(line())
        self.grid.setHorizontalSpacing(20)
        self.grid.setVerticalSpacing(10)
        column.addLayout(self.grid)
        column.addWidget(self.problem)
        column.addWidget(self.outcome)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        for button in (*self.keep.values(), self.use, self.back, self.undo):
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addSpacing(4)
        column.addLayout(buttons)
        column.addStretch(1)
        self.body.addWidget(self.empty, 1)
        self.body.addWidget(self.content, 1)
        self.content.hide()
        for keep, button in self.keep.items():
            button.clicked.connect(partial(self._on_keep, keep))
        self.use.clicked.connect(self._on_use)
        self.back.clicked.connect(lambda: self._set_merging(False))
        self.undo.clicked.connect(self.undone)

    def show_conflict(self, row: ConflictListing | None) -> None:
        is_other = self.row is None or row is None or self.row.id != row.id or self.row.state != row.state
        if row == self.row and not is_other:
            return
        self.row = row
        self.empty.setVisible(row is None)
        self.content.setVisible(row is not None)
        if row is None:
            return
        if is_other:
            self._is_merging = False
            self.problem.hide()
        self.heading.setText(row.subject)
        found = self._context.formats.time(row.detected_at)
        self.subtitle.setText(tr("{name}, found {at}", name=row.integration, at=found))
        self.pill.set_state(*words.conflict_badge(row))
        self._show_sides(row)
        self._show_decision(row)

    def show_problem(self, why: str) -> None:
        self.problem.setText(why)
        self.problem.setVisible(bool(why))

    def _show_sides(self, row: ConflictListing) -> None:
        clear_layout(self.grid)
        self.values.clear()
        self.merged.clear()
        formats = self._context.formats
        theirs_at = (
            formats.clock(row.theirs_at)
            if row.theirs_at is not None
            else tr("before {at}", at=formats.clock(row.detected_at))
        )
        heads = {
            "base": (tr("As it was seen"), tr("when ours was made")),
            "ours": (tr("Ours"), tr("{who}, {at}", who=row.ours_by or tr("unknown"), at=formats.clock(row.ours_at))),
            "theirs": (
                tr("Theirs"),
                tr("{who}, {at}", who=row.theirs_by or tr("at {name}", name=row.integration), at=theirs_at),
            ),
        }
        for at, side in enumerate(SIDES, 1):
            name, who = heads[side]
            head = QVBoxLayout()
            head.setSpacing(1)
            head.addWidget(text_label(name, "strong"))
            head.addWidget(text_label(who, "small", wrap=True))
            head.addStretch(1)
            self.grid.addLayout(head, 0, at)
            self.grid.setColumnStretch(at, 1)
        for at, (field, sides) in enumerate(row.fields.items()):
            place = 1 + 3 * at
            self.grid.addWidget(line(), place, 0, 1, 4)
            self.grid.addWidget(
                text_label(field_word(field).capitalize(), "muted", wrap=True), place + 1, 0, Qt.AlignmentFlag.AlignTop
            )
            for column, side in enumerate(SIDES, 1):
                role = "muted" if side == "base" else "heading"
                value = text_label(value_word(sides[side]), role, wrap=True, selectable=True)
                value.setAccessibleName(f"{heads[side][0]}: {field_word(field)} {value.text()}")
                self.values[field, side] = value
                self.grid.addWidget(value, place + 1, column, Qt.AlignmentFlag.AlignTop)
            edit = QLineEdit(value_word(sides["ours"]) if sides["ours"] not in (None, "") else "")
            if isinstance(sides["ours"], float):
                edit.setText(f"{sides['ours']:.10g}")
            labelled(edit, tr("Merged {field}", field=field_word(field)))
            edit.returnPressed.connect(self._on_use)
            self.merged[field] = edit
            self.grid.addWidget(edit, place + 2, 2, 1, 2)
            edit.hide()

    def _show_decision(self, row: ConflictListing) -> None:
        self._set_merging(self._is_merging)
        is_open = row.is_open
        told = ""
        if not is_open:
            kept = words.KEPT_WORDS.get(row.kept, row.kept)
            chosen = ", ".join(
                f"{field_word(field)} {value_word(value)}" for field, value in (row.chosen or {}).items()
            )
            told = tr(
                "{kept} by {who}, {at}: {chosen}.",
                kept=kept,
                who=row.resolved_by or tr("cancelling the change"),
                at=self._context.formats.time(row.resolved_at),
                chosen=chosen or tr("theirs"),
            )
            state = words.STATE_WORDS[State(row.item_state)]
            told += " " + tr("The change itself: {state}.", state=state.lower())
        self.outcome.setText(told)
        self.outcome.setVisible(bool(told))
        self.undo.setVisible(not is_open)

    def _set_merging(self, on: bool) -> None:
        self._is_merging = on
        is_open = self.row is not None and self.row.is_open
        for keep, button in self.keep.items():
            button.setVisible(
                is_open and not on and (keep != "both" or (self.row is not None and self.row.can_keep_both))
            )
        self.use.setVisible(is_open and on)
        self.back.setVisible(is_open and on)
        for edit in self.merged.values():
            edit.setVisible(is_open and on)
            restyle(edit, invalid="false")
        if on and self.merged:
            first = next(iter(self.merged.values()))
            first.setFocus()
            first.selectAll()

    def _on_keep(self, keep: str, *_checked: object) -> None:
        self.problem.hide()
        if keep == "merge":
            self._set_merging(True)
        else:
            self.decided.emit(keep, None)

    def _on_use(self) -> None:
        self.decided.emit("merge", {field: edit.text() for field, edit in self.merged.items()})
