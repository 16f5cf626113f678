"""Tank tables in the forms in which makers and platforms exchange them (fuel-sensors.md 7)."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from app.fuel.errors import FuelError
from app.fuel.table import TankTable, make_table

LARGEST_BYTES = 5_000_000
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
_LITRES = ("litre", "liter", "volume", "fuel", "lit", " l", "y")
_READING = ("raw", "reading", "level", "code", "count", "adc", "sensor", "n", "x", "value")


def read_table(path: Path) -> TankTable:
    """A table from a file: CSV, our JSON, a list of Wialon pieces, or XML. Raises FuelError with the line."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise FuelError(f"{path.name} is too large for a tank table; choose the file that holds the table alone.")
        text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except OSError as err:
        raise FuelError(f"{path.name} cannot be read: {err.strerror}.") from err
    except UnicodeDecodeError:
        raise FuelError(f"{path.name} is not text; a tank table is CSV, JSON or XML.") from None
    return parse_table(text, path.name)


def parse_table(text: str, name: str = "The table") -> TankTable:
    """The same from text."""
    start = text.lstrip()[:1]
    if start == "<":
        return _from_xml(text, name)
    if start in ("{", "["):
        return _from_json(text, name)
    return _from_csv(text, name)


def to_csv(table: TankTable) -> str:
    """``raw,litres`` lines under a heading."""
    return "raw,litres\n" + "".join(f"{raw:g},{litres:g}\n" for raw, litres in table.rows())


def to_wialon(table: TankTable) -> str:
    """Pieces ``x a b``: from reading x on, litres are a·x + b."""
    lines = []
    rows = table.rows()
    for (x1, y1), (x2, y2) in pairwise(rows):
        slope = (y2 - y1) / (x2 - x1)
        lines.append(f"{x1:g}\t{slope:.9g}\t{y1 - slope * x1:.9g}")
    return "x\ta\tb\n" + "\n".join(lines) + f"\n{rows[-1][0]:g}\t0\t{rows[-1][1]:g}\n"


def to_json(table: TankTable, **facts: Any) -> str:
    """Our own form: the rows with whatever is known about them (vehicle, tank, sensor, temperature, date)."""
    return json.dumps({"format": "biko-tank-table", **facts, "rows": table.rows()}, indent=1, ensure_ascii=False)


def _from_csv(text: str, name: str) -> TankTable:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise FuelError(f"{name} is empty.")
    separator = _separator([line for _number, line in lines[:50]])
    cells = [(number, [cell.strip().strip('"') for cell in line.split(separator)]) for number, line in lines]
    heading = cells.pop(0)[1] if not all(_NUMBER.fullmatch(cell) for cell in cells[0][1] if cell) else None
    rows = [_row_of(number, row, name) for number, row in cells]
    if not rows:
        raise FuelError(f"{name} holds a heading and no rows.")
    if heading is not None and [cell.lower() for cell in heading[:3]] == ["x", "a", "b"]:
        return _from_pieces(rows, name)
    at_reading, at_litres = _which(heading, rows)
    return make_table([(row[at_reading], row[at_litres]) for row in rows])


def _separator(lines: list[str]) -> str:
    for separator in ("\t", ";"):
        if all(separator in line for line in lines):
            return separator
    return ","


def _row_of(number: int, row: list[str], name: str) -> list[float]:
    numbers = []
    for cell in row:
        if cell and not _NUMBER.fullmatch(cell):
            raise FuelError(f"{name}, line {number}: “{cell[:30]}” is not a number.")
        if cell:
            numbers.append(float(cell.replace(",", ".")))
    if len(numbers) < 2:
        raise FuelError(f"{name}, line {number}: a row needs a reading and its litres.")
    return numbers


def _which(heading: list[str] | None, rows: list[list[float]]) -> tuple[int, int]:
    """Which column is the reading and which the litres: by the heading, else readings are the larger numbers."""
    if heading is not None:
        words = [cell.lower() for cell in heading]
        litres = next((at for at, word in enumerate(words) if any(part in f" {word}" for part in _LITRES[:5])), None)
        reading = next((at for at, word in enumerate(words) if any(part in word for part in _READING[:7])), None)
        width = min(len(row) for row in rows)
        if litres is not None and reading is not None and litres != reading and max(litres, reading) < width:
            return reading, litres
        if litres is not None and litres < 2:
            return 1 - litres, litres
    tops = [max(row[at] for row in rows) for at in (0, 1)]
    return (0, 1) if tops[0] >= tops[1] else (1, 0)


def _from_pieces(rows: list[list[float]], name: str) -> TankTable:
    """Pieces become pairs: each holds from its x to the next one's."""
    if any(len(row) < 3 for row in rows):
        raise FuelError(f"{name}: a piece needs x, a and b.")
    pairs: list[tuple[float, float]] = []
    for number, (x, a, b) in enumerate(row[:3] for row in rows):
        if number and a == 0 and number == len(rows) - 1:
            pairs.append((x, b))
        else:
            pairs.append((x, max(a * x + b, 0.0)))
    return make_table(pairs)


def _from_json(text: str, name: str) -> TankTable:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise FuelError(f"{name} is not complete JSON: {err}.") from None
    rows = found.get("rows") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise FuelError(f"{name} names no list “rows” of reading and litres.")
    pairs = []
    for number, row in enumerate(rows, start=1):
        values = list(row.values()) if isinstance(row, dict) else row
        if isinstance(row, dict) and {"x", "a", "b"} <= row.keys():
            values = [row["x"], row["a"] * row["x"] + row["b"]]
        if not isinstance(values, list) or len(values) < 2 or not all(type(v) in (int, float) for v in values[:2]):
            raise FuelError(f"{name}, row {number}: a row is two numbers, the reading and its litres.")
        pairs.append(values[:2])
    return make_table(pairs)


def _from_xml(text: str, name: str) -> TankTable:
    """Any XML in which repeated elements carry two numbers, as attributes or children: there is no public schema."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FuelError(f"{name} declares entities; save it without them.")
    try:
        root = Xml.fromstring(text)  # noqa: S314 - declarations of entities were refused
    except Xml.ParseError as err:
        raise FuelError(f"{name} is not complete XML: {err}.") from None
    by_tag: dict[str, list[list[float]]] = {}
    heads: dict[str, list[str]] = {}
    for element in root.iter():
        given = dict(element.attrib) or {child.tag: child.text or "" for child in element if not len(child)}
        numbers = {key: value.strip() for key, value in given.items() if _NUMBER.fullmatch(value.strip())}
        if len(numbers) >= 2:
            by_tag.setdefault(element.tag, []).append([float(v.replace(",", ".")) for v in numbers.values()][:3])
            heads.setdefault(element.tag, list(numbers))
    if not by_tag:
        raise FuelError(f"{name} holds no rows of a reading and its litres.")
    tag = max(by_tag, key=lambda key: len(by_tag[key]))
    at_reading, at_litres = _which(heads[tag][:2], by_tag[tag])
    return make_table([(row[at_reading], row[at_litres]) for row in by_tag[tag]])
