"""Story of a state store that pushes: stored before the answer, understood by rules, known when it comes again."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from adapters.signing import key_bytes, signed_headers
from app.engine.phases import Phase
from app.store.tables import InboxMessage, StockLineRow
from tests.helpers.command_line import run_program
from tests.helpers.depot import Depot, Gateway, free_port, wait_for

SECRET = "the secret of a story, which is long enough"
RULES = {
    "rules": [
        {
            "when": {"type": "stock.changed"},
            "kind": "stock_line",
            "each": "lines",
            "fields": {"peer_id": "id", "facility": "/store", "item": "item", "units": "units"},
        }
    ]
}


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    with Depot(tmp_path / "depot") as made:
        yield made


class Receiver:
    """The receiver of a depot, and the store that pushes to it."""

    def __init__(self, depot: Depot, rules: Path) -> None:
        self.depot = depot
        self.port = free_port()
        (depot.paths.data_dir / "secret.txt").write_text(SECRET)
        settings = [f"port={self.port}", f"rules={rules}"]
        words = ["integrations", "add", "webhook", "--name", "Pushes", "--json"]
        words += [word for setting in settings for word in ("--set", setting)]
        words += ["--secret", f"secret=file:{depot.paths.data_dir / 'secret.txt'}"]
        self.integration_id = json.loads(self.run(*words))["id"]

    def run(self, *words: str) -> str:
        done = run_program("--data-dir", self.depot.paths.data_dir, *words)
        assert done.status == 0, done.err
        return done.out

    def post(self, message: Any, message_id: str = "") -> httpx.Response:
        body = json.dumps(message).encode()
        headers = signed_headers([key_bytes(SECRET)], message_id or str(uuid.uuid4()), int(time.time()), body)
        return httpx.post(f"http://127.0.0.1:{self.port}/webhooks", content=body, headers=headers, timeout=20)

    def listens(self) -> bool:
        state = self.depot.state(self.integration_id)
        return state is not None and state.phase is Phase.HEALTHY

    def units(self) -> dict[str, float]:
        with self.depot.store.read() as connection:
            rows = connection.execute(select(StockLineRow.peer_id, StockLineRow.units))
            return {row.peer_id: row.units for row in rows}

    def states(self) -> list[str]:
        with self.depot.store.read() as connection:
            return list(connection.execute(select(InboxMessage.state).order_by(InboxMessage.key)).scalars())


def stock(**units: float) -> dict[str, Any]:
    lines = [{"id": name, "item": name.upper(), "units": value} for name, value in units.items()]
    return {"type": "stock.changed", "store": "kano", "lines": lines}


def test_pushed_stock_reaches_the_store_once(depot: Depot, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    here = Receiver(depot, rules)
    with Gateway(depot) as gateway:
        gateway.wait_ready()
        wait_for(here.listens)
        assert here.post(stock(al=30, ors=5), "m1").status_code == 200
        wait_for(lambda: here.units() == {"al": 30, "ors": 5})

        assert here.post(stock(al=20), "m2").status_code == 200
        wait_for(lambda: here.units() == {"al": 20, "ors": 5})
        assert here.post(stock(al=30, ors=5), "m1").status_code == 200  # it comes again, and is known
        assert here.post({"type": "other"}, "m3").status_code == 200
        wait_for(lambda: here.states() == ["done", "done", "refused"])
        assert here.units() == {"al": 20, "ors": 5}

        (refused,) = json.loads(here.run("inbox", "list", "--state", "refused", "--json"))
        assert "No rule of the rules file fits" in refused["why"]
        assert refused["body"] == '{"type": "other"}'
        rules.write_text(json.dumps({"rules": [{**RULES["rules"][0], "when": {}}]}))
        here.run("integrations", "disable", here.integration_id)
        here.run("integrations", "enable", here.integration_id)
        here.run("inbox", "again", str(refused["id"]))
        wait_for(lambda: here.states() == ["done"] * 3)
        assert here.units() == {"al": 20, "ors": 5}


def test_what_was_acknowledged_survives_a_killed_gateway(depot: Depot, tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    here = Receiver(depot, rules)
    sent: dict[str, float] = {}
    for round_ in range(3):
        with Gateway(depot) as gateway:
            gateway.wait_ready()
            wait_for(here.listens)
            for number in range(10):
                name = f"i{round_}x{number}"
                if here.post(stock(**{name: number})).status_code == 200:
                    sent[name] = number
            gateway.process.kill()
            gateway.process.wait()
    with Gateway(depot) as gateway:
        gateway.wait_ready()
        wait_for(lambda: set(here.states()) == {"done"})
        assert here.units() == sent
        assert len(sent) == 30
