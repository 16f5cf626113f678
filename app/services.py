"""What pages and commands work with beside the store, opened when it is first needed.

Everything here may block (an import, a key store that asks its user): use it off the event loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

# Catalogue and desk bring every adapter's library with them, which a window has no use for before it stands.
if TYPE_CHECKING:
    from adapters.base import Clock, Decoder
    from app.catalogue import Catalogue
    from app.integrations.changes import Desk
    from app.paths import Paths
    from app.security.vault import Vault
    from app.store.store import Store


class Services:
    """Catalogue, vault and the desk for operators' acts; made once by the composition root."""

    def __init__(self, paths: Paths, store: Store, clock: Clock, open_vault: Callable[[], Vault]) -> None:
        self.paths = paths
        self.store = store
        self.clock = clock
        self._open_vault = open_vault
        self._lock = threading.RLock()  # two pages may ask at once, and a vault must be opened once

    @property
    def catalogue(self) -> Catalogue:
        with self._lock:
            return self._catalogue

    @property
    def vault(self) -> Vault:
        """Raises VaultError while the secrets cannot be reached; asking again tries again."""
        with self._lock:
            return self._vault

    @property
    def desk(self) -> Desk:
        """Raises VaultError like :attr:`vault`."""
        from app.integrations.changes import Desk

        return Desk(self.store, self.catalogue, self.vault)

    @property
    def decoders(self) -> Mapping[str, Decoder]:
        with self._lock:
            return self._decoders

    @cached_property
    def _catalogue(self) -> Catalogue:
        from app.catalogue import Catalogue

        return Catalogue.load()

    @cached_property
    def _vault(self) -> Vault:
        return self._open_vault()

    @cached_property
    def _decoders(self) -> Mapping[str, Decoder]:
        return self.catalogue.decoders()
