"""Stories of a dispatcher in Mod4 Setup: drivers are linked by clicking, and the platform's own rows say so.

The whole console with its engine stands over a real platform's PostgreSQL, as its scripts leave it and repaired.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QDialog, QLineEdit
from sqlalchemy import select

from adapters.mod4.simulator import Platform
from app.engine.facts import read_facts
from app.store.columns import Base
from dialogs.mod4.link_by_email import LinkByEmailDialog
from dialogs.mod4.one_time_code import OneTimeCodeDialog
from dialogs.mod4.phones import PhonesDialog
from main import Console
from tests.helpers.qt import ExpectedLogs, open_dialog, until
from tests.helpers.window import add_mod4, asked, console_on
from widgets.ask import _Question
from widgets.integrations.page import SETUP, IntegrationsPage
from widgets.mod4.tab import Mod4Tab

LEFT = Qt.MouseButton.LeftButton
WAIT_S = 60.0
NEW = "new.driver@example.org"


def click(button: QAbstractButton) -> None:
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)


def line_of(dialog: QDialog) -> QLineEdit:
    found: QLineEdit | None = dialog.findChild(QLineEdit)
    assert found is not None
    return found


async def tab_over(
    console: Console, platform: Platform, reached: Mapping[str, str] | None = None, secrets: Any = None
) -> Mod4Tab:
    """The tab, once the engine has read the platform's people: over its database, or as ``reached`` says."""
    more = {"changes": True, "app_url": "https://drivers.example.org"}
    await add_mod4(console, platform, reached, secrets, **more)
    page = console.window.page
    assert isinstance(page, IntegrationsPage)
    await until(lambda: page.overview is not None and page.overview.rows, WAIT_S)
    click(page.tabs.button(SETUP))
    tab = page.setup
    await until(lambda: tab.linked.table.model.rows and tab.code_button.isEnabled(), WAIT_S)
    return tab


