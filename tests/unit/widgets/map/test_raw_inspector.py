"""The inspector shows every byte, marks the bytes of a field, and copies all of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.catalogue import Catalogue
from tests.helpers.qt import Console
from widgets.map.raw_inspector import FrameView, RawInspector, as_text, fields_of, hex_lines, text_ranges

# gps-protocols.md 2: a location of a moving device near the equator, located, north, east, charging
LOCATION = bytes.fromhex("68682500000123456789012345000110010101010101026b3f3e026b3f3e000000000000000000010d0a")


def a_frame(data: bytes = LOCATION, kind: str = "gt02_tracker", protocol: str = "gt02") -> FrameView:
    return FrameView(
        "Position 7 of <b>ABC</b>", protocol, data, 1_767_225_600_000, "10.0.0.7:4711", "ok", b"\x54\x68", kind
    )


@given(st.binary(min_size=1, max_size=300), st.data())
def test_ranges_point_at_the_bytes_in_the_text(data: bytes, draw: st.DataObject) -> None:
    text = "\n".join(hex_lines(data))
    offset = draw.draw(st.integers(0, len(data) - 1))
    length = draw.draw(st.integers(0, len(data) - offset))
    marked = " ".join(text[start:end] for start, end in text_ranges(offset, length))
    assert marked == data[offset : offset + length].hex(" ")


def test_fields_come_from_the_explainer_or_the_json_or_not_at_all(qapp: object) -> None:
    explain = Catalogue.load().explainer("gt02_tracker")
    assert explain is not None
    fields = fields_of(a_frame(), explain)
    assert b"".join(bytes.fromhex(field.hex) for field in fields) == LOCATION
    assert any("123456789012345" in field.value for field in fields)
    position = {"id": 7, "latitude": 9.1, "attributes": {"sat": 9}, "name": "<i>x</i>"}
    shown = fields_of(a_frame(json.dumps(position).encode(), "traccar", "traccar"), None)
    assert [(field.name, field.value) for field in shown] == [
        ("id", "7"),
        ("latitude", "9.1"),
        ("attributes", '{"sat": 9}'),
        ("name", "<i>x</i>"),
    ]
    for data in (b"\xff\x00", b"[1]", b"[" * 100_000, b""):
        assert fields_of(a_frame(data), None) == []


async def test_the_dialog_marks_and_copies(console: Console, qtbot: QtBot) -> None:
    explain = Catalogue.load().explainer("gt02_tracker")
    inspector = RawInspector(console.context, a_frame(), explain)
    inspector.show()
    row = next(at for at, field in enumerate(inspector.model.rows) if field.name == "latitude")
    inspector.table.setCurrentIndex(inspector.model.index(row, 0))
    marked = [selection.cursor.selectedText() for selection in inspector.bytes.extraSelections()]
    assert " ".join(marked) == "02 6b 3f 3e"
    inspector.copy_hex.click()
    assert QGuiApplication.clipboard().text() == LOCATION.hex()
    inspector.copy_all.click()
    copied = QGuiApplication.clipboard().text()
    assert copied == as_text(inspector.frame, inspector.fields, console.context.formats.time(1_767_225_600_000))
    assert "10.0.0.7:4711" in copied
    assert "54 68" in copied
    assert len(console.notes) == 2
    inspector.close()


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256)) * 300])
async def test_any_bytes_can_be_shown(console: Console, data: bytes) -> None:
    inspector = RawInspector(console.context, a_frame(data, "unknown", "?"), None)
    inspector.show()
    assert inspector.bytes.toPlainText() == "\n".join(hex_lines(data[: 64 * 1024]))
    inspector.close()
