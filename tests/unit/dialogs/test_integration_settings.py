"""The operator at the settings dialog, with real peers: adding, wrong and right entries, changing, signing in again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QPushButton
from sqlalchemy import Connection, insert

from adapters.base import Identity
from app.clock import utc_now
from app.integrations import add
from app.store.tables import IntegrationState
from dialogs.integration_settings import IntegrationSettingsDialog
from tests.helpers.certificates import Certificate, make_certificate
from tests.helpers.desks import cold_room, make_catalogue
from tests.helpers.integrations_page import (
    Depot,
    click,
    error_at,
    opened_page,
    set_engine_running,
    texts_of,
    traccar_server,
    type_into,
)
from tests.helpers.qt import Console, open_dialog, until


@pytest_asyncio.fixture
async def depot(console: Console) -> AsyncIterator[Depot]:
    async with opened_page(console, make_catalogue()) as opened:
        yield opened


async def begin(depot: Depot, key: str) -> IntegrationSettingsDialog:
    card = depot.page.available.cards[key]
    click(card.add)
    return await depot.settings_dialog()


async def run_ended(dialog: IntegrationSettingsDialog) -> None:
    await until(lambda: not dialog.is_testing, 20.0)


async def closed(dialog: IntegrationSettingsDialog) -> None:
    await until(lambda: dialog._is_closed, 20.0)
    await until(lambda: open_dialog() is None)


def written(certificate: Certificate, folder: Path) -> str:
    """The file with a server's certificate and key."""
    certificate.server_context(folder)
    (file,) = folder.glob("*.pem")
    return str(file)


@contextmanager
def silent_peer() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_a_wrong_token_is_an_error_at_its_field_and_the_right_one_is_saved(depot: Depot) -> None:
    async with traccar_server() as server:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"name": "Traccar Kano", "url": server.url, "token": "wrong"})
        click(dialog.save)
        await run_ended(dialog)
        assert "token" in error_at(dialog, "token")
        assert error_at(dialog, "url") == ""
        assert [state for state, _ in dialog.steps.lines()] == ["ok", "ok", "ok", "failed"]
        assert dialog.steps.unreached.text() == "Not reached: permission, version, clock"
        assert dialog.form.rows["token"].editor.input.hasFocus()
        assert depot.rows() == []
        assert depot.desk.vault.owners() == frozenset()
        type_into(dialog, {"token": server.token})
        assert error_at(dialog, "token") == ""
        click(dialog.save)
        await closed(dialog)
    await depot.settle(1)
    (row,) = depot.rows()
    assert row.name == "Traccar Kano"
    assert depot.desk.vault.get(row.id, "token") == server.token
    assert depot.page.tabs.value == "active"
    assert depot.page.current.items[row.id].isVisible()
    assert depot.console.notes == [("ok", "Traccar Kano is saved. The engine takes it up.")]


async def test_a_test_that_passed_is_not_made_twice(depot: Depot) -> None:
    async with traccar_server() as server:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"url": server.url, "token": server.token})
        click(dialog.test)
        await run_ended(dialog)
        assert dialog.steps.verdict.text().startswith("Connection successful. Traccar at 127.0.0.1")
        assert [state for state, _ in dialog.steps.lines()] == ["ok"] * 7
    # the server is gone: only what was proved can still be saved
    click(dialog.save)
    await closed(dialog)
    await depot.settle(1)


async def test_entries_changed_after_a_test_are_tested_anew(depot: Depot) -> None:
    async with traccar_server() as server:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"url": server.url, "token": server.token})
        click(dialog.test)
        await run_ended(dialog)
        type_into(dialog, {"token": "another"})
        assert dialog.steps.verdict.text() == "Changed since this test."
        click(dialog.save)
        await run_ended(dialog)
        assert error_at(dialog, "token")
        assert depot.rows() == []
        dialog.reject()


async def test_layers_are_shown_while_the_test_still_runs(depot: Depot) -> None:
    with silent_peer() as port:
        dialog = await begin(depot, "cold_room")
        type_into(dialog, {"host": "127.0.0.1", "port": str(port), "token": "x"})
        click(dialog.test)
        await until(lambda: ("ok", "The thermometer takes the connection.") in dialog.steps.lines())
        assert dialog.is_testing
        assert dialog.test.text() == "Cancel the test"
        assert not dialog.save.isEnabled()
        click(dialog.test)
        await run_ended(dialog)
    assert dialog.steps.verdict.text() == "The test was cancelled."
    assert dialog.save.isEnabled()
    assert dialog.anyway.isVisible()
    dialog.reject()


async def test_closing_ends_a_running_test(depot: Depot) -> None:
    with silent_peer() as port:
        dialog = await begin(depot, "cold_room")
        type_into(dialog, {"host": "127.0.0.1", "port": str(port), "token": "x"})
        QTest.keyClick(dialog.form.rows["token"].editor.input, Qt.Key.Key_Return)  # Enter is the main button
        await until(lambda: dialog.is_testing)
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        await closed(dialog)
    await until(lambda: not depot.console.tasks.of(dialog))
    assert depot.rows() == []


