"""Mod4 Setup as biko.md 1.6 lays it out: buttons, invitations, linked users, pending codes, requests."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from app.clock import from_ms
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.integrations.words import phase_pill
from widgets.mod4.acts import SetupActs
from widgets.mod4.lists import AnyCard, codes_card, invitations_card, linked_card, requests_card
from widgets.mod4.reading import Setup, Wanted, read_setup
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
        self.setup: Setup | None = None
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
            tr(
                "Once the platform's database is connected, drivers are linked here: by e-mail or with a one-time code."
            ),
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
        return "" if self.setup is None else self.setup.row.id

    def _no_line(self) -> str:
        return "" if self.setup is None else self.setup.no_line

    def _no_mail(self) -> str:
        return "" if self.setup is None else self.setup.no_mail

    def wanted(self) -> Wanted:
        def text(card: AnyCard) -> str:
            return "" if card.search is None else card.search.text()

        return Wanted(self._platform, text(self.invitations), text(self.linked), text(self.requests))

    def reread(self) -> None:
        """Read anew while it is looked at."""
        if self.isVisible():
            self._start(self.refresh(), "read")

    async def refresh(self) -> None:
        await self._context.quietly(self._read)

    async def _read(self) -> None:
        catalogue = await self.acts.catalogue()
        wanted, now_ms = self.wanted(), self._context.services.clock.now_ms()
        setup = await self._context.bridge.read(partial(read_setup, catalogue=catalogue, wanted=wanted, now_ms=now_ms))
        if wanted == self.wanted():
            self._show(setup)

    def _show(self, setup: Setup | None) -> None:
        self.setup = setup
        self._stack.setCurrentIndex(0 if setup is None else 1)
        self._again.start()
        if setup is None:
            return
        offer(self.platforms, [(one.id, one.name) for one in setup.platforms], setup.row.id)
        self.platforms.setVisible(len(setup.platforms) > 1)
        self._show_state(setup)
        self._show_figures(setup)
        waits = setup.statistics.pending_requests
        pending = sum(row.state == "pending" for row in setup.invitations)
        self.invitations.show_rows(setup.invitations, tr("{count} pending", count=pending) if pending else "")
        self.linked.show_rows(setup.linked)
        self.codes.show_rows(setup.codes)
        self.codes.setVisible(bool(setup.codes))
        self.requests.show_rows(setup.requests, tr("{count} pending", count=waits) if waits else "")

    def _show_state(self, setup: Setup) -> None:
        level, word = phase_pill(setup.row.phase)
        self.state.set_state(level, word, setup.row.reason)
        read = self._context.formats.ago(setup.row.last_sync, now=from_ms(setup.read_ms))
        self.age.setText(tr("{name}, read {ago}", name=setup.row.name, ago=read))
        refused = setup.offers.find("invite")
        why_no_link = setup.offers.reason or ("" if refused is None else refused.hindrance)
        self.link_button.setEnabled(not why_no_link)
        self.link_button.setToolTip(plain_tip(why_no_link))
        self.code_button.setEnabled(not setup.no_line)
        self.code_button.setToolTip(
            plain_tip(tr("A code needs the line. {why}", why=setup.no_line) if setup.no_line else "")
        )
        said = [f"{name}: {why}" for name, why in setup.troubles.items()]
        if setup.no_line:
            said.insert(
                0, tr("No line to the platform: {why} Changes wait here, codes cannot be made.", why=setup.no_line)
            )
        if why_no_link:
            said.append(why_no_link)
        if setup.remark:
            mend = tr("Test in the settings names what mends each of them.")
            said.append(f"{setup.remark} {mend}")
        self.trouble.words.setText("\n".join(said))
        self.trouble.setVisible(bool(said))

    def _show_figures(self, setup: Setup) -> None:
        found = setup.statistics
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
