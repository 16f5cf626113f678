"""Mod4 Setup as biko.md 1.6 lays it out: buttons, invitations, linked users, pending codes, requests."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from app.clock import from_ms
from app.engine.phases import Phase
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.integrations.words import phase_pill
from widgets.mod4.acts import SetupActs
from widgets.mod4.lists import AnyCard, codes_card, invitations_card, linked_card, requests_card
from widgets.mod4.reading import Head, Lists, Wanted, read_setup
from widgets.primitives import (
    Banner,
    CardGrid,
    EmptyState,
    StatCard,
    StatusPill,
    offer,
    outline_button,
    primary_button,
    text_label,
)
from widgets.primitives.tips import plain_tip

AGAIN_MS = 30_000
"""Codes and invitations run out by time alone."""


class Mod4Tab(QWidget):
    """``add_wanted`` asks for the dialog of a new platform, ``configure_wanted`` carries an integration's id."""

    add_wanted = Signal()
    configure_wanted = Signal(str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        theme = context.theme
        self.head: Head | None = None
        self._platform = ""
        self.acts = SetupActs(context, self)
        self.platforms = QComboBox()
        self.platforms.setAccessibleName(tr("Driver platform"))
        self.state = StatusPill(theme)
        self.age = text_label("", "muted")
        self.link_button = outline_button(theme, tr("Link by Email"), "mail")
        self.code_button = outline_button(theme, tr("Generate OTP"), "key-round")
        self.configure = outline_button(theme, tr("Settings and test…"), "settings", small=True)
        self.trouble = Banner(theme, "warn", "", self.configure)
        self.invitations = invitations_card(context, self._no_line, self._no_mail)
        self.linked = linked_card(context, self._no_line)
        self.codes = codes_card(context, self._no_line)
        self.requests = requests_card(context)
        self.cards: tuple[AnyCard, ...] = (self.invitations, self.linked, self.codes, self.requests)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._lay_out_nothing())
        self._stack.addWidget(self._lay_out_setup())
        self._again = QTimer(self, interval=AGAIN_MS)
        self._again.timeout.connect(self.reread)
        self._connect()

    # Laying out

    def _lay_out_nothing(self) -> QWidget:
        add = primary_button(self._context.theme, tr("Add Mod4 Driver System"), "plus")
        add.clicked.connect(self.add_wanted)
        return EmptyState(
            self._context.theme,
            "user-plus",
            tr("No driver platform yet"),
            tr("Once the driver platform is connected, drivers are linked here: by e-mail or with a one-time code."),
            add,
        )

    def _lay_out_setup(self) -> QWidget:
        theme = self._context.theme
        self.figures = {
            "connected": StatCard(theme, tr("Connected"), "circle-check", "ok"),
            "codes": StatCard(theme, tr("Pending OTPs"), "clock", "warn"),
            "invites": StatCard(theme, tr("Pending Invites"), "mail"),
            "requests": StatCard(theme, tr("Pending Requests"), "user-plus"),
        }
        head = QHBoxLayout()
        head.setSpacing(10)
        for part in (self.platforms, self.state, self.age):
            head.addWidget(part, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        for button in (self.link_button, self.code_button):
            head.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        host = QWidget()
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addLayout(head)
        column.addWidget(self.trouble)
        row = QWidget()
        grid = CardGrid(row, min_width=170, gap=16, max_columns=4, is_balanced=True)
        for figure in self.figures.values():
            grid.addWidget(figure)
        column.addWidget(row)
        for card in self.cards:
            column.addWidget(card)
        column.addStretch(1)
        return host

    def _connect(self) -> None:
        self.platforms.activated.connect(self._on_platform)
        self.link_button.clicked.connect(lambda: self._start(self.acts.link_by_email(self._chosen), "link by e-mail"))
        self.code_button.clicked.connect(lambda: self._start(self.acts.one_time_code(self._chosen), "one-time code"))
        self.configure.clicked.connect(lambda: self.configure_wanted.emit(self._chosen))
        for card in self.cards:
            card.deed_wanted.connect(self._on_deed)
            card.searched.connect(lambda _text: self.reread())

    # Reading

    @property
    def _chosen(self) -> str:
        return "" if self.head is None else self.head.row.id

    def _no_line(self) -> str:
        return "" if self.head is None else self.head.no_line

    def _no_mail(self) -> str:
        return "" if self.head is None else self.head.no_mail

    def wanted(self) -> Wanted:
        def text(card: AnyCard) -> str:
            return "" if card.search is None else card.search.text()

        return Wanted(self._platform, text(self.invitations), text(self.linked), text(self.requests))

    def reread(self) -> None:
        """Read anew while it is looked at."""
        if self.isVisible():
            self._start(self.refresh(), "read")

    async def refresh(self, *, with_lists: bool = True) -> None:
        """Without the lists only how it stands with the line."""
        await self._context.quietly(partial(self._read, with_lists=with_lists))

    async def _read(self, *, with_lists: bool) -> None:
        catalogue = await self.acts.catalogue()
        wanted, now_ms = self.wanted(), self._context.services.clock.now_ms()
        read = partial(read_setup, catalogue=catalogue, wanted=wanted, now_ms=now_ms, with_lists=with_lists)
        setup = await self._context.bridge.read(read)
        if wanted != self.wanted():
            return  # another question was asked meanwhile, and its answer comes
        self.head = None if setup is None else setup.head
        self._stack.setCurrentIndex(0 if setup is None else 1)
        self._again.start()
        if setup is None:
            return
        self._show_state(setup.head)
        if setup.lists is not None:
            self._show_lists(setup.lists)

    def _show_lists(self, lists: Lists) -> None:
        self._show_figures(lists)
        waits = lists.statistics.pending_requests
        pending = sum(row.state == "pending" for row in lists.invitations)
        self.invitations.show_rows(lists.invitations, tr("{count} pending", count=pending) if pending else "")
        self.linked.show_rows(lists.linked)
        self.codes.show_rows(lists.codes)
        self.codes.setVisible(bool(lists.codes))
        self.requests.show_rows(lists.requests, tr("{count} pending", count=waits) if waits else "")

    def _show_state(self, head: Head) -> None:
        offer(self.platforms, [(one.id, one.name) for one in head.platforms], head.row.id)
        self.platforms.setVisible(len(head.platforms) > 1)
        level, word = phase_pill(head.row.phase)
        self.state.set_state(level, word, head.row.reason)
        read = self._context.formats.ago(head.row.last_sync, now=from_ms(head.read_ms))
        self.age.setText(tr("{name}, read {ago}", name=head.row.name, ago=read))
        refused = head.offers.find("invite")
        why_no_link = head.offers.reason or ("" if refused is None else refused.hindrance)
        self.link_button.setEnabled(not why_no_link)
        self.link_button.setToolTip(plain_tip(why_no_link))
        self.code_button.setEnabled(not head.no_line)
        self.code_button.setToolTip(
            plain_tip(tr("A code needs the line. {why}", why=head.no_line) if head.no_line else "")
        )
        said = [f"{name}: {why}" for name, why in head.troubles.items()]
        if head.no_line:
            said.insert(
                0, tr("No line to the platform: {why} Changes wait here, codes cannot be made.", why=head.no_line)
            )
        elif head.row.phase == Phase.STALE and head.row.reason:
            said.insert(0, head.row.reason)
        if why_no_link:
            said.append(why_no_link)
        if head.remark:
            mend = tr("Test in the settings names what mends each of them.")
            said.append(f"{head.remark} {mend}")
        self.trouble.words.setText("\n".join(said))
        self.trouble.setVisible(bool(said))
        for card in self.cards:
            card.show_deeds()

    def _show_figures(self, lists: Lists) -> None:
        found = lists.statistics
        waiting = trn("{count} change waits here", "{count} changes wait here", found.waiting)
        self.figures["connected"].set_value(
            f"{found.connected:,}",
            waiting if found.waiting else tr("active links"),
            "ok" if found.connected else "neutral",
        )
        self.figures["codes"].set_value(
            f"{found.pending_codes:,}", tr("in their time, tries left"), "warn" if found.pending_codes else "neutral"
        )
        late = trn("{count} past its time", "{count} past their time", found.expired_invites)
        self.figures["invites"].set_value(
            f"{found.pending_invites:,}",
            late if found.expired_invites else tr("none past its time"),
        )
        self.figures["requests"].set_value(
            f"{found.pending_requests:,}",
            tr("wait for a decision") if found.pending_requests else tr("nothing to decide"),
            "warn" if found.pending_requests else "neutral",
        )  # fmt: skip

    # Acting

    def _on_platform(self, _at: int) -> None:
        self._platform = str(self.platforms.currentData() or "")
        self.reread()

    def _on_deed(self, key: str, row: Any) -> None:
        self._start(self._deed(key, row), key)

    async def _deed(self, key: str, row: Any) -> None:
        await getattr(self.acts, key)(row)
        await self.refresh()

    def _start(self, coro: Coroutine[Any, Any, Any], name: str) -> None:
        self._context.tasks.start(coro, name=f"mod4: {name}", owner=self)

    def close_tab(self) -> None:
        """End its work; the page calls it before it goes."""
        self._again.stop()
        self._context.tasks.cancel_owner(self)
        for card in self.cards:
            card.close_card()
