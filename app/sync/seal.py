"""Which store may send: a name and a count of tries, in the store and in a small file beside it.

A store that was restored, or copied to another place or computer, holds work as unsent that the other one may have
sent since. Both keep the outbox's random name and how many tries were begun; the file also says on which computer and
where it was made. The store's count is committed before the file's, and the file is on the disk before the peer hears
anything, so a store that knows less than the file has missed sends (docs/decisions/0100).
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, update

from app import platform
from app.clock import to_ms
from app.problems import Issue, clear_problems, raise_problem
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.connect import sqlite_path
from app.store.errors import StoreError
from app.store.facts import get_fact, set_fact
from app.store.store import Store
from app.store.tables import OutboxItem
from app.sync.errors import ActRefused
from app.sync.words import State, counted

FACT = "outbox_store"
PROBLEM = "outbox_store"
MAY_BE_SENT = "This store was restored or copied, so it may have been sent already. The next try asks first."
HOW = " Open Sync, or run “outbox confirm-store”."
"""How every such sentence ends; the page itself leaves it out."""
SIZE = 1_024
"""Bytes of the file: JSON, then blanks."""
TITLE = "This store must be confirmed before it sends"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the file holds. ``place`` is the computer and the folder in which it was written."""

    name: str
    tried: int
    place: str


class OutboxSeal:
    """The seal of one store, used by the engine alone. Everything but :meth:`note_try` blocks: call it off the loop."""

    def __init__(self, store: Store, data_dir: Path | None = None) -> None:
        """``data_dir`` holds the file where the store is no file of its own (PostgreSQL)."""
        self._store = store
        own = sqlite_path(store.url)
        folder = own.parent if own is not None else data_dir
        server = sha256(f"{store.url.host}/{store.url.database}".encode()).hexdigest()[:8]
        name = f"{own.stem}.outbox.json" if own is not None else f"outbox-{server}.json"
        self._file = None if folder is None else folder / name
        self._lock = threading.Lock()
        self._name = ""
        self._written = 0
        self.trouble = "It is not known yet whether this store may send."
        """Why nothing is sent from this store, a sentence with the next step; "" where it may."""

    def verify(self, now: datetime) -> str:
        """Compare store and file, and make both where neither is; returns :attr:`trouble`. Raises StoreError."""
        with self._lock:
            mark, unreadable = self._read()
            fact, fresh = self._store.write(lambda connection: _fact(connection, now)).result()
            why = unreadable or self._mismatch(fact, mark)
            if fresh or fact.get("confirmed") or (mark is None and fact.get("new") and not unreadable):
                why = self._write(str(fact["name"]), int(fact["tried"]))
                if not why:
                    self._store.write(_settle).result()
            self._name, self._written = str(fact["name"]), int(fact["tried"])
            if why != fact.get("trouble", ""):
                self._store.write(lambda connection: _tell(connection, why, now)).result()
            self.trouble = why
        return why

    def note_try(self, tried: int) -> None:
        """Put the count of tries on the disk; returns when it is there. Raises StoreError: then nothing may be sent."""
        with self._lock:
            if tried <= self._written:
                return
            why = self._write(self._name, tried, in_place=True)
            if why:
                raise StoreError(why)
            self._written = tried

    def _mismatch(self, fact: dict[str, Any], mark: Mark | None) -> str:
        where = f"“{self._file}”"
        rest = f"Nothing is sent until you say that this store is the one that works.{HOW}"
        if mark is None:
            return (
                f"The file {where}, in which this store marks what it has begun to send, is gone: the store "
                f"may be a copy. {rest}"
            )
        if mark.name != fact["name"]:
            return f"The file {where} belongs to another store, so this one was replaced or copied. {rest}"
        if mark.place != _place(self._file):
            return (
                "This store was used on another computer or in another folder before, and the other one may "
                f"still send. {rest}"
            )
        missed = mark.tried - int(fact["tried"])
        if missed > 0:
            tries = counted(missed, "change was", "changes were")
            return (
                f"This store is older than what was sent from it: {tries} handed over since. It was restored "
                f"from a backup. {rest}"
            )
        return ""

    def _read(self) -> tuple[Mark | None, str]:
        if self._file is None:
            return (
                None,
                "There is no data folder in which this store could mark what it sends. Start the engine with one.",
            )
        try:
            values = json.loads(self._file.read_text(encoding="utf-8"))
            return Mark(str(values["name"]), int(values["tried"]), str(values["place"])), ""
        except FileNotFoundError:
            return None, ""
        except OSError as err:
            return None, (
                f"The file {self._file} cannot be read ({err.strerror}), so nothing is sent. Give this user the "
                "right to read and write it."
            )
        except (ValueError, KeyError, TypeError):
            _log.warning("%s holds no seal of an outbox", self._file)
            return Mark("", 0, ""), ""

    def _write(self, name: str, tried: int, *, in_place: bool = False) -> str:
        """Why it could not be written, "" where it is on the disk."""
        file = self._file
        if file is None:
            return "There is no data folder in which this store could mark what it sends. Start the engine with one."
        data = json.dumps(asdict(Mark(name, tried, _place(file)))).ljust(SIZE - 1) + "\n"
        try:
            if in_place:
                # The same few bytes in the same block: half of the time of a new file, and no moment without one.
                with file.open("r+b") as stream:
                    stream.write(data.encode())
                    stream.flush()
                    platform.sync_file(stream.fileno())
            else:
                platform.write_durably(file, data.encode())
        except OSError as err:
            return (
                f"The file {file} cannot be written ({err.strerror}), so nothing is sent. Make room on the disk, or "
                "give this user the right to write it."
            )
        return ""


