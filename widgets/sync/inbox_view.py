"""Inbox: messages that peers pushed, what became of each, and processing them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.sync.inbox import InboxRow, InboxState, WantedMessages, count_inbox, list_inbox
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.primitives import SearchField, calm_wheel, labelled, link_button, offer, outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.sync.inbox_panel import InboxPanel
from widgets.sync.words import INBOX_WORDS, inbox_badge

PAGE_ROWS = 500


class InboxView(QWidget):
    """``again_wanted`` carries keys of messages, ``all_again_wanted`` the filter of those that are shown.

    ``rules_wanted`` carries the id of a receiver and the key of the message to try its rules on, or None.
    """

    filtered = Signal()
    again_wanted = Signal(object)
    all_again_wanted = Signal(object)
    rules_wanted = Signal(str, object)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self.limit = PAGE_ROWS
        model = RowsModel[InboxRow](_columns(context), key=lambda row: row.key)
        self.table = DataTable[InboxRow](theme, model, tr("Inbox"), multiple=True)
        model.setParent(self.table)
        self.table.remember_in(context.ui_state, "sync.inbox")
        self.table.set_empty(
            "inbox",
            tr("No messages yet"),
            tr("What other systems push to a webhook receiver is kept here before it is answered."),
        )
        self.panel = InboxPanel(context)
        self.search = SearchField(theme, tr("Message id, sender, reason…"))
        self.states = QComboBox()
        self.peers = QComboBox()
        self.rules = outline_button(theme, tr("Rules…"), "sliders-horizontal")
        self.again = outline_button(theme, tr("Process again"), "refresh-cw")
        self.all_again = outline_button(theme, tr("Process all shown again…"), "refresh-cw")
        self.shown = text_label("", "muted")
        self.more = link_button(theme, "", small=True)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        self.states.addItem(tr("Every state"), "")
        for state, word in INBOX_WORDS.items():
            self.states.addItem(word, str(state))
        self.peers.addItem(tr("Every receiver"), "")
        for box, name in ((self.states, tr("State")), (self.peers, tr("Receiver"))):
            labelled(box, name)
            calm_wheel(box)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.states)
        bar.addWidget(self.peers)
        bar.addStretch(1)
        bar.addWidget(self.search)
        bar.addWidget(self.rules)
        bar.addWidget(self.again)
        bar.addWidget(self.all_again)
        column.addLayout(bar)
        self.again.hide()
        self.rules.hide()
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(in_card(self.table), 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)
        foot = QHBoxLayout()
        foot.setSpacing(10)
        foot.addWidget(self.shown)
        foot.addWidget(self.more)
        foot.addStretch(1)
        column.addLayout(foot)

    def _connect(self) -> None:
        self.search.searched.connect(self._on_filtered)
        self.states.currentIndexChanged.connect(self._on_filtered)
        self.peers.currentIndexChanged.connect(self._on_filtered)
        self.more.clicked.connect(self._on_more)
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(self.panel.show_row)
        self.panel.closed.connect(self.close_panel)
        self.panel.again_wanted.connect(lambda row: self.again_wanted.emit([row.key]))
        self.panel.rules_wanted.connect(lambda row: self.rules_wanted.emit(row.integration_id, row.key))
        self.rules.clicked.connect(lambda: self.rules_wanted.emit(self._receiver(), None))
        self.peers.currentIndexChanged.connect(lambda _at: self._show_rules())
        self.again.clicked.connect(lambda: self.again_wanted.emit([row.key for row in self.table.selected_rows()]))
        self.all_again.clicked.connect(lambda: self.all_again_wanted.emit(self.wanted))

    @property
    def wanted(self) -> WantedMessages:
        """What the filters ask for."""
        return WantedMessages(
            str(self.peers.currentData() or ""), str(self.states.currentData() or ""), self.search.text().strip()
        )

    def read(self, connection: Connection) -> tuple[list[InboxRow], dict[str, int]]:
        """The rows, and how many the same filter holds by state."""
        wanted = self.wanted
        rows = list_inbox(
            connection, integration_id=wanted.integration_id, state=wanted.state, text=wanted.text, limit=self.limit
        )
        return rows, count_inbox(connection, wanted)

    @staticmethod
    def tab_count(connection: Connection) -> int:
        """What somebody may have to look at: messages that wait or were refused."""
        counts = count_inbox(connection, WantedMessages())
        return counts.get(InboxState.WAITING, 0) + counts.get(InboxState.REFUSED, 0)

    def show_rows(self, rows: Sequence[InboxRow], counts: dict[str, int]) -> None:
        total = sum(counts.values())
        wanted = self.wanted
        self.table.model.set_predicate((lambda _row: True) if wanted != WantedMessages() else None)
        self.table.model.apply(rows)
        words = trn("{count} message", "{count} messages", total)
        if len(rows) < total:
            words = tr("{shown} of {total} messages", shown=f"{len(rows):,}", total=f"{total:,}")
        self.shown.setText(words)
        self.shown.setVisible(total > 0)
        self.more.setText(tr("Show {count} more", count=f"{min(PAGE_ROWS, total - len(rows)):,}"))
        self.more.setVisible(total > len(rows))
        self.all_again.setEnabled(total - counts.get(InboxState.WAITING, 0) > 0)
        if self.panel.row is not None and not self.panel.isHidden():
            now = next((row for row in rows if row.key == self.panel.row.key), None)
            if now is None:
                self.panel.hide()
            elif now != self.panel.row:
                self.panel.show_row(now)

    def show_peers(self, peers: Sequence[tuple[str, str]]) -> None:
        """The receivers to choose from, as (id, name)."""
        offer(self.peers, [("", tr("Every receiver")), *peers])
        self.peers.setVisible(len(peers) > 1)
        self._show_rules()

    def _receiver(self) -> str:
        """The chosen receiver, or the only one."""
        only = self.peers.count() == 2  # beside “every receiver”
        return str(self.peers.itemData(1) if only else self.peers.currentData() or "")

    def _show_rules(self) -> None:
        self.rules.setVisible(self.peers.count() > 1)
        self.rules.setEnabled(bool(self._receiver()))
        self.rules.setToolTip("" if self._receiver() else tr("Choose the receiver whose rules are meant."))

    def select(self, key: int) -> bool:
        return self.table.select_key(key)

    def close_panel(self) -> None:
        self.panel.hide()
        self.table.view.clearSelection()

    def redraw(self) -> None:
        self.table.model.redraw()

    def _on_filtered(self, *_value: Any) -> None:
        self.limit = PAGE_ROWS
        self.filtered.emit()

    def _on_more(self) -> None:
        self.limit += PAGE_ROWS
        self.filtered.emit()

    def _on_selected(self, _rows: Sequence[InboxRow]) -> None:
        rows = self.table.selected_rows()
        self.again.setVisible(len(rows) > 1)
        self.again.setText(trn("Process {count} again", "Process {count} again", len(rows)))
        if len(rows) == 1:
            self.panel.show_row(rows[0])
        elif rows:
            self.panel.hide()


def _columns(context: ConsoleContext) -> list[Column[InboxRow]]:
    formats = context.formats
    return [
        Column(
            "received",
            tr("Received"),
            lambda row: formats.clock(row.received_at),
            lambda row: -row.key,
            tooltip=lambda row: formats.time(row.received_at),
            width=150,
            export=lambda row: formats.time(row.received_at),
        ),
        Column("state", tr("State"), lambda row: inbox_badge(row)[1], badge=inbox_badge, width=150),
        Column("receiver", tr("Receiver"), lambda row: row.integration, width=170),
        Column("peer", tr("Sender"), lambda row: row.peer, is_mono=True, width=140),
        Column(
            "records",
            tr("Records"),
            lambda row: f"{row.records:,}" if row.records else "",
            lambda row: row.records,
            align="right",
            width=74,
        ),
        Column("why", tr("Why refused"), lambda row: row.why, tooltip=lambda row: plain_tip(row.why), width=300),
        Column(
            "message",
            tr("Message id"),
            lambda row: row.message_id,
            tooltip=lambda row: plain_tip(row.message_id),
            is_mono=True,
            width=200,
        ),
    ]
