"""A hundred senders push to the receiver of a real gateway: how long each waits for its answer, given after the commit.

Each sends a signed message a second on its own kept connection. Target: p95 < 60 ms. Baseline: a bare uvicorn server in
another process that answers and stores nothing, under the same load. ``BIKO_BENCH_WEBHOOK_S`` changes the 120 seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
from sqlalchemy import func, select

from adapters.signing import key_bytes, signed_headers
from app.engine.phases import Phase
from app.store.tables import InboxMessage
from tests.bench.common import percentile, report, scratch, unmet
from tests.helpers.command_line import run_program
from tests.helpers.depot import Depot, Gateway, free_port, wait_for

ROOT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("BIKO_BENCH_WEBHOOK_S", "120"))
BASELINE_S = 20.0
SENDERS = 100
SECRET = "the secret of a benchmark, long enough"
BARE = """
import asyncio, socket, sys
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from adapters.serving import LoopServer, bound_socket
async def take(request):
    await request.body()
    return Response(status_code=200)
async def main():
    app = Starlette(routes=[Route("/webhooks", take, methods=["POST"])])
    await LoopServer(app, ws="none").start(bound_socket(socket.AF_INET, "127.0.0.1", int(sys.argv[1])))
    await asyncio.Event().wait()
asyncio.run(main())
"""


def run() -> None:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", BARE, str(port)], cwd=ROOT) as process:
        try:
            _wait_for_port(port)
            bare_ms = asyncio.run(_push(port, BASELINE_S))
        finally:
            process.kill()
    with scratch() as folder, Depot(folder) as depot:
        port = free_port()
        (depot.paths.data_dir / "secret.txt").write_text(SECRET)
        words = ["integrations", "add", "webhook", "--name", "Pushes", "--json", "--set", f"port={port}"]
        words += ["--set", "per_minute=100000", "--secret", f"secret=file:{depot.paths.data_dir / 'secret.txt'}"]
        done = run_program("--data-dir", depot.paths.data_dir, *words)
        integration_id = json.loads(done.out)["id"]
        with Gateway(depot) as gateway:
            gateway.wait_ready()
            wait_for(lambda: (state := depot.state(integration_id)) is not None and state.phase is Phase.HEALTHY)
            ours_ms = asyncio.run(_push(port, SECONDS))
            gateway.say("stop")
            gateway.ended(15)
        with depot.store.read() as connection:
            stored = connection.execute(select(func.count()).select_from(InboxMessage)).scalar_one()
    report("messages answered", [float(len(ours_ms))], f"in {SECONDS:.0f} s")
    report("of them not in the store", [float(len(ours_ms) - stored)], "", target="0")
    report("answer after the commit, median", [percentile(ours_ms, 50)], "ms")
    report("answer after the commit, p95", [percentile(ours_ms, 95)], "ms", target="< 60")
    report("answer after the commit, p99", [percentile(ours_ms, 99)], "ms")
    report("  baseline without a store, p95", [percentile(bare_ms, 95)], "ms")
    print(f"  ratio of the p95 {percentile(ours_ms, 95) / percentile(bare_ms, 95):.1f}")


async def _push(port: int, seconds: float) -> list[float]:
    """Waiting times in ms of every message that was answered 200."""
    answers: list[float] = []
    ends = time.monotonic() + seconds

    async def sender(number: int) -> None:
        await asyncio.sleep(number / SENDERS)
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            due = time.monotonic()
            while due < ends:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                body = json.dumps({"type": "stock.changed", "store": "kano", "lines": [{"id": "al", "units": number}]})
                headers = signed_headers([key_bytes(SECRET)], str(uuid.uuid4()), int(time.time()), body.encode())
                started = time.perf_counter()
                reply = await client.post(f"http://127.0.0.1:{port}/webhooks", content=body, headers=headers)
                if reply.status_code != 200:
                    raise unmet(f"a message was answered {reply.status_code}: {reply.text[:200]}")
                answers.append((time.perf_counter() - started) * 1_000)
                due += 1.0

    async with asyncio.TaskGroup() as group:
        for number in range(SENDERS):
            group.create_task(sender(number))
    return answers


def _wait_for_port(port: int) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 404
        except httpx.HTTPError:
            return False

    wait_for(answers)
