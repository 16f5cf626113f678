"""From the start of the process to a page that can be used, beside a bare PySide6 window; memory with a full map.

Both windows are started in the same way, in turn, and tell the wall clock when they have painted. The console's data
folder exists; its engine is started as always and takes its share of the machine. Python keeps its compiled files, as
it does where nothing forbids it: the first start of each is not counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from app.paths import Paths
from app.store import migrate
from app.store.store import Store
from tests.bench.common import report, rss_mb, scratch, unmet
from tests.helpers.map_fleet import make_fleet

ROOT = Path(__file__).parents[2]
RUNS = 7
MEMORY_RUNS = 3
VEHICLES = 2_000

BARE = """
import sys, time
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow
app = QApplication([])
window = QMainWindow()
window.setCentralWidget(QLabel("A bare window"))
window.resize(1280, 800)
window.show()
app.processEvents()
window.repaint()
print(time.time(), flush=True)
"""

CONSOLE = """
import asyncio, os, sys, time
import main as program

async def look(console):
    await console.standing.wait()
    page = console.window.page
    while not page.is_ready:
        await asyncio.sleep(0.002)
    page.repaint()
    print(time.time(), flush=True)
    if os.environ.get("BENCH_HOLD"):
        while len(page.fleet.subjects) < int(os.environ["BENCH_HOLD"]):
            await asyncio.sleep(0.05)
        await asyncio.sleep(3.0)  # a while of ordinary work: ticks, labels, the engine's first beats
        print("settled", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    console.window.exit_event.set()

run = program.Console.run

async def looked_at(console):
    looking = asyncio.get_running_loop().create_task(look(console))
    status = await run(console)
    await looking
    return status

program.Console.run = looked_at
sys.argv[0] = "main.py"
sys.exit(program.run())
"""


def run() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with scratch() as folder:
        paths = _filled(folder / "data", 0)
        bare, console = [], []
        _start_bare()  # once each, for the file system's cache and the compiled files
        _start_console(paths, "integrations")
        for _ in range(RUNS):
            bare.append(_start_bare())
            console.append(_start_console(paths, "integrations"))
        report("bare PySide6 window, start to painted", bare, "s")
        report("console, start to usable Integrations page", console, "s", target="≤ 1 s")
        ratios = [ours / theirs for ours, theirs in zip(console, bare, strict=True)]
        report("console beside the bare window", ratios, "times", target="≤ 6")
        paths = _filled(folder / "fleet", VEHICLES)
        memory = [_memory_mb(paths) for _ in range(MEMORY_RUNS)]
        report(f"console with {VEHICLES:,} vehicles on the map", memory, "MB resident", target="≤ 200 MB")


def _filled(folder: Path, vehicles: int) -> Paths:
    paths = Paths(folder)
    paths.create()
    migrate.upgrade(paths.store_url, paths.backups)
    if vehicles:
        store = Store.open(paths.store_url)
        # Its last tracker has no vehicle.
        make_fleet(store, vehicles + 1, time.time_ns() // 1_000_000)
        store.close()
    return paths


def _start_bare() -> float:
    began_s = time.time()
    ended = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(ended.stdout) - began_s


def _command(paths: Paths, page: str) -> list[str]:
    return [sys.executable, "-c", CONSOLE, "--data-dir", str(paths.data_dir), "--page", page]


def _start_console(paths: Paths, page: str) -> float:
    began_s = time.time()
    ended = subprocess.run(_command(paths, page), capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    if ended.returncode != 0:
        raise unmet(f"the console ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return float(ended.stdout) - began_s


def _memory_mb(paths: Paths) -> float:
    environment = {**os.environ, "BENCH_HOLD": str(VEHICLES)}
    command = _command(paths, "map")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as console:
        assert console.stdout is not None
        for line in console.stdout:
            if line.strip() == "settled":
                break
        resident = rss_mb(console.pid)
        console.communicate("\n", timeout=60)
    if not resident:
        raise unmet("this system does not tell the memory of a process")
    return resident
