"""Mail on the settings page: the server and how it goes, the mail of invitations, and the queue."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.mail.listing import MailOverview, MailRow, list_mails, mail_overview
from app.mail.queue import cancel_mail, retry_mail
from app.mail.templates import get_template
from app.mail.words import MailState
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import ROW_HEIGHT, DataTable
from widgets.primitives import Banner, line, outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.settings.rows import SettingRow, card_of
from widgets.theme import Level

TABLE_HEIGHT = 248
Do = Callable[[Coroutine[Any, Any, Any], str], None]

_WORDS: dict[MailState, tuple[Level, str]] = {
    MailState.WAITING: ("neutral", tr("Waiting")),
    MailState.SENDING: ("info", tr("Being sent")),
    MailState.SENT: ("ok", tr("Sent")),
    MailState.REFUSED: ("error", tr("Refused")),
    MailState.DOUBTFUL: ("warn", tr("In doubt")),
    MailState.CANCELLED: ("neutral", tr("Cancelled")),
}


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What the card shows, read in one go."""

    overview: MailOverview
    subject: str
    rows: list[MailRow]


def read_mail(connection: Connection) -> MailFacts:
    return MailFacts(mail_overview(connection), get_template(connection).subject, list_mails(connection))


class MailCard:
    """``card`` is what stands on the page; ``show`` puts facts in."""

    def __init__(self, context: ConsoleContext, parent: QWidget, do: Do) -> None:
        self._context = context
        self._parent = parent
        self._do = do
        theme = context.theme
        self.set_up = outline_button(theme, tr("Mail server…"), "mail", small=True)
        self.edit = outline_button(theme, tr("Edit text…"), "pencil", small=True)
        self.server = SettingRow(tr("Mail server"), "", self.set_up)
        self.template = SettingRow(tr("Mail of an invitation"), "", self.edit)
        self.trouble = Banner(theme, "warn", "")
        self.table = MailTable(context)
        self.retry = outline_button(theme, tr("Try again"), "refresh-cw", small=True)
        self.cancel = outline_button(theme, tr("Cancel"), "x", small=True)
        self.count = text_label("", "muted")
        self.card = card_of(tr("Mail"), [self.server, self.template])
        self._queue = QWidget()
        self._lay_out()
        self.set_up.clicked.connect(lambda: do(self._open("mail_server"), "mail server"))
        self.edit.clicked.connect(lambda: do(self._open("mail_template"), "mail template"))
        self.retry.clicked.connect(lambda: do(self._retry(), "try mails again"))
        self.cancel.clicked.connect(lambda: do(self._cancel(), "cancel mails"))
        self.table.selected.connect(lambda _rows: self._show_acts())
        self._show_acts()

    def show(self, facts: MailFacts) -> None:
        """What holds now."""
        overview = facts.overview
        self.server.explanation.setText(self._server_words(overview))
        self.template.explanation.setText(tr("Subject: {subject}", subject=facts.subject))
        self.trouble.words.setText(self._trouble_words(overview))
        self._told.setVisible(bool(overview.trouble) and overview.is_on)
        self.table.model.apply(facts.rows)
        self.table.setFixedHeight(min(TABLE_HEIGHT, ROW_HEIGHT * (len(facts.rows) + 1) + 4))
        self._queue.setVisible(bool(facts.rows))
        waiting = overview.counts[MailState.WAITING] + overview.counts[MailState.SENDING]
        words = [trn("{count} mail waits", "{count} mails wait", waiting)] if waiting else [tr("Nothing waits")]
        stuck = overview.counts[MailState.REFUSED] + overview.counts[MailState.DOUBTFUL]
        if stuck:
            words.append(trn("{count} needs a decision", "{count} need a decision", stuck))
        self.count.setText(" · ".join(words))
        self._show_acts()

    async def _open(self, dialog: str) -> None:
        await self._context.doors.dialogs[dialog](self._context, self._parent)

    def _server_words(self, overview: MailOverview) -> str:
        if not overview.is_set:
            return tr("None is set up: links of invitations are copied and passed on by hand.")
        words = tr("{server}, as {sender}.", server=overview.server, sender=overview.sender)
        return words if overview.is_on else f"{words} {tr('Switched off: nothing is sent.')}"

    def _trouble_words(self, overview: MailOverview) -> str:
        formats, words = self._context.formats, overview.trouble
        if overview.since is not None:
            words = f"{words} {tr('Since {time}.', time=formats.time(overview.since))}"
        if overview.next_try is not None:
            words = f"{words} {tr('Next try: {time}.', time=formats.time(overview.next_try))}"
        return words

    def _show_acts(self) -> None:
        chosen = [row for row in self.table.selected_rows() if row.is_standing]
        self.retry.setEnabled(bool(chosen))
        self.cancel.setEnabled(bool(chosen))

    async def _retry(self) -> None:
        chosen = [row for row in self.table.selected_rows() if row.is_standing]
        doubtful = [row for row in chosen if row.state is MailState.DOUBTFUL]
        if doubtful and not await ask.confirm(
            self._parent,
            self._context.theme,
            tr("Send again what may have arrived?"),
            tr("The mail server's answer was lost. These people may get the same mail once more:"),
            act=tr("Send again"),
            detail=ask.some_of([row.recipient for row in doubtful]),
        ):
            return
        if await self._each(chosen, retry_mail):
            self._context.notify("ok", tr("They are sent as soon as the line allows."))

    async def _cancel(self) -> None:
        chosen = [row for row in self.table.selected_rows() if row.is_standing]
        agreed = await ask.confirm(
            self._parent,
            self._context.theme,
            trn("Cancel {count} mail?", "Cancel {count} mails?", len(chosen)),
            tr("They are not sent. The invitations stay; their links can be copied."),
            act=tr("Cancel mails"),
            detail=ask.some_of([row.recipient for row in chosen]),
            destructive=True,
        )
        if agreed:
            await self._each(chosen, partial(cancel_mail, now=self._context.now()))

    async def _each(self, rows: list[MailRow], act: Callable[[Connection, str], None]) -> bool:
        """One transaction for all; a refusal is told, and then nothing was changed."""

        def job(connection: Connection) -> bool:
            for row in rows:
                act(connection, row.id)
            return True

        return bool(await self._context.write(job))

    def _lay_out(self) -> None:
        body = self.card.body
        self._told = QWidget()
        told = _column(self._told)
        told.setContentsMargins(0, 4, 0, 12)
        told.addWidget(self.trouble)
        body.addWidget(self._told)
        self._told.hide()
        self._queue.hide()
        queue_layout = _column(self._queue)
        queue_layout.addWidget(line())
        queue_layout.addSpacing(10)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(text_label(tr("Queue"), "strong"))
        head.addWidget(self.count)
        head.addStretch(1)
        head.addWidget(self.retry)
        head.addWidget(self.cancel)
        queue_layout.addLayout(head)
        queue_layout.addSpacing(8)
        queue_layout.addWidget(self.table)
        body.addWidget(self._queue)


