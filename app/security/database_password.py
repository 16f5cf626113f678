"""The password of the database server, where the vault keeps it.

It is never in the database's address. The variable ``PGPASSWORD`` and the password file of PostgreSQL's own client
library work without us; the vault is for those who want it encrypted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping

from app.security.vault import Vault
from app.store.connect import parse_url, sqlite_path
from app.store.errors import StoreRefused

_FIELD = "password"


def kept_password(
    database: str, open_vault: Callable[[], Vault], environment: Mapping[str, str] = os.environ
) -> str | None:
    """What the vault keeps for this database; None for a file, without an entry, and where ``PGPASSWORD`` speaks.

    Raises StoreRefused for an address that is not accepted, VaultError when the vault cannot be opened.
    """
    url = parse_url(database)
    if sqlite_path(url) is not None or environment.get("PGPASSWORD"):
        return None
    return open_vault().get(_owner(database), _FIELD)


def keep_password(database: str, vault: Vault, password: str | None) -> None:
    """Keep it in the vault, or forget it. Raises StoreRefused for a file, which has none, and VaultError."""
    if sqlite_path(parse_url(database)) is not None:
        raise StoreRefused(
            "A SQLite file has no password. Name the server with --database postgresql://user@host/name."
        )
    if password is None:
        vault.delete(_owner(database))
    else:
        vault.set(_owner(database), _FIELD, password)


def _owner(database: str) -> str:
    """Under which name the vault keeps it: one for each address."""
    address = parse_url(database).render_as_string(hide_password=False)
    return f"database-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
