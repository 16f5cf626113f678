"""``integrations compare``: what is sent against what a live peer offers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.catalogue import Catalogue
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.depot import free_port


@contextmanager
def msupply_server(**options: Any) -> Iterator[Mapping[str, Any]]:
    """A small mSupply server on loopback; the settings that reach it."""
    found: dict[str, Any] = {}
    ready = threading.Event()
    loop = asyncio.new_event_loop()

    def on_ready(settings: Mapping[str, Any]) -> None:
        found.update(settings)
        ready.set()

    simulate = Catalogue.load().simulator("msupply")
    task = loop.create_task(simulate({"items": 40, "facilities": 10, "papers": 3, **options}, on_ready))

    def run() -> None:
        loop.run_until_complete(asyncio.wait([task]))
        loop.close()

    thread = threading.Thread(target=run, name="mSupply")
    thread.start()
    try:
        assert ready.wait(30)
        yield found
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)


def added(cli: CommandLine, settings: Mapping[str, Any]) -> str:
    secret = cli.data_dir / "password.txt"
    secret.write_text(settings["password"], encoding="utf-8")
    words = [f"--set={name}={settings[name]}" for name in ("url", "username")]
    made = cli(
        "integrations", "add", "msupply", "--name", "State", *words, "--secret", f"password=file:{secret}", "--json"
    )
    identifier: str = made.json["id"]
    return identifier


def test_a_server_of_today_has_no_differences(cli: CommandLine) -> None:
    with msupply_server() as settings:
        identifier = added(cli, settings)
        assert cli("integrations", "compare", identifier, "--json").json == []
        assert "offers everything that is sent" in cli("integrations", "compare", identifier).out


def test_an_older_server_has_named_ones(cli: CommandLine) -> None:
    with msupply_server(version="2.12") as settings:
        identifier = added(cli, settings)
        rows = cli("integrations", "compare", identifier, "--json").json
        assert {row["operation"] for row in rows} == {"ShipmentsWithLines", "ShipmentsByType", "RecordHistory"}
        assert all(row["difference"] and row["consequence"].endswith(".") for row in rows)
        assert "Sent without it to this server" in cli("integrations", "compare", identifier).out


def test_what_cannot_be_compared_says_so(cli: CommandLine) -> None:
    where = ["--set", "host=127.0.0.1", "--set", f"port={free_port()}"]
    trackers = cli("integrations", "add", "gt02_tracker", "--name", "Yard", *where, "--json").json["id"]
    assert_refused(cli("integrations", "compare", trackers), "brings no comparison")
