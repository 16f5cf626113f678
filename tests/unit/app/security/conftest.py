"""The audit chain must hold on both databases; what one test module calls a secret is none in the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.security import redaction
from tests.helpers.stores import database, postgresql_server, sqlite_store, store

__all__ = ["database", "postgresql_server", "sqlite_store", "store"]


@pytest.fixture(scope="module", autouse=True)
def known_secrets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", redaction._KnownSecrets())
        yield
