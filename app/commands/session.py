"""What one run of the program was asked for, and the parts of it that commands open when they need them.

Every part is imported where it is first used: ``--version`` and ``decode`` load neither the store nor the vault.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

import app
from app.clock import SystemClock
from app.paths import Paths

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.catalogue import Catalogue
    from app.security.vault import Vault
    from app.store.store import Store

T = TypeVar("T")
PROGRAM = Path(app.__file__).resolve().parents[1] / "main.py"


@dataclass
class Session:
    """The global options. ``passphrase`` opens the vault file where the window asked for one."""

    paths: Paths
    database: str
    vault_key_file: Path | None = None
    debug: bool = False
    file_vault_only: bool = False
    passphrase: str | None = None
    clock: SystemClock = field(default_factory=SystemClock)

    @cached_property
    def catalogue(self) -> Catalogue:
        from app.catalogue import Catalogue

        return Catalogue.load()

    @cached_property
    def vault(self) -> Vault:
        """Raises VaultError when the secrets cannot be reached."""
        from app.security.vault import open_vault

        return open_vault(
            self.paths, key_file=self.vault_key_file, passphrase=self.passphrase, file_only=self.file_vault_only
        )

    @cached_property
    def database_password(self) -> str | None:
        """What the vault keeps for a database server; None where there is none to know. Raises VaultError."""
        from app.security.database_password import kept_password

        return kept_password(self.database, lambda: self.vault)

    def open_store(self) -> Store:
        """The store, never migrated by this. Raises StoreError, VaultError."""
        from app.store.store import Store

        return Store.open(self.database, password=self.database_password)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store for the time of a one-shot command. Raises like :meth:`open_store`."""
        store = self.open_store()
        try:
            yield store
        finally:
            store.close()

    def read(self, query: Callable[[Connection], T]) -> T:
        """One query on the store."""
        with self.store() as store, store.read() as connection:
            return query(connection)

    def write(self, job: Callable[[Connection], T]) -> T:
        """One transaction on the store; returns after its commit."""
        with self.store() as store:
            return store.write(job).result()

    def command(self, *words: str) -> list[str]:
        """This very program once more, with the global options of this run."""
        options = ["--data-dir", str(self.paths.data_dir), "--database", self.database]
        if self.vault_key_file is not None:
            options += ["--vault-key-file", str(self.vault_key_file)]
        if self.debug:
            options.append("--debug")
        if self.file_vault_only:
            options.append("--demo")
        return [sys.executable, str(PROGRAM), *options, *words]

    def gateway_command(self) -> list[str]:
        """How a window starts the gateway as its child; its supervisor writes the passphrase, or an empty line."""
        return self.command("gateway", "--started-by", "console", "--passphrase-on-stdin")

    def revision(self) -> str | None:
        """The store's revision as it stands, None where there is no store yet."""
        from app.store.migrate import stored_revision

        return stored_revision(self.database, password=self.database_password)


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """An option's ISO 8601 time; one without a zone is UTC."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("give it as ISO 8601, for example 2026-03-14T08:30:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
