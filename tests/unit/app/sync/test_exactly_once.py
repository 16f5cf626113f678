"""Whatever the line, the peer, the operator and the engine do: each change is applied once or never, and in order."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from app.errors import OperatorError
from app.store.tables import OutboxItem
from app.sync.acts import cancel, pause, restore, resume, retry, set_aside
from app.sync.conflicts import resolve
from app.sync.errors import ChangeRefused
from tests.helpers.stores import make_store
from tests.helpers.supply_desk import SupplyDesk, make_desk
from tests.helpers.supply_peer import PLACES

ACTS = {"retry": retry, "set_aside": set_aside, "restore": restore, "cancel": cancel, "pause": pause, "resume": resume}
PAPERS, LINES = 2, 2
RECORDS = [(f"line-{n}-{m}", f"r{n}l{m}") for n in range(PAPERS) for m in range(LINES)]


class Outbox(RuleBasedStateMachine):
    """One console, one engine that comes and goes, one peer behind a bad line; time is lent."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="biko-outbox-"))
        self.loop = asyncio.new_event_loop()
        self.store = make_store(self.folder)
        self.desk = self.loop.run_until_complete(self._made())
        self.faults: list[str] = []
        self.desk.peer.fault = self._fault
        self.values = 100.0
        self.is_running = False

    async def _made(self) -> SupplyDesk:
        return make_desk(self.store, self.folder, papers=PAPERS, lines=LINES)

    def _fault(self, verb: str) -> str:
        """The next fault that fits the request; called under the peer's lock."""
        if self.faults and (self.faults[0] == "" or self.faults[0].startswith(verb)):
            return self.faults.pop(0)
        return ""

    def _run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def _items(self) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(select(OutboxItem.__table__).order_by(OutboxItem.seq)))

    @rule(which=st.integers(0, len(RECORDS) - 1), both=st.booleans())
    def change(self, which: int, both: bool) -> None:
        """Every value is another, so that the peer's history tells which change it was."""
        self.values += 1
        values: dict[str, Any] = {"supply_units": self.values}
        if both:
            values["approved_units"] = self.values
        with suppress(ChangeRefused):  # its field may be in conflict
            self.desk.change("requisition_line", RECORDS[which][0], **values)

    @rule(places=st.lists(st.sampled_from(["", "", *PLACES]), max_size=6))
    def break_the_line(self, places: list[str]) -> None:
        self.faults = list(places)

    @rule(which=st.integers(0, len(RECORDS) - 1), on=st.booleans())
    def refuse(self, which: int, on: bool) -> None:
        name = RECORDS[which][1]
        if on:
            self.desk.peer.refused[name] = "It is closed."
        else:
            self.desk.peer.refused.pop(name, None)

    @rule(which=st.integers(0, 30), act=st.sampled_from(sorted(ACTS)))
    def decide(self, which: int, act: str) -> None:
        items = self._items()
        if items:
            try:
                self.desk.write(ACTS[act], [items[which % len(items)].id], now=self.desk.now)
            except OperatorError:
                return

    @rule(which=st.integers(0, len(RECORDS) - 1))
    def another_changes_it_there(self, which: int) -> None:
        self.values += 1
        with self.desk.peer.lock:
            self.desk.peer.records[RECORDS[which][1]]["supply_units"] = self.values

    @rule(keep=st.sampled_from(["ours", "theirs"]))
    def settle_conflicts(self, keep: Any) -> None:
        for row in self.desk.conflicts():
            if row.state == "open":
                self.desk.write(resolve, self.desk.catalogue, row.id, keep, now=self.desk.now)

    @precondition(lambda self: not self.is_running)
    @rule()
    def start(self) -> None:
        self._run(self._start())

    async def _start(self) -> None:
        self.desk.start()
        self.is_running = True

    @precondition(lambda self: self.is_running)
    @rule()
    def stop(self) -> None:
        """Also in the middle of a request: what is under way then is in doubt."""
        self._run(self.desk.stop())
        self.is_running = False

    @rule(seconds=st.sampled_from([0, 1, 5, 60, 400]))
    def wait(self, seconds: int) -> None:
        self._run(self._wait(seconds))

    async def _wait(self, seconds: float) -> None:
        if self.desk.coordinator is not None:
            self.desk.coordinator.queues_moved(frozenset({"outbox"}))
        await asyncio.sleep(0.02)
        await self.desk.clock.advance(seconds)
        await asyncio.sleep(0.02)

    @invariant()
    def nothing_is_applied_twice_or_claimed_too_early(self) -> None:
        if not hasattr(self, "desk"):
            return
        items = self._items()  # read before the history: what is accepted now must stand in it
        with self.desk.peer.lock:
            history = list(self.desk.peer.history)
        keys = Counter(one.key for one in history)
        assert not [key for key, count in keys.items() if count > 1]
        applied = {(one.record, one.values.get("supply_units")) for one in history}
        for item in items:
            wanted = (item.peer_id, item._mapping[OutboxItem.__table__.c["values"]].get("supply_units"))
            if item.state == "accepted":
                assert wanted in applied, "claimed accepted, never applied"
            if item.state in ("cancelled", "refused"):
                assert item.key not in keys, f"{item.state}, yet applied"

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        try:
            self._run(self._heal())
            self.nothing_is_applied_twice_or_claimed_too_early()
            self._everything_has_converged()
        finally:
            self._run(self.desk.close())
            self.store.close()
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _heal(self) -> None:
        """The line is good, nothing is refused any more, the operator lets everything go."""
        self.faults.clear()
        self.desk.peer.refused.clear()
        if not self.is_running:
            await self._start()
        deadline = self.loop.time() + 30
        while open_ones := [item for item in self._items() if item.state not in ("accepted", "cancelled")]:
            assert self.loop.time() < deadline, [(item.seq, item.state, item.last_answer) for item in open_ones]
            for row in self.desk.conflicts():
                if row.state == "open":
                    self.desk.write(resolve, self.desk.catalogue, row.id, "ours", now=self.desk.now)
            for item in open_ones:
                for act in (restore, resume, retry):
                    try:
                        self.desk.write(act, [item.id], now=self.desk.now)
                    except OperatorError:
                        continue
            await self._wait(400)

    def _everything_has_converged(self) -> None:
        accepted = [item for item in self._items() if item.state == "accepted"]
        for row_id, peer_id in RECORDS:
            line = self.desk.line(row_id)
            assert line["pending"] is None
            mine = [one.values["supply_units"] for one in self.desk.peer.history if one.record == peer_id]
            assert len(mine) == len(set(mine)), "applied twice"
            made = [
                item._mapping[OutboxItem.__table__.c["values"]]["supply_units"]
                for item in accepted
                if item.record_id == row_id and "supply_units" in item._mapping[OutboxItem.__table__.c["values"]]
            ]
            assert mine == made, "in another order than the changes were made, or not all"
            if mine:
                assert line["supply_units"] == mine[-1]


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
