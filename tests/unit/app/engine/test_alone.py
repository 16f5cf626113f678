from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection, text

from app.engine.alone import TransactionGone, run_alone
from app.engine.journal import write_log
from app.store.errors import StoreError, StoreFull
from tests.helpers.engine_rig import Rig

NOW_MS = 1_750_000_000_000


def line(connection: Connection, words: str) -> None:
    write_log(connection, None, "note", words, payload={}, now_ms=NOW_MS)


async def test_a_part_that_fails_is_undone_and_the_others_stay(rig: Rig) -> None:
    def broken(connection: Connection) -> None:
        line(connection, "half done")
        raise LookupError("a defect")

    def job(connection: Connection) -> None:
        run_alone(connection, partial(line, connection, "before"))
        with pytest.raises(LookupError):
            run_alone(connection, partial(broken, connection))
        run_alone(connection, partial(line, connection, "after"))

    rig.store.write(job).result(5)
    assert [row.text for row in rig.logs()] == ["before", "after"]


async def test_a_full_disk_ends_the_whole_job(rig: Rig) -> None:
    def fill(connection: Connection) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count={pages + 2}"))
        for n in range(1000):
            line(connection, "x" * 1000 + str(n))

    def job(connection: Connection) -> None:
        line(connection, "before")
        try:
            run_alone(connection, partial(fill, connection))
        except TransactionGone as gone:
            raise gone.cause from gone

    with pytest.raises(StoreError) as caught:
        rig.store.write(job).result(10)
    assert isinstance(caught.value, StoreFull)
    assert rig.logs() == [], "nothing of the job stands alone"
    rig.store.write(partial(line, words="afterwards")).result(5)
    assert [row.text for row in rig.logs()] == ["afterwards"]
