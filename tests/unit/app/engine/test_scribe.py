from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from app.engine import scribe as scribe_module
from app.engine.journal import write_log
from app.store.errors import StoreFull
from tests.helpers.engine_rig import Rig
from tests.helpers.fake_adapter import until

NOW_MS = 1_750_000_000_000


def line(text: str) -> Any:
    return partial(write_log, integration_id=None, event_type="note", text=text, payload={}, now_ms=NOW_MS)


async def test_notes_are_written_in_their_order(rig: Rig) -> None:
    for n in range(50):
        rig.ports.scribe.note(line(str(n)))
    await rig.written()
    assert [row.text for row in rig.logs()] == [str(n) for n in range(50)]


async def test_a_newer_note_of_one_key_replaces_one_that_waits(rig: Rig) -> None:
    for n in range(50):
        rig.ports.scribe.note(line(str(n)), key="state")
    await rig.written()
    texts = [row.text for row in rig.logs()]
    assert texts[-1] == "49"
    assert len(texts) <= 3


async def test_notes_wait_while_the_store_refuses(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe_module, "RETRY_S", 0.02)
    refusals = 3

    def moody(text: str, connection: Connection) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise StoreFull("The disk is full.")
        line(text)(connection)

    rig.ports.scribe.note(partial(moody, "first"))
    rig.ports.scribe.note(line("second"))
    await rig.written()
    assert sorted(row.text for row in rig.logs()) == ["first", "second"]


async def test_a_note_with_a_key_is_written_though_others_find_no_room(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe_module, "RETRY_S", 0.02)

    def no_room(_connection: Connection) -> None:
        raise StoreFull("The disk is full.")

    for _ in range(3):
        rig.ports.scribe.note(no_room)
    rig.ports.scribe.note(line("state"), key="state")
    await until(lambda: [row.text for row in rig.logs()] == ["state"])


async def test_a_defect_in_a_note_costs_that_note_only(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_connection: Connection) -> None:
        raise TypeError("a defect")

    with caplog.at_level(logging.ERROR):
        rig.ports.scribe.note(broken)
        rig.ports.scribe.note(line("good"))
        await rig.written()
    assert [row.text for row in rig.logs()] == ["good"]
    assert "a defect" in caplog.text


async def test_flush_gives_up_in_time(rig: Rig) -> None:
    def full(_connection: Connection) -> None:
        raise StoreFull("The disk is full.")

    rig.ports.scribe.note(full)
    assert not await rig.ports.scribe.flush(0.05)
