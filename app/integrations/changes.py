"""Operators' acts on integrations: add, change, enable, disable, remove.

Window and command line use these alike. Each act is one transaction with its record in the chain of acts. Secrets
go to the vault first and are taken back when the row does not commit: a row never misses its secret, and a secret
never stays without its row. Everything blocks: call it off the event loop.
"""

from __future__ import annotations

import ipaddress
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from adapters.base import Identity, Settings, settings_form
from app.catalogue import Catalogue
from app.clock import utc_now
from app.errors import OperatorError
from app.integrations.rows import Configured, IntegrationRow, configured, integration_row
from app.integrations.settings import placeholders, public_part, secret_part, stored_secrets, validate
from app.security.audit import record_act
from app.security.vault import Vault, VaultError
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.store import Store
from app.store.tables import Integration
from app.sync.listing import backlog_of, unsent_words
from app.sync.words import IN_THE_WAY, counted

_LONGEST_NAME = 200
_ORPHAN_AGE_S = 3_600
_ANY_ADDRESS = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound

_log = logging.getLogger(__name__)


class Duplicate(OperatorError):
    """The same peer, port or name is configured already; ``integration_id`` says as which.

    ``field`` is what was entered twice: ``name``, ``port``, or "" where it is the peer itself.
    """

    def __init__(self, why: str, integration_id: str, field: str = "") -> None:
        super().__init__(why)
        self.integration_id = integration_id
        self.field = field


class OtherPeer(OperatorError):
    """Changed settings lead to another peer than the one whose data is stored."""


class UnsentWork(OperatorError):
    """Changes made here would be lost with the integration."""


class NameRefused(OperatorError):
    """A name that is empty, too long or taken."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operations work with."""

    store: Store
    catalogue: Catalogue
    vault: Vault


def add(
    desk: Desk,
    key: str,
    name: str,
    values: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    *,
    identity: Identity | None = None,
    enabled: bool = True,
    integration_id: str | None = None,
    without_secrets: bool = False,
    who: str | None = None,
) -> str:
    """Save a new integration; the engine starts it when ``enabled``. Returns its id.

    ``identity`` is what a check found; without one (saved unchecked) only name and port can show a duplicate.
    ``without_secrets`` accepts that they are still to come, as after an import: running it will ask to sign in.
    Raises SettingsRefused, NameRefused, Duplicate, Unsupported, VaultError, StoreError; then nothing was kept.
    """
    settings = _validated(desk.catalogue, key, values, secrets or {}, without_secrets)
    name = usable_name(name)
    new = integration_id or new_id()
    unique_id = identity.unique_id if identity is not None else None
    now = utc_now()
    row = {
        "id": new,
        "type": key,
        "name": name,
        "status": "configured" if enabled else "inactive",
        "config": public_part(settings),
        "created_at": now,
        "updated_at": now,
        "enabled": enabled,
        "peer_unique_id": unique_id,
        "secrets_version": 0,
    }

    def job(connection: Connection) -> None:
        version = raise_topic(connection, "integrations")
        _refuse_duplicates(connection, desk.catalogue, _Wanted(key, name, settings, unique_id))
        connection.execute(insert(Integration).values(**row, changed_version=version))
        after = {"type": key, "name": name, "enabled": enabled, "config": row["config"]}
        record_act(connection, what="integration.add", subject=_subject(new, name), after=after, who=who)

    given = {} if without_secrets else secret_part(settings)
    with _secrets_in_vault(desk.vault, new, given, before={}):
        desk.store.write(job).result()
    return new


def change(
    desk: Desk,
    integration_id: str,
    *,
    name: str | None = None,
    values: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    identity: Identity | None = None,
    accept_other_peer: bool = False,
    without_secrets: bool = False,
    who: str | None = None,
) -> IntegrationRow:
    """Change an integration in place; what is not named stays.

    An empty value in ``values`` goes back to its default, an empty secret stays as stored: a form shows none back.
    Signing in again is a change of secrets alone. Raises UnknownIntegration, OtherPeer and what :func:`add` raises.
    """
    with desk.store.read() as connection:
        old = configured(connection, integration_id)
    kept = stored_secrets(desk.catalogue, desk.vault, old.type, integration_id)
    entered = {field: secret for field, secret in (secrets or {}).items() if secret}
    merged = {**old.config, **(values or {})}
    settings = _validated(desk.catalogue, old.type, merged, {**kept, **entered}, without_secrets)
    new_secrets = secret_part(settings)
    secrets_changed = sorted(field for field in new_secrets if field in entered)
    if identity is not None and not accept_other_peer:
        _refuse_other_peer(desk.catalogue, old, identity)

    def job(connection: Connection) -> IntegrationRow:
        version = raise_topic(connection, "integrations")
        now = configured(connection, integration_id)
        new_name = usable_name(name) if name is not None else now.name
        unique_id = identity.unique_id if identity is not None else now.peer_unique_id
        wanted = _Wanted(now.type, new_name, settings, unique_id)
        _refuse_duplicates(connection, desk.catalogue, wanted, except_id=integration_id)
        changed = {
            "name": new_name,
            "config": public_part(settings),
            "peer_unique_id": unique_id,
            "secrets_version": now.secrets_version + bool(secrets_changed),
        }
        before = {"name": now.name, "config": now.config}
        after: dict[str, Any] = {"name": new_name, "config": changed["config"]}
        if secrets_changed:
            after["replaced_fields"] = secrets_changed  # which, never what
        statement = update(Integration).where(Integration.id == integration_id)
        connection.execute(statement.values(**changed, updated_at=utc_now(), changed_version=version))
        subject = _subject(integration_id, new_name)
        record_act(connection, what="integration.change", subject=subject, before=before, after=after, who=who)
        return integration_row(connection, integration_id)

    with _secrets_in_vault(desk.vault, integration_id, {field: new_secrets[field] for field in secrets_changed}, kept):
        return desk.store.write(job).result()


