"""A story of mail in the window: a server is entered and tried, and an invitation goes out by it with its link."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QSpinBox

from adapters.mod4.desk import token_text
from adapters.mod4.simulator import Platform
from dialogs.mail_server import MailServerDialog
from dialogs.mod4.link_by_email import LinkByEmailDialog
from main import Console
from tests.features.windows.test_window_mod4 import NEW, WAIT_S, click, rows, tab_over
from tests.helpers.mail_server import PASSWORD, USER, MailServer, serve_mail
from tests.helpers.qt import open_dialog, until
from tests.helpers.window import asked, console_on
from widgets.ask import _Question
from widgets.settings.page import SettingsPage


def editor(dialog: MailServerDialog, field: str) -> QLineEdit:
    row = dialog.form.row(field)
    assert row is not None
    found = row.editor if isinstance(row.editor, QLineEdit) else row.editor.findChild(QLineEdit)
    assert found is not None
    return found


def write(dialog: MailServerDialog, field: str, text: str) -> None:
    line = editor(dialog, field)
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)


async def set_up(console: Console, server: MailServer) -> None:
    """The server by typing; its certificate is its own, so it is pinned after the first try has shown it."""
    console.window.open_page("settings")
    page = console.window.page
    assert isinstance(page, SettingsPage)
    await until(lambda: page.is_ready)
    click(page.mail.set_up)
    dialog = await asked(MailServerDialog)
    for field, text in (("host", "127.0.0.1"), ("username", USER), ("password", PASSWORD), ("sender", USER)):
        write(dialog, field, text)
    port = dialog.form.row("port")
    assert port is not None
    spin = port.editor if isinstance(port.editor, QSpinBox) else port.editor.findChild(QSpinBox)
    assert isinstance(spin, QSpinBox)
    spin.setValue(server.port)
    click(dialog.test)
    await until(lambda: not dialog.is_testing and not dialog.pin.isHidden(), WAIT_S)
    click(dialog.pin)
    question = await asked(_Question)
    assert (
        server.certificate.fingerprint.replace(":", "").lower() in " ".join(question.labels()).replace(":", "").lower()
    )
    click(question.act)
    await until(lambda: len(server.postman.mails) == 1 and not dialog.is_testing, WAIT_S)
    click(dialog.save)
    await until(lambda: open_dialog() is None)
    await until(lambda: "127.0.0.1" in page.mail.server.explanation.text())


async def test_an_invitation_goes_out_by_mail_with_its_link(tmp_path: Path, repaired: Platform) -> None:
    with serve_mail(tmp_path) as server:
        async with console_on(tmp_path / "data", page="integrations") as console:
            await set_up(console, server)
            console.window.open_page("integrations")
            tab = await tab_over(console, repaired)
            click(tab.link_button)
            dialog = await asked(LinkByEmailDialog)
            assert dialog.by_mail.isChecked()
            QTest.keyClicks(dialog.email, NEW)
            click(dialog.send)
            await until(lambda: open_dialog() is None)
            await until(lambda: len(server.postman.mails) == 2, WAIT_S)
        mail = server.postman.mails[1]
    assert mail["To"] == NEW
    ((token,),) = await rows(repaired, "SELECT invitation_token FROM user_invitations WHERE email = %s", NEW)
    assert token_text(str(token)) in mail.get_content()


async def test_without_a_mail_server_the_dialog_says_how_to_set_one_up(tmp_path: Path, repaired: Platform) -> None:
    async with console_on(tmp_path / "data", page="integrations") as console:
        tab = await tab_over(console, repaired)
        click(tab.link_button)
        dialog = await asked(LinkByEmailDialog)
        assert not dialog.by_mail.isEnabled()
        assert "Settings, Mail" in dialog.no_mail.text()
        click(dialog.cancel)
        await until(lambda: open_dialog() is None)
        await asyncio.sleep(0)
