"""Sync: what was changed here and is not accepted yet, what was refused, what both sides changed, and the streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget
from sqlalchemy import Connection, select

from app.store.tables import Integration
from app.sync.conflict_list import ConflictListing, count_conflicts
from app.sync.conflicts import Keep
from app.sync.listing import OutboxRow, Wanted
from app.sync.seal import HOW, store_trouble
from app.sync.streams import StreamRow, list_streams
from app.sync.words import State
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.page import Page, PageHeader
from widgets.primitives import Banner, SegmentedTabs, outline_button
from widgets.sync.acts import SyncActs
from widgets.sync.conflicts_view import ConflictsView
from widgets.sync.inbox_view import InboxView
from widgets.sync.outbox_view import OutboxView
from widgets.sync.streams_view import StreamsView

OUTBOX, REFUSED, CONFLICTS, INBOX, STREAMS = "outbox", "refused", "conflicts", "inbox", "streams"
TABS = {
    OUTBOX: tr("Outbox"),
    REFUSED: tr("Refused"),
    CONFLICTS: tr("Conflicts"),
    INBOX: tr("Inbox"),
    STREAMS: tr("Streams"),
}

RECEIVER = "webhook"
"""The type of the integrations to which others push."""


class SyncPage(Page):
    key = "sync"
    title = "Sync"
    icon = "arrow-left-right"
    topics = frozenset({"outbox", "conflicts", "inbox", "streams", "integrations", "integration_states"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        self.acts = SyncActs(context, self)
        self.tabs = SegmentedTabs(list(TABS.items()))
        self.outbox = OutboxView(context, tr("Outbox"), "sync.outbox")
        self.refused = OutboxView(context, tr("Refused"), "sync.refused", only=(State.REFUSED,))
        self.conflicts = ConflictsView(context)
        self.inbox = InboxView(context)
        self.streams = StreamsView(context)
        self.stack = QStackedWidget()
        self.views: dict[str, QWidget] = {
            OUTBOX: self.outbox,
            REFUSED: self.refused,
            CONFLICTS: self.conflicts,
            INBOX: self.inbox,
            STREAMS: self.streams,
        }
        self.confirm = outline_button(theme, tr("This store is the one…"), "shield-check")
        self.trouble = Banner(theme, "warn", "", self.confirm)
        self._wanted: Mapping[str, Any] = {}
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = self.column()
        column.addWidget(
            PageHeader(tr("Sync"), tr("Saved here, sent, accepted: three facts, and what stands between them"))
        )
        column.addWidget(self.trouble)
        self.trouble.hide()
        bar = QHBoxLayout()
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        column.addLayout(bar)
        for view in self.views.values():
            self.stack.addWidget(view)
        column.addWidget(self.stack, 1)
        self.outbox.table.set_empty(
            "circle-check",
            tr("Everything is accepted"),
            tr("What is changed here for a supply system stands here until that system has accepted it."),
        )
        self.refused.table.set_empty(
            "circle-check",
            tr("Nothing was refused"),
            tr("What a peer will not take waits here for somebody's decision."),
        )

    def _connect(self) -> None:
        self.tabs.chosen.connect(self._on_tab)
        self.confirm.clicked.connect(
            lambda: self.spawn(self.acts.confirm_store(self.trouble.words.text()), "confirm the store")
        )
        for view in (self.outbox, self.refused):
            view.filtered.connect(self.request_refresh)
            view.act_wanted.connect(self.do)
            view.replay_wanted.connect(self._on_replay)
        self.conflicts.changed.connect(self.request_refresh)
        self.conflicts.decided.connect(self._on_decided)
        self.conflicts.undone.connect(lambda row: self.spawn(self.acts.undo(row), "undo"))
        self.inbox.filtered.connect(self.request_refresh)
        self.inbox.again_wanted.connect(lambda keys: self.spawn(self.acts.process_again(keys), "process again"))
        self.inbox.all_again_wanted.connect(
            lambda wanted: self.spawn(self.acts.process_all_again(wanted), "process all again")
        )
        self.inbox.rules_wanted.connect(lambda peer, key: self.spawn(self._edit_rules(peer, key), "rules of messages"))
        self.streams.rule_wanted.connect(self._on_rule)
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.formats.changed.connect(self._redraw)

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:  # noqa: ARG002 - one reading serves all tabs
        read = await self.context.bridge.read(self._read)
        for name, count in read["counts"].items():
            self.tabs.set_label(name, f"{TABS[name]}  {count:,}" if count else TABS[name])
        self.trouble.words.setText(read["trouble"].removesuffix(HOW))
        self.trouble.setVisible(bool(read["trouble"]))
        for view in (self.outbox, self.refused):
            view.show_peers(read["peers"])
        self.inbox.show_peers([(key, name) for key, name, kind in read["receivers"] if kind == RECEIVER])
        if OUTBOX in read:
            self.outbox.show_rows(*read[OUTBOX])
        if REFUSED in read:
            self.refused.show_rows(*read[REFUSED])
        if CONFLICTS in read:
            self.conflicts.show_rows(read[CONFLICTS])
        if INBOX in read:
            self.inbox.show_rows(*read[INBOX])
        if STREAMS in read:
            self.streams.show_rows(read[STREAMS])
        self._show_wanted()

    def _read(self, connection: Connection) -> dict[str, Any]:
        """The counters of all tabs, and the rows of the one that is shown, in one snapshot."""
        row = Integration
        names = select(row.id, row.name, row.type).where(row.removed_at.is_(None)).order_by(row.key)
        tab = self.tabs.value
        found = connection.execute(names).all()
        read: dict[str, Any] = {
            "counts": {
                OUTBOX: self.outbox.tab_count(connection),
                REFUSED: self.refused.tab_count(connection),
                CONFLICTS: count_conflicts(connection).get("open", 0),
                INBOX: self.inbox.tab_count(connection),
            },
            "trouble": store_trouble(connection),
            "peers": [(row.id, row.name) for row in found],
            "receivers": [tuple(row) for row in found],
        }
        if tab == OUTBOX:
            read[OUTBOX] = self.outbox.read(connection)
        elif tab == REFUSED:
            read[REFUSED] = self.refused.read(connection)
        elif tab == CONFLICTS:
            read[CONFLICTS] = self.conflicts.read(connection)
        elif tab == INBOX:
            read[INBOX] = self.inbox.read(connection)
        else:
            read[STREAMS] = list_streams(connection)
        return read

    # What is shown

    def table(self) -> DataTable[Any]:
        view: Any = self.views[self.tabs.value]
        table: DataTable[Any] = view.table
        return table

    def show_item(self, **arguments: Any) -> None:
        """``open_page("sync", tab=…, item_id=…, text=…, integration_id=…)``."""
        if arguments.get("tab") in TABS:
            self.tabs.choose(str(arguments["tab"]))
        if arguments.get("text"):
            self.outbox.search.setText(str(arguments["text"]))
        self._wanted = arguments
        if self.refresh_count:
            self.request_refresh()

    def _show_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        item_id = str(wanted.get("item_id") or "")
        if not item_id:
            return
        if self.tabs.value == CONFLICTS:
            self.conflicts.select_for(item_id)
        elif self.tabs.value == INBOX:
            self.inbox.select(int(item_id))
        elif self.tabs.value in (OUTBOX, REFUSED) and not self.outbox.select(item_id):
            self.refused.select(item_id)

    def _on_tab(self, tab: str) -> None:
        self.stack.setCurrentWidget(self.views[tab])
        self.request_refresh()

    # What the operator does

    def do(self, act: str, rows: Sequence[OutboxRow]) -> None:
        """One of the acts of the panel or of the bar for many."""
        row = rows[0]
        if act == "decide":
            self._wanted = {"item_id": row.id}
            self.tabs.choose(CONFLICTS)
        elif act == "change":
            self.spawn(self._change(row), "change")
        else:
            self.spawn(getattr(self.acts, act)(rows), act)

    async def _change(self, row: OutboxRow) -> None:
        await self.context.doors.dialogs["change_record"](self.context, self, row.record, row.record_id)

    def _on_replay(self, wanted: Wanted) -> None:
        self.spawn(self.acts.replay(wanted), "replay")

    def _on_decided(self, row: ConflictListing, keep: Keep, values: Mapping[str, str] | None) -> None:
        self.spawn(self._decide(row, keep, values), "decide")

    async def _decide(self, row: ConflictListing, keep: Keep, values: Mapping[str, str] | None) -> None:
        self.conflicts.compare.show_problem(await self.acts.resolve(row, keep, values))

    def _on_rule(self, row: StreamRow, rule: str) -> None:
        self.spawn(self.acts.choose_rule(row.integration_id, row.stream, rule), "rule")

    async def _edit_rules(self, integration_id: str, key: int | None) -> None:
        await self.context.doors.dialogs["message_rules"](self.context, self, integration_id, key)

    def _on_ticked(self) -> None:
        if self.isVisible():
            self._redraw()

    def _redraw(self) -> None:
        for view in (self.outbox, self.refused, self.inbox):
            view.redraw()
        self.streams.table.model.redraw()

    def close_page(self) -> None:
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.formats.changed.disconnect(self._redraw)
        for name in TABS:
            self.context.ui_state.unregister(f"sync.{name}")
        for view in (self.outbox, self.refused):
            view.panel.close_panel()
        super().close_page()
