"""What the operator does on the tab: asked where it must be, saved here, and told once it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from sqlalchemy import Connection

from adapters.errors import AdapterError
from app.catalogue import Catalogue
from app.deliveries import acts
from app.deliveries.codes import CodeListing, RequestListing
from app.deliveries.invitations import InvitationListing
from app.deliveries.linked import LinkedListing
from app.deliveries.offers import offers_of
from app.deliveries.platforms import run_action
from app.errors import OperatorError
from app.mail.queue import mail_invitation
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext

CLEAR_MS = 60_000
"""So long a code or a link stays in the clipboard."""


class SetupActs(QObject):
    """One object of the tab; ``parent`` is what dialogs stand over."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._parent = parent

    async def catalogue(self) -> Catalogue:
        return await asyncio.to_thread(lambda: self._context.services.catalogue)

    # Linking

    async def link_by_email(self, platform: str) -> bool:
        return bool(await self._context.doors.dialogs["link_by_email"](self._context, self._parent, platform))

    async def one_time_code(self, platform: str, email: str = "") -> None:
        await self._context.doors.dialogs["one_time_code"](self._context, self._parent, platform, email)

    # Invitations

    async def copy_link(self, row: InvitationListing) -> None:
        """The link into the clipboard for a minute; it is a key, so it is shown and kept nowhere."""
        made = await ask_platform(self._context, row.integration_id, "invitation_link", {"invitation": row.peer_id})
        if made is not None:
            lend_to_clipboard(made.link)
            self._context.notify("ok", tr("The link of {email} is in the clipboard for a minute.", email=row.email))

    async def mail(self, row: InvitationListing) -> None:
        """The link by mail: it waits in the queue of mails until the mail server has taken it."""
        job = partial(mail_invitation, invitation_id=row.id, now=self._context.now())
        if await self._context.write(job) is not None:
            self._context.notify("ok", tr("The mail to {email} waits to be sent.", email=row.email))

    async def resend(self, row: InvitationListing) -> bool:
        return await self._do(partial(acts.resend_invitation, invitation_id=row.id))

    async def revoke_invitation(self, row: InvitationListing) -> bool:
        title = tr("Revoke the invitation of {email}?", email=row.email)
        return await self._confirmed(
            title, "invitation", row.id, "revoked", tr("Revoke"), partial(acts.revoke_invitation, invitation_id=row.id)
        )

    # Linked users

    async def suspend(self, row: LinkedListing) -> bool:
        return await self._set_link(row, "suspended", tr("Suspend {name}?", name=row.label), tr("Suspend"))

    async def revoke_link(self, row: LinkedListing) -> bool:
        return await self._set_link(row, "revoked", tr("Revoke {name}?", name=row.label), tr("Revoke"))

    async def activate(self, row: LinkedListing) -> bool:
        return await self._set_link(row, "active", tr("Re-activate {name}?", name=row.label), tr("Re-activate"))

    async def _set_link(self, row: LinkedListing, stage: str, title: str, act: str) -> bool:
        job = partial(acts.set_link, link_id=row.id, stage=stage)
        detail = f"{row.label}\n{row.email}" if row.email else row.label
        return await self._confirmed(title, "driver_link", row.id, stage, act, job, detail)

    async def phones(self, row: LinkedListing) -> None:
        await self._context.doors.dialogs["driver_phones"](self._context, self._parent, row)

    async def code_for_user(self, row: LinkedListing) -> None:
        await self.one_time_code(row.integration_id, row.email)

    async def end_code(self, row: CodeListing) -> None:
        """End a pending code at the platform; it needs the line."""
        title = tr("End the code of {email}?", email=row.email)
        text = tr("Whoever was told it cannot sign in with it any more.")
        theme = self._context.theme
        if not await ask.confirm(self._parent, theme, title, text, act=tr("End the code"), destructive=True):
            return
        done = await ask_platform(self._context, row.integration_id, "expire_code", {"code": row.peer_id})
        if done is not None:
            told = tr("The code of {email} has ended.") if done.was_pending else tr("It had ended already: {email}.")
            self._context.notify("ok", told.format(email=row.email))

    # Requests

    async def approve(self, row: RequestListing) -> bool:
        """Approve with notes; where an address is known, straight on to a code for it."""
        saved = await self._decide(row, acts.approve_request, tr("Approve {name}", name=row.name), tr("Approve"))
        if saved is None:
            return False
        if saved.code_for:
            await self.one_time_code(row.integration_id, saved.code_for)
        return True

    async def reject(self, row: RequestListing) -> bool:
        saved = await self._decide(row, acts.reject_request, tr("Reject {name}", name=row.name), tr("Reject"))
        return saved is not None

    async def _decide(
        self, row: RequestListing, act: Callable[..., acts.Saved], title: str, verb: str
    ) -> acts.Saved | None:
        label = tr("Notes for whoever looks later (may be empty)")
        notes = await ask.text(self._parent, self._context.theme, title, label, act=verb)
        if notes is None:
            return None
        return await self._save(partial(act, request_id=row.id, notes=notes))

    # Saving

    async def _confirmed(
        self,
        title: str,
        record: str,
        record_id: str,
        stage: str,
        act: str,
        job: Callable[..., acts.Saved],
        detail: str = "",
    ) -> bool:
        """Ask, naming whom it touches and what else it does there, then save it."""
        effect, hindrance = await self._effect(record, record_id, stage)
        if hindrance:
            self._context.notify("warn", hindrance)
            return False
        text = effect or tr("It is saved here and sent when the platform can be reached.")
        theme, is_severe = self._context.theme, stage == "revoked"
        if not await ask.confirm(self._parent, theme, title, text, act=act, detail=detail, destructive=is_severe):
            return False
        return await self._do(job)

    async def _effect(self, record: str, record_id: str, stage: str) -> tuple[str, str]:
        catalogue = await self.catalogue()

        def look(connection: Connection) -> tuple[str, str]:
            offers = offers_of(connection, catalogue, record, [record_id]).get(record_id)
            if offers is None:
                return "", tr("It does not exist any more.")
            mine = next((one for one in offers.acts if one.values.get("stage") == stage), None)
            if mine is None:
                return "", offers.reason or tr("The platform does not allow this now.")
            return mine.effect, mine.hindrance

        return await self._context.bridge.read(look)

    async def _do(self, job: Callable[..., acts.Saved]) -> bool:
        return await self._save(job) is not None

    async def _save(self, job: Callable[..., acts.Saved]) -> acts.Saved | None:
        catalogue = await self.catalogue()
        now = self._context.now()
        saved = await self._context.write(lambda connection: job(connection, catalogue, now=now))
        if saved is not None:
            told = tr("{subject}: saved here.", subject=saved.subject)
            self._context.notify("ok", f"{told} {saved.hint}".strip())
        return saved


async def ask_platform(
    context: ConsoleContext, platform: str, action: str, parameters: Mapping[str, str]
) -> Any | None:
    """An act that is done at once; why it was not is told, and gives None."""
    services = context.services
    try:
        desk = await asyncio.to_thread(lambda: services.desk)
        return await run_action(desk, platform, action, parameters, services.clock)
    except (AdapterError, OperatorError) as err:
        context.notify("error", str(getattr(err, "why", err)))
        return None


def lend_to_clipboard(secret: str) -> None:
    """Put a secret into the clipboard for a minute, or until the console ends; what was copied meanwhile stays."""
    clipboard = QGuiApplication.clipboard()
    clipboard.setText(secret)
    app = QCoreApplication.instance()
    timer = QTimer(clipboard, singleShot=True, interval=CLEAR_MS)

    def clear() -> None:
        if clipboard.text() == secret:
            clipboard.clear()

    def end() -> None:
        clear()
        timer.deleteLater()
        if app is not None:
            app.aboutToQuit.disconnect(clear)

    timer.timeout.connect(end)
    if app is not None:
        app.aboutToQuit.connect(clear)
    timer.start()
