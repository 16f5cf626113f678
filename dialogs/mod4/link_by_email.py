"""Link User by Email (biko.md 2.2): an address, checked while it is typed, saved here as an invitation."""

from __future__ import annotations

import asyncio
from functools import partial

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.catalogue import Catalogue
from app.deliveries.acts import Saved, clean_address, invite
from app.deliveries.errors import DeliveryError
from app.errors import OperatorError
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import outline_button, primary_button, text_label

WIDTH_PX = 420


async def link_by_email(context: ConsoleContext, parent: QWidget, platform: str) -> Saved | None:
    """Ask for an address and invite it at a platform; None when cancelled."""
    catalogue = await asyncio.to_thread(lambda: context.services.catalogue)
    dialog = LinkByEmailDialog(context, parent, catalogue, platform)
    if not await ask.run(dialog) or dialog.saved is None:
        return None
    context.notify("ok", tr("{subject}: saved here. {hint}", subject=dialog.saved.subject, hint=dialog.saved.hint))
    return dialog.saved


class LinkByEmailDialog(QDialog):
    """Accepted once the invitation is saved here; what stands against it is said under the field."""

    def __init__(self, context: ConsoleContext, parent: QWidget, catalogue: Catalogue, platform: str) -> None:
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
        job = partial(
            invite,
            catalogue=self._catalogue,
            integration_id=self._platform,
            email=self.email.text(),
            now=self._context.now(),
        )
        try:
            self.saved = await self._context.bridge.write(job)
        except OperatorError as err:
            self._say(err.why)
            self.send.setEnabled(True)
            return
        self.accept()
