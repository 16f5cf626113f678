"""Long series out of the store as arrays, without an object per row more than the driver makes."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func

Floats = NDArray[np.float64]


def or_nan(column: Any) -> Any:
    """A column that may be NULL, for :func:`read_columns`."""
    return func.coalesce(column, math.inf)


def read_columns(connection: Connection, query: Select[Any]) -> Floats:
    """The answer of a query of numbers as ``(n, columns)``; what :func:`or_nan` marked is NaN.

    The driver's own tuples are taken: a year of readings is half a million rows, and each row object of SQLAlchemy
    costs as much as reading it from the disk's cache (docs/decisions/0080).
    """
    width = len(query.selected_columns)
    result = connection.execute(query)
    try:
        assert result.cursor is not None  # a select always has one  # noqa: S101
        rows = result.cursor.fetchall()
    finally:
        result.close()
    numbers = np.fromiter(chain.from_iterable(rows), np.float64, count=len(rows) * width).reshape(-1, width)
    numbers[np.isinf(numbers)] = np.nan
    return numbers
