"""The identity map as one panel, to be mounted on a page: kinds, four lists, a search, and the decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.identity.kinds import KINDS, TABLES, Known
from app.identity.listing import ActListing, IdentityListing, SuggestionListing, count_kinds, count_sources
from app.identity.look import last_looked
from app.identity.rules import Rules, load_rules
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.identity.acts import IdentityActs
from widgets.identity.history_view import HistoryView
from widgets.identity.joined_view import JoinedView
from widgets.identity.suggestions_view import SuggestionsView
from widgets.identity.unmatched_view import UnmatchedView
from widgets.identity.words import KIND_WORDS
from widgets.primitives import SearchField, SegmentedTabs, calm_wheel, labelled

SUGGESTIONS, UNMATCHED, JOINED, HISTORY = "suggestions", "unmatched", "joined", "history"
TABS = {
    SUGGESTIONS: tr("Suggestions"),
    UNMATCHED: tr("Unmatched"),
    JOINED: tr("Joined"),
    HISTORY: tr("History"),
}
KIND_WIDTH = 170
Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]


class IdentityPanel(QWidget):
    """The page that mounts it calls :meth:`refresh` when :attr:`topics` moved, and :meth:`close_panel` at its end.

    ``spawn`` starts work that ends with the page. ``shown`` when it has shown what it read.
    """

    topics = frozenset({"identities", "suggestions", "facilities", "items", "vehicles", "integrations"})
    shown = Signal()

    def __init__(self, context: ConsoleContext, spawn: Spawn) -> None:
        super().__init__()
        self._context = context
        self._spawn = spawn
        self._again = False
        self._is_reading = False
        self.rules = Rules()
        self.acts = IdentityActs(context, self)
        self.kinds = QComboBox()
        labelled(calm_wheel(self.kinds), tr("What of"), tr("The number says how many suggestions wait."))
        self.kinds.setToolTip(tr("The number says how many suggestions wait."))
        self.kinds.setMinimumWidth(KIND_WIDTH)
        for kind in KINDS:
            self.kinds.addItem(KIND_WORDS[kind], kind)
        self.tabs = SegmentedTabs(list(TABS.items()))
        self.search = SearchField(context.theme, tr("Name or code…"))
        self.suggestions = SuggestionsView(context)
        self.unmatched = UnmatchedView(context)
        self.joined = JoinedView(context)
        self.history = HistoryView(context)
        self.views: dict[str, QWidget] = {
            SUGGESTIONS: self.suggestions,
            UNMATCHED: self.unmatched,
            JOINED: self.joined,
            HISTORY: self.history,
        }
        self.stack = QStackedWidget()
        for view in self.views.values():
            self.stack.addWidget(view)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(12)
        bar.addWidget(self.kinds)
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        bar.addWidget(self.search)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(bar)
        column.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.kinds.currentIndexChanged.connect(self._on_kind)
        self.tabs.chosen.connect(self._on_tab)
        self.search.searched.connect(self._on_changed)
        self.suggestions.changed.connect(self._on_changed)
        self.suggestions.accepted.connect(self._on_accepted)
        self.suggestions.declined.connect(self._on_declined)
        self.suggestions.rule_chosen.connect(self._on_rule)
        self.unmatched.changed.connect(self._on_changed)
        self.unmatched.join_wanted.connect(self._on_join)
        self.joined.split_wanted.connect(self._on_split)
        self.joined.add_wanted.connect(self._on_add)
        self.history.undo_wanted.connect(self._on_undo)

    # What the store says

    async def refresh(self) -> None:
        """Read what is in front and show it. Calls during a reading make one more after it."""
        self._again = True
        if self._is_reading:
            return
        self._is_reading = True
        try:
            while self._again:
                self._again = False
                read = await self._context.bridge.read(self._read)
                if (read["kind"], read["tab"]) == (self.kind, self.tabs.value):
                    self._show(read)
                else:
                    self._again = True
        finally:
            self._is_reading = False
        self.shown.emit()

    def _read(self, connection: Connection) -> dict[str, Any]:
        """The counters of every tab, and the rows of the one in front, in one snapshot."""
        kind, tab, text = self.kind, self.tabs.value, self.search.text()
        sources = count_sources(connection, kind)
        read: dict[str, Any] = {
            "kind": kind,
            "tab": tab,
            "kinds": count_kinds(connection),
            "unmatched": sum(source.unmatched for source in sources),
            "rules": load_rules(connection),
            "looked": last_looked(connection).get(kind),
            "sources": len(sources),
        }
        if tab == SUGGESTIONS:
            read["rows"] = self.suggestions.read(connection, kind, text)
        elif tab == UNMATCHED:
            read["rows"] = self.unmatched.read(connection, kind, text)
        elif tab == JOINED:
            read["rows"] = (self.joined.read(connection, kind, text),)
        else:
            read["rows"] = (self.history.read(connection, kind),)
        return read

    def _show(self, read: dict[str, Any]) -> None:
        kind, tab = read["kind"], read["tab"]
        for one, (suggested, _joined) in read["kinds"].items():
            self.kinds.setItemText(self.kinds.findData(one), _counted(KIND_WORDS[one], suggested))
        suggested, joined = read["kinds"][kind]
        counts = {SUGGESTIONS: suggested, UNMATCHED: read["unmatched"], JOINED: joined}
        for one, word in TABS.items():
            self.tabs.set_label(one, _counted(word, counts.get(one, 0)))
        self.rules = read["rules"]
        self.suggestions.rule.setChecked(kind in self.rules.joined)
        if tab == SUGGESTIONS:
            rows, total = read["rows"]
            self.suggestions.show_rows(rows, total, self._note(read))
        elif tab == UNMATCHED:
            self.unmatched.show_rows(*read["rows"])
        elif tab == JOINED:
            self.joined.show_rows(*read["rows"])
        else:
            self.history.show_rows(*read["rows"])

    def _note(self, read: dict[str, Any]) -> str:
        """When it was looked last, or why nothing can be found."""
        if TABLES[read["kind"]].one_each and read["sources"] < 2:
            return tr("Only one system has told any of these, so there is nothing to compare them with.")
        if read["looked"] is None:
            return tr("Nobody has looked yet: the engine does a few seconds after records arrive.")
        return tr("Looked for matches {at}.", at=self._context.formats.time(read["looked"]))

    # What is shown

    @property
    def is_settled(self) -> bool:
        """Whether it shows what was last asked for."""
        return not self._is_reading

    @property
    def kind(self) -> str:
        return str(self.kinds.currentData())

    def choose_kind(self, kind: str) -> None:
        """Choose as the operator does."""
        self.kinds.setCurrentIndex(self.kinds.findData(kind))

    def table(self) -> DataTable[Any]:
        """The list in front, for export and print."""
        view: Any = self.views[self.tabs.value]
        table: DataTable[Any] = view.table
        return table

    def close_panel(self) -> None:
        for name in (SUGGESTIONS, UNMATCHED, JOINED, HISTORY):
            self._context.ui_state.unregister(f"identity.{name}")

    # What the operator does

    def _on_kind(self, _place: int) -> None:
        self.unmatched.source_id = ""
        self.joined.panel.hide()
        self.joined.panel.row = None
        self.suggestions.card.show_pair(None)
        self._on_changed()

    def _on_tab(self, tab: str) -> None:
        self.stack.setCurrentWidget(self.views[tab])
        self.search.setEnabled(tab != HISTORY)
        self._on_changed()

    def _on_changed(self, _value: object = None) -> None:
        self._do(self.refresh, "read")

    def _on_accepted(self, rows: Sequence[SuggestionListing]) -> None:
        self._act(partial(self.acts.accept, rows), "join")

    def _on_declined(self, rows: Sequence[SuggestionListing]) -> None:
        self._act(partial(self.acts.decline, rows), "decline")

    def _on_rule(self, on: bool) -> None:
        self._act(partial(self.acts.choose_rule, self.kind, self.rules, on=on), "rule")

    def _on_split(self, record: Known) -> None:
        self._act(partial(self.acts.split, self.kind, record), "split")

    def _on_undo(self, row: ActListing, whole_batch: bool) -> None:
        self._act(partial(self.acts.undo, row, whole_batch=whole_batch), "undo")

    def _on_join(self, records: Sequence[Known]) -> None:
        """Several are joined as they are; for one a partner is looked for."""
        kind = self.kind
        if len(records) > 1:
            ids = [record.id for record in records]
            self._act(partial(self.acts.merge, kind, records, ids), "join")
        elif records:
            self._act(partial(self._find_partner, kind, records[0].label, records, [records[0].id]), "find")

    def _on_add(self, row: IdentityListing) -> None:
        records = [member.known for member in row.members]
        self._act(partial(self._find_partner, row.kind, row.name, records, [row.id]), "find")

    async def _find_partner(self, kind: str, name: str, records: Sequence[Known], ids: Sequence[str]) -> bool:
        find = self._context.doors.dialogs["find_partner"]
        partner: Known | None = await find(self._context, self, kind, name, records)
        if partner is None:
            return False
        return await self.acts.merge(kind, [*records[:1], partner], [*ids, partner.id])

    def _act(self, act: Callable[[], Coroutine[Any, Any, bool]], name: str) -> None:
        async def then_read() -> None:
            await act()
            await self.refresh()  # also where nothing was done: a box that was ticked shows what is so

        self._do(then_read, name)

    def _do(self, step: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._spawn(self._context.quietly(step), f"identity: {name}")


def _counted(word: str, count: int) -> str:
    return f"{word}  {count:,}" if count else word
