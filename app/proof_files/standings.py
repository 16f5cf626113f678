"""What each integration's settings allow of fetching, read from the store and the vault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.errors import AdapterError
from adapters.file_access import FileAccess, NamesFiles
from app.catalogue import Catalogue
from app.engine.journal import load_integrations
from app.errors import OperatorError
from app.integrations.rows import Configured
from app.integrations.settings import stored_settings
from app.proof_files.queue import Standing, integrations_of
from app.security.vault import Vault
from app.store.store import Store

SWITCHED_OFF = "“Fetch photos” is switched off in the integration's settings. Each is fetched when it is asked for."
_DISABLED = "The integration is switched off or removed. Switch it on to have its photos fetched."
_NO_FILES = "This integration fetches no files."


@dataclass(frozen=True, slots=True)
class Allowed:
    """By integration: the standing of each that has files, and the access of those from which some may be fetched."""

    standings: Mapping[str, Standing]
    accesses: Mapping[str, FileAccess]
    configured: Mapping[str, Configured] = field(default_factory=dict, compare=False)
    """What the accesses were read from: where it has not changed, the vault is not asked again."""


def read_allowed(store: Store, catalogue: Catalogue, vault: Vault, before: Allowed) -> Allowed:
    """Blocks. Raises StoreError."""
    with store.read() as connection:
        configured = {key: one for key, one in load_integrations(connection).items() if one.enabled}
        known = integrations_of(connection)
    standings = {key: Standing(can=False, is_on=False, why=_DISABLED) for key in known - configured.keys()}
    accesses: dict[str, FileAccess] = {}
    for key in known & configured.keys():
        one = configured[key]
        if key in before.accesses and before.configured.get(key) == one:
            accesses[key] = before.accesses[key]
        else:
            try:
                settings = stored_settings(catalogue, vault, key, one.type, one.config)
            except (AdapterError, OperatorError) as err:
                standings[key] = Standing(can=False, is_on=False, why=err.why)
                continue
            if not isinstance(settings, NamesFiles):
                standings[key] = Standing(can=False, is_on=False, why=_NO_FILES)
                continue
            accesses[key] = settings.file_access()
        is_on = accesses[key].is_on
        standings[key] = Standing(can=True, is_on=is_on, why="" if is_on else SWITCHED_OFF)
    return Allowed(standings, accesses, configured)
