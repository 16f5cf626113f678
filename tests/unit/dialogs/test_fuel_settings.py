"""A field engineer at the settings of a port with fuel sensors, against a simulated bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from app.catalogue import Catalogue
from app.integrations import configured, list_integrations
from dialogs.integration_settings import IntegrationSettingsDialog
from tests.adapters.fuel_monitoring.lines import needs_pty
from tests.helpers.integrations_page import Depot, click, error_at, opened_page, type_into
from tests.helpers.qt import Console, open_dialog, until

pytestmark = needs_pty


@pytest_asyncio.fixture
async def depot(console: Console) -> AsyncIterator[Depot]:
    async with opened_page(console, Catalogue.load(third_party=list)) as opened:
        yield opened


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[SensorBus]:
    with SensorBus.on_pty([LlsSensor(1, lambda: 1000), LlsSensor(2, lambda: 2000)], tmp_path / "port") as made:
        yield made


def shown_rows(dialog: IntegrationSettingsDialog) -> set[str]:
    return {name for name, row in dialog.form.rows.items() if not row.isHidden()}


async def test_a_port_is_added_with_its_sensors_and_tanks(depot: Depot, bus: SensorBus) -> None:
    click(depot.page.available.cards["fuel_monitoring"].add)
    dialog = await depot.settings_dialog()
    assert shown_rows(dialog) >= {"protocol", "port", "speed", "unit", "vehicle", "sensors"}
    assert not shown_rows(dialog) & {"bit_rate", "register_map"}
    dialog.form.rows["protocol"].editor.set_value("slcan")
    assert shown_rows(dialog) >= {"bit_rate"}
    assert not shown_rows(dialog) & {"unit", "register_map"}
    dialog.form.rows["protocol"].editor.set_value("lls")
    type_into(dialog, {"port": bus.port})
    type_into(dialog, {"vehicle": "KAN-101-XA"})
    type_into(dialog, {"sensors": "1 = left, 300"})
    click(dialog.test)
    await until(lambda: error_at(dialog, "sensors"))
    assert error_at(dialog, "sensors") == "The address of a sensor is 1 to 254, not 300."
    type_into(dialog, {"sensors": "1 = left, 9"})
    click(dialog.test)
    await until(lambda: any("Silent: 9" in said for _state, said in dialog.steps.lines()), 20)
    await until(lambda: not dialog.is_testing)
    type_into(dialog, {"sensors": "1 = left tank, 2 = right tank"})
    click(dialog.save)
    await until(lambda: open_dialog() is None, 20)
    (row,) = await depot.console.context.bridge.read(list_integrations)
    saved = await depot.console.context.bridge.read(lambda connection: configured(connection, row.id))
    assert saved.config["sensors"] == "1 = left tank, 2 = right tank"
    assert saved.peer_unique_id == f"fuel_monitoring:{bus.port}"


async def test_a_port_that_is_not_there_is_marked_at_its_field(depot: Depot, tmp_path: Path) -> None:
    click(depot.page.available.cards["fuel_monitoring"].add)
    dialog = await depot.settings_dialog()
    type_into(dialog, {"port": str(tmp_path / "nothing")})
    click(dialog.test)
    await until(lambda: error_at(dialog, "port"), 20)
    assert error_at(dialog, "port").startswith("There is no port")
    dialog.reject()
    await until(lambda: open_dialog() is None)
