"""SQLite files as files: for backups and recovery, which must read what the models may not describe.

This is the one place that writes SQL as text: the tables are whatever the file holds.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.platform import sync_file, sync_folder

_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class TableSum:
    """How many rows a table has, and one SHA-256 over all of them in the order of their row ids."""

    rows: int
    sha256: str


@contextmanager
def opened(file: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    """The file without transactions of Python's own. ``read_only`` leaves the file and its folder untouched."""
    mode = "mode=ro&immutable=1" if read_only else "mode=rwc"
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)) as connection:
        yield connection


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def table_names(connection: sqlite3.Connection) -> list[str]:
    """The plain tables of the file; not SQLite's own, and not those behind a search index."""
    rows = connection.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'").fetchall()
    return sorted(name for (name,) in rows if not name.startswith("sqlite_"))


def column_names(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({quoted(table)})")]


def sum_of(connection: sqlite3.Connection, table: str) -> TableSum:
    """Reads the whole table. Plain values have one ``repr`` on every version of Python and SQLite."""
    digest, count = hashlib.sha256(), 0
    cursor = connection.execute(f"SELECT * FROM {quoted(table)} ORDER BY rowid")  # noqa: S608 - the name is quoted
    while rows := cursor.fetchmany(_CHUNK):
        count += len(rows)
        for row in rows:
            digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return TableSum(count, digest.hexdigest())


def is_sound(connection: sqlite3.Connection) -> bool:
    """SQLite's own check of the whole file, indexes included."""
    return [row[0] for row in connection.execute("PRAGMA integrity_check(1)")] == ["ok"]


def make_durable(file: Path) -> None:
    """Return when the file and its name are on the disk."""
    with file.open("rb+") as opened_file:
        sync_file(opened_file.fileno())
    sync_folder(file.parent)
