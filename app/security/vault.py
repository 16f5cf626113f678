"""Where secrets live: the system's key store where there is one, an encrypted file otherwise.

A secret is named by the integration it belongs to and its field. It is never in the store, a log or an export.
All calls may block (a key store can ask its user): call them off the event loop.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from app.errors import OperatorError
from app.paths import Paths
from app.security.redaction import register_secret

PASSPHRASE_VARIABLE = "BIKO_CONSOLE_VAULT_PASSPHRASE"  # noqa: S105 - the variable's name, not a passphrase


class VaultError(OperatorError):
    """Secrets cannot be read or kept now; the text says why and what to do next."""


class VaultLocked(VaultError):
    """The secrets are there, but the key store is locked or the key to the file is missing or wrong."""


class Vault(Protocol):
    """Secrets by owner (an integration's id) and field. Every method raises VaultError with the next step."""

    def get(self, integration_id: str, field: str) -> str | None:
        """The secret, or None where none was stored."""
        ...

    def set(self, integration_id: str, field: str, value: str) -> None:
        """Keep a secret durably, replacing an older one."""
        ...

    def delete(self, integration_id: str) -> None:
        """Forget all secrets of an integration; nothing happens where there are none."""
        ...

    def owners(self) -> frozenset[str] | None:
        """Whose secrets are kept; None where the key store cannot list."""
        ...

    def describe(self) -> str:
        """Where secrets are kept and what that protects against, in one honest sentence."""
        ...


class MemoryVault:
    """Secrets that end with the process: tests, and checks of settings that nobody saved."""

    def __init__(self) -> None:
        self._secrets: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def get(self, integration_id: str, field: str) -> str | None:
        with self._lock:
            return self._secrets.get(integration_id, {}).get(field)

    def set(self, integration_id: str, field: str, value: str) -> None:
        register_secret(value)
        with self._lock:
            self._secrets.setdefault(integration_id, {})[field] = value

    def delete(self, integration_id: str) -> None:
        with self._lock:
            self._secrets.pop(integration_id, None)

    def owners(self) -> frozenset[str] | None:
        with self._lock:
            return frozenset(self._secrets)

    def describe(self) -> str:
        return "Secrets are kept in memory and are lost when the program ends."


def wants_passphrase(
    paths: Paths, *, key_file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> bool:
    """Whether the secrets' file opens with a passphrase that nobody gave. A look at its header; the file stays shut."""
    if key_file is not None or environment.get(PASSPHRASE_VARIABLE):
        return False
    try:
        header = json.loads(paths.vault_file.read_bytes())
    except (OSError, ValueError):  # opening it gives the reason, where there is anything to open
        return False
    return isinstance(header, dict) and header.get("key_from") == "passphrase"


def open_vault(
    paths: Paths,
    *,
    key_file: Path | None = None,
    passphrase: str | None = None,
    file_only: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Vault:
    """The vault of a data folder.

    A passphrase, a key file or an existing ``vault.enc`` choose the encrypted file, so that every process of the
    folder finds the same secrets; otherwise the system's key store is used where a real one exists.
    ``file_only`` never touches the system's key store (the demo). Raises VaultError.
    """
    from app.security.file_vault import FileVault, KeySource
    from app.security.keyring_vault import KeyringVault, find_key_store

    passphrase = passphrase or environment.get(PASSPHRASE_VARIABLE) or None
    chosen = key_file is not None or passphrase is not None
    if not (chosen or file_only or paths.vault_file.exists()):
        backend = find_key_store()
        if backend is not None:
            return KeyringVault(backend)
    if passphrase is not None and key_file is None:
        return FileVault(paths.vault_file, KeySource.of_passphrase(passphrase))
    if key_file is not None:
        return FileVault(paths.vault_file, KeySource.of_key_file(key_file))
    if wants_passphrase(paths, environment=environment):
        raise VaultLocked(
            f"The secrets file {paths.vault_file} cannot be opened without its passphrase: set it in "
            f"{PASSPHRASE_VARIABLE}, or open the window, which asks for it."
        )
    return FileVault(paths.vault_file, KeySource.of_own_key(paths.vault_key))
