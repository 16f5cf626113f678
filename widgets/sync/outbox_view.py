"""What waits, or what was refused: the list with its filters, the acts on many, and the details of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.sync.listing import OutboxRow, Wanted, count_outbox, list_outbox
from app.sync.words import UNSENT, State
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import in_card
from widgets.primitives import (
    IconButton,
    SearchField,
    calm_wheel,
    labelled,
    link_button,
    offer,
    outline_button,
    text_label,
)
from widgets.sync.detail import OutboxPanel
from widgets.sync.outbox_table import OutboxTable
from widgets.sync.words import STATE_WORDS

PAGE_ROWS = 1_000
"""Rows read at first, and again with each “Show more”."""
ALL, NOT_ACCEPTED = "all", "unsent"


class OutboxView(QWidget):
    """``wanted`` is what is asked for now; the page reads it with :meth:`read` and shows it with :meth:`show_rows`."""

    filtered = Signal()
    act_wanted = Signal(str, object)
    replay_wanted = Signal(object)

    def __init__(self, context: ConsoleContext, title: str, name: str, *, only: tuple[str, ...] = ()) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self._only = only
        self.limit = PAGE_ROWS
        self.table = OutboxTable(context, title, name)
        self.panel = OutboxPanel(context)
        self.search = SearchField(theme, tr("Paper, item, answer…"))
        self.states = QComboBox()
        self.peers = QComboBox()
        self.columns = IconButton(theme, "columns-3", tr("Choose the columns"), framed=True)
        self.replay = outline_button(theme, tr("Send all shown again…"), "refresh-cw")
        self.more = link_button(theme, "", small=True)
        self.shown = text_label("", "muted")
        self.chosen = text_label("", "muted")
        self.many: dict[str, QPushButton] = {
            "retry": outline_button(theme, tr("Send again"), "refresh-cw", small=True),
            "pause": outline_button(theme, tr("Pause"), "pause", small=True),
            "resume": outline_button(theme, tr("Resume"), "play", small=True),
            "set_aside": outline_button(theme, tr("Set aside"), "inbox", small=True),
            "restore": outline_button(theme, tr("Restore"), "rotate-ccw", small=True),
            "cancel": outline_button(theme, tr("Cancel…"), "x", small=True),
        }
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        for value, word in self._state_choices():
            self.states.addItem(word, value)
        self.peers.addItem(tr("Every integration"), "")
        for box, name in ((self.states, tr("State")), (self.peers, tr("Integration"))):
            labelled(box, name)
            calm_wheel(box)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.states.setVisible(not self._only)
        bar = QHBoxLayout()
        bar.setSpacing(10)
        for widget in (self.states, self.peers):
            bar.addWidget(widget)
        bar.addStretch(1)
        bar.addWidget(self.search)
        bar.addWidget(self.replay)
        bar.addWidget(self.columns)
        column.addLayout(bar)
        self.many_bar = QWidget()
        many = QHBoxLayout(self.many_bar)
        many.setContentsMargins(0, 0, 0, 0)
        many.setSpacing(8)
        many.addWidget(self.chosen)
        for button in self.many.values():
            many.addWidget(button)
        many.addStretch(1)
        self.many_bar.hide()
        column.addWidget(self.many_bar)
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
        self.replay.clicked.connect(lambda: self.replay_wanted.emit(self.wanted))
        self.more.clicked.connect(self._on_more)
        self.columns.clicked.connect(self._choose_columns)
        self.table.selected.connect(self._on_selected)
        self.table.activated.connect(self.panel.show_row)
        self.table.menu_wanted.connect(self._on_menu_wanted)
        self.panel.closed.connect(self.close_panel)
        self.panel.act_wanted.connect(lambda act, row: self.act_wanted.emit(act, [row]))
        for act, button in self.many.items():
            button.clicked.connect(partial(self._do_chosen, act))

    def _state_choices(self) -> list[tuple[str, str]]:
        every = [(str(state), word) for state, word in STATE_WORDS.items()]
        return [(NOT_ACCEPTED, tr("Not accepted yet")), *every, (ALL, tr("Every state"))]

    @property
    def wanted(self) -> Wanted:
        """What the filters ask for."""
        state = str(self.states.currentData() or NOT_ACCEPTED)
        states: tuple[str, ...] = (state,)
        if self._only:
            states = self._only
        elif state == NOT_ACCEPTED:
            states = tuple(UNSENT)
        elif state == ALL:
            states = ()
        return Wanted(
            integration_id=str(self.peers.currentData() or ""), states=states, text=self.search.text().strip()
        )

    def read(self, connection: Connection) -> tuple[list[OutboxRow], dict[str, int]]:
        """The rows, and how many the same filter holds by state."""
        wanted, is_past = self.wanted, str(self.states.currentData()) in (State.ACCEPTED, State.CANCELLED, ALL)
        rows = list_outbox(connection, wanted, limit=self.limit, newest_first=is_past and not self._only)
        return rows, count_outbox(connection, wanted)

    def tab_count(self, connection: Connection) -> int:
        """What the tab's label counts: the list without the search, as it stands when the page is opened."""
        states = self._only or tuple(UNSENT)
        return sum(count_outbox(connection, replace(Wanted(), states=states)).values())

    def show_rows(self, rows: Sequence[OutboxRow], counts: dict[str, int]) -> None:
        total = sum(counts.values())
        wanted = self.wanted
        is_filtered = bool(wanted.text or wanted.integration_id)
        self.table.model.set_predicate((lambda _row: True) if is_filtered else None)
        self.table.model.apply(rows)
        self.shown.setText(self._shown_words(len(rows), total))
        self.shown.setVisible(total > 0)
        self.more.setText(tr("Show {count} more", count=f"{min(PAGE_ROWS, total - len(rows)):,}"))
        self.more.setVisible(total > len(rows))
        self.replay.setEnabled(total > 0)
        self._follow_panel(rows)

    def show_peers(self, peers: Sequence[tuple[str, str]]) -> None:
        """The integrations to choose from, as (id, name)."""
        offer(self.peers, [("", tr("Every integration")), *peers])
        self.peers.setVisible(len(peers) > 1)

    def select(self, item_id: str) -> bool:
        return self.table.select_key(item_id)

    def close_panel(self) -> None:
        self.panel.hide()
        self.table.view.clearSelection()

    def redraw(self) -> None:
        self.table.model.redraw()
        self.panel.tick()

    def _shown_words(self, shown: int, total: int) -> str:
        if shown < total:
            return tr("{shown} of {total} changes", shown=f"{shown:,}", total=f"{total:,}")
        return trn("{count} change", "{count} changes", total)

    def _follow_panel(self, rows: Sequence[OutboxRow]) -> None:
        """The chosen change as it is now; one that left the list leaves the panel."""
        row = self.panel.row
        if row is None or self.panel.isHidden():
            return
        now = next((one for one in rows if one.id == row.id), None)
        if now is None:
            self.panel.hide()
        elif now != row:
            self.panel.show_row(now)

    def _on_filtered(self, *_value: Any) -> None:
        self.limit = PAGE_ROWS
        self.filtered.emit()

    def _on_more(self) -> None:
        self.limit += PAGE_ROWS
        self.filtered.emit()

    def _choose_columns(self) -> None:
        self.table.columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _on_selected(self, _rows: Sequence[OutboxRow]) -> None:
        rows = self.table.selected_rows()
        self.many_bar.setVisible(len(rows) > 1)
        self.chosen.setText(trn("{count} change chosen", "{count} changes chosen", len(rows)))
        states = {row.state for row in rows}
        self.many["restore"].setVisible(states == {State.SET_ASIDE})
        for act in ("retry", "pause", "resume", "set_aside"):
            self.many[act].setVisible(states != {State.SET_ASIDE})
        if len(rows) == 1:
            self.panel.show_row(rows[0])
        elif rows:
            self.panel.hide()

    def _do_chosen(self, act: str, *_checked: object) -> None:
        rows = self.table.selected_rows()
        if rows:
            self.act_wanted.emit(act, rows)

    def _on_menu_wanted(self, row: OutboxRow, where: QPoint) -> None:
        self.table.select_key(row.id)
        self.panel.show_row(row)
        menu = QMenu(self)
        for act, button in self.panel.buttons.items():
            if not button.isHidden():
                menu.addAction(button.text(), partial(self.act_wanted.emit, act, [row]))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(where)