async def test_an_absent_server_is_an_error_at_the_address_and_can_be_saved_for_later(depot: Depot) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        dialog = await begin(depot, "traccar")
        assert not dialog.anyway.isVisible()
        type_into(dialog, {"url": url, "token": "for-later-1"})
        click(dialog.save)
        await run_ended(dialog)
    assert "refused" in error_at(dialog, "url")
    assert depot.rows() == []
    click(dialog.anyway)
    await closed(dialog)
    await depot.settle(1)
    assert depot.desk.vault.get(depot.rows()[0].id, "token") == "for-later-1"


async def test_entries_that_cannot_be_right_are_named_at_their_fields_and_on_their_tab(depot: Depot) -> None:
    dialog = await begin(depot, "traccar")
    type_into(dialog, {"name": " ", "token": "x"})
    click(dialog.tabs.button("sync"))
    click(dialog.save)
    await run_ended(dialog)
    assert error_at(dialog, "url") == "Server address is needed. Example: https://gps.example.org"
    assert dialog.tabs.value == "connection"
    assert not dialog.anyway.isVisible()
    assert dialog.form.rows["url"].editor.input.property("invalid") == "true"
    assert depot.rows() == []
    dialog.reject()


async def test_a_listener_whose_port_is_taken_says_so_at_the_port(depot: Depot) -> None:
    with silent_peer() as port:
        dialog = await begin(depot, "gt02_tracker")
        type_into(dialog, {"host": "127.0.0.1", "port": str(port)})
        click(dialog.test)
        await run_ended(dialog)
        assert "already in use" in error_at(dialog, "port")
        dialog.reject()


async def test_duplicates_are_refused_with_their_sentence(depot: Depot) -> None:
    async with traccar_server() as server:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"name": "Traccar Kano", "url": server.url, "token": server.token})
        click(dialog.save)
        await closed(dialog)
        await depot.settle(1)
        depot.page.add("traccar")
        dialog = await depot.settings_dialog()
        assert dialog.form.name.editor.value() == "Traccar GPS Server"
        type_into(dialog, {"name": "traccar kano", "url": server.url, "token": server.token})
        click(dialog.save)
        await until(lambda: error_at(dialog, "name"), 20.0)
        assert error_at(dialog, "name").startswith("An integration named “Traccar Kano” exists already.")
        type_into(dialog, {"name": "The same again"})
        click(dialog.save)
        await until(dialog.problem.isVisible)
        assert "This is the peer of the integration “Traccar Kano” already." in dialog.problem.words.text()
        dialog.reject()
    await closed(dialog)
    assert len(depot.rows()) == 1


async def test_two_listeners_on_one_port_are_refused_at_the_port(depot: Depot) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    values = {"host": "127.0.0.1", "port": port}
    await asyncio.to_thread(add, depot.desk, "gt02_tracker", "Depot trackers", values)
    await depot.settle(1)
    depot.page.add("gt02_tracker")
    dialog = await depot.settings_dialog()
    type_into(dialog, {"host": "127.0.0.1", "port": str(port), "name": "Others"})
    click(dialog.save)
    await until(lambda: error_at(dialog, "port"), 20.0)
    assert "is the one of the integration “Depot trackers”" in error_at(dialog, "port")
    dialog.reject()


async def test_a_running_listener_does_not_report_its_own_port_as_taken(depot: Depot) -> None:
    with silent_peer() as port:
        identity = Identity(f"gt02_tracker:127.0.0.1:{port}", "Trackers")
        values = {"host": "127.0.0.1", "port": port}
        made = await asyncio.to_thread(
            lambda: add(depot.desk, "gt02_tracker", "Depot trackers", values, identity=identity)
        )

        def job(connection: Connection) -> None:
            state: dict[str, Any] = {"phase": "healthy", "since": utc_now()}
            detail = {"connected": f"Listening on 127.0.0.1:{port} (TCP)."}
            connection.execute(insert(IntegrationState).values(integration_id=made, detail=detail, **state))
            set_engine_running(connection)

        await depot.write(job)
        await depot.settle(1)
        depot.page.act("configure", made)
        dialog = await depot.settings_dialog()
        click(dialog.test)
        await run_ended(dialog)
        assert [state for state, _ in dialog.steps.lines()] == ["ok"]
        type_into(dialog, {"name": "Yard trackers"})
        click(dialog.save)
        await closed(dialog)
    assert [row.name for row in depot.rows()] == ["Yard trackers"]


