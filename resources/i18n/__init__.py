"""The one door for texts that an operator reads.

Whole sentences with named placeholders, so that another language can order them differently:
``tr("{count} trackers silent since {age}", count=3, age="10 min")``. English is the only language so far; the
sentence itself is the key of a later table.
"""

from __future__ import annotations


def tr(sentence: str, /, **values: object) -> str:
    """The sentence in the operator's language with its placeholders filled."""
    return sentence.format(**values) if values else sentence


def trn(one: str, many: str, count: int, /, **values: object) -> str:
    """``one`` or ``many`` by ``count``, which is a placeholder too: ``trn("{count} car", "{count} cars", 3)``."""
    return tr(one if count == 1 else many, count=f"{count:,}", **values)
