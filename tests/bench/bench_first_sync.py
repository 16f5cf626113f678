"""How late the window's loop runs while a supply system is read for the first time, its page Supply open.

The real gateway reads 100,000 nodes from the simulated mSupply in another process, the real window shows what comes.
Target: lateness of a precise 16 ms timer p99 ≤ 16 ms. Baseline: the same timer in an empty window, with nothing beside
it but the same gateway at rest.
"""

from __future__ import annotations

import asyncio
import json
import time

from sqlalchemy import func, select

from app.store.tables import ItemRow
from tests.bench.bench_screen import _go, _result, _window
from tests.bench.bench_sync_http import read_once, served
from tests.bench.common import percentile, report, scratch, unmet
from tests.helpers.command_line import run_program
from tests.helpers.depot import Depot, Gateway, wait_for

ITEMS = 45_000
WATCHED_S = 25.0
BARE_S = 10.0


def run() -> None:
    with served(ITEMS) as settings:
        asyncio.run(read_once(settings, asked=[]))  # the server has made its answers
        with scratch() as folder, Depot(folder / "depot") as depot:
            (depot.paths.data_dir / "password.txt").write_text(settings["password"])
            with Gateway(depot) as gateway:
                gateway.wait_ready()
                with _window("lateness", BARE_S, folder / "bare.npz") as window:
                    _go(window)
                    bare = _result(window, folder / "bare.npz", BARE_S + 60)
                with _window("probe_window", depot.paths.data_dir, WATCHED_S, folder / "w.npz", "supply") as window:
                    _go(window)
                    time.sleep(4)  # the window stands before the first record comes
                    _add(depot, settings)
                    shown = _result(window, folder / "w.npz", WATCHED_S + 90)
                wait_for(lambda: _items(depot) >= ITEMS, 120)
                gateway.say("stop")
                gateway.ended(15)
            read = _items(depot)
    late_ms, bare_ms = shown["late_ms"], bare["late_ms"]
    if len(late_ms) < 100:
        raise unmet("the window was not watched")
    report("items read", [float(read)], "")
    report("window's lateness, p99", [percentile(late_ms, 99)], "ms", target="≤ 16")
    report("window's lateness, p99.9", [percentile(late_ms, 99.9)], "ms", target="≤ 100")
    report("  baseline empty window, p99", [percentile(bare_ms, 99)], "ms")
    report("console's memory", [float(shown["memory"][0])], "MB")


def _add(depot: Depot, settings: dict[str, object]) -> None:
    words = ["integrations", "add", "msupply", "--name", "mSupply", "--no-check", "--json"]
    for name in ("url", "username", "stores"):
        words += ["--set", f"{name}={settings[name]}"]
    words += ["--secret", f"password=file:{depot.paths.data_dir / 'password.txt'}"]
    done = run_program("--data-dir", depot.paths.data_dir, *words)
    assert json.loads(done.out)["id"], done.err


def _items(depot: Depot) -> int:
    with depot.store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(ItemRow)).scalar_one())
