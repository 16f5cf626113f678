"""A technician needs the port that the gateway reads, for a minute."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from adapters.bench import Traffic
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from app.engine.facts import ENGINE_FACT
from app.engine.phases import Phase
from app.fuel.lending import PortLoan
from app.integrations.changes import add
from app.store.facts import set_fact
from app.tasks import Tasks
from tests.adapters.fuel_monitoring.lines import needs_pty
from tests.helpers.fake_adapter import until
from tests.helpers.site import Site

pytestmark = needs_pty


async def test_the_workbench_borrows_a_port_that_the_gateway_reads_and_gives_it_back(tmp_path: Path) -> None:
    sensor, port = LlsSensor(1), tmp_path / "ttyUSB0"
    site, tasks = Site(tmp_path / "site"), Tasks()
    bench = site.catalogue.bench("fuel_monitoring")
    with SensorBus.on_pty([sensor], port) as bus:
        integration = add(site.desk, "fuel_monitoring", "Tank of the lorry", {"port": bus.port, "sensors": "1 = main"})
        async with site.serving():
            await until(lambda: site.phase(integration) is Phase.HEALTHY, 30)
            beat = {"state": "running", "beat_at_ms": site.clock.now_ms()}  # its host's part
            await asyncio.wrap_future(site.store.write(partial(set_fact, name=ENGINE_FACT, value=beat)))
            async with PortLoan(site.store, bus.port, clock=site.clock, tasks=tasks) as loan:
                assert loan.lent_by == ("Tank of the lorry",)
                session = await bench.open(bus.port, "lls", 19_200)
                heard: list[Traffic] = []
                session.watch(heard.append)
                assert (await session.read(1)).value == 2048
                assert [one.ok for one in await session.write(1, {"filter_length": 11})] == [True]
                await until(lambda: "is lent to the workbench since" in getattr(site.state(integration), "reason", ""))
                assert sum(one.direction == "sent" for one in heard) >= 4
                await session.close()
            read_before = len(bus.heard)
            await until(lambda: len(bus.heard) > read_before, 30)
            await until(lambda: "lent" not in getattr(site.state(integration), "reason", "lent"), 30)
            assert site.phase(integration) is Phase.HEALTHY
    await tasks.close()
    assert sensor.filter_length == 11
