from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select

from app.clock import from_ms
from app.engine import retention
from app.engine.journal import write_log
from app.engine.retention import DAY_MS, FACT, keep_house
from app.store.facts import set_fact
from app.store.tables import Command, IntegrationLog, PositionRow, RawFrameRow
from tests.helpers.engine_rig import Rig


def write(rig: Rig, job: Any) -> Any:
    return rig.store.write(job).result(5)


def raw(received_at_ms: int) -> dict[str, Any]:
    return {
        "integration_key": 1,
        "device_key": 1,
        "received_at_ms": received_at_ms,
        "protocol": "gt02",
        "peer": "p",
        "verdict": "ok",
        "data": b"x",
        "reply": b"",
    }


def fix(received_at_ms: int) -> dict[str, Any]:
    return {
        "device_key": 1,
        "fixed_at_ms": received_at_ms,
        "received_at_ms": received_at_ms,
        "lat": 9.0,
        "lon": 7.0,
        "located": True,
        "marks": 0,
        "clock_offset_s": 0,
        "source": "gt02",
        "key_extra": "",
    }


def count(rig: Rig, table: Any) -> int:
    with rig.store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


async def test_only_what_is_older_than_its_keeping_time_goes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 10)
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    now_ms = rig.clock.now_ms()
    ages = [40] * 25 + [29] * 5

    def fill(connection: Any) -> None:
        connection.execute(insert(RawFrameRow), [raw(now_ms - age * DAY_MS + n) for n, age in enumerate(ages)])
        connection.execute(insert(PositionRow), [fix(now_ms - age * DAY_MS + n) for n, age in enumerate([401, 399])])
        for age in (91, 89):
            moment = now_ms - age * DAY_MS
            write_log(connection, None, "note", "old or new", payload={}, now_ms=moment)
        for command_id, age in (("old", 8), ("new", 6)):
            done = from_ms(now_ms - age * DAY_MS)
            row = {"id": command_id, "name": "sync", "payload": {}, "created_at": done, "done_at": done}
            connection.execute(insert(Command).values(row))

    write(rig, fill)
    assert await keep_house(rig.store, rig.clock) == 25 + 1 + 1 + 1
    assert [count(rig, table) for table in (RawFrameRow, PositionRow, IntegrationLog, Command)] == [5, 1, 1, 1]
    assert await keep_house(rig.store, rig.clock) == 0


async def test_the_operator_chooses_how_long_and_0_keeps_for_ever(rig: Rig) -> None:
    now_ms = rig.clock.now_ms()

    def fill(connection: Any) -> None:
        connection.execute(insert(RawFrameRow), [raw(now_ms - 5 * DAY_MS)])
        connection.execute(insert(PositionRow), [fix(now_ms - 4000 * DAY_MS)])
        set_fact(connection, FACT, {"raw_days": 3, "position_days": 0})

    write(rig, fill)
    assert await keep_house(rig.store, rig.clock) == 1
    assert count(rig, PositionRow) == 1
