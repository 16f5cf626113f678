"""Checkpoints of the record of acts: a file of lines, each with how many entries there were and the hash of the last.

Each line holds the keyed hash (HMAC-SHA-256) of its own content, in which the one before it stands too, so lines cannot
be changed, left out, reordered or made without the key. The key is in the vault, and a copy of the newest line as well
(:mod:`app.security.seal`), so that an older file in the place of the newest is found.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app import platform

FIRST = "0" * 64
"""``previous`` of the first line."""

LONGEST_LINE = 4_096
"""Bytes; a longer line was not written by this program."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One line. ``number`` counts from 1; 0 is a seal of an earlier release, which had no file.

    ``store`` names the store that it belongs to, ``version`` is how often acts had been written to it by then, ``at``
    is UTC in ISO 8601. With ``kept``, an operator let the present chain hold for the reason ``why``: of the checkpoints
    before, those beyond that many entries count no more.
    """

    number: int
    store: str
    entries: int
    hash: str
    version: int
    at: str
    previous: str
    kept: int | None = None
    why: str = ""
    keyed: str = ""

    def signed(self, key: str) -> Checkpoint:
        """The same with its keyed hash. ``key`` is hexadecimal."""
        facts = asdict(self)
        facts["keyed"] = _keyed(facts, key)
        return Checkpoint(**facts)

    def is_signed_by(self, key: str) -> bool:
        return hmac.compare_digest(self.keyed.encode(), _keyed(asdict(self), key).encode())

    def as_line(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True, slots=True)
class Lines:
    """A file as read: the lines that are whole, None for one that is none. ``is_torn``: the last one has no end."""

    lines: tuple[Checkpoint | None, ...] = ()
    is_torn: bool = False
    exists: bool = False


def parse(text: str) -> Checkpoint | None:
    """A checkpoint from its line, None for anything else."""
    try:
        facts = json.loads(text)
        if not isinstance(facts, dict):
            return None
        found = Checkpoint(**facts)
    except (ValueError, TypeError, RecursionError):
        return None
    return found if _is_well_formed(found) else None


def read_lines(file: Path) -> Lines:
    """Every line of the file. Raises OSError where it is there and cannot be read."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return Lines()
    rows = content.split(b"\n")
    is_torn = bool(rows.pop())  # what follows the last line's end: nothing, or half a line
    texts = [row.decode("ascii", errors="replace") if len(row) <= LONGEST_LINE else "" for row in rows]
    return Lines(tuple(parse(text) for text in texts), is_torn, exists=True)


def append(file: Path, checkpoint: Checkpoint) -> None:
    """Put a line on the disk; half a line that a power cut left at the end goes first. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    platform.make_private(file.parent)
    is_new = not file.exists()
    with file.open("a+b") as stream:
        stream.seek(0)
        content = stream.read()
        stream.truncate(content.rfind(b"\n") + 1)
        stream.write(checkpoint.as_line().encode() + b"\n")
        stream.flush()
        platform.sync_file(stream.fileno())
    if is_new:
        platform.make_private(file)
        platform.sync_folder(file.parent)


def active(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Those that the chain must still meet: a restart takes away those before it beyond what it kept."""
    found: list[Checkpoint] = []
    for one in checkpoints:
        if one.kept is not None:
            found = [earlier for earlier in found if earlier.entries <= one.kept]
        found.append(one)
    return found


def _keyed(facts: dict[str, Any], key: str) -> str:
    content = {name: value for name, value in facts.items() if name != "keyed"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest()


def _is_well_formed(found: Checkpoint) -> bool:
    numbers = [found.number, found.entries, found.version, *([] if found.kept is None else [found.kept])]
    texts = (found.store, found.hash, found.at, found.previous, found.why, found.keyed)
    return all(type(number) is int and number >= 0 for number in numbers) and all(
        isinstance(text, str) for text in texts
    )
