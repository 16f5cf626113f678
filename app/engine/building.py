"""From a row of ``integrations`` to an adapter that is ready to run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from adapters.base import Adapter, Kit, Manifest
from adapters.errors import NotReady
from app.engine.ports import Ports
from app.integrations.rows import Configured
from app.integrations.settings import stored_settings
from app.security.vault import VaultError

DEFAULT_INTERVAL_S = 300.0


@dataclass(frozen=True, slots=True)
class Built:
    """``interval_s`` is the setting ``poll_interval_s``, which every pulling adapter names so."""

    adapter: Adapter[Any]
    kit: Kit
    manifest: Manifest
    interval_s: float


async def build(configured: Configured, ports: Ports) -> Built:
    """A new adapter for one start; whoever asks for it closes ``kit.http``.

    Raises SettingsInvalid, AuthFailed (a secret is missing), NotReady (the key store is locked), Unsupported (the
    package is missing).
    """
    catalogue, key = ports.catalogue, configured.type
    manifest = catalogue.manifest(key)
    try:
        # Off the loop: a key store can be slow, or ask its user.
        settings = await asyncio.to_thread(
            stored_settings, catalogue, ports.vault, configured.id, key, configured.config
        )
    except VaultError as err:
        raise NotReady(f"The secrets of {configured.name} cannot be read. {err}") from err
    kit = ports.make_kit(configured.id, manifest, settings, ports.clock)
    try:
        adapter = catalogue.create(key, settings, kit)
    except BaseException:
        await kit.http.aclose()
        raise
    return Built(adapter, kit, manifest, float(getattr(settings, "poll_interval_s", DEFAULT_INTERVAL_S)))