def count_tries(connection: Connection, amount: int) -> int:
    """Count tries that begin with this transaction; returns the store's count, for the file."""
    fact = get_fact(connection, FACT) or {}
    tried = int(fact.get("tried", 0)) + amount
    set_fact(connection, FACT, {**fact, "tried": tried})
    return tried


def confirm_store(connection: Connection, *, now: datetime, who: str | None = None) -> int:
    """The operator says that this store is the one that works. Returns how many changes will be asked about first.

    What it holds as waiting may have been sent since it was copied: the next try of each asks the peer before it
    writes. The engine gives the store and its file a new name at once. Raises ActRefused where nothing is in doubt.
    """
    version = raise_topic(connection, "outbox")
    fact = get_fact(connection, FACT)
    if fact is None or not fact.get("trouble"):
        raise ActRefused("This store is not in doubt: there is nothing to confirm.")
    doubted = {"state": State.DOUBTFUL, "is_doubtful": True, "next_try": None, "last_answer": MAY_BE_SENT}
    waiting = OutboxItem.state == State.WAITING
    count = connection.execute(update(OutboxItem).where(waiting).values(**doubted, changed_version=version)).rowcount
    held = OutboxItem.state.in_((State.SET_ASIDE, State.REFUSED, State.CONFLICT))
    connection.execute(update(OutboxItem).where(held).values(is_doubtful=True, changed_version=version))
    renewed = {"name": secrets.token_hex(16), "tried": int(fact.get("tried", 0)) + 1, "confirmed": True, "trouble": ""}
    set_fact(connection, FACT, renewed)
    clear_problems(connection, None, frozenset({PROBLEM}), to_ms(now))
    why = {"why": str(fact.get("trouble", "")), "asked_about_first": count}
    record_act(connection, what="outbox.confirm_store", subject="This store", after=why, who=who)
    return count


def store_trouble(connection: Connection) -> str:
    """Why this store may not send, as the engine found it; "" where it may."""
    return str((get_fact(connection, FACT) or {}).get("trouble", ""))


def _fact(connection: Connection, now: datetime) -> tuple[dict[str, Any], bool]:
    """The store's own half, made where there is none; whether no work depends on it, so that it may be made anew."""
    del now
    fact = get_fact(connection, FACT)
    if fact is None:
        fact = {"name": secrets.token_hex(16), "tried": 0, "trouble": "", "new": True}
        set_fact(connection, FACT, fact)
    has_work = connection.execute(select(func.min(OutboxItem.seq))).scalar_one() is not None
    return fact, not has_work


def _settle(connection: Connection) -> None:
    fact = get_fact(connection, FACT) or {}
    set_fact(connection, FACT, {name: value for name, value in fact.items() if name not in ("confirmed", "new")})


def _tell(connection: Connection, why: str, now: datetime) -> None:
    raise_topic(connection, "outbox")
    fact = get_fact(connection, FACT) or {}
    set_fact(connection, FACT, {**fact, "trouble": why})
    if why:
        raise_problem(connection, None, Issue(PROBLEM, TITLE, why, "outbox"), to_ms(now))
    else:
        clear_problems(connection, None, frozenset({PROBLEM}), to_ms(now))


def _place(file: Path | None) -> str:
    folder = file.resolve().parent.as_posix() if file is not None else ""
    return f"{platform.machine_id()} {folder}"
