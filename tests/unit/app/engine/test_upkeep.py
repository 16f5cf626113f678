from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from app.engine.upkeep import FIRST_ROUND_S, ROUND_S, forget_lost_secrets, judge_leap, keep_house, watch_acts
from app.security.audit import record_act
from app.security.seal import Seal
from app.security.vault import MemoryVault, VaultLocked
from app.store.changes import raise_topic
from app.store.facts import set_fact
from app.store.retention import CLOCK_FACT
from app.store.tables import Act, RawFrameRow
from tests.helpers.engine_rig import Rig
from tests.helpers.fake_adapter import until

DAY_MS = 86_400_000


class LockedVault(MemoryVault):
    def owners(self) -> frozenset[str] | None:
        raise VaultLocked("The key store is locked.")


def write(rig: Rig, job: Any) -> Any:
    return rig.store.write(job).result(5)


def add_frames(rig: Rig, *ages_days: int) -> None:
    frame = {"integration_key": 1, "protocol": "gt02", "peer": "p", "verdict": "ok", "data": b"x", "reply": b""}
    now_ms = rig.clock.now_ms()
    rows = [{**frame, "received_at_ms": now_ms - age * DAY_MS} for age in ages_days]
    write(rig, lambda connection: connection.execute(insert(RawFrameRow), rows) and None)


def frames(rig: Rig) -> int:
    with rig.store.read() as connection:
        return connection.execute(select(func.count()).select_from(RawFrameRow)).scalar_one()


async def test_old_rows_go_a_while_after_the_start_and_then_every_hour(rig: Rig) -> None:
    add_frames(rig, 40, 40, 1)
    rig.tasks.start(keep_house(rig.store, rig.clock), name="house", owner=rig)
    await rig.clock.advance(FIRST_ROUND_S + 1)
    await until(lambda: frames(rig) == 1)
    add_frames(rig, 40, 1)
    await rig.clock.advance(ROUND_S + 1)
    await until(lambda: frames(rig) == 2)
    await rig.tasks.cancel_owner(rig)


async def test_a_clock_that_is_wrong_by_years_deletes_nothing(rig: Rig) -> None:
    add_frames(rig, 29, 10, 1)
    right_ms = rig.clock.now_ms()
    rig.tasks.start(keep_house(rig.store, rig.clock), name="house", owner=rig)
    await rig.clock.advance(FIRST_ROUND_S + 1)
    await rig.tasks.cancel_owner(rig)

    rig.clock.set_wall(right_ms + 3650 * DAY_MS)
    rig.tasks.start(keep_house(rig.store, rig.clock), name="house", owner=rig)
    await rig.clock.advance(FIRST_ROUND_S + 5 * ROUND_S)
    await until(rig.open_problems)
    assert [problem.problem_key for problem in rig.open_problems()] == ["clock_ahead"]
    assert frames(rig) == 3
    rig.clock.set_wall(right_ms)
    await rig.clock.advance(ROUND_S)
    await until(lambda: not rig.open_problems())
    await rig.tasks.cancel_owner(rig)


@pytest.mark.parametrize(("days", "is_asked"), [(1, False), (29, False), (31, True), (4000, True)])
async def test_only_a_long_way_ahead_is_asked_about_and_not_once_it_is_believed(
    rig: Rig, days: int, is_asked: bool
) -> None:
    now_ms = rig.clock.now_ms()
    for rounds, expected in ((0, is_asked), (72, False)):
        fact = {"at_ms": now_ms - days * DAY_MS, "doubted_rounds": rounds}
        write(rig, lambda connection, fact=fact: set_fact(connection, CLOCK_FACT, fact))
        write(rig, partial(judge_leap, now_ms=now_ms))
        assert bool(rig.open_problems()) is expected


async def test_deleting_is_over_when_the_chore_is_cancelled(rig: Rig) -> None:
    add_frames(rig, *[40] * 30_000)
    rig.tasks.start(keep_house(rig.store, rig.clock), name="house", owner=rig)
    await rig.clock.advance(FIRST_ROUND_S + 1)
    await until(lambda: frames(rig) < 30_000)
    await rig.tasks.cancel_owner(rig)
    left = frames(rig)
    assert left > 1, "it was cancelled in the middle"
    rig.store.close()


async def test_a_record_of_acts_that_was_tampered_with_is_a_problem_until_it_holds_again(rig: Rig) -> None:
    for number in range(3):
        write(rig, lambda connection, n=number: record_act(connection, what="test.act", subject=str(n)) and None)
    rig.tasks.start(watch_acts(rig.store, rig.ports.vault, rig.clock, rig.ports.scribe.note), name="acts", owner=rig)
    seal = Seal(rig.ports.vault, rig.store.url)
    await until(lambda: (head := seal.read()) is not None and head.entries == 3)
    await until(lambda: rig.clock._sleepers)  # the store has been told of the seal as well
    assert rig.open_problems() == []

    def spoil(connection: Any) -> None:
        connection.execute(delete(Act).where(Act.id == 3))
        raise_topic(connection, "acts")

    write(rig, spoil)
    await rig.clock.advance(31)
    await until(rig.open_problems)
    (problem,) = rig.open_problems()
    assert problem.problem_key == "acts"
    assert "cut off" in problem.detail

    with rig.store.read() as connection:
        seal.replace(seal.verify(connection).head)
    write(rig, lambda connection: raise_topic(connection, "acts") and None)
    await rig.clock.advance(31)
    await until(lambda: not rig.open_problems())
    await rig.tasks.cancel_owner(rig)


async def test_secrets_of_nobody_are_forgotten_and_a_locked_vault_waits(rig: Rig) -> None:
    known = rig.add()
    long_gone = "01890000-0000-7000-8000-000000000000"
    for owner in (known, long_gone):
        rig.ports.vault.set(owner, "token", "a-secret-of-somebody")
    await forget_lost_secrets(rig.store, rig.ports.vault)
    assert rig.ports.vault.owners() == frozenset({known})
    await forget_lost_secrets(rig.store, LockedVault())
    await asyncio.sleep(0)
