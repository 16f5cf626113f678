"""A store that was restored or copied sends nothing until somebody says that it is the one."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from app import platform
from app.store.store import Store
from app.sync.errors import ActRefused
from app.sync.seal import OutboxSeal, confirm_store, store_trouble
from tests.helpers.stores import make_store, make_store_url
from tests.helpers.supply_desk import SupplyDesk, make_desk


@pytest_asyncio.fixture
async def home(tmp_path: Path) -> AsyncIterator[SupplyDesk]:
    store = make_store(tmp_path / "home")
    made = make_desk(store, tmp_path / "home")
    yield made
    await made.close()
    store.close()


def test_store_and_file_agree_from_the_first_start_on(desk: SupplyDesk) -> None:
    desk.change("shipment", "ship-0", comment="x")
    for _ in range(3):
        assert desk.ports.seal.verify(desk.now) == ""
    assert desk.read(store_trouble) == ""
    assert desk.problems() == []


async def test_each_try_is_on_the_disk_before_the_peer_hears_of_it(home: SupplyDesk) -> None:
    file = _file(home)
    seen: list[int] = []

    def look(verb: str) -> str:
        seen.append(int(json.loads(file.read_text())["tried"]))
        return ""

    home.peer.fault = look
    item = home.change("shipment", "ship-0", comment="x")
    home.start()
    await home.become(item, "accepted")
    assert seen == [1, 1]
    assert platform.is_private(file)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.unlink(), "is gone"),
        (lambda file: file.write_text("no JSON"), "belongs to another store"),
        (lambda file: _edit(file, name="other"), "belongs to another store"),
        (lambda file: _edit(file, place="elsewhere"), "another computer or in another folder"),
        (lambda file: _edit(file, tried=7), "6 changes were handed over since"),
    ],
)
async def test_what_does_not_agree_sends_nothing_until_it_is_confirmed(
    home: SupplyDesk, spoil: object, words: str
) -> None:
    done = home.change("shipment", "ship-1", comment="before")
    coordinator = home.start()
    await home.become(done, "accepted")
    await home.stop()
    spoil(_file(home))  # type: ignore[operator]
    item = home.change("shipment", "ship-0", comment="x")
    requests = home.peer.requests["read"]
    coordinator = home.start()
    await home.settle_until(lambda: bool(home.problems()))
    await home.clock.advance(5)
    problem = home.problems()[0]
    assert (problem.problem_key, problem.fix) == ("outbox_store", "outbox")
    assert words in problem.detail
    assert "Nothing is sent until you say" in coordinator.state.reason
    assert home.peer.requests["read"] == requests
    assert home.write(confirm_store, now=home.now) == 1
    assert home.item(item).state == "doubtful"
    await home.become(item, "accepted")
    assert home.problems() == []
    assert json.loads(_file(home).read_text())["name"] != "other"
    with pytest.raises(ActRefused, match="not in doubt"):
        home.write(confirm_store, now=home.now)


async def test_a_store_of_last_week_does_not_send_again_what_was_sent_since(home: SupplyDesk, tmp_path: Path) -> None:
    items = [home.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    home.ports.seal.verify(home.now)
    backup = tmp_path / "backup.db"
    home.store.close()
    shutil.copyfile(_database(home), backup)
    opened = Store.open(f"sqlite:///{_database(home)}")
    home.store = opened
    later = _again(home, opened)
    later.start()
    for item in items:
        await later.become(item, "accepted")
    await later.stop()
    opened.close()
    shutil.copyfile(backup, _database(home))
    restored = Store.open(f"sqlite:///{_database(home)}")
    home.store = restored
    last = _again(home, restored)
    assert last.states() == ["waiting"] * 3
    last.start()
    await last.settle_until(lambda: bool(last.problems()))
    assert len(home.peer.history) == 3
    last.write(confirm_store, now=last.now)
    for item in items:
        await last.become(item, "accepted")
    await last.stop()
    assert len(home.peer.history) == 3


def test_a_copied_folder_without_the_file_is_noticed(home: SupplyDesk, tmp_path: Path) -> None:
    home.change("shipment", "ship-0", comment="x")
    home.ports.seal.verify(home.now)
    home.store.close()
    (tmp_path / "copy").mkdir()
    for file in _file(home).parent.iterdir():
        if file.is_file():
            shutil.copyfile(file, tmp_path / "copy" / file.name)
    copy = Store.open(f"sqlite:///{tmp_path / 'copy' / _database(home).name}")
    assert "another folder" in OutboxSeal(copy).verify(home.now)
    copy.close()
    home.store = Store.open(f"sqlite:///{_database(home)}")


def test_a_new_store_beside_an_old_file_has_nothing_to_lose(tmp_path: Path, home: SupplyDesk) -> None:
    store = Store.open(make_store_url(tmp_path / "new"))
    seal = OutboxSeal(store)
    assert seal.verify(home.now) == ""
    _edit(next((tmp_path / "new").glob("*.outbox.json")), name="another")
    assert OutboxSeal(store).verify(home.now) == ""
    store.close()


async def test_a_file_that_cannot_be_written_stops_the_sending(home: SupplyDesk) -> None:
    item = home.change("shipment", "ship-0", comment="x")
    home.ports.seal.verify(home.now)
    coordinator = home.start()
    await home.become(item, "accepted")
    _file(home).unlink()
    second = home.change("shipment", "ship-1", comment="x")
    await home.settle_until(lambda: home.item(second).tries > 0 and "cannot be written" in coordinator.state.reason)
    await home.become(second, "waiting")
    assert len(home.peer.history) == 1


def _database(desk: SupplyDesk) -> Path:
    return Path(str(desk.store.url.database))


def _file(desk: SupplyDesk) -> Path:
    return _database(desk).with_name(f"{_database(desk).stem}.outbox.json")


def _edit(file: Path, **change: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))


def _again(desk: SupplyDesk, store: Store) -> SupplyDesk:
    """The same integration on another copy of its store, as the next engine finds it."""
    from dataclasses import replace

    from app.engine.scribe import Scribe
    from app.fleet.telemetry import TelemetrySink

    seal = OutboxSeal(store)
    ports = replace(desk.ports, store=store, seal=seal, sink=TelemetrySink(store), scribe=Scribe(store))
    return replace(desk, store=store, ports=ports)
