"""Exports: columns of the contract, filters, formats, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from adapters.records import DeviceEvent, DeviceInfo, FuelReading, Geofence
from app.fleet import devices, export, export_pages, export_tables
from app.fleet.errors import FleetError
from app.fleet.export_supply import SUPPLY_TABLES
from app.fleet.text import harmless
from app.store.store import Store
from tests.helpers.fleet import IMEI, OTHER_IMEI, T0_MS, Feed, a_drive, a_position, make_feed

HOUR_MS = 3_600_000


@pytest.fixture
def feed(store: Store) -> Feed:
    return make_feed(store)


def rows(feed: Feed, table: str, **wanted: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in export.export_rows(feed.store, table, **wanted)]


def test_positions_have_the_columns_of_the_contract(feed: Feed) -> None:
    feed(a_position(serial=9, course_deg=361.0))
    feed.store.write(lambda c: devices.adopt(c, IMEI, "KAN-1", now_ms=T0_MS)).result()
    (text,) = export.export_pieces(feed.store, "positions", "jsonl")
    assert json.loads(text) == {
        "device": IMEI,
        "vehicle": "KAN-1",
        "integration_id": "gt02-1",
        "fixed_at": "2026-01-01T00:00:00Z",
        "received_at": "2026-01-01T00:00:01Z",
        "lat": 9.0765,
        "lon": 7.3986,
        "speed_km_h": 40.0,
        "course_deg": 361.0,
        "located": True,
        "marks": ["course_range"],
        "source": "gt02",
        "serial": 9,
    }


def test_positions_are_filtered_by_time_and_by_any_column(feed: Feed) -> None:
    feed(*a_drive(count=10), *a_drive(OTHER_IMEI, count=10), a_position(fixed_at_ms=T0_MS + HOUR_MS, lat=0.0, lon=0.0))
    feed.store.write(lambda c: devices.adopt(c, IMEI, "KAN-1", now_ms=T0_MS)).result()
    assert len(rows(feed, "positions")) == 21
    assert len(rows(feed, "positions", since_ms=T0_MS + 10_000, until_ms=T0_MS + 30_000)) == 4
    assert len(rows(feed, "positions", where={"device": OTHER_IMEI})) == 10
    assert len(rows(feed, "positions", where={"vehicle": "KAN-1", "marks": "zero_position"})) == 1
    assert len(rows(feed, "positions", where={"vehicle": "", "marks": ""})) == 10
    assert len(rows(feed, "positions", where={"lat": "9.0765", "serial": "3"})) == 2
    assert len(rows(feed, "positions", where={"located": "true"})) == 21
    assert rows(feed, "positions", where={"lat": "nowhere"}) == []


def test_pages_neither_lose_nor_double_rows(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_pages, "PAGE_ROWS", 3)
    same_moment = [a_position(fixed_at_ms=T0_MS, lat=9.0 + n * 1e-5, serial=100 + n) for n in range(7)]
    drive = a_drive(count=11, start_ms=T0_MS + HOUR_MS)
    feed(*same_moment, *drive)
    events = [DeviceEvent(IMEI, T0_MS, T0_MS, "gt06", "alarm", str(n), f"alarm {n}") for n in range(8)]
    feed(*events)

    exported = rows(feed, "positions")
    assert [row["serial"] for row in exported] == [*range(100, 107), *range(11)]
    assert sorted(row["code"] for row in rows(feed, "events")) == [str(n) for n in range(8)]


OTHERS = (*SUPPLY_TABLES, "drivers", "batches", "proofs")
"""Tables of other feeds: theirs have tests of their own."""


def test_every_table_exports_in_every_format(feed: Feed, tmp_path: Path) -> None:
    feed(a_position(), DeviceEvent(IMEI, T0_MS, T0_MS, "gt06", "sos", "1", "SOS"), DeviceInfo("7", "Van", "7"))
    feed(Geofence("1", "Depot", "circle", ((9.0, 7.0),), 100.0), FuelReading("lls:1", T0_MS, T0_MS, 1200))
    feed.store.write(lambda c: devices.adopt(c, IMEI, "KAN-1", now_ms=T0_MS)).result()
    for table, found in export_tables.TABLES.items():
        expected = rows(feed, table)
        assert expected or table in ("logs", "alarms", "fuel-events", "outbox", "conflicts", *OTHERS), table
        assert all(tuple(row) == tuple(found.columns) for row in expected), table
        text = b"".join(export.export_pieces(feed.store, table, "csv")).decode()
        assert len(list(csv.DictReader(io.StringIO(text)))) == len(expected)
        path = tmp_path / f"{table}.xlsx"
        path.write_bytes(b"".join(export.export_pieces(feed.store, table, "xlsx")))
        (sheet,) = load_workbook(path).worksheets
        assert [cell.value for cell in sheet[1]] == list(found.columns)
        assert sheet.max_row == len(expected) + 1
        lines = b"".join(export.export_pieces(feed.store, table, "jsonl")).decode().splitlines()
        assert [ageless(json.loads(line)) for line in lines] == [
            ageless(row) for row in json.loads(json.dumps(expected))
        ]


def ageless(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what a second between two readings changes."""
    return {name: value for name, value in row.items() if name != "age_s"}


def test_a_formula_in_a_name_stays_text_and_numbers_stay_numbers(feed: Feed, tmp_path: Path) -> None:
    feed(DeviceInfo("7", '=HYPERLINK("http://evil")', "7", phone="+2348000", model="bell \x07"), a_position(lon=-7.5))
    where = {"device": "7"}
    text = b"".join(export.export_pieces(feed.store, "devices", "csv", where=where)).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == '\'=HYPERLINK("http://evil")'
    assert row["phone"] == "'+2348000"

    path = tmp_path / "devices.xlsx"
    path.write_bytes(b"".join(export.export_pieces(feed.store, "devices", "xlsx", where=where)))
    cells = {head.value: cell for head, cell in zip(*load_workbook(path).worksheets[0].rows, strict=True)}
    assert cells["name"].data_type == "s"
    assert cells["name"].value.startswith("'=")

    text = b"".join(export.export_pieces(feed.store, "positions", "csv")).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["lon"] == "-7.5"


@given(st.text() | st.sampled_from("=+-@＝＋－＠\n\t").flatmap(lambda first: st.text().map(lambda rest: first + rest)))
def test_no_text_begins_like_a_formula(text: str) -> None:
    safe = harmless(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert safe.removeprefix("'") == text.removeprefix("'")


def test_a_long_table_goes_on_in_the_next_sheet(feed: Feed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export, "_SHEET_ROWS", 5)
    feed(*a_drive(count=10))
    path = tmp_path / "positions.xlsx"
    path.write_bytes(b"".join(export.export_pieces(feed.store, "positions", "xlsx")))
    book = load_workbook(path)
    assert [sheet.max_row for sheet in book.worksheets] == [5, 5, 3]
    assert book.sheetnames == ["positions", "positions 2", "positions 3"]


def test_wrong_wishes_are_refused_before_the_first_row(feed: Feed) -> None:
    with pytest.raises(FleetError, match="no table fuel"):
        export.export_rows(feed.store, "fuel")
    with pytest.raises(FleetError, match="no column colour"):
        export.export_rows(feed.store, "positions", where={"colour": "red"})
    with pytest.raises(FleetError, match="belong to no time"):
        export.export_rows(feed.store, "vehicles", since_ms=T0_MS)
    with pytest.raises(FleetError, match="no format"):
        export.export_pieces(feed.store, "positions", "pdf")  # type: ignore[arg-type]
