"""A port lent by a running engine to the workbench, and taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.clock import SystemClock
from app.engine.engine import Engine
from app.engine.facts import ENGINE_FACT
from app.engine.loans import LOAN_S, Loans
from app.engine.phases import Phase
from app.fuel import lending
from app.fuel.lending import NotLent, PortLoan
from app.store.facts import set_fact
from app.store.tables import Command
from app.tasks import Tasks
from tests.helpers.engine_rig import Rig, rig
from tests.helpers.fake_adapter import until

__all__ = ["rig"]

PORT = "/dev/ttyUSB0"
LISTENS = pytest.mark.parametrize("modes", [frozenset({"listen"})])


class Lender:
    """What the fake adapter does when a port is asked for."""

    def __init__(self, rig: Rig) -> None:
        self.asked: list[tuple[str, float]] = []
        self.holds = True
        self.hangs = False
        lender = self

        async def lend(_self: Any, resource: str, seconds: float) -> bool:
            import asyncio

            lender.asked.append((resource, seconds))
            if lender.hangs and seconds:
                await asyncio.Event().wait()
            return lender.holds

        rig.kind.lend = lend  # type: ignore[assignment]


@pytest_asyncio.fixture
async def lender(rig: Rig) -> Lender:
    return Lender(rig)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Engine]:
    ports, tasks = rig.ports, Tasks()
    clock = SystemClock()
    engine = Engine(
        rig.store, ports.catalogue, ports.vault, clock=clock, sink=ports.sink, tasks=rig.tasks, make_kit=rig.kits
    )
    beat = {"state": "running", "beat_at_ms": clock.now_ms()}
    rig.store.write(lambda connection: set_fact(connection, ENGINE_FACT, beat)).result()
    task = tasks.start(engine.run(), name="engine", owner=rig)
    try:
        await engine.wait_started(10)
        yield engine
    finally:
        engine.stop()
        await task
        await tasks.close()


def loan(rig: Rig, tasks: Tasks) -> PortLoan:
    return PortLoan(rig.store, PORT, clock=SystemClock(), tasks=tasks)


@LISTENS
async def test_a_port_is_lent_told_and_taken_back(rig: Rig, lender: Lender) -> None:
    integration, tasks = rig.add("Fuel of depot"), Tasks()
    async with running(rig) as engine:
        await until(lambda: engine.states[integration].phase in {Phase.HEALTHY, Phase.STALE})
        async with loan(rig, tasks) as held:
            assert held.lent_by == ("Fuel of depot",)
            reason = engine.states[integration].reason
            assert reason.startswith(f"{PORT} is lent to the workbench since ")
            assert engine.states[integration].detail["lent"] == [PORT]
        await until(lambda: (PORT, 0) in lender.asked)
        await until(lambda: "lent" not in engine.states[integration].reason)
        assert "lent" not in engine.states[integration].detail
    await tasks.close()
    assert lender.asked == [(PORT, LOAN_S), (PORT, 0)]


@LISTENS
async def test_a_loan_is_renewed(rig: Rig, lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "RENEW_S", 0.05)
    rig.add()
    tasks = Tasks()
    async with running(rig), loan(rig, tasks):
        await until(lambda: lender.asked.count((PORT, LOAN_S)) >= 3)
    await tasks.close()


@LISTENS
async def test_an_integration_that_starts_meanwhile_leaves_the_port_alone(rig: Rig, lender: Lender) -> None:
    tasks = Tasks()
    async with running(rig) as engine, loan(rig, tasks) as held:
        assert held.lent_by == ()
        integration = rig.add("Later")
        await until(lambda: integration in engine.states and lender.asked)
        resource, seconds = lender.asked[0]
        assert resource == PORT
        assert 0 < seconds <= LOAN_S
        await until(lambda: "is lent to the workbench" in engine.states[integration].reason)
    await tasks.close()


@LISTENS
async def test_an_integration_that_does_not_let_go_is_told(
    rig: Rig, lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine.lending.LET_GO_S", 0.1)
    lender.hangs = True
    integration, tasks = rig.add(), Tasks()
    async with running(rig) as engine:
        await until(lambda: integration in engine.states)
        with pytest.raises(NotLent, match="did not let go"):
            async with loan(rig, tasks):
                pytest.fail("it was entered")
    await tasks.close()


async def test_a_second_borrower_is_refused(rig: Rig) -> None:
    tasks = Tasks()
    async with running(rig), loan(rig, tasks):
        with pytest.raises(NotLent, match="in use by another workbench"):
            async with loan(rig, tasks):
                pytest.fail("it was entered")
    await tasks.close()


async def test_without_an_engine_the_port_is_simply_opened(rig: Rig) -> None:
    tasks = Tasks()
    async with loan(rig, tasks) as held:
        assert held.lent_by == ()
    async with PortLoan(None, PORT, clock=SystemClock(), tasks=tasks):
        pass
    await tasks.close()
    with rig.store.read() as connection:
        assert connection.execute(select(Command.id)).all() == []


async def test_an_engine_that_does_not_answer_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "ANSWER_S", 0.1)
    beat = {"state": "running", "beat_at_ms": SystemClock().now_ms()}
    rig.store.write(lambda connection: set_fact(connection, ENGINE_FACT, beat)).result()
    tasks = Tasks()
    with pytest.raises(NotLent, match="did not answer"):
        async with loan(rig, tasks):
            pytest.fail("it was entered")
    await tasks.close()
    with rig.store.read() as connection:
        names = connection.execute(select(Command.name).order_by(Command.created_at, Command.id)).scalars().all()
    assert names == ["port.lend", "port.return"], "the wish is taken back, should it be read later"


def test_loans_belong_to_their_borrower_and_end() -> None:
    loans = Loans()
    assert loans.lend(PORT, "a", 0, 100.0)
    assert not loans.lend(PORT, "b", 0, 101.0)
    assert not loans.end(PORT, "b")
    assert loans.lend(PORT, "a", 5, 120.0)
    assert loans.left(121.0) == {PORT: 29.0}
    assert loans.spoken({PORT, "other"}, 121.0) == {PORT: f"{PORT} is lent to the workbench since 00:00 UTC."}
    assert loans.lend(PORT, "b", 0, 151.0), "not renewed in time"
    assert loans.end(PORT, "b")
    assert loans.left(151.0) == {}
