"""An engine that is killed between any two of its marks: what it was sending is asked about, and applied once."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import select

from app.store.tables import OutboxItem
from app.sync.words import State
from tests.helpers.depot import ROOT
from tests.helpers.stores import make_store
from tests.helpers.supply_desk import SupplyDesk, make_desk

KILLS = 12
CHANGES = 120
PAPERS = 8
PATIENCE_S = 60.0


async def test_kills_at_any_moment_apply_nothing_twice(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    desk = make_desk(store, tmp_path, papers=PAPERS, lines=2)
    chance = random.Random(5)

    def slow(_verb: str) -> str:
        time.sleep(0.02)  # so that a kill finds something under way
        return ""

    desk.peer.fault = slow
    command = [sys.executable, "-m", "tests.helpers.supply_engine", str(store.url), str(tmp_path)]
    made = 0
    met_in_doubt = 0
    for number in range(KILLS + 1):
        for _ in range(CHANGES // (KILLS + 1) + 1):
            made += 1
            desk.change("requisition_line", f"line-{made % PAPERS}-{made // PAPERS % 2}", supply_units=1_000 + made)
        await asyncio.to_thread(_run_engine, desk, command, chance.uniform(0, 0.3) if number < KILLS else None)
        met_in_doubt += desk.states().count(State.SENDING)
    keys = Counter(one.key for one in desk.peer.history)
    with store.read() as connection:
        rows = connection.execute(select(OutboxItem.key, OutboxItem.state)).all()
    assert set(keys.values()) == {1}, "a change was applied twice"
    assert {row.key for row in rows if row.state == State.ACCEPTED} == set(keys)
    for paper in range(PAPERS):
        for line in range(2):
            wanted = desk.peer.records[f"r{paper}l{line}"]["supply_units"]
            row = desk.line(f"line-{paper}-{line}")
            assert (row["supply_units"], row["pending"]) == (wanted, None)
    assert met_in_doubt, "no kill found a change under way"
    await desk.close()
    store.close()


def _run_engine(desk: SupplyDesk, command: list[str], killed_after_s: float | None) -> None:
    """Kill it so long after a change is seen under way; None: once there is nothing left to send."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "sending\n"
        ends = time.monotonic() + PATIENCE_S
        if killed_after_s is not None:
            while State.SENDING not in desk.states():
                assert time.monotonic() < ends, Counter(desk.states())
            time.sleep(killed_after_s)  # the moment itself is what is tried here
        else:
            while set(desk.states()) - {State.ACCEPTED, State.CANCELLED}:
                assert time.monotonic() < ends, Counter(desk.states())
                time.sleep(0.1)
        engine.kill()
