"""What a complete reading counts for, where row security may hide rows without an error.

The host marks what a complete reading did not bring as gone. Over the web service a table falls silent when a rule of
the platform was changed, when the account lost its role, or when something on the way took its token: each is answered
with no rows and no error. So what a table showed is kept in the cursor, and its silence deletes nothing. A row is gone
only where others of its table are shown in the same reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from adapters.cursors import load
from adapters.mod4.site import Site

Shown: TypeAlias = Mapping[str, int | None]
"""Rows by table or function; see :meth:`adapters.mod4.readings.Tables.shown`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a complete reading counts for. ``is_whole``: what it did not bring is gone."""

    is_whole: bool
    rows: Mapping[str, int]
    trouble: str


def judge(cursor: str | None, shown: Shown, site: Site) -> Judged:
    """Nothing is gone because a table fell silent: rows that were there must be seen to be missing among others.

    ``cursor`` is of the reading before; a table that it does not count may have shown anything.
    """
    before = load(cursor).get("rows")
    known = (
        {name: count for name, count in before.items() if isinstance(count, int)} if isinstance(before, dict) else {}
    )
    silent = [name for name, count in shown.items() if count is None]
    rows = {name: count for name, count in shown.items() if count is not None}
    rows |= {name: known[name] for name in silent if name in known}
    if not cursor:  # nothing of this stream was ever read
        rows |= dict.fromkeys(silent, 0)
    trouble = " ".join(silence(name, site, known[name]) for name in silent if known.get(name))
    return Judged(all(rows.get(name) == 0 for name in silent), rows, trouble)


def silence(name: str, site: Site, count: int = 0) -> str:
    """What the operator reads of a table that shows nothing any more; ``count`` rows were there before, if known."""
    what = f"none of the {count} rows that it showed before" if count else "no row any more"
    return (
        f"{name} shows {what}, without an error: row security may hide them from {site.inventory.who} now. What is "
        "known stays as it was, and what came meanwhile is read once it is shown. Ask the platform's administrator "
        "whether the account, its role or the rules of this table were changed."
    )
