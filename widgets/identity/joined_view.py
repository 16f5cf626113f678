"""What is joined: each thing, its records with how they came there, and splitting them again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.identity.listing import IdentityListing, Member, list_identities
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.identity import words
from widgets.primitives import Badge, clear_layout, line, link_button, outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.side_panel import SidePanel

MOST_ROWS = 2_000


class JoinedView(QWidget):
    """``split_wanted`` carries a record, ``add_wanted`` an identity that another record belongs to."""

    split_wanted = Signal(object)
    add_wanted = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        model = RowsModel[IdentityListing](_columns(), key=lambda row: row.id)
        self.table = DataTable[IdentityListing](context.theme, model, tr("Joined"))
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "identity.joined")
        self.table.set_empty(
            "layers",
            tr("Nothing is joined yet"),
            tr("What you accept under Suggestions, or join by hand under Unmatched, stands here as one thing."),
        )
        self.panel = JoinedPanel(context)
        self.note = text_label("", "small")
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(in_card(self.table), 1)
        row.addWidget(self.panel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(row, 1)
        column.addWidget(self.note)
        self.table.selected.connect(self._on_selected)
        self.panel.closed.connect(self._on_closed)
        self.panel.split_wanted.connect(self.split_wanted)
        self.panel.add.clicked.connect(lambda: self.add_wanted.emit(self.panel.row))

    def read(self, connection: Connection, kind: str, text: str) -> list[IdentityListing]:
        return list_identities(connection, kind, text=text, limit=MOST_ROWS)

    def show_rows(self, rows: Sequence[IdentityListing]) -> None:
        self.table.model.apply(rows)
        is_cut = len(rows) >= MOST_ROWS
        self.note.setText(tr("The first {count:,} by name are shown; search for others.", count=MOST_ROWS))
        self.note.setVisible(is_cut)
        if self.panel.row is not None:
            chosen = next((row for row in rows if row.id == self.panel.row.id), None)
            if chosen is None:
                self._on_closed()
            else:
                self.panel.show_row(chosen)

    def _on_selected(self, rows: Sequence[IdentityListing]) -> None:
        if rows:
            self.panel.show_row(rows[0])

    def _on_closed(self) -> None:
        self.panel.row = None
        self.panel.hide()
        self.table.view.clearSelection()


class JoinedPanel(SidePanel):
    """The records of one thing."""

    split_wanted = Signal(object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(context.theme, tr("Joined records"))
        self._context = context
        self.row: IdentityListing | None = None
        self.splits: dict[str, QWidget] = {}
        self.pill.hide()
        self.members = QVBoxLayout()
        self.members.setSpacing(12)
        self.column.addLayout(self.members)
        self.column.addStretch(1)
        self.add = outline_button(context.theme, tr("Join another record…"), "plus")
        self.foot.addWidget(self.add)

    def show_row(self, row: IdentityListing) -> None:
        if row != self.row:
            self.row = row
            self.show_head(row.name, tr("{count} records are shown as one", count=len(row.members)))
            clear_layout(self.members)
            self.splits.clear()
            for at, member in enumerate(row.members):
                if at:
                    self.members.addWidget(line())
                self.members.addWidget(self._member(row, member))
        self.show()

    def _member(self, row: IdentityListing, member: Member) -> QWidget:
        record = member.known
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        head = QHBoxLayout()
        head.addWidget(text_label(words.source_word(record), "small"), 1)
        head.addWidget(Badge(words.HOW_WORDS.get(member.how, member.how)), 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        column.addWidget(text_label(record.label, "strong", wrap=True, selectable=True))
        facts = [f"{label} {value}" for label, value in words.facts_of(row.kind, record)[:2] if value]
        if not record.is_current:
            facts.append(tr("no longer active there"))
        if facts:
            column.addWidget(text_label(", ".join(facts), "muted", wrap=True, selectable=True))
        if member.reason:
            column.addWidget(text_label(member.reason, "muted", wrap=True, selectable=True))
        foot = QHBoxLayout()
        at = self._context.formats.time(member.linked_at)
        foot.addWidget(text_label(tr("{who}, {at}", who=member.linked_by, at=at), "small", wrap=True), 1)
        split = link_button(self._context.theme, tr("Split off"), small=True)
        split.setAccessibleName(tr("Split off {name} of {source}", name=record.label, source=words.source_word(record)))
        split.clicked.connect(partial(self.split_wanted.emit, record))
        self.splits[record.id] = split
        foot.addWidget(split, 0, Qt.AlignmentFlag.AlignBottom)
        column.addLayout(foot)
        return box


def _columns() -> list[Column[IdentityListing]]:
    def names(row: IdentityListing) -> str:
        return "; ".join(dict.fromkeys(member.known.label for member in row.members))

    return [
        Column("name", tr("Name"), lambda row: row.name, tooltip=lambda row: plain_tip(row.name), width=260),
        Column(
            "count", tr("Records"), lambda row: str(len(row.members)), lambda row: -len(row.members), align="right",
            width=84, export=lambda row: len(row.members),
        ),
        Column("sources", tr("Systems"), lambda row: row.sources, width=200),
        Column("codes", tr("Codes"), _codes, tooltip=lambda row: plain_tip(_codes(row)), width=180, is_shown=False),
        Column("names", tr("Called"), names, tooltip=lambda row: plain_tip(names(row)), width=320, is_shown=False),
    ]  # fmt: skip


def _codes(row: IdentityListing) -> str:
    return ", ".join(dict.fromkeys(member.known.code for member in row.members if member.known.code))
