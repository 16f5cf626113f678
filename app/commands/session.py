"""What one run of the program was asked for, and the parts of it that commands open when they need them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import Connection

import app
from app.catalogue import Catalogue
from app.clock import SystemClock
from app.commands.output import Refused
from app.paths import Paths
from app.security.vault import Vault, open_vault
from app.store.errors import StoreNotMigrated
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
        return Catalogue.load()

    @cached_property
    def vault(self) -> Vault:
        """Raises VaultError when the secrets cannot be reached."""
        return open_vault(
            self.paths, key_file=self.vault_key_file, passphrase=self.passphrase, file_only=self.file_vault_only
        )

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store for a one-shot command, which never migrates. Raises StoreError with the next step."""
        try:
            store = Store.open(self.database)
        except StoreNotMigrated as err:
            raise Refused(
                f"{err.why} Run the command “store upgrade” once, or start the gateway or the window."
            ) from err
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
        """How a window starts the gateway as its child."""
        passphrase = ["--passphrase-on-stdin"] if self.passphrase is not None else []
        return self.command("gateway", "--started-by", "console", *passphrase)

    def revision(self) -> str | None:
        """The store's revision as it stands, None where there is no store yet."""
        from app.store.migrate import stored_revision

        return stored_revision(self.database)


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """An option's ISO 8601 time; one without a zone is UTC."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("give it as ISO 8601, for example 2026-03-14T08:30:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