def enable(desk: Desk, integration_id: str, *, who: str | None = None) -> IntegrationRow:
    """Let the engine run it. Raises UnknownIntegration, StoreError."""
    return _switch(desk, integration_id, enabled=True, who=who)


def disable(desk: Desk, integration_id: str, *, who: str | None = None) -> IntegrationRow:
    """Stop it; settings, secrets and data stay. Raises UnknownIntegration, StoreError."""
    return _switch(desk, integration_id, enabled=False, who=who)


def remove(desk: Desk, integration_id: str, *, who: str | None = None) -> None:
    """Take it off the list and forget its secrets; its devices, positions and log stay.

    Raises UnknownIntegration, StoreError, UnsentWork while changes wait for its peer (those that were set aside do
    not hinder it: they stay in the outbox), and VaultError when the secrets could not be deleted: it is removed all
    the same, and :func:`forget_orphans` deletes them later.
    """

    def job(connection: Connection) -> None:
        version = raise_topic(connection, "integrations")
        now = configured(connection, integration_id)
        _refuse_unsent(connection, integration_id, now.name)
        gone = {"enabled": False, "status": "inactive", "removed_at": utc_now(), "updated_at": utc_now()}
        statement = update(Integration).where(Integration.id == integration_id)
        connection.execute(statement.values(**gone, changed_version=version))
        before = {"type": now.type, "name": now.name, "enabled": now.enabled, "config": now.config}
        record_act(
            connection, what="integration.remove", subject=_subject(integration_id, now.name), before=before, who=who
        )

    desk.store.write(job).result()
    desk.vault.delete(integration_id)


def _refuse_unsent(connection: Connection, integration_id: str, name: str) -> None:
    backlog = backlog_of(connection, integration_id)
    count = sum(backlog.counts.get(state, 0) for state in IN_THE_WAY)
    if count:
        _total, named = unsent_words(connection, integration_id)
        raise UnsentWork(
            f"{name} cannot be removed: {counted(count, 'change has', 'changes have')} not been accepted by it, "
            f"{'for example ' if count > len(named) else ''}{', '.join(named)}. Let them be sent, set them aside or "
            "cancel them on the page Sync first."
        )


def forget_orphans(store: Store, vault: Vault) -> int:
    """Delete secrets whose integration does not exist: left by a crash between vault and store. Returns how many.

    Only those of ids older than an hour: another process may be saving one right now. Raises VaultError, StoreError.
    """
    owners = vault.owners() or frozenset()
    with store.read() as connection:
        known = set(connection.execute(select(Integration.id).where(Integration.removed_at.is_(None))).scalars())
    orphans = [owner for owner in owners - known if (age := _age_s(owner)) is not None and age > _ORPHAN_AGE_S]
    for owner in orphans:
        vault.delete(owner)
    return len(orphans)


def _switch(desk: Desk, integration_id: str, *, enabled: bool, who: str | None) -> IntegrationRow:
    def job(connection: Connection) -> IntegrationRow:
        version = raise_topic(connection, "integrations")
        now = configured(connection, integration_id)
        if now.enabled != enabled:
            word = "configured" if enabled else "inactive"
            statement = update(Integration).where(Integration.id == integration_id)
            connection.execute(
                statement.values(enabled=enabled, status=word, updated_at=utc_now(), changed_version=version)
            )
            what = "integration.enable" if enabled else "integration.disable"
            subject = _subject(integration_id, now.name)
            states = {"before": {"enabled": now.enabled}, "after": {"enabled": enabled}}
            record_act(connection, what=what, subject=subject, **states, who=who)
        return integration_row(connection, integration_id)

    return desk.store.write(job).result()


