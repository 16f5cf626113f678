"""Suggestions: the list at the left, the chosen pair side by side at the right, and all that is shown in one go."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.identity.evidence import LIKELY, SURE
from app.identity.listing import SuggestionListing, count_suggestions, list_suggestions
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.identity import words
from widgets.identity.compare import PairCard
from widgets.primitives import SegmentedTabs, outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel

MOST_ROWS = 1_000
LEAST = {"all": 0, "likely": LIKELY, "sure": SURE}
LIST_WIDTH = 380


class SuggestionsView(QWidget):
    """``changed`` asks to read again; ``accepted`` and ``declined`` carry a list of suggestions."""

    changed = Signal()
    accepted = Signal(object)
    declined = Signal(object)
    rule_chosen = Signal(bool)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self.total = 0
        self.which = SegmentedTabs([("all", tr("All")), ("likely", tr("Likely and sure")), ("sure", tr("Sure"))])
        model = RowsModel[SuggestionListing](_columns(), key=lambda row: row.key)
        self.table = DataTable[SuggestionListing](context.theme, model, tr("Suggestions"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "identity.suggestions")
        self.table.set_empty(
            "layers",
            tr("Nothing is suggested"),
            tr(
                "When two systems hold records that look the same, they are suggested here a few seconds after they "
                "were read."
            ),
        )
        self.card = PairCard(context)
        self.all = outline_button(context.theme, tr("Join all that are shown"), "check")
        self.rule = QCheckBox(tr("Join equal codes with agreeing names without asking"))
        self.note = text_label("", "small")
        self._lay_out()
        self.which.chosen.connect(lambda _value: self.changed.emit())
        self.table.selected.connect(self._on_selected)
        self.card.accepted.connect(lambda row: self.accepted.emit([row]))
        self.card.declined.connect(lambda row: self.declined.emit([row]))
        self.all.clicked.connect(lambda: self.accepted.emit(list(self.table.model.rows)))
        self.rule.clicked.connect(self.rule_chosen)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        bar = QHBoxLayout()
        bar.setSpacing(12)
        bar.addWidget(self.which)
        bar.addWidget(self.all)
        bar.addStretch(1)
        bar.addWidget(self.rule)
        column.addLayout(bar)
        row = QHBoxLayout()
        row.setSpacing(16)
        left = in_card(self.table)
        left.setMinimumWidth(LIST_WIDTH)
        row.addWidget(left, 6)
        row.addWidget(self.card, 5)
        column.addLayout(row, 1)
        column.addWidget(self.note)

    def read(self, connection: Connection, kind: str, text: str) -> tuple[list[SuggestionListing], int]:
        """What the list shows, and how many there are by the same filter."""
        least = LEAST[self.which.value]
        rows = list_suggestions(connection, kind, text=text, at_least=least, limit=MOST_ROWS)
        if len(rows) < MOST_ROWS:
            return rows, len(rows)
        return rows, count_suggestions(connection, kind, text=text, at_least=least)

    def show_rows(self, rows: Sequence[SuggestionListing], total: int, note: str) -> None:
        model = self.table.model
        place = next((at for at, row in enumerate(model.rows) if self.card.row and row.key == self.card.row.key), 0)
        self.total = total
        model.apply(rows)
        self.all.setText(
            trn("Join the {count} that is shown…", "Join the {count} that are shown…", len(rows))
            if rows
            else tr("Join all that are shown")
        )
        self.all.setEnabled(bool(rows))
        shown = tr("The {shown} surest of {total:,} are shown. ", shown=len(rows), total=total)
        self.note.setText((shown if total > len(rows) else "") + note)
        chosen = self.card.row
        if chosen is not None and self.table.select_key(chosen.key):
            return
        if model.rows:  # after a decision the next one is shown, where the decided one stood
            self.table.select_key(model.rows[min(place, len(model.rows) - 1)].key)
        else:
            self.card.show_pair(None)

    def _on_selected(self, rows: Sequence[SuggestionListing]) -> None:
        if rows:
            self.card.show_pair(rows[0])


def _columns() -> list[Column[SuggestionListing]]:
    def low(row: SuggestionListing) -> str:
        return row.low.label

    def high(row: SuggestionListing) -> str:
        return row.high.label

    return [
        Column(
            "strength", tr("How sure"), lambda row: words.strength_pill(row)[1], lambda row: -row.score,
            badge=words.strength_pill, width=98, export=lambda row: row.score,
            tooltip=lambda row: plain_tip(tr("{score} of 100 points", score=row.score)),
        ),
        Column("low", tr("One"), low, tooltip=lambda row: plain_tip(low(row)), width=200),
        Column("high", tr("Other"), high, tooltip=lambda row: plain_tip(high(row)), width=200),
        Column(
            "why", tr("Reason"), lambda row: " ".join(row.reasons),
            tooltip=lambda row: plain_tip("\n".join(row.reasons)), width=300,
            is_shown=False,
        ),
        Column("low_code", tr("Code"), lambda row: row.low.code, width=100, is_shown=False),
        Column("high_code", tr("Other code"), lambda row: row.high.code, width=100, is_shown=False),
        Column("low_of", tr("System"), lambda row: words.source_word(row.low), width=130, is_shown=False),
        Column("high_of", tr("Other system"), lambda row: words.source_word(row.high), width=130, is_shown=False),
    ]  # fmt: skip