async def rows(platform: Platform, query: str, *values: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = await asyncio.to_thread(platform.rows, query, *values)
    return found


async def link_by_email(tab: Mod4Tab) -> None:
    click(tab.link_button)
    dialog = await asked(LinkByEmailDialog)
    QTest.keyClicks(dialog.email, "new.driver@")
    assert not dialog.send.isEnabled()
    QTest.keyClicks(dialog.email, "example.org")
    click(dialog.send)
    await until(lambda: open_dialog() is None)
    await until(lambda: any(row.email == NEW for row in tab.invitations.table.model.rows))


async def set_link(tab: Mod4Tab, platform: Platform, deed: str, stage: str) -> None:
    """By its button, with a question that names the person; then the platform's row says so."""
    row = tab.linked.row
    assert row is not None
    click(tab.linked.buttons[deed])
    dialog = await asked(_Question)
    assert row.label in " ".join(dialog.labels())
    click(dialog.act)
    await until(lambda: open_dialog() is None)
    link_id = row.peer_id
    for _ in range(600):
        ((found,),) = await rows(platform, "SELECT status::text FROM mod4_driver_links WHERE id = %s::uuid", link_id)
        if found == stage:
            break
        await asyncio.sleep(0.1)
    assert found == stage

    def shown() -> bool:
        now = tab.linked.row
        return now is not None and now.stage == stage and not now.pending

    await until(shown, WAIT_S)


async def test_a_driver_is_linked_coded_approved_suspended_and_revoked_by_clicking(
    tmp_path: Path, repaired: Platform
) -> None:
    async with console_on(tmp_path, page="integrations") as console:
        tab = await tab_over(console, repaired)
        await link_by_email(tab)
        invited = "SELECT status::text FROM user_invitations WHERE email = %s"
        await until(lambda: any(row.email == NEW and row.state == "pending" for row in invitations(tab)), WAIT_S)
        assert await rows(repaired, invited, NEW) == [("pending",)]

        tab.invitations.table.select_key(next(row.id for row in invitations(tab) if row.email == NEW))
        click(tab.invitations.buttons["copy_link"])
        clipboard = QGuiApplication.clipboard()
        await until(lambda: clipboard.text().startswith("https://drivers.example.org/invite/"), WAIT_S)

        await until(lambda: any(row.stage == "active" and row.email for row in tab.linked.table.model.rows), WAIT_S)
        row = next(row for row in tab.linked.table.model.rows if row.stage == "active" and row.email)
        tab.linked.table.select_key(row.id)
        click(tab.linked.buttons["code_for_user"])
        code = await asked(OneTimeCodeDialog)
        assert code.email.text() == row.email
        click(code.generate)
        await until(lambda: len(code.code.text()) == 6, WAIT_S)
        told = code.code.text()
        pending = "SELECT count(*) FROM mod4_otp_codes WHERE lower(target_email) = %s AND status::text = 'pending'"
        assert await rows(repaired, pending, row.email.lower()) == [(1,)]
        click(code.copy)
        assert clipboard.text() == told
        click(code.finish)
        await until(lambda: open_dialog() is None)
        assert code.code.text() == ""
        await never_kept(console, told)

        await end_a_session(tab, repaired)
        await set_link(tab, repaired, "suspend", "suspended")
        await set_link(tab, repaired, "activate", "active")
        await set_link(tab, repaired, "revoke_link", "revoked")
        await approve(tab, repaired)
        clipboard.clear()


async def end_a_session(tab: Mod4Tab, platform: Platform) -> None:
    """A sign-in that is open is saved as ended, and ends once the platform has it."""
    chosen = tab.linked.row
    assert chosen is not None
    await until(lambda: any(row.signs.is_signed_in for row in tab.linked.table.model.rows), WAIT_S)
    user = next(row for row in tab.linked.table.model.rows if row.signs.is_signed_in)
    tab.linked.table.select_key(user.id)
    click(tab.linked.buttons["phones"])
    dialog = await asked(PhonesDialog)
    session = next(row for row in dialog.sessions.model.rows if row.stage == "open")
    dialog.sessions.select_key(session.id)
    click(dialog.end)
    question = await asked(_Question)
    click(question.act)
    query = "SELECT status::text FROM driver_sessions WHERE id = %s::uuid"
    for _ in range(200):
        if (await rows(platform, query, session.peer_id))[0][0] != "ACTIVE":
            break
        await asyncio.sleep(0.1)
    assert (await rows(platform, query, session.peer_id))[0][0] == "INVALIDATED"
    click(dialog.finish)
    await until(lambda: open_dialog() is None)
    tab.linked.table.select_key(chosen.id)


def invitations(tab: Mod4Tab) -> list[Any]:
    return list(tab.invitations.table.model.rows)


async def approve(tab: Mod4Tab, platform: Platform) -> None:
    """Approving leads straight to the code; it is not made here."""
    await until(lambda: any(row.stage == "pending" for row in tab.requests.table.model.rows), WAIT_S)
    request = next(row for row in tab.requests.table.model.rows if row.stage == "pending")
    tab.requests.table.select_key(request.id)
    click(tab.requests.buttons["approve"])
    dialog = await asked(_Question)
    QTest.keyClicks(line_of(dialog), "Known to the store keeper")
    click(dialog.act)
    if request.email:
        code = await asked(OneTimeCodeDialog)
        assert code.email.text() == request.email.strip().lower()
        click(code.cancel)
    await until(lambda: open_dialog() is None)
    query = "SELECT status::text, reviewer_notes FROM onboarding_requests WHERE id = %s::uuid"

    def accepted() -> bool:
        row = next(row for row in tab.requests.table.model.rows if row.id == request.id)
        return row.stage == "approved" and not row.pending

    await until(accepted, WAIT_S)
    assert await rows(platform, query, request.peer_id) == [("approved", "Known to the store keeper")]


async def never_kept(console: Console, code: str) -> None:
    """The code stands in no table of the store and in no log file."""

    def look() -> list[str]:
        logs = console.context.paths.data_dir.rglob("*.log*")
        found = [file.name for file in logs if code in file.read_text("utf-8", "replace")]
        with console.context.services.store.read() as connection:
            for table in Base.metadata.sorted_tables:
                held = connection.execute(select(table))
                found += [table.name for row in held for value in row if value == code or f'"{code}"' in str(value)]
        return found

    assert await asyncio.to_thread(look) == []


async def test_what_the_platform_cannot_do_is_said_and_nothing_succeeds_falsely(
    tmp_path: Path, as_committed: Platform
) -> None:
    async with console_on(tmp_path, page="integrations") as console:
        tab = await tab_over(console, as_committed)
        assert not tab.trouble.isHidden()
        assert "is off" in tab.trouble.words.text()  # before anybody presses anything
        row = next(row for row in tab.linked.table.model.rows if row.email)
        tab.linked.table.select_key(row.id)
        before = await rows(as_committed, "SELECT count(*) FROM mod4_otp_codes")
        click(tab.linked.buttons["code_for_user"])
        code = await asked(OneTimeCodeDialog)
        click(code.generate)
        await until(code.problem.text, WAIT_S)
        assert "repair" in code.problem.text().lower()
        assert code.code.text() == ""
        assert await rows(as_committed, "SELECT count(*) FROM mod4_otp_codes") == before
        click(code.cancel)
        await until(lambda: open_dialog() is None)
        active = next(row for row in tab.linked.table.model.rows if row.stage == "active")
        tab.linked.table.select_key(active.id)
        await set_link(tab, as_committed, "suspend", "suspended")


async def test_a_lost_line_and_a_killed_engine_are_told_and_nothing_is_claimed(
    tmp_path: Path, repaired: Platform, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow("the engine ended unasked")
    async with console_on(tmp_path, page="integrations") as console:
        tab = await tab_over(console, repaired)
        await asyncio.to_thread(repaired.faults.refuse_connections)
        await asyncio.to_thread(repaired.faults.drop_sessions)
        await until(lambda: not tab.code_button.isEnabled(), WAIT_S)
        assert "A code needs the line" in tab.code_button.toolTip()
        assert "Changes wait here" in tab.trouble.words.text()
        await link_by_email(tab)
        (here,) = [row for row in tab.invitations.table.model.rows if row.email == NEW]
        assert here.is_here
        assert here.expires_ms is None
        facts = read_facts(console.context.paths.engine_json)
        assert facts is not None
        await asyncio.to_thread(repaired.faults.heal)
        os.kill(facts.pid, signal.SIGKILL)  # the window starts another one, which sends what waits, once
        await until(lambda: any(row.email == NEW and row.state == "pending" for row in invitations(tab)), WAIT_S)
        assert await rows(repaired, "SELECT count(*) FROM user_invitations WHERE email = %s", NEW) == [(1,)]
        await until(lambda: tab.code_button.isEnabled() and "Changes wait here" not in tab.trouble.words.text(), WAIT_S)


async def test_what_the_platform_would_not_have_is_said_where_it_was_done(tmp_path: Path, repaired: Platform) -> None:
    """It answers without an error and changes nothing: refused, not saved, not done."""
    async with console_on(tmp_path, page="integrations") as console:
        tab = await tab_over(console, repaired)
        active = next(row for row in tab.linked.table.model.rows if row.stage == "active")
        tab.linked.table.select_key(active.id)
        await asyncio.to_thread(repaired.faults.ignore_changes, "mod4_driver_links")
        click(tab.linked.buttons["suspend"])
        click((await asked(_Question)).act)
        await until(lambda: tab.linked.row is not None and tab.linked.row.refusal, WAIT_S)
        await asyncio.to_thread(repaired.faults.heal)
        model = tab.linked.table.model
        line = next(at for at, row in enumerate(model.rows) if row.id == active.id)
        cells = [model.index(line, column) for column in range(model.columnCount())]
        (state,) = [cell for cell in cells if cell.data() == "Suspended: refused"]
        told = state.data(Qt.ItemDataRole.ToolTipRole)
        assert "changed no row" in told
        assert "under Sync" in told
        query = "SELECT status::text FROM mod4_driver_links WHERE id = %s::uuid"
        assert await rows(repaired, query, active.peer_id) == [("active",)]
