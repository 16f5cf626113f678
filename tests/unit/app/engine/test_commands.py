from __future__ import annotations

from functools import partial
from typing import Any

from app.engine.commands import (
    EXPIRES_AFTER_MS,
    STOP,
    SYNC,
    close_left_over,
    finish_command,
    give_command,
    outcome_of,
    take_commands,
)
from tests.helpers.engine_rig import Rig

NOW_MS = 1_750_000_000_000


def write(rig: Rig, job: Any) -> Any:
    return rig.store.write(job).result(5)


def outcome(rig: Rig, command_id: str) -> Any:
    with rig.store.read() as connection:
        return outcome_of(connection, command_id)


async def test_a_wish_is_taken_once_and_answered(rig: Rig) -> None:
    give = partial(give_command, name=SYNC, now_ms=NOW_MS, integration_id="i1", payload={"why": "test"})
    command_id = write(rig, give)
    assert outcome(rig, command_id) is None
    (wish,) = write(rig, partial(take_commands, now_ms=NOW_MS))
    assert (wish.id, wish.name, wish.integration_id, wish.payload) == (command_id, SYNC, "i1", {"why": "test"})
    assert write(rig, partial(take_commands, now_ms=NOW_MS)) == []
    write(rig, partial(finish_command, command_id=command_id, outcome={"ok": True}, now_ms=NOW_MS))
    assert outcome(rig, command_id) == {"ok": True}


async def test_a_new_engine_closes_what_the_last_one_left_but_not_what_was_just_wished(rig: Rig) -> None:
    taken = write(rig, partial(give_command, name=SYNC, now_ms=NOW_MS))
    write(rig, partial(take_commands, now_ms=NOW_MS))
    old = write(rig, partial(give_command, name=SYNC, now_ms=NOW_MS - EXPIRES_AFTER_MS - 1))
    stop = write(rig, partial(give_command, name=STOP, now_ms=NOW_MS))
    new = write(rig, partial(give_command, name=SYNC, now_ms=NOW_MS))
    write(rig, partial(close_left_over, now_ms=NOW_MS))
    for command_id in (taken, old, stop):
        assert outcome(rig, command_id)["ok"] is False
    assert [wish.id for wish in write(rig, partial(take_commands, now_ms=NOW_MS))] == [new]
