"""The operator chooses the way into the driver platform: the fields follow, and Test walks the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from sqlalchemy import select

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.web import Web, serving
from app.store.tables import Integration
from dialogs.integration_settings import IntegrationSettingsDialog
from tests.helpers.desks import make_catalogue
from tests.helpers.integrations_page import Depot, click, error_at, opened_page, texts_of, type_into
from tests.helpers.mod4_platform import make_mod4, mod4_first_days, mod4_server, repaired
from tests.helpers.qt import Console, open_dialog, until

__all__ = ["make_mod4", "mod4_first_days", "mod4_server", "repaired"]

PASSWORD = "a long password"
OF_THE_DATABASE = {"host", "port", "database", "username", "password", "tls", "acting_user", "functions_url"}
OF_THE_SERVICE = {"url", "anon_key", "email", "account_password"}


@pytest_asyncio.fixture
async def depot(console: Console) -> AsyncIterator[Depot]:
    async with opened_page(console, make_catalogue()) as opened:
        yield opened


@pytest_asyncio.fixture
async def web(repaired: Platform) -> AsyncIterator[Web]:
    owner = repaired.world.owner
    repaired.rows(
        "UPDATE auth.users SET encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf')) WHERE id = %s",
        PASSWORD, owner.id,
    )  # fmt: skip
    async with serving(repaired) as running:
        yield running


def shown(dialog: IntegrationSettingsDialog) -> set[str]:
    return {name for name, row in dialog.form.rows.items() if row.isVisible()}


async def begin(depot: Depot) -> IntegrationSettingsDialog:
    click(depot.page.available.cards["mod4"].add)
    dialog = await depot.settings_dialog()
    assert shown(dialog) >= OF_THE_DATABASE
    assert not shown(dialog) & OF_THE_SERVICE
    box = dialog.form.rows["way"].editor.input
    assert isinstance(box, QComboBox)
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert shown(dialog) >= OF_THE_SERVICE
    assert not shown(dialog) & OF_THE_DATABASE
    return dialog


async def run_ended(dialog: IntegrationSettingsDialog) -> None:
    await until(lambda: not dialog.is_testing, 60.0)


@pytest.mark.timeout(240)
async def test_the_web_service_is_entered_tested_and_saved(depot: Depot, web: Web) -> None:
    world = web.platform.world
    dialog = await begin(depot)
    entries = {
        "name": "Mod4 Kano", "url": web.url, "anon_key": "a wrong key", "email": world.owner.email,
        "account_password": "wrong", "workspace": world.workspace_id,
    }  # fmt: skip
    type_into(dialog, entries)
    click(dialog.save)
    await run_ended(dialog)
    assert "publishable key" in error_at(dialog, "anon_key")
    type_into(dialog, {"anon_key": web.anon_key})
    click(dialog.save)
    await run_ended(dialog)
    assert "password" in error_at(dialog, "account_password")
    assert [state for state, _ in dialog.steps.lines()] == ["ok", "ok", "ok", "failed"]
    assert depot.rows() == []
    type_into(dialog, {"account_password": PASSWORD})
    click(dialog.test)
    await run_ended(dialog)
    assert dialog.steps.verdict.text().startswith("Connection successful")
    assert [state for state, _ in dialog.steps.lines()] == ["ok"] * 7
    assert "Pending codes" in texts_of(dialog)  # off, with its reason
    click(dialog.save)
    await until(lambda: dialog._is_closed, 60.0)
    await until(lambda: open_dialog() is None)
    await depot.settle(1)
    (row,) = depot.rows()
    with depot.desk.store.read() as connection:
        config = connection.execute(select(Integration.config).where(Integration.id == row.id)).scalar_one()
    assert (config["way"], config["email"]) == ("web", world.owner.email)
    assert not {"anon_key", "account_password"} & set(config)
    assert depot.desk.vault.get(row.id, "account_password") == PASSWORD
    assert depot.desk.vault.get(row.id, "anon_key") == web.anon_key


async def test_an_address_without_encryption_is_refused_at_its_field(depot: Depot) -> None:
    dialog = await begin(depot)
    type_into(
        dialog, {"url": "http://project.example.org", "anon_key": "k", "email": "a@b.test", "account_password": "p"}
    )
    click(dialog.test)
    await run_ended(dialog)
    assert "https://" in error_at(dialog, "url")
    dialog.reject()
    await until(lambda: open_dialog() is None)
