"""What nothing matches: how many of each system, the records, and joining them by hand."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.identity.kinds import Known
from app.identity.listing import SourceCount, count_sources, list_unmatched
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.identity import words
from widgets.primitives import Card, FlowLayout, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel
from widgets.theme import tabular

MOST_ROWS = 2_000


class UnmatchedView(QWidget):
    """``changed`` asks to read again; ``join_wanted`` carries the chosen records: one to find a partner for, or all."""

    changed = Signal()
    join_wanted = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self.source_id = ""
        self.counts: dict[str, SourceCard] = {}
        model = RowsModel[Known](_columns(), key=lambda row: row.id)
        self.table = DataTable[Known](context.theme, model, tr("Unmatched"), multiple=True)
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "identity.unmatched")
        self._is_alone: bool | None = None
        self._say_empty(is_alone=False)
        self.partner = outline_button(context.theme, tr("Find its partner…"), "search")
        self.same = primary_button(context.theme, tr("They are the same"), "check")
        self.note = text_label("", "small")
        self._cards = QWidget()
        self._row = FlowLayout(self._cards, gap=12)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self._cards)
        column.addWidget(in_card(self.table), 1)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.partner)
        foot.addWidget(self.same)
        foot.addWidget(self.note)
        foot.addStretch(1)
        column.addLayout(foot)
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(lambda row: self.join_wanted.emit([row]))
        self.partner.clicked.connect(lambda: self.join_wanted.emit(self.table.selected_rows()))
        self.same.clicked.connect(lambda: self.join_wanted.emit(self.table.selected_rows()))
        self._on_selected([])

    def read(self, connection: Connection, kind: str, text: str) -> tuple[list[Known], list[SourceCount]]:
        sources = count_sources(connection, kind)
        if self.source_id not in {source.source_id for source in sources}:
            self.source_id = ""
        rows = list_unmatched(connection, kind, text=text, source_id=self.source_id, limit=MOST_ROWS)
        return rows, sources

    def show_rows(self, rows: Sequence[Known], sources: Sequence[SourceCount]) -> None:
        if list(self.counts) != [source.source_id for source in sources]:
            for card in self.counts.values():
                self._row.removeWidget(card)
                card.deleteLater()
            self.counts = {source.source_id: SourceCard() for source in sources}
            for source_id, card in self.counts.items():
                self._row.addWidget(card)
                card.clicked.connect(lambda source_id=source_id: self._on_source(source_id))
        for source in sources:
            self.counts[source.source_id].show_count(source, is_chosen=source.source_id == self.source_id != "")
        self._cards.setVisible(bool(sources))
        self._say_empty(is_alone=not any(source.has_others for source in sources))
        self.table.model.apply(rows)
        self._on_selected(self.table.selected_rows())

    def _say_empty(self, *, is_alone: bool) -> None:
        """What an empty list means: nothing to do, or nothing to compare with."""
        if is_alone == self._is_alone:
            return
        self._is_alone = is_alone
        if is_alone:
            title, text = tr("Nothing to match"), tr("Fewer than two systems have told any of these.")
        else:
            title = tr("Nothing is unmatched")
            text = tr("Every record is joined with one of another system, or one is suggested for it.")
        self.table.set_empty("layers" if is_alone else "circle-check", title, text)

    def _on_source(self, source_id: str) -> None:
        self.source_id = "" if self.source_id == source_id else source_id
        self.changed.emit()

    def _on_selected(self, rows: Sequence[Known]) -> None:
        self.partner.setVisible(len(rows) < 2)
        self.partner.setEnabled(len(rows) == 1)
        self.same.setVisible(len(rows) > 1)
        if len(rows) > 1:
            said = trn("{count} record is chosen", "{count} records are chosen", len(rows))
        elif len(self.table.model.rows) >= MOST_ROWS:
            said = tr("The first {count:,} by name are shown; search for others.", count=MOST_ROWS)
        else:
            said = "" if rows else tr("Choose a record to find its partner, or several that are the same.")
        self.note.setText(said)


class SourceCard(Card):
    """How the records of one system stand; a click narrows the list to it."""

    def __init__(self) -> None:
        super().__init__(clickable=True, margin=14)
        self.setMinimumWidth(236)
        self.body.setSpacing(4)
        self.name = text_label("", "strong")
        self.value = text_label("", "value")
        self.value.setFont(tabular(self.value.font()))
        self.words = text_label("", "muted")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.value, 0, Qt.AlignmentFlag.AlignBaseline)
        row.addWidget(text_label(tr("unmatched"), "muted"), 1, Qt.AlignmentFlag.AlignBaseline)
        self.body.addWidget(self.name)
        self.body.addLayout(row)
        self.body.addWidget(self.words)

    def show_count(self, count: SourceCount, *, is_chosen: bool) -> None:
        self.set_highlighted(is_chosen)
        self.name.setText(count.source or tr("This console"))
        self.value.setText(f"{count.unmatched:,}")
        said = tr("{joined:,} joined, {suggested:,} suggested, of {total:,}", **_numbers(count))
        self.words.setText(said)
        self.setAccessibleName(f"{self.name.text()}: {self.value.text()} {tr('unmatched')}. {said}")


def _numbers(count: SourceCount) -> dict[str, int]:
    return {"joined": count.joined, "suggested": count.suggested, "total": count.total}


def _columns() -> list[Column[Known]]:
    return [
        Column("name", tr("Name"), lambda row: row.label, width=380),
        Column("code", tr("Code"), lambda row: row.code, width=150),
        Column("source", tr("System"), words.source_word, width=180),
        Column("detail", tr("Unit, zone or model"), lambda row: row.detail, width=180),
        Column("peer_id", tr("Id there"), lambda row: row.peer_id, width=200, is_shown=False),
    ]
