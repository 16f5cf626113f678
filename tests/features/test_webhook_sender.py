"""Story of another system that is told: through kills and a receiver that comes and goes, each change once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from adapters.supply import Facility, Shipment
from adapters.webhook_sender.simulator import WebhookReceiver
from app.store.tables import Cursor
from tests.helpers.command_line import run_program
from tests.helpers.depot import Depot, Gateway
from tests.helpers.supply import SupplyFeed, make_supply_feed

SECRET = "the secret of a receiver in a story"
ROUNDS, EACH = 3, 8


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    with Depot(tmp_path / "depot") as made:
        yield made


async def test_each_change_reaches_the_receiver_once_through_kills_and_outages(depot: Depot) -> None:
    receiver = WebhookReceiver(SECRET)
    await receiver.start()
    feed = await asyncio.to_thread(_begin, depot, receiver.url)
    number = 0
    try:
        for round_ in range(ROUNDS):
            gateway = await asyncio.to_thread(_started, depot)
            await _until(lambda: _cursors(depot) >= 4)
            for _ in range(EACH):
                number += 1
                await asyncio.to_thread(_ship, feed, number)
            if round_ == 0:
                await receiver.stop()
                await receiver.start()
            receiver.lose = 2  # taken, and the answer lost: they come again under the same id
            await _until(lambda least=round_ * EACH: len(_told(receiver)) > least)
            gateway.process.kill()
            await asyncio.to_thread(gateway.__exit__)
        gateway = await asyncio.to_thread(_started, depot)
        await _until(lambda: len(set(_told(receiver).values())) == number)
    finally:
        await asyncio.to_thread(gateway.__exit__)
        await receiver.stop()
    by_id = _told(receiver)
    assert sorted(by_id.values(), key=int) == [str(one) for one in range(1, number + 1)], "one message for each change"
    assert receiver.refused == []


def _told(receiver: WebhookReceiver) -> dict[str, str]:
    """The shipment's number by the message's id, without pings and alarms."""
    return {one: body["data"]["number"] for one, body in receiver.came if body["type"] == "shipment.changed"}


def _begin(depot: Depot, url: str) -> SupplyFeed:
    (depot.paths.data_dir / "secret.txt").write_text(SECRET)
    words = ["integrations", "add", "webhook_sender", "--name", "ERP", "--json", "--set", f"url={url}"]
    done = run_program(
        "--data-dir", depot.paths.data_dir, *words, "--secret", f"secret=file:{depot.paths.data_dir / 'secret.txt'}"
    )
    assert done.status == 0, done.err
    assert json.loads(done.out)["id"]
    feed = make_supply_feed(depot.store)
    feed(Facility("d", "SCMS", "Central store", "store", is_ours=True), Facility("c", "KUJ", "Kuje General Hospital"))
    return feed


def _ship(feed: SupplyFeed, number: int) -> None:
    feed(Shipment(f"s{number}", f"{number}", "outbound", "SHIPPED", "shipped", "d", "c", lines=()))


def _started(depot: Depot) -> Gateway:
    return Gateway(depot).wait_ready()


def _cursors(depot: Depot) -> int:
    with depot.store.read() as connection:
        query = select(func.count()).select_from(Cursor).where(Cursor.stream.startswith("notices:"))
        return int(connection.execute(query).scalar_one())


async def _until(condition: object, seconds: float = 40.0) -> None:
    assert callable(condition)
    ends = asyncio.get_running_loop().time() + seconds
    while not await asyncio.to_thread(condition):
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0.05)
