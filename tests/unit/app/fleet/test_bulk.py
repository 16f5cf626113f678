"""The bulk writer: repetitions are left out and counted, and nothing else is ever taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import DataError, IntegrityError

from app.fleet.bulk import BulkInsert, compile_for
from app.fleet.rows import POSITION_COLUMNS, POSITION_KEY, RAW_COLUMNS, position_row, raw_row
from app.store.store import Store
from app.store.tables import PositionRow, RawFrameRow
from tests.helpers.fleet import T0_MS, a_frame, a_position, count_of, rows_of

POSITIONS: Table = PositionRow.__table__
FRAMES: Table = RawFrameRow.__table__


def fixes(numbers: Sequence[int], first_id: int) -> list[tuple[Any, ...]]:
    return [
        position_row(first_id + at, 1, a_position(), 0, T0_MS + number, 0, None, f'{{"n":{number}}}')
        for at, number in enumerate(numbers)
    ]


def write(store: Store, *batches: list[tuple[Any, ...]]) -> list[int]:
    """Insert the batches in one transaction; returns how many of each were new."""
    bulk = BulkInsert(store.engine.dialect, POSITIONS, POSITION_COLUMNS, POSITION_KEY)
    return store.write(lambda connection: [bulk(connection, batch) for batch in batches]).result()


@pytest.mark.parametrize("size", [5, 100, 1_000])
def test_repetitions_are_left_out_and_counted(store: Store, size: int) -> None:
    first = fixes(range(size), 1)
    half_known = fixes(range(size // 2, size // 2 + size), 10_000)
    twice_in_one = fixes([*range(5_000, 5_000 + size), *range(5_000, 5_000 + size)], 20_000)

    assert write(store, first, half_known, twice_in_one, [], first) == [size, size // 2, size, 0, 0]
    assert write(store, fixes(range(9_000, 9_000 + size), 50_000)) == [size]
    stored = rows_of(store, PositionRow)
    assert len(stored) == count_of(store, PositionRow) == 3 * size + size // 2
    assert {row.attributes["n"] for row in stored if row.id < 10_000} == set(range(size))


@pytest.mark.parametrize("size", [5, 100, 1_000])
def test_a_clash_of_ids_is_an_error_and_no_repetition(store: Store, size: int) -> None:
    write(store, fixes(range(size), 1))
    with pytest.raises(IntegrityError):
        write(store, fixes(range(10_000, 10_000 + size), size))
    assert count_of(store, PositionRow) == size


@pytest.mark.parametrize("size", [5, 100, 1_000])
def test_rows_without_a_natural_key_must_all_be_new(store: Store, size: int) -> None:
    bulk = BulkInsert(store.engine.dialect, FRAMES, RAW_COLUMNS)
    rows = [raw_row(number + 1, 1, None, a_frame(data=bytes([number % 256, 0, 255]))) for number in range(size)]

    def insert_rows(connection: Connection) -> int:
        return bulk(connection, rows)

    assert store.write(insert_rows).result() == size
    assert [row.data for row in rows_of(store, RawFrameRow)] == [bytes([n % 256, 0, 255]) for n in range(size)]
    with pytest.raises(IntegrityError):
        store.write(insert_rows).result()


WIDE = {"serial": 2**40, "satellites": -(2**31) - 1, "received_at_ms": 2**63, "lat": "north", "attributes": "{bad"}


@pytest.mark.parametrize("column", WIDE)
@pytest.mark.parametrize("size", [5, 100])
def test_a_value_that_its_column_cannot_hold_is_refused_and_never_cut(
    store: Store, column: str, size: int, request: pytest.FixtureRequest
) -> None:
    if "sqlite" in request.node.callspec.id and column != "received_at_ms":
        pytest.skip("SQLite keeps values as they are")
    place = POSITION_COLUMNS.index(column)
    rows = fixes(range(size), 1)
    rows[3] = (*rows[3][:place], WIDE[column], *rows[3][place + 1 :])
    with pytest.raises((DataError, OverflowError, TypeError)):
        write(store, rows)
    assert write(store, fixes(range(size), 1)) == [size]


@pytest.mark.parametrize("size", [5, 100])
def test_every_kind_of_value_comes_back_as_it_was_given(store: Store, size: int) -> None:
    given = a_position(
        speed_km_h=40, course_deg=None, altitude_m=-1.5, satellites=2**31 - 1, serial=-(2**31), peer_id="naïve ✓"
    )
    text = '{"said":"\\u00e9 ✓"}'
    write(store, [position_row(n + 1, 2**62, given, -3600, T0_MS + n, 128, 2**40, text) for n in range(size)])
    for row in rows_of(store, PositionRow):
        assert (row.device_key, row.raw_frame_id, row.clock_offset_s, row.marks) == (2**62, 2**40, -3600, 128)
        assert (row.speed_km_h, row.course_deg, row.altitude_m) == (40.0, None, -1.5)
        assert (row.satellites, row.serial, row.peer_id) == (2**31 - 1, -(2**31), "naïve ✓")
        assert (row.lat, row.lon, row.attributes) == (given.lat, given.lon, {"said": "é ✓"})


def test_a_statement_that_takes_its_values_in_another_order_is_refused(sqlite_store: Store) -> None:
    statement = insert(POSITIONS).values({"lat": None, "id": None})
    with pytest.raises(ValueError, match="the statement takes"):
        compile_for(sqlite_store.engine.dialect, statement, ("lat", "id"))
