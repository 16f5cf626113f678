"""Long series out of the store as arrays.

A year of readings is half a million rows. An object for each of their numbers costs several times what the database
needs to find them, so the database hands over each column as one text of whole numbers, which numpy reads at once and
which no other thread waits for (docs/decisions/0086).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Select, Text, cast, func, select

from app.fuel.arrays import Floats

MILLIONTHS = 1_000_000
TEN_MILLIONTHS = 10_000_000
"""Of a degree: a centimetre."""
THOUSANDTHS = 1_000
WHOLE = 1

_UNKNOWN = -(2**62)


def read_columns(connection: Connection, query: Select[Any], scales: Sequence[int]) -> list[Floats]:
    """The columns of an ordered query as arrays, NULL as NaN; each is exact to one part in its scale."""
    inner = query.subquery()
    texts = [
        func.aggregate_strings(cast(_whole(column, scale), Text), ",")
        for column, scale in zip(inner.c, scales, strict=True)
    ]
    row = connection.execute(select(*texts)).one()
    return [_numbers(text, scale) for text, scale in zip(row, scales, strict=True)]


def _whole(column: Any, scale: int) -> Any:
    number = column if scale == WHOLE else cast(func.round(column * scale), BigInteger)
    return func.coalesce(number, _UNKNOWN)


def _numbers(text: str | None, scale: int) -> Floats:
    if text is None:
        return np.zeros(0)
    whole: NDArray[np.int64] = np.fromstring(text, dtype=np.int64, sep=",")
    numbers: Floats = whole / scale
    numbers[whole == _UNKNOWN] = np.nan
    return numbers
