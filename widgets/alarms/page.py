"""Alarms: what wants somebody, what cleared before anybody came, what is put off, what is over; and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QWidget

from app.alarms.listing import CLEARED, GROUPS, HISTORY, SHELVED, STANDING, AlarmListing, list_alarms, summarise
from app.alarms.words import KIND_WORDS, RANKS
from app.engine.running import engine_gone_since_ms
from resources.i18n import tr, trn
from widgets.alarms import words
from widgets.alarms.acts import AlarmActs
from widgets.alarms.detail import AlarmPanel
from widgets.alarms.table import AlarmTable, Reader, by_urgency
from widgets.context import ConsoleContext
from widgets.data_table import in_card
from widgets.page import Page, PageHeader
from widgets.primitives import (
    Banner,
    IconButton,
    SearchField,
    SegmentedTabs,
    calm_wheel,
    labelled,
    outline_button,
    text_label,
)

GROUP_TABS = {STANDING: tr("Standing"), CLEARED: tr("Cleared"), SHELVED: tr("Shelved"), HISTORY: tr("History")}
_EMPTY = {
    STANDING: ("circle-check", tr("Nothing stands"), tr("What wants somebody appears here the moment it is found.")),
    CLEARED: (
        "check",
        tr("Nothing ended unseen"),
        tr("Alarms that end before anybody acknowledged them wait here, so that none passes unnoticed."),
    ),
    SHELVED: ("clock", tr("Nothing is shelved"), tr("What is put off for a time, with a reason, waits here.")),
    HISTORY: ("history", tr("No history yet"), tr("Alarms that are over and seen to are kept here.")),
}
_KEYS = {"A": "acknowledge", "S": "shelve", "G": "assign", "C": "comment"}
SUMMARY_EVERY_TICKS = 15


class AlarmsPage(Page):
    key = "alarms"
    title = "Alarms"
    icon = "shield-alert"
    topics = frozenset({"alarms", "alarm_rules"})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        self.now_ms = context.services.clock.now_ms
        self.reader = Reader(context, self.now_ms)
        self.rows: list[AlarmListing] = []
        self.acts = AlarmActs(context, self, self.now_ms)
        self.tabs = SegmentedTabs([(group, GROUP_TABS[group]) for group in GROUPS])
        self.search = SearchField(theme, tr("Vehicle, alarm, comment…"))
        self.kinds = _box(
            tr("Kind"), [("", tr("Every kind")), *((str(key), tr(word)) for key, word in KIND_WORDS.items())]
        )
        self.priorities = _box(
            tr("Priority"),
            [("", tr("Every priority")), *((name, words.PRIORITY_WORDS[name]) for name in reversed(list(RANKS)))],
        )
        self.with_folded = QCheckBox(tr("Show folded"))
        self.with_folded.setToolTip(tr("Also those that another alarm explains."))
        self.columns = IconButton(theme, "columns-3", tr("Choose the columns"), framed=True)
        self.rules_button = outline_button(theme, tr("Rules…"), "sliders-horizontal")
        self.fences_button = outline_button(theme, tr("Fences…"), "fence")
        self.alarm_table = AlarmTable(context, self.reader)
        self.panel = AlarmPanel(self.reader)
        self.flood = Banner(theme, "error", "")
        self.unwatched = Banner(theme, "warn", "")
        self.chosen = text_label("", "muted")
        self.many_acts = {
            "acknowledge": outline_button(theme, tr("Acknowledge…"), "check", small=True),
            "shelve": outline_button(theme, tr("Shelve…"), "clock", small=True),
            "unshelve": outline_button(theme, tr("Take back"), "rotate-ccw", small=True),
            "assign": outline_button(theme, tr("Assign…"), "user-plus", small=True),
            "comment": outline_button(theme, tr("Comment…"), "message-circle", small=True),
        }
        self._wanted = ""
        self._ticks = 0
        self._lay_out()
        self._connect()
        self._show_empty()

    def _lay_out(self) -> None:
        column = self.column()
        subtitle = tr("What somebody must act on; everything else is an event in Activity")
        column.addWidget(PageHeader(tr("Alarms"), subtitle, [self.fences_button, self.rules_button]))
        for banner in (self.unwatched, self.flood):
            column.addWidget(banner)
            banner.hide()
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        bar.addWidget(self.search)
        bar.addWidget(self.columns)
        column.addLayout(bar)
        filters = QHBoxLayout()
        filters.setSpacing(10)
        for widget in (self.priorities, self.kinds, self.with_folded):
            filters.addWidget(widget)
        filters.addStretch(1)
        column.addLayout(filters)
        self.many = QWidget()
        many = QHBoxLayout(self.many)
        many.setContentsMargins(0, 0, 0, 0)
        many.setSpacing(8)
        many.addWidget(self.chosen)
        for button in self.many_acts.values():
            many.addWidget(button)
        many.addStretch(1)
        self.many.hide()
        column.addWidget(self.many)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(in_card(self.alarm_table), 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)

    def _connect(self) -> None:
        context, table = self.context, self.alarm_table
        self.tabs.chosen.connect(self._on_tab)
        self.search.searched.connect(self._on_filtered)
        self.kinds.currentIndexChanged.connect(self._on_filtered)
        self.priorities.currentIndexChanged.connect(self._on_filtered)
        self.with_folded.toggled.connect(self._on_filtered)
        self.columns.clicked.connect(self._choose_columns)
        table.selected.connect(self._on_selected)
        table.activated.connect(self._on_activated)
        table.menu_wanted.connect(self._on_menu_wanted)
        self.panel.closed.connect(self._close_panel)
        self.panel.act_wanted.connect(lambda act, row: self.do(act, [row]))
        self.panel.said.connect(lambda row, text: self.spawn(self._say(row, text), "comment"))
        self.panel.wanted.connect(self._show_alarm)
        self.rules_button.clicked.connect(lambda: self.spawn(self.open_rules(), "rules"))
        self.fences_button.clicked.connect(lambda: self.spawn(self._open("own_fences"), "fences"))
        for act, button in self.many_acts.items():
            button.clicked.connect(partial(self._do_chosen, act))
        for keys, act in _KEYS.items():
            shortcut = QShortcut(QKeySequence(keys), table)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self._do_chosen, act))
        context.formats.ticked.connect(self._on_ticked)
        context.formats.changed.connect(self._redraw)

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:  # noqa: ARG002 - everything here comes with the alarms
        wanted, self._wanted = self._wanted, ""  # what is wanted from now on, the next reading has for sure
        self.rows = sorted(await self.context.bridge.read(list_alarms), key=by_urgency)
        now_ms = self.now_ms()
        shown = [row for row in self.rows if row.parent_id is not None and row.group(now_ms) != HISTORY]
        self.reader.folded = Counter(row.parent_id for row in shown if row.parent_id is not None)
        self.alarm_table.rows = self.rows
        self.alarm_table.show_filtered()
        self._count()
        self._follow_panel()
        await self._look_around()
        if wanted:
            self._show_alarm(wanted)

    async def _look_around(self) -> None:
        """Whether there is a flood, and whether anybody watches at all."""
        now_ms = self.now_ms()
        summary = await self.context.bridge.read(partial(summarise, now_ms=now_ms))
        gone_ms = await self.context.bridge.read(partial(engine_gone_since_ms, now_ms=now_ms))
        if gone_ms is not None:
            self.unwatched.words.setText(words.unwatched_words(gone_ms, self.context.formats))
        self.unwatched.setVisible(gone_ms is not None)
        is_flood = words.is_flood(summary)
        if is_flood:
            self.flood.words.setText(words.flood_words(summary))
        self.flood.setVisible(is_flood)

    def _count(self) -> None:
        now_ms = self.now_ms()
        folded = self.with_folded.isChecked()
        counts = Counter(
            group
            for row in self.rows
            if (group := row.group(now_ms)) in {SHELVED, HISTORY} or folded or row.parent_id is None
        )
        for group, label in GROUP_TABS.items():
            self.tabs.set_label(group, f"{label}  {counts[group]:,}" if counts[group] else label)

    def _follow_panel(self) -> None:
        """The chosen alarm as it is now; it stays open when it moves to another group by an act."""
        row = self.panel.row
        if row is None or self.panel.isHidden():
            return
        now = self._row(row.id)
        if now is None:
            self.panel.hide()
        else:
            self._show_panel(now)

    # What is shown

    def table(self) -> AlarmTable:
        return self.alarm_table

    def show_item(self, **arguments: Any) -> None:
        """``open_page("alarms", alarm_id=… | vehicle=…, group="shelved")``."""
        if arguments.get("group") in GROUPS:
            self.tabs.choose(str(arguments["group"]))
        if arguments.get("vehicle"):
            self.search.setText(str(arguments["vehicle"]))
        self._wanted = str(arguments.get("alarm_id") or "")
        if self._wanted and self.refresh_count:
            self.request_refresh()

    def _show_alarm(self, alarm_id: str) -> None:
        row = self._row(alarm_id)
        if row is None:
            self.context.notify("warn", tr("That alarm is not kept any more."))
            return
        self.search.clear()
        self.kinds.setCurrentIndex(0)
        self.priorities.setCurrentIndex(0)
        if row.parent_id is not None:
            self.with_folded.setChecked(True)
        self.tabs.choose(row.group(self.now_ms()))
        self.alarm_table.select_key(row.id)
        self.alarm_table.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_panel(self, row: AlarmListing) -> None:
        folded = [one for one in self.rows if one.parent_id == row.id]
        cause = self._row(row.parent_id) if row.parent_id is not None else None
        self.panel.show_alarm(row, folded, cause)

    def _row(self, alarm_id: str) -> AlarmListing | None:
        return next((row for row in self.rows if row.id == alarm_id), None)

    def _show_empty(self) -> None:
        icon, title, text = _EMPTY[self.tabs.value]
        button = None
        if self.tabs.value == STANDING:
            button = outline_button(self.context.theme, tr("See the rules…"), "sliders-horizontal")
            button.clicked.connect(lambda: self.spawn(self.open_rules(), "rules"))
        self.alarm_table.set_empty(icon, title, text, button)

    # What the operator does

    def do(self, act: str, rows: Sequence[AlarmListing]) -> None:
        """One of the panel's acts on these."""
        row = rows[0]
        if act == "shelve" and all(one.group(self.now_ms()) == SHELVED for one in rows):
            act = "unshelve"
        if act == "map":
            self.context.open_page(
                "map", **({"vehicle_id": row.vehicle_id} if row.vehicle_id else {"imei": row.device})
            )
        elif act == "fuel":
            self.context.open_page("fuel", vehicle_id=row.vehicle_id, event_id=row.fuel_event_id)
        elif act == "events":
            self.context.open_page("activity", view="events", text=row.device)
        elif act == "integration":
            self.context.open_page("integrations", configure=row.integration_id)
        elif act == "rule":
            self.spawn(self.open_rules(row.rule_id or ""), "rules")
        else:
            self.spawn(getattr(self.acts, act)(rows), act)

    async def open_rules(self, rule_id: str = "") -> None:
        """The rules, with one of them chosen."""
        await self.context.doors.dialogs["alarm_rules"](self.context, self, rule_id)

    async def _open(self, dialog: str) -> None:
        await self.context.doors.dialogs[dialog](self.context, self)

    async def _say(self, row: AlarmListing, text: str) -> None:
        if await self.acts.say([row], text):
            self.panel.comment.clear()

    def _do_chosen(self, act: str, *_checked: object) -> None:
        rows = self.alarm_table.selected_rows()
        if rows:
            self.do(act, rows)

    def _on_tab(self, group: str) -> None:
        self.alarm_table.filter.group = group
        self.with_folded.setVisible(group in {STANDING, CLEARED})
        self._show_empty()
        self._on_filtered()

    def _on_filtered(self, *_value: object) -> None:
        chosen = self.alarm_table.filter
        chosen.text = self.search.text()
        chosen.kind = str(self.kinds.currentData() or "")
        chosen.priority = str(self.priorities.currentData() or "")
        chosen.with_folded = self.with_folded.isChecked()
        self.alarm_table.show_filtered()
        self._count()

    def _choose_columns(self) -> None:
        self.alarm_table.columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _on_selected(self, _rows: Sequence[AlarmListing]) -> None:
        rows = self.alarm_table.selected_rows()
        self.many.setVisible(len(rows) > 1)
        self.chosen.setText(trn("{count} alarm chosen", "{count} alarms chosen", len(rows)))
        is_shelved = self.tabs.value == SHELVED
        self.many_acts["shelve"].setVisible(self.tabs.value in {STANDING, CLEARED})
        self.many_acts["unshelve"].setVisible(is_shelved)
        self.many_acts["acknowledge"].setVisible(self.tabs.value != HISTORY)
        if len(rows) == 1:
            self._show_panel(rows[0])
        elif rows:
            self.panel.hide()

    def _on_activated(self, row: AlarmListing) -> None:
        """Enter or double click: to the details."""
        self._show_panel(row)
        target = self.panel.acknowledge if self.panel.acknowledge.isEnabled() else self.panel.comment
        target.setFocus(Qt.FocusReason.TabFocusReason)

    def _on_menu_wanted(self, row: AlarmListing, where: QPoint) -> None:
        if self.panel.row != row or self.panel.isHidden():
            self.alarm_table.select_key(row.id)
        menu = self.panel.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(where)

    def _close_panel(self) -> None:
        self.panel.hide()
        self.alarm_table.view.clearSelection()

    def _on_ticked(self) -> None:
        if not self.isVisible():
            return
        self._redraw()
        self._ticks += 1
        if self._ticks % SUMMARY_EVERY_TICKS == 0:
            self.alarm_table.show_filtered()  # a shelf has ended
            self._count()
            self.request_refresh()

    def _redraw(self) -> None:
        self.alarm_table.model.redraw()
        self.panel.tick()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the details, unless the search has a use for it."""
        if event.key() == Qt.Key.Key_Escape and not self.panel.isHidden():
            self._close_panel()
            return
        super().keyPressEvent(event)

    def close_page(self) -> None:
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.formats.changed.disconnect(self._redraw)
        self.context.ui_state.unregister("alarms.table")
        self.panel.close_panel()
        super().close_page()


def _box(name: str, choices: Sequence[tuple[str, str]]) -> QComboBox:
    box = QComboBox()
    for value, word in choices:
        box.addItem(word, value)
    labelled(box, name)
    calm_wheel(box)
    return box
