"""Running a part of a store job so that its own failure costs only itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from app.store.errors import StoreError, translate

T = TypeVar("T")


class TransactionGone(Exception):
    """The transaction around the part cannot go on: the store is in trouble. ``cause`` is the store's own error."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def run_alone(connection: Connection, part: Callable[[], T]) -> T:
    """Run ``part`` in a savepoint of its own.

    Raises what ``part`` raised when its work alone was undone; TransactionGone where the disk is full or the like:
    SQLite then has rolled back the whole transaction, and whatever would be written next would stand alone.
    """
    savepoint = connection.begin_nested()
    try:
        result = part()
        savepoint.commit()
    except Exception as err:
        try:
            savepoint.rollback()
        except Exception as gone:
            raise TransactionGone(err) from gone
        if isinstance(err, StoreError) or isinstance(translate(err, "the store"), StoreError):
            raise TransactionGone(err) from err
        raise
    return result
