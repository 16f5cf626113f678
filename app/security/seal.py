"""The seal on the record of acts: checkpoints of how long the chain was and where it ended, kept outside the store.

The key and the newest checkpoint live in the vault, all of them in a file in a folder of its own. Who can write the
store but not open the vault can neither cut the chain's end nor write it anew without being found; who puts an older
file of checkpoints in the place of the newest is found by the one in the vault.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, make_url

from adapters.base import Clock
from app.clock import utc_now
from app.errors import OperatorError
from app.security.audit import AuditReport, Head, compare, record_act, verify_acts
from app.security.checkpoints import FIRST, Checkpoint, Lines, append, read_lines
from app.security.seal_look import Look, examine, examine_copy, nothing_left
from app.security.vault import Vault
from app.store.changes import topic_versions
from app.store.facts import get_fact, set_fact
from app.store.store import Store

_log = logging.getLogger(__name__)
FACT = "acts_sealed"
"""The store's own word that it was sealed, and from where."""
LOCK_S = 10.0
"""How long one process waits for another one that writes a checkpoint."""


class SealError(OperatorError):
    """The checkpoints' file cannot be read or written; the text says why and what to do next."""


class Seal:
    """The seal on one store, named by its address: a moved or copied store is another one."""

    def __init__(self, vault: Vault, database: str | URL, folder: Path | None = None) -> None:
        """``folder`` holds the file of checkpoints; without one the newest in the vault is all there is."""
        self._vault = vault
        self._owner = f"audit-{hashlib.sha256(_scope(database).encode()).hexdigest()[:16]}"
        self._lock = threading.Lock()
        self._file = None if folder is None else folder / f"{self._owner}.jsonl"

    @property
    def owner(self) -> str:
        """Under which name the vault keeps it."""
        return self._owner

    @property
    def file(self) -> Path | None:
        """Where the checkpoints are, for copying them outside."""
        return self._file

    def look(self) -> Look:
        """What is kept, and what is wrong with it. Raises VaultError, SealError."""
        text, key = self._vault.get(self._owner, "seal"), self._vault.get(self._owner, "key")
        return examine(self._owner, self._lines(), text, key, has_file=self._file is not None)

    def read(self) -> Head | None:
        """What was sealed last, None before the first seal or when the seal itself was forged. Raises VaultError."""
        newest = self.look().newest
        return None if newest is None else Head(newest.entries, newest.hash)

    def verify(self, connection: Connection, copy: Path | None = None) -> AuditReport:
        """Walk the chain and compare it with every checkpoint, and with those of a ``copy`` kept elsewhere.

        Raises VaultError when the vault cannot be opened, SealError for a file that cannot be read.
        """
        found = self._seen_by(connection)
        if copy is not None:
            found = examine_copy(found, self._copied(copy), self._vault.get(self._owner, "key"), self._owner)
        return _report(found, compare(connection, found.marks(), version=found.version))

    def _seen_by(self, connection: Connection) -> Look:
        """What is kept, or that nothing is although the store was sealed from here."""
        found, fact = self.look(), get_fact(connection, FACT)
        if found == Look() and fact is not None and fact.get("owner") == self._owner:
            return Look(findings=(nothing_left(str(fact.get("since", ""))),))
        return found

    def advance(self, connection: Connection) -> AuditReport:
        """Verify what is new, and seal the present end when all is well; a fault is never sealed over.

        Entries before the seal are not walked again: :meth:`verify` does that. Raises VaultError, SealError.
        """
        with self._alone():
            found, version = self._seen_by(connection), topic_versions(connection).get("acts", 0)
            newest = found.newest
            start, marks = (0, {}) if newest is None or not newest.entries else _end(newest)
            report = _report(found, compare(connection, marks, start=start, version=found.version))
            if report.ok and (newest is None or report.head != Head(newest.entries, newest.hash)):
                written = self._write(found, report.head, version)
                report = replace(report, newest=written, checkpoints=report.checkpoints + 1)
            return report

    def accept(self, connection: Connection, why: str) -> AuditReport:
        """Let the chain hold as it is now, after an operator restored a backup or explained what is missing.

        A chain that does not hold in itself is not sealed: its fault is in the report. Checkpoints that the chain
        does not meet count no more, and why is in the new one; a file that the key does not fit is set aside.
        Raises VaultError, SealError.
        """
        with self._alone():
            version = topic_versions(connection).get("acts", 0)
            report = verify_acts(connection)
            if not report.ok:
                return report
            found = self._seen_by(connection)
            kept = compare(connection, found.marks()).agreed
            if found.findings:
                found = self._begin_anew(found)
            written = self._write(found, report.head, version, kept=kept, why=why)
            return replace(report, newest=written)

    def replace(self, head: Head) -> None:
        """Seal another end, whatever was sealed before."""
        with self._alone():
            self._write(self.look(), head, 0, kept=0, why="replaced")

    def copy_to(self, target: Path, *, replace: bool = False) -> int:
        """Copy the checkpoints outside; how many they are. Raises SealError, with what to do."""
        if self._file is None or not self._file.exists():
            raise SealError(
                "There is no checkpoint to copy yet: the engine makes the first within a minute of its start."
            )
        if target.exists() and not replace:
            raise SealError(f"{target} exists already. Name another file: an older copy is worth keeping.")
        try:
            shutil.copyfile(self._file, target)
            return len(read_lines(target).lines)
        except OSError as err:
            raise SealError(
                f"The checkpoints cannot be copied to {target} ({err.strerror}). Name another place."
            ) from err

    def _begin_anew(self, found: Look) -> Look:
        """The file that does not fit is kept under another name, and another key begins another file."""
        if self._file is not None and self._file.exists():
            aside = self._file.with_suffix(f".{utc_now():%Y%m%dT%H%M%S%fZ}.aside")
            try:
                self._file.rename(aside)
            except OSError as err:
                raise SealError(
                    f"{self._file} cannot be set aside ({err.strerror}). Give this user the right."
                ) from err
            _log.warning("checkpoints that do not fit are kept as %s", aside)
        self._vault.set(self._owner, "key", secrets.token_hex(32))
        return replace(found, good=(), anchor=None, findings=())

    def _write(self, found: Look, head: Head, version: int, *, kept: int | None = None, why: str = "") -> Checkpoint:
        key = self._vault.get(self._owner, "key")
        if key is None:
            key = secrets.token_hex(32)
            self._vault.set(self._owner, "key", key)
        last = found.newest
        written = Checkpoint(
            number=1 if last is None else last.number + 1,
            store=self._owner,
            entries=head.entries,
            hash=head.hash,
            version=version,
            at=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
            previous=FIRST if last is None or not last.number else last.keyed,
            kept=kept,
            why=why,
        ).signed(key)
        if self._file is None:
            written = replace(written, number=0, previous=FIRST).signed(key)
        else:
            try:
                append(self._file, written)
            except OSError as err:
                raise SealError(
                    f"The checkpoint of the record of acts cannot be written to {self._file} ({err.strerror}). Make "
                    "room on the disk, or give this user the right to write there."
                ) from err
        self._vault.set(self._owner, "seal", written.as_line())  # after the file, which may be one ahead, never behind
        return written

    def _lines(self) -> Lines:
        if self._file is None:
            return Lines()
        try:
            return read_lines(self._file)
        except OSError as err:
            why = (
                f"The checkpoints in {self._file} cannot be read ({err.strerror}). Give this user the right to read it."
            )
            raise SealError(why) from err

    @staticmethod
    def _copied(file: Path) -> Lines:
        try:
            found = read_lines(file)
        except OSError as err:
            raise SealError(f"The copy {file} cannot be read ({err.strerror}).") from err
        if not found.exists:
            raise SealError(f"There is no file {file}. Name the copy that “audit copy” made.")
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread or process writes a checkpoint meanwhile."""
        with self._lock:
            if self._file is None:
                yield
                return
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(self._file.with_suffix(".lock"), timeout=LOCK_S)
                lock.acquire()
            except Timeout as err:
                raise SealError("Another process is writing a checkpoint of the record of acts. Try again.") from err
            except OSError as err:
                raise SealError(
                    f"The folder {self._file.parent} of the checkpoints cannot be used ({err.strerror}). Give this "
                    "user the right to write there."
                ) from err
            try:
                yield
            finally:
                lock.release()


def seal_restored(
    store: Store, seal: Seal, *, subject: str, after: Mapping[str, object], who: str | None = None
) -> None:
    """Record that ``store`` was restored, and seal its chain as it is now: later acts than the backup's are gone.

    ``after`` is what the act keeps of the backup. A chain that does not hold in itself is not sealed, so that its fault
    is still found. Raises VaultError, SealError, StoreError.
    """
    sealed = seal.read()
    before = None if sealed is None else {"sealed_acts": sealed.entries}
    number = store.write(
        lambda connection: record_act(
            connection, what="backup.restore", subject=subject, before=before, after=after, who=who
        )
    ).result()
    with store.read() as connection:
        seal.accept(connection, f"backup.restore: {subject} (act {number})")


def accept_chain(store: Store, seal: Seal, *, reason: str, who: str | None = None) -> AuditReport:
    """An operator explains why the chain is not the sealed one; the reason is an act, and the chain holds from then on.

    A chain that does not hold in itself is refused before anything is recorded: the report says why.
    Raises VaultError, SealError, also where there is nothing to explain, StoreError.
    """
    with store.read() as connection:
        alone = verify_acts(connection)
        if not alone.ok:
            return alone
        found = seal.verify(connection)
    if found.ok:
        raise SealError("The record of acts and its checkpoints hold: there is nothing to accept.")
    before = {"findings": [finding.sentence for finding in found.findings]}
    number = store.write(
        lambda connection: record_act(
            connection, what="audit.accept", subject="record of acts", before=before, after={"reason": reason}, who=who
        )
    ).result()
    with store.read() as connection:
        return seal.accept(connection, f"audit.accept: {reason} (act {number})")


def advance_seal(store: Store, seal: Seal) -> AuditReport:
    """Seal the present end, and note in the store that it was sealed from here. Raises like :meth:`Seal.advance`."""
    with store.read() as connection:
        report, fact = seal.advance(connection), get_fact(connection, FACT)
    if report.ok and report.newest is not None and (fact is None or fact.get("owner") != seal.owner):
        noted = {"owner": seal.owner, "since": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}"}
        store.write(lambda connection: set_fact(connection, FACT, noted)).result()
    return report


async def keep_sealed(
    store: Store, seal: Seal, clock: Clock, on_report: Callable[[AuditReport], None], *, every_s: float = 30.0
) -> None:
    """Seal the chain whenever acts were added, until cancelled.

    ``on_report`` is told what the first look found, and then of each change between a fault, another and none.
    """
    sealed_version = -1
    told: str | None = "not looked yet"
    while True:
        try:
            version = await asyncio.to_thread(_acts_version, store)
            if version != sealed_version:
                report = await asyncio.to_thread(advance_seal, store, seal)
                if report.first_fault != told:
                    on_report(report)
                sealed_version, told = version if report.ok else -1, report.first_fault  # an operator may explain it
        except OperatorError as err:  # the vault is locked, or the store: the next turn may find it open
            _log.info("The record of acts is not sealed now: %s", err.why)
        await clock.sleep(every_s)


def _acts_version(store: Store) -> int:
    with store.read() as connection:
        return topic_versions(connection).get("acts", 0)


def _report(found: Look, chain: AuditReport) -> AuditReport:
    """Both together: what is wrong with the chain first, then with the checkpoints."""
    return replace(
        chain,
        findings=(*chain.findings, *found.findings),
        newest=found.newest,
        checkpoints=len(found.good),
        restarts=tuple(one for one in found.good if one.kept is not None),
    )


def _end(newest: Checkpoint) -> tuple[int, dict[int, str]]:
    return newest.entries - 1, {newest.entries: newest.hash}


def _scope(database: str | URL) -> str:
    """The same text for the same store, however its address was written."""
    url = make_url(database)
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "").resolve().as_posix()
    return f"{url.get_backend_name()}://{url.host or ''}:{url.port or ''}/{url.database}?{url.query.get('host', '')}"
