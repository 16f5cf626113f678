"""Acts whose answer is never stored, run against a real platform: shown once, recorded without the answer."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from adapters.errors import NotReady, Unsupported
from app.catalogue import Catalogue
from app.clock import SystemClock
from app.deliveries.errors import DeliveryError, NotFound
from app.deliveries.platforms import list_platforms, need_platform, run_action
from app.integrations.changes import Desk
from app.security.vault import Vault
from app.store.store import Store
from app.store.tables import Act, Integration
from tests.helpers.dispatch import Depot, catalogue
from tests.helpers.fleet import rows_of


class OnePassword:
    """A vault with the password of the database role."""

    def get(self, integration_id: str, name: str) -> str | None:
        return "planted-password" if name == "password" else None


@pytest.fixture
def desk(sqlite_store: Store) -> Desk:
    vault: Vault = OnePassword()  # type: ignore[assignment]
    return Desk(Depot(sqlite_store).store, catalogue(), vault)


def test_which_integrations_are_driver_platforms(desk: Desk) -> None:
    known: Catalogue = desk.catalogue
    with desk.store.read() as connection:
        assert [one.id for one in list_platforms(connection, known)] == ["mod4-1"]
        assert need_platform(connection, known).id == "mod4-1"
        assert need_platform(connection, known, "mod4-1").type == "mod4"
        with pytest.raises(NotFound):
            need_platform(connection, known, "gt02-1")


async def test_without_the_line_nothing_is_done_or_recorded(desk: Desk) -> None:
    config = {"host": "127.0.0.1", "port": 1, "username": "console", "tls": "off", "changes": True}
    job = update(Integration).where(Integration.id == "mod4-1").values(config=config)
    desk.store.write(lambda connection: connection.execute(job)).result()
    with pytest.raises(NotReady):
        await run_action(desk, "mod4-1", "one_time_code", {"email": "a@example.org"}, SystemClock())
    with pytest.raises(Unsupported):
        await run_action(desk, "mod4-1", "open_sesame", {}, SystemClock())
    with pytest.raises(DeliveryError, match="email"):
        await run_action(desk, "mod4-1", "one_time_code", {}, SystemClock())
    assert rows_of(desk.store, Act) == []
