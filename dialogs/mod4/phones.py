"""The phones of one linked user and their sign-ins; a phone that is lost is trusted no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.catalogue import Catalogue
from app.deliveries.acts import Saved, end_session, revoke_phone
from app.deliveries.linked import (
    LinkedListing,
    PhoneListing,
    SessionListing,
    phones_of_user,
    sessions_of_user,
)
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.mod4.lists import badge_of, refusal_tip
from widgets.primitives import outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

SIZE_PX = (880, 560)


async def driver_phones(context: ConsoleContext, parent: QWidget, user: LinkedListing) -> None:
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    dialog = PhonesDialog(context, parent, catalogue, user)
    await dialog.refresh()
    await ask.run(dialog)


class PhonesDialog(QDialog):
    def __init__(self, context: ConsoleContext, parent: QWidget, catalogue: Catalogue, user: LinkedListing) -> None:
        super().__init__(parent)
        self._context, self._catalogue, self._user = context, catalogue, user
        theme = context.theme
        self.setWindowTitle(tr("Phones and sign-ins of {name}", name=user.label))
        self.resize(*SIZE_PX)
        phones = RowsModel[PhoneListing](_phone_columns(context), key=lambda row: row.id)
        self.phones = DataTable[PhoneListing](theme, phones, tr("Phones"))
        phones.setParent(self.phones)
        self.phones.set_empty("radio", tr("No phone yet"), tr("A phone is known once the driver has signed in on it."))
        sessions = RowsModel[SessionListing](_session_columns(context), key=lambda row: row.id)
        self.sessions = DataTable[SessionListing](theme, sessions, tr("Sign-ins"))
        sessions.setParent(self.sessions)
        self.sessions.set_empty("history", tr("Never signed in"), tr("Nothing was told of a session of this user."))
        self.revoke = outline_button(theme, tr("Trust this phone no more…"), "ban", small=True)
        self.revoke.setEnabled(False)
        self.end = outline_button(theme, tr("End this sign-in…"), "log-out", small=True)
        self.end.setEnabled(False)
        self.finish = primary_button(theme, tr("Close"))
        self._lay_out()
        self.phones.selected.connect(self._on_selected)
        self.sessions.selected.connect(lambda rows: self.end.setEnabled(bool(rows) and rows[0].stage == "open"))
        self.end.clicked.connect(lambda: context.tasks.start(self._end_session(), name="end a sign-in", owner=self))
        self.revoke.clicked.connect(lambda: context.tasks.start(self._revoke(), name="revoke a phone", owner=self))
        self.finish.clicked.connect(self.accept)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(10)
        column.addWidget(text_label(self._user.label, "heading"))
        head = QHBoxLayout()
        head.addWidget(text_label(tr("Phones"), "card-title"), 1)
        head.addWidget(self.revoke)
        column.addLayout(head)
        column.addWidget(in_card(self.phones), 2)
        below = QHBoxLayout()
        below.addWidget(text_label(tr("Sign-ins"), "card-title"), 1)
        below.addWidget(self.end)
        column.addLayout(below)
        column.addWidget(in_card(self.sessions), 3)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.finish)
        column.addLayout(row)

    async def refresh(self) -> None:
        user = self._user
        read = self._context.bridge.read
        self.phones.model.apply(await read(partial(phones_of_user, integration_id=user.integration_id, user=user.user)))
        self.sessions.model.apply(
            await read(partial(sessions_of_user, integration_id=user.integration_id, user=user.user))
        )

    def _on_selected(self, rows: list[PhoneListing]) -> None:
        self.revoke.setEnabled(bool(rows) and rows[0].stage != "revoked")

    async def _revoke(self) -> None:
        phone = self.phones.selected_rows()[0]
        name = phone.name or phone.device
        title = tr("Trust {phone} of {name} no more?", phone=name, name=self._user.label)
        text = tr("The driver app asks for a new sign-in on it. Saved here, and sent when the platform can be reached.")
        theme = self._context.theme
        if not await ask.confirm(self, theme, title, text, act=tr("Revoke"), destructive=True):
            return
        await self._save(partial(revoke_phone, device_id=phone.id), name)

    async def _end_session(self) -> None:
        session = self.sessions.selected_rows()[0]
        title = tr("End the sign-in of {name}?", name=self._user.label)
        text = tr(
            "The driver counts as available then and has to sign in again. Saved here, and sent when the platform can "
            "be reached."
        )
        theme = self._context.theme
        if not await ask.confirm(self, theme, title, text, act=tr("End the sign-in"), destructive=True):
            return
        await self._save(partial(end_session, session_id=session.id), tr("the sign-in"))

    async def _save(self, job: Callable[..., Saved], what: str) -> None:
        """The change is saved here, and said to be; the lists show it as what waits."""
        if await self._context.write(partial(job, catalogue=self._catalogue, now=self._context.now())) is not None:
            self._context.notify("ok", tr("{what}: saved here.", what=what[:1].upper() + what[1:]))
            await self.refresh()


def _phone_columns(context: ConsoleContext) -> list[Column[PhoneListing]]:
    formats = context.formats
    return [
        Column("name", tr("Phone"), lambda row: row.name or row.device, width=200),
        Column("state", tr("State"), lambda row: badge_of(row.stage, row.pending, row.refusal)[1],
               badge=lambda row: badge_of(row.stage, row.pending, row.refusal),
               tooltip=lambda row: refusal_tip(row.refusal), width=170),
        Column("platform", tr("System"), lambda row: row.platform, width=80),
        Column("seen", tr("Last seen"), lambda row: formats.clock(row.seen_ms), lambda row: -(row.seen_ms or 0),
               width=130, note=formats.zone_name),
        Column("since", tr("Registered"), lambda row: formats.clock(row.registered_ms), width=130),
    ]  # fmt: skip


def _session_columns(context: ConsoleContext) -> list[Column[SessionListing]]:
    formats = context.formats
    return [
        Column("started", tr("Signed in"), lambda row: formats.clock(row.started_ms), lambda row: -row.started_ms,
               width=130, note=formats.zone_name),
        Column("state", tr("State"), lambda row: badge_of(row.stage, row.pending, row.refusal)[1],
               badge=lambda row: badge_of(row.stage, row.pending, row.refusal),
               tooltip=lambda row: refusal_tip(row.refusal), width=160),
        Column("active", tr("Last sign of life"), lambda row: formats.clock(row.active_ms), width=140),
        Column("ended", tr("Ended"), lambda row: formats.clock(row.ended_ms) if row.ended_ms else "", width=130),
        Column("why", tr("Why"), lambda row: row.end_reason.replace("_", " "), width=130),
        Column("device", tr("Phone"), lambda row: row.device, width=120),
    ]  # fmt: skip
