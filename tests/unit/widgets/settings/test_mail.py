"""Mail on the settings page, by hand: a server is entered and tried, a template is edited, mails are decided on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from sqlalchemy import Connection, Update, update

from app.clock import from_ms
from app.mail.listing import list_mails
from app.mail.queue import mail_invitation
from app.mail.settings import get_mail_settings, save_mail_settings, stored_password
from app.mail.templates import DEFAULT, get_template
from app.mail.trouble import Trouble, note_trouble
from app.mail.words import MailState
from app.store.tables import InvitationRow, MailMessage
from dialogs.doors import dialogs
from dialogs.mail_server import MailServerDialog
from dialogs.mail_template import MailTemplateDialog
from tests.helpers.dispatch import Depot, an_invitation
from tests.helpers.fleet import T0_MS
from tests.helpers.mail_server import PASSWORD, USER, MailServer, serve_mail
from tests.helpers.qt import Console, open_dialog, until
from widgets.settings.page import SettingsPage

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    with serve_mail(tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def page(console: Console) -> AsyncIterator[SettingsPage]:
    console.context.doors.dialogs = dialogs()
    made = SettingsPage(console.context)
    made.resize(1000, 1200)
    made.show()
    await until(lambda: made.is_ready)
    yield made
    made.hide()
    made.close_page()
    made.deleteLater()


async def dialog_of(kind: type[Any]) -> Any:
    await until(lambda: isinstance(open_dialog(), kind))
    return open_dialog()


def enter(dialog: MailServerDialog, field: str, text: str) -> None:
    row = dialog.form.row(field)
    assert row is not None
    box = row.editor.input
    box.setFocus()
    select_all: Any = getattr(box, "selectAll", None)
    if select_all is not None:
        select_all()
    QTest.keyClicks(box, text)


def press(dialog: Any, words: str) -> None:
    (found,) = [one for one in dialog.findChildren(QPushButton) if one.text() == words and one.isVisible()]
    QTest.mouseClick(found, LEFT)


async def test_a_server_is_entered_pinned_tried_and_saved(
    page: SettingsPage, console: Console, server: MailServer
) -> None:
    assert "None is set up" in page.mail.server.explanation.text()
    QTest.mouseClick(page.mail.set_up, LEFT)
    dialog = await dialog_of(MailServerDialog)
    for field, text in (("host", "127.0.0.1"), ("port", str(server.port)), ("username", USER), ("sender", USER)):
        enter(dialog, field, text)
    enter(dialog, "password", "wrong-password")
    QTest.mouseClick(dialog.test, LEFT)
    await until(lambda: dialog.steps.verdict.text() == "Connection failed")
    assert [state for state, _detail in dialog.steps.lines()] == ["ok", "ok", "failed"]
    press(dialog, "Pin this certificate…")
    await until(lambda: open_dialog() is not None and len(page_dialogs()) == 2)
    press(next(one for one in page_dialogs() if one is not dialog), "It is the same: pin it")
    await until(lambda: "refuses user name or password" in dialog.steps.lines()[-1][1] and not dialog.is_testing)
    enter(dialog, "password", PASSWORD)
    QTest.mouseClick(dialog.test, LEFT)
    await until(lambda: bool(server.postman.taken) and not dialog.is_testing)
    assert dialog.steps.verdict.text().startswith("Connection successful")
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)
    saved = await console.context.bridge.read(get_mail_settings)
    assert saved is not None
    assert (saved.settings.enabled, saved.settings.port, saved.settings.username) == (True, server.port, USER)
    assert stored_password(console.context.services.vault) == PASSWORD
    await until(lambda: page.mail.server.explanation.text() == f"127.0.0.1:{server.port}, as {USER}.")


def page_dialogs() -> list[Any]:
    from PySide6.QtWidgets import QApplication, QDialog

    return [one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]


async def test_what_cannot_be_right_stays_in_the_dialog(page: SettingsPage, console: Console) -> None:
    QTest.mouseClick(page.mail.set_up, LEFT)
    dialog = await dialog_of(MailServerDialog)
    enter(dialog, "host", "smtp.example.org")
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: bool(dialog.form.row("sender").error_text))
    QTest.mouseClick(dialog.test, LEFT)
    await until(lambda: dialog.steps.verdict.text().startswith("Not tested"))
    QTest.mouseClick(dialog.cancel, LEFT)
    await until(lambda: open_dialog() is None)
    assert await console.context.bridge.read(get_mail_settings) is None


async def test_a_template_is_edited_with_its_preview(page: SettingsPage, console: Console) -> None:
    QTest.mouseClick(page.mail.edit, LEFT)
    dialog = await dialog_of(MailTemplateDialog)
    assert "https://drivers.example.org/invite/EXAMPLE" in dialog.shown_body.text()
    dialog.subject.setFocus()
    dialog.subject.selectAll()
    QTest.keyClicks(dialog.subject, "Welcome {nobody}")
    assert "There is no placeholder {nobody}" in dialog.problem.text()
    assert not dialog.save.isEnabled()
    dialog.subject.selectAll()
    QTest.keyClicks(dialog.subject, "Welcome {person}")
    dialog.body.setFocus()
    dialog.body.selectAll()
    QTest.keyClicks(dialog.body, "Open this: ")
    assert "needs {link}" in dialog.problem.text()
    QTest.mouseClick(dialog.chips["link"], LEFT)
    assert (dialog.problem.text(), dialog.shown_subject.text()) == ("", "Welcome Musa Bello")
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)
    saved = await console.context.bridge.read(get_template)
    assert (saved.subject, saved.body) == ("Welcome {person}", "Open this: {link}\n")
    await until(lambda: page.mail.template.explanation.text() == "Subject: Welcome {person}")
    QTest.mouseClick(page.mail.edit, LEFT)
    dialog = await dialog_of(MailTemplateDialog)
    QTest.mouseClick(dialog.default, LEFT)
    assert dialog.entered() == DEFAULT
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: open_dialog() is None)


async def test_the_queue_shows_what_waits_and_takes_decisions(page: SettingsPage, console: Console) -> None:
    await asyncio.to_thread(fill_queue, console)
    card = page.mail
    await until(lambda: len(card.table.model.rows) == 3)
    await until(lambda: card.count.text() == "1 mail waits · 1 needs a decision")
    await until(lambda: "nothing listens" in card.trouble.words.text())
    assert not card.retry.isEnabled()
    doubtful = next(row for row in card.table.model.rows if row.state is MailState.DOUBTFUL)
    card.table.select_key(doubtful.id)
    QTest.mouseClick(card.retry, LEFT)
    await until(lambda: open_dialog() is not None)
    press(open_dialog(), "Send again")
    await until(lambda: card.count.text() == "2 mails wait")
    card.table.select_key(doubtful.id)
    QTest.mouseClick(card.cancel, LEFT)
    await until(lambda: open_dialog() is not None)
    press(open_dialog(), "Cancel mails")
    await until(lambda: card.count.text() == "1 mail waits")
    rows = await console.context.bridge.read(list_mails)
    assert {row.id: row.state for row in rows}[doubtful.id] is MailState.CANCELLED


def _run(connection: Connection, statement: Update) -> None:
    connection.execute(statement)


def fill_queue(console: Console) -> None:
    """One that waits, one in doubt, one that was sent; and a line that is down."""
    depot = Depot(console.store)
    values = {"enabled": True, "host": "smtp.example.org", "sender": USER, "sender_name": "Kano Depot"}
    save_mail_settings(console.store, console.context.services.vault, values)
    ids = []
    for name in ("hope", "aisha", "musa"):
        depot.arrive(an_invitation(f"inv-{name}", email=f"{name}@example.org", expires_ms=T0_MS + 10**12))
        row_id = depot.id_of(InvitationRow, f"inv-{name}")
        ids.append(depot.write(partial(mail_invitation, invitation_id=row_id, now=from_ms(T0_MS))))
    for mail_id, state, answer in (
        (ids[1], MailState.DOUBTFUL, "The mail server broke off after the mail was handed over. It may have arrived."),
        (ids[2], MailState.SENT, "“250 2.0.0 queued as 4711”."),
    ):
        change = {"state": state, "tries": 1, "last_answer": answer, "ended_at": from_ms(T0_MS)}
        statement = update(MailMessage).where(MailMessage.id == mail_id).values(change)
        depot.write(partial(_run, statement=statement))
    why = "The connection to the mail server was refused: nothing listens there. Check the port."
    trouble = Trouble(why, T0_MS, T0_MS + 60_000, 4, 1)
    depot.write(lambda c: note_trouble(c, trouble, T0_MS))
