"""The seal on the record of acts: how long the chain was and where it ended, kept outside the store.

Key and seal live in the vault. Who can write the store but not open the vault can neither cut the chain's end nor
write it anew without being found.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading

from sqlalchemy import Connection

from app.security.audit import AuditReport, Head, verify_acts
from app.security.vault import Vault


class Seal:
    """The seal that one vault keeps on one store. ``scope`` names the store: its data folder or database."""

    def __init__(self, vault: Vault, scope: str) -> None:
        self._vault = vault
        self._owner = f"audit-{hashlib.sha256(scope.encode()).hexdigest()[:16]}"
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
        """Verify, and seal the present end when all is well; a fault is never sealed over. Raises VaultError."""
        with self._lock:
            sealed = self.read()
            report = verify_acts(connection, sealed)
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


def _keyed(head: Head, key: str) -> str:
    return hmac.new(bytes.fromhex(key), f"{head.entries}:{head.hash}".encode(), hashlib.sha256).hexdigest()