@contextmanager
def _secrets_in_vault(
    vault: Vault, integration_id: str, secrets: Mapping[str, str], before: Mapping[str, str]
) -> Iterator[None]:
    """Keep secrets before the block; if it fails, put back what was there ``before``."""
    kept: list[str] = []
    try:
        for field, value in secrets.items():
            kept.append(field)
            vault.set(integration_id, field, value)
        yield
    except BaseException:
        _take_back(vault, integration_id, kept, before)
        raise


def _take_back(vault: Vault, integration_id: str, fields: list[str], before: Mapping[str, str]) -> None:
    """Never hides the error that led here: a vault that fails now is told to the log."""
    try:
        if fields and not before:
            vault.delete(integration_id)
            return
        for field in fields:
            vault.set(integration_id, field, before.get(field, ""))
    except VaultError as err:
        _log.warning("The secrets of integration %s could not be taken back: %s", integration_id, err.why)


def _validated(
    catalogue: Catalogue, key: str, values: Mapping[str, Any], secrets: Mapping[str, str], without_secrets: bool
) -> Settings:
    if not without_secrets:
        return validate(catalogue, key, values, secrets)
    return validate(catalogue, key, values, {**placeholders(catalogue, key), **secrets})


def usable_name(name: str) -> str:
    """A name as it is stored. Raises NameRefused."""
    name = " ".join(name.split())
    if not name:
        raise NameRefused("The integration needs a name, by which you will know it on every page.")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise NameRefused(f"The name must be plain text of at most {_LONGEST_NAME} characters.")
    return name


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an integration is about to be."""

    key: str
    name: str
    settings: Settings
    unique_id: str | None


def _refuse_duplicates(
    connection: Connection, catalogue: Catalogue, wanted: _Wanted, *, except_id: str | None = None
) -> None:
    others = select(Integration).where(Integration.removed_at.is_(None))
    if except_id is not None:
        others = others.where(Integration.id != except_id)
    columns = others.with_only_columns(
        Integration.id, Integration.type, Integration.name, Integration.config, Integration.peer_unique_id
    )
    named = connection.execute(columns.where(func.lower(Integration.name) == wanted.name.lower())).first()
    if named is not None:
        raise Duplicate(f"An integration named “{named.name}” exists already. Choose another name.", named.id, "name")
    if wanted.unique_id is not None:
        same = connection.execute(
            columns.where(Integration.type == wanted.key, Integration.peer_unique_id == wanted.unique_id)
        ).first()
        if same is not None:
            raise Duplicate(
                f"This is the peer of the integration “{same.name}” already. Change that one instead.", same.id
            )
    if not listens(catalogue, wanted.key):
        return
    mine = wanted.settings.model_dump(mode="json")
    for other in connection.execute(columns):
        if listens(catalogue, other.type) and _same_port(mine, other.config):
            raise Duplicate(
                f"Port {mine['port']} is the one of the integration “{other.name}”. Choose another port, or change "
                f"that integration.",
                other.id,
                "port",
            )


def listens(catalogue: Catalogue, key: str) -> bool:
    """Whether integrations of this type listen on a port of this machine."""
    entry = next((entry for entry in catalogue.entries() if entry.key == key), None)
    if entry is None or entry.manifest is None or "listen" not in entry.manifest.modes:
        return False
    kinds = {spec.name: spec.kind for spec in settings_form(entry.manifest.settings)}
    return kinds.get("port") in ("port", "serial_port") and "url" not in kinds


def _same_port(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    if mine.get("port") != theirs.get("port") or mine.get("port") == 0:  # 0 takes a free one
        return False
    hosts = [_bare_address(str(config.get("host", ""))) for config in (mine, theirs)]
    return hosts[0] == hosts[1] or any(host in _ANY_ADDRESS for host in hosts)


def _bare_address(host: str) -> str:
    host = host.strip().strip("[]").lower()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return "127.0.0.1" if host == "localhost" else host


def _refuse_other_peer(catalogue: Catalogue, old: Configured, identity: Identity) -> None:
    pulls = "pull" in catalogue.manifest(old.type).modes  # a listener's identity is its own port, which may change
    if pulls and old.peer_unique_id is not None and identity.unique_id != old.peer_unique_id:
        raise OtherPeer(
            f"These settings lead to another peer than before ({identity.title}), and its data would mix with what is "
            f"stored. Add it as a new integration; change this one only if the same peer has moved."
        )


def _subject(integration_id: str, name: str) -> str:
    return f"{name} ({integration_id})"


def _age_s(owner: str) -> float | None:
    """Age of an id that we made: version 7 holds its time of birth. None for names that are no such id."""
    try:
        born = uuid.UUID(owner)
    except ValueError:
        return None
    return time.time() - (born.int >> 80) / 1000 if born.version == 7 else None
