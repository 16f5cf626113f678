"""Link User by Email (biko.md 2.2): an address, checked while it is typed, saved here as an invitation."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from sqlalchemy import Connection

from app.catalogue import Catalogue
from app.deliveries.acts import Saved, clean_address, invite
from app.deliveries.errors import DeliveryError
from app.errors import OperatorError
from app.mail.queue import mail_hindrance, mail_invitation
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import exact_height, outline_button, primary_button, text_label

WIDTH_PX = 420


async def link_by_email(context: ConsoleContext, parent: QWidget, platform: str) -> Saved | None:
    """Ask for an address and invite it at a platform; None when cancelled."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    no_mail = await context.bridge.read(mail_hindrance)
    dialog = LinkByEmailDialog(context, parent, catalogue, platform, no_mail)
    if not await ask.run(dialog) or dialog.saved is None:
        return None
    context.notify("ok", tr("{subject}: saved here. {hint}", subject=dialog.saved.subject, hint=dialog.saved.hint))
    return dialog.saved


class LinkByEmailDialog(QDialog):
    """Accepted once the invitation is saved here; what stands against it is said under the field."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, catalogue: Catalogue, platform: str, no_mail: str
    ) -> None:
        """``no_mail`` is why the link cannot be mailed, "" where it can."""
        super().__init__(parent)
        self._context, self._catalogue, self._platform = context, catalogue, platform
        self.saved: Saved | None = None
        theme = context.theme
        self.setWindowTitle(tr("Link User by Email"))
        self.setFixedWidth(WIDTH_PX)
        self.email = QLineEdit()
        self.email.setAccessibleName(tr("Email Address"))
        self.email.setPlaceholderText("driver@example.org")
        self.email.setMaxLength(320)
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.by_mail = QCheckBox(tr("Mail the link once the platform has it"))
        self.by_mail.setChecked(not no_mail)
        self.by_mail.setEnabled(not no_mail)
        self.no_mail = exact_height(text_label(no_mail, "small", wrap=True))
        self.no_mail.setVisible(bool(no_mail))
        self.send = primary_button(theme, tr("Send Invitation"), "mail")
        self.cancel = outline_button(theme, tr("Cancel"))
        self._lay_out()
        self.email.textChanged.connect(self._on_typed)
        self.send.clicked.connect(self._start)
        self.cancel.clicked.connect(self.reject)
        self.send.setDefault(True)
        self._on_typed()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN, ask.DIALOG_MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Link User by Email"), "heading"))
        words = tr(
            "The address is invited with the role driver. The invitation is saved here at once and made at the "
            "platform as soon as that can be reached; its link can be copied then."
        )
        column.addWidget(text_label(words, "muted", wrap=True))
        column.addWidget(text_label(tr("Email Address"), "strong"))
        column.addWidget(self.email)
        column.addWidget(self.problem)
        column.addWidget(self.by_mail)
        column.addWidget(self.no_mail)
        column.addSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.send)
        column.addLayout(row)

    def _on_typed(self) -> None:
        """A half-typed address is no mistake yet: it is only said where it cannot become right."""
        text = self.email.text()
        try:
            clean_address(text)
        except DeliveryError as err:
            self.send.setEnabled(False)
            is_whole = "@" in text and "." in text.partition("@")[2]
            self._say(err.why if is_whole or " " in text.strip() else "")
        else:
            self.send.setEnabled(True)
            self._say("")

    def _say(self, why: str) -> None:
        self.problem.setText(why)
        self.problem.setVisible(bool(why))
        self.adjustSize()

    def _start(self) -> None:
        self._context.tasks.start(self._save(), name="link by e-mail", owner=self)

    async def _save(self) -> None:
        self.send.setEnabled(False)
        now, is_mailed = self._context.now(), self.by_mail.isChecked()

        def job(connection: Connection) -> Saved:
            saved = invite(connection, self._catalogue, self._platform, self.email.text(), now=now)
            if not is_mailed:
                return saved
            mail_invitation(connection, outbox_id=saved.outbox_id, now=now)
            return replace(saved, hint=tr("It waits in the outbox. The link is mailed once the platform has it."))

        try:
            self.saved = await self._context.bridge.write(job)
        except OperatorError as err:
            self._say(err.why)
            self.send.setEnabled(True)
            return
        self.accept()