class MailTable(DataTable[MailRow]):
    """The newest first."""

    def __init__(self, context: ConsoleContext) -> None:
        model = RowsModel[MailRow](_columns(context), key=lambda row: row.id)
        super().__init__(context.theme, model, tr("Mails"), multiple=True)
        model.setParent(self)


def _column(host: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(host)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    return column


def _columns(context: ConsoleContext) -> list[Column[MailRow]]:
    formats = context.formats
    return [
        Column("recipient", tr("To"), lambda row: row.recipient, tooltip=lambda row: plain_tip(row.person), width=220),
        Column("state", tr("State"), lambda row: _WORDS[row.state][1], badge=lambda row: _WORDS[row.state], width=116),
        Column(
            "tries",
            tr("Tries"),
            lambda row: f"{row.tries:,}" if row.tries else "",
            lambda row: row.tries,
            align="right",
            width=56,
            export=lambda row: row.tries,
        ),
        Column(
            "asked",
            tr("Asked for"),
            lambda row: formats.clock(row.created_at),
            lambda row: row.created_at.timestamp(),
            tooltip=lambda row: plain_tip(row.created_by),
            width=128,
            note=formats.zone_name,
            export=lambda row: formats.time(row.created_at),
        ),
        Column(
            "next",
            tr("Next try"),
            lambda row: formats.clock(row.next_try) if row.next_try is not None else "",
            lambda row: row.next_try.timestamp() if row.next_try is not None else None,
            width=128,
        ),
        Column(
            "answer",
            tr("Last answer"),
            lambda row: row.answer,
            tooltip=lambda row: plain_tip(row.answer),
            width=240,
        ),
        Column("by", tr("By"), lambda row: row.created_by, width=120, is_shown=False),
        Column("source", tr("Integration"), lambda row: row.source, width=140, is_shown=False),
    ]
