"""What a settings dialog is about: a new integration of a type, or one that is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.catalogue import Entry
from app.integrations import configured, list_integrations, stored_secrets
from app.integrations.changes import listens
from app.services import Services
from resources.i18n import tr


@dataclass(frozen=True, slots=True)
class Subject:
    """What the dialog is about, as far as it may be shown: which secrets are stored, never what they are."""

    entry: Entry
    name: str
    integration_id: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    stored: frozenset[str] = frozenset()
    kept_where: str = ""
    listens: bool = False
    sign_in: bool = False


def read_subject(services: Services, *, key: str, integration_id: str, sign_in: bool) -> Subject:
    """What the dialog needs to know. Blocks. Raises UnknownIntegration, Unsupported, VaultError, StoreError."""
    catalogue, vault = services.catalogue, services.vault
    if not integration_id:
        catalogue.manifest(key)
        entry = catalogue.entry(key)
        with services.store.read() as connection:
            taken = {row.name.casefold() for row in list_integrations(connection)}
        return Subject(
            entry, _free_name(entry.name, taken), kept_where=vault.describe(), listens=listens(catalogue, key)
        )
    with services.store.read() as connection:
        saved = configured(connection, integration_id)
    catalogue.manifest(saved.type)
    return Subject(
        entry=catalogue.entry(saved.type),
        name=saved.name,
        integration_id=integration_id,
        config=saved.config,
        stored=frozenset(stored_secrets(catalogue, vault, saved.type, integration_id)),
        kept_where=vault.describe(),
        listens=listens(catalogue, saved.type),
        sign_in=sign_in,
    )


def _free_name(name: str, taken: set[str]) -> str:
    number = 1
    proposal = name
    while proposal.casefold() in taken:
        number += 1
        proposal = f"{name} {number}"
    return proposal


def title_of(subject: Subject) -> str:
    """The dialog's heading and window title."""
    if subject.integration_id is None:
        return tr("Add {name}", name=subject.entry.name)
    if subject.sign_in:
        return tr("Sign in to {name} again", name=subject.name)
    return tr("Configure {name}", name=subject.name)


def save_words(subject: Subject) -> str:
    """The main button."""
    if subject.integration_id is None:
        return tr("Add Integration")
    return tr("Sign in") if subject.sign_in else tr("Save Changes")
