"""Reading what can be read of a damaged SQLite file, row by row, around its holes.

Works on a copy: opening a file writes to it. Values inside a row carry no checksum, so that each row must also have
the types that its columns declare, readable times and readable JSON.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from app.store import rawfile
from app.store.rawfile import quoted

_HEADER_BYTES = 100  # SQLite file format, 1.3
_MAX_ROWID = 2**63 - 1
_STEP = 64  # rows; about a page of them, so that no good page between two bad ones is stepped over
_PATIENCE = 10_000  # steps over nothing but damage after which they grow
_SAMPLES = 4_096


class Damaged:
    """A connection to the copy of a damaged file, and how its tables are read."""

    def __init__(self, copy: Path, deadline_s: float) -> None:
        self._connection = sqlite3.connect(copy, isolation_level=None)
        self._connection.text_factory = lambda data: data.decode("utf-8", "replace")
        self._deadline_s = deadline_s

    def close(self) -> None:
        self._connection.close()

    def table_names(self) -> list[str]:
        """Names of the tables; empty where not even the schema can be read."""
        try:
            return rawfile.table_names(self._connection)
        except (sqlite3.Error, UnicodeError):
            return []

    def revision(self) -> str | None:
        try:
            row = self._connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.Error:
            return None
        return str(row[0]) if row else None

    @property
    def out_of_time(self) -> bool:
        return time.monotonic() > self._deadline_s

    def rows(self, table: str, columns: Sequence[str], holes: list[str]) -> Iterator[tuple[Any, ...]]:
        """Every readable row from the greatest row id to the least; adds the table to ``holes`` where some are not."""
        names = ", ".join(quoted(name) for name in columns)
        query = f"SELECT rowid, {names} FROM {quoted(table)} WHERE rowid <= ? ORDER BY rowid DESC"  # noqa: S608
        bound: int | None = _MAX_ROWID
        while bound is not None:
            reached = bound
            try:
                for rowid, *values in self._connection.execute(query, [bound]):
                    reached = rowid - 1
                    yield tuple(values)
                    if self.out_of_time:
                        holes.append(table)
                        return
                return
            except sqlite3.Error:
                if table not in holes:
                    holes.append(table)
                bound = self._below_hole(query, reached)

    def _below_hole(self, query: str, bound: int) -> int | None:
        """The greatest row id below the damage at ``bound`` from which reading works again; None: nothing is left."""
        if bound == _MAX_ROWID:
            return self._greatest_readable(query)
        bad, step = bound, 1
        for tries in range(10 * _PATIENCE):
            good = bad - step
            if good < 0 or self.out_of_time:
                return None
            if self._reads(query, good):
                return self._boundary(query, good, bad)
            bad = good
            step = min(2 * step, _STEP) if tries < _PATIENCE else 2 * step
        return None

    def _greatest_readable(self, query: str) -> int | None:
        """Where reading can begin when the table's end is damaged: row ids count up from one."""
        powers = [2**power for power in range(63)]
        good = next((power for power in reversed(powers) if self._reads(query, power)), None)
        if good is None:
            return None
        width = good
        while width > _SAMPLES:
            width //= _SAMPLES
            points = range(good + (_SAMPLES - 1) * width, good, -width)
            good = next((point for point in points if self._reads(query, point)), good)
        return next((point for point in range(good + width, good, -1) if self._reads(query, point)), good)

    def _boundary(self, query: str, good: int, bad: int) -> int:
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._reads(query, middle):
                good = middle
            else:
                bad = middle
        return good

    def _reads(self, query: str, bound: int) -> bool:
        if self.out_of_time:
            return False
        try:
            return self._connection.execute(f"{query} LIMIT 1", [bound]).fetchone() is not None
        except sqlite3.Error:
            return False


def replant_header(copy: Path, fresh: Path, *, whole_page: bool) -> None:
    """Give a copy whose first page is lost that of a fresh store: its header alone, or the page.

    The page holds the tables' places, which are the same in every store that was created by this revision.
    """
    page_bytes = 4096
    with fresh.open("rb") as source:
        start = bytearray(source.read(page_bytes))
    pages = copy.stat().st_size // page_bytes
    start[28:32] = pages.to_bytes(4, "big")  # size in pages; believed because 24..27 and 92..95 agree
    start[32:40] = bytes(8)  # no list of free pages
    with copy.open("rb+") as target:
        target.write(start if whole_page else start[:_HEADER_BYTES])


class RowCheck:
    """Whether the values of a row are what the columns of ``table`` in the fresh store declare."""

    def __init__(self, fresh: sqlite3.Connection, table: str, columns: Sequence[str]) -> None:
        declared = {row[1]: str(row[2]).upper() for row in fresh.execute(f"PRAGMA table_info({quoted(table)})")}
        kinds = [declared[name] for name in columns]
        self._allowed = [_python_types(kind) for kind in kinds]
        self._times = [index for index, kind in enumerate(kinds) if kind.startswith(("DATETIME", "TIMESTAMP"))]
        self._documents = [index for index, kind in enumerate(kinds) if kind == "JSON"]
        self._known: dict[tuple[type, ...], bool] = {}

    def __call__(self, row: tuple[Any, ...]) -> bool:
        signature = tuple(map(type, row))
        fits = self._known.get(signature)
        if fits is None:
            fits = all(kind in allowed for kind, allowed in zip(signature, self._allowed, strict=True))
            self._known[signature] = fits
        return fits and self._values_read(row)

    def _values_read(self, row: tuple[Any, ...]) -> bool:
        try:
            for index in self._times:
                if row[index] is not None:
                    datetime.fromisoformat(row[index])
            for index in self._documents:
                if row[index] is not None:
                    json.loads(row[index])
        except ValueError:
            return False
        return True


def _python_types(kind: str) -> frozenset[type]:
    empty = type(None)
    if kind.startswith(("INT", "BIGINT", "BOOL", "SMALLINT")):
        return frozenset({int, empty})
    if kind.startswith(("FLOAT", "DOUBLE", "REAL", "NUMERIC")):
        return frozenset({float, int, empty})
    if kind.startswith("BLOB"):
        return frozenset({bytes, empty})
    return frozenset({str, empty})


def forget_orphans(fresh: sqlite3.Connection) -> None:
    """Empty the references whose row was lost; rows that cannot stand without it go too."""
    for table, rowid, _parent, number in fresh.execute("PRAGMA foreign_key_check").fetchall():
        keys = fresh.execute(f"PRAGMA foreign_key_list({quoted(table)})").fetchall()
        column = next(key[3] for key in keys if key[0] == number)
        with suppress(sqlite3.IntegrityError):
            fresh.execute(f"UPDATE {quoted(table)} SET {quoted(column)} = NULL WHERE rowid = ?", [rowid])  # noqa: S608
            continue
        fresh.execute(f"DELETE FROM {quoted(table)} WHERE rowid = ?", [rowid])  # noqa: S608
