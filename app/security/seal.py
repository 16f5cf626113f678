"""The seal on the record of acts: how long the chain was and where it ended, kept outside the store.

Key and seal live in the vault. Who can write the store but not open the vault can neither cut the chain's end nor
write it anew without being found.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import URL, Connection, make_url

from adapters.base import Clock
from app.errors import OperatorError
from app.security.audit import AuditReport, Head, record_act, verify_acts
from app.security.vault import Vault
from app.store.store import Store, topic_versions

_log = logging.getLogger(__name__)


class Seal:
    """The seal that one vault keeps on one store, named by its address: a moved or copied store is another one."""

    def __init__(self, vault: Vault, database: str | URL) -> None:
        self._vault = vault
        self._owner = f"audit-{hashlib.sha256(_scope(database).encode()).hexdigest()[:16]}"
        self._lock = threading.Lock()

    @property
    def owner(self) -> str:
        """Under which name the vault keeps it."""
        return self._owner

    def read(self) -> Head | None:
        """What was sealed, None before the first seal or when the seal itself was forged. Raises VaultError."""
        text, key = self._vault.get(self._owner, "seal"), self._vault.get(self._owner, "key")
        if text is None or key is None:
            return None
        try:
            facts = json.loads(text)
            head = Head(int(facts["entries"]), str(facts["hash"]))
            keyed = str(facts["keyed"])
        except (ValueError, KeyError, TypeError):
            return None
        return head if hmac.compare_digest(keyed, _keyed(head, key)) else None

    def verify(self, connection: Connection) -> AuditReport:
        """Walk the chain and compare it with the seal. Raises VaultError when the vault cannot be opened."""
        return verify_acts(connection, self.read())

    def advance(self, connection: Connection) -> AuditReport:
        """Verify what is new, and seal the present end when all is well; a fault is never sealed over.

        Entries before the seal are not walked again: :meth:`verify` does that. Raises VaultError.
        """
        with self._lock:
            sealed = self.read()
            report = verify_acts(connection, sealed, only_new=True)
            if report.ok and report.head != sealed:
                self._write(report.head)
            return report

    def replace(self, head: Head) -> None:
        """Seal another end, after an operator restored a backup and knows that later acts are gone."""
        with self._lock:
            self._write(head)

    def _write(self, head: Head) -> None:
        key = self._vault.get(self._owner, "key")
        if key is None:
            key = secrets.token_hex(32)
            self._vault.set(self._owner, "key", key)
        facts = {"entries": head.entries, "hash": head.hash, "keyed": _keyed(head, key)}
        self._vault.set(self._owner, "seal", json.dumps(facts))


def seal_restored(
    store: Store, seal: Seal, *, subject: str, after: Mapping[str, object], who: str | None = None
) -> None:
    """Record that ``store`` was restored, and seal its chain as it is now: later acts than the backup's are gone.

    ``after`` is what the act keeps of the backup. A chain that does not hold in itself is not sealed, so that its fault
    is still found. Raises VaultError, StoreError.
    """
    sealed = seal.read()
    before = None if sealed is None else {"sealed_acts": sealed.entries}

    def record(connection: Connection) -> None:
        record_act(connection, what="backup.restore", subject=subject, before=before, after=after, who=who)

    store.write(record).result()
    with store.read() as connection:
        report = verify_acts(connection)
    if report.ok:
        seal.replace(report.head)


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
                report = await asyncio.to_thread(_advance, store, seal)
                if report.first_fault != told:
                    on_report(report)
                sealed_version, told = version, report.first_fault
        except OperatorError as err:  # the vault is locked, or the store: the next turn may find it open
            _log.info("The record of acts is not sealed now: %s", err.why)
        await clock.sleep(every_s)


def _acts_version(store: Store) -> int:
    with store.read() as connection:
        return topic_versions(connection).get("acts", 0)


def _advance(store: Store, seal: Seal) -> AuditReport:
    with store.read() as connection:
        return seal.advance(connection)


def _scope(database: str | URL) -> str:
    """The same text for the same store, however its address was written."""
    url = make_url(database)
    if url.get_backend_name() == "sqlite":
        return Path(url.database or "").resolve().as_posix()
    return f"{url.get_backend_name()}://{url.host or ''}:{url.port or ''}/{url.database}?{url.query.get('host', '')}"


def _keyed(head: Head, key: str) -> str:
    return hmac.new(bytes.fromhex(key), f"{head.entries}:{head.hash}".encode(), hashlib.sha256).hexdigest()
