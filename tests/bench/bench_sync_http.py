"""A first reading end to end: a supply server over real HTTP, its adapter, the merge, a SQLite file with cursors.

The server is the simulated mSupply in another process, asked once before so that its own work is done; the bare loop
posts the same requests with httpx, reads the JSON and hands each node to ``sqlite3``. Both are measured in nodes of the
answers, which each of them has to take in. Targets: at least 5,000
records/s, and 0.35 of the bare loop in the same run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, func, select

from adapters.base import Adapter, Kit, secret_names
from adapters.records import Batch
from app.catalogue import Catalogue
from app.clock import SystemClock
from app.engine.sink import StoreSink
from app.integrations.changes import Desk, add
from app.integrations.settings import validate
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import ItemRow, RequisitionLineRow, RequisitionRow, ShipmentLineRow, ShipmentRow, StockLineRow
from tests.bench.common import report, scratch
from tests.helpers.stores import make_store_url

ROOT = Path(__file__).parents[2]
ITEMS, PAPERS = 20_000, 400
RUNS = 3
SERVER = """
import asyncio, json, sys
from adapters.msupply.simulator import simulate
def ready(settings):
    print(json.dumps(settings), flush=True)
asyncio.run(simulate({"items": int(sys.argv[1]), "papers": int(sys.argv[2]), "arrival_every_s": 1e9}, ready))
"""


def run() -> None:
    with served() as settings:
        asked: list[dict[str, Any]] = []
        asyncio.run(read_once(settings, asked=asked))  # the server has made its answers, and we know the requests
        ours, bare = [], []
        for _ in range(RUNS):
            with scratch() as folder:
                count, bare_s = asyncio.run(_bare(folder, settings, asked))
            with scratch() as folder:
                records, ours_s = asyncio.run(_first_sync(folder, settings))
            bare.append(count / bare_s)
            ours.append(count / ours_s)
    print(f"{count:,} nodes in {len(asked)} answers; {records:,} rows of items, stock and papers in the store")
    report("bare httpx + json + sqlite3", bare, "nodes/s")
    report("first reading end to end", ours, "nodes/s", target="≥ 5,000")
    report("ratio", [one / other for one, other in zip(ours, bare, strict=True)], "", target="≥ 0.35")


@contextmanager
def served(items: int = ITEMS) -> Iterator[dict[str, Any]]:
    """The server in a process of its own; gives its settings."""
    command = [sys.executable, "-c", SERVER, str(items), str(PAPERS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


async def read_once(settings: dict[str, Any], *, asked: list[dict[str, Any]]) -> None:
    async def note(request: httpx.Request) -> None:
        body = json.loads(request.content)
        if "authToken" not in body["query"]:
            asked.append(body)

    client = httpx.AsyncClient(trust_env=False, event_hooks={"request": [note]})
    async for _batch in _adapter(settings, client).fetch({}):
        pass
    await client.aclose()


def _adapter(settings: dict[str, Any], client: httpx.AsyncClient) -> Adapter[Any]:
    catalogue = Catalogue.load(third_party=list)
    hidden = secret_names(catalogue.manifest("msupply").settings)
    model = validate(
        catalogue,
        "msupply",
        {name: value for name, value in settings.items() if name not in hidden},
        {name: value for name, value in settings.items() if name in hidden},
    )
    kit = Kit("bench", client, ssl.create_default_context(), logging.getLogger("bench"), SystemClock())
    return catalogue.create("msupply", model, kit)


async def _first_sync(folder: Path, settings: dict[str, Any]) -> tuple[int, float]:
    store = Store.open(make_store_url(folder))
    catalogue = Catalogue.load(third_party=list)
    hidden = secret_names(catalogue.manifest("msupply").settings)
    own = {name: value for name, value in settings.items() if name not in hidden}
    secrets = {name: value for name, value in settings.items() if name in hidden}
    integration = add(Desk(store, catalogue, MemoryVault()), "msupply", "mSupply", own, secrets)
    sink, client = StoreSink(store), httpx.AsyncClient(trust_env=False)
    started = time.perf_counter()
    async for batch in _adapter(settings, client).fetch({}):
        job = partial(_take, sink=sink, integration=integration, batch=batch)
        await asyncio.wrap_future(store.write(job, rows=len(batch.records), on_rollback=sink.forget))
    spent_s = time.perf_counter() - started
    await client.aclose()
    with store.read() as connection:
        tables = (ItemRow, StockLineRow, RequisitionRow, RequisitionLineRow, ShipmentRow, ShipmentLineRow)
        counts = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]
    store.close()
    return sum(counts), spent_s


def _take(connection: Connection, sink: StoreSink, integration: str, batch: Batch) -> None:
    sink.ingest(connection, integration, [batch], SystemClock().now_ms())


async def _bare(folder: Path, settings: dict[str, Any], asked: list[dict[str, Any]]) -> tuple[int, float]:
    """The same answers, each node as JSON text under its id; a transaction per answer, as ours."""
    client = httpx.AsyncClient(trust_env=False)
    token = await _token(client, settings)
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE r (id TEXT PRIMARY KEY, body TEXT);"
    )
    count = 0
    started = time.perf_counter()
    for body in asked:
        reply = await client.post(f"{settings['url']}/graphql", json=body, headers={"Authorization": f"Bearer {token}"})
        nodes = list(_nodes(reply.json()))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO r VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            [(node["id"], json.dumps(node)) for node in nodes],
        )
        connection.execute("COMMIT")
        count += len(nodes)
    spent_s = time.perf_counter() - started
    connection.close()
    await client.aclose()
    return count, spent_s


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object with an id in a list of nodes."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "nodes" and isinstance(inner, list):
                yield from (node for node in inner if isinstance(node, dict) and "id" in node)
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


async def _token(client: httpx.AsyncClient, settings: dict[str, Any]) -> str:
    query = "query($u: String!, $p: String!) { authToken(username: $u, password: $p) { ... on AuthToken { token } } }"
    body = {"query": query, "variables": {"u": settings["username"], "p": settings["password"]}}
    reply = await client.post(f"{settings['url']}/graphql", json=body)
    return str(reply.json()["data"]["authToken"]["token"])
