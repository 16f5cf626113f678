"""The mail server of invitations: how to reach it, tried with a real mail before or after it is saved."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from adapters.base import CheckStep, settings_form
from adapters.errors import AdapterError
from app.clock import from_ms
from app.errors import OperatorError
from app.integrations import CheckReport, SettingsRefused
from app.mail.check import send_test_mail
from app.mail.settings import MailSettings, get_mail_settings, save_mail_settings, stored_password
from dialogs.check_steps import CheckSteps
from dialogs.pinning import agreed_to_pin
from dialogs.settings_fields import FormTools
from dialogs.settings_form import CONNECTION, SYNC, SettingsForm
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import Banner, exact_height, labelled, outline_button, primary_button, text_label

WIDTH, HEIGHT = 640, 720


@dataclass(frozen=True, slots=True)
class _Saved:
    config: Mapping[str, Any]
    has_password: bool
    kept_where: str


async def mail_server(context: ConsoleContext, parent: QWidget) -> bool:
    """Open the dialog; True when something was saved."""
    try:
        saved = await asyncio.to_thread(_read, context)
    except OperatorError as err:
        await ask.tell(parent, context.theme, tr("The mail settings cannot be opened"), err.why)
        return False
    return await ask.run(MailServerDialog(context, saved, parent))


def _read(context: ConsoleContext) -> _Saved:
    vault = context.services.vault
    with context.services.store.read() as connection:
        saved = get_mail_settings(connection)
    config = {"enabled": True} if saved is None else saved.as_row()
    return _Saved(config, bool(stored_password(vault)), vault.describe())


class MailServerDialog(QDialog):
    """Testing sends a mail with what is entered, saved or not."""

    step_seen = Signal(object)

    def __init__(self, context: ConsoleContext, saved: _Saved, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._is_closed = False
        self._proposal = ""
        self.is_testing = False
        theme = context.theme
        self.setWindowTitle(tr("Mail server"))
        self.form = SettingsForm(
            settings_form(MailSettings),
            FormTools(theme, self._spawn, None),
            self._on_edited,
            name="",
            config=saved.config,
            stored=frozenset({"password"} if saved.has_password else ()),
            is_named=False,
        )
        self.recipient = QLineEdit()
        self.problem = Banner(theme, "error", "")
        exact_height(self.problem.words)
        self.steps = CheckSteps(theme)
        self.pin = outline_button(theme, tr("Pin this certificate…"), "shield-check", small=True)
        self.test = outline_button(theme, tr("Send test mail"), "mail")
        self.cancel = outline_button(theme, tr("Cancel"))
        self.save = primary_button(theme, tr("Save"))
        self.save.setDefault(True)
        self._lay_out(saved.kept_where)
        for widget in (self.problem, self.steps, self.pin):
            widget.hide()
        self.step_seen.connect(self._on_step_seen)
        self.test.clicked.connect(self._start_test)
        self.cancel.clicked.connect(self.reject)
        self.save.clicked.connect(lambda: self._spawn(self._save(), "save"))
        self.pin.clicked.connect(lambda: self._spawn(self._pin_proposal(), "pin"))
        self.form.focus_first()

    # -- testing --------------------------------------------------------------------------------------------------

    def _start_test(self) -> None:
        if not self.is_testing:
            self._spawn(self._test(), "test")

    async def _test(self) -> None:
        self._clear_words()
        self.steps.begin()
        self.steps.show()
        self._set_testing(on=True)
        try:
            report = await asyncio.to_thread(self._try_out, self.form.values(), self.form.secrets())
        except OperatorError as err:
            self.steps.hide()
            self._show_problem(err.why)
            return
        finally:
            self._set_testing(on=False)
        self._show_report(report)

    def _try_out(self, values: Mapping[str, Any], secrets: Mapping[str, str]) -> CheckReport:
        """Off the UI thread; each layer comes back through a queued signal. Raises VaultError."""
        services = self._context.services
        password = secrets.get("password") or (stored_password(services.vault) if values.get("username") else "")
        now = from_ms(services.clock.now_ms())
        return send_test_mail(values, password, self.recipient.text().strip(), now, self._tell_step)

    def _tell_step(self, step: CheckStep) -> None:
        if not self._is_closed:
            self.step_seen.emit(step)

    def _on_step_seen(self, step: CheckStep) -> None:
        if self.is_testing:
            self.steps.add(step)

    def _show_report(self, report: CheckReport) -> None:
        self.steps.finish(report)
        if report.faults:
            self._show_problem(self.form.show_faults(report.faults))
        elif report.error is not None:
            self._show_error(report.error)

    def _show_error(self, error: AdapterError) -> None:
        """The steps say what failed; the entry that can mend it says it too."""
        row = self.form.row(error.field) if error.field else None
        if row is not None:
            row.show_error(error.why)
            self.form.focus_first_error()
        self._proposal = error.proposal
        self.pin.setVisible(bool(self._proposal))

    async def _pin_proposal(self) -> None:
        row = self.form.row("fingerprint")
        if await agreed_to_pin(self, self._context.theme, self._proposal) and row is not None:
            row.editor.set_value(self._proposal)
            self._start_test()

    # -- saving ---------------------------------------------------------------------------------------------------

    async def _save(self) -> None:
        self._clear_words()
        services = self._context.services
        values, secrets = self.form.values(), self.form.secrets()
        try:
            saved = await asyncio.to_thread(lambda: save_mail_settings(services.store, services.vault, values, secrets))
        except SettingsRefused as err:
            self._show_problem(self.form.show_faults(err.faults))
        except OperatorError as err:
            self._show_problem(err.why)
        else:
            on = saved.settings.enabled
            self._context.notify(
                "ok", tr("Saved. The engine sends mail by it.") if on else tr("Saved. Mail is switched off.")
            )
            self.accept()

    # -- showing --------------------------------------------------------------------------------------------------

    def _on_edited(self) -> None:
        self._show_problem("")
        self.pin.hide()
        if not self.steps.isHidden() and not self.is_testing:
            self.steps.stop(tr("Changed since this test."))

    def _clear_words(self) -> None:
        self.form.clear_errors()
        self._show_problem("")
        self.pin.hide()

    def _show_problem(self, words: str) -> None:
        self.problem.words.setText(words)
        self.problem.setVisible(bool(words))

    def _set_testing(self, *, on: bool) -> None:
        self.is_testing = on
        if not self._is_closed:
            self.test.setEnabled(not on)
            self.save.setEnabled(not on)
            self.test.setText(tr("Sending…") if on else tr("Send test mail"))

    def done(self, result: int) -> None:
        """What a test would still say has nobody to read it."""
        self._is_closed = True
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._context.tasks.start(coroutine, name=f"mail server: {name}", owner=self)

    def _lay_out(self, kept_where: str) -> None:
        column = QVBoxLayout(self)
        margin = ask.DIALOG_MARGIN
        column.setContentsMargins(margin, margin, margin, 20)
        column.setSpacing(14)
        column.addWidget(text_label(tr("Mail server"), "heading"))
        column.addWidget(
            exact_height(
                text_label(tr("Invitations to drivers can be mailed by the depot's own server."), "muted", wrap=True)
            )
        )
        column.addWidget(self.problem)
        column.addWidget(self.form.areas[CONNECTION], 1)
        self.form.columns[CONNECTION].addWidget(exact_height(text_label(kept_where, "small", wrap=True)))
        self.form.areas[SYNC].setParent(self)
        self.form.areas[SYNC].hide()
        pinning = QHBoxLayout()
        pinning.addWidget(self.pin)
        pinning.addStretch(1)
        self.steps.body.addLayout(pinning)
        column.addWidget(self.steps)
        labelled(self.recipient, tr("Send the test mail to"))
        self.recipient.setPlaceholderText(tr("Test mail to: the sender itself"))
        self.recipient.setMaxLength(320)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.recipient, 1)
        for button in (self.test, self.cancel, self.save):
            buttons.addWidget(button)
        column.addLayout(buttons)
        parent = self.parentWidget()
        most = HEIGHT if parent is None else round(parent.window().height() * 0.9)
        self.resize(WIDTH, min(HEIGHT, most))