async def test_signing_in_again_asks_for_the_secret_alone_and_replaces_it(depot: Depot) -> None:
    async with cold_room() as room:
        values = {"host": room["host"], "port": room["port"]}
        made = await asyncio.to_thread(add, depot.desk, "cold_room", "Vaccine store", values, {"token": "old-token"})
        await depot.set_state(made, "needs_sign_in", "The thermometer does not know this token.")
        await depot.settle(1)
        await until(lambda: depot.page.current.items[made].pill.word == "Needs sign-in")
        click(depot.page.tabs.button("active"))
        click(depot.page.current.items[made].sign_in)
        dialog = await depot.settings_dialog()
        assert dialog.windowTitle() == "Sign in to Vaccine store again"
        assert list(dialog.form.rows) == ["token"]
        assert not dialog.form.name.isVisible()
        line = dialog.form.rows["token"].editor.input
        assert isinstance(line, QLineEdit)
        assert (line.text(), line.placeholderText()) == ("", "stored — type to replace")
        type_into(dialog, {"token": "nonsense"})
        click(dialog.save)
        await run_ended(dialog)
        assert error_at(dialog, "token")
        assert depot.desk.vault.get(made, "token") == "old-token"
        type_into(dialog, {"token": room["token"]})
        click(dialog.save)
        await closed(dialog)
    assert depot.desk.vault.get(made, "token") == room["token"]
    assert depot.secrets_version(made) == 1


async def test_secrets_are_in_no_text_of_any_window_once_saved(depot: Depot) -> None:
    async with traccar_server() as server:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"url": server.url, "token": server.token})
        click(dialog.save)
        await closed(dialog)
        await depot.settle(1)
        made = depot.rows()[0].id
        depot.page.act("configure", made)
        dialog = await depot.settings_dialog()
        assert "stored — type to replace" in texts_of(dialog)
        click(dialog.test)  # the stored one is used, and not shown
        await run_ended(dialog)
        assert dialog.steps.verdict.text().startswith("Connection successful")
        for window in QApplication.topLevelWidgets():
            assert server.token not in texts_of(window)
        type_into(dialog, {"name": "Renamed"})
        click(dialog.save)
        await closed(dialog)
    assert depot.rows()[0].name == "Renamed"
    assert depot.desk.vault.get(made, "token") == server.token
    assert depot.secrets_version(made) == 0


async def test_fields_follow_the_choice_they_belong_to(depot: Depot) -> None:
    dialog = await begin(depot, "traccar")
    rows = dialog.form.rows
    assert rows["token"].isVisible()
    assert not rows["username"].isVisible()
    type_into(dialog, {"token": "typed-before"})
    box = rows["auth"].editor.input
    assert isinstance(box, QComboBox)
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert not rows["token"].isVisible()
    assert rows["username"].isVisible()
    assert rows["password"].isVisible()
    assert dialog.entered().secrets == {}
    assert dialog.entered().values["auth"] == "session"
    dialog.reject()


async def test_another_server_at_a_changed_address_needs_a_word(depot: Depot) -> None:
    async with traccar_server() as old, traccar_server() as new:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"url": old.url, "token": old.token})
        click(dialog.save)
        await closed(dialog)
        await depot.settle(1)
        made = depot.rows()[0].id
        depot.page.act("configure", made)
        dialog = await depot.settings_dialog()
        type_into(dialog, {"url": new.url, "token": new.token})
        click(dialog.save)
        await until(lambda: "Another system answers there" in texts_of(dialog), 20.0)
        question = QApplication.activeModalWidget()
        assert question is not None
        assert "lead to another peer than before" in texts_of(question)
        click(question.findChildren(QPushButton)[-1])
        await closed(dialog)
    assert depot.desk.vault.get(made, "token") == new.token


async def test_an_unknown_certificate_is_pinned_as_shown_after_a_word(depot: Depot, tmp_path: Path) -> None:
    certificate = make_certificate("depot server")
    pem = written(certificate, tmp_path)
    async with traccar_server(certificate=(pem, pem)) as server:
        dialog = await begin(depot, "traccar")
        type_into(dialog, {"url": server.url, "token": server.token})
        click(dialog.test)
        await run_ended(dialog)
        assert "issued by nobody that this computer knows" in error_at(dialog, "fingerprint")
        click(dialog.pin)
        await until(lambda: "Pin this certificate?" in texts_of(dialog))
        question = QApplication.activeModalWidget()
        assert question is not None
        shown = certificate.fingerprint.upper()
        pairs = ":".join(shown[at : at + 2] for at in range(0, len(shown), 2))
        assert pairs in texts_of(question)
        click(question.findChildren(QPushButton)[-1])
        await until(lambda: dialog.steps.verdict.text().startswith("Connection successful"), 20.0)
        assert dialog.form.rows["fingerprint"].editor.value() == pairs
        assert not dialog.pin.isVisible()
        dialog.reject()


async def test_what_cannot_be_opened_is_told(depot: Depot) -> None:
    depot.page.add("nonsense")
    await until(open_dialog)
    dialog = open_dialog()
    assert dialog is not None
    assert "There is no integration named “nonsense” here." in texts_of(dialog)
    dialog.reject()
