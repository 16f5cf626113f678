"""What can go wrong with the store, each as one sentence with the next step.

    StoreError
    ├── StoreFull          no space left for the commit
    ├── StoreLocked        another program keeps the store locked
    ├── StoreReadOnly      the file or the folder cannot be written
    ├── StoreDamaged       the file is not readable as a store
    ├── StoreRefused       a place or an address that is not accepted
    ├── StoreNotMigrated   older than the program: the engine lock's holder must upgrade it
    ├── StoreTooNew        newer than the program
    ├── StoreUnreachable   the database server does not answer, or the file cannot be opened
    ├── StoreOverloaded    more is waiting to be written than the program may hold
    └── StoreClosed        the program is ending

Errors that are not the store's (a constraint, a defect of a job) pass through :func:`translate` unchanged.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from app.errors import OperatorError


class StoreError(OperatorError):
    """Base of everything the store raises."""


class StoreFull(StoreError):
    """The disk, or the database's own limit, has no room left. Nothing of the failed commit was kept."""


class StoreLocked(StoreError):
    """Another program held the store's write lock for longer than we wait."""


class StoreReadOnly(StoreError):
    """The store can be read but not written."""


class StoreDamaged(StoreError):
    """The file is damaged; ``app.store.recovery`` sets it aside and recovers what can be read."""


class StoreRefused(StoreError):
    """The address or the place of the store is not accepted."""


class StoreNotMigrated(StoreError):
    """The store has no tables yet, or those of an older program."""


class StoreTooNew(StoreError):
    """A newer program has written this store."""


class StoreUnreachable(StoreError):
    """The file cannot be opened, or the database server does not answer."""


class StoreOverloaded(StoreError):
    """More rows wait for the writer than the program may hold in memory."""


class StoreClosed(StoreError):
    """The store was closed."""


def translate(error: BaseException, place: str) -> BaseException:
    """The StoreError behind a driver's ``error``, or ``error`` itself where it is not the store's.

    ``place`` names the store for the operator: the path of the file, or the server's address without a secret,
    as the beginning of a sentence.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause, place) or error
    if isinstance(error, OperationalError | InterfaceError) and cause is not None:
        return _translate_postgresql(cause, place) or error
    return error


def _translate_sqlite(cause: sqlite3.Error, place: str) -> StoreError | None:
    name, inside = getattr(cause, "sqlite_errorname", "") or "", _inside(place)
    if name == "SQLITE_FULL":
        return StoreFull(f"The disk that holds {inside} is full. Free some space; what waits is then written.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreLocked(
            f"Another program keeps {inside} locked. Close the program that has the file open, then retry."
        )
    if name.startswith("SQLITE_READONLY") or name == "SQLITE_PERM":
        return StoreReadOnly(
            f"{place} cannot be written. Give this user the right to write the file and its folder, then retry."
        )
    if name.startswith("SQLITE_CORRUPT") or name == "SQLITE_NOTADB":
        return StoreDamaged(
            f"{place} is damaged ({cause}). Close every window and gateway and start again: "
            "the file is set aside and what can be read is recovered."
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return StoreUnreachable(
            f"{place} cannot be opened. Check that the folder exists and that this user may write in it, then retry."
        )
    if name.startswith("SQLITE_IOERR"):
        return StoreUnreachable(
            f"The disk that holds {inside} reports an error ({name}). Check the disk and its free space, then retry."
        )
    return None


def _translate_postgresql(cause: BaseException, place: str) -> StoreError | None:
    state, inside = getattr(cause, "sqlstate", None) or "", _inside(place)
    if state in {"53100", "53200", "54000"}:
        return StoreFull(
            f"The server of {inside} has no space left. Free some space there; what waits is then written."
        )
    if state in {"55P03", "40P01", "57014"}:
        return StoreLocked(f"Another program keeps {inside} locked. Find what holds it on the server, then retry.")
    if state in {"25006"}:
        return StoreReadOnly(f"{place} accepts no changes now (read-only server). Connect to the primary server.")
    if state in {"28000", "28P01"} or "password" in str(cause):
        return StoreUnreachable(
            f"{place} refused the user or the password. Put the password into the vault, the variable PGPASSWORD "
            "or the file named by PGPASSFILE, and check the user's name in the address."
        )
    if state == "3D000":
        return StoreUnreachable(f"{place} does not exist on its server. Create the database, or correct the address.")
    if state in {"XX001", "XX002"}:
        return StoreDamaged(f"The server reports that {inside} is damaged. Restore it from a backup.")
    if not state or state.startswith(("08", "57P")):
        return StoreUnreachable(
            f"{place} does not answer ({' '.join(str(cause).split())[:200]}). "
            "Check that the server runs and that the network reaches it; the program keeps trying."
        )
    return None


def _inside(place: str) -> str:
    """``place`` in the middle of a sentence."""
    return place[:1].lower() + place[1:]
